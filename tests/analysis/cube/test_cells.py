from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from cube_cases import rows_of_cards, table_of_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.cube.cells import (
    DIMENSIONS,
    first_of_equals,
    narrowed,
    value_type,
)
from tokenvault_data.analysis.cube.cube import cube_of
from tokenvault_data.dataset.schema import INSTRUMENTS


def test_dimensions_are_columns():
    """Cubes count by canonical columns of few values, never by ids nor by what was received."""
    assert set(DIMENSIONS) <= set(INSTRUMENTS.names)
    assert not [name for name in DIMENSIONS if name.endswith(("_received", "_id", "_uid", "par"))]
    assert value_type("card_bank") == pa.string()
    assert value_type("expires_on") == pa.date32()


@pytest.mark.parametrize(("most", "kind"), [(255, "uint8"), (256, "uint16"), (1 << 16, "uint32")])
def test_narrowed(most, kind):
    """Numbers keep their values in the smallest type."""
    numbers = np.array([0, most], np.int64)
    assert narrowed(numbers).dtype == kind
    assert narrowed(numbers).tolist() == [0, most]
    assert narrowed(np.zeros(0, np.int64)).dtype == "uint8"


@given(st.lists(st.integers(0, 5)).map(sorted))
def test_first_of_equals(numbers):
    """Exactly one place of each number is its first."""
    first = first_of_equals(np.array(numbers, np.int64))
    assert np.array(numbers, np.int64)[first].tolist() == sorted(set(numbers))


@settings(deadline=None, max_examples=30)
@given(rows_of_cards())
def test_totals(rows):
    """Totals are those of the rows, and the numbers take memory."""
    cells = cube_of(table_of_rows(rows)).cells
    assert cells.total_cards == len(rows)
    assert cells.total_customers == len({row["customer_id"] for row in rows})
    assert cells.size_bytes >= cells.count * (len(cells.codes) + 2)
