"""The one door through which a path reaches a program that reads files.

Such programs take more from a path than its file. DuckDB and Arrow read a folder ``column=value``
as a column, DuckDB and others expand ``*``, ``?`` and ``[``, and a name may pass for an address
or not be text at all. Here a path means one file, whatever it is called: Arrow is handed the opened
file, DuckDB a link of a name that says nothing, SQLite an escaped absolute address.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb
    import pyarrow.dataset as ds

_WITH_A_MEANING: Final = frozenset("*?[]")
_PLACES: Final = ("/tmp", "/var/tmp")  # noqa: S108  where the usual place has a name of signs


def open_file(path: Path) -> pa.NativeFile:
    """Open a file for Arrow, which reads it without the interpreter's lock."""
    return pa.OSFile(os.fsencode(path) if os.name == "posix" else str(path))


def map_file(path: Path) -> pa.MemoryMappedFile:
    """Open a file for Arrow, so that what is read of it stays on the disk."""
    return pa.memory_map(os.fsencode(path) if os.name == "posix" else str(path))


@contextmanager
def open_parquet(path: Path, *, check_pages: bool = False) -> Iterator[pq.ParquetFile]:
    """Open one Parquet file.

    Parameters
    ----------
    path : pathlib.Path
    check_pages : bool
        Whether the checksum of every page that is read is compared.
    """
    with (
        open_file(path) as source,
        pq.ParquetFile(source, page_checksum_verification=check_pages) as file,
    ):
        yield file


def parquet_dataset(paths: Sequence[Path], schema: pa.Schema) -> ds.Dataset:
    """Return Parquet files as one lazy Arrow dataset; only `schema` says what its columns are."""
    import pyarrow.dataset as ds  # loads pandas, which a glance at a manifest does not need
    from pyarrow.fs import LocalFileSystem

    form = ds.ParquetFileFormat()
    names = [str(path) for path in paths]
    if any("\ud800" <= sign <= "\udfff" for name in names for sign in name):
        # Bytes that are no text, which Arrow has no names for: these files stay open instead.
        fragments = [form.make_fragment(open_file(path)) for path in paths]
        return ds.FileSystemDataset(fragments, schema, form)
    return ds.FileSystemDataset.from_paths(
        names, schema=schema, format=form, filesystem=LocalFileSystem()
    )


@contextmanager
def open_duckdb(files: Mapping[str, Sequence[Path]]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB with a view for each name, which can reach no other file.

    Parameters
    ----------
    files : mapping of str to sequence of Path
        Parquet files by the name of their view; at least one each.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="tokenvault-", dir=_plain_place()) as place:
        views = {
            name: [_linked(path, Path(place) / f"{name}-{at}") for at, path in enumerate(paths)]
            for name, paths in files.items()
        }
        connection = duckdb.connect(":memory:")
        try:
            connection.execute(f"SET temp_directory = {_quoted(str(Path(place) / 'spill'))}")
            allowed = ", ".join(_quoted(link) for links in views.values() for link in links)
            connection.execute(f"SET allowed_paths = [{allowed}]")
            connection.execute("SET enable_external_access = false")
            for name, links in views.items():
                sources = ", ".join(map(_quoted, links))
                connection.execute(
                    f'CREATE VIEW "{name}" AS SELECT * FROM'  # noqa: S608  names are ours
                    f" read_parquet([{sources}], hive_partitioning = false)"
                )
            yield connection
        finally:
            connection.close()


def open_sqlite(path: Path, how: str, **settings: Any) -> sqlite3.Connection:
    """Open a SQLite file that is there.

    Parameters
    ----------
    path : pathlib.Path
    how : str
        Parameters of SQLite's address, e.g. ``mode=ro``.
    **settings
        Of `sqlite3.connect`.
    """
    opened: sqlite3.Connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}", uri=True, **settings
    )
    return opened


def _plain_place() -> str | None:
    """Return a folder for temporary files whose path DuckDB takes as it is."""
    for place in (tempfile.gettempdir(), *_PLACES):
        if not _WITH_A_MEANING & set(place) and os.access(place, os.W_OK):
            return place
    return None


def _linked(path: Path, link: Path) -> str:
    try:
        link.symlink_to(path.absolute())
    except OSError:  # Windows lets not everybody make links; its names hold fewer signs
        return str(path)
    return str(link)


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
