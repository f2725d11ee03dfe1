"""A collection on disk: what was asked for, and the parts of what came back so far.

::

    STORE/runs/<run id>/
        run.json                      what is collected, for whom; written once
        customers.parquet             the requested ids, in order; written once
        parts/000001-instruments.parquet
        parts/000001-outcomes.parquet
        published.json                the snapshots published of this run
        lock                          held by the process that works on it

A part counts from the moment its outcomes file has its name, which it gets last. Pending is what
was requested less what has an outcome, so going on after a crash is the normal path.
"""

from __future__ import annotations

import json
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenvault_data.dataset.durable import read_parquet, write_bytes, write_parquet
from tokenvault_data.errors import CollectionError, Locked, UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

FORMAT = 1
RESUMABLE_FOR = timedelta(days=7)  # a week is a million customers at a hundred a minute


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
    """

    environment: str
    merchant: str
    api_version: str
    customers_digest: str
    requested: int


@dataclass(slots=True)
class Standing:
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

    @property
    def done(self) -> int:
        """How many customers have an outcome."""
        return int((self.part_of > 0).sum())


class Run:
    """One collection, in its folder. Made by `create_run`, `open_run` or `find_resumable`."""

    def __init__(self, path: Path, facts: RunFacts, started_at: datetime) -> None:
        self.path = path
        self.facts = facts
        self.started_at = started_at
        self._next_part = 1
        self._writing = threading.Lock()

    @property
    def run_id(self) -> str:
        """Name of the run, as `--resume` takes it."""
        return self.path.name

    @property
    def published(self) -> list[str]:
        """Ids of the snapshots published of this run, oldest first.

        They are noted before they are published, so that no crash can publish one twice; one
        without a manifest has not come to be.
        """
        try:
            noted: list[str] = json.loads((self.path / "published.json").read_bytes())
        except FileNotFoundError:
            return []
        snapshots = self.path.parent.parent / "snapshots"
        return [name for name in noted if (snapshots / name / "manifest.json").is_file()]

    def note_publishing(self, snapshot_id: str) -> None:
        """Note that a snapshot is about to be published."""
        noted = json.dumps([*self.published, snapshot_id])
        write_bytes(self.path / "published.json", noted.encode())

    def customers(self) -> pa.Array:
        """The requested ids, in order."""
        table = read_parquet(self.path / "customers.parquet", _customers_schema())
        return table.column("customer_id").combine_chunks()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes off this run.

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
        try:
            yield
        finally:
            lock.release()

    def standing(self) -> Standing:
        """Read which customers have an outcome, from the parts."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        standing = Standing(
            part_of=np.zeros(self.facts.requested, dtype=np.int32),
            failed=np.zeros(self.facts.requested, dtype=np.bool_),
            last_part=0,
        )
        for number in self.part_numbers():
            outcomes = self.read_outcomes(number, columns=["position", "outcome"])
            positions = outcomes.column("position").to_numpy()
            standing.part_of[positions] = number
            failed = pc.equal(outcomes.column("outcome").cast(pa.string()), "failed")
            standing.failed[positions] = failed.to_numpy()
            standing.last_part = number
        self._next_part = standing.last_part + 1
        return standing

    def write_part(self, instruments: pa.Table, outcomes: pa.Table) -> None:
        """Make one part durable; it counts once this returns, and not before the last step."""
        with self._writing:  # a cancelled writer's thread may still be at it
            write_parquet(self._part(self._next_part, "instruments"), instruments)
            write_parquet(self._part(self._next_part, "outcomes"), outcomes)
            self._next_part += 1

    def read_instruments(self, number: int) -> pa.Table:
        """The instruments of one part."""
        from tokenvault_data.dataset.columns import INSTRUMENTS

        return read_parquet(self._part(number, "instruments"), INSTRUMENTS)

    def read_outcomes(self, number: int, columns: list[str] | None = None) -> pa.Table:
        """The outcomes of one part."""
        from tokenvault_data.dataset.columns import OUTCOMES

        table = read_parquet(self._part(number, "outcomes"), OUTCOMES)
        return table if columns is None else table.select(columns)

    def drop_parts(self) -> None:
        """Remove the parts, once all they hold is in a complete snapshot."""
        shutil.rmtree(self.path / "parts", ignore_errors=True)

    def last_active_at(self) -> datetime:
        """When something was last written to the run."""
        newest = max(path.stat().st_mtime for path in (self.path, self.path / "parts") if path.exists())
        return datetime.fromtimestamp(newest, UTC)

    def part_numbers(self) -> list[int]:
        """Numbers of the parts that count, oldest first."""
        names = (self.path / "parts").glob("*-outcomes.parquet")
        return sorted(int(path.name.split("-")[0]) for path in names)

    def _part(self, number: int, table: str) -> Path:
        return self.path / "parts" / f"{number:06d}-{table}.parquet"


def create_run(store: Path, facts: RunFacts, customers: pa.Array) -> Run:
    """Lay out a new run; it exists once its ``run.json`` does."""
    import pyarrow as pa

    started_at = datetime.now(UTC)
    run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    path = store / "runs" / run_id
    (path / "parts").mkdir(parents=True)
    schema = _customers_schema()
    write_parquet(path / "customers.parquet", pa.table([customers.cast(pa.string())], schema=schema))
    content = {"format": FORMAT, "started_at": started_at.isoformat(), **asdict(facts)}
    write_bytes(path / "run.json", json.dumps(content, indent=2).encode())
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
    for path in sorted((store / "runs").glob("*/run.json"), reverse=True):
        try:
            runs.append(_load(path.parent))
        except CollectionError:
            continue  # opening it by name says what is wrong with it
    return runs


def find_resumable(store: Path, facts: RunFacts) -> Run | None:
    """The newest unfinished run of the same list for the same account, if it is recent enough.

    A run that was published, with failures perhaps, is finished: to retry its failures is a
    decision, because the next collection of the same list is more often meant to be a new one.
    """
    for run in list_runs(store):
        recent = datetime.now(UTC) - run.last_active_at() <= RESUMABLE_FOR
        if run.facts == facts and recent and not run.published:
            return run
    return None


def _load(path: Path) -> Run:
    try:
        content: dict[str, Any] = json.loads((path / "run.json").read_bytes())
        version = content.pop("format")
        started_at = datetime.fromisoformat(content.pop("started_at"))
        facts = RunFacts(**content)
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


def _customers_schema() -> pa.Schema:
    import pyarrow as pa

    from tokenvault_data.dataset.columns import SCHEMA_VERSION, TABLE_KEY, VERSION_KEY

    metadata = {TABLE_KEY: b"customers", VERSION_KEY: str(SCHEMA_VERSION).encode()}
    return pa.schema([pa.field("customer_id", pa.string(), nullable=False)], metadata=metadata)
