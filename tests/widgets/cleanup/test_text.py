"""What a cleanup's panel says of approvals, finals and the caps per day."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tokenvault_data.cleanup.approval.approvals import ApprovalState
from tokenvault_data.cleanup.audit.rules import FINALS
from tokenvault_data.cleanup.campaign.status import CampaignStatus
from tokenvault_data.widgets.cleanup.stages import StageFacts
from tokenvault_data.widgets.cleanup.store import Approvals
from tokenvault_data.widgets.cleanup.text import (
    approval_finding,
    approval_words,
    finals_words,
)

PLAN = SimpleNamespace(id="9f3ac1000000", environment="production", planner="Asha")
COUNTS = ApprovalState("Bala", "f" * 64, "2026-11-22T11:00:00+00:00", counts=True, why=None)
REVOKED = ApprovalState("Chitra", "e" * 64, COUNTS.approved_at, counts=False, why="it was revoked")


def words_of(approvals):
    blocks = approval_words(StageFacts(plan=PLAN), approvals, Path("store"))
    return [text for kind, text in blocks if kind in {"good", "warning"}]


def test_every_approval_is_said_and_whether_it_counts():
    """One that counts, one that was revoked and why, and the title that names the worse."""
    both = Approvals(is_needed=True, states=(COUNTS, REVOKED), phrase="delete 1")
    assert words_of(both) == [
        "Approved by Bala on 2026-11-22 11:00 UTC; it counts.",
        "An approval by Chitra does not count, because it was revoked.",
    ]
    assert approval_finding(PLAN, both) == "an approval does not count"
    assert approval_finding(PLAN, Approvals(is_needed=True, states=(COUNTS,))) == "given by Bala"


def test_trust_that_cannot_be_read_is_said():
    """Then nobody's approval counts, and no phrase opens the button."""
    none = Approvals(is_needed=True, problem="The folder is not owned by root.")
    assert "The folder is not owned by root." in words_of(none)
    assert none.phrase == ""


@pytest.mark.parametrize("final", FINALS)
def test_every_final_is_explained(final):
    """Also the cards that are gone by an earlier delete whose answer is not remembered."""
    ((kind, rows),) = finals_words(CampaignStatus("9f3", "running", None, 9, {final: 2}))
    assert kind == "facts"
    (name, text) = rows[0]
    assert name == final.replace("_", " ").capitalize()
    assert text.startswith("2 cards. ")
    assert len(text) > 20
