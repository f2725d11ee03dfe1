"""Vaults that age by known rates, month by month, and the snapshots taken of them."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from analysis_cases import card, publish

START = 2024 * 12  # January 2024, in months


def moment(month, day=15, hour=6):
    """Return an instant of a month, numbered from `START`."""
    number = START + month
    return datetime(number // 12, number % 12 + 1, day, hour, tzinfo=UTC)


def text(month):
    """Return a month, numbered from `START`, as YYYY-MM."""
    number = START + month
    return f"{number // 12}-{number % 12 + 1:02d}"


class AgeingVault:
    """Cards with an expiry month each, some of which go or come every month.

    Parameters
    ----------
    seed : int
    cards_a_month : int
        Cards scheduled for each of the months at the beginning.
    months : int
        How many months have cards.
    leaves : callable of lead to float
        Probability that a card leaves its schedule in a month, by its lead.
    added : int
        New cards a month, each for a random month to come.
    """

    def __init__(self, seed, cards_a_month, months, leaves, added=0):
        self._random = random.Random(seed)
        self._leaves, self._added, self._months = leaves, added, months
        self._number = 0
        self.month = 0
        self.cards = {}
        for expiry in range(months):
            for _ in range(cards_a_month):
                self._save(expiry)

    def _save(self, expiry):
        self.cards[f"i{self._number}"] = (f"c{self._number % 50}", expiry)
        self._number += 1

    def pass_a_month(self):
        """Let one month go by."""
        for name, (customer, expiry) in list(self.cards.items()):
            lead = expiry - self.month
            if lead >= 0 and self._random.random() < self._leaves(lead):
                self.cards[name] = (customer, expiry + 48)
        for _ in range(self._added):
            self._save(self.month + self._random.randrange(self._months))
        self.month += 1

    def snapshot(self, store, *, day=15, failed=()):
        """Publish what is there now, as of a day of the month."""
        vault = {f"c{number}": [] for number in range(50)}
        for name, (customer, expiry) in self.cards.items():
            vault[customer].append(card(name, expires=text(expiry)))
        for customer in failed:
            del vault[customer]
        return publish(store, vault, failed=failed, now=moment(self.month, day))

    def history(self, store, snapshots, every=1):
        """Publish snapshots so many months apart."""
        taken = [self.snapshot(store)]
        for _ in range(snapshots - 1):
            for _ in range(every):
                self.pass_a_month()
            taken.append(self.snapshot(store))
        return taken
