import json

import pytest
from dataset_cases import card

from tokenvault_data.dataset.flattening.one_record import BodyUnreadable, read_body


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b'[{"instrument_id": "a"}', "not JSON"),
        (b"[NaN", "not JSON"),
        (b"[1,]", "not JSON"),
        (b"true", "neither a list nor an object"),
        (b'"cards"', "neither a list nor an object"),
        (b"{}", "no id of an instrument"),
        (b'{"message": "no", "code": "x"}', "no id of an instrument"),
        (b'{"data": {"instrument": {}}}', "not a list"),
        (b'{"customer_id": "c", "card_type": "debit"}', "no id of an instrument"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_bodies_that_hold_no_instruments(body, why):
    """A body that is no list of instruments is refused with a reason that quotes nothing of it."""
    with pytest.raises(BodyUnreadable, match=why):
        read_body(body)


@pytest.mark.parametrize("wrapped", [[card()], {"data": [card()], "cursor": "x"}, card()])
def test_three_shapes(wrapped):
    """An array, a cursor envelope and a single instrument hold the same record."""
    (record,) = read_body(json.dumps(wrapped).encode())
    assert record.values["par"] == "somepar"
    assert (record.issues, record.extra) == (set(), None)


def test_unknown_fields_keep_place_and_digits():
    """Fields without a column are kept nested as sent, numbers digit by digit."""
    text = (
        b'[{"a": 1.10, "n": 12345678901234567890123, "e": 1e999, "none": null,'
        b' "instrument_meta": {"b": "\xe2\x82\xac", "card_token_details": {"c": [{}]}}}]'
    )
    (record,) = read_body(text)
    assert record.extra == (
        '{"a":1.10,"n":12345678901234567890123,"e":1e999,'
        '"instrument_meta":{"b":"€","card_token_details":{"c":[{}]}}}'
    )


def test_secrets_are_removed_wherever_they_are():
    """Payment-capable fields never reach a table, however deep they hide."""
    (record,) = read_body(b'[{"x": [{"Cryptogram": "AQBB", "card_number": 4111}], "cvv": null}]')
    assert record.extra == '{"x":[{"Cryptogram":"[removed]","card_number":"[removed]"}]}'
    assert record.issues == {"extra:secret"}


def test_text_that_is_no_unicode_is_mended_and_named():
    """Bytes that are not UTF-8 and half surrogate pairs cost a character, not the record."""
    (record,) = read_body(b'[{"instrument_id": "a\xff", "afa_reference": "\\ud800b"}]')
    assert record.values == {"instrument_id": "a\ufffd", "afa_reference": "\ufffdb"}
    assert record.issues == {"instrument_id:encoding", "afa_reference:encoding"}


def test_a_repeated_key_is_named():
    """JSON with one key twice is read, last value wins, and the row says so."""
    (record,) = read_body(b'[{"instrument_id": "a", "instrument_id": "b"}]')
    assert record.values == {"instrument_id": "b"}
    assert record.issues == {"instrument:repeated_key"}


def test_deep_nonsense_costs_only_itself():
    """An unknown field nested beyond reading loses its text; the record stays."""
    depth = 400
    (record,) = read_body(b'[{"instrument_id": "a", "z": ' + b"[" * depth + b"]" * depth + b"}]")
    assert record.values == {"instrument_id": "a"}
    assert record.extra is not None or record.issues == {"extra:unreadable"}
