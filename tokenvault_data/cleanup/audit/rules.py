"""What a journal may hold, as the audit understands it: written down apart from the code that acts.

The engine moves by `states`; the audit judges by this. Two copies on purpose: a mistake in one of
them shows as a disagreement, where a shared one would be believed twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class JournalEntry(NamedTuple):
    """One record as the journal holds it."""

    seq: int
    at: str
    kind: str
    number: int | None
    detail: Mapping[str, Any]


ITEM_MOVES: Final = frozenset(
    {
        ("planned", "checked"),
        ("planned", "verifying"),
        ("planned", "final"),
        ("checked", "intended"),
        ("checked", "verifying"),
        ("checked", "final"),
        ("intended", "accepted"),
        ("intended", "in_doubt"),
        ("intended", "not_executed"),
        ("intended", "absent"),
        ("intended", "planned"),
        ("intended", "final"),
        ("accepted", "verifying"),
        ("in_doubt", "verifying"),
        ("not_executed", "planned"),
        ("absent", "verifying"),
        ("verifying", "planned"),
        ("verifying", "final"),
    }
)
"""Every move that a planned card can make."""

CAMPAIGN_MOVES: Final = frozenset(
    {
        ("sealed", "approved"),
        ("sealed", "canary"),
        ("approved", "canary"),
        ("canary", "held"),
        ("canary", "verifying"),
        ("canary", "paused"),
        ("held", "running"),
        ("running", "verifying"),
        ("running", "paused"),
        ("paused", "canary"),
        ("paused", "running"),
        ("paused", "verifying"),
        ("verifying", "completed"),
        ("verifying", "completed_with_exceptions"),
        ("verifying", "paused"),
    }
    | {
        (before, after)
        for before in ("sealed", "approved", "canary", "held", "running", "paused", "verifying")
        for after in ("aborted", "halted")
    }
    | {("halted", "aborted"), ("halted", "verifying")}
)
"""Every move that a campaign can make."""

GONE: Final = ("deleted", "gone_after_attempt", "already_gone", "gone_unattributed")
LEFT: Final = (
    "skipped_drift",
    "drift_after_attempt",
    "rejected",
    "unresolved",
    "not_attempted",
)
FINALS: Final = (*GONE, *LEFT)
"""How a planned card can end, in the order in which totals are told."""

ABSENCES_AFTER_200: Final = 2
ABSENCES_OTHERWISE: Final = 3
"""How many fetches in a row have to answer 404: where the last delete was accepted, and else."""

CLOCKS_MAY_DIFFER: Final = timedelta(minutes=5)
"""How far two clocks may disagree before the order of what they say is a finding."""

OVER: Final = frozenset({"completed", "completed_with_exceptions", "aborted"})
OUTCOMES: Final = frozenset(
    {"accepted", "in_doubt", "not_executed", "absent", "rejected", "unexpected"}
)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole_or_none(value: Any) -> bool:
    return value is None or _whole(value)


def _seconds(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and isfinite(value) and value >= 0


def _seconds_or_none(value: Any) -> bool:
    return value is None or _seconds(value)


def _truth(value: Any) -> bool:
    return isinstance(value, bool)


def _counts(value: Any) -> bool:
    return isinstance(value, dict) and all(_whole(count) for count in value.values())


def _one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in words


_OF_AN_ITEM: Final[Mapping[str, Mapping[str, Callable[[Any], bool]]]] = {
    "checked": {
        "status": _whole_or_none,
        "verdict": _one_of("holds", "drift", "absent", "unclear", "last_usable"),
        "reason": _text_or_none,
        "request_id": _text_or_none,
        "asked_at": _text,
        "listed": _whole_or_none,
    },
    "intended": {
        "attempt": _text,
        "ordinal": _whole,
        "idempotency_key": _text,
        "deadline": _text,
        "evidence_seconds": _seconds,
        "bound_seconds": _seconds,
    },
    "withdrawn": {"attempt": _text, "reason": _text_or_none},
    "outcome": {
        "attempt": _text,
        "outcome": _one_of(*OUTCOMES),
        "status": _whole_or_none,
        "code": _text_or_none,
        "request_id": _text_or_none,
        "evidence_seconds": _seconds_or_none,
        "late_seconds": _seconds_or_none,
    },
    "seen": {
        "status": _whole_or_none,
        "verdict": _one_of("gone", "present", "drift", "unclear"),
        "request_id": _text_or_none,
        "after_seconds": _seconds_or_none,
    },
    "remembered": {"attempt": _text, "campaign": _text, "at": _text},
    "item": {"from": _text, "to": _text, "final": _text_or_none, "reason": _text_or_none},
}
_OF_THE_CAMPAIGN: Final[Mapping[str, Mapping[str, Callable[[Any], bool]]]] = {
    "opened": {
        "plan_id": _text,
        "plan_digest": _text,
        "environment": _text,
        "merchant": _text_or_none,
        "rows": _whole,
        "machine": _text,
    },
    "approved": {
        "approver": _text,
        "fingerprint": _text,
        "approved_at": _text,
        "trust": _one_of("system", "self"),
    },
    "confirmed": {"phrase": _text, "by": _text, "trust": _one_of("system", "self", "none")},
    "recovered": {"by": _text, "machine": _text, "reason": _text_or_none},
    "state": {"from": _text, "to": _text, "reason": _text_or_none},
    "control": {
        "status": _whole_or_none,
        "ok": _truth,
        "control": _whole,
        "request_id": _text_or_none,
    },
    "sealed": {"counts": _counts},
}


def fault_of_form(kind: object, number: object, detail: Mapping[str, Any]) -> str | None:
    """Say why something is no record at all, None where it is one.

    Parameters
    ----------
    kind, number : object
        As the table holds them.
    detail : mapping
    """
    if kind in _OF_AN_ITEM:
        form = _OF_AN_ITEM[str(kind)]
        if not _whole(number):
            return "names no card"
    elif kind in _OF_THE_CAMPAIGN:
        form = _OF_THE_CAMPAIGN[str(kind)]
        if number is not None:
            return "names a card and is about none"
    else:
        return "is of a kind that no campaign writes"
    if detail.keys() != form.keys():
        return "does not hold what its kind holds"
    wrong = next((key for key, is_right in form.items() if not is_right(detail[key])), None)
    return None if wrong is None else f"has a value under {wrong} that does not belong there"


def moment(text: str) -> datetime | None:
    """Read an instant with a zone, None where it is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
