"""What becomes of one item: each decision, by itself."""

from types import SimpleNamespace

import pytest

from tokenvault_data.cleanup.answers import TABLE
from tokenvault_data.cleanup.item_steps import (
    SETTLE_SECONDS,
    UNCLEAR_SECONDS,
    Check,
    Course,
    Intent,
    Look,
    after_check,
    after_look,
    after_outcome,
    proven_gone,
    recovered,
    withdrawn,
)
from tokenvault_data.cleanup.records import Record
from tokenvault_data.cleanup.standing import Standing

INTENT = Intent("a", "k", "2026-11-22T10:00:00+00:00")
HOLDS = Check("holds", None, 200, "r")


def standing(*steps):
    """A campaign of one card, after some steps."""
    made = Standing()
    made.take(Record("opened", None, {"rows": 1}))
    for step in steps:
        take(made, step)
    return made


def take(made, step):
    for record in step.records:
        made.take(record)
    return made.items[0]


def reading(meaning):
    row = TABLE[meaning]
    return SimpleNamespace(
        row=row, status=200, code=None, request_id="r", message=row.words, meaning=meaning
    )


def attempted(meaning, times=1):
    """A campaign whose card was attempted, each time answered so and seen there for good."""
    made = standing()
    item = made.items[0]
    for turn in range(times):
        if turn:
            done = Course(looks=len(SETTLE_SECONDS))
            take(made, look(item, "present", course=done))
        check = after_check(0, item, HOLDS, Course(), Intent(f"a{turn}", "k", "d"), attempts=9)
        take(made, check)
        take(made, after_outcome(0, item, reading(meaning)))
    return made


def look(item, verdict, *, course=Course(), attempts=4, may_attempt=True):  # noqa: B008  frozen
    seen = Look(verdict, None, 404 if verdict == "absent" else 200, "r")
    return after_look(0, item, seen, course, attempts=attempts, may_attempt=may_attempt)


def final(step):
    return next((r.detail["final"] for r in step.records if r.detail.get("final")), None)


def test_a_card_as_planned_gets_an_intent_with_its_check():
    """Check and intent are records of one step, the intent last but for the move."""
    step = after_check(0, standing().items[0], HOLDS, Course(), INTENT, attempts=4)
    assert [record.kind for record in step.records] == ["checked", "item", "intended", "item"]
    assert step.next.do == "delete"


@pytest.mark.parametrize("verdict", ["drift", "absent", "unclear", "gone_inactive"])
def test_nothing_else_gets_one(verdict):
    """Drift, absence and doubt never lead to an intent."""
    check = Check(verdict, "why", 200, "r")
    step = after_check(0, standing().items[0], check, Course(), INTENT, attempts=4)
    assert "intended" not in {record.kind for record in step.records}
    assert step.next.do != "delete"


def test_the_number_of_sends_is_capped():
    """After so many attempts a card that is still there is unresolved."""
    made = attempted("server_error", times=2)
    item = made.items[0]
    take(made, look(item, "present", course=Course(looks=3)))
    step = after_check(0, item, HOLDS, Course(), INTENT, attempts=2)
    assert final(step) == "unresolved"


def test_drift_is_named_by_what_went_before():
    """Never attempted it is skipped; after an attempt it is drift after attempt."""
    drift = Check("drift", "renewed", 200, "r")
    fresh = after_check(0, standing().items[0], drift, Course(), INTENT, attempts=4)
    assert final(fresh) == "skipped_drift"
    made = attempted("server_error")
    item = made.items[0]
    take(made, look(item, "present", course=Course(looks=3)))
    assert final(after_check(0, item, drift, Course(), INTENT, attempts=4)) == "drift_after_attempt"


@pytest.mark.parametrize(
    ("meaning", "state", "do", "wait"),
    [
        ("this_card", "accepted", "look", 0.0),
        ("not_found", "absent", "look", 0.0),
        ("already_deleted", "absent", "look", 0.0),
        ("server_error", "in_doubt", "look", 2.0),
        ("lost", "in_doubt", "look", 2.0),
        ("garbage", "in_doubt", "look", 2.0),
        ("conflict", "in_doubt", "look", 2.0),
        ("rate_limited", "planned", "check", 1.0),
        ("not_sent", "planned", "check", 1.0),
        ("invalid", "final", "nothing", 0.0),
    ],
)
def test_where_an_outcome_leads(meaning, state, do, wait):
    """What may have been carried out is fetched, never sent again; the rest is checked afresh."""
    made = standing()
    item = take(made, after_check(0, made.items[0], HOLDS, Course(), INTENT, attempts=4))
    step = after_outcome(0, made.items[0], reading(meaning))
    take(made, step)
    assert made.items[0].state == state
    assert (step.next.do, step.next.wait_seconds) == (do, wait)
    assert item.attempt is None


def test_a_card_still_there_settles_before_a_fresh_attempt():
    """Looks come after 0, 2, 10 and 60 seconds; only then is the card planned again."""
    made = attempted("this_card")
    item, course, waits = made.items[0], Course(), []
    while True:
        step = look(item, "present", course=course)
        take(made, step)
        if step.next.do != "look":
            break
        waits.append(step.next.wait_seconds)
        course = step.course
    assert waits == list(SETTLE_SECONDS)
    assert (item.state, step.next.do) == ("planned", "check")


def test_what_proves_nothing_does_not_count_as_a_look():
    """Unclear fetches never bring a fresh attempt nearer, and put the item off in the end."""
    made = attempted("this_card")
    item, course = made.items[0], Course()
    for _ in UNCLEAR_SECONDS:
        step = look(item, "unclear", course=course)
        assert (step.next.do, step.course.looks) == ("look", 0)
        course = step.course
    assert look(item, "unclear", course=course).next.do == "look_at_end"


def test_a_rate_limit_met_costs_an_item_nothing():
    """An answer of 429 leaves its patience as it was."""
    made = attempted("this_card")
    seen = Look("unclear", "429", 429, "r", counts=False)
    step = after_look(0, made.items[0], seen, Course(), attempts=4, may_attempt=True)
    assert step.course == Course()


@pytest.mark.parametrize(
    ("meaning", "waits"), [("this_card", [2.0]), ("lost", [2.0, 10.0]), ("not_found", [2.0, 10.0])]
)
def test_absence_is_seen_again_and_then_waits_for_a_control_read(meaning, waits):
    """Two 404s in a row after a 200, three after anything else; what is unclear counts neither."""
    made = attempted(meaning)
    item, course, found = made.items[0], Course(), []
    while True:
        step = look(item, "absent", course=course)
        take(made, step)
        if step.next.do != "look":
            break
        found.append(step.next.wait_seconds)
        unclear = look(item, "unclear", course=step.course)
        take(made, unclear)
        course = unclear.course
    assert found == waits
    assert (item.state, step.next.do) == ("verifying", "await_control")


def test_a_card_that_shows_up_between_makes_absence_begin_afresh():
    """One 404, the card, one 404: that is no two in a row."""
    made = attempted("this_card")
    course = Course()
    for verdict in ("absent", "present", "absent"):
        step = look(made.items[0], verdict, course=course)
        take(made, step)
        assert step.next.do == "look"
        course = step.course
    assert look(made.items[0], "absent", course=course).next.do == "await_control"


def test_a_card_that_a_check_does_not_find_is_looked_for_twice_more():
    """Nobody deleted it as far as is known, so three fetches have to say so."""
    made = standing()
    item = made.items[0]
    step = after_check(0, item, Check("absent", None, 404, "r"), Course(), INTENT, attempts=4)
    waits = []
    while step.next.do == "look":
        take(made, step)
        waits.append(step.next.wait_seconds)
        step = look(item, "absent", course=step.course)
    assert (waits, step.next.do) == ([2.0, 10.0], "await_control")


def test_a_card_that_a_check_missed_is_tried_once_more_at_the_end():
    """There after all it is put off to the end, and missed again then, it is left alone."""
    made = standing()
    item, missed = made.items[0], Check("absent", None, 404, "r")
    take(made, after_check(0, item, missed, Course(), INTENT, attempts=4))
    step = look(item, "present", course=Course(absences=1))
    take(made, step)
    assert (item.state, step.next.do) == ("planned", "check_at_end")
    last = Course(is_last=True)
    take(made, after_check(0, item, missed, last, INTENT, attempts=4))
    assert final(look(item, "present", course=last)) == "not_attempted"


def test_inactive_needs_no_second_look():
    """An answer that names the card and its status is more than a 404."""
    assert final(look(attempted("this_card").items[0], "inactive")) == "deleted"


@pytest.mark.parametrize(
    ("meanings", "expected"),
    [
        ((), "already_gone"),
        (("this_card",), "deleted"),
        (("server_error",), "gone_after_attempt"),
        (("not_found",), "gone_after_attempt"),
        (("rate_limited",), "already_gone"),
    ],
)
def test_only_an_accepted_delete_that_was_seen_gone_is_deleted(meanings, expected):
    """The name of the end says what was answered and never more."""
    made = attempted(*meanings) if meanings else standing()
    assert proven_gone(0, made.items[0], "404").detail["final"] == expected


def test_an_intent_withdrawn_leaves_no_trace_of_a_send():
    """It counts as an intent and not as a send."""
    made = standing()
    take(made, after_check(0, made.items[0], HOLDS, Course(), INTENT, attempts=4))
    item = take(made, withdrawn(0, made.items[0], "too late"))
    assert (item.state, item.intents, item.sends, made.deletes) == ("planned", 1, 0, 0)


def test_recovery_fetches_first():
    """An intent without an outcome is in doubt: it settles two seconds, then is looked at."""
    made = standing()
    take(made, after_check(0, made.items[0], HOLDS, Course(), INTENT, attempts=4))
    step = recovered(0, made.items[0], may_attempt=True)
    item = take(made, step)
    assert (item.state, item.outcome) == ("in_doubt", "in_doubt")
    assert step.next.do == "look"
    assert step.next.wait_seconds >= 2
    again = recovered(0, item, may_attempt=True)
    assert (again.records, again.next) == ((), step.next)


def test_an_aborted_campaign_attempts_nothing_more():
    """What was never sent ends as not attempted, what was is looked at, and then unresolved."""
    assert final(recovered(0, standing().items[0], may_attempt=False)) == "not_attempted"
    made = attempted("server_error")
    item = made.items[0]
    take(made, look(item, "present", course=Course(looks=3)))
    step = recovered(0, item, may_attempt=False)
    take(made, step)
    assert (item.state, step.next.do) == ("verifying", "look")
    done = Course(looks=3)
    assert final(look(item, "present", course=done, may_attempt=False)) == "unresolved"
