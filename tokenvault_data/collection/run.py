"""A collection on disk: what was asked for, and the parts of what came back so far.

::

    STORE/runs/<run id>/
        run.json                      what is collected, for whom; written once
        customers.parquet             the requested ids, in order; written once
        parts/000001-instruments.parquet
        parts/000001-outcomes.parquet
        published.json                the snapshots published of this run
        rate.json                     what was learned of a limit that the vault does not tell
        lock                          held by the process that works on it

A part counts from the moment its outcomes file has its name, which it gets last. Pending is what
was requested less what has an outcome, so going on after a crash is the normal path.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.dataset.durable_files import read_parquet, write_bytes, write_parquet
from tokenvault_data.errors import CollectionError, Locked, SnapshotError, UsageError
from tokenvault_data.folders import named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


_OUTCOMES_OF_PART: Final = re.compile(r"\d{6,}-outcomes\.parquet")


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is collected, and for whom.

    Attributes
    ----------
    environment, merchant, api_version : str
        Of the profile; `merchant` is a digest, never a credential.
    customers_digest : str
        Of the requested ids in their order.
    requested : int
        How many they are.
    list_notices : tuple of str
        What the snapshot has to say about the list they were read from.
    """

    environment: str
    merchant: str
    api_version: str
    customers_digest: str
    requested: int
    list_notices: tuple[str, ...] = field(default=(), compare=False)


@dataclass(slots=True)
class RunState:
    """Which requested customers have an outcome.

    Attributes
    ----------
    part_of : array of int32, one for each requested customer
        Number of the part that holds its latest outcome; 0 while it has none.
    failed : array of bool, one for each requested customer
        Whether that outcome is a failure.
    last_part : int
        The highest number in use.
    """

    part_of: npt.NDArray[np.int32]
    failed: npt.NDArray[np.bool_]
    last_part: int

    def pending(self, *, retry_failed: bool) -> npt.NDArray[np.int64]:
        """Positions still to be fetched, in order."""
        import numpy as np

        missing = self.part_of == 0
        return np.flatnonzero(missing | self.failed if retry_failed else missing)

    def first_answered(self) -> int | None:
        """Position of the first customer that the vault has answered; None without one."""
        answered = (self.part_of > 0) & ~self.failed
        return int(answered.argmax()) if answered.any() else None


@dataclass(frozen=True, slots=True)
class Publication:
    """A snapshot of a run.

    Attributes
    ----------
    snapshot_id : str
    last_part : int
        The last part of the run that is in it.
    complete : bool
        Whether no customer failed; then the run is over.
    """

    snapshot_id: str
    last_part: int
    complete: bool


class Run:
    """One collection, in its folder. Made by `create_run`, `open_run` or `find_resumable`."""

    def __init__(self, path: Path, facts: RunFacts, started_at: datetime) -> None:
        self.path = path
        self.facts = facts
        self.started_at = started_at
        self._next_part = 1
        self._writing = threading.Lock()
        self._is_ours = False

    @property
    def run_id(self) -> str:
        """Name of the run, as `--resume` takes it."""
        return self.path.name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes off this run; only meanwhile it can be written to.

        Raises
        ------
        Locked
            Another process works on it.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / "lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise Locked(
                f"run {self.run_id} is being worked on by another process; nothing was done."
                " Wait for it, or stop it first"
            ) from None
        self._is_ours = True
        try:
            yield
        finally:
            with self._writing:  # the thread of a cancelled writer may still be at it
                self._is_ours = False
                lock.release()

    def is_worked_on(self) -> bool:
        """Whether somebody holds the lock at this moment; nothing is written."""
        from filelock import FileLock, Timeout

        if self._is_ours:
            return True
        path = self.path / "lock"
        if not path.exists():
            return False
        try:
            with FileLock(path, timeout=0):
                return False
        except Timeout:
            return True

    # -- what was asked for, and what came back ---------------------------------------------------

    def customers(self) -> pa.Array:
        """The requested ids, in order."""
        try:
            table = read_parquet(self.path / "customers.parquet", customers_schema())
        except SnapshotError as error:
            raise self._damaged(str(error)) from error
        if table.num_rows != self.facts.requested:
            raise self._damaged(f"its list holds {table.num_rows:,} customers")
        return table.column("customer_id").combine_chunks()

    def standing(self) -> RunState:
        """Read which customers have an outcome, from the parts."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        standing = RunState(
            part_of=np.zeros(self.facts.requested, dtype=np.int32),
            failed=np.zeros(self.facts.requested, dtype=np.bool_),
            last_part=0,
        )
        for number in self.part_numbers():
            outcomes = self.read_outcomes(number)
            positions = outcomes.column("position").to_numpy()
            standing.part_of[positions] = number
            failed = pc.equal(outcomes.column("outcome").cast(pa.string()), "failed")
            standing.failed[positions] = failed.to_numpy()
            standing.last_part = number
        self._next_part = standing.last_part + 1
        return standing

    def write_part(self, instruments: pa.Table, outcomes: pa.Table) -> None:
        """Make one part durable; it counts once this returns, and not before the last step."""
        with self._writing:
            if not self._is_ours:
                raise CollectionError(f"run {self.run_id} was given up; the part was not written")
            write_parquet(self._part(self._next_part, "instruments"), instruments)
            write_parquet(self._part(self._next_part, "outcomes"), outcomes)
            self._next_part += 1

    def read_instruments(self, number: int) -> pa.Table:
        """The instruments of one part."""
        from tokenvault_data.dataset.schema import INSTRUMENTS

        return self._read_part(number, "instruments", INSTRUMENTS)

    def read_outcomes(self, number: int) -> pa.Table:
        """The outcomes of one part."""
        from tokenvault_data.dataset.schema import OUTCOMES

        return self._read_part(number, "outcomes", OUTCOMES)

    def drop_parts(self) -> None:
        """Remove the parts, once all they hold is in a complete snapshot."""
        shutil.rmtree(self.path / "parts", ignore_errors=True)

    def part_numbers(self) -> list[int]:
        """Numbers of the parts that count, oldest first."""
        paths = named(self.path / "parts", _OUTCOMES_OF_PART)
        return sorted(int(path.name.split("-")[0]) for path in paths)

    def last_active_at(self) -> datetime:
        """When something was last written to the run."""
        paths = [path for path in (self.path, self.path / "parts") if path.exists()]
        return datetime.fromtimestamp(max(path.stat().st_mtime for path in paths), UTC)

    # -- what was published -----------------------------------------------------------------------

    @property
    def publications(self) -> list[Publication]:
        """The snapshots published of this run, oldest first; one may have been removed since."""
        snapshots = self.path.parent.parent / "snapshots"
        return [
            noted
            for noted in self._read_published()[0]
            if (snapshots / noted.snapshot_id / "manifest.json").is_file()
        ]

    @property
    def is_complete(self) -> bool:
        """Whether a complete snapshot was published; then the parts are wanted no more."""
        return any(publication.complete for publication in self.publications)

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end, with failures perhaps; going on is then a decision."""
        return self._read_published()[1]

    def note_publishing(self, publication: Publication) -> None:
        """Note a snapshot before it is published, so that no crash can publish it twice."""
        self._write_published([*self.publications, publication], finished=False)

    def finish(self) -> None:
        """Note that the run came to its end."""
        self._write_published(self.publications, finished=True)

    def _read_published(self) -> tuple[list[Publication], bool]:
        try:
            content = json.loads((self.path / "published.json").read_bytes())
            return [Publication(**noted) for noted in content["snapshots"]], content["finished"]
        except FileNotFoundError:
            return [], False
        except (ValueError, TypeError, KeyError) as error:
            raise self._damaged("published.json cannot be read") from error

    def _write_published(self, publications: list[Publication], *, finished: bool) -> None:
        content = {"snapshots": [asdict(noted) for noted in publications], "finished": finished}
        write_bytes(self.path / "published.json", json.dumps(content).encode())

    # -- files ------------------------------------------------------------------------------------

    def _part(self, number: int, table: str) -> Path:
        return self.path / "parts" / f"{number:06d}-{table}.parquet"

    def _read_part(self, number: int, table: str, schema: pa.Schema) -> pa.Table:
        try:
            return read_parquet(self._part(number, table), schema)
        except SnapshotError as error:
            raise CollectionError(
                f"part {number} of run {self.run_id} was damaged ({error}). Nothing was sent or"
                f" changed. Remove the two files {number:06d}-* in {self.path / 'parts'}, and the"
                " same command asks for their customers again"
            ) from error

    def _damaged(self, how: str) -> CollectionError:
        return CollectionError(
            f"run {self.run_id} cannot be gone on with ({how}); it was left as it is."
            " Start the collection anew with --fresh"
        )


def customers_schema() -> pa.Schema:
    """The schema of the list of requested customers."""
    import pyarrow as pa

    from tokenvault_data.dataset.schema import SCHEMA_VERSION, TABLE_KEY, VERSION_KEY

    metadata = {TABLE_KEY: b"customers", VERSION_KEY: str(SCHEMA_VERSION).encode()}
    return pa.schema([pa.field("customer_id", pa.string(), nullable=False)], metadata=metadata)


FORMAT = 1
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]+")
RESUMABLE_FOR = timedelta(days=7)  # a week is a million customers at a hundred a minute


def create_run(store: Path, facts: RunFacts, customers: pa.Array) -> Run:
    """Lay out a new run; it exists once its ``run.json`` does.

    Raises
    ------
    CollectionError
        The store cannot be written to.
    """
    import pyarrow as pa

    started_at = datetime.now(UTC)
    run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    path = store / "runs" / run_id
    table = pa.table([customers.cast(pa.string())], schema=customers_schema())
    content = {"format": FORMAT, "started_at": started_at.isoformat(), **asdict(facts)}
    try:
        (path / "parts").mkdir(parents=True)
        write_parquet(path / "customers.parquet", table)
        write_bytes(path / "run.json", json.dumps(content, indent=2).encode())
    except OSError as error:
        raise CollectionError(
            f"the collection could not be laid out in {store} ({error.strerror or error}); nothing"
            " was sent. Make room or check the disk, or name another store"
        ) from error
    return Run(path, facts, started_at)


def open_run(store: Path, run_id: str) -> Run:
    """Open a run by its id.

    Raises
    ------
    UsageError
        There is no such run in the store.
    CollectionError
        Its folder was damaged, or written by a newer version.
    """
    path = store / "runs" / run_id
    if "/" in run_id or "\\" in run_id or not (path / "run.json").is_file():
        known = ", ".join(run.run_id for run in list_runs(store)) or "none"
        raise UsageError(f"there is no run {run_id!r} in {store}; runs there: {known}")
    return _load(path)


def list_runs(store: Path) -> list[Run]:
    """All runs of a store that can be read, newest first."""
    runs = []
    for path in named(store / "runs", _RUN_ID):
        if not (path / "run.json").is_file():
            continue
        try:
            runs.append(_load(path))
        except CollectionError:
            continue  # opening it by name says what is wrong with it
    # Not by their ids, which are the same second's in any order.
    return sorted(runs, key=lambda run: run.started_at, reverse=True)


def find_resumable(store: Path, facts: RunFacts) -> Run | None:
    """The newest unfinished run of the same list for the same account, if it is recent enough.

    A run that was published, with failures perhaps, is finished: to retry its failures is a
    decision, because the next collection of the same list is more often meant to be a new one.

    Raises
    ------
    CollectionError
        There is one, and it was damaged.
    """
    for run in list_runs(store):
        recent = datetime.now(UTC) - run.last_active_at() <= RESUMABLE_FOR
        if run.facts == facts and recent and not run.is_finished:
            return run
    return None


def _load(path: Path) -> Run:
    try:
        content: dict[str, Any] = json.loads((path / "run.json").read_bytes())
        version = content.pop("format")
        started_at = datetime.fromisoformat(content.pop("started_at")).astimezone(UTC)
        content["list_notices"] = tuple(map(str, content.get("list_notices", ())))
        facts = RunFacts(**{**content, "requested": int(content["requested"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CollectionError(
            f"run {path.name} cannot be read ({error}); it was left as it is."
            " Start the collection anew with --fresh"
        ) from error
    if version != FORMAT:
        raise CollectionError(
            f"run {path.name} was written by another version of the toolkit; it was left as it is."
            " Finish it with that version, or start anew with --fresh"
        )
    return Run(path, facts, started_at)
