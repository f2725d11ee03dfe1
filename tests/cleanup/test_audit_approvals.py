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
    found,
    make_plan,
    proof,
    unsealed,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tokenvault_data.cleanup.approval import write_approval
from tokenvault_data.cleanup.approvers import Trust
from tokenvault_data.cleanup.keys import SigningKey


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
    old = make_plan(1, expires_at=(START + timedelta(days=3)).isoformat())
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
