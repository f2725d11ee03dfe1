"""One collection from a list of customers to a published snapshot, resumable at any point."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tokenvault_data.collection.customers import CustomerList, read_customers
from tokenvault_data.collection.display import report_for
from tokenvault_data.collection.fan_out import PATIENCE_SECONDS, Customer, FanOut
from tokenvault_data.collection.progress import Phase, Progress, Report
from tokenvault_data.collection.publishing import publish
from tokenvault_data.collection.recorder import LARGEST_CONCURRENCY, Recorder
from tokenvault_data.collection.run import Run, RunFacts, create_run, find_resumable, open_run
from tokenvault_data.errors import (
    CollectionError,
    CollectionInterrupted,
    NotSent,
    TokenVaultError,
    UsageError,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tokenvault_data.dataset.snapshots import Snapshot
    from tokenvault_data.profiles import Profile
    from tokenvault_data.vault_api.blocking import Vault
    from tokenvault_data.vault_api.client import AsyncVault

CONCURRENCY = 64
_REPORT_EVERY_SECONDS = 0.25
_PACE_OVER_SECONDS = 30.0


def collect(
    vault: Vault,
    customers: object = None,
    *,
    store: str | Path = "vault-data",
    column: str | None = None,
    resume: str | None = None,
    fresh: bool = False,
    concurrency: int = CONCURRENCY,
    patience_seconds: float = PATIENCE_SECONDS,
    progress: Report | None | bool = True,
) -> Snapshot:
    """Fetch all customers' cards and publish them as a snapshot.

    An unfinished collection of the same list for the same account is gone on with, so that the
    same call after a crash, an outage or Ctrl-C finishes the job and fetches nothing twice but
    what was not yet written (at most 30 seconds or 2,000 customers of requests).

    Parameters
    ----------
    vault : Vault
    customers
        Customer ids: any iterable, a pandas Series, or the path of a text, CSV or Parquet file;
        see `read_customers`. May be left out with `resume`.
    store : str or Path, optional
        Folder of runs and snapshots; made when missing.
    column : str, optional
        Where the ids are, in a file of several columns.
    resume : str, optional
        A run to go on with; its failed customers are tried again.
    fresh : bool, optional
        Start a new run even where an unfinished one could be gone on with.
    concurrency : int, optional
        Calls under way at once, 1 to 512. The pace is set by the account's budget, not by this.
    patience_seconds : float, optional
        How long an outage of the vault is waited out.
    progress : bool or callable, optional
        True shows progress where there is somebody to see it (a terminal, a notebook), False never;
        a callable gets a `Progress` about four times a second.

    Returns
    -------
    Snapshot
        Complete, or partial when some customers failed: see its ``manifest``.

    Raises
    ------
    CustomerListError, UsageError
        The list or the run cannot be used as given; no request was made.
    CollectionInterrupted
        Stopped by Ctrl-C; what was done is kept.
    AccessDenied, CertificateRejected, CollectionError
        It could not go on; what was done is kept, and the same call goes on with it.
    Locked
        Another process works on the same run.
    """
    if not 1 <= concurrency <= LARGEST_CONCURRENCY:
        raise UsageError(
            f"concurrency is {concurrency}; it has to be from 1 to {LARGEST_CONCURRENCY}"
        )
    store = Path(store)
    run = _choose_run(store, vault.profile, customers, column=column, resume=resume, fresh=fresh)
    with run.locked(), report_for(progress) as report:
        session = _Session(run, report, concurrency, patience_seconds)
        _fetch(vault, run, session, retry_failed=resume is not None)
        session.report("publishing")
        snapshot = publish(store, run)
        session.report("ended")
    return snapshot


def _choose_run(
    store: Path,
    profile: Profile,
    source: object,
    *,
    column: str | None,
    resume: str | None,
    fresh: bool,
) -> Run:
    if resume is not None:
        run = open_run(store, resume)
        _check_same_account(run, profile)
        if run.published and not run.part_numbers():
            raise UsageError(
                f"run {resume} is complete, as snapshot {run.published[-1]}; nothing was sent."
                " Leave --resume out to collect anew"
            )
        if source is not None:
            wanted = _facts(profile, _read(source, column)).customers_digest
            if run.facts.customers_digest != wanted:
                raise UsageError(
                    f"run {resume} collects another list of customers than the one given;"
                    " leave the list out to go on with the run, or --resume to start with the list"
                )
        return run
    if source is None:
        raise UsageError("no customers were given; name a list, or a run to go on with")
    customers = _read(source, column)
    facts = _facts(profile, customers)
    run_found = None if fresh else find_resumable(store, facts)
    return run_found or create_run(store, facts, customers.ids)


def _read(source: object, column: str | None) -> CustomerList:
    return source if isinstance(source, CustomerList) else read_customers(source, column=column)


def _facts(profile: Profile, customers: CustomerList) -> RunFacts:
    return RunFacts(
        environment=profile.environment,
        merchant=profile.merchant_digest,
        api_version=profile.api_version,
        customers_digest=customers.digest,
        requested=len(customers),
    )


def _check_same_account(run: Run, profile: Profile) -> None:
    if (run.facts.environment, run.facts.merchant) != (profile.environment, profile.merchant_digest):
        raise UsageError(
            f"run {run.run_id} was started for another account or environment"
            f" ({run.facts.environment}); nothing was sent. Name that profile to go on with it"
        )


def _fetch(vault: Vault, run: Run, session: _Session, *, retry_failed: bool) -> None:
    standing = run.standing()
    pending = standing.pending(retry_failed=retry_failed)
    session.resumed = run.facts.requested - len(pending)
    if not len(pending):
        return
    try:
        vault.run(session.fetch, _customers(run, pending), on_interrupt=session.halt)
    except KeyboardInterrupt:
        session.halted = True
    except TokenVaultError as error:
        error.add_note(session.kept())
        if isinstance(error, NotSent) and run.facts.environment == "emulator":
            error.add_note("the emulator is started with: tokenvault emulator")
        raise
    if session.halted:
        raise CollectionInterrupted(
            f"interrupted; {session.kept()}. Run the same command again to go on,"
            f" or name the run: --resume {run.run_id}"
        )


def _customers(run: Run, pending: npt.NDArray[np.int64]) -> Iterator[Customer]:
    """The pending customers in order, a slice at a time, so that memory does not follow the list."""
    import pyarrow as pa

    ids = run.customers()
    for start in range(0, len(pending), 10_000):
        positions = pending[start : start + 10_000]
        yield from map(Customer, positions.tolist(), ids.take(pa.array(positions)).to_pylist())


class _Session:
    """The part of a run that happens in this process."""

    def __init__(self, run: Run, report: Report, concurrency: int, patience_seconds: float) -> None:
        self.resumed = 0
        self.halted = False
        self._run = run
        self._report = report
        self._concurrency = concurrency
        self._patience_seconds = patience_seconds
        self._began = time.monotonic()
        self._pace: deque[tuple[float, int]] = deque()
        self._fan_out: FanOut | None = None
        self._recorder: Recorder | None = None
        self._vault: AsyncVault | None = None

    async def fetch(self, vault: AsyncVault, customers: Iterator[Customer]) -> None:
        """Fan out and record, telling of progress meanwhile; what has come in is always written."""
        self._vault = vault
        self._recorder = Recorder(
            self._run, api_version=vault.profile.api_version, concurrency=self._concurrency
        )
        self._fan_out = FanOut(
            vault,
            customers,
            self._recorder.take,
            concurrency=self._concurrency,
            patience_seconds=self._patience_seconds,
        )
        ended = asyncio.Event()
        minding = asyncio.create_task(self._mind(self._fan_out, self._recorder, ended))
        try:
            await self._fan_out.run()
        finally:
            ended.set()
            await minding
            await self._recorder.write_rest()

    def halt(self) -> None:
        """Start no more requests; to be called on the vault's loop."""
        self.halted = True
        if self._fan_out is not None:
            self._fan_out.halt()

    def kept(self) -> str:
        """What there is, in words, for whoever has to go on."""
        found = self.resumed + (self._recorder.tally.customers if self._recorder else 0)
        return f"{found:,} of {self._run.facts.requested:,} customers are kept in run {self._run.run_id}"

    def report(self, phase: Phase) -> None:
        """Tell how far the collection is."""
        tally = self._recorder.tally if self._recorder else None
        now = time.monotonic()
        self._report(
            Progress(
                phase=phase,
                requested=self._run.facts.requested,
                resumed=self.resumed,
                fetched=tally.fetched if tally else 0,
                empty=tally.empty if tally else 0,
                failed=tally.failed if tally else 0,
                cards=tally.cards if tally else 0,
                requests=tally.requests if tally else 0,
                elapsed_seconds=now - self._began,
                customers_per_minute=self._measured_pace(now, tally.customers if tally else 0),
                out_for_seconds=self._fan_out.out_for_seconds if self._fan_out else 0.0,
                budget=self._vault.budget if self._vault else None,
            )
        )

    async def _mind(self, fan_out: FanOut, recorder: Recorder, ended: asyncio.Event) -> None:
        """Keep the clock: write what has waited long enough, tell of progress."""
        while not ended.is_set():
            self.report("out_of_reach" if fan_out.out_for_seconds else "collecting")
            try:
                await recorder.write_if_old()
            except CollectionError as error:
                fan_out.stop(error)
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), _REPORT_EVERY_SECONDS)

    def _measured_pace(self, now: float, customers: int) -> float:
        self._pace.append((now, customers))
        while now - self._pace[0][0] > _PACE_OVER_SECONDS:
            self._pace.popleft()
        since, before = self._pace[0]
        return (customers - before) / (now - since) * 60 if now > since else 0.0
