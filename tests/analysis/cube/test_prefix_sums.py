from __future__ import annotations

import numpy as np
import pytest
from cube_cases import rows_of_cards, table_of_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.cube.crossfilter import MOST_ENTRIES, Slabs
from tokenvault_data.analysis.cube.cube import cube_of

_NAMES = ("card_network", "card_type")


def _slabs(rows, most_entries, months="expiry"):
    cube = cube_of(table_of_rows(rows))
    slots = None if months is None else cube.coded(months)
    return cube, Slabs(
        cube.cells, [cube.coded(name) for name in _NAMES], slots, most_entries=most_entries
    )


@settings(deadline=None, max_examples=60)
@given(rows_of_cards(), st.sampled_from([MOST_ENTRIES, 0]), st.data())
def test_within_and_by_slot_are_sums_of_one_matrix(rows, most_entries, data):
    """Cards by combination and cards by month are the two ways to add up the same cells."""
    _, slabs = _slabs(rows, most_entries)
    single = np.array(
        [slabs.within(np.arange(slabs.slots) == slot) for slot in range(slabs.slots)]
    ).reshape(slabs.slots, slabs.combinations)
    assert single.sum() == len(rows)
    wanted = np.array(
        data.draw(st.lists(st.booleans(), min_size=slabs.slots, max_size=slabs.slots)), bool
    )
    assert slabs.within(wanted).tolist() == single[wanted].sum(axis=0).tolist()
    size = slabs.combinations
    selected = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), bool)
    by_slot = single[:, selected].sum(axis=1).tolist()
    assert slabs.by_slot(selected).tolist() == by_slot
    assert slabs.by_slot_of(np.flatnonzero(selected)).tolist() == by_slot


@settings(deadline=None, max_examples=40)
@given(rows_of_cards())
def test_combinations_occur_once(rows):
    """A combination is what occurs together, once each, whatever the months."""
    cube, slabs = _slabs(rows, MOST_ENTRIES)
    found = {
        tuple(
            cube.coded(name).decoded(codes[[place]])[0].as_py()
            for name, codes in zip(_NAMES, slabs.codes, strict=True)
        )
        for place in range(slabs.combinations)
    }
    assert len(found) == slabs.combinations
    assert found == {tuple(row[name] for name in _NAMES) for row in rows}


@pytest.mark.parametrize("most_entries", [MOST_ENTRIES, 0])
def test_without_months(most_entries):
    """Without the expiry there is one slab that holds everything."""
    rows = [{**dict.fromkeys(("expiry_year", "expiry_month")), **row} for row in _ROWS]
    _, slabs = _slabs(rows, most_entries, months=None)
    assert slabs.slots == 1
    assert slabs.within(np.array([True])).tolist() == [1, 2]
    assert slabs.within(np.array([False])).tolist() == [0, 0]
    assert slabs.by_slot(np.array([True, False])).tolist() == [1]


def test_memory():
    """Sums along the months take memory only when they are held."""
    _, with_sums = _slabs(_ROWS * 2, MOST_ENTRIES)
    _, without = _slabs(_ROWS * 2, 0)
    assert with_sums.size_bytes - without.size_bytes == 2 * (with_sums.slots + 1) * 4


_ROWS = [
    {
        "customer_id": f"c{place}",
        "card_network": network,
        "card_bank": None,
        "card_country": "IN",
        "card_type": "debit",
        "instrument_status": "ACTIVE",
        "expiry_year": 2027,
        "expiry_month": place + 1,
    }
    for place, network in enumerate(("rupay", "visa", "visa"))
]
