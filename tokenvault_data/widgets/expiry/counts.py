"""Cards by bank and last day, from a cube: what an expiry radar counts without looking at a row.

The cells of the cube are added up once, to one number for each bank, last day and whether the
card is ACTIVE. Every day to judge on, every horizon and every choice is answered from these.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from tokenvault_data.analysis.cards.card_view import month_bucket_names
from tokenvault_data.analysis.cards.dates import days_later, month_number, month_text
from tokenvault_data.analysis.cube.cube import count_cards

if TYPE_CHECKING:
    from tokenvault_data.analysis.cube.cells import Codes
    from tokenvault_data.analysis.cube.cube import Cube
    from tokenvault_data.analysis.filters.filters import Predicate
    from tokenvault_data.dataset.bank_names import BankNames

HORIZONS: Final = (30, 60, 90)
MONTHS: Final = 3
_NO_MONTH: Final = -1


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen of a radar.

    Attributes
    ----------
    banks : tuple of str or None
        Canonical names, None for cards whose bank is not known; all banks when empty.
    months : tuple of str
        ``YYYY-MM``, ascending; all months, and unknown expiry, when empty.
    """

    banks: tuple[str | None, ...] = ()
    months: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.banks or self.months)


@dataclass(frozen=True, slots=True)
class Headline:
    """Cards by how soon they expire; `expired`, `within`, `later` and `unknown` are all of them.

    Attributes
    ----------
    expired, expired_active : int
        Cards whose last day is over, and those of them that are ACTIVE.
    by_horizon : dict of int to int
        By days ahead, the cards whose last day is the day itself or one of so many after it: each
        number holds the ones of shorter horizons.
    by_month : dict of str to int
        By whole months, that of the day first: ``this month``, ``next month``, ``in 2 months``.
    within : int
        Those of `by_horizon` for the horizon that was asked for.
    later, unknown, cards : int
        Those beyond that horizon, those of unknown expiry, all.
    """

    expired: int
    expired_active: int
    by_horizon: dict[int, int]
    by_month: dict[str, int]
    within: int
    later: int
    unknown: int
    cards: int


@dataclass(frozen=True, slots=True)
class Grid:
    """Cards by bank and month.

    Attributes
    ----------
    banks : list of str or None
        Most cards in these months first, those of unknown bank last.
    months : list of str
    counts : numpy.ndarray
        By bank, then month.
    """

    banks: list[str | None]
    months: list[str]
    counts: Codes


class ExpiryCounts:
    """Cards of a cube by bank, last day, and whether they are ACTIVE.

    Parameters
    ----------
    cube : Cube
    where : Predicate, optional
        Only cards for which it is true.
    as_of : date
        The day that ``expires_in`` counts from, where `where` speaks of it.
    names : BankNames, optional
        Names of banks; those of the package when not given.

    Raises
    ------
    UsageError
        The cube does not count by a column of `where`.
    """

    def __init__(
        self,
        cube: Cube,
        where: Predicate | None = None,
        *,
        as_of: date,
        names: BankNames | None = None,
    ) -> None:
        by = ("bank", "expires_on", "instrument_status")
        dimensions, grouping = cube.grouped(by, where, banks=names, as_of=as_of)
        bank, expires_on, status = dimensions
        banks, days, states = grouping.keys
        self.cards = count_cards(cube.cells, grouping)
        self.banks: list[str | None] = [None, *bank.values.to_pylist()]
        self._bank = banks
        known = expires_on.values.to_pylist()
        ordinals = np.array([0, *(day.toordinal() for day in known)], np.int64)
        months = np.array([_NO_MONTH, *(month_number(day) for day in known)], np.int64)
        self._day = ordinals[days]  # 0 where it is not known
        self._month = months[days]
        active = [None, *status.values.to_pylist()]
        self._active = np.array([one == "ACTIVE" for one in active])[states]

    @property
    def months(self) -> list[str]:
        """The months in which a card expires, ascending."""
        known = np.unique(self._month[self._month != _NO_MONTH])
        return [month_text(int(month)) for month in known]

    def headline(self, as_of: date, days: int, chosen: Chosen) -> Headline:
        """Count the chosen cards by how soon they expire after a day."""
        passing = self._passes(chosen)
        day, cards = self._day[passing], self.cards[passing]
        ahead = self._month[passing] - month_number(as_of)
        known = day > 0
        expired = known & (day < as_of.toordinal())

        def within(horizon: int) -> int:
            last = days_later(as_of, horizon) or date.max
            return int(cards[known & ~expired & (day <= last.toordinal())].sum())

        total, past, unknown = (int(cards[some].sum()) for some in (known | True, expired, ~known))
        soon = within(days)
        return Headline(
            expired=past,
            expired_active=int(cards[expired & self._active[passing]].sum()),
            by_horizon={horizon: within(horizon) for horizon in HORIZONS},
            by_month={
                name: int(cards[known & ~expired & (ahead == number)].sum())
                for number, name in enumerate(month_bucket_names(MONTHS)[1:-1])
            },
            within=soon,
            later=total - past - unknown - soon,
            unknown=unknown,
            cards=total,
        )

    def calendar(self, first: int, months: int, chosen: Chosen) -> list[int]:
        """Count the cards of the chosen banks in each of some months, numbered from `first`."""
        passing = self._passes(Chosen(banks=chosen.banks))
        place = self._month[passing] - first
        inside = (place >= 0) & (place < months) & (self._month[passing] != _NO_MONTH)
        counts = np.bincount(place[inside], self.cards[passing][inside], minlength=months)
        return [int(one) for one in counts]

    def outside(self, first: int, months: int, chosen: Chosen) -> tuple[int, int, int]:
        """Count the cards of the chosen banks before and after some months, and unknown ones."""
        passing = self._passes(Chosen(banks=chosen.banks))
        month, cards = self._month[passing], self.cards[passing]
        unknown = month == _NO_MONTH
        before, after = ~unknown & (month < first), month >= first + months
        return int(cards[before].sum()), int(cards[after].sum()), int(cards[unknown].sum())

    def grid(self, first: int, months: int) -> Grid:
        """Count the cards of every bank in each of some months, numbered from `first`."""
        place = self._month - first
        inside = (place >= 0) & (place < months) & (self._month != _NO_MONTH)
        size = len(self.banks) * months
        cell = self._bank[inside].astype(np.int64) * months + place[inside]
        flat = np.bincount(cell, self.cards[inside], minlength=size).astype(np.int64)
        counts = flat.reshape(len(self.banks), months)
        of_bank = counts.sum(axis=1)
        ranked = [at for at in np.argsort(-of_bank, kind="stable") if of_bank[at] and at]
        if of_bank[0]:
            ranked.append(0)
        return Grid(
            [self.banks[at] for at in ranked],
            [month_text(first + at) for at in range(months)],
            counts[ranked],
        )

    def _passes(self, chosen: Chosen) -> Codes:
        passing = np.ones(len(self.cards), bool)
        if chosen.banks:
            passing &= np.array([bank in chosen.banks for bank in self.banks])[self._bank]
        if chosen.months:
            wanted = {int(text[:4]) * 12 + int(text[5:]) - 1 for text in chosen.months}
            passing &= np.isin(self._month, list(wanted))
        return passing
