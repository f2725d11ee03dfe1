"""How far a campaign is, as a value: for progress bars, the command line and programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tokenvault_data.cleanup.journal.states import AS_WANTED, ENDED, EXCEPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenvault_data.cleanup.journal.state import Standing

_WAITING: Final = ("intended", "accepted", "in_doubt", "absent", "verifying")


@dataclass(frozen=True, slots=True)
class CampaignStatus:
    """Where a campaign stands.

    Attributes
    ----------
    plan_id : str
    state : str
        See `states.CAMPAIGN_TRANSITIONS`.
    reason : str or None
        Why it is in this state, where there is a reason.
    planned : int
        Cards of the plan.
    finals : mapping of str to int
        Cards that have ended, by how; see `states.FINALS`.
    states : mapping of str to int
        All cards by state of the item; those that have ended are ``final``.
    requests : int
        Requests written down so far, over all processes that worked on it.
    deletes : int
        Of these, deletes that were sent or may have been.
    drift : int
        Cards that were left alone because they have changed.
    seconds_left : float or None
        Estimate at the present pace, None while unknown or when nothing is at work.
    waits_until : float or None
        Until when cards wait for the account's daily caps, seconds since 1970; None while none
        does.
    late_deletes : int
        Deletes that may have left with an older check than the plan allows, since the process was
        stopped in that moment.
    is_recovered : bool
        Whether it was recovered, and so deletes nothing any more.
    """

    plan_id: str
    state: str
    reason: str | None
    planned: int
    finals: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    states: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    requests: int = 0
    deletes: int = 0
    drift: int = 0
    seconds_left: float | None = None
    waits_until: float | None = None
    late_deletes: int = 0
    is_recovered: bool = False

    @property
    def done(self) -> int:
        """Cards that have ended."""
        return sum(self.finals.values())

    @property
    def waiting(self) -> int:
        """Cards whose delete was sent, or may have been, and that were not yet proven gone."""
        return sum(self.states.get(name, 0) for name in _WAITING)

    @property
    def untouched(self) -> int:
        """Cards that are neither attempted nor at their end."""
        return self.planned - self.done - self.waiting

    @property
    def gone(self) -> int:
        """Cards that are proven gone."""
        return sum(self.finals.get(final, 0) for final in AS_WANTED)

    @property
    def exceptions(self) -> int:
        """Cards that have ended in any other way."""
        return sum(self.finals.get(final, 0) for final in EXCEPTIONS)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do, now or later."""
        return self.state in ENDED and self.done == self.planned


def status_of(
    plan_id: str,
    standing: Standing,
    *,
    seconds_left: float | None = None,
    waits_until: float | None = None,
) -> CampaignStatus:
    """Take a picture of where a campaign stands."""
    finals = {final: count for final, count in standing.finals.items() if count}
    return CampaignStatus(
        plan_id=plan_id,
        state=standing.state,
        reason=standing.reason,
        planned=len(standing.items),
        finals=MappingProxyType(finals),
        states=MappingProxyType({name: n for name, n in standing.states.items() if n}),
        requests=standing.requests,
        deletes=standing.deletes,
        drift=finals.get("skipped_drift", 0) + finals.get("drift_after_attempt", 0),
        seconds_left=seconds_left,
        waits_until=waits_until,
        late_deletes=standing.late_deletes,
        is_recovered=standing.is_recovered,
    )


def seconds_left(
    standing: Standing, met_before: int, passed_seconds: float, settle_seconds: float
) -> float | None:
    """Estimate from the cards that were attempted, or ended, in the time that has passed.

    The last ones settle after that, all at once. None while too few were met.
    """
    met = cards_met(standing) - met_before
    if met < 3 or passed_seconds <= 0:
        return None
    return (len(standing.items) - cards_met(standing)) * passed_seconds / met + settle_seconds


def cards_met(standing: Standing) -> int:
    """Count the cards that are not waiting for their turn any more."""
    return len(standing.items) - standing.states["planned"]
