"""What a panel for collecting says, as blocks of prose and single lines; ids appear nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tokenvault_data.collection.progress import in_words
from tokenvault_data.widgets.parts.text import partial_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tokenvault_data.collection.customer_list import CustomerList
    from tokenvault_data.collection.customer_rows import Dropped
    from tokenvault_data.collection.progress import Progress
    from tokenvault_data.collection.run_progress import RunProgress
    from tokenvault_data.config.loading import Profile
    from tokenvault_data.dataset.manifest import Manifest
    from tokenvault_data.widgets.collect.customer_source import ListRead
    from tokenvault_data.widgets.collect.estimate import Estimate
    from tokenvault_data.widgets.parts.text import Block

_OUR_EMULATOR: Final = (
    "No emulator was running, so this panel has started one, with made-up cards; it ends with the"
    " panel."
)
_CAUSES: Final = {
    "answer_lost": "sent, but no whole answer came back",
    "not_found": "the vault knows no such customer (404)",
    "not_sent": "no connection stood",
    "paging_fault": "pages that repeat or never end",
    "rate_limited": "the limit was spent (429), also after waiting",
    "request_rejected": "refused by the vault (4xx)",
    "unusable_answer": "an answer that is no list of cards",
    "vault_unavailable": "the vault, or something before it, was down (5xx)",
}


def account_blocks(
    profile: Profile, *, emulator_is_ours: bool, told_per_minute: int | None, was_asked: bool
) -> Iterable[Block]:
    """Say whose vault it is, credentials masked."""
    yield (
        "facts",
        [
            ("Environment", profile.environment),
            ("Credentials", profile.masked_account),
            ("API version", profile.api_version),
            ("Limit", _limit(told_per_minute, was_asked=was_asked)),
        ],
    )
    if emulator_is_ours:
        yield "note", _OUR_EMULATOR


def list_blocks(read: ListRead | None) -> Iterable[Block]:
    """Say what was read, and what was refused, by reason."""
    if read is None:
        yield "note", "No list yet. Name a text, CSV or Parquet file of customer ids, or upload it."
        return
    customers = read.customers
    if customers is None:
        yield "warning", sentence(read.problem)
        return
    yield "figures", _read_figures(customers)
    yield "note", f"From {customers.rows_read:,} {customers.row_word}s of {customers.source}."
    if customers.dropped:
        yield "subheading", "Not requested, by reason"
        yield "list", [_dropped(one, customers.row_word) for one in customers.dropped]


def plan_blocks(estimate: Estimate | None, problem: str = "") -> Iterable[Block]:
    """Say what the collection will cost, before it is begun."""
    if problem:
        yield "warning", sentence(problem)
    if estimate is None:
        yield "note", "The estimate comes with a list."
        return
    yield "lead", f"{estimate.headline()}."
    yield "note", f"{estimate.explanation()} {_requests(estimate.customers)}"
    if estimate.share >= 1:
        yield "warning", "With the whole limit used, payments at the checkout may be refused."


def progress_line(progress: Progress, *, cards_before: int = 0, failed_before: int = 0) -> str:
    """Say how far it is, at what pace, and how long it will take.

    `cards_before` and `failed_before` are of earlier sessions of the run, as `Progress.resumed` is.
    """
    if progress.phase == "publishing":
        return "All customers were asked for; the snapshot is being published."
    if progress.phase == "out_of_reach":
        return (
            f"{_done(progress)}. The vault has been out of reach for"
            f" {in_words(progress.out_for_seconds)}; it is tried again until it answers."
        )
    said = [_done(progress), f"{progress.cards + cards_before:,} cards"]
    if failed := progress.failed + failed_before:
        said.append(f"{failed:,} failed")
    text = f"{', '.join(said)}. {_pace(progress)}"
    if progress.seconds_left is not None:
        text += f"; about {in_words(progress.seconds_left)} left"
    return f"{text}."


def stopped_line(glance: RunProgress, *, how: str) -> str:
    """Say what a run has that is not over: ``how`` it ended, such as ``paused``."""
    failed = f", {glance.failed:,} of them failed" if glance.failed else ""
    return (
        f"{how} at {glance.done:,} of {glance.requested:,} customers{failed}."
        f" What was done is kept in run {glance.run_id}."
    )


def found_line(glance: RunProgress, *, same_list: bool, list_is_read: bool) -> str:
    """Say that there is a run to go on with."""
    other = "" if same_list or not list_is_read else " It is of another list than the one read."
    return (
        f"A collection of {glance.requested:,} customers stopped at {glance.done:,}, last written"
        f" {glance.last_active_at:%Y-%m-%d %H:%M} UTC.{other} To go on is to ask for the other"
        f" {glance.left:,}."
    )


def elsewhere_line(glance: RunProgress, *, in_this_kernel: bool) -> str:
    """Say how far a run is that somebody else works on."""
    who = "Another panel of this kernel" if in_this_kernel else "Another process"
    how = "pause it here" if in_this_kernel else "stop it where it was started"
    return (
        f"{who} is collecting for this account: {glance.done:,} of {glance.requested:,} customers"
        f" were written by {glance.last_active_at:%H:%M:%S} UTC. A second collection would take"
        f" from the checkout, so wait for this one, or {how}."
    )


def finished_line(manifest: Manifest) -> str:
    """Say that it is over, and how it went."""
    failed = manifest.outcomes["failed"]
    if failed:
        return f"{failed:,} of {manifest.requested:,} customers could not be fetched."
    return f"All {manifest.requested:,} customers were asked for and answered."


def outcome_blocks(manifest: Manifest) -> Iterable[Block]:
    """Sum a collection up: every customer has one outcome, and failures have causes."""
    outcomes = manifest.outcomes
    failed = outcomes["failed"]
    yield "subheading", f"Snapshot {manifest.id}, {'complete' if manifest.complete else 'partial'}"
    yield (
        "figures",
        [
            (f"{manifest.requested:,}", "customers requested"),
            (f"{outcomes['fetched']:,}", "with saved cards"),
            (f"{outcomes['empty']:,}", "without"),
            (f"{failed:,}", "failed"),
            (f"{manifest.instruments:,}", "cards"),
        ],
    )
    yield from partial_blocks(manifest)
    parts = [count for name, count in outcomes.items() if count or name != "not_attempted"]
    total = " + ".join(f"{count:,}" for count in parts)
    if sum(parts) == manifest.requested:
        yield "good", f"{total} = {manifest.requested:,}: every customer has exactly one outcome."
    else:
        yield "warning", f"{total} is not {manifest.requested:,}: do not use this snapshot."
    if manifest.failures:
        yield "subheading", "Failed, by cause"
        yield "list", [f"{count:,}: {cause_in_words(cause)}" for cause, count in _most(manifest)]
        yield "note", f"To retry is to ask for {_them(failed)} again, and for nobody else."


def cause_in_words(cause: str) -> str:
    """Say what a cause of failures means."""
    return _CAUSES.get(cause, cause.replace("_", " "))


def sentence(text: str) -> str:
    """Begin with a capital letter, and end with a full stop."""
    stop = "" if text.endswith((".", "]")) else "."
    return f"{text[:1].upper()}{text[1:]}{stop}"


def _limit(told_per_minute: int | None, *, was_asked: bool) -> str:
    if told_per_minute is not None:
        return f"{told_per_minute:,} requests a minute"
    return "not told by the vault" if was_asked else "not known yet"


def _read_figures(customers: CustomerList) -> list[tuple[str, str]]:
    dropped = sum(one.count for one in customers.dropped)
    return [(f"{len(customers):,}", "customers"), (f"{dropped:,}", "not requested")]


def _dropped(dropped: Dropped, row_word: str) -> str:
    rows = ", ".join(f"{row:,}" for row in dropped.first_rows)
    more = ", …" if dropped.count > len(dropped.first_rows) else ""
    plural = "s" if dropped.count > 1 else ""
    return f"{dropped.count:,} {dropped.reason} ({row_word}{plural} {rows}{more})"


def _requests(customers: int) -> str:
    return (
        f"At least {customers:,} request{'' if customers == 1 else 's'}: one a customer, more where"
        " the cards of one fill several pages."
    )


def _done(progress: Progress) -> str:
    return f"{progress.done:,} of {progress.requested:,} customers"


def _pace(progress: Progress) -> str:
    pace = f"{progress.requests_per_minute:,.0f} requests a minute"
    budget = progress.budget
    if budget is None or budget.limit_per_minute is None:
        return pace
    ours = budget.share * budget.limit_per_minute
    return f"{pace} of the {ours:,.0f} that are ours"


def _most(manifest: Manifest) -> list[tuple[str, int]]:
    return sorted(manifest.failures.items(), key=lambda one: (-one[1], one[0]))


def _them(failed: int) -> str:
    return "the one" if failed == 1 else f"these {failed:,}"
