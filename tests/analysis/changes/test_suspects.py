"""Rows put aside and taken up again, part by part."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from tokenvault_data.analysis.changes.events import ChangedCandidates

CUSTOMERS = ["a", "b", "b'c", "b'c", "d", "é", "z"]


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        rows = [
            {"customer_id": customer, "place": place, "row_hash": (1 << 64) - 1 - place}
            for place, customer in enumerate(CUSTOMERS)
        ]
        schema = {"customer_id": pa.string(), "place": pa.int32(), "row_hash": pa.uint64()}
        table = pa.Table.from_pylist(rows, pa.schema(schema.items()))
        connection.register("old_rows", table)
        connection.register("new_rows", table.slice(5))
        yield connection


def both_sides(connection, suspects, bounds):
    suspects.divide(bounds)
    sums = [suspects.fetch(side, f"FROM {side}_rows") for side in ("old", "new")]
    parts = []
    for _ in suspects.parts():
        sides = [connection.sql(f"FROM {side}_odd").fetchall() for side in ("old", "new")]
        parts.append([sorted(side) for side in sides])
    return sums, parts


BOUNDS = [(), ("b",), ("b'c", "e"), ("A", "a", "zz"), ("d",)]


@pytest.mark.parametrize("bounds", BOUNDS)
def test_every_row_is_in_the_part_of_its_customer(connection, tmp_path, bounds):
    """Each part has the rows of its range of customers, of both sides, and the hashes of rows are
    summed up and not kept; no part leaves its views behind.
    """
    suspects = ChangedCandidates(connection, "odd", tmp_path)
    sums, parts = both_sides(connection, suspects, bounds)
    hashes = [(1 << 64) - 1 - place for place in range(7)]
    assert [one % (1 << 64) for one in sums] == [sum(hashes[n:]) % (1 << 64) for n in (0, 5)]
    assert len(parts) == len(bounds) + 1
    edges = ["", *bounds]
    for (old, new), low, high in zip(parts, edges, [*bounds, "\U0010ffff"], strict=True):
        wanted = [(name, n) for n, name in enumerate(CUSTOMERS) if low <= name < high]
        assert old == sorted(wanted)
        assert new == sorted(row for row in wanted if row[1] >= 5)
    with pytest.raises(duckdb.CatalogException):
        connection.sql("FROM old_odd")


def test_only_more_than_one_part_is_written_to_files(connection, tmp_path):
    """A few rows stay in memory; more are in a file for each side and part."""
    suspects = ChangedCandidates(connection, "odd", tmp_path)
    both_sides(connection, suspects, ())
    assert list(tmp_path.iterdir()) == []
    both_sides(connection, suspects, ("b", "d"))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"{side}-odd-{part}.arrow" for side in ("new", "old") for part in range(3)]


def test_rows_can_be_read_anew(connection, tmp_path):
    """What is fetched after another division takes the place of what was there."""
    suspects = ChangedCandidates(connection, "odd", tmp_path)
    both_sides(connection, suspects, ("d",))
    _, parts = both_sides(connection, suspects, ())
    assert [len(side) for side in parts[0]] == [7, 2]
