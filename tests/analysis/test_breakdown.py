from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from analysis_cases import card, publish, table_of
from cube_cases import (
    AS_OF,
    BANKS,
    conditions,
    counted,
    dimensions,
    rows_of_cards,
    table_of_rows,
    value_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.breakdown import breakdown
from tokenvault_data.analysis.cube.cube import cube_of
from tokenvault_data.analysis.filters.filters import where
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.labels import OTHER
from tokenvault_data.errors import UsageError

_TIME = ("expiry", "expires_on", "expires_in", "expiry_year", "expiry_month")
_BUCKETS = ("expired", "0-30 days", "31-60 days", "61-90 days", "later")
_VAULT = {
    "c0": [card("i0"), card("i1", card_network="amex"), card("i2", expires="2026-12")],
    "c1": [card("i3", card_network="rupay", expires="2026-10"), card("i4", expiry_year=None)],
    "c2": [card("i5", card_network=None)],
}


def _rank(values):
    """Sort values as a reader expects them: missing last, buckets by time."""
    return tuple(
        (value is None, _BUCKETS.index(value) if value in _BUCKETS else value) for value in values
    )


def _expected(rows, by, top):
    """Break down by counting rows: keys with cards and customers, in order, others merged."""
    groups = counted(rows, by)
    largest = sorted(groups, key=lambda key: (-groups[key][0], _rank(key)))
    kept = largest[:top]
    if len(by) == 1 and by[0] in _TIME:
        kept = sorted(kept, key=_rank)
    found = [(key, *groups[key]) for key in kept]
    others = [row for row in rows if tuple(value_of(row, name) for name in by) not in set(kept)]
    if others:
        found.append(((OTHER,) * len(by), len(others), len({r["customer_id"] for r in others})))
    return found


@settings(deadline=None, max_examples=60)
@given(
    rows_of_cards(),
    dimensions().filter(bool),
    st.none() | conditions(),
    st.none() | st.integers(1, 4),
)
def test_breakdown_is_that_of_the_rows(rows, by, condition, top):
    """Rows, their order, shares, the other row and the sum of cards are those of the rows."""
    predicate, plain = (None, lambda _: True) if condition is None else condition
    found = breakdown(
        table_of_rows(rows), by, where=predicate, top=top, as_of=AS_OF, banks=BANKS
    ).arrow()
    passing = [row for row in rows if plain(row) is True]
    expected = _expected(passing, by, top)
    if top is not None:
        expected = [
            (tuple(None if value is None else str(value) for value in key), cards, customers)
            for key, cards, customers in expected
        ]
    assert found.column_names == [*by, "cards", "customers", "share"]
    assert [
        (tuple(row[name] for name in by), row["cards"], row["customers"])
        for row in found.to_pylist()
    ] == expected
    assert sum(found["cards"].to_pylist()) == len(passing)
    assert sum(found["share"].to_pylist()) == pytest.approx(1 if passing else 0)


def test_screen():
    """On a screen the finding stands first, missing is a dash, and notes say what was counted."""
    lines = repr(breakdown(table_of(_VAULT), "card_network")).splitlines()
    assert lines == [
        "visa leads with 50% of 6 cards",
        "card_network  cards  customers  share",
        "visa              3          2  50.0%",
        "amex              1          1  16.7%",
        "rupay             1          1  16.7%",
        "-                 1          1  16.7%",
        "4 rows",
        "6 cards of 3 customers in all.",
        "1 card has no card_network.",
        "A customer counts in each row that holds a card of theirs.",
    ]


def test_missing_is_null_in_the_data():
    """A missing value is null, not text, also among the top."""
    table = table_of(_VAULT)
    for top in (None, 9):
        found = breakdown(table, "card_network", top=top)
        assert found["card_network"].isna().tolist() == [False, False, False, True]
        assert isinstance(found, pd.DataFrame)


def test_other_is_counted_exactly():
    """Who has cards in several of the groups beyond the top counts once in (other)."""
    found = breakdown(table_of(_VAULT), ["card_network", "expiry_year"], top=1)
    assert found.to_dict("records") == [
        {
            "card_network": "amex",
            "expiry_year": "2028",
            "cards": 1,
            "customers": 1,
            "share": pytest.approx(1 / 6),
        },
        {
            "card_network": OTHER,
            "expiry_year": OTHER,
            "cards": 5,
            "customers": 3,
            "share": pytest.approx(5 / 6),
        },
    ]


def test_top_of_fewer_groups_has_no_other_row():
    """Where all groups are shown there is no row for the others."""
    found = breakdown(table_of(_VAULT), "card_network", top=4)
    assert found["card_network"].dropna().tolist() == ["visa", "amex", "rupay"]
    assert found["cards"].sum() == 6


@pytest.mark.parametrize(
    "condition",
    [
        where(card_network="visa", card_type="debit"),
        {
            "all": [
                {"column": "card_network", "in": ["visa"]},
                {"column": "card_type", "in": ["debit"]},
            ]
        },
        ["card_network=visa", "card_type=debit"],
    ],
)
def test_forms_of_conditions(condition):
    """A condition, its dictionary and what is typed for it give the same answer."""
    found = breakdown(table_of(_VAULT), "card_network", where=condition)
    assert found["cards"].tolist() == [3]
    sentence = "network is visa and card type is debit"
    assert found.notes[1] == f"Only cards of which this holds: {sentence}."
    assert breakdown(table_of(_VAULT), "expiry", where="card_network=visa")["cards"].sum() == 3


def test_sources(tmp_path):
    """A snapshot, its rows as a table or a frame, and a cube give the same answer."""
    snapshot = publish(tmp_path, _VAULT)
    sources = (snapshot, snapshot.to_arrow(), snapshot.to_pandas(), cube_of(snapshot))
    first, *others = [breakdown(s, ["bank", "expires_in"], as_of="2026-11-22") for s in sources]
    for other in others:
        pd.testing.assert_frame_equal(pd.DataFrame(other), pd.DataFrame(first))
        assert (other.title, other.notes) == (first.title, first.notes)


def test_as_of():
    """The day decides the bucket: a card is valid through the last day of its month."""
    table = table_of({"c0": [card("i0", expires="2028-02")]})
    for as_of, bucket in (
        (date(2028, 2, 29), "0-30 days"),
        ("2028-03-01", "expired"),
        ("2027-01-01", "later"),
    ):
        assert breakdown(table, "expires_in", as_of=as_of)["expires_in"].tolist() == [bucket]
        found = breakdown(table, "bank", where=where(expires_in=bucket), as_of=as_of)
        assert found["cards"].tolist() == [1]


def test_own_bank_names(tmp_path):
    """Names of banks of one's own are used, in conditions as well."""
    names = tmp_path / "names.csv"
    names.write_text("spelling,bank,note\nHDFC BANK,The Bank,\n")
    banks = load_bank_names(names)
    found = breakdown(table_of(_VAULT), "bank", banks=banks, where=where(bank="The Bank"))
    assert found["bank"].tolist() == ["The Bank"]


@pytest.mark.parametrize("by", ["card_network", ["expires_in", "bank"]])
def test_nothing_to_break_down(tmp_path, by):
    """An empty snapshot has a breakdown without rows."""
    for top in (None, 2):
        found = breakdown(publish(tmp_path, {"c0": []}), by, top=top)
        assert len(found) == 0
        assert found.title == "There are no cards"
        assert repr(found)


@pytest.mark.parametrize(
    ("by", "settings_", "reason"),
    [
        ([], {}, "name one"),
        ("card_networks", {}, "did you mean card_network"),
        ("customer_id", {}, "not a column that cards are counted by"),
        (["bank", "bank"], {}, "twice"),
        ("bank", {"top": 0}, "1 or more"),
        ("bank", {"where": {"column": "bank"}}, "condition"),
        ("bank", {"where": "last_four=1234"}, "last_four"),
        ("bank", {"as_of": "someday"}, "YYYY-MM-DD"),
    ],
)
def test_refusals(by, settings_, reason):
    """What cannot be counted is refused with the reason."""
    with pytest.raises(UsageError, match=reason):
        breakdown(table_of(_VAULT), by, **settings_)
