"""An exploration: bars that add up, filters as data, and a comparison under the same filters."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date

import pyarrow as pa
import pytest

from tokenvault_data.analysis.cards.rows import SelectedRows
from tokenvault_data.analysis.filters.filters import predicate_from_dict
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.errors import UsageError
from tokenvault_data.widgets.explore.state import Exploration

TODAY = date(2026, 11, 27)


def cards(*rows):
    """A table of cards: network, bank as spelled, last day."""
    names = ["customer_id", "card_network", "card_bank", "card_type", "card_country"]
    names += ["instrument_status", "expires_on"]
    schema = pa.schema([INSTRUMENTS.field(name) for name in names])
    return pa.Table.from_pylist(
        [
            {
                "customer_id": f"c{number}",
                "card_network": network,
                "card_bank": bank,
                "card_type": "debit",
                "card_country": "IN",
                "instrument_status": "ACTIVE",
                "expires_on": last,
            }
            for number, (network, bank, last) in enumerate(rows)
        ],
        schema,
    )


VAULT = cards(
    ("visa", "HDFC BANK", date(2026, 12, 31)),
    ("visa", "HDFC Bank Limited", date(2027, 2, 28)),
    ("visa", "AXIS BANK", date(2027, 2, 28)),
    ("rupay", "AXIS BANK", date(2015, 1, 31)),
    ("rupay", None, date(2099, 12, 31)),
    (None, "AXIS BANK", None),
)


def labelled(shown, name):
    return {bar.label: n for bar, n in zip(shown.bars[name], shown.counts()[name], strict=True)}


def place(shown, name, label):
    return [bar.label for bar in shown.bars[name]].index(label)


def test_bars_are_named_and_ordered():
    """Most cards first, spellings of a bank together, missing last and said."""
    shown = Exploration(VAULT, as_of=TODAY)
    assert labelled(shown, "card_network") == {"Visa": 3, "RuPay": 2, "not known": 1}
    assert list(labelled(shown, "bank").values()) == [3, 2, 1]
    assert [bar.label for bar in shown.bars["bank"]][-1] == "not known"
    assert labelled(shown, "card_type") == {"Debit": 6}
    assert (shown.total, shown.cards, shown.filters, shown.conditions) == (6, 6, {}, [])


def test_months_have_a_bar_each_and_the_ends_of_time_one():
    """Between the first and the last month near today none is left out; far ones share a bar."""
    shown = Exploration(VAULT, as_of=TODAY)
    assert labelled(shown, "expiry") == {
        "Jan 2015 and before": 1,
        "Dec 2026": 1,
        "Jan 2027": 0,
        "Feb 2027": 2,
        "Dec 2099 and after": 1,
        "not known": 1,
    }
    assert [bar.is_past for bar in shown.bars["expiry"]] == [True, *[False] * 5]


def test_choosing_bars_filters_all_others():
    """Bars of the filtered dimension keep their counts; every other counts what is left."""
    shown = Exploration(VAULT, as_of=TODAY)
    shown.choose("card_network", [place(shown, "card_network", "RuPay")])
    assert shown.total == 2
    assert labelled(shown, "card_network") == {"Visa": 3, "RuPay": 2, "not known": 1}
    assert sum(labelled(shown, "bank").values()) == 2
    assert shown.chosen("card_network") == [1]
    assert shown.filters == {"card_network": ["rupay"]}
    shown.choose("card_network", [])
    assert (shown.total, shown.filters) == (6, {})


def test_months_in_a_row_become_a_range():
    """A stretch is a range with open ends where the far bars are chosen; others are a list."""
    shown = Exploration(VAULT, as_of=TODAY)
    shown.choose("expiry", [1, 2, 3])
    assert shown.filters["expiry"] == {"from": "2026-12", "through": "2027-02"}
    assert shown.conditions == ["expires_on>=2026-12-01", "expires_on<=2027-02-28"]
    assert (shown.total, shown.chosen("expiry")) == (3, [1, 2, 3])
    shown.choose("expiry", [3, 4])
    assert shown.filters["expiry"] == {"from": "2027-02", "through": None}
    assert (shown.total, shown.chosen("expiry")) == (3, [3, 4])
    shown.choose("expiry", [0, 1])
    assert shown.filters["expiry"] == {"from": None, "through": "2026-12"}
    assert (shown.total, shown.chosen("expiry")) == (2, [0, 1])
    shown.choose("expiry", [1, 5])
    assert shown.filters["expiry"] == ["2026-12", None]
    assert (shown.total, shown.chosen("expiry")) == (2, [1, 5])


def test_filters_are_plain_data_that_make_the_same_again():
    """What an exploration gives as its filters survives JSON and filters another one alike."""
    shown = Exploration(VAULT, as_of=TODAY)
    shown.choose("card_network", [0, 2])
    shown.choose("expiry", [1, 2, 3])
    kept = json.loads(json.dumps(shown.filters))
    again = Exploration(VAULT, as_of=TODAY, filters=kept)
    assert again.filters == shown.filters
    assert again.counts() == shown.counts()
    assert predicate_from_dict(again.predicate.to_dict()) == shown.predicate


def test_the_filter_selects_the_rows_that_are_counted(snapshot):
    """On a collected vault the figure is the number of rows that the condition selects."""
    shown = Exploration(snapshot)
    shown.choose("card_network", [0])
    shown.choose("bank", [0, 1, 3])
    shown.choose("expiry", list(range(10, 60)))
    rows = pa.table(SelectedRows(snapshot, shown.predicate, columns=["customer_id", "bank"]))
    assert 0 < shown.total == rows.num_rows < shown.cards
    assert shown.customers_counter()() == len(set(rows["customer_id"].to_pylist()))
    left = Counter(rows["bank"].to_pylist())
    counts = shown.counts()["bank"]
    found = {shown.bars["bank"][at].values[0]: counts[at] for at in (0, 1, 3)}
    assert found == dict(left)


def test_another_snapshot_is_counted_under_the_same_filters():
    """Bars of both stand side by side by value, those that only one has too."""
    before = cards(("visa", "HDFC BANK", date(2026, 12, 31)), ("amex", "CITI", date(2027, 1, 31)))
    shown = Exploration(VAULT, against=before, as_of=TODAY)
    assert labelled(shown, "card_network") == {
        "Visa": 3,
        "RuPay": 2,
        "American Express": 0,
        "not known": 1,
    }
    assert shown.counts_before()["card_network"] == [1, 0, 1, 0]
    shown.choose("card_network", [place(shown, "card_network", "Visa")])
    assert (shown.total, shown.total_before) == (3, 1)
    shown.compare_with(None)
    assert (shown.total, shown.total_before) == (3, None)
    assert shown.filters == {"card_network": ["visa"]}
    assert shown.counts_before()["card_network"] == []


@pytest.mark.parametrize(
    "filters",
    [
        {"colour": ["red"]},
        {"expiry": {"from": "2027-01"}},
        {"expiry": {"from": "2027-02", "through": "2027-01"}},
        {"card_network": "visa"},
    ],
)
def test_a_filter_that_is_none_is_refused(filters):
    """A misspelled dimension, half a range, a range back to front, a bare text."""
    with pytest.raises(UsageError):
        Exploration(VAULT, filters=filters)


def test_a_vault_without_cards_has_no_bars():
    """Nothing saved is shown as nothing, not as an error."""
    shown = Exploration(cards(), as_of=TODAY)
    assert (shown.total, shown.cards) == (0, 0)
    assert all(bars == [] for bars in shown.bars.values())
