"""Revocations: signed by the key that approved, one file a key, and whole or nothing."""

import json
from datetime import UTC, datetime

import pytest
from cleanup_journals import BALA, START, make_plan

from tokenvault_data.cleanup.approval.revocation import (
    REVOCATIONS,
    read_revocations,
    revoke,
    write_revocation,
)
from tokenvault_data.errors import UsageError

PLAN = make_plan(1)


def test_a_revocation_on_disk(tmp_path):
    """It says of which plan, by whom, when and why, and its signature is over all of it."""
    made = revoke(PLAN, BALA, reason="a dispute", now=START)
    assert (made.plan, made.environment, made.merchant) == (
        PLAN.digest,
        "production",
        "abcdef012345",
    )
    assert (made.approver, made.fingerprint) == ("Bala Rao", BALA.fingerprint)
    assert (made.revoked_at, made.reason) == (START.isoformat(), "a dispute")
    assert REVOCATIONS.fault(made) is None
    path = write_revocation(made, tmp_path)
    assert path.name == f"revocation-{BALA.fingerprint[:12]}.json"
    assert read_revocations(tmp_path) == [made]
    again = revoke(PLAN, BALA, now=datetime.now(UTC))
    assert again.reason is None
    assert write_revocation(again, tmp_path) == path
    assert read_revocations(tmp_path) == [again]
    assert read_revocations(tmp_path / "none") == []


@pytest.mark.parametrize("change", [{"reason": "x"}, {"plan": "0" * 64}, {"approver": "Carl"}])
def test_a_changed_revocation_does_not_hold(tmp_path, change):
    """Whatever is changed without the key, the signature says so."""
    path = write_revocation(revoke(PLAN, BALA, now=START), tmp_path)
    content = json.loads(path.read_bytes()) | change
    path.write_text(json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n")
    (read,) = read_revocations(tmp_path)
    assert "signature" in REVOCATIONS.fault(read)
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match="not a revocation as it was signed"):
        read_revocations(tmp_path)


@pytest.mark.parametrize("reason", ["x" * 501, "a\u202eb"])
def test_a_reason_is_short_and_shows(reason):
    """It is printed on terminals of others."""
    with pytest.raises(UsageError, match="shorter"):
        revoke(PLAN, BALA, reason=reason)
