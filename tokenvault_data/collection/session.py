"""The part of a run that happens in one process: fetch, record, tell of progress, end in order."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from tokenvault_data.client.pacing.learned_rate import LearnedRate
from tokenvault_data.collection.fan_out import Customer, FanOut
from tokenvault_data.collection.progress import Phase, Progress, Report
from tokenvault_data.collection.recorder import Recorder, Tally
from tokenvault_data.errors import CollectionError, CollectionInterrupted, NotSent, TokenVaultError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.client.client import AsyncVault
    from tokenvault_data.collection.run import Run

_REPORT_EVERY_SECONDS = 0.25
_PACE_OVER_SECONDS = 30.0
_SLICE_CUSTOMERS = 10_000


class _Mark(NamedTuple):
    at: float
    customers: int
    requests: int


class Session:
    """One process's work on a run that it holds the lock of.

    Parameters
    ----------
    run : Run
    report : callable
        Gets a `Progress` about four times a second.
    concurrency : int
    patience_seconds : float
    stop : threading.Event or None
        Ends the session in order once it is set, within half a second and what is under way.
    """

    def __init__(
        self,
        run: Run,
        report: Report,
        concurrency: int,
        patience_seconds: float,
        stop: threading.Event | None = None,
    ) -> None:
        self._run = run
        self._report = report
        self._concurrency = concurrency
        self._patience_seconds = patience_seconds
        self._stop = stop
        self._began = time.monotonic()
        self._marks: deque[_Mark] = deque()
        self._resumed = run.facts.requested
        self._is_interrupted = False
        self._fan_out: FanOut | None = None
        self._recorder: Recorder | None = None
        self._vault: AsyncVault | None = None

    @property
    def emulated_vault(self) -> str | None:
        """What an emulated vault has called itself in this session, if one was asked."""
        is_emulator = self._run.facts.environment == "emulator"
        return self._vault.emulated_vault if self._vault is not None and is_emulator else None

    def fetch(self, vault: Vault, *, retry_failed: bool) -> None:
        """Fetch every customer without an outcome, and those that failed if they are to be retried.

        Raises
        ------
        CollectionInterrupted
            Ctrl-C, a signal that is treated like it, or `stop`.
        AccessDenied, CertificateRejected, VaultError, CollectionError
            It could not go on. What was fetched is on the disk, whatever is raised.
        """
        standing = self._run.standing()
        pending = standing.pending(retry_failed=retry_failed)
        self._resumed = self._run.facts.requested - len(pending)
        if not len(pending):
            return
        answered = standing.first_answered()
        del standing
        try:
            vault.run(self._fetch, pending, answered, on_interrupt=self._interrupt)
        except KeyboardInterrupt:  # a second one, or before the first call had begun
            self._is_interrupted = True
        except TokenVaultError as error:
            error.add_note(self._kept())
            if isinstance(error, NotSent) and self._run.facts.environment == "emulator":
                error.add_note("the emulator is started with: tokenvault emulator")
            raise
        if self._is_interrupted:
            raise CollectionInterrupted(
                f"interrupted; {self._kept()}. Run the same command again to go on,"
                f" or name the run: --resume {self._run.run_id}"
            )

    def report(self, phase: Phase) -> None:
        """Tell how far the collection is."""
        tally = self._recorder.tally if self._recorder else Tally()
        now = _Mark(time.monotonic(), tally.customers, tally.requests)
        customers_per_minute, requests_per_minute = self._pace(now)
        self._report(
            Progress(
                phase=phase,
                run_id=self._run.run_id,
                requested=self._run.facts.requested,
                resumed=self._resumed,
                fetched=tally.fetched,
                empty=tally.empty,
                failed=tally.failed,
                cards=tally.cards,
                requests=tally.requests,
                elapsed_seconds=now.at - self._began,
                customers_per_minute=customers_per_minute,
                requests_per_minute=requests_per_minute,
                out_for_seconds=self._fan_out.out_for_seconds if self._fan_out else 0.0,
                budget=self._vault.budget if self._vault else None,
            )
        )

    async def _fetch(
        self, vault: AsyncVault, pending: npt.NDArray[np.int64], answered: int | None
    ) -> None:
        """Fan out and record, telling of progress meanwhile; what has come in is always written."""
        ids = self._run.customers()
        known = None if answered is None else Customer(answered, ids[answered].as_py())
        self._vault = vault
        rate = LearnedRate(self._run.path, vault)
        if self._stop is not None and self._stop.is_set():
            self._is_interrupted = True
        recorder = self._recorder = Recorder(
            self._run, api_version=vault.profile.api_version, concurrency=self._concurrency
        )
        fan_out = self._fan_out = FanOut(
            vault,
            recorder.take,
            concurrency=self._concurrency,
            patience_seconds=self._patience_seconds,
            known=known,
        )
        ended = asyncio.Event()
        minding = asyncio.create_task(self._mind(rate, fan_out, recorder, ended))
        try:
            if not self._is_interrupted:
                await fan_out.run(_customers(ids, pending))
        finally:
            ended.set()
            try:
                await minding
            finally:
                rate.keep()
                await recorder.write_rest()

    async def _mind(
        self, rate: LearnedRate, fan_out: FanOut, recorder: Recorder, ended: asyncio.Event
    ) -> None:
        """Keep the clock: write what has waited long enough, tell of progress."""
        try:
            while not ended.is_set():
                self.report("out_of_reach" if fan_out.out_for_seconds else "collecting")
                if self._stop is not None and self._stop.is_set():
                    self._interrupt()
                rate.keep_if_old()
                try:
                    await recorder.write_if_old()
                except CollectionError as error:
                    fan_out.stop(error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), _REPORT_EVERY_SECONDS)
        except Exception:  # the caller's report failed, or a fault of ours: end in order, then tell
            if not ended.is_set():
                fan_out.halt()
            raise

    def _interrupt(self) -> None:
        """Start no more requests; called on the vault's loop."""
        self._is_interrupted = True
        if self._fan_out is not None:
            self._fan_out.halt()

    def _kept(self) -> str:
        """What there is on the disk, in words, for whoever has to go on."""
        kept = self._resumed + (self._recorder.saved if self._recorder else 0)
        requested = self._run.facts.requested
        return f"{kept:,} of {requested:,} customers are kept in run {self._run.run_id}"

    def _pace(self, now: _Mark) -> tuple[float, float]:
        """Customers and requests a minute, over the last half minute."""
        self._marks.append(now)
        while now.at - self._marks[0].at > _PACE_OVER_SECONDS:
            self._marks.popleft()
        before = self._marks[0]
        minutes = (now.at - before.at) / 60
        if not minutes:
            return 0.0, 0.0
        return (
            (now.customers - before.customers) / minutes,
            (now.requests - before.requests) / minutes,
        )


def _customers(ids: pa.Array, pending: npt.NDArray[np.int64]) -> Iterator[Customer]:
    """The pending customers in order, made a slice at a time to bound memory."""
    from pyarrow import array

    for start in range(0, len(pending), _SLICE_CUSTOMERS):
        positions = pending[start : start + _SLICE_CUSTOMERS]
        yield from map(Customer, positions.tolist(), ids.take(array(positions)).to_pylist())
