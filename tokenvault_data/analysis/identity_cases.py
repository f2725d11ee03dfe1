"""The rows behind every case of identity, found in DuckDB.

Rows are grouped by a 64-bit hash first, so that of ten million rows only those come into memory
whose hash occurs again; these are then grouped by their real values, so a collision makes no case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from tokenvault_data.analysis.connected import connected_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

IDENTITY_KINDS: Final = ("same_card", "same_account", "repeated_id", "linked_customers")
"""Every kind of case, in the order in which tables of equal sizes list them."""

MEMBER_COLUMNS: Final = {
    "customer_id": "VARCHAR",
    "instrument_id": "VARCHAR",
    "list_position": "INTEGER",
    "instrument_status": "VARCHAR",
    "expires_on": "DATE",
    "created_at": "TIMESTAMPTZ",
    "card_network": "VARCHAR",
    "card_bank": "VARCHAR",
    "card_type": "VARCHAR",
    "last_four": "VARCHAR",
    "instrument_uid": "VARCHAR",
    "par": "VARCHAR",
}
"""Columns that are read of every row, and their types."""

_KEYS: Final = {
    "instrument_uid": "instrument_uid",
    "par": "par",
    "repeated": "customer_id, instrument_id",
}
_LEAST_LINKED: Final = 3
_LEAST_SHARED: Final = 2


def find_members(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[str],
    *,
    threshold: int,
    kinds: Sequence[str],
) -> None:
    """Make the table ``members``: one row a case and row of the list that belongs to it.

    It has ``kind``, ``value`` (what is shared: the same for all rows of a case of its kind),
    ``shared_id``, ``shared_values`` and `MEMBER_COLUMNS`.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With the view ``instruments``.
    columns : sequence of str
        Those the view has.
    threshold : int
        Customers, or cards, from which on a shared value makes a case; at least 2.
    kinds : sequence of str
        Of `IDENTITY_KINDS`.
    """
    _find_rows(connection, set(columns))
    names = ", ".join(MEMBER_COLUMNS)
    types = ", ".join(f"{name} {kind}" for name, kind in MEMBER_COLUMNS.items())
    connection.execute(
        "CREATE TEMP TABLE members (kind VARCHAR, value VARCHAR, shared_id VARCHAR, "
        f"shared_values BIGINT, {types})"
    )
    of_customers = f"count(DISTINCT customer_id) >= {threshold}"
    of_cards = f"count(DISTINCT instrument_uid) >= {threshold}"
    tests = {
        "same_card": ("instrument_uid", of_customers),
        "same_account": ("par", f"{of_cards} OR {of_customers}"),
    }
    for kind, (column, test) in tests.items():
        if kind in kinds:
            connection.execute(
                f"INSERT INTO members SELECT '{kind}', {column}, {column}, 1, {names} "  # noqa: S608  names are ours
                f"FROM again WHERE {column} IN ({_groups(column, test)})"
            )
    if "repeated_id" in kinds:
        connection.execute(
            "INSERT INTO members SELECT 'repeated_id', "  # noqa: S608  names are ours
            f"concat(customer_id, chr(31), instrument_id), instrument_id, 1, {names} FROM again "
            "SEMI JOIN (SELECT customer_id, instrument_id FROM again WHERE customer_id IS NOT NULL "
            "AND instrument_id IS NOT NULL GROUP BY ALL HAVING count(*) > 1) "
            "USING (customer_id, instrument_id)"
        )
    if "linked_customers" in kinds:
        _link_customers(connection)


def _find_rows(connection: duckdb.DuckDBPyConnection, present: set[str]) -> None:
    """Make the table ``again``: the rows that have the hash of a value with another row."""
    columns = ", ".join(
        f"{name if name in present else 'NULL'}::{kind} AS {name}"
        for name, kind in MEMBER_COLUMNS.items()
    )
    connection.execute(f"CREATE TEMP VIEW listed AS SELECT {columns} FROM instruments")  # noqa: S608  names are ours
    tests = []
    for name, key in _KEYS.items():
        known = " AND ".join(f"{part} IS NOT NULL" for part in key.split(", "))
        connection.execute(
            f"CREATE TEMP TABLE hashes_{name} AS SELECT hash({key}) AS key FROM listed "  # noqa: S608  names are ours
            f"WHERE {known} GROUP BY key HAVING count(*) > 1"
        )
        tests.append(f"({known} AND hash({key}) IN (SELECT key FROM hashes_{name}))")  # noqa: S608  names are ours
    connection.execute(
        f"CREATE TEMP TABLE again AS SELECT * FROM listed WHERE {' OR '.join(tests)}"  # noqa: S608  names are ours
    )


def _groups(column: str, test: str) -> str:
    return f"SELECT {column} FROM again WHERE {column} IS NOT NULL GROUP BY {column} HAVING {test}"  # noqa: S608  names are ours


def _link_customers(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the cases of customers that hang together through several shared values."""
    links = " UNION ALL ".join(
        f"SELECT DISTINCT customer_id, '{column}' AS named, {column} AS shared FROM again "  # noqa: S608  names are ours
        f"WHERE customer_id IS NOT NULL "
        f"AND {column} IN ({_groups(column, 'count(DISTINCT customer_id) > 1')})"
        for column in ("instrument_uid", "par")
    )
    connection.execute(
        "CREATE TEMP TABLE links AS SELECT *, "  # noqa: S608  names are ours
        "dense_rank() OVER (ORDER BY customer_id) - 1 AS customer, "
        f"dense_rank() OVER (ORDER BY named, shared) - 1 AS value_number FROM ({links})"
    )
    ends = connection.execute("SELECT customer, value_number FROM links").fetchnumpy()
    customers, values = (np.asarray(ends[name], np.int64) for name in ("customer", "value_number"))
    first_value = int(customers.max(initial=-1)) + 1
    nodes = first_value + int(values.max(initial=-1)) + 1
    groups = connected_groups(customers, values + first_value, nodes)
    table = pa.table({"customer": np.arange(first_value), "group_number": groups[:first_value]})
    connection.register("group_of_customer", table)
    connection.execute(
        "CREATE TEMP TABLE groups AS "  # noqa: S608  figures are ours
        "SELECT group_number, count(DISTINCT value_number) AS shared_values, "
        "sha256(string_agg(DISTINCT named || chr(31) || shared, chr(30) "
        "ORDER BY named || chr(31) || shared)) AS value "
        "FROM links JOIN group_of_customer USING (customer) GROUP BY group_number "
        f"HAVING count(DISTINCT customer) >= {_LEAST_LINKED} "
        f"AND count(DISTINCT value_number) >= {_LEAST_SHARED}"
    )
    names = ", ".join(f"again.{name}" for name in MEMBER_COLUMNS)
    connection.execute(
        "INSERT INTO members SELECT 'linked_customers', groups.value, NULL, shared_values, "  # noqa: S608  names are ours
        f"{names} FROM again "
        "JOIN (SELECT DISTINCT customer_id, customer FROM links) AS c USING (customer_id) "
        "JOIN group_of_customer USING (customer) JOIN groups USING (group_number) "
        "WHERE instrument_uid IN (SELECT shared FROM links WHERE named = 'instrument_uid') "
        "OR par IN (SELECT shared FROM links WHERE named = 'par')"
    )
