"""From cards that differ to events: what became of each, which came back under another id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from tokenvault_data.analysis.changes.differences import SHOWN
from tokenvault_data.dataset.schema import CATEGORY

if TYPE_CHECKING:
    import duckdb

KINDS: Final = (
    *("added", "gone", "replaced", "status_changed"),
    *("renewed", "expiry_changed", "details_changed"),
)
"""Every kind of event, in the order in which tables list them."""

EVENT_COLUMNS: Final = (
    *("kind", "customer_id", "instrument_id", "new_instrument_id"),
    *("card_network", "card_bank", "bank", "card_type", "last_four"),
    *("old_status", "new_status", "old_expires_on", "new_expires_on"),
    *("changed", "matched_by", "old_fetched_at", "new_fetched_at"),
)
"""Columns of a table of events; `changes` says what they mean."""

_FEW_VALUES: Final = (
    *("kind", "card_network", "card_bank", "bank", "card_type"),
    *("old_status", "new_status", "changed", "matched_by"),
)


def find_replaced(connection: duckdb.DuckDBPyConnection) -> None:
    """Say in the table ``replaced`` which cards are gone, and added under another id.

    The views ``gone`` and ``added`` have the cards of one list, replaced ones among them, whose
    customer was fetched for both.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        After `find_differences`.
    """
    for view, here, there in (("gone", "old", "new"), ("added", "new", "old")):
        connection.execute(
            f"CREATE TEMP VIEW {view} AS SELECT * FROM pairs "  # noqa: S608  names are ours
            f"WHERE in_{here} AND NOT in_{there} AND NOT apart"
        )
    connection.execute(
        "CREATE TEMP TABLE replaced (customer_id VARCHAR, instrument_id VARCHAR, "
        "new_instrument_id VARCHAR, matched_by VARCHAR)"
    )
    for column in ("instrument_uid", "par"):
        connection.execute(_replacements(column))


def read_events(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return all events, sorted by kind, customer and card.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        After `find_replaced`.
    """
    queries = _events()
    # Kind by kind: each sorts and joins its own rows only, and gives its memory back.
    tables = [
        _with_categories(
            connection.sql(
                f"SELECT {', '.join(EVENT_COLUMNS)} FROM ({queries[kind]}) "  # noqa: S608  names are ours
                "ORDER BY customer_id, instrument_id"
            ).to_arrow_table()
        )
        for kind in KINDS
    ]
    return pa.concat_tables(tables).unify_dictionaries()


def _with_categories(table: pa.Table) -> pa.Table:
    for name in _FEW_VALUES:
        at = table.schema.get_field_index(name)
        texts = table.column(name).cast(pa.string())
        table = table.set_column(at, name, texts.dictionary_encode().cast(CATEGORY))
    return table


def _replacements(column: str) -> str:
    def placed(table: str, other: str, own_id: str) -> str:
        return f"""
        SELECT customer_id, instrument_id, {column} AS shared, row_number() OVER (
            PARTITION BY customer_id, {column} ORDER BY created_at NULLS LAST, instrument_id
        ) AS place
        FROM {table} WHERE {column} IS NOT NULL AND {_not_replaced(table, own_id)}
            AND customer_id IN (SELECT customer_id FROM {other})
        """  # noqa: S608  names are ours

    return f"""
    INSERT INTO replaced
    SELECT g.customer_id, g.instrument_id, a.instrument_id, '{column}'
    FROM ({placed("gone", "added", "instrument_id")}) AS g
    JOIN ({placed("added", "gone", "new_instrument_id")}) AS a USING (customer_id, shared, place)
    """  # noqa: S608  names are ours


def _events() -> dict[str, str]:
    shown = ", ".join(SHOWN)
    values = "old_status, new_status, old_expires_on, new_expires_on"
    of_both = {
        kind: f"SELECT '{kind}' AS kind, customer_id, instrument_id, "  # noqa: S608  names are ours
        f"NULL::VARCHAR AS new_instrument_id, {shown}, {values}, "
        f"{'changed' if kind == 'details_changed' else 'NULL::VARCHAR AS changed'}, "
        f"NULL::VARCHAR AS matched_by, old_fetched_at, new_fetched_at FROM pairs WHERE {kind}"
        for kind in KINDS[3:]
    }
    newest = ", ".join(f"coalesce(a.{name}, g.{name}) AS {name}" for name in SHOWN)
    of_two = (
        "SELECT 'replaced' AS kind, customer_id, r.instrument_id, r.new_instrument_id, "  # noqa: S608  names are ours
        f"{newest}, g.old_status, a.new_status, g.old_expires_on, a.new_expires_on, "
        "NULL::VARCHAR AS changed, r.matched_by, g.old_fetched_at, a.new_fetched_at "
        "FROM replaced AS r "
        "JOIN gone AS g USING (customer_id, instrument_id) "
        "JOIN (SELECT * RENAME (instrument_id AS new_instrument_id) FROM added) AS a "
        "USING (customer_id, new_instrument_id)"
    )
    return {
        "added": _of_one("added", own_id="new_instrument_id", other="old"),
        "gone": _of_one("gone", own_id="instrument_id", other="new"),
        "replaced": of_two,
        **of_both,
    }


def _of_one(kind: str, *, own_id: str, other: str) -> str:
    """Return the query for cards of one list, and when the other was fetched, where it was."""
    return f"""
    WITH seen AS (
        SELECT customer_id, max(finished_at) AS {other}_fetched_at
        FROM {other}_asked SEMI JOIN {kind} USING (customer_id) WHERE fetched GROUP BY customer_id
    )
    SELECT '{kind}' AS kind, {kind}.* EXCLUDE ({other}_fetched_at), seen.{other}_fetched_at,
        NULL::VARCHAR AS new_instrument_id, NULL::VARCHAR AS matched_by
    FROM {kind} LEFT JOIN seen USING (customer_id) WHERE {_not_replaced(kind, own_id)}
    """  # noqa: S608  names are ours


def _not_replaced(table: str, own_id: str) -> str:
    return (
        f"NOT EXISTS (SELECT 1 FROM replaced WHERE replaced.customer_id = {table}.customer_id "  # noqa: S608  names are ours
        f"AND replaced.{own_id} = {table}.instrument_id)"
    )
