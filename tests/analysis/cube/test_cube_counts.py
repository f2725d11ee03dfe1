from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from cube_cases import POOLS, rows_of_cards, table_of_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.cube.cube import (
    Coded,
    count_cards,
    count_customers,
    cube_of,
    group_cells,
)


def _coded(name, codes, values):
    return Coded(name, np.array(codes, np.uint8), pa.array([f"v{n:05d}" for n in range(values)]))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans()), max_size=20),
    st.sampled_from([3, 1 << 12]),
    st.sampled_from([1, 3]),
)
def test_groups_are_equal_values_in_order(cells, values, repeats):
    """Cells of equal codes are one group, groups are sorted, cells that do not pass have none."""
    one = [_coded("a", [cell[0] for cell in cells], values)] * repeats
    two = [_coded("b", [cell[1] for cell in cells], values)] * repeats
    passing = np.array([cell[2] for cell in cells], bool)
    grouping = group_cells([*one, *two], passing, len(cells))
    keys = [
        tuple(codes.tolist())
        for codes in zip(grouping.keys[0], grouping.keys[repeats], strict=True)
        for codes in [np.array(codes)]
    ]
    assert keys == sorted({(a, b) for a, b, passes in cells if passes})
    assert grouping.count == len(keys)
    for (a, b, passes), group in zip(cells, grouping.group_of_cell.tolist(), strict=True):
        assert (keys[group] == (a, b)) if passes else group == -1


@pytest.mark.parametrize("values", [3, 1 << 16])
def test_keys_that_do_not_fit(values):
    """Groupings by more combined values than a number can hold are as exact as others."""
    codes = [0, 3, 1, 3, 0, 2]
    dimensions = [_coded(f"d{place}", codes, values) for place in range(5)]
    grouping = group_cells(dimensions, None, len(codes))
    assert [key.tolist() for key in grouping.keys] == [[0, 1, 2, 3]] * 5
    assert grouping.group_of_cell.tolist() == codes


@settings(deadline=None, max_examples=60)
@given(rows_of_cards(), st.sampled_from(list(POOLS)), st.randoms(use_true_random=False))
def test_merged_groups_count_customers_once(rows, name, rng):
    """Who has cards in several groups is one customer of the group they are merged into."""
    cube = cube_of(table_of_rows(rows))
    dimensions, grouping = cube.grouped([name])
    keys = dimensions[0].decoded(grouping.keys[0]).to_pylist()
    places = [rng.randrange(3) for _ in keys]
    merged = grouping.merged(np.array(places, np.int64), 3)
    place_of = dict(zip(keys, places, strict=True))
    cards = Counter(place_of[row[name]] for row in rows)
    customers = Counter(p for p, _ in {(place_of[row[name]], row["customer_id"]) for row in rows})
    assert count_cards(cube.cells, merged).tolist() == [cards[place] for place in range(3)]
    assert count_customers(cube.cells, merged).tolist() == [customers[p] for p in range(3)]


def test_decoded():
    """Code 0 is missing and code k the k-th value."""
    coded = _coded("a", [2, 0, 1], 2)
    assert coded.decoded(coded.codes).to_pylist() == ["v00001", None, "v00000"]
    assert coded.dictionary().to_pylist() == ["v00001", None, "v00000"]
