"""What each canonical column makes of texts that can, and cannot, be read; typed out by hand."""

import json
from collections import Counter

import pytest

from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten
from tokenvault_data.dataset.schema import INSTRUMENT_COLUMNS

READ = {
    "instrument_type": {"card": "card", " Card ": "card"},
    "instrument_status": {"active": "ACTIVE", " Inactive ": "INACTIVE"},
    "instrument_display": {"XXXX4375": "4375", "4375": "4375", "•••• 4375": "4375"},
    "created_at": {
        "2023-11-01 10:00:00": "2023-11-01 04:30:00",
        "2023-11-01T10:00:00+05:30": "2023-11-01 04:30:00",
        "2023-11-01T10:00:00+0530": "2023-11-01 04:30:00",
        "2023-11-01T10:00:00Z": "2023-11-01 10:00:00",
        "2023-11-01T10:00:00.000+14:00": "2023-10-31 20:00:00",
        "2023-11-01T10:00:00-12:00": "2023-11-01 22:00:00",
    },
    "card_network": {"Master Card": "mastercard", "RUPAY": "rupay"},
    "card_bank_name": {" HDFC   Bank": "HDFC Bank", "(none)": "(none)", "(other)": "(other)"},
    "card_country": {"IN": "IN", "in": "IN", "IND": "IN", "India": "IN", " us ": "US", "NA": "NA"},
    "card_type": {"DEBIT_CARD": "debit", "Credit": "credit"},
    "card_sub_type": {"R": "retail", "premium": "premium"},
    "expiry_month": {"1": 1, "01": 1, " 12 ": 12},
    "expiry_year": {"00": 2000, "23": 2023, "99": 2099, "2028": 2028, " 28 ": 2028},
}
UNREAD = {
    "instrument_id": ["", "  "],
    "instrument_uid": ["", "\t"],
    "afa_reference": ["", " "],
    "par": ["", " "],
    "instrument_type": ["", " ", "upi", "cards"],
    "instrument_status": ["", " ", "BLOCKED", "ACTIVE!", "null"],
    "instrument_display": ["", "12", "123", "XXXX", "ABCD", "XXXX43", "XXXX437\uff15", "4375 "],
    "created_at": [
        *("", " ", "soon", "2023-02-30 10:00:00", "2023-11-01", "1698829200", "01/11/2023 10:00"),
        *(f"2023-11-01T10:00:00{offset}" for offset in (
            "+05:75", "+05:60", "+24:00", "+99:99", "+15:00", "-13:00", "-12:30", "+14:30",
            "+23:59", "IST", " IST", "+5:30", "+05:3", "+053", "+", "05:30", "+aa:bb", "ZZ",
        )),
        *(f"2023-11-01T10:00:00.000{offset}" for offset in ("+23:59", "-14:00", "+0575")),
        *("1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z"),
    ],
    "card_network": ["", " ", "unknown", "abacus", "N/A"],
    "card_bank_name": [
        *("", "  ", "N/A", "n/a", "NA", "N.A.", "#N/A", "null", "NULL", "<null>", "none", "None"),
        *("-", "--", "—", "?", "...", "()", "unknown", "UNKNOWN", "Not Available", "not known"),
        *("undefined", "NaN", "nil", "Unknown Bank"),
    ],
    "card_country": ["", " ", "USA", "ZZ", "Indien", "N/A", "356", "I N"],
    "card_type": ["", " ", "charge", "N/A"],
    "card_sub_type": ["", " ", "X", "gold"],
    "expiry_month": ["", " ", "0", "00", "13", "1.5", "MAY", "-1", "012", "\uff11"],
    "expiry_year": ["", " ", "026", "1999", "2100", "9", "20 28", "two", "\uff12\uff18"],
}  # fmt: skip
_META = {"card_network", "card_bank_name", "card_country", "card_type", "card_sub_type"}
_TOKEN = {"par", "expiry_month", "expiry_year"}
_COLUMN = {"card_bank_name": "card_bank", "instrument_display": "last_four"}


def rows_of(field, texts):
    """Flatten one card for each text of a field, all in one list: no card spoils its neighbours."""
    cards = []
    for place, text in enumerate(texts):
        token = {"expiry_month": "12", "expiry_year": "2028"}
        meta = {"card_bank_name": "HDFC BANK"}
        made = {"instrument_id": f"i{place}", "instrument_type": "card"}
        home = token if field in _TOKEN else meta if field in _META else made
        home[field] = text
        cards.append(made | {"instrument_meta": meta | {"card_token_details": token}})
    body = json.dumps(cards).encode()
    return flatten([ReceivedBody("c1", body, 1_700_000_000_000_000, "2025-01-01")])


def fields():
    """All fields that canonical columns are read from, by the columns as they are documented."""
    named = {column.name for column in INSTRUMENT_COLUMNS}
    ours = {"customer_id", "list_position", "fetched_at", "api_version", "anomalies", "extra"}
    derived = {"expires_on", "last_four"}
    canonical = {name for name in named if not name.endswith("_received")} - ours - derived
    return {"card_bank_name" if name == "card_bank" else name for name in canonical}


def test_every_column_is_tried():
    """The lists above leave no canonical column out."""
    assert set(UNREAD) == fields()


@pytest.mark.parametrize("field", UNREAD)
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
def test_what_cannot_be_read_is_null_and_named(field, together):
    """Every such text leaves its column null, adds an anomaly of it, and is counted."""
    column = _COLUMN.get(field, field)
    named = {"card_bank_name": "card_bank"}.get(field, field)
    batches = [UNREAD[field]] if together else [[text] for text in UNREAD[field]]
    for texts in batches:
        read = rows_of(field, texts)
        assert read.table[column].to_pylist() == [None] * len(texts)
        codes = [(code or "").split(";") for code in read.table["anomalies"].to_pylist()]
        for text, found in zip(texts, codes, strict=True):
            assert any(code.startswith(f"{named}:") for code in found), text
        counted = Counter(tuple(code.split(":")) for found in codes for code in found)
        assert read.anomalies == counted
        received = f"{column}_received"
        if received in read.table.column_names:
            assert read.table[received].to_pylist() == texts


@pytest.mark.parametrize("field", READ)
def test_what_can_be_read_is_read(field):
    """Every such text becomes its value, without an anomaly."""
    texts = list(READ[field])
    table = rows_of(field, texts).table
    values = table[_COLUMN.get(field, field)].to_pylist()
    if field == "created_at":
        values = [f"{value:%Y-%m-%d %H:%M:%S}" for value in values]
    assert dict(zip(texts, values, strict=True)) == READ[field]
    assert table["anomalies"].to_pylist() == [None] * len(texts)
