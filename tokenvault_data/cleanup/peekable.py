"""An iterator of numbers that says whether it has come to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Peekable:
    """Numbers to take one by one; true while there are any."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._next = next(numbers, None)

    def __bool__(self) -> bool:
        return self._next is not None

    def take(self) -> int:
        """Take the next number."""
        taken = self._next
        if taken is None:
            raise IndexError("nothing is left")
        self._next = next(self._numbers, None)
        return taken
