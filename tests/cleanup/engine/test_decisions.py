"""What becomes of one item: each decision, by itself."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tokenvault_data.cleanup.engine.decisions import (
    SETTLE_SECONDS,
    UNCLEAR_SECONDS,
    CardProgress,
    Intent,
    ListObservation,
    NextAction,
    Observation,
    Sent,
    after_check,
    after_look,
    after_outcome,
    proven_gone,
    recovered,
    withdrawn,
    without_proof,
)
from tokenvault_data.cleanup.engine.responses import TABLE
from tokenvault_data.cleanup.journal.records import Record, moved, state
from tokenvault_data.cleanup.journal.state import JournalState

AT = "2026-11-22T09:59:59+00:00"
INTENT = Intent("a", "k", "2026-11-22T10:00:00+00:00", 0.5, 2.0)
SENT = Sent(0.5)
HOLDS = ListObservation("holds", None, 200, "r", AT, 2)
ABSENT = ListObservation("absent", None, 200, "r", AT, 1)
SETTLE = 60.0


def standing(*steps):
    """A campaign of one card, after some steps."""
    made = JournalState()
    made.apply(Record("opened", None, {"rows": 1}))
    for step in steps:
        take(made, step)
    return made


def take(made, step):
    for record in step.records:
        made.apply(record)
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
            done = CardProgress(looks=len(SETTLE_SECONDS))
            take(made, look(item, "present", progress=done))
        intent = Intent(f"a{turn}", "k", "d", 0.5, 2.0)
        take(made, after_check(0, item, HOLDS, CardProgress(), intent, attempts=9))
        take(made, after_outcome(0, item, reading(meaning), CardProgress(), SENT, 0.0))
    return made


def look(item, verdict, *, progress=CardProgress(), after=SETTLE, may_attempt=True, **more):  # noqa: B008  frozen
    status = 404 if verdict == "absent" else 200
    seen = Observation(verdict, None, status, "r", after_seconds=after if item.doubtful else None)
    settings = {"attempts": 4, "settle_seconds": SETTLE} | more
    return after_look(0, item, seen, progress, may_attempt=may_attempt, **settings)


def final(step):
    return next((r.detail["final"] for r in step.records if r.detail.get("final")), None)


def test_a_card_as_planned_gets_an_intent_with_its_check():
    """Check and intent are records of one step, the intent last but for the move."""
    step = after_check(0, standing().items[0], HOLDS, CardProgress(), INTENT, attempts=4)
    assert [record.kind for record in step.records] == ["checked", "item", "intended", "item"]
    assert step.next.do == "delete"


@pytest.mark.parametrize("verdict", ["drift", "absent", "unclear", "gone_inactive", "last_usable"])
def test_nothing_else_gets_one(verdict):
    """Drift, absence, doubt and a customer's last usable card never lead to an intent."""
    check = HOLDS._replace(verdict=verdict, reason="why")
    step = after_check(0, standing().items[0], check, CardProgress(), INTENT, attempts=4)
    assert "intended" not in {record.kind for record in step.records}
    assert step.next.do != "delete"


def test_the_number_of_sends_is_capped():
    """After so many attempts a card that is still there is unresolved."""
    made = attempted("server_error", times=2)
    item = made.items[0]
    take(made, look(item, "present", progress=CardProgress(looks=3)))
    step = after_check(0, item, HOLDS, CardProgress(), INTENT, attempts=2)
    assert final(step) == "unresolved"


def test_drift_is_named_by_what_went_before():
    """Never attempted it is skipped; after an attempt it is drift after attempt."""
    drift = HOLDS._replace(verdict="drift", reason="renewed")
    fresh = after_check(0, standing().items[0], drift, CardProgress(), INTENT, attempts=4)
    assert final(fresh) == "skipped_drift"
    made = attempted("server_error")
    item = made.items[0]
    take(made, look(item, "present", progress=CardProgress(looks=3)))
    assert (
        final(after_check(0, item, drift, CardProgress(), INTENT, attempts=4))
        == "drift_after_attempt"
    )


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
    item = take(made, after_check(0, made.items[0], HOLDS, CardProgress(), INTENT, attempts=4))
    step = after_outcome(0, made.items[0], reading(meaning), CardProgress(), SENT, 7.0)
    take(made, step)
    assert made.items[0].state == state
    assert (step.next.do, step.next.wait_seconds) == (do, wait)
    assert item.attempt is None
    assert step.progress.attempted_at == (7.0 if do == "look" else None)


def test_a_card_still_there_settles_before_a_fresh_attempt():
    """Looks come after 0, 2, 10 and 60 seconds; only then is the card planned again."""
    made = attempted("this_card")
    item, progress, waits = made.items[0], CardProgress(), []
    while True:
        step = look(item, "present", progress=progress)
        take(made, step)
        if step.next.do != "look":
            break
        waits.append(step.next.wait_seconds)
        progress = step.progress
    assert waits == list(SETTLE_SECONDS)
    assert (item.state, step.next.do) == ("planned", "check")


def test_what_proves_nothing_does_not_count_as_a_look():
    """Unclear fetches never bring a fresh attempt nearer, and put the item off in the end."""
    made = attempted("this_card")
    item, progress = made.items[0], CardProgress()
    for _ in UNCLEAR_SECONDS:
        step = look(item, "unclear", progress=progress)
        assert (step.next.do, step.progress.looks) == ("look", 0)
        progress = step.progress
    assert look(item, "unclear", progress=progress).next.do == "look_at_end"


def test_a_rate_limit_met_costs_an_item_nothing():
    """An answer of 429 leaves its patience as it was."""
    made = attempted("this_card")
    seen = Observation("unclear", "429", 429, "r", counts=False)
    step = after_look(
        0, made.items[0], seen, CardProgress(), attempts=4, settle_seconds=SETTLE, may_attempt=True
    )
    assert step.progress == CardProgress()


@pytest.mark.parametrize(
    ("meaning", "waits"), [("this_card", [2.0]), ("lost", [2.0, 10.0]), ("not_found", [2.0, 10.0])]
)
def test_absence_is_seen_again_and_then_waits_for_a_control_read(meaning, waits):
    """Two 404s in a row after a 200, three after anything else; what is unclear counts neither."""
    made = attempted(meaning)
    item, progress, found = made.items[0], CardProgress(), []
    while True:
        step = look(item, "absent", progress=progress)
        take(made, step)
        if step.next.do != "look":
            break
        found.append(step.next.wait_seconds)
        unclear = look(item, "unclear", progress=step.progress)
        take(made, unclear)
        progress = unclear.progress
    assert found == waits
    assert (item.state, step.next.do) == ("verifying", "await_control")


def test_a_card_that_shows_up_between_makes_absence_begin_afresh():
    """One 404, the card, one 404: that is no two in a row."""
    made = attempted("this_card")
    progress = CardProgress()
    for verdict in ("absent", "present", "absent"):
        step = look(made.items[0], verdict, progress=progress)
        take(made, step)
        assert step.next.do == "look"
        progress = step.progress
    assert look(made.items[0], "absent", progress=progress).next.do == "await_control"


def test_a_card_that_a_list_lacks_is_fetched_three_times():
    """A list counts as none of the fetches that have to show that the card is gone."""
    made = standing()
    item = made.items[0]
    step = after_check(0, item, ABSENT, CardProgress(), INTENT, attempts=4)
    waits = []
    while step.next.do == "look":
        take(made, step)
        waits.append(step.next.wait_seconds)
        step = look(item, "absent", progress=step.progress)
    assert (waits, step.next.do) == ([0.0, 2.0, 10.0], "await_control")


def test_a_card_that_a_check_missed_is_tried_once_more_at_the_end():
    """There after all it is put off to the end, and missed again then, it is left alone."""
    made = standing()
    item, missed = made.items[0], ABSENT
    take(made, after_check(0, item, missed, CardProgress(), INTENT, attempts=4))
    step = look(item, "present", progress=CardProgress(absences=1))
    take(made, step)
    assert (item.state, step.next.do) == ("planned", "check_at_end")
    last = CardProgress(is_last=True)
    take(made, after_check(0, item, missed, last, INTENT, attempts=4))
    assert final(look(item, "present", progress=last)) == "not_attempted"


@pytest.mark.parametrize("verdict", ["absent", "gone_inactive"])
def test_a_card_that_only_fetches_show_is_not_asked_about_for_ever(verdict):
    """A list that hides it after an attempt, while fetches show it, makes it wait for the end."""
    made = attempted("this_card")
    item = made.items[0]
    missed = ABSENT._replace(verdict=verdict)
    take(made, look(item, "present", progress=CardProgress(looks=3)))
    found = []
    progress = CardProgress()
    while item.state != "final":
        step = after_check(0, item, missed, progress, INTENT, attempts=4)
        take(made, step)
        while step.next.do == "look":
            step = look(item, "present", progress=step.progress)
            take(made, step)
        found.append(step.next.do)
        progress = step.progress.afresh(is_last=step.next.do == "check_at_end")
    assert found == ["check_at_end", "nothing"]
    assert item.final == "unresolved"


def test_a_card_has_to_be_gone_for_as_long_as_the_plan_says():
    """The last of the fetches comes so long after the delete, since a card may come back."""
    item = attempted("this_card").items[0]
    first = look(item, "absent", after=1.0)
    assert (first.next.do, first.next.wait_seconds) == ("look", SETTLE - 1)
    early = look(item, "absent", progress=first.progress, after=SETTLE - 0.5)
    assert (early.next.do, early.next.wait_seconds) == ("look", 0.5)
    assert look(item, "absent", progress=early.progress, after=SETTLE).next.do == "await_control"
    inactive = look(item, "inactive", after=20.0)
    assert (inactive.next.do, inactive.next.wait_seconds, final(inactive)) == ("look", 40.0, None)
    assert final(look(item, "inactive", after=SETTLE)) == "deleted"


def test_how_long_after_the_delete_a_fetch_came_is_written_down():
    """Rounded to milliseconds, and null where this process sent none."""
    item = attempted("this_card").items[0]
    assert look(item, "absent", after=61.23456).records[0].detail["after_seconds"] == 61.235
    assert look(standing().items[0], "absent").records[0].detail["after_seconds"] is None


def test_ages_are_written_down_with_intent_and_outcome():
    """How old the check was when it was decided upon, when the delete left, and the bound."""
    made = standing()
    step = after_check(0, made.items[0], HOLDS, CardProgress(), INTENT, attempts=4)
    take(made, step)
    checked, intended = step.records[0].detail, step.records[2].detail
    assert (checked["asked_at"], checked["listed"]) == (AT, 2)
    assert (intended["evidence_seconds"], intended["bound_seconds"]) == (0.5, 2.0)
    sent = Sent(1.5, 9.25)
    step = after_outcome(0, made.items[0], reading("lost"), CardProgress(), sent, 0.0)
    take(made, step)
    outcome = step.records[0].detail
    assert (outcome["evidence_seconds"], outcome["late_seconds"]) == (1.5, 9.25)
    assert made.late_deletes == 1


def test_a_last_usable_card_is_spared():
    """Never sent it is not attempted, and after an attempt nobody can say what became of it."""
    spared = HOLDS._replace(verdict="last_usable", reason="spared")
    fresh = standing()
    assert final(after_check(0, fresh.items[0], spared, CardProgress(), INTENT, attempts=4)) == (
        "not_attempted"
    )
    made = attempted("server_error")
    take(made, look(made.items[0], "present", progress=CardProgress(looks=3)))
    step = after_check(0, made.items[0], spared, CardProgress(), INTENT, attempts=4)
    assert final(step) == "unresolved"


def test_a_check_that_grows_old_again_and_again_does_not_go_on_for_ever():
    """Four waits, once more at the end, four waits, and it is over without an attempt."""
    made = standing()
    item, progress, waits = made.items[0], CardProgress(pages=3), []
    while item.state != "final":
        take(made, after_check(0, item, HOLDS, progress, INTENT._replace(attempt="x"), attempts=4))
        step = withdrawn(0, item, "too old", progress, counts=True)
        take(made, step)
        waits.append((step.next.do, step.next.wait_seconds))
        progress = step.progress
        if step.next.do == "check_at_end":
            progress = progress.afresh(is_last=True)
        assert item.state == "final" or progress.pages == 3
    again = [("check", wait) for wait in UNCLEAR_SECONDS]
    assert waits == [*again, ("check_at_end", 0.0), *again, ("nothing", 0.0)]
    assert (item.final, item.sends, made.deletes) == ("not_attempted", 0, 0)


def test_a_fresh_attempt_keeps_what_no_fetch_has_shown():
    """How many pages the list has, and when the last delete was answered."""
    progress = CardProgress(looks=2, absences=1, spell=3, unclear=4, is_missed=True, pages=5)
    progress = replace(progress, attempted_at=7.0)
    assert progress.afresh(is_last=True) == CardProgress(is_last=True, pages=5, attempted_at=7.0)


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


@pytest.mark.parametrize("shown", ["404", "INACTIVE"])
def test_a_card_that_another_campaign_attempted_is_not_already_gone(shown):
    """A ledger remembers it: nobody can say whose doing it was."""
    end = proven_gone(0, standing().items[0], shown, "f00d")
    assert end.detail["final"] == "gone_unattributed"
    assert "f00d" in end.detail["reason"]
    ours = proven_gone(0, attempted("this_card").items[0], shown, "f00d")
    assert ours.detail["final"] == "deleted"
    made = standing()
    step = after_check(0, made.items[0], ABSENT, CardProgress(), INTENT, attempts=4)
    take(made, step)
    seen = look(made.items[0], "inactive", progress=step.progress, remembered="f00d")
    assert final(seen) == "gone_unattributed"


def remembering():
    """A recovered campaign whose ledger remembers an attempt that its journal lost."""
    made = JournalState()
    detail = {"attempt": "lost", "campaign": "this", "at": AT}
    for record in (
        Record("opened", None, {"rows": 1}),
        state("sealed", "halted", "the journal was lost"),
        Record("recovered", None, {}),
        Record("remembered", 0, detail),
        moved(0, "planned", "verifying"),
        state("halted", "verifying", None),
    ):
        made.apply(record)
    return made


@pytest.mark.parametrize(
    ("verdict", "expected"), [("drift", "drift_after_attempt"), ("present", "unresolved")]
)
def test_an_attempt_that_only_the_ledger_remembers_is_an_attempt(verdict, expected):
    """What has changed or is there after it was not left alone by us, as far as anybody knows."""
    step = look(remembering().items[0], verdict, may_attempt=False)
    assert final(step) == expected


def test_an_attempt_that_only_the_ledger_remembers_needs_three_fetches():
    """Gone, it is nobody's deed; not proven gone, it is unresolved."""
    made = remembering()
    item = made.items[0]
    step = recovered(0, item, 0.0, may_attempt=False)
    assert (step.records, step.next.do) == ((), "look")
    waits = []
    while step.next.do == "look":
        step = look(item, "absent", progress=step.progress, may_attempt=False)
        take(made, step)
        waits.append(step.next.wait_seconds)
    assert (waits, step.next.do) == ([2.0, 10.0, 0.0], "await_control")
    assert proven_gone(0, item, "404").detail["final"] == "gone_unattributed"
    assert without_proof(0, item, "no control card").detail["final"] == "unresolved"


def test_an_intent_withdrawn_leaves_no_trace_of_a_send():
    """It counts as an intent and not as a send."""
    made = standing()
    take(made, after_check(0, made.items[0], HOLDS, CardProgress(), INTENT, attempts=4))
    step = withdrawn(0, made.items[0], "too late", CardProgress(), counts=False)
    item = take(made, step)
    assert (item.state, item.intents, item.sends, made.deletes) == ("planned", 1, 0, 0)
    assert (step.next, step.progress) == (NextAction("check"), CardProgress())


def test_recovery_fetches_first():
    """An intent without an outcome is in doubt: it settles two seconds, then is looked at."""
    made = standing()
    take(made, after_check(0, made.items[0], HOLDS, CardProgress(), INTENT, attempts=4))
    step = recovered(0, made.items[0], 30.0, may_attempt=True)
    item = take(made, step)
    assert (item.state, item.outcome) == ("in_doubt", "in_doubt")
    assert step.next.do == "look"
    assert step.next.wait_seconds >= 2
    assert step.progress.attempted_at == 30.0
    again = recovered(0, item, 30.0, may_attempt=True)
    assert (again.records, again.next) == ((), step.next)


def test_an_aborted_campaign_attempts_nothing_more():
    """What was never sent ends as not attempted, what was is looked at, and then unresolved."""
    assert final(recovered(0, standing().items[0], 0.0, may_attempt=False)) == "not_attempted"
    made = attempted("server_error")
    item = made.items[0]
    take(made, look(item, "present", progress=CardProgress(looks=3)))
    step = recovered(0, item, 0.0, may_attempt=False)
    take(made, step)
    assert (item.state, step.next.do) == ("verifying", "look")
    done = CardProgress(looks=3)
    assert final(look(item, "present", progress=done, may_attempt=False)) == "unresolved"
