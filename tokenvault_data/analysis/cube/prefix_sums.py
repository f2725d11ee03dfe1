"""The cells of a cube as slabs of one expiry month each, added up along the months.

A *combination* is what occurs together in all dimensions but the expiry. The cards of every
combination in any range of months are then one subtraction: of the sums up to the two ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tokenvault_data.analysis.cube.counts import count_cards, group_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenvault_data.analysis.cube.cells import Cells, Codes
    from tokenvault_data.analysis.cube.counts import Coded

MOST_ENTRIES = 75_000_000
"""Sums held at most, 300 MB; a cube with more is counted from its cells, which takes longer."""

_FEW = 4


class Slabs:
    """Cards by combination and month.

    Parameters
    ----------
    cells : Cells
    dimensions : sequence of Coded
        All but the expiry.
    months : Coded or None
        The expiry; None to leave it out, and then there is one slab.
    most_entries : int
        Hold the sums along the months only if they are no more than this.

    Attributes
    ----------
    codes : tuple of numpy.ndarray
        By dimension, the code of each combination.
    combinations, slots : int
        How many combinations there are, and how many slabs: slab 0 holds unknown expiry.
    """

    def __init__(
        self,
        cells: Cells,
        dimensions: Sequence[Coded],
        months: Coded | None,
        *,
        most_entries: int = MOST_ENTRIES,
    ) -> None:
        grouped = [*dimensions] if months is None else [*dimensions, months]
        grouping = group_cells(grouped, None, cells.count)
        keys = grouping.keys[: len(dimensions)]
        self._cards = count_cards(cells, grouping)
        new = np.zeros(grouping.count, bool)
        new[:1] = True
        for key in keys:
            new[1:] |= key[1:] != key[:-1]
        starts = np.flatnonzero(new)
        self.codes = tuple(key[starts] for key in keys)
        self.combinations = len(starts)
        self._starts = np.append(starts, grouping.count)
        self._combination = (np.cumsum(new) - 1).astype(np.int32)
        if months is None:
            self.slots = 1
            self._slot = np.zeros(grouping.count, np.uint8)
        else:
            self.slots = len(months.values) + 1
            self._slot = grouping.keys[-1]
        fits = (self.slots + 1) * self.combinations <= most_entries
        self._sums = self._added_up() if fits else None

    @property
    def size_bytes(self) -> int:
        """Memory that the numbers take, in bytes."""
        sums = 0 if self._sums is None else self._sums.nbytes
        cells = self._cards.nbytes + self._combination.nbytes + self._slot.nbytes
        return sums + cells + self._starts.nbytes + sum(codes.nbytes for codes in self.codes)

    def within(self, wanted: Codes) -> Codes:
        """Return the cards of each combination in the slabs for which `wanted` is true."""
        edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
        if self._sums is not None:
            found = np.zeros(self.combinations, self._sums.dtype)
            for first, behind in edges.reshape(-1, 2):
                found += self._sums[behind] - self._sums[first]
            return found
        picked = wanted[self._slot]
        counted = np.bincount(
            self._combination[picked], self._cards[picked], minlength=self.combinations
        )
        return counted.astype(np.int64)

    def by_slot(self, selected: Codes) -> Codes:
        """Return the cards of each slab in the combinations for which `selected` is true."""
        chosen = np.flatnonzero(selected)
        if len(chosen) * _FEW < self.combinations:
            return self.by_slot_of(chosen)
        picked = selected[self._combination]
        return self._counted(self._slot[picked], self._cards[picked])

    def by_slot_of(self, chosen: Codes) -> Codes:
        """Return the cards of each slab in some combinations, given by number."""
        starts = self._starts[chosen]
        lengths = self._starts[chosen + 1] - starts
        behind = np.cumsum(lengths)
        cells = np.arange(behind[-1] if len(behind) else 0)
        cells += np.repeat(starts - behind + lengths, lengths)
        return self._counted(self._slot[cells], self._cards[cells])

    def _counted(self, slots: Codes, cards: Codes) -> Codes:
        return np.bincount(slots, cards, minlength=self.slots).astype(np.int64)

    def _added_up(self) -> Codes:
        """Return, by slab and combination, the cards of all slabs before it."""
        total = int(self._cards.sum())
        kind = np.int32 if total <= np.iinfo(np.int32).max else np.int64
        sums = np.zeros((self.slots + 1, self.combinations), kind)
        sums[self._slot.astype(np.int64) + 1, self._combination] = self._cards
        return np.cumsum(sums, axis=0, out=sums)
