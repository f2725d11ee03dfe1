"""How many scheduled expiries become lapses, learnt from past steps: snapshots in, numbers out.

From month to month a scheduled card survives with a probability that depends on its lead, the
months left to its expiry. Survival through leads L, L - 1, ..., 0 makes a scheduled card a lapse;
the product of the monthly survivals is what actuaries call a chain ladder. Cards added to a month
on the way survive from there on.

Months are not alike: survival varies about its mean more than chance alone would have it. That
variation is the correlation `rho` of a beta-binomial distribution, estimated by its moments and
mixed with a cautious assumption that counts for less the longer the history is. A past month of n
cards then tells no more than ``n / (1 + (n - 1) * rho)`` independent cards would, and a future
month varies as much as past ones did: both widen the interval.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from tokenvault_data.analysis.cards.card_view import MEMORY_LIMIT_MB, day_sql
from tokenvault_data.analysis.cards.dates import first_day, month_number
from tokenvault_data.dataset.flattening.canonical import INDIA
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
class LapseObservation:
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
class LapseStep:
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


def looks_of(snapshots: Snapshot | Sequence[Snapshot]) -> tuple[list[LapseObservation], int]:
    """Put snapshots into order of time, and pass over those too close to a later one.

    Returns
    -------
    list of LapseObservation
        Each in a later month than the one before; the newest snapshot is always among them.
    int
        How many were passed over.

    Raises
    ------
    UsageError
        There are none, one is no snapshot, or they are of several environments or merchants.
    """
    several: object = snapshots
    named = [*several] if isinstance(several, Iterable) else [several]
    given = [one for one in named if isinstance(one, Snapshot)]
    if not given or len(given) < len(named):
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
    kept: list[LapseObservation] = []
    for snapshot in given:
        made = datetime.fromisoformat(snapshot.manifest.created_at)
        look = LapseObservation(snapshot, made.astimezone(INDIA).date())
        apart = (kept[-1].day - look.day).days >= CLOSEST_LOOKS_DAYS if kept else True
        if apart and (not kept or look.month < kept[-1].month):
            kept.append(look)
    return kept[::-1], len(given) - len(kept)


@contextmanager
def history(looks: Sequence[LapseObservation]) -> Iterator[LapseHistory]:
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
        yield LapseHistory(tuple(looks), connection)


@dataclass(frozen=True, slots=True)
class LapseHistory:
    """Counts over the looks of a history; made by `history`.

    Attributes
    ----------
    looks : tuple of LapseObservation
    connection : duckdb.DuckDBPyConnection
        With the views ``instruments_N`` and ``outcomes_N`` of look number N.
    """

    looks: tuple[LapseObservation, ...]
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

    def steps(self, place: int, leads: int, fetched_in: Sequence[int] = ()) -> list[LapseStep]:
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
        list of LapseStep
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
        return [LapseStep(lead, months, *found.get(lead, (0, 0, 0))) for lead in range(leads)]


def _fetched(places: Sequence[int]) -> str:
    return "".join(
        f" AND EXISTS (SELECT 1 FROM outcomes_{place} AS asked"  # noqa: S608  numbers
        " WHERE asked.customer_id = cards.customer_id AND asked.outcome IN ('fetched', 'empty'))"
        for place in places
    )


ASSUMED_RHO: Final = 0.01
"""Correlation assumed before anything is known: where 60% survive, months of many cards then
differ by 5 points (standard deviation)."""

ASSUMED_RHO_WEIGHT: Final = 12.0
"""So many degrees of freedom of history weigh as much as the assumption: a year for one lead."""

PRIOR_CARDS: Final = 2.0
"""Each lead is drawn toward the mean of all leads as if so many more cards had fared like it."""

PRIOR_STEPS: Final = 1.0
"""Likewise the cards added a step, as if there had been one more step of the mean of all leads."""

DRAWS: Final = 4000
"""Simulated futures behind an interval."""

SEED: Final = 20_221_109
"""Of the simulation, so that the same history always gives the same interval."""


@dataclass(frozen=True, slots=True)
class LapseModel:
    """What a history says of each lead; arrays are indexed by lead.

    Attributes
    ----------
    survived, lost : numpy.ndarray of float
        Parameters of the Beta distribution of the monthly survival: independent cards' worth of
        evidence, the prior included.
    added, steps : numpy.ndarray of float
        Parameters of the Gamma distribution of the cards added a step: cards, and steps.
    rho : float
        How alike the cards of one month fare, 0 (not at all) to 0.5.
    """

    survived: np.ndarray
    lost: np.ndarray
    added: np.ndarray
    steps: np.ndarray
    rho: float

    @property
    def survival(self) -> np.ndarray:
        """Mean probability to survive the month with this lead."""
        return np.asarray(self.survived / (self.survived + self.lost))

    def expected(self, lead: int, scheduled: int) -> float:
        """Return the mean number of lapses of a month that is `lead` months away."""
        cards = float(scheduled)
        survival, additions = self.survival, self.added / self.steps
        for at in range(lead, -1, -1):
            cards = cards * survival[at] + additions[at]
        return float(cards)

    def draws(self, scheduled: Sequence[tuple[int, int]]) -> np.ndarray:
        """Simulate the lapses of several months.

        Parameters
        ----------
        scheduled : sequence of (int, int)
            Lead and scheduled cards of each month.

        Returns
        -------
        numpy.ndarray
            `DRAWS` rows, a column a month. A row is one future: its months share what was drawn for
            the survival at each lead, and differ by the luck of each month.
        """
        random = np.random.default_rng(SEED)
        shape = (DRAWS, len(self.survived))
        mean = random.beta(self.survived, self.lost, shape)
        additions = random.gamma(self.added, 1 / self.steps, shape)
        spread = 1 / self.rho - 1
        futures = np.empty((DRAWS, len(scheduled)), dtype=np.int64)
        for column, (lead, number) in enumerate(scheduled):
            cards = np.full(DRAWS, number, dtype=np.int64)
            for at in range(lead, -1, -1):
                alpha = np.maximum(mean[:, at] * spread, _TINY)
                beta = np.maximum((1 - mean[:, at]) * spread, _TINY)
                cards = random.binomial(cards, random.beta(alpha, beta))
                cards += random.poisson(additions[:, at])
            futures[:, column] = cards
        return futures


_TINY: Final = 1e-6  # a Beta distribution wants both parameters above zero


def fit(steps: Sequence[LapseStep], leads: int) -> LapseModel | None:
    """Learn from past steps.

    A step over several months counts for each lead it passed, with the same survival in each.

    Parameters
    ----------
    steps : sequence of LapseStep
    leads : int
        How many leads the model shall know, from 0 on.

    Returns
    -------
    LapseModel or None
        None when no step began with a scheduled card: nothing can be learnt.
    """
    at_risk, survived, lead_of = [], [], []
    added, times = np.zeros(leads), np.zeros(leads)
    for step in steps:
        passed = [lead for lead in _passed(step) if lead < leads]
        length = len(_passed(step))
        for lead in passed:
            added[lead] += step.added / length
            times[lead] += 1
            if step.scheduled:
                at_risk.append(float(step.scheduled))
                survived.append(step.scheduled * (step.survived / step.scheduled) ** (1 / length))
                lead_of.append(lead)
    if not at_risk:
        return None
    cards, kept, place = np.array(at_risk), np.array(survived), np.array(lead_of)
    rho = _rho(cards, kept, place, leads)
    worth = 1 / (1 + (cards - 1) * rho)
    all_survived = np.bincount(place, kept * worth, leads)
    all_lost = np.bincount(place, (cards - kept) * worth, leads)
    overall = kept.sum() / cards.sum()
    mean_added = added.sum() / times.sum()
    return LapseModel(
        survived=np.maximum(all_survived + PRIOR_CARDS * overall, _TINY),
        lost=np.maximum(all_lost + PRIOR_CARDS * (1 - overall), _TINY),
        added=added + PRIOR_STEPS * mean_added,
        steps=times + PRIOR_STEPS,
        rho=rho,
    )


def _passed(step: LapseStep) -> range:
    """Return the leads a step passed; past the month of expiry there is nothing to pass."""
    return range(max(0, step.lead - step.months + 1), step.lead + 1)


def _rho(cards: np.ndarray, kept: np.ndarray, place: np.ndarray, leads: int) -> float:
    observed = np.bincount(place, minlength=leads)
    share = np.bincount(place, kept, leads) / np.maximum(np.bincount(place, cards, leads), 1)
    mean = share[place]
    chance = mean * (1 - mean)
    freedom = float(len(cards) - np.count_nonzero(observed))
    possible = float((cards * (cards - 1) * chance).sum())
    found = 0.0
    if freedom > 0 and possible > 0:
        squares = ((kept - cards * mean) ** 2).sum() * len(cards) / freedom
        found = max(0.0, float(squares - (cards * chance).sum()) / possible)
    mixed = (freedom * found + ASSUMED_RHO_WEIGHT * ASSUMED_RHO) / (freedom + ASSUMED_RHO_WEIGHT)
    return min(mixed, 0.5)
