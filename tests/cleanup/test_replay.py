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

from tokenvault_data.cleanup.limits import Limits


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
    book = small(canary=(0, 1)).delete(0).intend(1)
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
    assert len(told) == 21
    assert told[-1] == "30 more records that do not fit"
