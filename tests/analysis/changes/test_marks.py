"""Marks, and which of two lists' marks do not cancel out, against counting in plain Python."""

from __future__ import annotations

from collections import Counter

import duckdb
import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.changes.marks import Marks, odd_keys, take_marks

CONNECTION = duckdb.connect()
NONE = np.empty(0, np.uint64)
# Few values in the upper and in the lower bits, so that keys and contents meet, and every slice
# of the numbers has a chance.
NUMBER = st.builds(
    lambda upper, lower: upper << 58 | lower,
    st.integers(0, 63),
    st.sampled_from([0, 2, 1 << 29, 1 << 30, (1 << 58) - 2]),
)
LISTS = st.lists(st.tuples(NUMBER, NUMBER), max_size=30)


def taken(rows, row_bits):
    columns = zip(*rows, strict=True) if rows else ((), ())
    table = pa.table([pa.array(column, pa.uint64()) for column in columns], ["key", "row"])
    CONNECTION.register("hashes", table)
    return take_marks(CONNECTION.sql("SELECT key, row FROM hashes"), row_bits)


def cut(rows, row_bits):
    """Pairs of key and content as far as a mark has them."""
    of_row = (1 << row_bits) - 2
    return [(key >> row_bits, row & of_row) for key, row in rows]


@settings(max_examples=60, deadline=None)
@given(LISTS, LISTS, st.sampled_from([2, 30, 62]))
def test_odd_keys_are_those_not_once_on_each_side(old, new, row_bits):
    """A key is odd unless it is exactly once on each side with the same content."""
    if len(new) % 2:
        new = [*old, *new]
    found = odd_keys(taken(old, row_bits), taken(new, row_bits), row_bits, NONE)
    before, after = cut(old, row_bits), cut(new, row_bits)
    counts = [Counter(key for key, _ in side) for side in (before, after)]
    same = {
        key
        for key, row in before
        if (key, row) in after and [count[key] for count in counts] == [1, 1]
    }
    assert found.tolist() == sorted({key for key, _ in [*before, *after]} - same)


@settings(max_examples=30, deadline=None)
@given(LISTS)
def test_marks_are_sorted_and_leave_the_lowest_bit(rows):
    """Every row has its mark, in order, and the whole content hashes are summed up."""
    marks = taken(rows, 30)
    wanted = sorted((key << 30) | row for key, row in cut(rows, 30))
    assert marks.values.tolist() == wanted
    assert marks.total == sum(row for _, row in rows) % (1 << 64)


def test_known_odd_keys_stay():
    """What was odd in an earlier round is odd in the next, once."""
    one = Marks(np.array([5 << 30, 7 << 30], np.uint64), 0)
    known = np.array([3, 7, 9], np.uint64)
    assert odd_keys(one, one, 30, known).tolist() == [3, 7, 9]
    other = Marks(np.array([5 << 30], np.uint64), 0)
    assert odd_keys(one, other, 30, known).tolist() == [3, 7, 9]


def test_many_marks():
    """More rows than are read, sorted or compared at a time: the marks are the same as of one sort,
    and the keys that differ are found.
    """
    number = 5_000_000
    with duckdb.connect() as connection:
        query = "SELECT hash(range), hash(range + {}) FROM range({})"
        old = take_marks(connection.sql(query.format(0, number)), 30)
        new = take_marks(connection.sql(query.format(0, number + 3)), 30)
        [[keys]] = connection.sql(
            f"SELECT list(hash(range) >> 30) FROM range({number}, {number + 3})"
        ).fetchall()
    assert len(old.values) == number
    assert bool(np.all(old.values[1:] >= old.values[:-1]))
    found = odd_keys(old, new, 30, NONE)
    assert set(keys) <= set(found.tolist())
    # Of five million keys a thousand or so share their 34 bits with another, and are odd for that.
    crowded = np.unique(old.values >> 30, return_counts=True)[1] > 1
    assert len(found) <= int(crowded.sum()) + 3
