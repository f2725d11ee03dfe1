"""One collection from a list of customers to a published snapshot, resumable at any point."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tokenvault_data.arguments import check_client
from tokenvault_data.client.pacing.learned_rate import LearnedRate
from tokenvault_data.collection.customer_list import CustomerList, read_customers
from tokenvault_data.collection.fan_out import (
    CONCURRENCY,
    PATIENCE_SECONDS,
    Customer,
    FanOut,
    check_settings,
)
from tokenvault_data.collection.list_judgement import unlike
from tokenvault_data.collection.progress import Phase, Progress, Report, report_for
from tokenvault_data.collection.recorder import Recorder, Tally
from tokenvault_data.collection.run import (
    Publication,
    Run,
    RunFacts,
    create_run,
    find_resumable,
    open_run,
)
from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter
from tokenvault_data.dataset.snapshots import Snapshot, open_snapshot
from tokenvault_data.errors import (
    CollectionError,
    CollectionInterrupted,
    NotSent,
    TokenVaultError,
    UsageError,
)
from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt
    import pyarrow as pa

    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.client.client import AsyncVault
    from tokenvault_data.collection.run import Run, RunState
    from tokenvault_data.config.loading import Profile
    from tokenvault_data.dataset.snapshots import Snapshot


def publish(store: Path, run: Run, vault: str | None = None) -> Snapshot:
    """Publish what a run has, every requested customer with exactly one outcome.

    The parts go once nothing in them is wanted any more: of a partial snapshot they stay, so that
    its failed customers can be tried again alone. What a killed process has published already is
    not published again. `vault` is what an emulated vault has called itself.

    Raises
    ------
    CollectionError
        No customer could be fetched, or the snapshot could not be written; the parts are kept.
    """
    try:
        snapshot = _published_already(store, run) or _publish(store, run, vault)
    except OSError as error:
        raise CollectionError(
            f"the snapshot could not be written ({error.strerror or error}); nothing was published"
            f" and all {run.facts.requested:,} customers are kept in run {run.run_id}."
            " Make room or check the disk, then run the same command again"
        ) from error
    if snapshot.complete:
        run.drop_parts()
    with suppress(OSError):  # unfinished, the run leads to the same snapshot again
        run.finish()
    return snapshot


def _published_already(store: Path, run: Run) -> Snapshot | None:
    for publication in reversed(run.publications):
        if publication.complete or publication.last_part == max(run.part_numbers(), default=0):
            return open_snapshot(store, publication.snapshot_id)
    return None


def _publish(store: Path, run: Run, vault: str | None) -> Snapshot:
    standing = run.standing()
    if standing.failed.all():
        run.finish()
        raise CollectionError(
            f"none of the {run.facts.requested:,} customers could be fetched"
            f" ({_causes(run, standing)}); no snapshot was published."
            f" When that is mended, try them again with --resume {run.run_id}"
        )
    finished_at = run.started_at
    customers = run.customers()
    odd = unlike(customers, np.ones(len(customers), np.bool_))
    with_cards = np.zeros(len(customers), np.bool_)
    with SnapshotWriter(store) as writer:
        for number in run.part_numbers():
            outcomes = _latest_outcomes(run, standing, number)
            finished_at = max(finished_at, _last_instant(outcomes))
            with_cards[_with_cards(outcomes)] = True
            writer.add(run.read_instruments(number), outcomes)
        complete = not standing.failed.any()
        run.note_publishing(Publication(writer.id, standing.last_part, complete))
        facts = CollectionFacts(
            requested=run.facts.requested,
            environment=run.facts.environment,
            api_version=run.facts.api_version,
            started_at=run.started_at,
            finished_at=finished_at,
            merchant=run.facts.merchant,
            notices=(
                *run.facts.list_notices,
                *_of_the_odd(int(odd.sum()), int((odd & with_cards).sum())),
            ),
            vault=vault,
        )
        return writer.publish(facts)


def _latest_outcomes(run: Run, standing: RunState, number: int) -> pa.Table:
    """The outcomes of one part that no later part has replaced."""
    outcomes = run.read_outcomes(number)
    positions = outcomes.column("position").to_numpy()
    return outcomes.filter(standing.part_of[positions] == number)


def _with_cards(outcomes: pa.Table) -> npt.NDArray[np.int64]:
    """Return the positions of customers who have cards."""
    has_cards = outcomes.column("instruments").to_numpy() > 0
    positions: npt.NDArray[np.int64] = outcomes.column("position").to_numpy()[has_cards]
    return positions


def _of_the_odd(count: int, with_cards: int) -> tuple[str, ...]:
    if not count or with_cards:
        return ()
    ids = "1 id that looks" if count == 1 else f"{count:,} ids that look"
    whose = "its customer has" if count == 1 else "none of their customers has"
    no_card = "no card" if count == 1 else "a card"
    return (f"The list holds {ids} unlike the others, and {whose} {no_card}: check the list.",)


def _last_instant(outcomes: pa.Table) -> datetime:
    import pyarrow.compute as pc

    return pc.max(outcomes.column("finished_at")).as_py() or datetime.min.replace(tzinfo=UTC)


def _causes(run: Run, standing: RunState) -> str:
    """Count the causes of all failures, most frequent first."""
    causes: Counter[str] = Counter()
    for number in run.part_numbers():
        causes.update(_latest_outcomes(run, standing, number).column("cause").to_pylist())
    return ", ".join(f"{customers:,} {cause}" for cause, customers in causes.most_common())


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
            recorder.record,
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
    stop: threading.Event | None = None,
    progress: Report | bool | None = True,
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
    stop : threading.Event, optional
        Once another thread has set it, no request leaves any more, and what is under way is
        answered and written, as after Ctrl-C. Publishing, once it has begun, goes on to its end.
    progress : bool or callable, optional
        True shows progress where there is somebody to see it (a terminal, a notebook), False never;
        a callable gets a `Progress` about four times a second.

    Returns
    -------
    Snapshot
        Complete, or partial when some customers failed: see its ``manifest``. A run that was killed
        when it had just been published gives the snapshot it published.

    Raises
    ------
    CustomerListError, UsageError
        The list or the run cannot be used as given; no request was made.
    CollectionInterrupted
        Stopped by Ctrl-C or by `stop`; what was done is kept.
    AccessDenied, CertificateRejected, VaultError, CollectionError
        It could not go on; what was done is kept, and the same call goes on with it.
    Locked
        Another process works on the same run.
    """
    check_settings(concurrency, patience_seconds)
    if resume is not None and fresh:
        raise UsageError("a run cannot be both resumed and begun afresh; nothing was sent")
    check_client(vault)
    store = local_path(store)
    run = _choose_run(store, vault.profile, customers, column=column, resume=resume, fresh=fresh)
    with run.locked(), report_for(progress) as report:
        session = Session(run, report, concurrency, patience_seconds, stop)
        if not run.is_complete:  # or a process was killed when it had just published it
            session.fetch(vault, retry_failed=resume is not None)
        session.report("publishing")
        try:
            snapshot = publish(store, run, session.emulated_vault)
            session.report("ended")
        except KeyboardInterrupt:
            if not run.is_finished:
                raise CollectionInterrupted(
                    f"interrupted while publishing; all {run.facts.requested:,} customers are kept"
                    f" in run {run.run_id}. Run the same command again to publish them"
                ) from None
            # Too late to stop anything: this finds what is there.
            snapshot = publish(store, run, session.emulated_vault)
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
        if run.is_finished and run.is_complete:
            raise UsageError(
                f"run {resume} is complete, as snapshot {run.publications[-1].snapshot_id};"
                " nothing was sent. Leave --resume out to collect anew"
            )
        if source is not None:
            wanted = _facts(profile, _read(source, column)).customers_digest
            if run.facts.customers_digest != wanted:
                raise UsageError(
                    f"run {resume} collects another list of customers than the one given; nothing"
                    " was sent. Leave the list out to go on with the run, or --resume to start with"
                    " the list"
                )
        return run
    if source is None:
        raise UsageError(
            "no customers were given, so nothing was sent; name a list, or a run to go on with"
        )
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
        list_notices=customers.notices,
    )


def _check_same_account(run: Run, profile: Profile) -> None:
    facts = run.facts
    if (facts.environment, facts.merchant) != (profile.environment, profile.merchant_digest):
        raise UsageError(
            f"run {run.run_id} was started for another account or environment"
            f" ({facts.environment}); nothing was sent. Name that profile to go on with it"
        )
    if facts.api_version != profile.api_version:
        raise UsageError(
            f"run {run.run_id} was started with API version {facts.api_version}, and the profile"
            f" says {profile.api_version}; nothing was sent. A snapshot is of one version: go on"
            " with that one, or start anew with --fresh"
        )
