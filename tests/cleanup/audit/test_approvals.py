"""Approvals under audit: there, of this plan, by somebody else, and valid when they were needed."""

import shutil
from datetime import timedelta

import pytest
from cleanup_journals import (
    BALA,
    START,
    Book,
    approval_of,
    campaign_folder,
    findings,
    found,
    make_plan,
    proof,
    unsealed,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tokenvault_data.cleanup.approval.approvals import write_approval
from tokenvault_data.cleanup.approval.approvers import Trust
from tokenvault_data.cleanup.approval.keys import SigningKey
from tokenvault_data.cleanup.approval.revocation import revoke, write_revocation
from tokenvault_data.cleanup.selection.limits import Limits


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A campaign that is over and in which every final occurs; not to be changed."""
    return campaign_folder(tmp_path_factory.mktemp("whole"))


def test_production_needs_an_approval_that_was_valid(tmp_path):
    """None, one that came later, and one too old by then are findings; a renewed one is not."""
    plan = make_plan(1)
    none = Book(plan).confirmed().go("canary")
    assert found(unsealed(tmp_path, none), "without an approval that was valid")
    late = Book(plan).confirmed().approved(approval_of(plan)).go("canary")
    assert found(unsealed(tmp_path, late), "without an approval that was valid")
    old = make_plan(
        1,
        limits=Limits(vault_share=1.0, bank_share=1.0, plan_hours=72),
        expires_at=(START + timedelta(days=3)).isoformat(),
    )
    book = Book(old).begin(approval_of(old)).go("paused", "somebody asked for it")
    assert proof(unsealed(tmp_path, book)).ok
    book.later(90_000).confirmed()
    assert found(unsealed(tmp_path, book), "without an approval that was valid")
    book = Book(old).begin(approval_of(old)).go("paused", "somebody asked for it").later(90_000)
    again = approval_of(old, hours=24)
    folder = unsealed(tmp_path, book.approved(again).confirmed().go("canary", "applied again"))
    write_approval(again, folder)
    assert proof(folder).ok


def test_a_plan_that_had_expired_was_not_to_be_confirmed(tmp_path):
    """A confirmation after the plan's end is a finding."""
    book = Book(make_plan(1, environment="emulator")).later(90_000).confirmed()
    assert found(unsealed(tmp_path, book), "had expired")


def test_an_approval_of_a_stranger_is_found(whole, tmp_path):
    """Where the approvers are known, a key that is not theirs does not count."""
    assert proof(whole).ok
    result = proof(whole, approvers=Trust({BALA.fingerprint: "Carl"}, "system"))
    assert "not trusted here" in result.findings[0]
    folder = shutil.copytree(whole, tmp_path / whole.name)
    stranger = SigningKey("Eve", Ed25519PrivateKey.generate())
    write_approval(approval_of(make_plan(7), key=stranger), folder)
    assert found(folder, "approval-", "for another plan")


def revoked_folder(tmp_path, book, minutes, *, key=BALA):
    """Write a campaign whose approval was taken back so many minutes after its start."""
    folder = unsealed(tmp_path, book)
    at = START + timedelta(minutes=minutes)
    write_revocation(revoke(book.plan, key, reason="a dispute", now=at), folder)
    return folder


def test_a_revoked_approval_carries_nothing_after_it(tmp_path):
    """Neither a confirmation nor a delete, some minutes apart; before it both were fine."""
    plan = make_plan(3)

    def book():
        return Book(plan).begin(approval_of(plan)).delete(0).release()

    result = proof(revoked_folder(tmp_path, book(), 30))
    assert result.ok
    assert any(note.startswith("Bala Rao revoked the approval at ") for note in result.notes)
    assert any(note.endswith(": a dispute.") for note in result.notes)
    later = book().later(3600).intend(1)
    assert found(revoked_folder(tmp_path, later, 30), "after the plan's approval was revoked")
    again = book().later(3600).confirmed()
    assert found(revoked_folder(tmp_path, again, 30), "without an approval that was valid then")
    assert not findings(revoked_folder(tmp_path, book().later(60).intend(1), 10))


def test_a_later_approval_counts_again(tmp_path):
    """Approved anew after the revocation, the campaign may go on."""
    plan = make_plan(3)
    again = approval_of(plan, hours=1)
    book = Book(plan).begin(approval_of(plan)).delete(0).release().go("paused", "it was revoked")
    book.later(5000).approved(again).confirmed().go("running").intend(1)
    folder = revoked_folder(tmp_path, book, 30)
    assert found(folder, "after the plan's approval was revoked") is False
    write_approval(again, folder)
    assert findings(folder) == ()


@pytest.mark.parametrize("change", [b"[]", None])
def test_a_revocation_that_does_not_hold_is_found(tmp_path, change):
    """One that is no revocation, and one of another plan."""
    plan = make_plan(1)
    folder = unsealed(tmp_path, Book(plan).begin(approval_of(plan)))
    path = write_revocation(revoke(make_plan(2), BALA), folder)
    if change is not None:
        path.write_bytes(change)
    assert found(folder, "revocation-", "another plan" if change is None else "as it was signed")


def test_an_approval_that_came_later_is_a_note(tmp_path):
    """The journal does not speak of it, so nothing was applied by it."""
    carl = SigningKey("Carl", Ed25519PrivateKey.generate())
    plan = make_plan(1)
    folder = unsealed(tmp_path, Book(plan).begin(approval_of(plan)))
    write_approval(approval_of(plan, key=carl), folder)
    both = Trust({BALA.fingerprint: BALA.name, carl.fingerprint: "Carl"}, "system")
    result = proof(folder, approvers=both)
    assert result.ok
    assert any("is not recorded in the journal" in note for note in result.notes)


def test_the_verdict_says_by_whose_trust(tmp_path):
    """The administrator's, this user's own, or nobody's where nobody's is needed."""
    plan = make_plan(1)
    folder = unsealed(tmp_path, Book(plan).begin(approval_of(plan)))
    assert "by keys that the administrator trusts" in proof(folder).verdict
    own = Trust({BALA.fingerprint: BALA.name}, "self")
    assert "approvals are self-administered" in proof(folder, approvers=own).verdict
    book = Book(plan).approved(approval_of(plan), "self").go("approved").confirmed(trust="self")
    folder = unsealed(tmp_path, book.go("canary"))
    result = proof(folder)
    assert result.ok
    assert "approvals are self-administered" in result.verdict
    sandbox = make_plan(1, environment="sandbox")
    book = (
        Book(sandbox).approved(approval_of(sandbox), "self").go("approved").confirmed(trust="self")
    )
    assert (
        "this user's configuration trusts" in proof(unsealed(tmp_path, book), approvers=own).verdict
    )
    none = Book(make_plan(1, environment="emulator")).begin().delete(0).end("completed")
    result = proof(campaign_folder(tmp_path, none))
    assert result.ok
    assert "No approval was required in the environment emulator" in result.verdict


def test_self_managed_trust_in_production_was_typed(tmp_path):
    """A phrase without the word, or no trust at all, is a finding there."""
    plan = make_plan(1)
    approved = Book(plan).approved(approval_of(plan), "self").go("approved").confirmed(trust="self")
    for phrase in (plan.phrase, f"{plan.phrase} self-administered x"):
        approved.rows[-1][4]["phrase"] = phrase
        assert found(unsealed(tmp_path, approved), "the phrase that had to be typed")
    by_nobody = Book(plan).approved(approval_of(plan)).go("approved").confirmed(trust="none")
    assert found(unsealed(tmp_path, by_nobody), "nobody's approval was asked for, in production")
