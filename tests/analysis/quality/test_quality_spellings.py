"""How banks are spelled, and which of it nobody has looked at."""

import pytest
from analysis_cases import NOW, card, table_of

from tokenvault_data.analysis.quality.quality import quality, quality_rows
from tokenvault_data.dataset.bank_names import load_bank_names

NAMES = load_bank_names()


def table_with(spellings):
    """A table of cards, so many of each spelling."""
    cards = [
        card(f"i{n}", card_bank_name=s) for s, count in spellings.items() for n in range(count)
    ]
    return table_of({"c0": cards})


def row_of(table, check):
    found = quality(table, as_of=NOW)
    (row,) = found[found["check"] == check].to_dict("records")
    return row


def test_spellings_of_the_table_of_banks_are_counted_and_pass():
    """Several spellings of a known bank are named with their bank, and are no fault."""
    table = table_with({"HDFC BANK": 3, "HDFC Bank Limited": 2, "AXIS BANK": 4, None: 1})
    row = row_of(table, "bank_spellings")
    assert (row["verdict"], row["rows"]) == ("pass", 2)
    assert row["share"] == pytest.approx(5 / 9)
    assert NAMES.canonical("HDFC BANK") in row["finding"]
    listed = quality_rows(table, "bank_spellings").arrow().to_pylist()
    assert [(r["card_bank"], r["cards"]) for r in listed] == [
        ("HDFC BANK", 3),
        ("HDFC Bank Limited", 2),
    ]
    assert {r["bank"] for r in listed} == {NAMES.canonical("HDFC BANK")}
    assert row_of(table, "bank_unlisted")["verdict"] == "pass"


def test_spellings_joined_by_rule_ask_to_be_looked_at():
    """Spellings of an unknown bank that became one by rule warn, with the reason beside each."""
    table = table_with({"Zanzibar Trading Bank": 1, "ZANZIBAR TRADING BANK LTD": 2, "AXIS BANK": 1})
    assert NAMES.canonical("Zanzibar Trading Bank") == NAMES.canonical("ZANZIBAR TRADING BANK LTD")
    assert row_of(table, "bank_spellings")["verdict"] == "warn"
    unlisted = row_of(table, "bank_unlisted")
    assert (unlisted["verdict"], unlisted["rows"]) == ("warn", 2)
    assert unlisted["share"] == pytest.approx(3 / 4)
    listed = quality_rows(table, "bank_unlisted")
    assert set(listed["card_bank"]) == {"Zanzibar Trading Bank", "ZANZIBAR TRADING BANK LTD"}
    assert "table" not in set(listed["reason"])


def test_without_a_bank_nothing_can_be_told():
    """Where no card has a bank there is nothing to judge."""
    table = table_with({None: 2})
    assert row_of(table, "bank_spellings")["verdict"] == "unknown"
    assert row_of(table, "bank_unlisted")["verdict"] == "unknown"
