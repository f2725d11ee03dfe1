from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from analysis_cases import card, table_of
from cube_cases import AS_OF, BANKS, POOLS, rows_of_cards, table_of_rows, value_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.breakdown import breakdown
from tokenvault_data.analysis.cube.crossfilter import DEFAULT_DIMENSIONS, CrossFilter
from tokenvault_data.analysis.cube.cube import cube_of
from tokenvault_data.analysis.filters.filters import All, IsIn
from tokenvault_data.errors import UsageError

_MONTHS = ("2026-01", "2026-11", "2026-12", "2027-02", "2028-01", "2031-01", None)


def _values(name):
    if name == "expiry":
        return list(_MONTHS)
    if name == "bank":
        return [BANKS.canonical(bank) for bank in POOLS["card_bank"]]
    if name == "expires_in":
        return ["expired", "0-30 days", "31-60 days", "later", None]
    return POOLS[name]


def _change(name):
    values = st.none() | st.lists(st.sampled_from(_values(name)), max_size=3)
    if name == "expiry":
        ends = st.tuples(st.sampled_from(_MONTHS), st.sampled_from(_MONTHS))
        values |= ends.filter(lambda e: None in e or e[0] <= e[1])
    return st.tuples(st.just(name), values)


def _passes(row, name, wanted):
    value = value_of(row, name)
    if isinstance(wanted, tuple):
        first, last = wanted
        return value is not None and (first or "") <= value <= (last or "9999")
    return value in wanted


@settings(deadline=None, max_examples=40)
@given(
    rows_of_cards(),
    st.lists(
        st.sampled_from([*DEFAULT_DIMENSIONS, "expires_in", "card_bank"]),
        min_size=1,
        max_size=6,
        unique=True,
    ),
    st.data(),
)
def test_bars_are_those_of_the_rows(rows, names, data):
    """After every change each bar counts the rows that pass the filters of the other dimensions.

    After the last change also against a breakdown of the rows that the other filters leave.
    """
    cube = cube_of(table_of_rows(rows))
    bars = CrossFilter(cube, names, as_of=AS_OF)
    filters, active, found = {}, {}, bars.counts()
    for name, wanted in data.draw(st.lists(st.sampled_from(names).flatmap(_change), max_size=8)):
        bars.set(name, wanted)
        filters[name] = wanted
        active = {other: chosen for other, chosen in filters.items() if chosen is not None}
        found = bars.counts()
        for bar, (values, counts) in found.items():
            left = [
                row
                for row in rows
                if all(_passes(row, other, f) for other, f in active.items() if other != bar)
            ]
            expected = {value_of(row, bar): 0 for row in rows}
            for row in left:
                expected[value_of(row, bar)] += 1
            assert dict(zip(values, counts.tolist(), strict=True)) == expected
            assert values == cube.values(bar, as_of=AS_OF)
        passing = [r for r in rows if all(_passes(r, other, f) for other, f in active.items())]
        assert bars.total == len(passing)
        together = cube.counts([], bars.predicate(), as_of=AS_OF, banks=BANKS)
        assert together["cards"].to_pylist() == [len(passing)]
    for bar, (values, counts) in found.items():
        others = CrossFilter(cube, names, as_of=AS_OF, banks=BANKS)
        for other, chosen in active.items():
            if other != bar:
                others.set(other, chosen)
        table = breakdown(cube, bar, where=others.predicate(), as_of=AS_OF, banks=BANKS).arrow()
        cards = dict(zip(table[bar].to_pylist(), table["cards"].to_pylist(), strict=True))
        assert {v: n for v, n in zip(values, counts.tolist(), strict=True) if n} == cards


def _bars():
    vault = {
        "c0": [card("i0", expires="2026-12"), card("i1", expires="2027-02", card_network="amex")],
        "c1": [card("i2", expires="2027-04"), card("i3", expiry_month=None)],
    }
    return CrossFilter(cube_of(table_of(vault)))


def test_unknown_expiry_lies_in_no_range():
    """A range of months, also one open at both ends, leaves out what never said when it expires."""
    bars = _bars()
    for ends, expected in (
        ((None, None), 3),
        (("2027-01", None), 2),
        ((None, "2026-12"), 1),
        (("2027-01", "2027-03"), 1),
    ):
        bars.set("expiry", ends)
        assert bars.total == expected
    bars.set("expiry", [None])
    assert bars.total == 1


def test_own_filter_is_not_its_own():
    """A dimension's bars stay whole under its own filter, and are what they were afterwards."""
    bars = _bars()
    before = bars.counts()
    bars.set("card_network", ["amex"])
    values, counts = bars.counts()["card_network"]
    assert (values, counts.tolist()) == (["amex", "visa"], [1, 3])
    assert bars.counts()["expiry"][1].tolist() == [0, 1, 0, 0]
    bars.set("card_network", None)
    after = bars.counts()
    assert all(np.array_equal(before[name][1], after[name][1]) for name in before)


def test_empty_list_lets_nothing_pass():
    """No value chosen is not the same as no filter."""
    bars = _bars()
    bars.set("card_type", [])
    assert bars.total == 0
    assert bars.counts()["card_type"][1].tolist() == [4]
    assert bars.counts()["expiry"][1].sum() == 0


def test_bars_belong_to_the_caller():
    """What is done to the arrays that were given out does not change later answers."""
    bars = _bars()
    for _, counts in bars.counts().values():
        counts[:] = -1
    assert all(counts.min() >= 0 for _, counts in bars.counts().values())


def test_predicate_names_columns_of_rows():
    """All filters together are one condition; months become days of `expires_on`."""
    bars = _bars()
    assert bars.predicate() == All(())
    bars.set("expiry", ("2026-12", "2027-02"))
    bars.set("card_network", ["visa", None])
    predicate = bars.predicate()
    assert predicate.columns == {"expires_on", "card_network"}
    assert predicate.holds_for({"expires_on": date(2027, 2, 28), "card_network": None})
    assert not predicate.holds_for({"expires_on": date(2027, 3, 1), "card_network": "visa"})
    bars.set("expiry", None)
    assert bars.predicate() == All((IsIn("card_network", (None, "visa")),))


def test_refusals():
    """Bars that are not there, filters that are none, and columns named twice are refused."""
    bars = _bars()
    for name, wanted, reason in (
        ("card_bank", ["x"], "no bars of 'card_bank'"),
        ("card_network", "visa", "list of values"),
        ("expiry", ("2027-02", "2027-01"), "behind its end"),
    ):
        with pytest.raises(UsageError, match=reason):
            bars.set(name, wanted)
    assert bars.total == 4
    cube = cube_of(table_of({"c0": [card()]}))
    with pytest.raises(UsageError, match="twice"):
        CrossFilter(cube, ["bank", "bank"])
    with pytest.raises(UsageError, match="card_banks"):
        CrossFilter(cube, ["card_banks"])


def test_of_nothing():
    """A cube without cards has bars without values."""
    bars = CrossFilter(cube_of(table_of({})))
    bars.set("card_network", ["visa"])
    bars.set("expiry", ("2026-01", "2026-12"))
    assert all(values == [] and len(counts) == 0 for values, counts in bars.counts().values())
    assert bars.total == 0
    assert bars.dimensions == DEFAULT_DIMENSIONS
