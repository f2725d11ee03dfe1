"""Telling refused credentials from a customer that is refused. No I/O.

A 401 or 403 is about the account, or about the customer asked for: a gateway that dislikes an id.
It waits here until one of two things is known. An answer to somebody asked *after* it shows that
the account is in order: the customer is asked once more, and a second refusal is its own. Where a
control was refused meanwhile, nobody was answered, and the first refusal does not count. Such an
answer mostly comes by itself; when too many refusals wait, a control is asked: a customer that was
answered before. Where the controls are refused as well, and `MOST_IN_ROW` refusals came with no
answer between, it is the account.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from tokenvault_data.collection.outage import Unconfirmed

T = TypeVar("T")

MOST_IN_ROW: Final = 8
"""So many customers refused in a row are no coincidence, where nobody is answered."""

MOST_IN_ROW_AT_BEST: Final = 64
"""The same where the vault still answers the question for the cards of nobody."""


@dataclass(slots=True)
class RefusedCredentials(Generic[T]):
    """Whether credentials were refused or customers: the refused, while that is not known.

    Attributes
    ----------
    waiting : list of (int, T)
        Each with how many questions had been asked when it was refused.
    most_in_row : int
        How many refusals in a row prove that it is the account.
    controls_refused : int
        How many were refused since somebody was answered that had been answered before.
    """

    waiting: list[tuple[int, T]] = field(default_factory=list)
    most_in_row: int = MOST_IN_ROW
    controls_refused: int = 0
    _tolerated: int = 1
    _is_pressed: bool = False

    def refused(self, customer: T, asked: int) -> None:
        """Note a customer that was refused, and how many questions had been asked by then."""
        self.waiting.append((asked, customer))

    def control_refused(self) -> None:
        """Note that a customer was refused that had been answered before."""
        self.controls_refused += 1

    def answered(self, number: int) -> Unconfirmed[T]:
        """Note that question `number`, counted from 1, was answered; gives those it clears up."""
        proven = [customer for asked, customer in self.waiting if asked < number]
        innocent = self.controls_refused > 0
        if proven and self.is_due:  # it took a control: next time more may wait for one
            self._tolerated = min(MOST_IN_ROW, 2 * self._tolerated)
        if proven or not self.waiting:
            self.controls_refused = 0
            self.most_in_row = MOST_IN_ROW
        self.waiting = [one for one in self.waiting if one[0] >= number]
        if not self.waiting:
            self._is_pressed = False
        return Unconfirmed(proven, innocent)

    def press(self) -> None:
        """Have what waits cleared up now: nobody is asked any more who could do it."""
        self._is_pressed = bool(self.waiting)

    @property
    def is_due(self) -> bool:
        """Whether a control has to be asked before anybody else is."""
        return self._is_pressed or len(self.waiting) >= self._tolerated

    @property
    def in_row(self) -> int:
        """How many were refused, controls included, since somebody was answered."""
        return len(self.waiting) + self.controls_refused
