from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from analysis_cases import card, publish, table_of
from cube_cases import (
    AS_OF,
    BANKS,
    as_dict,
    conditions,
    counted,
    dimensions,
    rows_of_cards,
    table_of_rows,
)
from hypothesis import given, settings

from tokenvault_data.analysis.cube.cells import cube_folder
from tokenvault_data.analysis.cube.cube import cube_of
from tokenvault_data.analysis.filters.filters import All, AnyOf, where
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.errors import UsageError


@settings(deadline=None, max_examples=80)
@given(rows_of_cards(), dimensions(), conditions())
def test_counts_are_those_of_the_rows(rows, by, condition):
    """Cards and distinct customers by any columns under any condition are those of the rows."""
    predicate, plain = condition
    cube = cube_of(table_of_rows(rows, batch_rows=7))
    found = cube.counts(by, predicate, as_of=AS_OF, banks=BANKS)
    expected = counted([row for row in rows if plain(row) is True], by)
    assert as_dict(found, by) == (expected or ({} if by else {(): (0, 0)}))
    assert as_dict(cube.counts(by, as_of=AS_OF), by) == (
        counted(rows, by) or ({} if by else {(): (0, 0)})
    )
    assert (cube.cards, cube.customers) == (len(rows), len({row["customer_id"] for row in rows}))


def test_conditions_on_no_column():
    """A condition that is always true counts all cards, one that is never true none."""
    cube = cube_of(table_of({"c0": [card("i0"), card("i1")]}))
    assert as_dict(cube.counts(["card_network"], All(())), ["card_network"]) == {("visa",): (2, 1)}
    assert cube.counts(["card_network"], AnyOf(())).num_rows == 0


def test_without_customers():
    """Customers are left out when they are not asked for."""
    cube = cube_of(table_of({"c0": [card("i0"), card("i1")]}))
    counts = cube.counts(["card_type"], customers=False)
    assert counts.to_pydict() == {"card_type": ["debit"], "cards": [2]}


def test_types_of_columns():
    """Columns have the plain types of their values, and counts are 64-bit."""
    cube = cube_of(table_of({"c0": [card("i0")]}))
    counts = cube.counts(["bank", "expires_on", "expiry_year", "expiry"])
    assert counts.schema.types == [
        *(pa.string(), pa.date32(), pa.int16(), pa.string(), pa.int64(), pa.int64())
    ]


def test_values_in_order():
    """Values come in the order of their dimension, None last where one is missing."""
    cube = cube_of(
        table_of(
            {
                "c0": [
                    card("i0", expires="2027-02"),
                    card("i1", expires="2026-10"),
                    card("i2", expires="2026-12"),
                    card("i3", expiry_month=None),
                ]
            }
        )
    )
    assert cube.values("expiry") == ["2026-10", "2026-12", "2027-02", None]
    buckets = ["expired", "31-60 days", None]
    assert cube.values("expires_in", as_of="2027-01-01") == buckets
    assert cube.values("expires_on")[0] == date(2026, 10, 31)
    assert cube.values("card_network") == ["visa"]


def test_own_bank_names(tmp_path):
    """A table of bank names of one's own decides what a bank is called."""
    table = tmp_path / "names.csv"
    table.write_text("spelling,bank,note\nHDFC BANK,The Bank,\n")
    cube = cube_of(table_of({"c0": [card("i0")]}))
    banks = load_bank_names(table)
    assert cube.values("bank", banks=banks) == ["The Bank"]
    counts = cube.counts(["bank"], where(bank="The Bank"), banks=banks)
    assert counts["cards"].to_pylist() == [1]


def test_unknown_column():
    """A column the cube does not have is refused with the one that was meant and all there are."""
    cube = cube_of(table_of({"c0": [card("i0")]}).drop_columns(["card_network"]))
    refusal = r"'card_network'.* card_type, .*, expires_in"
    with pytest.raises(UsageError, match=refusal):
        cube.counts(["card_network"])
    with pytest.raises(UsageError, match=refusal):
        cube.counts([], where(card_network="visa"))
    with pytest.raises(UsageError, match=refusal):
        cube.values("card_network")
    with pytest.raises(UsageError, match="did you mean card_bank"):
        cube.counts(["card_banks"])
    with pytest.raises(UsageError, match="customer_id"):
        cube.counts([], where(customer_id="c0"))


def test_column_named_twice():
    """Grouping by one column twice is refused."""
    with pytest.raises(UsageError, match="twice"):
        cube_of(table_of({"c0": [card("i0")]})).counts(["bank", "bank"])


def test_dimensions_of_a_part_of_the_columns():
    """A table is counted by the columns it has, and what derives from them."""
    table = table_of({"c0": [card("i0")]}).select(["customer_id", "card_bank", "card_type"])
    cube = cube_of(table)
    assert cube.dimensions == ("card_bank", "card_type", "bank")
    only_customers = cube_of(table.select(["customer_id"]))
    assert only_customers.dimensions == ()
    assert only_customers.counts([]).to_pylist() == [{"cards": 1, "customers": 1}]
    with pytest.raises(UsageError, match="customer_id"):
        cube_of(table.select(["card_bank"]))


def test_a_cube_is_its_own_cube():
    """A cube is taken where a source is."""
    cube = cube_of(table_of({"c0": [card("i0")]}))
    assert cube_of(cube) is cube
    assert repr(cube) == "<Cube: 1 cards of 1 customers>"


def test_snapshot_counted_once(tmp_path):
    """The second cube of a snapshot is the kept one: it is the same, and the rows are not read."""
    vault = {
        "c0": [card("i0"), card("i1", card_network="amex", expiry_month=None)],
        "c1": [card("i2", card_bank_name=None)],
        "c2": [],
    }
    snapshot = publish(tmp_path, vault)
    fresh = cube_of(snapshot).cells
    for file in snapshot.files("instruments"):
        file.unlink()
    kept = cube_of(snapshot).cells
    assert kept.codes.keys() == fresh.codes.keys()
    for name in fresh.codes:
        assert np.array_equal(kept.codes[name], fresh.codes[name])
        assert kept.values[name].equals(fresh.values[name])
    for name in ("cards", "customers_alone", "spread_customer", "spread_cell"):
        assert np.array_equal(getattr(kept, name), getattr(fresh, name))
    assert cube_of(snapshot).counts(["card_network"]).to_pylist() == [
        {"card_network": "amex", "cards": 1, "customers": 1},
        {"card_network": "visa", "cards": 2, "customers": 2},
    ]


def test_not_kept_when_not_wanted(tmp_path):
    """With `keep` off nothing is written, and what is there is not read."""
    snapshot = publish(tmp_path, {"c0": [card("i0")]})
    assert cube_of(snapshot, keep=False).cards == 1
    assert not cube_folder(snapshot).parent.exists()


@pytest.mark.parametrize("vault", [{}, {"c0": []}])
def test_empty_snapshot(tmp_path, vault):
    """A snapshot without cards has a cube in which everything is nought, kept like any other."""
    snapshot = publish(tmp_path, vault)
    for _ in range(2):
        cube = cube_of(snapshot)
        assert (cube.cards, cube.customers) == (0, 0)
        assert cube.counts(["card_network", "expiry"]).num_rows == 0
        assert cube.counts([]).to_pylist() == [{"cards": 0, "customers": 0}]
    assert cube_folder(snapshot).is_dir()
