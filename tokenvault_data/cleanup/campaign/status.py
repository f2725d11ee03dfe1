"""How far a campaign is, as a value: for progress bars, the command line and programs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.cleanup.journal.states import AS_WANTED, ENDED, EXCEPTIONS
from tokenvault_data.cleanup.ledger.ledger import Mark
from tokenvault_data.dataset.readers import open_sqlite
from tokenvault_data.errors import CampaignHalted, CampaignPaused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tokenvault_data.cleanup.journal.state import JournalState
    from tokenvault_data.cleanup.plan.plan import Plan


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
    standing: JournalState,
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
    standing: JournalState, met_before: int, passed_seconds: float, settle_seconds: float
) -> float | None:
    """Estimate from the cards that were attempted, or ended, in the time that has passed.

    The last ones settle after that, all at once. None while too few were met.
    """
    met = cards_met(standing) - met_before
    if met < 3 or passed_seconds <= 0:
        return None
    return (len(standing.items) - cards_met(standing)) * passed_seconds / met + settle_seconds


def cards_met(standing: JournalState) -> int:
    """Count the cards that are not waiting for their turn any more."""
    return len(standing.items) - standing.states["planned"]


_REQUESTS = (
    "SELECT (SELECT count(*) FROM audit WHERE kind IN ('checked','seen','control')), "
    "(SELECT count(*) FROM attempts WHERE outcome IS NULL OR NOT "
    "(outcome='withdrawn' OR (outcome='not_executed' AND status IS NULL))), "
    "(SELECT count(*) FROM audit WHERE kind='outcome'"
    " AND json_extract(detail, '$.late_seconds') IS NOT NULL), "
    "(SELECT count(*) FROM audit WHERE kind='recovered')"
)


def stored_status(path: Path, plan: Plan) -> CampaignStatus:
    """Read the status of a campaign that may never have begun.

    Parameters
    ----------
    path : Path
        Its journal.
    plan : Plan

    Raises
    ------
    CampaignHalted
        The journal is damaged.
    CampaignPaused
        It cannot be read now.
    """
    never = CampaignStatus(plan.id, "sealed", None, len(plan.cards))
    if not path.exists():
        return never
    try:
        # Not read-only: what a crash left half done has to be rolled back before it can be read.
        connection = open_sqlite(path, "mode=rw", timeout=5.0)
        try:
            if not connection.execute("SELECT name FROM sqlite_schema LIMIT 1").fetchall():
                return never
            facts = dict(connection.execute("SELECT key,value FROM campaign"))
            counts = connection.execute(
                "SELECT state,final,count(*) FROM items GROUP BY state,final"
            ).fetchall()
            ((reads, deletes, late, recovered),) = connection.execute(_REQUESTS)
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        raise CampaignPaused(
            f"the journal cannot be read now ({error}); nothing was sent. Try again in a moment"
        ) from error
    except sqlite3.DatabaseError as error:
        raise CampaignHalted(
            f"the journal is damaged ({error}); nothing was sent. Run the audit, which says where"
        ) from error
    finals = {final: count for _, final, count in counts if final is not None}
    states: dict[str, int] = {}
    for name, _, count in counts:
        states[name] = states.get(name, 0) + count
    return CampaignStatus(
        plan_id=plan.id,
        state=facts.get("state", ""),
        reason=facts.get("reason") or None,
        planned=len(plan.cards),
        finals=MappingProxyType(finals),
        states=MappingProxyType(states),
        requests=reads + deletes,
        deletes=deletes,
        drift=finals.get("skipped_drift", 0) + finals.get("drift_after_attempt", 0),
        late_deletes=late,
        is_recovered=recovered > 0,
    )


def stored_canary(path: Path, plan: Plan) -> list[tuple[int, str, str | None]]:
    """Read what has become of the cards that come first.

    Returns
    -------
    list of (int, str, str or None)
        Number in the plan, how it ended (or its state while open), and why; empty where the
        campaign never began.

    Raises
    ------
    CampaignPaused
        The journal cannot be read now.
    """
    if not path.exists() or not path.stat().st_size:
        return []
    try:
        with closing(open_sqlite(path, "mode=rw")) as connection:
            rows = {
                number: (final or state, reason)
                for number, state, final, reason in connection.execute(
                    "SELECT number,state,final,reason FROM items"
                )
            }
    except sqlite3.Error as error:
        raise CampaignPaused(
            f"the journal cannot be read now ({error}); nothing was sent. Try again in a moment"
        ) from error
    return [(number, *rows[number]) for number in plan.canary if number in rows]


def last_mark(path: Path) -> Mark | None:
    """Return number and hash of the last record of a journal, None where it has none.

    Raises
    ------
    CampaignPaused
        It cannot be read now.
    """
    row = _one_row(path, "SELECT seq,hash FROM audit ORDER BY seq DESC LIMIT 1", ())
    return None if row is None else Mark(*row)


def holds_mark(path: Path, mark: Mark) -> bool:
    """Say whether a journal holds the record of a mark. Raises `CampaignPaused` as `last_mark`."""
    found = _one_row(path, "SELECT hash FROM audit WHERE seq=?", (mark.seq,))
    return mark.seq == 0 or found == (mark.hash,)


def _one_row(path: Path, query: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
    try:
        with closing(open_sqlite(path, "mode=rw")) as connection:
            row: tuple[Any, ...] | None = connection.execute(query, values).fetchone()
    except sqlite3.Error as error:
        raise CampaignPaused(
            f"the journal cannot be read now ({error}); nothing was sent. Try again in a moment"
        ) from error
    return row


def has_closing_record(path: Path) -> bool:
    """Say whether the journal of a campaign that has ended holds its last record.

    Raises
    ------
    CampaignPaused
        It cannot be read now.
    """
    found = _one_row(path, "SELECT 1 FROM audit WHERE kind='sealed' LIMIT 1", ())
    return found is not None
