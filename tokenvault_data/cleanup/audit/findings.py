"""What an audit has found: sentences, of which a fault that repeats itself gives only the first."""

from __future__ import annotations

from collections import Counter
from typing import Final

MOST_OF_A_KIND: Final = 5
"""Sentences of one kind that are given in full; the others are counted."""


class Findings:
    """Collects sentences by kind, in the order in which they were found."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._kinds: Counter[str] = Counter()

    def add(self, kind: str, sentence: str) -> None:
        """Add one sentence.

        Parameters
        ----------
        kind : str
            What sort of fault it is, in words that follow a number.
        sentence : str
            Which file and which row of it, and what is wrong there.
        """
        self._kinds[kind] += 1
        if self._kinds[kind] <= MOST_OF_A_KIND:
            self._sentences.append(shown(sentence))

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of them, and how many more there are of a kind."""
        more = [
            f"{count - MOST_OF_A_KIND:,} more {kind}"
            for kind, count in self._kinds.items()
            if count > MOST_OF_A_KIND
        ]
        return (*self._sentences, *more)


def shown(text: str) -> str:
    """Return a text as a terminal may show it: what was tampered with may hold any sign."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
