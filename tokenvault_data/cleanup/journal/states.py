"""The two state machines of a cleanup, as data: nothing moves but along these tables."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from tokenvault_data.errors import CampaignHalted

if TYPE_CHECKING:
    from collections.abc import Mapping

CampaignState = Literal[
    "sealed",
    "approved",
    "canary",
    "held",
    "running",
    "paused",
    "verifying",
    "completed",
    "completed_with_exceptions",
    "aborted",
    "halted",
]
ItemState = Literal[
    "planned",
    "checked",
    "intended",
    "accepted",
    "in_doubt",
    "not_executed",
    "absent",
    "verifying",
    "final",
]
Final_ = Literal[
    "deleted",
    "gone_after_attempt",
    "already_gone",
    "gone_unattributed",
    "skipped_drift",
    "drift_after_attempt",
    "rejected",
    "unresolved",
    "not_attempted",
]
"""How a planned card may end. The underscore keeps `typing.Final` free."""

FINAL_MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "deleted": "The delete was accepted, and a later fetch showed the card gone.",
        "gone_after_attempt": "The answer to the delete was unclear; a later fetch showed it gone.",
        "already_gone": "It was gone, and no delete of ours for it is remembered.",
        "gone_unattributed": "It is gone; an earlier delete is remembered, its answer is not.",
        "skipped_drift": "It was no longer what was planned, so no delete was sent.",
        "drift_after_attempt": "It changed after a delete of unclear result, and was left alone.",
        "rejected": "The vault refused the delete.",
        "unresolved": "A delete was sent, and nothing proved the card gone.",
        "not_attempted": "No delete was sent: on hold, a last usable card, over a cap, refused or"
        " not checked in time, or the campaign ended before its turn.",
    }
)
"""What each end means: the words of the terminal, the panel, the report and the docs."""

CAMPAIGN_TRANSITIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "sealed": frozenset({"approved", "canary", "aborted", "halted"}),
        "approved": frozenset({"canary", "aborted", "halted"}),
        "canary": frozenset({"held", "verifying", "paused", "aborted", "halted"}),
        "held": frozenset({"running", "aborted", "halted"}),
        "running": frozenset({"verifying", "paused", "aborted", "halted"}),
        "paused": frozenset({"canary", "running", "verifying", "aborted", "halted"}),
        "verifying": frozenset(
            {"completed", "completed_with_exceptions", "paused", "aborted", "halted"}
        ),
        "completed": frozenset(),
        "completed_with_exceptions": frozenset(),
        "aborted": frozenset(),
        "halted": frozenset({"aborted", "verifying"}),
    }
)
"""From each state of a campaign to those it may move to.

``canary`` leads to ``verifying`` where the canary is the whole plan. ``halted`` never goes on by
itself: a person may abort it, or recover it, which leads to ``verifying``; both settle what was
attempted, and send no further delete.
``aborted`` is written before the settling, so that no crash can turn it back.
"""

ITEM_TRANSITIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "planned": frozenset({"checked", "verifying", "final"}),
        "checked": frozenset({"intended", "verifying", "final"}),
        "intended": frozenset({"accepted", "in_doubt", "not_executed", "absent", "planned"})
        | {"final"},
        "accepted": frozenset({"verifying"}),
        "in_doubt": frozenset({"verifying"}),
        "not_executed": frozenset({"planned"}),
        "absent": frozenset({"verifying"}),
        "verifying": frozenset({"planned", "final"}),
        "final": frozenset(),
    }
)
"""From each state of an item to those it may move to.

``planned`` leads to ``verifying`` where a campaign is aborted between two attempts, and to
``final`` where an item is not attempted any more. ``intended`` leads back to ``planned`` when the
intent was withdrawn before it was sent, and to ``final`` when the vault rejected the request.
"""

FINALS: Final[frozenset[str]] = frozenset(Final_.__args__)  # type: ignore[attr-defined]  # Literal
"""Every way in which a planned card may end."""

AS_WANTED: Final[frozenset[str]] = frozenset(
    {"deleted", "gone_after_attempt", "already_gone", "gone_unattributed"}
)
"""Finals in which the card is gone, as was wanted."""

EXCEPTIONS: Final[frozenset[str]] = FINALS - AS_WANTED
"""Finals that make a campaign ``completed_with_exceptions`` when a single item ends in one."""

ENDED: Final[frozenset[str]] = frozenset({"completed", "completed_with_exceptions", "aborted"})
"""States that a campaign ends in. `halted` sends no delete either, but can still be ended."""


def check_campaign_move(before: str, after: str) -> None:
    """Raise `CampaignHalted` unless a campaign may move so."""
    if after not in CAMPAIGN_TRANSITIONS.get(before, frozenset()):
        raise CampaignHalted(
            f"the campaign was about to move from {before} to {after}, which no campaign does;"
            " nothing more was sent. Run the audit, then abort this campaign"
        )


def check_item_move(number: int, before: str, after: str, final: str | None) -> None:
    """Raise `CampaignHalted` unless an item may move so, and has a final if and only if it ends."""
    legal = after in ITEM_TRANSITIONS.get(before, frozenset())
    if not legal or (final in FINALS) != (after == "final"):
        raise CampaignHalted(
            f"item {number} was about to move from {before} to {after} ({final or 'open'}), which"
            " no item does; nothing more was sent. Run the audit, then abort this campaign"
        )
