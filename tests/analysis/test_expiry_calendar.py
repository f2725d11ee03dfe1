"""Cards by month of expiry, against counts made card by card in Python."""

from collections import Counter, defaultdict
from datetime import date

import pytest
from analysis_cases import card, table_of
from expiry_cases import DAYS, VAULTS, cards_in, table_from
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.expiry import expiry_calendar
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.errors import UsageError

NAMES = load_bank_names()
VALUES = {
    "card_network": lambda row: row["card_network"],
    "instrument_status": lambda row: row["instrument_status"],
    "bank": lambda row: NAMES.canonical(row["card_bank_name"]),
}


@settings(max_examples=15, deadline=None)
@given(
    VAULTS,
    DAYS,
    st.integers(1, 30),
    st.lists(st.sampled_from(sorted(VALUES)), unique=True, max_size=3),
)
def test_the_calendar_counts_every_card_of_its_months(vault, day, months, by):
    """Every combination of month and columns has its cards, ACTIVE cards and customers."""
    table = expiry_calendar(table_from(vault), by, months=months, as_of=day, banks=NAMES)
    wanted = [(day.year * 12 + day.month - 1 + at) for at in range(months)]
    labels = [f"{number // 12}-{number % 12 + 1:02d}" for number in wanted]
    cards, active, customers = Counter(), Counter(), defaultdict(set)
    outside = unknown = 0
    for customer, _, row, last in cards_in(vault):
        month = None if last is None else f"{last:%Y-%m}"
        if month not in labels:
            outside += month is not None
            unknown += month is None
            continue
        key = (month, *(VALUES[name](row) for name in by))
        cards[key] += 1
        active[key] += row["instrument_status"] == "ACTIVE"
        customers[key].add(customer)
    rows = table.arrow().to_pylist()
    found = {(row["expiry"], *(row[name] for name in by)): row for row in rows}
    assert len(found) == len(rows)
    assert {key: row["cards"] for key, row in found.items()} == dict(cards)
    assert {key: row["active_cards"] for key, row in found.items()} == dict(active)
    assert {k: row["customers"] for k, row in found.items()} == {
        k: len(members) for k, members in customers.items()
    }
    assert f"{unknown:,} of unknown expiry" in " ".join(table.notes)
    assert sum(cards.values()) + outside + unknown == len(cards_in(vault))
    order = [(row["expiry"], -row["cards"]) for row in rows]
    assert order == sorted(order)


def test_the_month_of_the_day_comes_first():
    """On the last day of a month its cards are still in the calendar, on the next no more."""
    table = table_of({"c": [card(expires="2026-11"), card("j", expires="2027-10")]})
    on_the_last_day = expiry_calendar(table, (), as_of=date(2026, 11, 30))
    assert on_the_last_day["expiry"].to_list() == ["2026-11", "2027-10"]
    assert expiry_calendar(table, (), as_of=date(2026, 12, 1))["expiry"].to_list() == ["2027-10"]


def test_one_column_may_be_named_alone():
    """A name stands for a list of one."""
    table = expiry_calendar(table_of({"c": [card(expires="2026-12")]}), "bank", as_of="2026-11-22")
    assert list(table.columns) == ["expiry", "bank", "cards", "active_cards", "customers"]
    assert table.title == "1 card expires in 2026-11 to 2027-10"


def test_without_cards_the_calendar_is_empty():
    """An empty vault gives an empty calendar with all columns."""
    table = expiry_calendar(INSTRUMENTS.empty_table(), as_of="2026-11-22")
    assert len(table) == 0
    assert list(table.columns)[:3] == ["expiry", "card_network", "bank"]


@pytest.mark.parametrize("months", [0, -1, 1.5, True, "12", 1201])
def test_months_are_a_number_of_months(months):
    """A calendar has 1 to 1,200 months."""
    with pytest.raises(UsageError, match="number of months"):
        expiry_calendar(INSTRUMENTS.empty_table(), months=months)


def test_columns_that_are_none_are_refused():
    """A calendar by ids, by no such column, or twice by one is refused, with a hint."""
    for by in ("customer_id", 'bank" --', 7):
        with pytest.raises(UsageError, match="nothing was counted"):
            expiry_calendar(INSTRUMENTS.empty_table(), [by])
    with pytest.raises(UsageError, match="did you mean card_network"):
        expiry_calendar(INSTRUMENTS.empty_table(), "card_networks")
    with pytest.raises(UsageError, match="twice"):
        expiry_calendar(INSTRUMENTS.empty_table(), ["bank", "bank"])
