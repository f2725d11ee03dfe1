"""Files that are there whole or not at all, whatever happens while they are written.

A file is written under a temporary name in its own folder, flushed to the disk, renamed, and the
folder is flushed, so that after a power cut either the old state or the new one is found. When
writing fails, for instance because the disk is full, the temporary file is removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from tokenvault_data.dataset.readers import open_parquet
from tokenvault_data.dataset.schema import TABLE_KEY, VERSION_KEY
from tokenvault_data.errors import SnapshotError, TokenVaultError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_KEPT: Final = (("manifest.json", "instruments", "a snapshot"), ("run.json", "parts", "a run"))
"""What a folder of ours holds that nobody else may write to: its record, and its rows."""


def check_place(path: Path, suffixes: tuple[str, ...]) -> None:
    """Raise UsageError unless a file of one of these suffixes can be meant by `path`."""
    if path.suffix.lower() not in suffixes:
        raise UsageError(
            f"Nothing was written: {path.name!r} does not end in {' or '.join(suffixes)}; rename"
            " it."
        )
    check_folder(path)


def check_folder(path: Path) -> None:
    """Raise UsageError unless a file may be put there: into no snapshot and no run, above all."""
    if not path.parent.is_dir():
        raise UsageError(
            f"Nothing was written: there is no directory {path.parent}; make it first."
        )
    if path.is_dir():
        raise UsageError(f"Nothing was written: {path} is a directory; name a file in it.")
    for folder in path.resolve().parents:
        for record, rows, kept in _KEPT:
            if (folder / record).is_file() and (folder / rows).is_dir():
                raise UsageError(
                    f"Nothing was written: {path} lies in {kept}, which a file of yours would"
                    " damage; choose another folder."
                )


def write_whole(path: Path, data: bytes) -> Path:
    """Write a file beside its place, then rename it, so that only a whole one replaces another.

    Raises
    ------
    TokenVaultError
        It cannot be written; what was there before is untouched.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise TokenVaultError(
            f"{path} was not written ({error.strerror or error}); what was there before is"
            " untouched. Make room, or choose another place."
        ) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
    return path


ROW_GROUP_ROWS = 1 << 16
"""Rows of a Parquet row group: some 6 MB on disk, a unit that readers take into memory whole."""

_TEMPORARY = ".tmp"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file that was written.

    Attributes
    ----------
    sha256 : str
        Hexadecimal digest of the content.
    size_bytes : int
    rows : int
        Rows of the table in it; 0 for a file that holds none.
    """

    sha256: str
    size_bytes: int
    rows: int = 0


class HashingFile:
    """A writable binary file that hashes what passes through it; Arrow can write to it.

    Parameters
    ----------
    raw : binary file
        Where the bytes go; written strictly from front to back.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._hash = hashlib.sha256()
        self._size_bytes = 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Write bytes or any buffer."""
        self._raw.write(data)
        self._hash.update(data)
        size = memoryview(data).nbytes
        self._size_bytes += size
        return size

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._size_bytes

    def flush(self) -> None:
        """Hand what is buffered to the operating system."""
        self._raw.flush()

    def close(self) -> None:
        """Accept no more; the file underneath stays open for its owner."""
        self.closed = True

    def facts(self, rows: int = 0) -> FileFacts:
        """Return digest and size of what was written so far."""
        return FileFacts(self._hash.hexdigest(), self._size_bytes, rows)


def fsync_directory(path: Path) -> None:
    """Flush the entries of a folder to the disk, where the system can."""
    if os.name == "nt":  # Windows has no such call; its renames are journalled
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def durable_file(path: Path) -> Iterator[HashingFile]:
    """Open a file for writing that takes its name only when all of it is on the disk.

    Parameters
    ----------
    path : pathlib.Path
        Final name; an existing file of that name is replaced. Its folder must exist.

    Yields
    ------
    HashingFile
        Where to write. When the block raises, nothing is left behind under either name.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_TEMPORARY}")
    try:
        with beside.open("xb") as raw:
            file = HashingFile(raw)
            yield file
            raw.flush()
            os.fsync(raw.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


def write_bytes(path: Path, data: bytes) -> FileFacts:
    """Write `data` durably under `path`."""
    with durable_file(path) as file:
        file.write(data)
    return file.facts()


def parquet_writer(file: HashingFile, schema: pa.Schema) -> pq.ParquetWriter:
    """Return a Parquet writer with the settings of every file of the toolkit."""
    return pq.ParquetWriter(
        pa.PythonFile(file, mode="w"),
        schema,
        compression="zstd",
        write_page_checksum=True,
        store_schema=True,
    )


def write_parquet(path: Path, table: pa.Table) -> FileFacts:
    """Write a table durably as one Parquet file.

    Parameters
    ----------
    path : pathlib.Path
    table : pyarrow.Table
        Of one of the pinned schemas; the schema and its metadata are stored in the file.
    """
    with durable_file(path) as file, parquet_writer(file, table.schema) as writer:
        writer.write_table(table.unify_dictionaries(), row_group_size=ROW_GROUP_ROWS)
    return file.facts(table.num_rows)


def check_schema(found: pa.Schema, wanted: pa.Schema, where: str) -> None:
    """Raise SnapshotError unless `found` has the names, types and version of `wanted`."""
    ours, theirs = wanted.metadata, found.metadata or {}
    if theirs.get(TABLE_KEY) != ours[TABLE_KEY]:
        raise SnapshotError(
            f"{where} is not a file of {ours[TABLE_KEY].decode()} written by this toolkit; "
            "nothing was read; open it with a general Parquet reader instead."
        )
    version = theirs.get(VERSION_KEY, b"?")
    if version != ours[VERSION_KEY]:
        raise SnapshotError(
            f"{where} has schema version {version.decode()} and this toolkit reads "
            f"{ours[VERSION_KEY].decode()}; nothing was read; use the toolkit that wrote it."
        )
    if not found.equals(wanted):
        raise SnapshotError(
            f"{where} does not have the columns its schema version promises; nothing was read; "
            "collect again or restore the file from a copy."
        )


def read_parquet(path: Path, schema: pa.Schema) -> pa.Table:
    """Read one Parquet file and check that it has `schema`.

    Raises
    ------
    SnapshotError
        The file is missing, truncated, corrupt, or of another schema.
    """
    try:
        with open_parquet(path, check_pages=True) as file:
            check_schema(file.schema_arrow, schema, path.name)
            return file.read()
    except (OSError, pa.ArrowException) as error:
        raise SnapshotError(
            f"{path.name} cannot be read ({type(error).__name__}); nothing was read; restore the "
            "file from a copy, or collect again."
        ) from error
