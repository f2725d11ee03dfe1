"""A snapshot on one page: how many cards, of which kinds, expiring when.

Every figure counts rows of the snapshot, and each group of figures adds up to all of them: what is
missing or could not be read is a line of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import pyarrow as pa

    from tokenvault_data.dataset.snapshots import Snapshot

COLUMNS = ("card_network", "card_bank", "card_type", "instrument_status")
INDIA = ZoneInfo("Asia/Kolkata")  # a card expires at midnight where the vault's merchants are


@dataclass(frozen=True, slots=True)
class Expiry:
    """How many cards are usable for how long; the six parts add up to all cards.

    A card is valid through its `expires_on`, the last day of its expiry month.

    Attributes
    ----------
    as_of : date
        The day that counts as today.
    expired : int
        `expires_on` before that day.
    within_30, within_60, within_90 : int
        `expires_on` 0 to 30, 31 to 60, 61 to 90 days from that day.
    later : int
        Beyond.
    unknown : int
        No expiry was sent, or none that can be read.
    expired_but_active : int
        Of the expired, those the vault still lists as ACTIVE.
    """

    as_of: date
    expired: int
    within_30: int
    within_60: int
    within_90: int
    later: int
    unknown: int
    expired_but_active: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of one snapshot.

    Attributes
    ----------
    cards : int
    counts : dict
        For each of `COLUMNS`, its values with their number of cards, most frequent first; None is
        the value of cards for which nothing could be read.
    expiry : Expiry
    """

    cards: int
    counts: dict[str, list[tuple[str | None, int]]]
    expiry: Expiry


def today_in_india() -> date:
    """The calendar day it now is in India."""
    return datetime.now(INDIA).date()


def summarise(snapshot: Snapshot, *, as_of: date | None = None) -> Summary:
    """Count a snapshot.

    Parameters
    ----------
    snapshot : Snapshot
    as_of : date, optional
        The day expiry is judged on; today in India by default.
    """
    table = snapshot.to_arrow(columns=[*COLUMNS, "expires_on"])
    counts = {column: _counts(table, column) for column in COLUMNS}
    return Summary(table.num_rows, counts, _expiry(table, as_of or today_in_india()))


def _counts(table: pa.Table, column: str) -> list[tuple[str | None, int]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    values = table.column(column).cast(pa.string())
    counted = pc.value_counts(values.combine_chunks())
    pairs = [(entry["values"], entry["counts"]) for entry in counted.to_pylist()]
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0] is None, pair[0] or ""))


def _expiry(table: pa.Table, as_of: date) -> Expiry:
    import pyarrow.compute as pc

    expires = table.column("expires_on")

    def expiring_before(day: date) -> int:
        return int(pc.sum(pc.less(expires, day)).as_py() or 0)

    expired = expiring_before(as_of)
    borders = [expiring_before(as_of + timedelta(days=days + 1)) for days in (30, 60, 90)]
    known = table.num_rows - expires.null_count
    active = pc.equal(table.column("instrument_status"), "ACTIVE")
    expired_but_active = int(pc.sum(pc.and_(pc.less(expires, as_of), active)).as_py() or 0)
    return Expiry(
        as_of=as_of,
        expired=expired,
        within_30=borders[0] - expired,
        within_60=borders[1] - borders[0],
        within_90=borders[2] - borders[1],
        later=known - borders[2],
        unknown=expires.null_count,
        expired_but_active=expired_but_active,
    )
