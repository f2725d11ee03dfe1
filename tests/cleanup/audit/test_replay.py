"""The audit's own law: a history that no campaign can have is found, however whole its chain."""

import pytest
from cleanup_journals import (
    Book,
    campaign_folder,
    every_final,
    findings,
    found,
    make_plan,
    proof,
    small,
    unsealed,
)

from tokenvault_data.cleanup.selection.limits import Limits


def saw_404(book, *runs, outcome="accepted"):
    """Attempt a card, then fetch it so many times without finding it, with the card in between."""
    book.intend(0).outcome(0, outcome, 200 if outcome == "accepted" else 500).item(0, outcome)
    book.item(0, "verifying")
    for place, times in enumerate(runs):
        if place:
            book.see(0, 200, "present")
        for _ in range(times):
            book.see(0)
    return book.control()


def settled(book, *after):
    """Attempt a card, then fetch it without finding it so many seconds after."""
    book.intend(0).outcome(0).item(0, "accepted").item(0, "verifying")
    for seconds in after:
        book.see(0, after=seconds)
    return book.control()


def absent(book):
    return book.see(0).see(0).see(0).control()


def recovered(book):
    return book.go("halted", "the ledger remembers more").recovered().go("verifying")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda b: b.intend(1), "outside the canary"),
        (lambda b: b.delete(0).go("held").go("running"), "nobody had confirmed"),
        (lambda b: b.go("held"), "not all of it had ended"),
        (lambda b: b.intend(0, checked=False), "does not rest on a check"),
        (lambda b: b.check(0).item(0, "checked").later().intend(0, checked=False), "does not rest"),
        (lambda b: b.check(0, verdict="drift").item(0, "checked").intend(0, checked=False), "rest"),
        (lambda b: b.outcome(0), "no record before it intends"),
        (lambda b: b.intend(0).intend(0, checked=False), "while another one is under way"),
        (lambda b: b.see(7), "does not name"),
        (lambda b: b.delete(0).see(0), "after the card had ended"),
        (lambda b: b.item(0, "final", "deleted"), "its last attempt was not accepted"),
        (lambda b: b.item(0, "verifying").item(0, "checked"), "none may"),
        (lambda b: saw_404(b, 1).item(0, "final", "deleted"), "it takes 2 fetches in a row"),
        (lambda b: saw_404(b, 1, 1).item(0, "final", "deleted"), "it takes 2 fetches in a row"),
        (
            lambda b: saw_404(b, 2, outcome="in_doubt").item(0, "final", "gone_after_attempt"),
            "it takes 3 fetches in a row",
        ),
        (lambda b: b.until_gone(0).item(0, "final", "deleted"), "between the 404 and its end"),
        (lambda b: b.until_gone(0).control(404).item(0, "final", "deleted"), "between the 404"),
        (
            lambda b: (
                b.until_gone(0)
                .control(404, 0)
                .control(404, 1)
                .control()
                .item(0, "final", "deleted")
            ),
            "between the 404 and its end",
        ),
        (
            lambda b: (
                b.control(404, 0)
                .control(404, 1)
                .until_gone(0)
                .control()
                .item(0, "final", "deleted")
            ),
            "before the 404",
        ),
        (
            lambda b: (
                b.intend(0)
                .outcome(0)
                .item(0, "accepted")
                .item(0, "verifying")
                .control()
                .item(0, "final", "deleted")
            ),
            "no fetch after the last attempt",
        ),
        (
            lambda b: b.until_gone(0).see(0, 200, "present").control().item(0, "final", "deleted"),
            "no fetch after the last attempt",
        ),
        (
            lambda b: b.until_gone(0, "in_doubt", 500).control().item(0, "final", "deleted"),
            "was not accepted",
        ),
        (lambda b: b.until_gone(0).control().item(0, "final", "already_gone"), "may have deleted"),
        (lambda b: b.until_gone(0).control().item(0, "final", "not_attempted"), "was sent for it"),
        (
            lambda b: b.check(0).item(0, "checked").item(0, "final", "unresolved"),
            "nothing was sent",
        ),
        (lambda b: b.check(0).item(0, "checked").item(0, "final", "skipped_drift"), "had changed"),
        (lambda b: b.see(0, 503, "gone"), "an answer of status 503"),
        (lambda b: b.intend(0).outcome(0, "accepted", 404), "status 404 accepted"),
        (lambda b: b.intend(0).outcome(0, "in_doubt", 500).item(0, "accepted"), "was in_doubt"),
        (lambda b: b.go("running"), "which none may"),
        (lambda b: b.add("deleted", 0), "of a kind that no campaign writes"),
        (lambda b: b.add("seen", 0, status="404"), "does not hold what its kind holds"),
        (
            lambda b: b.add("control", None, status=1.5, ok=True, control=0, request_id=None),
            "status",
        ),
        (lambda b: b.control(index=9), "control card that the plan does not name"),
        (lambda b: b.go("aborted").intend(0), "while the campaign was aborted"),
        # The list that is read right before a delete
        (
            lambda b: (
                b.check(0, 200, "absent", listed=0).item(0, "checked").intend(0, checked=False)
            ),
            "rest",
        ),
        (
            lambda b: b.check(0, 200, "last_usable").item(0, "checked").intend(0, checked=False),
            "rest",
        ),
        (lambda b: b.check(0, 200, "holds", listed=0), "from a list that holds no card"),
        (lambda b: b.check(0, 200, "drift", listed=None), "from a list that holds no card"),
        (lambda b: b.check(0, 503, "absent"), "an answer of status 503"),
        (lambda b: b.check(0, 404, "last_usable"), "an answer of status 404"),
        (
            lambda b: (
                b.check(0, 200, "absent", listed=0)
                .item(0, "checked")
                .item(0, "verifying")
                .see(0)
                .see(0)
                .control()
                .item(0, "final", "already_gone")
            ),
            "it takes 3 fetches in a row that answer 404, and the last 2 did",
        ),
        # How old the evidence was
        (lambda b: b.intend(0).outcome(0, evidence=2.6), "was 2.6 s old, and 2.5 s was the bound"),
        (lambda b: b.intend(0).outcome(0, evidence=None), "does not say how old the evidence was"),
        (
            lambda b: b.check(0, asked=9).item(0, "checked").intend(0, checked=False).outcome(0),
            "intended more than 2.5 s after the question",
        ),
        (
            lambda b: b.check(0, asked=-900).item(0, "checked").intend(0, checked=False).outcome(0),
            "an answer asked for after it",
        ),
        # How long after the delete it was seen gone
        (
            lambda b: settled(b, 70, 59.9).item(0, "final", "deleted"),
            "came 59.9 seconds after the delete, and it takes 60",
        ),
        (lambda b: settled(b, 70, None).item(0, "final", "deleted"), "does not say how long after"),
        (
            lambda b: (
                b.intend(0)
                .outcome(0)
                .item(0, "accepted")
                .see(0, 200, "gone", after=3)
                .item(0, "verifying")
                .item(0, "final", "deleted", "INACTIVE")
            ),
            "came 3.0 seconds after the delete",
        ),
        # What is remembered, and recovery
        (lambda b: b.remembered(0, "a"), "though the campaign was not recovered"),
        (lambda b: b.recovered(), "recovers a campaign that was canary, not halted"),
        (lambda b: b.go("halted").go("verifying"), "that nobody had recovered"),
        (lambda b: recovered(b).intend(0), "after the campaign was recovered"),
        (
            lambda b: recovered(b.intend(0).outcome(0)).remembered(0, "attempt-0-1"),
            "remembers an attempt that the records hold",
        ),
        (
            lambda b: recovered(b).remembered(0, "a").item(0, "final", "not_attempted"),
            "a delete was sent for it",
        ),
        (
            lambda b: absent(recovered(b).remembered(0, "a")).item(0, "final", "already_gone"),
            "an attempt may have deleted it",
        ),
        (
            lambda b: b.until_gone(0).control().item(0, "final", "gone_unattributed"),
            "an attempt of this journal may have deleted it",
        ),
        # What was typed, and whose trust it was
        (lambda b: b.confirmed(trust="all"), "under trust"),
    ],
)
def test_a_history_that_no_campaign_has_is_found(tmp_path, make, words):
    """A chain that is whole and tables that agree do not make an unlawful history right."""
    book = small()
    make(book)
    assert found(unsealed(tmp_path, book), "journal.sqlite: record", words)


@pytest.mark.parametrize("at", ["attempt", "idempotency_key"])
def test_ids_and_keys_are_used_once(tmp_path, at):
    """An attempt's id, or its idempotency key, twice is a finding."""
    book = small().delete(0).release().intend(1)
    book.rows[-2][4][at] = {"attempt": "attempt-0-1", "idempotency_key": "key-0-1"}[at]
    book_tables = book.tables
    book.tables = lambda: (book_tables()[0], book_tables()[1], [])  # SQLite forbids it as well
    assert found(unsealed(tmp_path, book), f"repeats the {at}")


def test_too_many_attempts_are_found(tmp_path):
    """One delete more than the plan allows for a card."""
    book = every_final(make_plan(9, limits=Limits(vault_share=1.0, bank_share=1.0, attempts=3)))
    assert found(campaign_folder(tmp_path, book), "about card 7", "more than 3 attempts")


@pytest.mark.parametrize(
    ("exact", "below"),
    [
        ({"rows": 5}, {"rows": 4}),
        ({"vault_share": 0.05}, {"vault_share": 0.04}),
        ({"bank_share": 0.05}, {"bank_share": 0.04}),
    ],
)
def test_a_broken_cap_is_found(tmp_path, exact, below):
    """Five cards attempted are as many as a cap of five allows, and too many for one of four."""
    wide = {"vault_share": 1.0, "bank_share": 1.0}
    book = every_final(make_plan(9, limits=Limits(**wide | exact)))
    assert proof(campaign_folder(tmp_path, book)).ok
    book = every_final(make_plan(9, limits=Limits(**wide | below)))
    assert found(campaign_folder(tmp_path, book), f"the cap {next(iter(below))}")


def test_an_inactive_card_is_proven_gone_by_404_only(tmp_path):
    """INACTIVE says nothing of a card that was INACTIVE, or unknown, when it was planned."""

    def ending(status):
        plan = make_plan(1, environment="emulator")
        plan = make_plan(
            1,
            environment="emulator",
            cards=tuple(type(c)(**_changed(c, instrument_status=status)) for c in plan.cards),
        )
        book = Book(plan).begin().intend(0).outcome(0).item(0, "accepted")
        book.see(0, 200, "gone").item(0, "verifying").item(0, "final", "deleted", "INACTIVE")
        return campaign_folder(tmp_path, book, seal=False)

    assert proof(ending("ACTIVE")).ok
    assert found(ending("INACTIVE"), "INACTIVE proves nothing")
    assert found(ending(None), "INACTIVE proves nothing")


def _changed(card, **changes):
    return {name: getattr(card, name) for name in card.__slots__} | changes


def test_findings_do_not_flood(tmp_path):
    """Of a fault that repeats itself the first are told, and the others counted."""
    book = small()
    for _ in range(50):
        book.see(9)
    told = findings(unsealed(tmp_path, book))
    assert len(told) == 6
    assert told[-1] == "45 more records that do not fit"


@pytest.mark.parametrize(
    "make",
    [
        lambda b: settled(b, 1, 60).item(0, "final", "deleted"),
        lambda b: b.intend(0).withdraw(0).check(0, asked=0.1),
        lambda b: b.check(0, asked=9).item(0, "checked").intend(0, checked=False).withdraw(0),
        lambda b: b.intend(0).outcome(0, "in_doubt", None, evidence=None),
        lambda b: b.intend(0).outcome(0, "not_executed", None, evidence=None),
        lambda b: b.check(0, 404, "absent", listed=None),
        lambda b: b.check(0, 503, "unclear", listed=None),
        lambda b: (
            b.check(0, 200, "last_usable", "the last usable card")
            .item(0, "checked")
            .item(0, "final", "not_attempted", "the last usable card")
        ),
        lambda b: b.item(0, "final", "not_attempted", "on hold"),
        lambda b: (
            recovered(b)
            .remembered(0, "a")
            .see(0, 200, "present")
            .item(0, "final", "unresolved", "still there")
        ),
        lambda b: absent(recovered(b).remembered(0, "a")).item(0, "final", "gone_unattributed"),
        lambda b: (  # an intent that was written late, and whose process died
            b.check(0, asked=9)
            .item(0, "checked")
            .intend(0, checked=False)
            .outcome(0, "in_doubt", None, evidence=None)
            .item(0, "in_doubt")
        ),
    ],
)
def test_what_a_campaign_may_do_is_no_finding(tmp_path, make):
    """Withdrawn intents may be too old, a spared card and a held one end unattempted, and so on."""
    book = small()
    make(book)
    assert findings(unsealed(tmp_path, book)) == ()


def test_a_late_delete_is_a_note(tmp_path):
    """A process stopped while it sent says so; the age is told, and it is no finding."""
    book = small().intend(0).outcome(0, evidence=0.5, late=45.0)
    result = proof(unsealed(tmp_path, book))
    assert result.ok
    assert any("may have reached the vault late" in n and "45.0 seconds" in n for n in result.notes)
    assert any("at most 0.5 seconds old" in note for note in result.notes)
    in_time = small().intend(0).outcome(0, evidence=0.5, late=1.5)
    assert not any("late" in note for note in proof(unsealed(tmp_path, in_time)).notes)


@pytest.mark.parametrize(("hours", "is_fine"), [(23.9, False), (24.1, True)])
def test_more_sends_a_day_than_the_plan_allows_are_found(tmp_path, hours, is_fine):
    """Within any 24 hours; withdrawn intents are no sends."""
    limits = Limits(vault_share=1.0, bank_share=1.0, per_day=1)
    book = small(limits=limits).intend(0).withdraw(0).delete(0).release()
    book.later(hours * 3600).delete(1)
    assert found(unsealed(tmp_path, book), "the cap per_day") != is_fine


@pytest.mark.parametrize(("hours", "is_found"), [(1, False), (30, True)])
def test_a_delete_intended_after_the_plan_had_expired_is_found(tmp_path, hours, is_found):
    """Some minutes are left to clocks that differ; hours are not."""
    book = Book(make_plan(1, environment="emulator")).begin().later(3600 * hours)
    told = findings(unsealed(tmp_path, book.delete(0)))
    assert any("when the plan had expired" in one for one in told) is is_found
