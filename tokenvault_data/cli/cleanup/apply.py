"""`cleanup apply`, `status`, `pause`, `abort` and `recover`: the campaign itself."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenvault_data.cleanup.journal.states import FINAL_MEANINGS
from tokenvault_data.cli import exit_codes, options
from tokenvault_data.cli.cleanup.plan_views import (
    PlanReference,
    approval_sentence,
    plan_at,
    print_plan,
    room_of,
)
from tokenvault_data.cli.cleanup.typed_phrase import typed_phrase
from tokenvault_data.cli.hints import command_line
from tokenvault_data.cli.printing.output import (
    PrintedRow,
    print_grid,
    print_json,
    print_line,
    print_paragraph,
)
from tokenvault_data.redaction import mask_id

if TYPE_CHECKING:
    from tokenvault_data.cleanup.campaign.campaign import Campaign
    from tokenvault_data.cleanup.campaign.status import CampaignStatus
    from tokenvault_data.cleanup.plan.plan import Plan

_PROOFS = {"404": "seen gone (404)", "INACTIVE": "seen as INACTIVE"}
"""What the journal notes as the proof that a card is gone, in words."""

_AT_WORK = frozenset({"canary", "running", "verifying"})
_NEVER = ("It was never applied. To look at the plan, or to apply it:", ("show", "apply"))
_GO_ON = ("No process works on it. To go on, or to end it:", ("apply", "abort"))
_NEXT = {
    "sealed": _NEVER,
    "approved": _NEVER,
    "halted": (
        "It never goes on. To see why, and to find out what has become of its cards:",
        ("audit", "recover"),
    ),
    "aborted": ("It was stopped before everything was verified; to end it:", ("abort",)),
}
"""By state of a campaign that nobody works on: what can be done, and by which commands."""


def apply(  # noqa: PLR0917  one parameter an option
    plan: PlanReference,
    share: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Part of the rate limit to hold. Without it, the plan's is divided between all of"
            " your commands and notebooks at work on the account.",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="PER_MINUTE",
            help="Requests a minute, at most; where the vault tells no limit, the rate.",
        ),
    ] = None,
    hold: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A further list of customers or cards never to be deleted; the campaign keeps it."
            " May be repeated.",
        ),
    ] = None,
    profile: options.Profile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> int:
    """Delete the cards of a plan, or go on with it.

    First the canary, a few cards; then it holds, and a person who has looked applies the plan
    again. Ctrl-C pauses: what is in flight is still answered and written down. The confirmation is
    typed on a terminal; no option, variable or pipe takes its place. A card counts as deleted once
    it was seen gone a minute after its delete, so each of both parts takes a minute at least.
    """
    from tokenvault_data.cleanup.campaign.applying import apply_cleanup, check_cleanup
    from tokenvault_data.cleanup.campaign.campaign import Campaign
    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.config.loading import load_profile

    opened = plan_at(plan, store)
    campaign = Campaign.open(opened, store)
    before = campaign.status()
    if before.is_over and campaign.memory_problem() is None and campaign.finish():
        return _end(opened, before, store, profile, as_json=as_json)
    lists = tuple(hold or ())
    with Vault(
        load_profile(profile),
        share=share,
        rate_per_minute=rate,
        share_at_most=opened.limits.rate_share,
    ) as vault:
        ready = check_cleanup(vault, opened, store=store, holds=lists)
        if not as_json:
            print_plan(opened)
            if before.finals:
                _print_status(before, campaign)
            else:
                _print_approvals(campaign)
            print_paragraph(room_of(opened, store).sentence(before.untouched))
        confirm = _typed(ready.phrase)
        status = apply_cleanup(
            vault,
            opened,
            store=store,
            confirm=confirm,
            holds=lists,
            on_progress=_progress(),
        )
    return _end(opened, status, store, profile, as_json=as_json)


def status(
    plan: PlanReference,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Tell how far a campaign is, wherever it is at work."""
    from tokenvault_data.cleanup.campaign.campaign import Campaign

    opened = plan_at(plan, store, against_snapshot=False)
    campaign = Campaign.open(opened, store)
    now = campaign.status()
    if as_json:
        print_json(_document(now, campaign))
        return
    _print_status(now, campaign)
    if campaign.memory_problem() is not None:
        return
    sentence, words = _next_step(now, is_at_work=campaign.is_at_work())
    given = campaign.approvals()
    if "apply" in words and given and not any(one.counts for one in given):
        sentence = "None of its approvals counts. To have it approved again, or to end it:"
        words = ("approve", "abort")
    print_paragraph(sentence)
    for word in words:
        more = {"report": ("--to", "cleanup.html"), "approve": ("--key", "NAME")}.get(word, ())
        line = command_line("cleanup", word, opened.id, *more, store=store, profile=profile)
        print_line(f"  {line}")


def _next_step(now: CampaignStatus, *, is_at_work: bool) -> tuple[str, tuple[str, ...]]:
    """Say what can be done with a campaign now, and by which commands."""
    if is_at_work:
        return "A process works on it now; to stop that, or to end the campaign:", (
            "pause",
            "abort",
        )
    if now.is_over:
        return "It is over. Its proof and its report:", ("audit", "report")
    if now.is_recovered:
        return "It deletes nothing any more. To find out what is still open:", ("recover",)
    return _NEXT.get(now.state, _GO_ON)


def pause(
    plan: PlanReference,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Ask the process that works on a campaign to pause it."""
    del profile
    from tokenvault_data.cleanup.campaign.campaign import Campaign

    opened = plan_at(plan, store, against_snapshot=False)
    campaign = Campaign.open(opened, store)
    is_at_work = campaign.is_at_work()
    if is_at_work:
        campaign.pause()
    if as_json:
        print_json(_document(campaign.status(), campaign))
    elif is_at_work:
        print_line(f"Campaign {opened.id} was asked to pause; apply the plan again to resume it.")
    else:
        state = campaign.status().state.replace("_", " ")
        print_line(f"No process works on campaign {opened.id}, which is {state}: nothing to pause.")


def abort(
    plan: PlanReference,
    profile: options.Profile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> int:
    """End a campaign for good; what was attempted is verified."""
    from tokenvault_data.cleanup.campaign.applying import abort_cleanup
    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.config.loading import load_profile

    opened = plan_at(plan, store, against_snapshot=False)
    with Vault(load_profile(profile), share_at_most=opened.limits.rate_share) as vault:
        now = abort_cleanup(vault, opened, store=store, on_progress=_progress())
    if not now.is_over and not as_json:
        line = command_line("cleanup", "status", opened.id, store=store, profile=profile)
        print_paragraph("The process that works on it was asked to end it. To see how it ended:")
        print_line(f"  {line}")
        return exit_codes.DONE_IN_PART
    return _end(opened, now, store, profile, as_json=as_json)


def recover(
    plan: PlanReference,
    profile: options.Profile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> int:
    """Find out what has become of a campaign whose journal was lost, and end it.

    For a journal that is missing, damaged or an older copy, for a folder that was copied from
    another machine, and for a campaign that is halted. It only reads: nothing is deleted, now or
    later. Make a new plan for what is left.
    """
    from tokenvault_data.cleanup.campaign.applying import recover_cleanup
    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.config.loading import load_profile

    opened = plan_at(plan, store, against_snapshot=False)
    with Vault(load_profile(profile), share_at_most=opened.limits.rate_share) as vault:
        now = recover_cleanup(vault, opened, store=store, on_progress=_progress())
    return _end(opened, now, store, profile, as_json=as_json)


def _typed(phrase: str) -> str:
    return typed_phrase(
        phrase,
        to="delete these cards for good",
        undone="nothing was sent",
        instead=", or call apply_cleanup(confirm=...) from Python",
    )


def _progress() -> Any:
    """Report on stderr, one line that is written over; only long waits where it is no terminal."""
    if not sys.stderr.isatty():
        return _waits()
    from tokenvault_data.collection.progress import in_words

    shown = ""

    def report(now: CampaignStatus) -> None:
        nonlocal shown
        left = "" if now.seconds_left is None else f", {in_words(now.seconds_left)} left"
        deletes = f"{now.deletes:,} deletes sent, {now.waiting:,} cards wait to be seen gone"
        if now.waits_until is not None:
            left = (
                f", the account's cap per day is reached: waiting until {_clock(now.waits_until)}"
            )
        line = f"{now.state}: {now.done:,} of {now.planned:,} cards done, {deletes}{left}"
        if line != shown:
            sys.stderr.write(f"\r\x1b[K{line}")
            shown = line
        if now.is_over or now.state in {"held", "paused", "halted"}:
            sys.stderr.write("\n")
        sys.stderr.flush()

    return report


def _waits() -> Any:
    """Write a line when a campaign begins to wait for the account's cap."""
    waits_until: float | None = None

    def report(now: CampaignStatus) -> None:
        nonlocal waits_until
        if now.waits_until is not None and now.waits_until != waits_until:
            sys.stderr.write(
                f"the account's cap per day is reached: waiting until {_clock(now.waits_until)}\n"
            )
            sys.stderr.flush()
        waits_until = now.waits_until

    return report


def _end(
    plan: Plan, now: CampaignStatus, store: Path, profile: str | None, *, as_json: bool
) -> int:
    from tokenvault_data.cleanup.campaign.campaign import Campaign

    campaign = Campaign.open(plan, store)
    if as_json:
        print_json(_document(now, campaign))
    else:
        _print_status(now, campaign)
        words = ("apply",) if now.state == "held" else ("audit", "report")
        if now.state == "held":
            print_paragraph("The canary is done. Look at it; to go on with the rest:")
        for word in words:
            line = command_line("cleanup", word, plan.id, store=store, profile=profile)
            print_line(f"  {line}{' --to cleanup.html' if word == 'report' else ''}")
    is_whole = now.is_over and not now.exceptions
    return exit_codes.DONE if is_whole else exit_codes.DONE_IN_PART


def _clock(seconds: float) -> str:
    from datetime import datetime

    from tokenvault_data.dataset.flattening.canonical import INDIA

    return f"{datetime.fromtimestamp(seconds, INDIA):%d %b %H:%M} India time"


def _print_approvals(campaign: Campaign) -> None:
    for one in campaign.approvals():
        print_paragraph(approval_sentence(one))


def _print_status(now: CampaignStatus, campaign: Campaign) -> None:
    print_line()
    problem = campaign.memory_problem()
    if problem is not None and not now.done:
        lost = "what it did is not known from its journal"
        print_line(f"Campaign {now.plan_id}: {lost}", style="bold")
        _print_problem(now, campaign, problem)
        return
    state = now.state.replace("_", " ")
    is_interrupted = now.state in _AT_WORK and not now.is_over and not campaign.is_at_work()
    headline = f"interrupted while {state}" if is_interrupted else state
    print_line(f"Campaign {now.plan_id}: {headline}", style="bold")
    if now.reason and not is_interrupted:
        print_paragraph(now.reason, indent="  ", first="  ")
    rows = [PrintedRow(("planned", f"{now.planned:,}", ""), "bold")]
    rows += [
        PrintedRow((f"  {final.replace('_', ' ')}", f"{count:,}", FINAL_MEANINGS[final]))
        for final, count in now.finals.items()
    ]
    if now.waiting:
        rows.append(PrintedRow(("  waiting", f"{now.waiting:,}", "to be seen gone")))
    if now.untouched:
        rows.append(PrintedRow(("  open", f"{now.untouched:,}", "not attempted yet")))
    rows.append(PrintedRow(("requests", f"{now.requests:,}", f"{now.deletes:,} of them deletes")))
    print_grid(rows, right=(1,), shrinks=2)
    print_line()
    if now.late_deletes:
        print_paragraph(
            f"{now.late_deletes:,} deletes may have left later than the plan allows, because the"
            " process was stopped in that moment; the audit names the cards."
        )
    _print_approvals(campaign)
    if problem is not None:
        _print_problem(now, campaign, problem)
    canary = campaign.canary()
    if canary:
        print_line()
        print_line("The canary, card by card", style="bold")
        print_grid(
            [
                PrintedRow(
                    (
                        mask_id(card.instrument_id),
                        card.bank or "-",
                        card.expires_on or "-",
                        how.replace("_", " "),
                        _PROOFS.get(why or "", why or ""),
                    )
                )
                for card, how, why in canary
            ],
            shrinks=4,
        )
    print_line()


def _print_problem(now: CampaignStatus, campaign: Campaign, problem: str) -> None:
    store = campaign.folder.parent.parent
    print_paragraph(f"This campaign cannot go on: {problem}. This finds out by reading alone:")
    print_line(f"  {command_line('cleanup', 'recover', now.plan_id, store=store, profile=None)}")


def _document(now: CampaignStatus, campaign: Campaign) -> dict[str, Any]:
    problem = campaign.memory_problem()
    return {
        "plan": now.plan_id,
        "state": now.state,
        "reason": now.reason,
        "planned": now.planned,
        "done": now.done,
        "gone": now.gone,
        "exceptions": now.exceptions,
        "finals": dict(now.finals),
        "requests": now.requests,
        "deletes": now.deletes,
        "late_deletes": now.late_deletes,
        "memory_problem": problem,
        "at_work": campaign.is_at_work(),
        "approvals": [one._asdict() for one in campaign.approvals()],
        "canary": [
            {"number": card.number, "ended": how, "reason": why}
            for card, how, why in campaign.canary()
        ],
    }
