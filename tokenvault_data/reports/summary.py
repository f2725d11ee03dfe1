"""A snapshot on one page: how many cards, of which kinds, expiring when.

Every figure counts rows of the snapshot, and each group of figures adds up to all of them: what is
missing or could not be read is a line of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tokenvault_data.analysis.cards.card_view import MONTHS, month_bucket_names
from tokenvault_data.analysis.cards.dates import month_number
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.today import today_in_india

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import pyarrow as pa

    from tokenvault_data.dataset.snapshots import Snapshot

COLUMNS = ("card_network", "card_bank", "card_type", "instrument_status")
"""Columns of the files whose values are counted; ``bank``, which is derived, is as well."""


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
    months : dict of str to int
        Those not expired by whole months, the month of `as_of` first: ``this month``, ``next
        month``, ``in 2 months``, ``in 3 months`` and ``later``.
    """

    as_of: date
    expired: int
    within_30: int
    within_60: int
    within_90: int
    later: int
    unknown: int
    expired_but_active: int
    months: dict[str, int]


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of one snapshot.

    Attributes
    ----------
    cards : int
        Rows: one for every card in every customer's list.
    counts : dict
        For each of `COLUMNS` and for ``bank``, its values with their number of cards, most frequent
        first; None is the value of cards for which nothing could be read.
    expiry : Expiry
    """

    cards: int
    counts: dict[str, list[tuple[str | None, int]]]
    expiry: Expiry


def summarise(snapshot: Snapshot, *, as_of: date | None = None) -> Summary:
    """Count a snapshot, batch by batch, so that memory does not grow with it.

    Parameters
    ----------
    snapshot : Snapshot
    as_of : date, optional
        The day expiry is judged on; today in India by default.
    """
    import pyarrow.compute as pc

    cards = 0
    counts: dict[str, Counter[str | None]] = {column: Counter() for column in COLUMNS}
    by_day: Counter[date | None] = Counter()
    active_by_day: Counter[date | None] = Counter()
    for batch in snapshot.iter_batches([*COLUMNS, "expires_on"]):
        cards += batch.num_rows
        for column, counter in counts.items():
            _count(batch.column(column), counter)
        expires = batch.column("expires_on")
        _count(expires, by_day)
        active = pc.equal(batch.column("instrument_status"), "ACTIVE")
        _count(expires.filter(active), active_by_day)
    names = load_bank_names()
    banks = Counter[str | None]()
    for spelling, number in counts["card_bank"].items():
        banks[names.canonical(spelling)] += number
    counts["bank"] = banks
    ranked = {column: _most_frequent_first(counter) for column, counter in counts.items()}
    return Summary(cards, ranked, expiry_of(by_day, active_by_day, as_of or today_in_india()))


def expiry_of(
    by_day: Mapping[date | None, int], active_by_day: Mapping[date | None, int], as_of: date
) -> Expiry:
    """Judge expiry from the number of cards, and of ACTIVE ones, by their `expires_on`."""

    def before(day: date, counts: Mapping[date | None, int] = by_day) -> int:
        return sum(cards for expires, cards in counts.items() if expires and expires < day)

    expired = before(as_of)
    borders = [before(as_of + timedelta(days=days + 1)) for days in (30, 60, 90)]
    unknown = by_day.get(None, 0)
    return Expiry(
        as_of=as_of,
        expired=expired,
        within_30=borders[0] - expired,
        within_60=borders[1] - borders[0],
        within_90=borders[2] - borders[1],
        later=sum(by_day.values()) - unknown - borders[2],
        unknown=unknown,
        expired_but_active=before(as_of, active_by_day),
        months=_by_month(by_day, as_of),
    )


def _by_month(by_day: Mapping[date | None, int], as_of: date) -> dict[str, int]:
    _, *names = month_bucket_names(MONTHS)
    counts = dict.fromkeys(names, 0)
    for day, cards in by_day.items():
        if day is not None and day >= as_of:
            ahead = month_number(day) - month_number(as_of)
            counts[names[min(ahead, MONTHS)]] += cards
    return counts


def _count(values: pa.Array, counter: Counter[Any]) -> None:
    import pyarrow.compute as pc

    for entry in pc.value_counts(values).to_pylist():
        counter[entry["values"]] += entry["counts"]


def _most_frequent_first(counter: Counter[str | None]) -> list[tuple[str | None, int]]:
    return sorted(counter.items(), key=lambda pair: (-pair[1], pair[0] is None, pair[0] or ""))
