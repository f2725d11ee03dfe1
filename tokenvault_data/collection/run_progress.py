"""How far a run is, seen by somebody who does not work on it: from its folder, changing nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tokenvault_data.collection.run import RESUMABLE_FOR, list_runs
from tokenvault_data.errors import CollectionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tokenvault_data.collection.run import Run
    from tokenvault_data.config.loading import Profile

_NONE, _FAILED, _ANSWERED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class RunProgress:
    """A run at one moment, as far as it has been written down.

    Attributes
    ----------
    run_id : str
    requested : int
        Customers on the list.
    done : int
        Customers with an outcome.
    failed : int
        Customers whose outcome is a failure.
    cards : int
        Instruments received.
    causes : dict of str to int
        Failed customers by cause, most frequent first.
    is_worked_on : bool
        Whether a process holds the run's lock.
    is_finished : bool
        Whether the run came to its end, with failures perhaps.
    snapshot_id : str or None
        The last snapshot published of it that is still there.
    last_active_at : datetime
        When something was last written to it, in UTC.
    """

    run_id: str
    requested: int
    done: int
    failed: int
    cards: int
    causes: dict[str, int]
    is_worked_on: bool
    is_finished: bool
    snapshot_id: str | None
    last_active_at: datetime

    @property
    def left(self) -> int:
        """Customers without an outcome."""
        return self.requested - self.done


class RunMonitor:
    """Looks at one run again and again; each part is read once.

    Parameters
    ----------
    run : Run
        Its lock is not kept.
    """

    def __init__(self, run: Run) -> None:
        import numpy as np

        self.run = run
        self._read: set[int] = set()
        self._outcome = np.full(run.facts.requested, _NONE, dtype=np.int8)
        self._cards = np.zeros(run.facts.requested, dtype=np.int32)
        self._cause: dict[int, str] = {}

    def look(self) -> RunProgress:
        """Say how far the run is now.

        Raises
        ------
        CollectionError
            Its folder was damaged.
        """
        run = self.run
        # Asked first: who has ended in between has written all before that.
        is_worked_on = run.is_worked_on()
        is_finished = run.is_finished
        self._read_parts()
        publications = run.publications
        return RunProgress(
            run_id=run.run_id,
            requested=run.facts.requested,
            # The parts of a complete run are removed.
            done=run.facts.requested if is_finished else int((self._outcome != _NONE).sum()),
            failed=int((self._outcome == _FAILED).sum()),
            cards=int(self._cards.sum()),
            causes=dict(Counter(self._cause.values()).most_common()),
            is_worked_on=is_worked_on,
            is_finished=is_finished,
            snapshot_id=publications[-1].snapshot_id if publications else None,
            last_active_at=run.last_active_at(),
        )

    def _read_parts(self) -> None:
        import pyarrow as pa

        for number in self.run.part_numbers():
            if number in self._read:
                continue
            try:
                rows = self.run.read_outcomes(number)
            except CollectionError:
                if self.run.is_finished:  # complete just now, and its parts are being removed
                    return
                raise
            positions = rows.column("position").to_numpy()
            outcomes = rows.column("outcome").cast(pa.string()).to_numpy(zero_copy_only=False)
            is_failed = outcomes == "failed"
            self._outcome[positions] = _ANSWERED
            self._outcome[positions[is_failed]] = _FAILED
            self._cards[positions] = rows.column("instruments").to_numpy()
            causes = rows.column("cause").cast(pa.string()).to_pylist()
            for position, cause in zip(positions.tolist(), causes, strict=True):
                if cause is None:
                    self._cause.pop(position, None)
                else:
                    self._cause[position] = cause
            self._read.add(number)


def unfinished_runs(store: Path, profile: Profile) -> Iterator[Run]:
    """The runs of an account that have not come to their end and can be gone on with, newest first.

    Those of other API versions are left out: a snapshot is of one version.
    """
    for run in list_runs(store):
        facts = run.facts
        same = (facts.environment, facts.merchant) == (profile.environment, profile.merchant_digest)
        if not same or facts.api_version != profile.api_version:
            continue
        try:
            if run.is_finished or datetime.now(UTC) - run.last_active_at() > RESUMABLE_FOR:
                continue
        except CollectionError:  # going on with it by name says what is wrong
            continue
        yield run
