"""Whether a card can be paid with on a day: yes, no, or not known.

A card is usable if it is ACTIVE and the day is not after its last one. Where status or expiry is
missing and what is there does not rule it out, it may be usable: neither is claimed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date


def usable(status: str | None, expires_on: date | None, day: date) -> bool | None:
    """Decide for one card; None where it may be usable.

    >>> from datetime import date
    >>> usable("ACTIVE", date(2026, 11, 30), date(2026, 11, 30)), usable("ACTIVE", None, date.max)
    (True, None)
    """
    if (status is not None and status != "ACTIVE") or (expires_on is not None and expires_on < day):
        return False
    return None if status is None or expires_on is None else True


def usable_sql(day: date) -> str:
    """Return the same as a DuckDB expression of ``instrument_status`` and ``expires_on``."""
    return f"(instrument_status = 'ACTIVE' AND expires_on >= DATE '{day.isoformat()}')"
