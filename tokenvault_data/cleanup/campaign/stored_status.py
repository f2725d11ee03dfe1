"""Where a campaign stands, as its journal's tables say; for those who are not at work on it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tokenvault_data.cleanup.campaign.status import CampaignStatus
from tokenvault_data.cleanup.ledger.ledger import Mark
from tokenvault_data.dataset.readers import open_sqlite
from tokenvault_data.errors import CampaignHalted, CampaignPaused

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.cleanup.plan.plan_file import Plan

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
