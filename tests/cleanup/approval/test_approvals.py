"""Approvals: by somebody trusted other than the planner, of exactly this plan, for a day."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cleanup_vaults import ALL_OPEN, DAY, NOW, expired_vault, publish_vault
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.cleanup.approval.approvals import (
    APPROVALS,
    Approval,
    approval_phrase,
    approval_states,
    approve_plan,
    check_approval,
    check_approvals,
    read_approvals,
    write_approval,
)
from tokenvault_data.cleanup.approval.approvers import Trust
from tokenvault_data.cleanup.approval.keys import SigningKey, encoded
from tokenvault_data.cleanup.approval.revocation import revoke, write_revocation
from tokenvault_data.cleanup.plan.planning import plan_cleanup
from tokenvault_data.cleanup.selection import rules
from tokenvault_data.errors import RefusedByGuardRail, UsageError

BALA = SigningKey("Bala Rao", Ed25519PrivateKey.generate())
CARL = SigningKey("Carl", Ed25519PrivateKey.generate())
TRUSTED = {BALA.fingerprint: "Bala Rao", CARL.fingerprint: "Carl"}
LATER = NOW + timedelta(hours=2)


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """A plan for production, made by Asha."""
    snapshot = publish_vault(
        tmp_path_factory.mktemp("store"), expired_vault(2), environment="production"
    )
    return plan_cleanup(snapshot, rules.expired(DAY), limits=ALL_OPEN, planner="Asha", now=NOW)


def refusal(plan, approval, trusted=TRUSTED, *, now=LATER, limits=None):
    found = check_approval(plan, approval, trusted, now=now, limits=limits)
    assert found is None or isinstance(found, RefusedByGuardRail)
    return None if found is None else str(found)


def resigned(approval, by=BALA, **changes):
    """Return an approval with something else in it, and a signature that holds."""
    unsigned = replace(approval, **changes)
    return replace(unsigned, signature=encoded(by.private.sign(APPROVALS.message(unsigned))))


def test_an_approval_counts(plan):
    """Signed by a trusted colleague in time, it names plan, place, size, person and moment."""
    approval = approve_plan(plan, BALA, now=NOW)
    assert refusal(plan, approval) is None
    assert (approval.plan, approval.rows) == (plan.digest, 2)
    assert (approval.environment, approval.merchant) == ("production", "abcdef012345")
    assert (approval.approver, approval.fingerprint) == ("Bala Rao", BALA.fingerprint)
    assert approval.approved_at == "2026-11-22T11:00:00+00:00"


def test_the_planner_cannot_approve(plan):
    """Neither by signing nor by a signed approval, however the name is written."""
    for name in ("Asha", " ASHA ", "asha", "\u0410sha", "\u0410\u0455\u04bb\u0430", "As\u200bha"):
        key = SigningKey(name, Ed25519PrivateKey.generate())
        with pytest.raises(RefusedByGuardRail, match="another person"):
            approve_plan(plan, key, now=NOW)
        forged = resigned(
            approve_plan(plan, BALA, now=NOW),
            key,
            approver=name,
            key=encoded(key.public_bytes),
            fingerprint=key.fingerprint,
        )
        assert "has made the plan as well" in refusal(plan, forged, {key.fingerprint: name})


def test_an_unknown_key_does_not_count(plan):
    """A signature that holds is worth nothing from somebody who is not trusted here."""
    assert "not among the approvers" in refusal(plan, approve_plan(plan, BALA, now=NOW), {})
    others = {CARL.fingerprint: "Carl"}
    assert "not among the approvers" in refusal(plan, approve_plan(plan, BALA, now=NOW), others)


def test_a_trusted_key_speaks_for_its_owner_only(plan):
    """The name of an approval is that of its key."""
    forged = resigned(approve_plan(plan, BALA, now=NOW), approver="Carl")
    assert "another person than it names" in refusal(plan, forged)
    borrowed = replace(approve_plan(plan, CARL, now=NOW), fingerprint=BALA.fingerprint)
    assert "not the one it names" in refusal(plan, borrowed)


def test_a_signature_is_over_everything(plan):
    """Whatever field is changed without the key, the approval does not count."""
    approval = approve_plan(plan, BALA, now=NOW)
    for changes in (
        {"approved_at": (NOW + timedelta(minutes=1)).isoformat()},
        {"signature": approve_plan(plan, BALA, now=LATER).signature},
        {"signature": ""},
        {"signature": "!"},
        {"key": "!"},
    ):
        assert "signature" in refusal(plan, replace(approval, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"plan": "0" * 64}, "another plan"),
        ({"rows": 3}, "another plan"),
        ({"environment": "sandbox"}, "for sandbox and the plan for production"),
        ({"merchant": None}, "another merchant"),
        ({"merchant": "fedcba"}, "another merchant"),
        ({"approved_at": "soon"}, "when it was given"),
        ({"approved_at": "2026-11-22T11:00:00"}, "zone"),
    ],
)
def test_an_approval_is_for_one_plan_in_one_place(plan, changes, message):
    """Of another plan, size, environment or account it does not count, though well signed."""
    assert message in refusal(plan, resigned(approve_plan(plan, BALA, now=NOW), **changes))


def test_a_plan_that_changed_is_not_approved(plan):
    """The least change of the plan after its approval undoes the approval."""
    approval = approve_plan(plan, BALA, now=NOW)
    assert "another plan" in refusal(replace(plan, note="a word more"), approval)


def test_an_approval_lasts_a_day(plan):
    """Through the last second of its hours, and not after; of zero hours, never."""
    approval = approve_plan(plan, BALA, now=NOW)
    day = timedelta(hours=24)
    assert refusal(plan, approval, now=NOW + day) is None
    assert "older than 24 hours" in refusal(plan, approval, now=NOW + day + timedelta(seconds=1))
    short = replace(ALL_OPEN, approval_hours=1.5)
    assert refusal(plan, approval, now=NOW + timedelta(minutes=90), limits=short) is None
    assert "1.5 hours" in refusal(plan, approval, now=NOW + timedelta(minutes=91), limits=short)
    none = replace(ALL_OPEN, approval_hours=0)
    assert "older than 0 hours" in refusal(plan, approval, now=NOW, limits=none)


def test_clocks_may_differ_a_little(plan):
    """Five minutes are forgiven; an approval from the future, or from before its plan, is not."""
    minutes = timedelta(minutes=1)
    assert refusal(plan, approve_plan(plan, BALA, now=LATER + 4 * minutes)) is None
    assert "future" in refusal(plan, approve_plan(plan, BALA, now=LATER + 6 * minutes))
    assert refusal(plan, approve_plan(plan, BALA, now=NOW - 4 * minutes)) is None
    assert "before the plan" in refusal(plan, approve_plan(plan, BALA, now=NOW - 6 * minutes))


def test_production_needs_an_approval(plan):
    """In production none is not enough; elsewhere it is, but each that is given has to count."""
    good, bad = (
        approve_plan(plan, BALA, now=NOW),
        replace(approve_plan(plan, CARL, now=NOW), signature=""),
    )
    check = {"trusted": TRUSTED, "now": LATER}
    assert "nobody has approved" in str(check_approvals(plan, [], **check))
    assert check_approvals(plan, [good], **check) is None
    assert check_approvals(plan, [good, approve_plan(plan, CARL, now=NOW)], **check) is None
    assert isinstance(check_approvals(plan, [good, bad], **check), RefusedByGuardRail)
    sandbox = replace(plan, environment="sandbox")
    assert check_approvals(sandbox, [], **check) is None
    assert isinstance(check_approvals(sandbox, [good], **check), RefusedByGuardRail)


def test_a_revocation_voids_what_was_approved_before_it(plan):
    """Of that key and plan alone; a later approval by the key counts again, and so do others'."""
    approval = approve_plan(plan, BALA, now=NOW)
    minute = timedelta(minutes=1)

    def why(*revocations, by=approval):
        found = check_approval(plan, by, TRUSTED, now=LATER, revocations=revocations)
        return None if found is None else str(found)

    taken_back = revoke(plan, BALA, reason=" found  a dispute ", now=NOW + minute)
    assert "Bala Rao revoked it" in why(taken_back)
    assert "found a dispute" in why(taken_back)
    assert "revoked it" in why(revoke(plan, BALA, now=NOW))
    assert why(revoke(plan, BALA, now=NOW - minute)) is None
    assert why(revoke(plan, CARL, now=NOW + minute)) is None
    assert why(revoke(replace(plan, note="other"), BALA, now=NOW + minute)) is None
    assert why(taken_back, by=approve_plan(plan, BALA, now=NOW + 2 * minute)) is None
    alone = check_approvals(plan, [approval], TRUSTED, now=LATER, revocations=[taken_back])
    assert "revoked it" in str(alone)
    both = [approval, approve_plan(plan, CARL, now=NOW)]
    assert check_approvals(plan, both, TRUSTED, now=LATER, revocations=[taken_back]) is None


def test_a_touched_revocation_does_not_let_an_approval_count(plan):
    """A revocation moved to before the approval, or without a time, is no reason to go on."""
    approval = approve_plan(plan, BALA, now=NOW)
    taken_back = revoke(plan, BALA, now=NOW + timedelta(minutes=1))
    for changes in ({"revoked_at": "2020-01-01T00:00:00+00:00"}, {"reason": "x"}, {"key": "!"}):
        touched = [replace(taken_back, **changes)]
        refused = check_approval(plan, approval, TRUSTED, now=LATER, revocations=touched)
        assert "a revocation by its key is beside it" in str(refused)


def test_approval_states_say_what_counts_and_why_not(tmp_path, plan):
    """Each file beside the plan, in the order of its name; one that cannot be read is named."""
    trust = Trust({BALA.fingerprint: "Bala Rao"}, "self")
    assert approval_states(plan, tmp_path, trust, now=LATER) == []
    for key in (BALA, CARL):
        write_approval(approve_plan(plan, key, now=NOW), tmp_path)
    states = {one.approver: one for one in approval_states(plan, tmp_path, trust, now=LATER)}
    assert (states["Bala Rao"].counts, states["Bala Rao"].why) == (True, None)
    assert states["Bala Rao"].fingerprint == BALA.fingerprint
    assert not states["Carl"].counts
    assert "not among the approvers" in states["Carl"].why
    path = write_revocation(revoke(plan, BALA, now=LATER), tmp_path)
    states = {one.approver: one for one in approval_states(plan, tmp_path, trust, now=LATER)}
    assert "revoked it" in states["Bala Rao"].why
    path.write_text("{}")
    states = {one.approver: one for one in approval_states(plan, tmp_path, trust, now=LATER)}
    assert "cannot be read" in states["Bala Rao"].why
    (tmp_path / "approval-x.json").write_text("{}")
    (odd,) = (s for s in approval_states(plan, tmp_path, trust, now=LATER) if not s.approved_at)
    assert (odd.approver, odd.counts) == ("approval-x.json", False)


def test_what_an_approver_types_names_count_place_and_plan(plan):
    """As the phrase of the plan does, and it is another one."""
    assert approval_phrase(plan) == f"approve 2 production {plan.digest[:6]}"


def test_approvals_on_disk(tmp_path, plan):
    """Each key has one file beside the plan, and it is read back as it was signed."""
    approvals = [approve_plan(plan, key, now=NOW) for key in (BALA, CARL)]
    paths = [write_approval(approval, tmp_path) for approval in approvals]
    assert paths[0].name == f"approval-{BALA.fingerprint[:12]}.json"
    assert APPROVALS.read(paths[0]) == approvals[0]
    again = approve_plan(plan, BALA, now=LATER)
    assert write_approval(again, tmp_path) == paths[0]
    assert {one.signature for one in read_approvals(tmp_path)} == {
        *(again.signature, approvals[1].signature),
    }
    assert read_approvals(tmp_path / "none") == []
    with pytest.raises(UsageError, match="no approval"):
        APPROVALS.read(tmp_path / "none.json")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot be written"):
        write_approval(again, tmp_path / "file")


SAMPLE = Approval(
    plan="d" * 64,
    environment="production",
    merchant="abcdef",
    rows=7,
    approver="Bala",
    key=encoded(BALA.public_bytes),
    fingerprint=BALA.fingerprint,
    approved_at="2026-11-22T11:00:00+00:00",
    signature=encoded(b"s" * 64),
)
BYTES = APPROVALS.line(SAMPLE)


@given(st.integers(0, len(BYTES) - 1), st.integers(1, 255))
def test_a_changed_byte_is_found_or_changes_what_is_signed(place, mask):
    """A file with any byte turned over is no approval, or one of something else."""
    damaged = bytearray(BYTES)
    damaged[place] ^= mask
    try:
        other = APPROVALS.parse(bytes(damaged))
    except UsageError:
        return
    assert other != SAMPLE


def test_every_cut_is_found():
    """An approval that ends early is none."""
    assert APPROVALS.parse(BYTES) == SAMPLE
    for end in range(len(BYTES)):
        with pytest.raises(UsageError):
            APPROVALS.parse(BYTES[:end])


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "tokenvault-plan"},
        {"rows": True},
        {"rows": "7"},
        {"merchant": 5},
        {"approver": None},
        {"approver": "a\nb"},
        {"plan": [1]},
        {"more": 1},
        {"signature": None},
    ],
)
def test_an_approval_of_other_things_is_none(changes):
    """Each field is of its kind, and there is no other."""
    content = json.loads(BYTES) | changes
    text = json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n"
    with pytest.raises(UsageError, match="not an approval"):
        APPROVALS.parse(text.encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"5\n", b"\xff", b"[" * 9999])
def test_what_is_no_approval_at_all_is_refused(content):
    """Any other file is an error, not a traceback."""
    with pytest.raises(UsageError):
        APPROVALS.parse(content)


def test_the_time_of_an_approval_is_that_of_the_clock(plan):
    """Without a given moment it is now, in UTC."""
    before = datetime.now(UTC)
    approved_at = datetime.fromisoformat(approve_plan(plan, BALA).approved_at)
    assert before <= approved_at <= datetime.now(UTC)
