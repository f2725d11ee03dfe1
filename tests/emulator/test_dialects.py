"""Four versions of the API write one card in four ways."""

from __future__ import annotations

import json

import pytest

from tokenvault_data.emulator.dialects import API_VERSIONS, DIALECTS, SavedCard, instrument_json

CARD = SavedCard(
    "cust_0000001", "54deabb4-ba45-4a60-9e6a-9c016fe7ab10", "740324562", "0d" * 32, "4375",
    "visa", 'The "A & B" Bank', "IN", "debit", "R", "V001PAR", 2028, 5, 1_636_630_077, "ACTIVE",
    None, None,
)  # fmt: skip

EXPECTED = {
    "2022-09-01": ("VISA", "DEBIT_CARD", "2021-11-11 16:57:57", "28", "05", "xxxxxxxxxxxx4375"),
    "2023-08-01": (
        "VISA", "debit_card", "2021-11-11T16:57:57+05:30", "28", "5", "XXXXXXXXXXXX4375",
    ),
    "2025-01-01": (
        "visa", "debit_card", "2021-11-11T11:27:57.000+00:00", "2028", "05", "XXXXXXXXXXXX4375",
    ),
    "2026-01-01": ("visa", "debit_card", "2021-11-11T11:27:57.000+00:00", "2028", "5", "4375"),
}  # fmt: skip


def facts(instrument):
    meta = instrument["instrument_meta"]
    token = meta["card_token_details"]
    return (
        meta["card_network"], meta["card_type"], instrument["created_at"],
        token["expiry_year"], token["expiry_month"], instrument["instrument_display"],
    )  # fmt: skip


@pytest.mark.parametrize("version", API_VERSIONS)
def test_each_version_has_its_own_letter_case_dates_and_years(version):
    """The documented forms: the same second and the same month in four spellings."""
    assert facts(json.loads(instrument_json(CARD, version))) == EXPECTED[version]


@pytest.mark.parametrize("version", API_VERSIONS)
def test_names_and_ids_are_handed_on_as_they_are(version):
    """Bank names and ids keep their spelling in every version, quotes and all."""
    instrument = json.loads(instrument_json(CARD, version))
    assert instrument["instrument_meta"]["card_bank_name"] == 'The "A & B" Bank'
    assert instrument["instrument_id"] == CARD.instrument_id
    assert instrument["instrument_uid"] == "0d" * 32
    assert instrument["afa_reference"] == "740324562"
    assert instrument["instrument_meta"]["card_token_details"]["par"] == "V001PAR"


def test_only_the_newer_versions_have_a_sub_type():
    """`card_sub_type` is a field of 2025-01-01 and later, and absent before, not null."""
    having = {
        version
        for version in API_VERSIONS
        if "card_sub_type" in json.loads(instrument_json(CARD, version))["instrument_meta"]
    }
    assert having == {"2025-01-01", "2026-01-01"}


def test_a_row_kept_in_another_dialect_stays_in_it():
    """A vault answers with rows written under several versions, whatever version is asked for."""
    kept = CARD._replace(kept_in="2022-09-01")
    assert instrument_json(kept, "2026-01-01") == instrument_json(CARD, "2022-09-01")


def test_only_the_oldest_version_shows_a_deleted_instrument_as_active():
    """What a delete answers differs by version."""
    shown = {version: dialect.status_after_delete for version, dialect in DIALECTS.items()}
    assert shown.pop("2022-09-01") == "ACTIVE"
    assert set(shown.values()) == {"INACTIVE"}


@pytest.mark.parametrize(
    ("network", "display"), [("amex", "xxxxxxxxxxx4375"), ("diners", "xxxxxxxxxx4375")]
)
def test_shorter_numbers_have_fewer_hidden_digits(network, display):
    """American Express and Diners Club numbers have 15 and 14 digits."""
    card = CARD._replace(network=network)
    assert json.loads(instrument_json(card, "2022-09-01"))["instrument_display"] == display


@pytest.mark.parametrize(
    ("flaw", "path"),
    [
        ("null instrument_meta", ("instrument_meta",)),
        ("null card_token_details", ("instrument_meta", "card_token_details")),
        ("without created_at", ("created_at",)),
        ("without card_bank_name", ("instrument_meta", "card_bank_name")),
        ("without par", ("instrument_meta", "card_token_details", "par")),
    ],
)
def test_a_flaw_nulls_or_drops_one_field_and_nothing_else(flaw, path):
    """A flawed row differs from the whole one in the named field only."""
    whole = json.loads(instrument_json(CARD, "2025-01-01"))
    flawed = json.loads(instrument_json(CARD._replace(flaw=flaw), "2025-01-01"))
    for holder in path[:-1]:
        assert {**whole, holder: None} == {**flawed, holder: None}
        whole, flawed = whole[holder], flawed[holder]
    expected = {**whole, path[-1]: None}
    if flaw.startswith("without"):
        del expected[path[-1]]
    assert flawed == expected
