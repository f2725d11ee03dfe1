"""Publishing a snapshot: written beside, manifest last, visible by one rename.

The tables go into a hidden folder ``STORE/snapshots/.<id>.partial``. Publishing flushes them,
writes the manifest, makes all files read-only and renames the folder, so that at any instant there
is either no such snapshot or a whole one.
"""

from __future__ import annotations

import contextlib
import math
import re
import secrets
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.dataset.durable_files import (
    ROW_GROUP_ROWS,
    FileFacts,
    HashingFile,
    durable_file,
    fsync_directory,
    parquet_writer,
    write_bytes,
)
from tokenvault_data.dataset.flattening.canonical import count_codes
from tokenvault_data.dataset.manifest import MANIFEST_NAME, FileEntry, Manifest, toolkit_version
from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOME_NAMES, OUTCOMES
from tokenvault_data.dataset.snapshots import SNAPSHOTS_FOLDER, Snapshot, newest_manifests
from tokenvault_data.errors import SnapshotError
from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


ENOUGH: Final = 20
"""Customers answered below which a share says nothing."""

MORE: Final = 0.10
"""A share of customers without cards this much above the usual one is said, if it is not chance."""

MUCH: Final = 0.50
"""A share that is said where there is nothing to compare with."""

_SIGMAS: Final = 4.0


def unusual_share(outcomes: Mapping[str, int], earlier: Sequence[Manifest]) -> str | None:
    """Say in a sentence that customers without cards are unusually many; None where they are not.

    Parameters
    ----------
    outcomes : mapping of str to int
        Customers by outcome.
    earlier : sequence of Manifest
        Snapshots of the same account; those with a notice of their own are no measure.
    """
    answered = outcomes["fetched"] + outcomes["empty"]
    if answered < ENOUGH:
        return None
    share = outcomes["empty"] / answered
    known = [one.outcomes for one in earlier if not one.notices]
    measured = sum(one["fetched"] + one["empty"] for one in known)
    said = f"{outcomes['empty']:,} of {answered:,} customers ({share:.0%}) have no cards"
    if measured < ENOUGH:
        if share < MUCH:
            return None
        return f"{said}: check that the list names customers, and in the right spelling."
    usual = sum(one["empty"] for one in known) / measured
    spread = max(usual, 1 / measured)
    chance = _SIGMAS * math.sqrt(spread * (1 - spread) * (1 / answered + 1 / measured))
    if share <= usual + max(MORE, chance):
        return None
    return (
        f"{said}, and {usual:.0%} had none in earlier snapshots: check that the list names"
        " customers, and in the right spelling."
    )


ROWS_PER_FILE = 64 * ROW_GROUP_ROWS
"""Rows after which a new file is begun: 4,194,304, some 350 MB."""


class PartWriter:
    """Collects tables into row groups and row groups into files ``part-00000.parquet`` and on.

    At most one row group, and the table just added, is held in memory.

    Parameters
    ----------
    folder : pathlib.Path
        Made if need be.
    schema : pyarrow.Schema
    rows_per_file : int
        Begin a new file after so many rows.
    """

    def __init__(
        self, folder: Path, schema: pa.Schema, *, rows_per_file: int = ROWS_PER_FILE
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._schema = schema
        self._rows_per_file = rows_per_file
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._rows_in_file = 0
        self._open: contextlib.ExitStack | None = None
        self._file: HashingFile | None = None
        self._done: dict[str, FileFacts] = {}

    def add(self, table: pa.Table) -> None:
        """Take over a table of the schema; it is on the disk after :meth:`close`."""
        self._pending.append(table.cast(self._schema))
        self._pending_rows += table.num_rows
        while self._pending_rows >= ROW_GROUP_ROWS:
            self._flush(ROW_GROUP_ROWS)

    def close(self) -> dict[str, FileFacts]:
        """Write what is pending; return the facts of every file by its name."""
        if self._pending_rows or (not self._done and self._open is None):
            self._flush(self._pending_rows)
        self._finish_file()
        return self._done

    def abort(self) -> None:
        """Leave the file that is being written, and remove it."""
        if self._open is not None:
            stack, self._open = self._open, None
            with contextlib.suppress(_Aborted, OSError):
                stack.__exit__(_Aborted, _Aborted(), None)

    def _flush(self, rows: int) -> None:
        table = pa.concat_tables(self._pending) if self._pending else self._schema.empty_table()
        rest = table.slice(rows)
        self._pending = [rest] if rest.num_rows else []
        self._pending_rows = rest.num_rows
        if self._open is None:
            self._start_file()
        group = table.slice(0, rows).unify_dictionaries().combine_chunks()
        self._writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
        self._rows_in_file += rows
        if self._rows_in_file >= self._rows_per_file:
            self._finish_file()

    def _name(self) -> str:
        return f"part-{len(self._done):05d}.parquet"

    def _start_file(self) -> None:
        with contextlib.ExitStack() as stack:
            self._file = stack.enter_context(durable_file(self._folder / self._name()))
            self._writer = stack.enter_context(parquet_writer(self._file, self._schema))
            self._open = stack.pop_all()
        self._rows_in_file = 0

    def _finish_file(self) -> None:
        if self._open is None or self._file is None:
            return
        stack, self._open = self._open, None
        stack.close()
        self._done[self._name()] = self._file.facts(self._rows_in_file)


class _Aborted(Exception):  # noqa: N818 - a signal between two methods, never seen outside
    """Makes the open files roll back."""


_STALE_SECONDS = 3600.0
_COMPARED = 12  # snapshots, so that a store of years costs no more than one of a year
_DIGEST = re.compile(r"[0-9a-f]{6,64}")


def new_snapshot_id(now: datetime) -> str:
    """Return a generated id that sorts by time, e.g. ``20261122T104800Z-3f9a1c``."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True)
class CollectionFacts:
    """What a snapshot records of the collection behind it.

    Attributes
    ----------
    requested : int
        Customers asked for.
    environment : str
    api_version : str
    started_at, finished_at : datetime.datetime
        With a zone.
    merchant : str or None
        Hexadecimal keyed digest of the account, 6 to 64 digits; never a credential.
    notices : tuple of str
        What somebody should look at, a sentence each, without ids.
    vault : str or None
        What an emulated vault calls itself.
    """

    requested: int
    environment: str
    api_version: str
    started_at: datetime
    finished_at: datetime
    merchant: str | None = None
    notices: tuple[str, ...] = ()
    vault: str | None = None


class SnapshotWriter:
    """Writes one snapshot in bounded memory; a context manager that undoes what is not published.

    Parameters
    ----------
    store : str or pathlib.Path
        Folder of the store; made if need be.
    now : datetime.datetime, optional
        When the snapshot is made; the current time when not given.
    rows_per_file : int
        Begin a new Parquet file after so many rows.

    Examples
    --------
    ::

        with SnapshotWriter(store) as writer:
            writer.add(instruments, outcomes)
            snapshot = writer.publish(facts)
    """

    def __init__(
        self,
        store: str | Path,
        *,
        now: datetime | None = None,
        rows_per_file: int = ROWS_PER_FILE,
    ) -> None:
        self._root = local_path(store) / SNAPSHOTS_FOLDER
        self._root.mkdir(parents=True, exist_ok=True)
        remove_stale(self._root)
        self._now = datetime.now(UTC) if now is None else now.astimezone(UTC)
        self.id = new_snapshot_id(self._now)
        self._staging = self._root / f".{self.id}.partial"
        self._staging.mkdir()
        self._parts = {
            "instruments": PartWriter(
                self._staging / "instruments", INSTRUMENTS, rows_per_file=rows_per_file
            ),
            "outcomes": PartWriter(
                self._staging / "outcomes", OUTCOMES, rows_per_file=rows_per_file
            ),
        }
        self._instruments = 0
        self._listed = 0
        self._positions = bytearray()  # one byte a customer, so a million cost a megabyte
        self._outcomes: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._anomalies: Counter[tuple[str, str]] = Counter()
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def add(self, instruments: pa.Table, outcomes: pa.Table) -> None:
        """Add rows, in the order in which they shall be read.

        Parameters
        ----------
        instruments : pyarrow.Table
            ``INSTRUMENTS``; may be empty.
        outcomes : pyarrow.Table
            ``OUTCOMES``; may be empty.

        Raises
        ------
        SnapshotError
            A requested position has more than one outcome.
        """
        self._count_outcomes(outcomes)
        self._instruments += instruments.num_rows
        self._anomalies += count_codes(instruments.column("anomalies").chunks)
        self._parts["instruments"].add(instruments)
        self._parts["outcomes"].add(outcomes)

    def publish(self, facts: CollectionFacts) -> Snapshot:
        """Make everything durable and the snapshot visible.

        Raises
        ------
        SnapshotError
            The rows do not add up to what was requested; nothing is published.
        """
        self._check(facts)
        files = [
            FileEntry(f"{table}/{name}", done.sha256, done.size_bytes, done.rows)
            for table, part in self._parts.items()
            for name, done in part.close().items()
        ]
        fsync_directory(self._staging)
        manifest = self._manifest(facts, files)
        write_bytes(self._staging / MANIFEST_NAME, manifest.to_json())
        for name in (MANIFEST_NAME, *(entry.path for entry in files)):
            (self._staging / name).chmod(0o444)
        final = self._root / self.id
        self._staging.rename(final)
        self._open = False
        fsync_directory(self._root)
        return Snapshot(final, manifest)

    def abort(self) -> None:
        """Remove what was written, unless it was published; may be called twice."""
        if not self._open:
            return
        self._open = False
        for part in self._parts.values():
            part.abort()
        shutil.rmtree(self._staging, ignore_errors=True)

    def _count_outcomes(self, outcomes: pa.Table) -> None:
        for position in outcomes.column("position").to_pylist():
            if position >= len(self._positions):
                self._positions.extend(bytes(max(position + 1 - len(self._positions), 65536)))
            if self._positions[position]:
                raise SnapshotError(
                    f"Customer number {position} of the list has two outcomes; nothing was "
                    "published; this is a fault of the toolkit, please report it."
                )
            self._positions[position] = 1
        self._outcomes += _counts(outcomes.column("outcome"))
        failed = outcomes.filter(pc.equal(outcomes.column("outcome").cast("string"), "failed"))
        self._failures += _counts(failed.column("cause"))
        answered = outcomes.filter(pc.is_null(outcomes.column("cause")))
        if silent := answered.num_rows - answered.column("detail").null_count:
            self._anomalies["list", "null"] += silent
        self._listed += pc.sum(outcomes.column("instruments")).as_py() or 0

    def _check(self, facts: CollectionFacts) -> None:
        given = sum(self._outcomes.values())
        beyond = any(self._positions[facts.requested :])
        if given != facts.requested or beyond or set(self._outcomes) - set(OUTCOME_NAMES):
            raise SnapshotError(
                f"{facts.requested:,} customers were requested and {given:,} have an outcome; "
                "nothing was published; run the collection again to complete it."
            )
        if self._listed != self._instruments:
            raise SnapshotError(
                f"The outcomes name {self._listed:,} instruments and {self._instruments:,} were "
                "written; nothing was published; run the collection again."
            )
        if facts.merchant is not None and not _DIGEST.fullmatch(facts.merchant):
            raise SnapshotError(
                "The merchant given is not a digest of 6 to 64 hexadecimal digits and may be a "
                "credential; nothing was published; pass a keyed digest, or None."
            )

    def _manifest(self, facts: CollectionFacts, files: list[FileEntry]) -> Manifest:
        anomalies: dict[str, dict[str, int]] = {}
        for (field, kind), count in sorted(self._anomalies.items()):
            anomalies.setdefault(field, {})[kind] = count
        return Manifest(
            id=self.id,
            created_at=_text(self._now),
            started_at=_text(facts.started_at),
            finished_at=_text(facts.finished_at),
            environment=facts.environment,
            merchant=facts.merchant,
            api_version=facts.api_version,
            requested=facts.requested,
            outcomes={name: self._outcomes[name] for name in OUTCOME_NAMES},
            failures=dict(self._failures),
            instruments=self._instruments,
            complete=not (self._outcomes["failed"] or self._outcomes["not_attempted"]),
            anomalies=anomalies,
            files=tuple(files),
            toolkit_version=toolkit_version(),
            notices=(*facts.notices, *filter(None, [self._unusual(facts)])),
            vault=facts.vault,
        )

    def _unusual(self, facts: CollectionFacts) -> str | None:
        earlier = [
            one
            for one in newest_manifests(self._root.parent, _COMPARED)
            if (one.environment, one.merchant) == (facts.environment, facts.merchant)
        ]
        return unusual_share(self._outcomes, earlier)


def _counts(column: pa.ChunkedArray) -> Counter[str]:
    pairs = pc.value_counts(column.cast("string")).to_pylist()
    return Counter({pair["values"] or "unknown": pair["counts"] for pair in pairs})


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def remove_stale(root: Path) -> None:
    """Remove folders of writers that died: hidden ones in which nothing changed for an hour."""
    for staging in root.glob(".*.partial"):
        changes = [staging.stat().st_mtime]
        changes += [path.stat().st_mtime for path in staging.rglob("*") if path.exists()]
        if time.time() - max(changes) > _STALE_SECONDS:
            shutil.rmtree(staging, ignore_errors=True)
