"""What became of scheduled expiries from one snapshot to the next.

A card is *scheduled* for a month if it is ACTIVE and its ``expires_on`` lies in that month. Between
two looks it survives (it is still scheduled for the same month) or not (renewed, replaced, deleted,
no longer ACTIVE); other cards are added to the month. Cards are told apart by customer and
instrument id, and only customers fetched in both looks count: of others nothing is known.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from tokenvault_data.analysis.cards.card_view import MEMORY_LIMIT_MB, day_sql
from tokenvault_data.analysis.cards.dates import first_day, month_number
from tokenvault_data.dataset.flattening.instants import INDIA
from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOMES
from tokenvault_data.dataset.snapshots import Snapshot
from tokenvault_data.dataset.sql import connection_to
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    import duckdb

CLOSEST_LOOKS_DAYS: Final = 20
"""Snapshots of consecutive months that are closer than this count as one look: what happens in a
month is told from what happened in about a month."""

_TABLES: Final = {"instruments": INSTRUMENTS, "outcomes": OUTCOMES}
_MONTH: Final = "(year(expires_on) * 12 + month(expires_on) - 1)"


@dataclass(frozen=True, slots=True)
class Look:
    """One snapshot of a history.

    Attributes
    ----------
    snapshot : Snapshot
    day : date
        When it was made, in India.
    """

    snapshot: Snapshot
    day: date

    @property
    def month(self) -> int:
        """The month of `day`, as `month_number` counts."""
        return month_number(self.day)


@dataclass(frozen=True, slots=True)
class Step:
    """What became of the cards scheduled for one month between two consecutive looks.

    Attributes
    ----------
    lead : int
        Calendar months from the earlier look to the month of expiry, 0 or more.
    months : int
        Calendar months between the looks, 1 or more.
    scheduled : int
        Cards at the earlier look.
    survived : int
        Of those, still scheduled for the month at the later look.
    added : int
        Cards scheduled for it at the later look only.
    """

    lead: int
    months: int
    scheduled: int
    survived: int
    added: int


def looks_of(snapshots: Snapshot | Sequence[Snapshot]) -> tuple[list[Look], int]:
    """Put snapshots into order of time, and pass over those too close to a later one.

    Returns
    -------
    list of Look
        Each in a later month than the one before; the newest snapshot is always among them.
    int
        How many were passed over.

    Raises
    ------
    UsageError
        There are none, one is no snapshot, or they are of several environments or merchants.
    """
    given = [snapshots] if isinstance(snapshots, Snapshot) else list(snapshots)
    if not given or not all(isinstance(one, Snapshot) for one in given):
        raise UsageError(
            "A forecast is made of one snapshot or several, and something else was given; nothing"
            " was counted; give what open_snapshot or collect returned."
        )
    accounts = {(one.manifest.environment, one.manifest.merchant) for one in given}
    if len(accounts) > 1:
        raise UsageError(
            f"The {len(given)} snapshots are of {len(accounts)} environments or merchants; nothing"
            " was counted; give those of one account."
        )
    given.sort(key=lambda one: (one.manifest.created_at, one.id), reverse=True)
    kept: list[Look] = []
    for snapshot in given:
        made = datetime.fromisoformat(snapshot.manifest.created_at)
        look = Look(snapshot, made.astimezone(INDIA).date())
        apart = (kept[-1].day - look.day).days >= CLOSEST_LOOKS_DAYS if kept else True
        if apart and (not kept or look.month < kept[-1].month):
            kept.append(look)
    return kept[::-1], len(given) - len(kept)


@contextmanager
def history(looks: Sequence[Look]) -> Iterator[History]:
    """Open the files of all looks for counting."""
    files, tables = {}, {}
    for place, look in enumerate(looks):
        for name, schema in _TABLES.items():
            paths = look.snapshot.files(name)
            if paths:
                files[f"{name}_{place}"] = paths
            else:
                tables[f"{name}_{place}"] = schema.empty_table()
    with connection_to(files, tables, memory_limit_mb=MEMORY_LIMIT_MB) as connection:
        yield History(tuple(looks), connection)


@dataclass(frozen=True, slots=True)
class History:
    """Counts over the looks of a history; made by `history`.

    Attributes
    ----------
    looks : tuple of Look
    connection : duckdb.DuckDBPyConnection
        With the views ``instruments_N`` and ``outcomes_N`` of look number N.
    """

    looks: tuple[Look, ...]
    connection: duckdb.DuckDBPyConnection

    def scheduled(self, place: int, fetched_in: Sequence[int] = ()) -> dict[int, int]:
        """Count the ACTIVE cards of a look by their month of expiry, past ones too.

        Parameters
        ----------
        place : int
            Which look.
        fetched_in : sequence of int
            Only customers that were fetched in all of these looks; all customers when empty.
        """
        rows = self.connection.execute(
            f"SELECT {_MONTH}, count(*) FROM instruments_{place} AS cards"  # noqa: S608  numbers
            " WHERE instrument_status = 'ACTIVE' AND expires_on IS NOT NULL"
            f"{_fetched(fetched_in)} GROUP BY 1"
        ).fetchall()
        return dict(rows)

    def steps(self, place: int, leads: int, fetched_in: Sequence[int] = ()) -> list[Step]:
        """Count what became of the cards of one look by the next.

        Parameters
        ----------
        place : int
            The earlier look.
        leads : int
            How many months of expiry, the month of that look being the first.
        fetched_in : sequence of int
            Further looks in which a customer has to have been fetched to be counted.

        Returns
        -------
        list of Step
            One for each lead of 0 to ``leads - 1``.
        """
        earlier, later = self.looks[place], self.looks[place + 1]
        fetched = _fetched(sorted({place, place + 1, *fetched_in}))
        first, end = first_day(earlier.month), first_day(earlier.month + leads)

        def counts(at: int) -> str:
            # A list may repeat an id: then as many of its rows survive as are still there.
            return (
                f"SELECT customer_id, instrument_id, {_MONTH} AS month, count(*) AS cards"  # noqa: S608  numbers and days
                f" FROM instruments_{at} AS cards WHERE instrument_status = 'ACTIVE'"
                f" AND expires_on >= {day_sql(first)} AND expires_on < {day_sql(end)}{fetched}"
                " GROUP BY ALL"
            )

        rows = self.connection.execute(
            "SELECT coalesce(old.month, new.month), coalesce(sum(old.cards), 0)::BIGINT,"  # noqa: S608  numbers and days
            " sum(least(coalesce(old.cards, 0), coalesce(new.cards, 0)))::BIGINT,"
            " sum(greatest(coalesce(new.cards, 0) - coalesce(old.cards, 0), 0))::BIGINT"
            f" FROM ({counts(place)}) AS old FULL JOIN ({counts(place + 1)}) AS new"
            " ON old.customer_id = new.customer_id AND old.month = new.month"
            " AND coalesce(old.instrument_id, '') = coalesce(new.instrument_id, '')"
            " GROUP BY 1"
        ).fetchall()
        found = {month - earlier.month: tuple(counted) for month, *counted in rows}
        months = later.month - earlier.month
        return [Step(lead, months, *found.get(lead, (0, 0, 0))) for lead in range(leads)]


def _fetched(places: Sequence[int]) -> str:
    return "".join(
        f" AND EXISTS (SELECT 1 FROM outcomes_{place} AS asked"  # noqa: S608  numbers
        " WHERE asked.customer_id = cards.customer_id AND asked.outcome IN ('fetched', 'empty'))"
        for place in places
    )
