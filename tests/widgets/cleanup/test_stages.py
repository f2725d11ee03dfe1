"""Which step of a cleanup is open and what may be pressed, over all facts there can be."""

import itertools
from types import SimpleNamespace

import pytest

from tokenvault_data.cleanup.campaign.status import CampaignStatus
from tokenvault_data.cleanup.journal.states import CAMPAIGN_TRANSITIONS
from tokenvault_data.widgets.cleanup.stages import (
    STEPS,
    Stage,
    StageFacts,
    abort_label,
    open_step,
    pressable,
    run_label,
    stage_of,
    why_not,
)

PHRASE = "delete 98 emulator 9f3ac1"
PLAN = SimpleNamespace(canary=(0,), cards=tuple(range(98)))


def at(state, done=0, **more):
    finals = {"deleted": done} if done else {}
    return StageFacts(
        plan=PLAN, phrase=PHRASE, status=CampaignStatus("9f3", state, None, 98, finals), **more
    )


ALL = [
    at(state, done, busy=busy, is_elsewhere=elsewhere, refusal=refusal, is_connected=connected)
    for state, done, busy, elsewhere, refusal, connected in itertools.product(
        CAMPAIGN_TRANSITIONS,
        (0, 1, 98),
        (None, "run", "abort", "verify"),
        (False, True),
        (None, "No."),
        (False, True),
    )
]


@pytest.mark.parametrize("typed", ["", PHRASE.upper(), f"{PHRASE} ", PHRASE[:-1]])
def test_nothing_but_the_phrase_opens_the_button(typed):
    """Whatever else is so, another text in the field never lets cards be deleted."""
    for facts in ALL:
        assert "run" not in pressable(StageFacts(**{**as_dict(facts), "typed": typed}))


def as_dict(facts):
    return {name: getattr(facts, name) for name in facts.__slots__}


def test_the_phrase_opens_it_only_at_rest():
    """Typed right, it opens where a plan is sealed, held or stopped, and nothing speaks against."""
    opened = set()
    for facts in ALL:
        given = StageFacts(**{**as_dict(facts), "typed": PHRASE})
        if "run" in pressable(given):
            opened.add(stage_of(given))
            assert given.busy is None
            assert given.refusal is None
            assert given.is_connected
            assert not given.is_elsewhere
            assert why_not(given) == ""
    assert opened == {Stage.SEALED, Stage.HELD, Stage.STOPPED}


def test_a_closed_button_says_why():
    """Where a person would expect to go on, there is a reason in words."""
    for facts in ALL:
        given = StageFacts(**{**as_dict(facts), "typed": PHRASE})
        stage = stage_of(given)
        if stage in {Stage.SEALED, Stage.HELD, Stage.STOPPED} and given.busy is None:
            assert ("run" in pressable(given)) == (why_not(given) == "")


def test_without_a_plan_nothing_of_a_campaign_can_be_pressed():
    """A phrase without a plan opens nothing."""
    for simulated, may_seal in ((False, False), (True, False), (True, True)):
        facts = StageFacts(has_simulation=simulated, may_seal=may_seal, typed=PHRASE)
        assert pressable(facts) <= {"choose", "simulate", "seal", "reread"}
        assert ("seal" in pressable(facts)) == may_seal
        assert why_not(facts) == ""


@pytest.mark.parametrize(
    ("facts", "stage", "step"),
    [
        (StageFacts(), Stage.RULE, 1),
        (StageFacts(has_simulation=True), Stage.SIMULATED, 2),
        (StageFacts(has_simulation=True, may_seal=True), Stage.SIMULATED, 3),
        (at("sealed"), Stage.SEALED, 5),
        (at("sealed", refusal="No."), Stage.SEALED, 4),
        (at("held", 1), Stage.HELD, 5),
        (at("paused", 1), Stage.STOPPED, 5),
        (at("running", 1), Stage.STOPPED, 5),
        (at("canary"), Stage.STOPPED, 5),
        (at("running", 1, is_elsewhere=True), Stage.ELSEWHERE, 5),
        (at("sealed", is_elsewhere=True), Stage.SEALED, 5),
        (at("running", 1, busy="run"), Stage.AT_WORK, 5),
        (at("aborted", 1), Stage.ENDING, 5),
        (at("halted", 1), Stage.HALTED, 5),
        (at("completed", 98), Stage.OVER, 6),
        (at("aborted", 98), Stage.OVER, 6),
    ],
)
def test_stages_and_the_step_an_operator_is_at(facts, stage, step):
    """Each state of a campaign is one stage, and leads to one step."""
    assert stage_of(facts) is stage
    assert open_step(facts) == step
    assert 1 <= step <= len(STEPS)


def test_what_can_be_stopped():
    """At work it can be paused and aborted, here or elsewhere; settling is not interrupted."""
    assert pressable(at("running", 1, busy="run")) == {"pause", "abort"}
    assert {"pause", "abort"} < pressable(at("running", 1, is_elsewhere=True))
    assert pressable(at("aborted", 1, busy="abort")) == frozenset()
    assert "abort" in pressable(at("held", 1)) & pressable(at("halted", 1))
    assert "abort" not in pressable(at("sealed")) | pressable(at("completed", 98))


def test_the_rule_is_closed_while_a_campaign_is_open():
    """Once something was applied, a new plan waits until that campaign is over."""
    for state in ("held", "paused", "running", "halted"):
        assert "choose" not in pressable(at(state, 1))
    assert "choose" in pressable(at("sealed")) & pressable(at("completed", 98))


def test_buttons_say_what_they_do():
    """The label counts the cards that a press deletes."""
    assert run_label(at("sealed")) == "Delete the canary: 1 card"
    assert run_label(at("held", 1)) == "Delete the other 97 cards"
    assert run_label(at("paused", 40)) == "Resume: 58 cards left"
    assert abort_label(at("held", 1)) == "Abort"
    assert abort_label(at("aborted", 1)) == "Settle what was attempted"
