"""One card under several customers, one account behind several cards, ids that repeat."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pandas as pd
import pyarrow as pa

from tokenvault_data.analysis.cards.partial import finding_table
from tokenvault_data.analysis.cards.source import ArrowStream, Source, open_source
from tokenvault_data.analysis.identity_cases import (
    IDENTITY_KINDS,
    MEMBER_COLUMNS,
    find_members,
)
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.schema import CATEGORY
from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import duckdb

    from tokenvault_data.analysis.changes.sources import Banks
    from tokenvault_data.dataset.tables import ResultTable

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
    if threshold < 2 or threshold != int(threshold):
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
