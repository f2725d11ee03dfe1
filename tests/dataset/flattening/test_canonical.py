import calendar
from datetime import date

import pytest
from dataset_cases import body, card, row

from tokenvault_data.dataset.flattening.flatten import flatten


def test_the_documented_card():
    """The example of the documentation becomes the row it describes, what was sent beside it."""
    made = row()
    assert made["card_network"] == "visa"
    assert made["card_network_received"] == "VISA"
    assert made["card_bank"] == "HDFC Bank Limited"
    assert made["card_type"] == "debit"
    assert made["card_type_received"] == "DEBIT_CARD"
    assert made["card_sub_type"] is None
    assert made["last_four"] == "4375"
    assert (made["expiry_month"], made["expiry_year"]) == (12, 2023)
    assert made["expires_on"] == date(2023, 12, 31)
    assert made["created_at"].isoformat() == "2021-11-11T11:27:57+00:00"
    assert made["created_at_received"] == "2021-11-11 16:57:57"
    assert made["customer_id_received"] is None
    assert made["anomalies"] is None
    assert made["extra"] is None


def test_every_month_of_a_century_ends_on_its_last_day():
    """Leap years and month lengths are those of the calendar, in all spellings of the year."""
    months = [(year, month) for year in range(2000, 2100) for month in range(1, 13)]
    cards = [
        card(expiry_month=str(month), expiry_year=str(year)[2:] if month % 2 else str(year))
        for year, month in months
    ]
    table = flatten([body(cards)]).table
    assert table.column("expires_on").to_pylist() == [
        date(year, month, calendar.monthrange(year, month)[1]) for year, month in months
    ]


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"expiry_month": "0"}, "expiry_month:unreadable"),
        ({"expiry_month": "13"}, "expiry_month:unreadable"),
        ({"expiry_month": ""}, "expiry_month:empty"),
        ({"expiry_year": "1923"}, "expiry_year:unreadable"),
        ({"expiry_year": "never"}, "expiry_year:unreadable"),
        ({"expiry_year": [23]}, "expiry_year:type"),
        ({"expiry_month": True}, "expiry_month:type"),
        ({"card_network": "bitcoin"}, "card_network:unknown"),
        ({"card_network": ""}, "card_network:empty"),
        ({"card_bank_name": "  "}, "card_bank:empty"),
        ({"card_country": "Narnia"}, "card_country:unknown"),
        ({"card_sub_type": "Q"}, "card_sub_type:unknown"),
        ({"instrument_status": "BLOCKED"}, "instrument_status:unknown"),
        ({"instrument_type": "upi"}, "instrument_type:unknown"),
        ({"created_at": "yesterday"}, "created_at:unreadable"),
        ({"created_at": "1970-01-01 00:00:00"}, "created_at:out_of_range"),
        ({"created_at": ""}, "created_at:empty"),
        ({"par": ""}, "par:empty"),
        ({"instrument_uid": ""}, "instrument_uid:empty"),
        ({"par": "N/A"}, "par:placeholder"),
        ({"instrument_uid": "null"}, "instrument_uid:placeholder"),
        ({"instrument_id": None}, "instrument_id:missing"),
        ({"instrument_id": ""}, "instrument_id:empty"),
        ({"instrument_display": "no digits"}, "instrument_display:unreadable"),
        ({"customer_id": "someone_else"}, "customer_id:differs"),
        ({"instrument_meta": "none"}, "instrument_meta:type"),
        ({"card_token_details": 7}, "card_token_details:type"),
    ],
)
def test_what_cannot_be_read_is_null_and_named(changes, codes):
    """An unreadable value leaves its own column null with its own anomaly, and nothing else."""
    made = row(**changes)
    assert made["anomalies"] == codes
    name = codes.split(":")[0]
    if name in made and name not in {"customer_id", "instrument_display"}:
        assert made[name] is None


@pytest.mark.parametrize("number", [5, "5", "05", " 05 "])
def test_a_number_may_stand_where_text_is_documented(number):
    """Months sent as JSON numbers are read like months sent as text."""
    made = row(expiry_month=number, expiry_year=2028)
    assert (made["expires_on"], made["anomalies"]) == (date(2028, 5, 31), None)


def test_values_of_the_wrong_type_are_kept():
    """What does not fit its column is still there, as it came, to the last digit."""
    made = row(expiry_year=[2.50, {"a": None}], par=True)
    assert made["extra"] == (
        '{"instrument_meta":{"card_token_details":{"par":true,"expiry_year":[2.5,{"a":null}]}}}'
    )


def test_another_customer_in_the_body_is_shown():
    """A body that names another customer is filed under the one asked for, and says so."""
    made = row(customer_id="someone_else")
    assert (made["customer_id"], made["customer_id_received"]) == ("cust_1", "someone_else")


@pytest.mark.parametrize(
    ("sent", "kept", "codes"),
    [
        ("4375", "4375", None),
        ("XXXXXXXXXXXX5717", "XXXXXXXXXXXX5717", None),
        ("411111xxxxxx1111", "411111xxxxxx1111", None),
        ("4111111111111111", "XXXXXXXXXXXX1111", "instrument_display:full_number"),
        ("4111 1111 1111 1111", "XXXX XXXX XXXX 1111", "instrument_display:full_number"),
    ],
)
def test_no_full_card_number_gets_through(sent, kept, codes):
    """A number sent unmasked is masked before it reaches a table."""
    made = row(instrument_display=sent)
    assert made["instrument_display"] == kept
    assert made["last_four"] == kept[-4:]
    assert made["anomalies"] == codes
