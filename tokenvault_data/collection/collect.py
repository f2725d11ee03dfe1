"""One collection from a list of customers to a published snapshot, resumable at any point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenvault_data.collection.customer_list import CustomerList, read_customers
from tokenvault_data.collection.display import report_for
from tokenvault_data.collection.fan_out import CONCURRENCY, PATIENCE_SECONDS, check_settings
from tokenvault_data.collection.publish import publish
from tokenvault_data.collection.run import Run, RunFacts
from tokenvault_data.collection.runs import create_run, find_resumable, open_run
from tokenvault_data.collection.session import Session
from tokenvault_data.errors import CollectionInterrupted, UsageError
from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.collection.progress import Report
    from tokenvault_data.config.loading import Profile
    from tokenvault_data.dataset.snapshots import Snapshot


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
