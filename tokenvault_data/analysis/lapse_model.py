"""How many scheduled expiries become lapses, learnt from past steps; pure numbers, no tables.

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

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenvault_data.analysis.lapse_history import Step

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


def fit(steps: Sequence[Step], leads: int) -> LapseModel | None:
    """Learn from past steps.

    A step over several months counts for each lead it passed, with the same survival in each.

    Parameters
    ----------
    steps : sequence of Step
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


def _passed(step: Step) -> range:
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
