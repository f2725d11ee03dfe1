"""What a cleanup's panel says at each step, as blocks of words: plain functions of facts."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from tokenvault_data.cleanup.journal.states import FINAL_MEANINGS
from tokenvault_data.cleanup.plan.summary import describe, shown_sentence
from tokenvault_data.errors import CampaignHalted, CampaignPaused, Locked, RefusedByGuardRail
from tokenvault_data.text import counted, utc_minute
from tokenvault_data.widgets.cleanup.stages import STEPS, Stage, StageFacts, stage_of
from tokenvault_data.widgets.parts.layout import in_a_sentence
from tokenvault_data.widgets.parts.text import partial_blocks

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.cleanup.audit.audit import AuditResult
    from tokenvault_data.cleanup.campaign.status import CampaignStatus
    from tokenvault_data.cleanup.campaign.verification import VerificationResult
    from tokenvault_data.cleanup.ledger.day_room import DayRoom
    from tokenvault_data.cleanup.plan.plan import Plan
    from tokenvault_data.cleanup.plan.simulation import Simulation
    from tokenvault_data.cleanup.selection.rules import Rule
    from tokenvault_data.dataset.snapshots import Snapshot
    from tokenvault_data.widgets.cleanup.store import Approvals
    from tokenvault_data.widgets.parts.text import Block

_UNTIL: Final = "before a plan's phrase is typed in step 5"
_ALWAYS: Final = (
    "A card whose expiry is unknown is never expired, and a customer's last usable card is spared"
    " unless the limits allow it."
)

_STEPS_DONE: Final = {
    "checked": 1,
    "intended": 1,
    "not_executed": 1,
    "accepted": 2,
    "in_doubt": 2,
    "absent": 2,
    "verifying": 2,
    "final": 3,
}


def opening(snapshot: Snapshot, *, is_connected: bool) -> list[Block]:
    """Say which vault this is about."""
    manifest = snapshot.manifest
    where = "" if is_connected else " No vault was given, so nothing can be deleted from here."
    return [
        ("heading", f"Clean up saved cards in {place(manifest.environment)}"),
        ("note", f"From snapshot {snapshot.id}. Nothing is deleted {_UNTIL}.{where}"),
        *partial_blocks(snapshot),
    ]


def step_title(number: int, finding: str = "") -> list[Block]:
    """Return the title of a step, with what it has come to."""
    name = STEPS[number - 1]
    return [("subheading", f"{number}. {name}: {finding}" if finding else f"{number}. {name}")]


def rule_words(rule: Rule) -> list[Block]:
    """Say which cards a rule selects."""
    named = f"These are {counted(len(rule.pairs), 'card')} by name. " if rule.pairs else ""
    return [
        ("lead", f"{_capital(shown_sentence(rule))}."),
        ("note", f"{named}{_ALWAYS}"),
    ]


def simulation_words(simulation: Simulation, room: DayRoom | None = None) -> list[Block]:
    """Say what a rule would do, which guard rails it would meet, and what is left today."""
    figures = [
        (f"{simulation.cards:,}", f"of {simulation.vault_cards:,} cards would be deleted"),
        (f"{simulation.customers:,}", "customers have them"),
        (f"{simulation.left_without_usable:,}", "customers left without a usable card"),
        (f"{simulation.requests:,}", "requests"),
    ]
    if simulation.minutes is not None:
        limit = simulation.limit_per_minute
        figures.append((duration(simulation.minutes * 60), f"at a limit of {limit:,} a minute"))
    left_out = [f"{number:,} {reason}" for reason, number in simulation.left_out.items()]
    blocks: list[Block] = [("figures", figures)]
    if left_out:
        blocks.append(("note", f"Selected by the rule and left out: {'; '.join(left_out)}."))
    if room is not None:
        blocks.append(("note", room.sentence(simulation.cards)))
    if simulation.violations:
        blocks += [
            ("warning", f"A guard rail would refuse the plan: {one.sentence}.")
            for one in simulation.violations
        ]
        caps = ", ".join(f"{one.cap}=..." for one in simulation.violations if one.cap != "controls")
        way = f", or make the panel with limits=tv.Limits({caps})" if caps else ""
        blocks.append(
            ("text", f"Narrow the rule, collect anew{way} if this is what you mean. Then simulate.")
        )
    elif not simulation.cards:
        blocks.append(("warning", "There is nothing to plan; choose another rule."))
    else:
        blocks.append(("good", "No guard rail would refuse the plan. Nothing was sent."))
    return blocks


def plan_words(plan: Plan, path: Path) -> list[Block]:
    """Say what was sealed; its phrase is said where it has to be typed."""
    described = describe(plan)
    known = [(one.label, one.text) for one in described.facts if one.key != "phrase"]
    rows = [(_capital(label), text) for label, text in (*known, ("file", str(path)))]
    warnings: list[Block] = [("warning", text) for text in described.warnings]
    return [("lead", described.headline), *warnings, ("facts", rows)]


def approval_words(facts: StageFacts, approvals: Approvals, store: Path) -> list[Block]:
    """Say whether a second person has agreed, and how they do."""
    blocks: list[Block] = [
        ("good", f"Approved by {one.approver} on {utc_minute(one.approved_at)}; it counts.")
        for one in approvals.counting
    ]
    blocks += [
        ("warning", f"An approval by {one.approver} does not count, because {one.why}.")
        for one in approvals.refused
    ]
    if approvals.problem is not None:
        blocks.append(("warning", approvals.problem))
    plan = facts.plan
    if plan is None or approvals.counting:
        return blocks
    where = place(plan.environment)
    if stage_of(facts) is not Stage.SEALED and not approvals.is_needed:
        return [*blocks, ("note", f"In {where} it may be left out, and it was.")]
    how = (
        f"Somebody other than {plan.planner} looks at the plan and signs it, on this machine or"
        " with a copy of its file. Keys are made with `tokenvault cleanup keygen NAME`, and"
        " believed here after `tokenvault cleanup trust FILE`. The panel never approves."
    )
    blocks += [("text", how), ("code", "\n".join(_commands(plan, store)))]
    if approvals.is_needed:
        return [("warning", f"In {where} nothing is deleted without an approval."), *blocks]
    return [("note", f"In {where} an approval may be left out."), *blocks]


def simulation_finding(simulation: Simulation) -> str:
    """Say in a title what a rule would do."""
    if simulation.violations:
        return f"refused by {counted(len(simulation.violations), 'guard rail')}"
    cards, customers = simulation.cards, simulation.customers
    return f"{counted(cards, 'card')} of {counted(customers, 'customer')} would be deleted"


def approval_finding(plan: Plan, approvals: Approvals) -> str:
    """Say it in a title."""
    if approvals.refused:
        return "an approval does not count"
    if approvals.problem is not None:
        return "nobody's trust can be read"
    if approvals.counting:
        return f"given by {', '.join(one.approver for one in approvals.counting)}"
    return "needed" if approvals.is_needed else f"not needed in {place(plan.environment)}"


def run_words(facts: StageFacts) -> list[Block]:
    """Say what became of the cards so far, and what has to be typed to go on."""
    plan, status, stage = facts.plan, facts.status, stage_of(facts)
    if plan is None or status is None:
        return []
    blocks = finals_words(status)
    if stage is Stage.HELD:
        blocks = [
            ("text", f"The canary, {counted(status.done, 'card')} spread over banks, has shown:"),
            *blocks,
        ]
    if stage is Stage.STOPPED:
        state, reason = status.state, status.reason or "no reason was written down"
        was = f"It is paused: {reason}" if state == "paused" else f"Its process ended while {state}"
        what = f"{was}. What was sent is written down; go on once that is settled, or abort."
        blocks = [("warning", what), *blocks]
    if stage is Stage.ENDING:
        blocks = [("warning", "It was aborted; what was attempted is not settled yet."), *blocks]
    if stage is Stage.HALTED:
        what = (
            f"It is halted and does not go on: {status.reason}. Run the audit, find the cause, then"
            " abort it, which settles what was attempted."
        )
        blocks = [("warning", what), *blocks]
    may_go_on = facts.is_connected and facts.refusal is None and not facts.is_elsewhere
    if stage in {Stage.SEALED, Stage.HELD, Stage.STOPPED} and may_go_on:
        whole = counted(len(plan.cards), "card")
        left = counted(status.planned - status.done, "card")
        what = {
            Stage.SEALED: f"To delete {whole} for good, the canary first, type",
            Stage.HELD: f"If that is as it should be: to delete the other {left} for good, type",
            Stage.STOPPED: f"To go on with the {left} left, type",
        }[stage]
        blocks += [("text", f"{what} the phrase of the plan:"), ("lead", facts.phrase)]
    return blocks


def run_finding(facts: StageFacts) -> str:
    """Say in a title how far the campaign is."""
    status = facts.status
    stage = stage_of(facts)
    if status is None:
        return ""
    if stage is Stage.SEALED:
        return "nothing was deleted yet"
    done = f"{status.done:,} of {status.planned:,} cards done"
    if stage is Stage.AT_WORK or (stage is Stage.ELSEWHERE and status.state != "sealed"):
        return "at work" + " in another place" * (stage is Stage.ELSEWHERE)
    if stage is Stage.OVER:
        state = status.state.replace("_", " ")
        return f"{state}, {status.gone:,} of {status.planned:,} cards gone"
    words = {
        Stage.HELD: "held after the canary",
        Stage.STOPPED: "paused" if status.state == "paused" else "interrupted",
        Stage.ENDING: "aborted, not settled",
        Stage.HALTED: "halted",
    }
    return f"{words.get(stage, status.state)}, {done}"


def finals_words(status: CampaignStatus) -> list[Block]:
    """Say how cards have ended."""
    if not status.finals:
        return []
    return [
        (
            "facts",
            [
                (
                    _capital(final.replace("_", " ")),
                    f"{counted(count, 'card')}. {FINAL_MEANINGS[final]}",
                )
                for final, count in status.finals.items()
            ],
        )
    ]


def progress_text(status: CampaignStatus) -> str:
    """Say in a sentence how far a campaign at work is."""
    left = status.seconds_left
    more = "" if left is None else f", about {duration(left)} left"
    exceptions = f", {counted(status.exceptions, 'exception')}" * bool(status.exceptions)
    return (
        f"{_capital(status.state)}: {counted(status.deletes, 'delete')} sent, {status.gone:,} of"
        f" {status.planned:,} cards proven gone{exceptions}; {counted(status.requests, 'request')}"
        f" so far{more}."
    )


def fraction_done(status: CampaignStatus) -> float:
    """Return the part of the work that is done: a card is checked, deleted, and proven gone."""
    steps = sum(_STEPS_DONE.get(name, 0) * count for name, count in status.states.items())
    return steps / (3 * status.planned) if status.planned else 1.0


def end_words(ended: object) -> list[Block]:
    """Say why a job ended other than as wanted; nothing where it did not."""
    if not isinstance(ended, BaseException):
        return []
    text = in_a_sentence(ended)
    if isinstance(ended, CampaignPaused):
        return []  # the journal says so, and is shown
    if isinstance(ended, RefusedByGuardRail):
        return [("warning", f"Refused by a guard rail. {text}")]
    if isinstance(ended, CampaignHalted):
        return [("warning", f"Halted. {text}")]
    if isinstance(ended, Locked):
        return [("warning", f"Not begun. {text}")]
    return [("warning", text)]


def verify_words(result: VerificationResult) -> list[Block]:
    """Say what looking again has shown."""
    rows = [f"{one:,}" for one in (*result.still_there, *result.unclear)]
    blocks: list[Block] = [("good" if result.ok else "warning", result.verdict)]
    if rows:
        blocks.append(("note", f"Rows of the plan to look at: {', '.join(rows[:20])}."))
    return [*blocks, ("note", f"Kept beside the plan as {result.file}.")]


def audit_words(result: AuditResult) -> list[Block]:
    """Say what the audit has come to, and by what a copy can be described."""
    known = [
        ("Plan", result.plan_digest or "none"),
        ("Journal", f"{result.audit_head or 'none'} ({counted(result.records, 'record')})"),
        ("Seal", result.seal_digest or "not sealed yet"),
    ]
    is_fine = result.ok and (bool(result.anchors) or not result.complete)
    blocks: list[Block] = [("good" if is_fine else "warning", result.verdict)]
    if result.findings:
        blocks.append(("list", list(result.findings)))
    blocks += [("note", note) for note in result.notes]
    return [*blocks, ("facts", known)]


def audit_finding(result: AuditResult) -> str:
    """Say in a title what the audit has come to."""
    return result.sentence if result.ok else counted(len(result.findings), "fault")


def duration(seconds: float) -> str:
    """Return a time in words.

    >>> duration(372), duration(40), duration(60_000), duration(float("inf"))
    ('7 min', '40 s', '16 h 40 min', 'for ever')
    """
    if seconds == float("inf"):
        return "for ever"
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = -(-round(seconds) // 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours:,} h {rest} min" if hours else f"{minutes} min"


def place(environment: str) -> str:
    """Return an environment as a sentence names it.

    >>> place("sandbox"), place("production")
    ('the sandbox', 'production')
    """
    return environment if environment == "production" else f"the {environment}"


def plan_finding(plan: Plan, customers: int) -> str:
    """Say in a title which plan was sealed."""
    return (
        f"{plan.id} is sealed, {counted(len(plan.cards), 'card')} of"
        f" {counted(customers, 'customer')}"
    )


def _commands(plan: Plan, store: Path) -> list[str]:
    where = ["--store", str(store)]
    return [
        shlex.join(["tokenvault", "cleanup", "show", plan.id, *where]),
        shlex.join(["tokenvault", "cleanup", "approve", plan.id, "--key", "NAME", *where]),
    ]


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
