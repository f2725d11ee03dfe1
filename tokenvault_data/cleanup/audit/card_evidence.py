"""What the records of a journal say of one planned card, and whether that carries its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from tokenvault_data.cleanup.audit.rules import ABSENCES_AFTER_200, ABSENCES_OTHERWISE, GONE

if TYPE_CHECKING:
    from collections.abc import Mapping


class ControlTrail:
    """The control reads of a journal, in spells.

    A spell ends when every control card in turn answered 404 with no good one between: the account
    was wrong, so that nothing seen gone in that spell is proven by a good read in a later one.

    Parameters
    ----------
    count : int
        Control cards of the plan.

    Attributes
    ----------
    spell : int
        Number of the present one.
    good, reads : int
        Good reads, and all.
    """

    def __init__(self, count: int) -> None:
        self._count = max(1, count)
        self._missing: set[int] = set()
        self._last_good: dict[int, int] = {}
        self.spell = 0
        self.good = 0
        self.reads = 0

    def add(self, seq: int, *, is_good: bool, status: int | None, index: int) -> None:
        """Add one control read."""
        self.reads += 1
        if is_good:
            self.good += 1
            self._missing.clear()
            self._last_good[self.spell] = seq
        elif status == 404:
            self._missing.add(index)
            if len(self._missing) >= self._count:
                self._missing.clear()
                self.spell += 1

    @property
    def last_good(self) -> int | None:
        """Number of the last good read of this spell."""
        return self._last_good.get(self.spell)

    def good_after(self, sight: Sighting) -> int | None:
        """Number of a good read after a sight in the same spell, None where there is none."""
        last = self._last_good.get(sight.spell)
        return last if last is not None and last > sight.seq else None


class Sighting(NamedTuple):
    """One fetch of a card that showed something.

    Attributes
    ----------
    seq, at
        Of its record.
    kind : str
        ``checked`` or ``seen``.
    shown : str
        ``gone``, ``drift`` or ``present``.
    status, request_id
        Of the answer.
    spell : int
        See `ControlTrail.spell`.
    control_before : int or None
        Number of the good control read before it.
    absences : int
        Single fetches in a row that answered 404 in this spell, this one included.
    asked_at : str or None
        When the vault was asked, of a check.
    after_seconds : float or None
        Since the last delete that may have been carried out, as the process measured it.
    """

    seq: int
    at: str
    kind: str
    shown: Literal["gone", "drift", "present"]
    status: int | None
    request_id: str | None
    spell: int
    control_before: int | None
    absences: int
    asked_at: str | None = None
    after_seconds: float | None = None


@dataclass(slots=True)
class AttemptTrail:
    """One attempt to delete a card, as its records say."""

    attempt: str
    ordinal: int
    idempotency_key: str
    intended_at: str
    deadline: str
    asked_at: str | None
    bound_seconds: float
    evidence_seconds: float | None = None
    outcome: str | None = None
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    ended_at: str | None = None

    @property
    def was_sent(self) -> bool:
        """Whether the delete left, or may have left."""
        if self.outcome == "withdrawn":
            return False
        return not (self.outcome == "not_executed" and self.status is None)

    @property
    def was_handed_over(self) -> bool:
        """Whether the process wrote down that it sent it, and did not just end meanwhile."""
        return self.was_sent and (self.status is not None or self.evidence_seconds is not None)

    @property
    def may_have_deleted(self) -> bool:
        """Whether the vault may have carried it out."""
        return self.outcome not in ("withdrawn", "not_executed")


@dataclass(slots=True)
class CardTrail:
    """What the records say of one planned card.

    Attributes
    ----------
    remembered : list of str
        Attempts that a ledger remembers and the records do not hold.
    sight : Sighting or None
        The last read that showed something since the last attempt.
    control_after : int or None
        Number of the good control read that confirmed a 404, set when the card has ended.
    """

    changed_at: str
    state: str = "planned"
    final: str | None = None
    reason: str | None = None
    ended_seq: int | None = None
    attempts: list[AttemptTrail] = field(default_factory=list)
    remembered: list[str] = field(default_factory=list)
    sight: Sighting | None = None
    control_after: int | None = None

    @property
    def open_attempt(self) -> AttemptTrail | None:
        """The attempt of which no end is written down."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.outcome is None else None

    @property
    def sends(self) -> int:
        """How many deletes left, or may have left."""
        return sum(one.was_sent for one in self.attempts)

    @property
    def doubtful(self) -> list[AttemptTrail]:
        """Those that may have been carried out."""
        return [one for one in self.attempts if one.may_have_deleted]


def fault_of_end(
    trail: CardTrail,
    final: str,
    controls: ControlTrail,
    *,
    sealed_status: str | None,
    settle_seconds: float,
) -> str | None:
    """Say why a card must not have ended so, None where its records carry it.

    Parameters
    ----------
    trail : CardTrail
    final : str
    controls : ControlTrail
        Up to the record that ends the card.
    sealed_status : str or None
        ``instrument_status`` of the card in the plan.
    settle_seconds : float
        How long after a delete the card has to be seen gone.
    """
    doubtful = trail.doubtful
    if trail.open_attempt is not None:
        return "an attempt at it has no outcome"
    fault = _fault_of_attempts(trail, final, doubtful)
    if fault is not None:
        return fault
    shown = None if trail.sight is None else trail.sight.shown
    if final in ("skipped_drift", "drift_after_attempt"):
        return None if shown == "drift" else "no fetch showed that it had changed"
    if final in GONE:
        fault = _fault_of_proof(trail, controls, sealed_status)
        return fault or (_fault_of_settling(trail, settle_seconds) if doubtful else None)
    return None


def _fault_of_attempts(trail: CardTrail, final: str, doubtful: list[AttemptTrail]) -> str | None:
    last = doubtful[-1].outcome if doubtful else None
    is_remembered = bool(trail.remembered)
    wrong: Mapping[str, tuple[bool, str]] = {
        "deleted": (last != "accepted", "its last attempt was not accepted"),
        "gone_after_attempt": (
            last in (None, "accepted", "rejected"),
            "it has no attempt of unknown result",
        ),
        "already_gone": (bool(doubtful) or is_remembered, "an attempt may have deleted it"),
        "gone_unattributed": (bool(doubtful), "an attempt of this journal may have deleted it"),
        "skipped_drift": (bool(doubtful) or is_remembered, "an attempt may have deleted it"),
        "drift_after_attempt": (
            not doubtful and not is_remembered,
            "no attempt may have reached the vault",
        ),
        "rejected": (last != "rejected", "no attempt was rejected"),
        "unresolved": (trail.sends == 0 and not is_remembered, "nothing was sent for it"),
        "not_attempted": (trail.sends > 0 or is_remembered, "a delete was sent for it"),
    }
    is_wrong, why = wrong[final]
    return why if is_wrong else None


def _fault_of_proof(
    trail: CardTrail, controls: ControlTrail, sealed_status: str | None
) -> str | None:
    sight = trail.sight
    if sight is None or sight.shown != "gone":
        return "no fetch after the last attempt showed it gone"
    if sight.status == 200:
        nothing = "INACTIVE proves nothing of a card that was not ACTIVE when it was planned"
        return nothing if sealed_status in (None, "INACTIVE") else None
    if sight.status != 404:
        return f"an answer of status {sight.status} proves nothing"
    after = controls.good_after(sight)
    trail.control_after = after
    if sight.control_before is None:
        return "no control card was read well before the 404"
    if after is None:
        return "no control card was read well between the 404 and its end"
    return _fault_of_absences(trail, sight.absences)


def _fault_of_absences(trail: CardTrail, found: int) -> str | None:
    doubtful = trail.doubtful
    was_accepted = bool(doubtful) and doubtful[-1].outcome == "accepted"
    needed = ABSENCES_AFTER_200 if was_accepted else ABSENCES_OTHERWISE
    if found >= needed:
        return None
    return f"it takes {needed} fetches in a row that answer 404, and the last {found} did"


def _fault_of_settling(trail: CardTrail, settle_seconds: float) -> str | None:
    after = None if trail.sight is None else trail.sight.after_seconds
    if after is None:
        return "its last fetch does not say how long after the delete it was"
    if after < settle_seconds:
        return (
            f"its last fetch came {after:.1f} seconds after the delete, and it takes"
            f" {settle_seconds:g}"
        )
    return None
