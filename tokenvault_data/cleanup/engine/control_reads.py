"""Control reads: a 404 is believed only between two fetches that show a card known to be there.

Otherwise the account is wrong, or the credentials lead somewhere else, and not the card gone. No
I/O: this keeps count of what waits for a read, and says when one is due and what it proves.
"""

from __future__ import annotations

from typing import Final, Literal

AT_MOST_ITEMS: Final = 50
AT_MOST_SECONDS: Final = 20.0

Sign = Literal["good", "bad", "unclear"]
"""What one control card showed: it is there and active, it is not, or nothing reliable."""


class Controls:
    """The control cards of a plan, and the items whose proof waits for one.

    Parameters
    ----------
    count : int
        How many control cards there are, at least 1.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._turn = 0
        self._bad: set[int] = set()
        self._waiting: dict[int, float] = {}
        self._is_good = False
        self._spell = 0

    @property
    def index(self) -> int:
        """The card to read now."""
        return self._turn % self._count

    @property
    def is_good(self) -> bool:
        """Whether the last round of reads found the account to be right."""
        return self._is_good

    @property
    def spell(self) -> int:
        """How often the account was found to be wrong."""
        return self._spell

    @property
    def waiting(self) -> tuple[int, ...]:
        """Items that were seen gone and wait for a read, in that order."""
        return tuple(self._waiting)

    def wait_for(self, number: int, now: float) -> None:
        """Let an item that was seen gone wait for the next good read."""
        self._waiting[number] = now

    def due_in(self, now: float) -> float | None:
        """Seconds until a read is due, None while nothing waits for one."""
        if not self._waiting:
            return None
        if len(self._waiting) >= AT_MOST_ITEMS:
            return 0.0
        oldest = next(iter(self._waiting.values()))
        return max(0.0, oldest + AT_MOST_SECONDS - now)

    def record(self, sign: Sign) -> Literal["proven", "next", "wrong_account", "later"]:
        """Record what the card at `index` showed.

        Returns
        -------
        {'proven', 'next', 'wrong_account', 'later'}
            ``proven``: what was seen gone before this read is gone. ``next``: read the next card,
            since this one may be gone for a reason of its own. ``wrong_account``: none is there.
            ``later``: nothing was learnt.
        """
        if sign == "unclear":
            return "later"
        if sign == "good":
            self._turn += 1
            self._bad.clear()
            self._is_good = True
            return "proven"
        self._bad.add(self.index)
        self._turn += 1
        if len(self._bad) < self._count:
            return "next"
        self._bad.clear()
        self._is_good = False
        self._spell += 1
        return "wrong_account"

    def settle(self, numbers: tuple[int, ...]) -> None:
        """Let items go that wait no more."""
        for number in numbers:
            self._waiting.pop(number, None)
