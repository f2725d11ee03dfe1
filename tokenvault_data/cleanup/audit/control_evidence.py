"""When the control cards showed that the account was the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenvault_data.cleanup.audit.card_evidence import Sight


class ControlTrail:
    """The control reads of a journal, in spells.

    A spell ends when every control card in turn answered 404 with no good one between: the account
    was wrong, so that nothing seen gone in that spell is proven by a good read in a later one.

    Parameters
    ----------
    count : int
        Control cards of the plan.

    Attributes
    ----------
    spell : int
        Number of the present one.
    good, reads : int
        Good reads, and all.
    """

    def __init__(self, count: int) -> None:
        self._count = max(1, count)
        self._missing: set[int] = set()
        self._last_good: dict[int, int] = {}
        self.spell = 0
        self.good = 0
        self.reads = 0

    def take(self, seq: int, *, is_good: bool, status: int | None, index: int) -> None:
        """Add one control read."""
        self.reads += 1
        if is_good:
            self.good += 1
            self._missing.clear()
            self._last_good[self.spell] = seq
        elif status == 404:
            self._missing.add(index)
            if len(self._missing) >= self._count:
                self._missing.clear()
                self.spell += 1

    @property
    def last_good(self) -> int | None:
        """Number of the last good read of this spell."""
        return self._last_good.get(self.spell)

    def good_after(self, sight: Sight) -> int | None:
        """Number of a good read after a sight in the same spell, None where there is none."""
        last = self._last_good.get(sight.spell)
        return last if last is not None and last > sight.seq else None
