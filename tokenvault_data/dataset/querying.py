"""SQL over the files of a snapshot, with DuckDB: nothing is loaded first, nothing can be changed.

A connection sees the snapshot's own files and no others: it cannot read or write elsewhere, fetch
extensions, or pick up variables of the program around it.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

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
    with tempfile.TemporaryDirectory(prefix="tokenvault-") as spill:
        connection = duckdb.connect(":memory:")
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET python_enable_replacements = false")
            connection.execute("SET preserve_insertion_order = false")
            connection.execute(f"SET temp_directory = {_quoted(spill)}")
            if memory_limit_mb is not None:
                connection.execute(f"SET memory_limit = '{memory_limit_mb}MB'")
            allowed = ", ".join(_quoted(str(path)) for paths in files.values() for path in paths)
            connection.execute(f"SET allowed_paths = [{allowed}]")
            connection.execute("SET enable_external_access = false")
            for name, paths in files.items():
                sources = ", ".join(_quoted(str(path)) for path in paths)
                connection.execute(
                    f'CREATE VIEW "{name}" AS SELECT * FROM read_parquet([{sources}])'  # noqa: S608  names are ours
                )
            for name, table in tables.items():
                connection.register(name, table)
            connection.execute("SET lock_configuration = true")
            yield connection
        finally:
            connection.close()


def select(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()
) -> pa.Table:
    """Run one query somebody has typed and return its rows.

    Raises
    ------
    UsageError
        It is not SQL, names what is not there, or asks for something else than rows.
    """
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
        raise UsageError(
            f"The query was not answered: {reason}. The tables are `instruments` and `outcomes`;"
            " docs/columns.md says what their columns mean."
        ) from None


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
