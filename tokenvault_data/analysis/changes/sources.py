"""Two lists of cards side by side: checked, and as views of one DuckDB."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from tokenvault_data.analysis.cards.source import Source, open_source
from tokenvault_data.dataset.readers import open_parquet
from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOMES
from tokenvault_data.dataset.sql import connection_to
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from tokenvault_data.dataset.frames import ArrowStream

SIDES: Final = ("old", "new")

KEY: Final = ("customer_id", "instrument_id")
"""The columns that say which card it is."""

NEEDED: Final = ("customer_id", "instrument_id", "instrument_status", "expires_on")
"""Columns without which two lists cannot be compared."""

DETAILS: Final = {
    "bank": "card_bank",
    "card_network": "card_network",
    "card_type": "card_type",
    "card_sub_type": "card_sub_type",
    "card_country": "card_country",
    "last_four": "last_four",
    "par": "par",
    "instrument_uid": "instrument_uid",
    "created_at": "created_at",
}
"""What is compared besides status and expiry, and the column it comes from. The bank is compared
by its canonical name, so that another spelling of one bank is no change."""

_TYPES: Final = {
    **dict.fromkeys(("customer_id", "instrument_id", "instrument_status"), "VARCHAR"),
    "expires_on": "DATE",
    "list_position": "INTEGER",
    "fetched_at": "TIMESTAMPTZ",
    **dict.fromkeys(DETAILS.values(), "VARCHAR"),
    "created_at": "TIMESTAMPTZ",
}


class Banks(Protocol):
    """Whatever knows what a spelling of a bank is called; see `load_bank_names`."""

    def canonical(self, spelling: str | None) -> str | None:
        """Return the name of the bank, None for a missing one."""
        ...


@dataclass(frozen=True, slots=True)
class TwoLists:
    """An old and a new list of cards.

    Attributes
    ----------
    old, new : Source
    """

    old: Source
    new: Source

    @property
    def sides(self) -> dict[str, Source]:
        """Both by the word for their side."""
        return {"old": self.old, "new": self.new}

    def details(self) -> list[str]:
        """Return the columns of `DETAILS` that both lists hold at all.

        API versions differ in what they send, and a value that is null on one side is no change:
        a column that is null all through on one side need not be read.
        """
        return [
            column
            for column in DETAILS.values()
            if all(_null_count(one, column) != one.row_count for one in self.sides.values())
        ]

    def rows_without_id(self, connection: duckdb.DuckDBPyConnection, side: str) -> int:
        """Return how many rows of a side are no card that can be compared."""
        source = self.sides[side]
        if all(_null_count(source, column) == 0 for column in KEY):
            return 0
        [(cards,)] = connection.execute(f"SELECT count(*) FROM {side}_cards").fetchall()  # noqa: S608  names are ours
        return source.row_count - int(cards)

    @contextmanager
    def connection(self, *, memory_limit_mb: int | None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open DuckDB with views of both sides, ``old_...`` and ``new_...``.

        ``..._cards`` has the compared columns, typed, of all rows that have an id; ``..._asked``
        says of each customer whether the list was ``fetched`` (or found empty) and when that
        ``finished_at``; a customer may be there several times.
        """
        files: dict[str, list[Path]] = {}
        tables: dict[str, pa.Table] = {}
        for side, source in self.sides.items():
            if source.snapshot is None:
                tables[f"{side}_instruments"] = source.table
                continue
            for name, schema in (("instruments", INSTRUMENTS), ("outcomes", OUTCOMES)):
                found = source.snapshot.files(name)
                if found:
                    files[f"{side}_{name}"] = found
                else:
                    tables[f"{side}_{name}"] = schema.empty_table()
        with connection_to(files, tables, memory_limit_mb=memory_limit_mb) as connection:
            for side, source in self.sides.items():
                connection.execute(_cards_view(side, source))
                connection.execute(_asked_view(side, source))
            yield connection


def two_lists(old: ArrowStream | Source, new: ArrowStream | Source) -> TwoLists:
    """Take hold of two lists of cards that can be compared.

    Raises
    ------
    UsageError
        One cannot be analysed or lacks a needed column, or they are snapshots of different
        environments or merchants.
    """
    lists = TwoLists(open_source(old, NEEDED), open_source(new, NEEDED))
    if lists.old.snapshot is not None and lists.new.snapshot is not None:
        theirs, ours = lists.old.snapshot.manifest, lists.new.snapshot.manifest
        if theirs.environment != ours.environment:
            raise UsageError(
                f"The old snapshot is of environment {theirs.environment} and the new one of"
                f" {ours.environment}, which have no card in common; nothing was compared; choose"
                " two snapshots of one environment."
            )
        if None not in {theirs.merchant, ours.merchant} and theirs.merchant != ours.merchant:
            raise UsageError(
                "The two snapshots are of different merchant accounts, which have no card in"
                " common; nothing was compared; choose two snapshots of one account."
            )
    return lists


def _null_count(source: Source, column: str) -> int | None:
    """Return how many rows of a list have no value in a column; None where files do not say."""
    if source.table is not None:
        present = column in source.table.schema.names
        return int(source.table.column(column).null_count) if present else len(source.table)
    assert source.snapshot is not None  # noqa: S101  a source is one or the other
    at = INSTRUMENTS.get_field_index(column)
    nulls = 0
    for path in source.snapshot.files("instruments"):
        with open_parquet(path) as file:
            facts = file.metadata
        for group in range(facts.num_row_groups):
            statistics = facts.row_group(group).column(at).statistics
            if statistics is None or not statistics.has_null_count:
                return None
            nulls += statistics.null_count
    return nulls


def _cards_view(side: str, source: Source) -> str:
    present = set(source.schema.names)
    columns = ", ".join(
        f"{name if name in present else 'NULL'}::{kind} AS {name}" for name, kind in _TYPES.items()
    )
    return (
        f"CREATE TEMP VIEW {side}_cards AS SELECT {columns} FROM {side}_instruments "  # noqa: S608  names are ours
        f"WHERE {' AND '.join(f'{column} IS NOT NULL' for column in KEY)}"
    )


def _asked_view(side: str, source: Source) -> str:
    if source.has_outcomes:
        query = (
            "SELECT customer_id, coalesce(outcome IN ('fetched', 'empty'), false) AS fetched, "  # noqa: S608  names are ours
            f"finished_at FROM {side}_outcomes"
        )
    else:
        query = (
            "SELECT DISTINCT customer_id::VARCHAR AS customer_id, true AS fetched, "  # noqa: S608  names are ours
            f"NULL::TIMESTAMPTZ AS finished_at FROM {side}_instruments "
            "WHERE customer_id IS NOT NULL"
        )
    return f"CREATE TEMP VIEW {side}_asked AS {query}"
