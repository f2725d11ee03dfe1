"""Drawing from a weighted choice with one list look-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


class DrawTable(Generic[T]):
    """A weighted choice, unrolled: every option stands in a list as often as it weighs.

    Parameters
    ----------
    weights
        Whole numbers, shares of their own sum.
    """

    __slots__ = ("_options",)

    def __init__(self, weights: Mapping[T, int]) -> None:
        self._options = [option for option, weight in weights.items() for _ in range(weight)]

    def pick(self, draw: int) -> T:
        """Take the option that `draw`, a large whole number spread evenly, falls on."""
        return self._options[draw % len(self._options)]
