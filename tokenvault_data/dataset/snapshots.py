"""Published snapshots: finding them, verifying them, and reading them in bounded memory.

A store keeps its snapshots as ``STORE/snapshots/<id>/``, each with ``instruments/part-*.parquet``,
``outcomes/part-*.parquet`` and ``manifest.json``. A folder is a snapshot if and only if it has a
manifest; folders whose name begins with a dot are being written and are nobody else's concern.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from tokenvault_data.dataset.derived_dimensions import (
    DERIVED,
    derived_schema,
    derived_view,
    read_for,
    with_derived,
)
from tokenvault_data.dataset.durable_files import ROW_GROUP_ROWS, check_schema
from tokenvault_data.dataset.manifest import MANIFEST_NAME, FileEntry, Manifest, read_manifest
from tokenvault_data.dataset.readers import open_parquet, parquet_dataset
from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOMES
from tokenvault_data.dataset.today import day_of
from tokenvault_data.errors import SnapshotError, UsageError
from tokenvault_data.folders import entries
from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime
    from pathlib import Path

    import duckdb
    import pandas as pd
    import pyarrow.dataset as ds

    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.tables import ResultTable

SNAPSHOTS_FOLDER = "snapshots"
LATEST = "latest"

FULL_VERIFICATION_BYTES = 256 * 1024 * 1024
"""Snapshots up to this size are verified to the last byte whenever they are opened."""

Verification = Literal["auto", "quick", "full"]

_COPY = re.compile(r"(\d{8}T\d{6}Z-[0-9a-f]{6}|part-\d{5,})[^0-9a-f].*", re.DOTALL)
_PARQUET = b"PAR1"
_TABLES = {"instruments": INSTRUMENTS, "outcomes": OUTCOMES}


class Snapshot:
    """A published, verified, immutable set of instruments and outcomes.

    Made by :func:`open_snapshot`. Anything that reads the Arrow PyCapsule interface (Polars,
    DuckDB, pandas) reads the instruments straight from it.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self._path = path
        self._manifest = manifest

    @property
    def id(self) -> str:
        """Generated name, e.g. ``20261122T104800Z-3f9a1c``; the later, the greater."""
        return self._manifest.id

    @property
    def path(self) -> Path:
        """The snapshot's folder."""
        return self._path

    @property
    def manifest(self) -> Manifest:
        """What the snapshot says of itself: counts, times, files."""
        return self._manifest

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, which holds those of all files: the identity of the content."""
        return hashlib.sha256(self._manifest.to_json()).hexdigest()

    @property
    def complete(self) -> bool:
        """Whether no customer failed and none was left out."""
        return self._manifest.complete

    def __repr__(self) -> str:
        facts = self._manifest
        state = "complete" if facts.complete else "partial"
        return (
            f"<Snapshot {facts.id}: {state}, {facts.environment}, {facts.instruments:,} "
            f"instruments of {facts.requested:,} customers>"
        )

    def instruments(self) -> ds.Dataset:
        """Return the instruments as a lazy Arrow dataset, nothing of it read yet."""
        return self._dataset("instruments")

    def outcomes(self) -> ds.Dataset:
        """Return the outcomes, one row a requested customer, as a lazy Arrow dataset."""
        return self._dataset("outcomes")

    def iter_batches(
        self, columns: Sequence[str] | None = None, *, rows: int = ROW_GROUP_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """Read the instruments batch by batch, in order, holding one row group at a time.

        Parameters
        ----------
        columns : sequence of str, optional
            All when not given.
        rows : int
            At most so many rows a batch.
        """
        for entry in self._entries("instruments"):
            with open_parquet(self._path / entry.path) as file:
                yield from file.iter_batches(batch_size=rows, columns=_listed(columns))

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the instruments into one Arrow table."""
        return self.instruments().to_table(columns=_listed(columns)).unify_dictionaries()

    def to_pandas(
        self,
        columns: Sequence[str] | None = None,
        *,
        as_of: date | datetime | str | None = None,
        banks: BankNames | None = None,
    ) -> pd.DataFrame:
        """Read the instruments into a plain pandas DataFrame, one row a card.

        Text is ``str``, dates and instants are ``datetime64`` (instants in UTC), whole numbers
        ``int64``, or ``Int64`` where some are missing. Whatever displays ids, shows them masked;
        the data are whole (see `tokenvault_data.show_ids`).

        Parameters
        ----------
        columns : sequence of str, optional
            In this order; by default all of the files, and the derived ones behind them:
            ``bank``, ``expiry`` and ``expires_in``.
        as_of : date, datetime or str, optional
            The day that ``expires_in`` counts from; today in India when not given.
        banks : BankNames, optional
            Names of banks; those of the package when not given.

        Raises
        ------
        UsageError
            There is no such column.
        """
        from tokenvault_data.dataset.frames import to_frame

        return to_frame(self._read(columns, as_of=as_of, banks=banks))

    def with_derived(
        self, *, as_of: date | datetime | str | None = None, banks: BankNames | None = None
    ) -> pa.RecordBatchReader:
        """Read the instruments batch by batch, with the derived columns behind those of the files.

        The parameters are those of `to_pandas`. The description of each field says whether it is
        derived, and from what.
        """
        day = day_of(as_of)
        batches = (
            batch
            for stored in self.iter_batches()
            for batch in with_derived(
                pa.Table.from_batches([stored]), banks=banks, as_of=day
            ).to_batches()
        )
        return pa.RecordBatchReader.from_batches(derived_schema(INSTRUMENTS, day), batches)

    def _read(
        self,
        columns: Sequence[str] | None,
        *,
        as_of: date | datetime | str | None,
        banks: BankNames | None,
    ) -> pa.Table:
        every = [*INSTRUMENTS.names, *DERIVED]
        wanted = every if columns is None else list(columns)
        if unknown := [name for name in wanted if name not in every]:
            raise UsageError(
                f"There is no column {', '.join(map(repr, unknown))}; nothing was read; there are"
                f" {', '.join(every)}."
            )
        stored = self.to_arrow([name for name in INSTRUMENTS.names if name in read_for(wanted)])
        return with_derived(stored, banks=banks, as_of=day_of(as_of)).select(wanted)

    def sql(
        self,
        query: str,
        parameters: Sequence[object] = (),
        *,
        as_of: date | datetime | str | None = None,
        banks: BankNames | None = None,
    ) -> ResultTable:
        """Answer one SELECT over the tables ``instruments`` and ``outcomes``, with DuckDB.

        Nothing is loaded first and nothing can be changed; the query sees this snapshot only.

        Parameters
        ----------
        query : str
            DuckDB's SQL. ``?`` stands for a parameter. ``instruments`` has the derived columns
            ``bank``, ``expiry`` and ``expires_in`` as well.
        parameters : sequence
            Values of the parameters, in order.
        as_of : date, datetime or str, optional
            The day that ``expires_in`` counts from; today in India when not given.
        banks : BankNames, optional
            Names of banks; those of the package when not given.

        Returns
        -------
        ResultTable
            A DataFrame with the types of `to_pandas`, and a note where the snapshot is partial.

        Raises
        ------
        UsageError
            The query cannot be answered; the message says why.
        """
        from tokenvault_data.dataset.partial import partial_notes
        from tokenvault_data.dataset.query_ids import made_of_ids
        from tokenvault_data.dataset.sql import select
        from tokenvault_data.dataset.tables import result_table

        with self._connection("stored_instruments") as connection:
            derived_view(
                connection,
                "instruments",
                INSTRUMENTS.names,
                over="stored_instruments",
                banks=banks,
                as_of=day_of(as_of),
            )
            answer = select(connection, query, parameters)
        return result_table(
            answer, notes=partial_notes(self._manifest), ids=made_of_ids(query, answer.schema)
        )

    @contextmanager
    def connection(
        self, *, memory_limit_mb: int | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open DuckDB with this snapshot's files as the views ``instruments`` and ``outcomes``.

        Parameters
        ----------
        memory_limit_mb : int, optional
            Where it begins to spill to a temporary folder.
        """
        with self._connection("instruments", memory_limit_mb) as connection:
            yield connection

    @contextmanager
    def _connection(
        self, instruments: str, memory_limit_mb: int | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        from tokenvault_data.dataset.sql import connection_to

        views = {instruments: "instruments", "outcomes": "outcomes"}
        files = {view: self.files(table) for view, table in views.items()}
        missing = {view: _TABLES[views[view]].empty_table() for view in views if not files[view]}
        present = {view: paths for view, paths in files.items() if paths}
        with connection_to(present, missing, memory_limit_mb=memory_limit_mb) as connection:
            yield connection

    def files(self, table: str) -> list[Path]:
        """Return the Parquet files of a table, in order."""
        return [self._path / entry.path for entry in self._entries(table)]

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        reader = pa.RecordBatchReader.from_batches(INSTRUMENTS, self.iter_batches())
        return reader.__arrow_c_stream__(requested_schema)

    def _entries(self, table: str) -> list[FileEntry]:
        return [e for e in self._manifest.files if e.path.startswith(f"{table}/")]

    def _dataset(self, table: str) -> ds.Dataset:
        return parquet_dataset(self.files(table), _TABLES[table])


def _listed(columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else list(columns)


@dataclass(frozen=True, slots=True)
class SnapshotListing:
    """One folder of a store, as a list of snapshots shows it.

    Attributes
    ----------
    id : str
        Name of the folder.
    path : pathlib.Path
    manifest : Manifest or None
        None when it cannot be read.
    damage : str or None
        Why the folder cannot be opened; None when a quick verification found nothing.
    """

    id: str
    path: Path
    manifest: Manifest | None
    damage: str | None


def open_snapshot(
    store: str | Path,
    reference: str | Path = LATEST,
    *,
    environment: str | None = None,
    verify: Verification = "auto",
) -> Snapshot:
    """Open a published snapshot and verify it.

    Parameters
    ----------
    store : str or pathlib.Path
        Folder of the store, or of one snapshot (then without `reference`).
    reference : str or pathlib.Path
        An id, the path of a snapshot's folder, or ``latest``: the newest complete snapshot, or,
        where none is complete, the newest partial one.
    environment : str, optional
        Only snapshots of this environment.
    verify : {"auto", "quick", "full"}
        ``quick`` checks the manifest's digest and the size, footer and schema of every file;
        ``full`` also every byte against its digest; ``auto`` is full up to 256 MB.

    Raises
    ------
    SnapshotError
        There is no such snapshot, or it is damaged or foreign.
    """
    store = local_path(store)
    if reference == LATEST:
        path = store if (store / MANIFEST_NAME).exists() else _latest(store, environment)
    else:
        path = _find(store, reference)
    manifest = _manifest_of(path)
    if environment is not None and manifest.environment != environment:
        raise SnapshotError(
            f"Snapshot {manifest.id} is of environment {manifest.environment}, not {environment}; "
            "nothing was read; choose another snapshot or the other environment."
        )
    _verify(path, manifest, verify)
    return Snapshot(path, manifest)


def list_snapshots(store: str | Path) -> list[SnapshotListing]:
    """Return what stands in the snapshots folder of a store, newest first, damaged ones too."""
    listings = []
    for path in _folders(local_path(store)):
        manifest, damage = None, None
        try:
            manifest = _manifest_of(path)
            _verify(path, manifest, "quick")
        except SnapshotError as error:
            damage = str(error)
        listings.append(SnapshotListing(path.name, path, manifest, damage))
    return sorted(
        listings,
        key=lambda one: (one.manifest.created_at if one.manifest else "", one.id),
        reverse=True,
    )


def _folders(store: Path) -> list[Path]:
    found = {path.name: path for path in entries(store / SNAPSHOTS_FOLDER) if path.is_dir()}
    return [path for name, path in found.items() if _copied_name(name) not in found]


def _copied_name(name: str) -> str | None:
    """Return which snapshot a folder is a copy of that synchronisation made, told by its name."""
    copied = _COPY.fullmatch(name)
    return None if copied is None else copied[1]


def newest_manifests(store: Path, count: int) -> list[Manifest]:
    """Return the manifests of the last snapshots of a store that can be read, newest first."""
    found = []
    for path in sorted(_folders(store), reverse=True)[:count]:
        with suppress(SnapshotError):
            found.append(_manifest_of(path))
    return found


def _latest(store: Path, environment: str | None) -> Path:
    known: list[tuple[bool, str, Path]] = []
    unknown: list[tuple[str, SnapshotError]] = []
    for path in _folders(store):
        if not (path / MANIFEST_NAME).exists():
            continue  # not a snapshot, by definition
        try:
            manifest = _manifest_of(path)
        except SnapshotError as error:
            unknown.append((path.name, error))
            continue
        if environment in {None, manifest.environment}:
            known.append((manifest.complete, manifest.created_at, path))
    best = max(known, default=None)
    for name, damage in unknown:
        if best is None or name > best[2].name:  # ids begin with their time
            raise damage
    if best is None:
        kind = "snapshot" if environment is None else f"snapshot of environment {environment}"
        raise SnapshotError(
            f"There is no {kind} in {store}; nothing was read; collect one, or name another store."
        )
    return best[2]


def _find(store: Path, reference: str | Path) -> Path:
    given = local_path(reference)
    for path in (store / SNAPSHOTS_FOLDER / given, given):
        if path.is_dir() and path.name:
            return path
    raise SnapshotError(
        f"There is no snapshot {reference} in {store}; nothing was read; list the snapshots to see "
        "which there are."
    )


def _manifest_of(path: Path) -> Manifest:
    path = path.resolve()
    try:
        data = (path / MANIFEST_NAME).read_bytes()
    except FileNotFoundError:
        raise SnapshotError(
            f"{path.name} is not a snapshot: it has no manifest; nothing was read; give the id or "
            "the folder of a published snapshot."
        ) from None
    except OSError as error:
        raise SnapshotError(
            f"The manifest of {path.name} cannot be read ({error.strerror}); nothing was done; "
            "check the permissions and the disk."
        ) from error
    if path.name.startswith("."):
        raise SnapshotError(
            f"{path.name} is a snapshot that was never published; nothing was read; run its "
            "collection again."
        )
    return read_manifest(data, path.name)


def _verify(path: Path, manifest: Manifest, how: Verification) -> None:
    total_bytes = sum(entry.size_bytes for entry in manifest.files)
    full = how == "full" or (how == "auto" and total_bytes <= FULL_VERIFICATION_BYTES)
    named = {entry.path for entry in manifest.files}
    for table in _TABLES:
        for file in entries(path / table):
            if f"{table}/{file.name}" not in named and _is_foreign_data(file, table, named):
                _refuse(manifest, f"holds {table}/{file.name}, which its manifest does not name")
    for entry in manifest.files:
        problem = _problem(path / entry.path, entry, full=full)
        if problem is not None:
            _refuse(manifest, f"is damaged: {entry.path} {problem}")


def _is_foreign_data(file: Path, table: str, named: set[str]) -> bool:
    """Say whether a file may be read as rows by those who read the folder, and is not one of ours.

    What is no Parquet file is nobody's rows; copies that synchronisation makes of a file that the
    manifest names are known by their names.
    """
    if file.is_dir():
        return any(_is_foreign_data(inner, table, named) for inner in entries(file))
    if f"{table}/{_copied_name(file.stem)}.parquet" in named:
        return False
    try:
        with file.open("rb") as content:
            is_parquet = content.read(len(_PARQUET)) == _PARQUET
    except OSError:
        return True
    return is_parquet or file.suffix.lower() == ".parquet"


def _refuse(manifest: Manifest, problem: str) -> None:
    raise SnapshotError(
        f"Snapshot {manifest.id} {problem}; nothing was read; restore the folder from a copy, or "
        "remove it and open another snapshot."
    )


def _problem(path: Path, entry: FileEntry, *, full: bool) -> str | None:
    try:
        if path.stat().st_size != entry.size_bytes:
            return "is not of the size it was published with"
        if full:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
                    return "is not what was published"
        with open_parquet(path) as parquet:
            if parquet.metadata.num_rows != entry.rows:
                return "does not hold the rows it was published with"
            check_schema(parquet.schema_arrow, _TABLES[entry.path.split("/")[0]], entry.path)
    except FileNotFoundError:
        return "is missing"
    except (OSError, pa.ArrowException, SnapshotError) as error:
        return f"cannot be read ({type(error).__name__})"
    return None
