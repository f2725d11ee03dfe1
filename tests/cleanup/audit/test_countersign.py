"""Countersignatures: by somebody without a part in the campaign, over its seal and its sum."""

import json
import shutil

import pytest
from cleanup_journals import (
    BALA,
    TRUST,
    Book,
    approval_of,
    campaign_folder,
    every_final,
    found,
    make_plan,
    proof,
    small,
    unsealed,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tokenvault_data.cleanup.approval.approvers import Trust
from tokenvault_data.cleanup.approval.keys import SigningKey
from tokenvault_data.cleanup.audit.countersign import (
    COUNTERSIGNATURES,
    countersign,
    write_countersignature,
)
from tokenvault_data.errors import RefusedByGuardRail

DEEPA = SigningKey("Deepa", Ed25519PrivateKey.from_private_bytes(b"d" * 32))
BOTH = Trust({**TRUST.approvers, DEEPA.fingerprint: "Deepa"}, "system")


def named(name):
    return SigningKey(name, Ed25519PrivateKey.generate())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A campaign that is over and in which every final occurs; not to be changed."""
    return campaign_folder(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / whole.name)


def test_a_countersignature_vouches_for_a_campaign(copy):
    """It names plan, seal and sum; without it nothing outside the files does."""
    before = proof(copy, approvers=BOTH)
    assert (before.ok, before.proven) == (True, False)
    signed = countersign(copy, DEEPA, trust=BOTH)
    assert (signed.seal, signed.finals) == (before.seal_digest, dict(before.finals))
    assert (signed.plan, signed.rows, signed.signer) == (before.plan_digest, 9, "Deepa")
    path = write_countersignature(signed, copy)
    assert path.name == f"countersignature-{DEEPA.fingerprint[:12]}.json"
    assert COUNTERSIGNATURES.read(path) == signed
    result = proof(copy, approvers=BOTH)
    assert (result.anchors, result.proven) == (("countersignature of Deepa",), True)
    assert "the countersignature of Deepa vouches for it" in result.verdict


@pytest.mark.parametrize("name", ["Asha", "ASHA", "\u0410\u0455\u04bb\u0430", "Chitra", "Ch1tra"])
def test_planner_and_applier_do_not_countersign(copy, name):
    """Nor do names that look like theirs; a file that says so anyway does not vouch."""
    with pytest.raises(RefusedByGuardRail, match="another person"):
        countersign(copy, named(name), trust=BOTH)
    good = countersign(copy, DEEPA, trust=BOTH)
    own = named(name)
    about = {field: getattr(good, field) for field in good.__slots__}
    for field in ("key", "fingerprint", "signature"):
        del about[field]
    write_countersignature(COUNTERSIGNATURES.signed(own, **about | {"signer": name}), copy)
    result = proof(copy, approvers=Trust({**BOTH.approvers, own.fingerprint: name}, "system"))
    assert "who planned, applied or recovered" in result.findings[0]
    assert not result.proven


def test_a_campaign_that_is_not_over_is_not_countersigned(tmp_path):
    """There is no seal yet."""
    folder = unsealed(tmp_path, small().delete(0))
    with pytest.raises(RefusedByGuardRail, match="not over"):
        countersign(folder, DEEPA, trust=BOTH)


def test_a_seal_that_does_not_hold_is_not_countersigned(copy):
    """Nor is anything else that the audit finds wrong."""
    path = copy / "journal.sqlite"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(RefusedByGuardRail, match=r"journal\.sqlite"):
        countersign(copy, DEEPA, trust=BOTH)


def test_a_stranger_does_not_vouch(copy):
    """A countersignature by a key that is not trusted here is a finding, by name."""
    write_countersignature(countersign(copy, DEEPA, trust=BOTH), copy)
    result = proof(copy, approvers=TRUST)
    assert "'Deepa'" in result.findings[0]
    assert "not trusted here" in result.findings[0]
    assert result.anchors == ()


def test_a_history_rewritten_after_it_is_found(tmp_path):
    """Consistently rewritten and sealed anew, it is not the one that was countersigned."""
    book = every_final()
    folder = campaign_folder(tmp_path, book)
    write_countersignature(countersign(folder, DEEPA, trust=BOTH), folder)
    told = next(row for row in book.rows if row[4].get("reason") == "on hold")
    told[4]["reason"] = "the cap was reached"
    book.write(folder)
    assert found(folder, "countersignature-", "another history", approvers=BOTH)


@pytest.mark.parametrize("change", [{"seal": "0" * 64}, {"finals": {"deleted": 9}}, {"rows": 3}])
def test_a_changed_countersignature_is_found(copy, change):
    """Whatever is changed without the key, the signature says so."""
    path = write_countersignature(countersign(copy, DEEPA, trust=BOTH), copy)
    content = json.loads(path.read_bytes()) | change
    path.write_text(json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n")
    assert found(copy, "countersignature-", "signature is not over", approvers=BOTH)


def test_the_approver_may_countersign(tmp_path):
    """Approving is no part in what was applied."""
    plan = make_plan(1)
    book = Book(plan).begin(approval_of(plan)).delete(0).end("completed")
    folder = campaign_folder(tmp_path, book)
    write_countersignature(countersign(folder, BALA, trust=TRUST), folder)
    assert proof(folder).anchors == ("countersignature of Bala Rao",)
