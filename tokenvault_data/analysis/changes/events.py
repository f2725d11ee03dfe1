"""From suspect rows to events, decided on real keys and values."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.analysis.changes.sources import DETAILS
from tokenvault_data.dataset.readers import map_file
from tokenvault_data.dataset.schema import CATEGORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb


SIDES: Final = ("old", "new")

_BATCH_ROWS: Final = 1 << 17
_NOT_KEPT: Final = ("row_hash", "part")


class ChangedCandidates:
    """The suspect rows of both lists.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    name : str
        The rows of a part are in the views ``old_NAME`` and ``new_NAME``.
    folder : pathlib.Path
        Where files are made, which are not removed.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str, folder: Path) -> None:
        self._connection = connection
        self._name = name
        self._bounds: Sequence[str] = ()
        self._in_memory: dict[str, pa.Table] = {}
        self._folder = folder

    def divide(self, bounds: Sequence[str]) -> None:
        """Forget all rows; of those to come another part begins at each of these customers."""
        self._bounds = bounds
        self._in_memory.clear()

    def fetch(self, side: str, query: str) -> int:
        """Read the suspects of a side.

        Parameters
        ----------
        side : str
        query : str
            Has the columns ``customer_id``, and ``row_hash``, which is not kept.

        Returns
        -------
        int
            A sum of ``row_hash``, right modulo 2**64.
        """
        reached = "".join(f" + (customer_id >= {_quoted(one)})::UTINYINT" for one in self._bounds)
        relation = self._connection.sql(f"SELECT *, 0::UTINYINT{reached} AS part FROM ({query})")  # noqa: S608  names are ours
        reader = relation.to_arrow_reader(_BATCH_ROWS)
        schema = pa.schema([field for field in reader.schema if field.name not in _NOT_KEPT])
        total = 0
        with contextlib.ExitStack() as stack:
            kept: list[pa.RecordBatch] = []
            files = [
                stack.enter_context(pa.ipc.new_file(path, schema)) for path in self._paths(side)
            ]
            for batch in reader:
                total += int(batch["row_hash"].to_numpy().sum(dtype=np.uint64))
                rows, part = batch.select(schema.names), batch["part"].to_numpy()
                if not files:
                    kept.append(rows)
                    continue
                rows = rows.take(pa.array(np.argsort(part, kind="stable")))
                ends = np.cumsum(np.bincount(part, minlength=len(files))).tolist()
                for file, start, end in zip(files, [0, *ends], ends, strict=False):
                    file.write_batch(rows.slice(start, end - start))
        if not files:
            self._in_memory[side] = pa.Table.from_batches(kept, schema)
        return total

    def parts(self) -> Iterator[None]:
        """Put the rows of one part after another into the views; in the end they are gone."""
        for place in range(len(self._bounds) + 1):
            with contextlib.ExitStack() as stack:
                for side in SIDES:
                    rows = self._in_memory.pop(side, None)
                    if rows is None:
                        path = self._paths(side)[place]
                        file = stack.enter_context(map_file(path))
                        rows = pa.ipc.open_file(file).read_all()
                    self._connection.register(f"{side}_{self._name}", rows)
                yield
                for side in SIDES:
                    self._connection.unregister(f"{side}_{self._name}")

    def _paths(self, side: str) -> list[Path]:
        """Return where the parts of a side are; empty for the only one, which is in memory."""
        places = range(len(self._bounds) + 1) if self._bounds else ()
        return [self._folder / f"{side}-{self._name}-{place}.arrow" for place in places]


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


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
_SHOWN: Final = ("card_network", "card_bank", "bank", "card_type", "last_four")

# Nothing but list order is left to tell rows that are equal up to list_position.
_MOST_USABLE_FIRST: Final = """
(instrument_status = 'ACTIVE') IS TRUE DESC, expires_on DESC NULLS LAST, list_position NULLS LAST,
fetched_at DESC NULLS LAST, created_at NULLS LAST, instrument_status NULLS LAST,
instrument_uid NULLS LAST, par NULLS LAST, last_four NULLS LAST, card_bank NULLS LAST,
card_network NULLS LAST, card_type NULLS LAST, card_sub_type NULLS LAST, card_country NULLS LAST
"""


def decide(connection: duckdb.DuckDBPyConnection) -> None:
    """Make of a part of the suspects ``pairs``, ``replaced``, ``gone`` and ``added``.

    ``pairs`` has one row a suspect card of either side and says what differs, ``gone`` and
    ``added`` have those of one side whose customer was fetched on both, ``replaced`` says which of
    these are one card under another id. ``suspect_counts`` says how many rows there were on each
    side, and how many of them were repeated.
    """
    for side in SIDES:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {side}_crowded AS "  # noqa: S608  names are ours
            f"SELECT key FROM {side}_suspects GROUP BY key HAVING count(*) > 1"
        )
        connection.execute(_chosen(side))
    connection.execute(_pairs())
    counts = ", ".join(
        f"(SELECT count(*) FROM {side}_suspects) AS {side}_rows, "  # noqa: S608  names are ours
        f"(SELECT count(*) - count(DISTINCT (customer_id, instrument_id)) FROM {side}_suspects "
        f"WHERE key IN (FROM {side}_crowded)) AS {side}_repeated"
        for side in SIDES
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE suspect_counts AS SELECT {counts}")
    for table, here, there in (("gone", "old", "new"), ("added", "new", "old")):
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {table} AS SELECT * FROM pairs "  # noqa: S608  names are ours
            f"WHERE in_{here} AND NOT in_{there} AND NOT apart"
        )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE replaced (customer_id VARCHAR, instrument_id VARCHAR, "
        "new_instrument_id VARCHAR, matched_by VARCHAR)"
    )
    for column in ("instrument_uid", "par"):
        connection.execute(_replacements(column))


def events_of(connection: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Return the events that `decide` found, by kind, sorted by customer and card."""
    queries = _events()
    # Kind by kind: each sorts and joins its own rows only, and gives its memory back.
    return {
        kind: _with_categories(
            connection.sql(
                f"SELECT {', '.join(EVENT_COLUMNS)} FROM ({queries[kind]}) "  # noqa: S608  names are ours
                "ORDER BY customer_id, instrument_id"
            ).to_arrow_table()
        )
        for kind in KINDS
    }


def in_order(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[dict[str, pa.Table]]
) -> pa.Table:
    """Return the events of all parts as one table, sorted by kind, customer and card.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Of `TwoLists.connection`.
    parts : sequence of dict
        Of `events_of`; no part has a customer that comes before one of an earlier part.
    """
    tables = {kind: pa.concat_tables([part[kind] for part in parts]) for kind in KINDS}
    for kind, other in (("gone", "new"), ("added", "old")):
        tables[kind] = _with_last_seen(connection, tables[kind], other)
    return pa.concat_tables(tables.values()).unify_dictionaries()


def _with_last_seen(
    connection: duckdb.DuckDBPyConnection, events: pa.Table, other: str
) -> pa.Table:
    """Say when the list without the card was fetched, where it was: here for all parts at once."""
    customers = events["customer_id"]
    connection.register("customers_wanted", pa.table({"customer_id": customers}))
    seen = connection.sql(
        f"SELECT customer_id, max(finished_at) AS seen_at FROM {other}_asked "  # noqa: S608  names are ours
        "WHERE fetched AND customer_id IN (SELECT customer_id FROM customers_wanted) "
        "GROUP BY customer_id"
    ).to_arrow_table()
    connection.unregister("customers_wanted")
    at = pc.index_in(customers, value_set=seen["customer_id"])
    place = events.schema.get_field_index(f"{other}_fetched_at")
    return events.set_column(place, events.schema.field(place), seen["seen_at"].take(at))


def _with_categories(table: pa.Table) -> pa.Table:
    for name in _FEW_VALUES:
        at = table.schema.get_field_index(name)
        texts = table.column(name).cast(pa.string())
        table = table.set_column(at, name, texts.dictionary_encode().cast(CATEGORY))
    return table


def _chosen(side: str) -> str:
    columns = (
        f"cards.*, named.bank FROM {side}_suspects AS cards "
        "LEFT JOIN bank_of_spelling AS named ON cards.card_bank = named.spelling"
    )
    return f"""
    CREATE OR REPLACE TEMP VIEW {side}_chosen AS
    SELECT {columns} WHERE key NOT IN (FROM {side}_crowded)
    UNION ALL
    SELECT {columns} WHERE key IN (FROM {side}_crowded)
    QUALIFY row_number() OVER (
        PARTITION BY customer_id, instrument_id ORDER BY {_MOST_USABLE_FIRST}
    ) = 1
    """


def _pairs() -> str:
    # A comparison with null is null and adds no name: a missing value is no change of details.
    names = ", ".join(f"CASE WHEN o.{name} != n.{name} THEN '{name}' END" for name in DETAILS)
    newest = ", ".join(
        f"coalesce(n.{name}, o.{name}) AS {name}"
        for name in ("customer_id", "instrument_id", *_SHOWN)
    )
    # Only cards of one side are matched with others, and these columns are long.
    to_match = ", ".join(
        f"CASE WHEN o.customer_id IS NULL THEN n.{name} "
        f"WHEN n.customer_id IS NULL THEN o.{name} END AS {name}"
        for name in ("par", "instrument_uid", "created_at")
    )
    differ = " OR ".join(f"o.{name} != n.{name}" for name in DETAILS)
    both = "o.customer_id IS NOT NULL AND n.customer_id IS NOT NULL"
    return f"""
    CREATE OR REPLACE TEMP TABLE pairs AS
    WITH apart AS (SELECT customer_id FROM customers_apart)
    SELECT *, in_both AND old_status IS DISTINCT FROM new_status AS status_changed,
        in_both AND (new_expires_on > old_expires_on) IS TRUE AS renewed,
        in_both AND old_expires_on IS DISTINCT FROM new_expires_on
            AND (new_expires_on > old_expires_on) IS NOT TRUE AS expiry_changed,
        in_both AND changed IS NOT NULL AS details_changed
    FROM (
        SELECT {newest}, {to_match},
            coalesce(n.customer_id, o.customer_id) IN (FROM apart) AS apart,
            o.customer_id IS NOT NULL AS in_old, n.customer_id IS NOT NULL AS in_new,
            {both} AS in_both,
            o.instrument_status AS old_status, n.instrument_status AS new_status,
            o.expires_on AS old_expires_on, n.expires_on AS new_expires_on,
            CASE WHEN {differ} THEN concat_ws(', ', {names}) END AS changed,
            o.fetched_at AS old_fetched_at, n.fetched_at AS new_fetched_at
        FROM old_chosen AS o FULL JOIN new_chosen AS n
            ON o.customer_id = n.customer_id AND o.instrument_id = n.instrument_id
    )
    """  # noqa: S608  names are ours


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
    shown = ", ".join(_SHOWN)
    status = "old_status, new_status"
    expiry = "old_expires_on, new_expires_on"
    fetched = "old_fetched_at, new_fetched_at"
    key = "customer_id, instrument_id"
    of_both = {
        kind: f"SELECT '{kind}' AS kind, {key}, NULL::VARCHAR AS new_instrument_id, {shown}, "  # noqa: S608  names are ours
        f"{status}, {expiry}, "
        f"{'changed' if kind == 'details_changed' else 'NULL::VARCHAR AS changed'}, "
        f"NULL::VARCHAR AS matched_by, {fetched} FROM pairs WHERE {kind}"
        for kind in KINDS[3:]
    }
    of_one = {
        kind: f"SELECT '{kind}' AS kind, {key}, NULL::VARCHAR AS new_instrument_id, {shown}, "  # noqa: S608  names are ours
        f"{status}, {expiry}, NULL::VARCHAR AS changed, NULL::VARCHAR AS matched_by, {fetched} "
        f"FROM {kind} WHERE {_not_replaced(kind, own_id)}"
        for kind, own_id in (("gone", "instrument_id"), ("added", "new_instrument_id"))
    }
    newest = ", ".join(f"coalesce(a.{name}, g.{name}) AS {name}" for name in _SHOWN)
    of_two = (
        "SELECT 'replaced' AS kind, customer_id, r.instrument_id, r.new_instrument_id, "  # noqa: S608  names are ours
        f"{newest}, g.old_status, a.new_status, g.old_expires_on, a.new_expires_on, "
        "NULL::VARCHAR AS changed, r.matched_by, g.old_fetched_at, a.new_fetched_at "
        "FROM replaced AS r "
        "JOIN gone AS g USING (customer_id, instrument_id) "
        "JOIN (SELECT * RENAME (instrument_id AS new_instrument_id) FROM added) AS a "
        "USING (customer_id, new_instrument_id)"
    )
    return {"replaced": of_two, **of_one, **of_both}


def _not_replaced(table: str, own_id: str) -> str:
    return (
        f"NOT EXISTS (SELECT 1 FROM replaced WHERE replaced.customer_id = {table}.customer_id "  # noqa: S608  names are ours
        f"AND replaced.{own_id} = {table}.instrument_id)"
    )
