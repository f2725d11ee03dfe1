"""Which step of a cleanup is open, and what may be pressed: decided purely, from a few facts.

The panel asks here before it enables a button, and again, with fresh facts, when one was pressed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from tokenvault_data.text import counted

if TYPE_CHECKING:
    from tokenvault_data.cleanup.campaign.status import CampaignStatus
    from tokenvault_data.cleanup.plan.plan import Plan

STEPS: Final = (
    "Rule",
    "Simulation",
    "Plan",
    "Approval",
    "Confirm and run",
    "Verify",
    "Audit and report",
)
"""The steps from top to bottom; a step's number is its place, from 1."""


class Stage(Enum):
    """How far the cleanup is that a panel shows."""

    RULE = "a rule can be chosen"
    SIMULATED = "the rule was simulated"
    SEALED = "there is a plan, and nothing of it was applied"
    HELD = "the canary is done"
    STOPPED = "paused, or interrupted by the end of its process"
    AT_WORK = "this panel works on it"
    ELSEWHERE = "another panel or process works on it"
    ENDING = "aborted, and something attempted is not settled"
    HALTED = "something does not add up"
    OVER = "nothing is left to do"


@dataclass(frozen=True, slots=True)
class StageFacts:
    """What a decision is made from.

    Attributes
    ----------
    plan : Plan or None
        The sealed plan that is shown.
    status : CampaignStatus or None
        Where its campaign stands; None without a plan.
    has_simulation, may_seal : bool
        Whether the chosen rule was simulated, and found to make a plan.
    busy : str or None
        What this panel is doing: ``simulate``, ``seal``, ``run``, ``abort``, ``verify``, ``report``
        or nothing.
    is_elsewhere : bool
        Whether somebody else works on a cleanup of the account.
    refusal : str or None
        Why the plan may not be applied here and now, as a sentence.
    is_connected : bool
        Whether there is an account to send requests to.
    phrase : str
        What has to be typed; empty without a plan, or where nobody's trust can be read.
    typed : str
        What stands in the field for the phrase.
    """

    plan: Plan | None = None
    status: CampaignStatus | None = None
    has_simulation: bool = False
    may_seal: bool = False
    busy: str | None = None
    is_elsewhere: bool = False
    refusal: str | None = None
    is_connected: bool = True
    phrase: str = ""
    typed: str = ""


_AT_REST: Final = {
    "sealed": Stage.SEALED,
    "approved": Stage.SEALED,
    "held": Stage.HELD,
    "halted": Stage.HALTED,
    "aborted": Stage.ENDING,
}
_STEP_OF: Final = {Stage.RULE: 1, Stage.SIMULATED: 3, Stage.OVER: 6}
_APPLIED_BY_PHRASE: Final = frozenset({Stage.SEALED, Stage.HELD, Stage.STOPPED})
_BEFORE: Final = frozenset({Stage.RULE, Stage.SIMULATED, Stage.SEALED})
_BEGUN: Final = frozenset({Stage.HELD, Stage.STOPPED, Stage.ENDING, Stage.HALTED})


def stage_of(facts: StageFacts) -> Stage:
    """Say how far the cleanup is."""
    if facts.plan is None or facts.status is None:
        return Stage.SIMULATED if facts.has_simulation else Stage.RULE
    if facts.status.is_over:
        return Stage.OVER
    if facts.busy in {"run", "abort"}:
        return Stage.AT_WORK
    if facts.is_elsewhere and facts.status.state not in {"sealed", "held", "halted"}:
        return Stage.ELSEWHERE
    # Paused, or as it was left by a process that died: nobody works on it.
    return _AT_REST.get(facts.status.state, Stage.STOPPED)


def open_step(facts: StageFacts) -> int:
    """Return the number of the step that an operator is at."""
    stage = stage_of(facts)
    if stage is Stage.SIMULATED and not facts.may_seal:
        return 2
    if stage is Stage.SEALED and facts.refusal is not None:
        return 4
    return _STEP_OF.get(stage, 5)


def pressable(facts: StageFacts) -> frozenset[str]:
    """Return what may be used now.

    ``choose`` (the rule), ``simulate``, ``seal``, ``reread`` (approvals and state), ``type`` (the
    phrase), ``run``, ``pause``, ``abort``, ``verify``, ``audit`` and ``report``.
    """
    stage = stage_of(facts)
    if stage is Stage.AT_WORK:
        return frozenset({"pause", "abort"} if facts.busy == "run" else ())
    if facts.busy is not None:
        return frozenset()
    if stage is Stage.ELSEWHERE:
        return frozenset({"pause", "abort", "reread"})
    allowed = {"reread"}
    if stage in _BEFORE | {Stage.OVER}:
        allowed |= {"choose", "simulate"}
    if stage is Stage.SIMULATED and facts.may_seal:
        allowed.add("seal")
    if stage in _APPLIED_BY_PHRASE and facts.is_connected and facts.refusal is None:
        allowed.add("type")
        if facts.phrase and facts.typed == facts.phrase:
            allowed.add("run")
    if stage in _BEGUN and facts.is_connected:
        allowed.add("abort")
    if stage in _BEGUN | {Stage.SEALED, Stage.OVER}:
        allowed |= {"audit", "report"}  # of a sealed plan they say that nothing was applied
    if stage is Stage.OVER and facts.is_connected:
        allowed.add("verify")
    if facts.is_elsewhere:  # with another plan of the account; one campaign at a time
        allowed -= {"type", "run", "abort"}
    return frozenset(allowed)


def run_label(facts: StageFacts) -> str:
    """Return what the button that deletes is called: what a press of it does."""
    stage, plan, status = stage_of(facts), facts.plan, facts.status
    if plan is None or status is None:
        return "Delete"
    left = counted(status.planned - status.done, "card")
    if stage is Stage.HELD:
        return f"Delete the other {left}"
    if stage is Stage.STOPPED:
        return f"Resume: {left} left"
    if len(plan.canary) < len(plan.cards):
        return f"Delete the canary: {counted(len(plan.canary), 'card')}"
    return f"Delete {left}"


def abort_label(facts: StageFacts) -> str:
    """Return what the button that ends a campaign is called."""
    return "Settle what was attempted" if stage_of(facts) is Stage.ENDING else "Abort"


def why_not(facts: StageFacts) -> str:
    """Return why the plan cannot be applied by a press now; empty where it can."""
    stage, plan = stage_of(facts), facts.plan
    if stage not in _APPLIED_BY_PHRASE or facts.busy is not None or plan is None:
        return ""
    reasons = (
        (not facts.is_connected, "Nothing can be deleted from here: no vault was given."),
        (facts.is_elsewhere, "Another cleanup of this account is at work; wait for it to end."),
        (facts.refusal is not None, facts.refusal or ""),
        (not facts.typed, "The button opens once the phrase is typed."),
        (facts.typed != facts.phrase, "What is typed is not the phrase of this plan."),
    )
    return next((reason for is_so, reason in reasons if is_so), "")
