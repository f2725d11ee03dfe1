from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from analysis_cases import card, table_of
from cube_cases import POOLS, as_dict, counted, rows_of_cards, table_of_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.cards.source import open_source
from tokenvault_data.analysis.cube.building import build_cells
from tokenvault_data.analysis.cube.cube import Cube, cube_of
from tokenvault_data.errors import UsageError


def _cells(table):
    return build_cells(open_source(table))


def _same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("cards", "customers_alone")
    ) and all(np.array_equal(one.codes[name], other.codes[name]) for name in one.codes)


@settings(deadline=None, max_examples=60)
@given(rows_of_cards(), st.integers(1, 9), st.randoms(use_true_random=False))
def test_order_and_batches_do_not_matter(rows, batch_rows, rng):
    """The cells depend neither on the order of the cards nor on how they are cut into batches."""
    shuffled = rows.copy()
    rng.shuffle(shuffled)
    one = _cells(table_of_rows(rows))
    other = _cells(table_of_rows(shuffled, batch_rows))
    assert _same(one, other)
    assert one.total_customers == other.total_customers


@settings(deadline=None, max_examples=60)
@given(rows_of_cards())
def test_spread_customers(rows):
    """Who touches several cells is listed with each, once, by number; all others are alone."""
    cells = _cells(table_of_rows(rows))
    pairs = list(zip(cells.spread_customer.tolist(), cells.spread_cell.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    touched = [customer for customer, _ in pairs]
    assert set(touched) == set(range(len(set(touched))))
    assert all(touched.count(customer) >= 2 for customer in touched)
    expected = {}
    for row in rows:
        values = tuple(row[name] for name in POOLS)
        expected.setdefault(row["customer_id"], set()).add(values)
    assert len(set(touched)) == sum(len(cell) > 1 for cell in expected.values())
    assert int(cells.customers_alone.sum()) == sum(len(cell) == 1 for cell in expected.values())


def test_one_customer_with_thousands_of_cards():
    """A customer with 5,000 cards all over the cells is one customer in each group."""
    rng = random.Random(1)
    rows = [
        {
            "customer_id": "c0" if place % 2 else f"c{place % 7}",
            "card_network": rng.choice(["visa", "rupay", None]),
            "card_bank": f"Bank {rng.randrange(300)}",
            "card_country": "IN",
            "card_type": rng.choice(["credit", "debit"]),
            "instrument_status": "ACTIVE",
            "expiry_year": rng.choice([2026, 2027, None]),
            "expiry_month": rng.randrange(1, 13),
        }
        for place in range(10_000)
    ]
    cube = cube_of(table_of_rows(rows, 3_000))
    for by in (["card_network"], ["card_bank", "expiry_year"], []):
        assert as_dict(cube.counts(by), by) == counted(rows, by)


def test_more_values_than_expected():
    """Values met late get their codes although thousands of cards were packed before them."""
    rows = [
        {"customer_id": f"c{place}", "card_bank": f"Bank {place if place > 900 else 0}"}
        for place in range(1_500)
    ]
    table = pa.Table.from_pylist(rows)
    cube = cube_of(pa.concat_tables([table.slice(at, 100) for at in range(0, 1_500, 100)]))
    assert as_dict(cube.counts(["card_bank"]), ["card_bank"]) == {
        ("Bank 0",): (901, 901),
        **{(f"Bank {place}",): (1, 1) for place in range(901, 1_500)},
    }


def test_tables_of_other_types():
    """Categories, large text, 64-bit numbers and missing dictionary values are counted alike."""
    names = [f"Bank {place:03d}" for place in range(128)]
    frame = pd.DataFrame(
        {
            "customer_id": ["c0"] * 128 + ["c1"] * 2,
            "card_bank": pd.Categorical([*names, names[-1], None], categories=names),
            "card_type": ["debit"] * 129 + [None],
            "expiry_year": [2027.0] * 129 + [None],
        }
    )
    cube = cube_of(frame)
    assert cube.counts(["card_type", "expiry_year"]).to_pylist() == [
        {"card_type": None, "expiry_year": None, "cards": 1, "customers": 1},
        {"card_type": "debit", "expiry_year": 2027, "cards": 129, "customers": 2},
    ]
    assert cube.values("card_bank") == [*names, None]
    unsigned = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 2, None], pa.uint8()), pa.array(["visa", None, "visa"], pa.large_string())
    )
    table = pa.table({"customer_id": pa.array([1, 2, 2, 3]), "card_network": unsigned})
    assert as_dict(cube_of(table).counts(["card_network"]), ["card_network"]) == {
        ("visa",): (2, 2),
        (None,): (2, 2),
    }


def test_unused_values_are_no_values():
    """A value that stands in a dictionary and in no row is not one of the cube's."""
    table = table_of({"c0": [card("i0"), card("i1", card_network="amex")]}).slice(0, 1)
    assert cube_of(table).values("card_network") == ["visa"]


def test_unreadable_column():
    """A column of a type that cannot be one of instruments is refused by name."""
    table = pa.table({"customer_id": ["c0"], "expiry_year": ["soon"]})
    with pytest.raises(UsageError, match=r"expiry_year.*string.*int16"):
        cube_of(table)
    late = pa.table({"customer_id": ["c0"], "expiry_year": pa.array([70_000])})
    with pytest.raises(UsageError, match="expiry_year"):
        cube_of(late)


def test_card_without_customer():
    """A card of nobody is refused, since customers could not be counted."""
    with pytest.raises(UsageError, match="without customer_id"):
        cube_of(pa.table({"customer_id": ["c0", None], "card_type": ["debit", "debit"]}))


def test_too_many_values():
    """Columns with more combined values than a key can hold are refused, the widest by name."""
    many = [f"v{place}" for place in range(5_000)]
    names = ("card_network", "card_bank", "card_country", "card_type", "card_sub_type")
    table = pa.table({"customer_id": many, **dict.fromkeys(names, many)})
    with pytest.raises(UsageError, match=r"too many different values.*card_network"):
        cube_of(table)
    assert (
        Cube(_cells(table.drop_columns(["card_network"]))).counts(["card_bank"]).num_rows == 5_000
    )
