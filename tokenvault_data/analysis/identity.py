"""One card under several customers, one account behind several cards, ids that repeat."""

from __future__ import annotations

from contextlib import contextmanager
from math import inf
from numbers import Real
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from tokenvault_data.analysis.cards.partial import finding_table
from tokenvault_data.analysis.cards.source import Source, open_source
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.schema import CATEGORY
from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import duckdb
    from numpy.typing import NDArray

    from tokenvault_data.analysis.changes.sources import Banks
    from tokenvault_data.dataset.frames import ArrowStream
    from tokenvault_data.dataset.tables import ResultTable


def connected_groups(
    one: NDArray[np.int64], other: NDArray[np.int64], nodes: int
) -> NDArray[np.int64]:
    """Say of every node which group it belongs to.

    Parameters
    ----------
    one, other : array of int64
        The two ends of every edge, nodes counted from 0.
    nodes : int
        How many nodes there are.

    Returns
    -------
    array of int64
        By node, the lowest node of its group.

    Examples
    --------
    >>> connected_groups(np.array([0, 3]), np.array([2, 4]), 5).tolist()
    [0, 1, 0, 3, 3]
    """
    group: NDArray[np.int64] = np.arange(nodes, dtype=np.int64)
    while True:
        ends: tuple[NDArray[Any], NDArray[Any]] = (group[one], group[other])
        if np.array_equal(*ends):
            return group
        lowest = np.minimum(*ends)
        for end in ends:
            np.minimum.at(group, end, lowest)
        while not np.array_equal(jumped := group[group], group):
            group = jumped


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


MEMORY_LIMIT_MB: Final = 1000
"""Where the search begins to spill to disk."""

_NEEDED: Final = ("customer_id", "instrument_id", "instrument_uid", "par")
_CASE_ID: Final = "concat(kind, '-', substr(sha256(value), 1, 12))"
_KIND_ORDER: Final = f"list_position([{', '.join(repr(kind) for kind in IDENTITY_KINDS)}], kind)"


def identity(
    source: ArrowStream,
    *,
    threshold: int = 2,
    kinds: Sequence[str] = IDENTITY_KINDS,
    banks: Banks | None = None,
    memory_limit_mb: int = MEMORY_LIMIT_MB,
) -> ResultTable:
    """Find cards, accounts and ids that occur more often than one would expect.

    The kinds of case are

    ``same_card``
        One ``instrument_uid`` under at least `threshold` customers.
    ``same_account``
        One ``par`` behind at least `threshold` cards of different ``instrument_uid``, or under at
        least `threshold` customers.
    ``repeated_id``
        One ``instrument_id`` more than once inside one customer's list.
    ``linked_customers``
        At least three customers who hang together through at least two values of
        ``instrument_uid`` or ``par``, each shared by two or more of them.

    A missing ``instrument_uid``, ``par`` or ``instrument_id`` links nothing.

    Parameters
    ----------
    source : Snapshot, or object with ``__arrow_c_stream__``
        Tables need ``customer_id``, ``instrument_id``, ``instrument_uid`` and ``par``.
    threshold : int
        At least 2.
    kinds : sequence of str
        All when not given.
    banks : BankNames, optional
        Canonical names of banks; the names in the package when not given.
    memory_limit_mb : int
        Where DuckDB begins to spill to a temporary folder, in millions of bytes.

    Returns
    -------
    ResultTable
        One row a case, those of most customers first, then those of most cards, with the columns

        ``case_id``
            The kind and a digest of what is shared: the same in every snapshot.
        ``kind``
        ``shared_id``
            The uid, par or instrument id; null for linked_customers.
        ``shared_values``
            How many values link the customers; 1 for the other kinds (int64).
        ``customers``
            Distinct customers (int64).
        ``cards``
            Rows that hold the value, or one of the values (int64).
        ``active_cards``
            Those of status ACTIVE, whatever their expiry (int64).
        ``banks``, ``networks``
            Canonical names and networks of these rows, in alphabetical order, joined by ``; ``;
            null where none is known.
        ``first_saved_at``, ``last_saved_at``
            Least and greatest ``created_at`` (UTC).
        ``agrees``
            Whether all rows of a repeated_id have one status and one expiry; null for other kinds.

    Raises
    ------
    UsageError
        The threshold is below 2, a kind is unknown, or the source cannot be analysed.
    """
    opened = open_source(source, _NEEDED)
    with _members(opened, threshold, kinds, memory_limit_mb) as connection:
        _name_banks(connection, load_bank_names() if banks is None else banks)
        table = connection.sql(
            f"SELECT {_CASE_ID} AS case_id, kind, any_value(shared_id) AS shared_id, "  # noqa: S608  names are ours
            "any_value(shared_values) AS shared_values, "
            "count(DISTINCT customer_id) AS customers, count(*) AS cards, "
            "count(*) FILTER (instrument_status = 'ACTIVE') AS active_cards, "
            "string_agg(DISTINCT bank, '; ' ORDER BY bank) AS banks, "
            "string_agg(DISTINCT card_network, '; ' ORDER BY card_network) AS networks, "
            "min(created_at) AS first_saved_at, max(created_at) AS last_saved_at, "
            "CASE WHEN kind = 'repeated_id' "
            "THEN count(DISTINCT row(instrument_status, expires_on)) = 1 END AS agrees "
            "FROM members LEFT JOIN bank_of_spelling ON card_bank = spelling "
            "GROUP BY kind, value "
            f"ORDER BY customers DESC, cards DESC, {_KIND_ORDER}, case_id"
        ).to_arrow_table()
    return finding_table(
        _with_categories(table),
        opened,
        title=f"Shared identities in {opened.name}: {counted(len(table), 'case')}",
    )


def identity_members(
    source: ArrowStream,
    cases: pd.DataFrame | Iterable[str] | None = None,
    *,
    threshold: int = 2,
    kinds: Sequence[str] = IDENTITY_KINDS,
    memory_limit_mb: int = MEMORY_LIMIT_MB,
) -> ResultTable:
    """Return the rows behind cases, to follow a case to its cards.

    Parameters
    ----------
    source : Snapshot, or object with ``__arrow_c_stream__``
    cases : DataFrame or iterable of str, optional
        Rows of a table of `identity`, or values of its ``case_id``; all when not given.
    threshold, kinds, memory_limit_mb
        As for `identity`.

    Returns
    -------
    ResultTable
        One row a case and card, sorted by case, customer and place in the list: ``case_id``,
        ``kind``, ``customer_id``, ``instrument_id``, ``list_position``, ``instrument_status``,
        ``expires_on``, ``created_at``, ``card_network``, ``card_bank``, ``card_type``,
        ``last_four``, ``instrument_uid``, ``par``, as in the source.

    Raises
    ------
    UsageError
        As for `identity`, or a case is not there.
    """
    wanted = None if cases is None else _case_ids(cases)
    opened = open_source(source, _NEEDED)
    with _members(opened, threshold, kinds, memory_limit_mb) as connection:
        chosen = "TRUE" if wanted is None else "case_id IN (SELECT case_id FROM wanted)"
        connection.register("wanted", pa.table({"case_id": pa.array(wanted or [], pa.string())}))
        names = ", ".join(MEMBER_COLUMNS)
        table = connection.sql(
            f"SELECT case_id, kind, {names} FROM (SELECT *, {_CASE_ID} AS case_id FROM members) "  # noqa: S608  names are ours
            f"WHERE {chosen} ORDER BY {_KIND_ORDER}, case_id, customer_id, list_position, "
            "instrument_id, created_at, instrument_status, expires_on"
        ).to_arrow_table()
    missing = len(set(wanted or ()) - set(table["case_id"].to_pylist()))
    if missing:
        raise UsageError(
            f"{counted(missing, 'case')} of those given cannot be found in {opened.name}; no rows"
            " were returned; give cases of this source, with the threshold and kinds they were"
            " found with."
        )
    return finding_table(
        _with_categories(table),
        opened,
        title=f"Cards behind shared identities in {opened.name}",
    )


@contextmanager
def _members(
    source: Source, threshold: int, kinds: Sequence[str], memory_limit_mb: int
) -> Iterator[duckdb.DuckDBPyConnection]:
    if not isinstance(threshold, Real) or not 2 <= threshold < inf or threshold % 1:
        raise UsageError(
            f"A threshold of {threshold!r} makes no sense; nothing was counted; give a whole number"
            " from 2 on."
        )
    unknown = [kind for kind in kinds if kind not in IDENTITY_KINDS]
    if unknown:
        raise UsageError(
            f"There is no kind of case {unknown[0]!r}; nothing was counted; choose of"
            f" {', '.join(IDENTITY_KINDS)}."
        )
    with source.connection(memory_limit_mb=memory_limit_mb) as connection:
        find_members(connection, source.schema.names, threshold=int(threshold), kinds=kinds)
        yield connection


def _name_banks(connection: duckdb.DuckDBPyConnection, banks: Banks) -> None:
    found = connection.execute(
        "SELECT DISTINCT card_bank FROM members WHERE card_bank IS NOT NULL"
    ).fetchall()
    spellings = [row[0] for row in found]
    names = [banks.canonical(spelling) for spelling in spellings]
    table = {"spelling": pa.array(spellings, pa.string()), "bank": pa.array(names, pa.string())}
    connection.register("bank_of_spelling", pa.table(table))


def _case_ids(cases: pd.DataFrame | Iterable[str]) -> list[str]:
    if isinstance(cases, pd.DataFrame):
        if "case_id" not in cases.columns:
            raise UsageError(
                "The table of cases has no column case_id; no rows were returned; give rows of a"
                " table made by identity."
            )
        return [str(case) for case in cases["case_id"]]
    return [cases] if isinstance(cases, str) else [str(case) for case in cases]


def _with_categories(table: pa.Table) -> pa.Table:
    at = table.schema.get_field_index("kind")
    return table.set_column(at, "kind", table.column("kind").cast(CATEGORY))
