"""SQL over the files of a snapshot, with DuckDB: nothing is loaded first, nothing can be changed.

A connection sees the snapshot's own files and no others: it cannot read or write elsewhere, fetch
extensions, or pick up variables of the program around it.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from tokenvault_data.arguments import needed
from tokenvault_data.dataset.readers import open_duckdb
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa


@contextmanager
def connection_to(
    files: Mapping[str, Sequence[Path]],
    tables: Mapping[str, pa.Table],
    *,
    memory_limit_mb: int | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB in which Parquet files and Arrow tables stand as views.

    Parameters
    ----------
    files : mapping of str to sequence of Path
        Parquet files by the name of their view; at least one each.
    tables : mapping of str to pyarrow.Table
        Arrow tables by name.
    memory_limit_mb : int, optional
        Where DuckDB begins to spill to a temporary folder; most of the machine's memory by default.

    Yields
    ------
    duckdb.DuckDBPyConnection
        Closed, and its temporary files removed, at the end of the block. Times are UTC.
    """
    with open_duckdb(files) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET preserve_insertion_order = false")
        if memory_limit_mb is not None:
            connection.execute(f"SET memory_limit = '{memory_limit_mb}MB'")
        for name, table in tables.items():
            connection.register(name, table)
        connection.execute("SET lock_configuration = true")
        yield connection


_ABOUT_VALUES = (
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.OutOfRangeException,
)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def select(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()
) -> pa.Table:
    """Run one query somebody has typed and return its rows.

    Raises
    ------
    UsageError
        It is not SQL, names what is not there, or asks for something else than rows.
    """
    query = needed(query, str, "A query as text")
    try:
        statements = connection.extract_statements(query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise UsageError(
                "A snapshot answers exactly one SELECT and changes nothing; nothing was run; give"
                " one query over `instruments` and `outcomes`."
            )
        return connection.sql(query, params=list(parameters)).to_arrow_table()
    except duckdb.Error as error:
        reason = " ".join(str(error).split())
        if isinstance(error, _ABOUT_VALUES):  # quotes the value, which may be an id
            reason = _QUOTED.sub("'…'", reason)
        raise UsageError(
            f"The query was not answered: {reason}. The tables are `instruments` and `outcomes`;"
            " docs/columns.md says what their columns mean."
        ) from None
