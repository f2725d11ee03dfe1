"""What is worth a line where no display is redrawn: long waits, and what the pace follows from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenvault_data.collection.progress import in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenvault_data.client.pacing.budget import Budget
    from tokenvault_data.collection.progress import Progress

LONG_SECONDS = 20.0
_AGAIN_SECONDS = 300.0
_OTHER_RATE = 0.05


class PlainLines:
    """Write a line when something begins that a reader of a log would wonder about.

    Parameters
    ----------
    write : callable
        Gets each line, without its end.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._said: dict[str, float] = {}
        self._found = 0.0
        self._share: float | None = None

    def __call__(self, progress: Progress) -> None:
        """Take in how a collection is doing."""
        now = progress.elapsed_seconds
        if progress.out_for_seconds >= LONG_SECONDS:
            out_for = in_words(progress.out_for_seconds)
            self._say("out", now, f"the vault has been out of reach for {out_for}; trying on")
        else:
            self._said.pop("out", None)
        if progress.budget is not None and progress.phase == "collecting":
            self._say_of(progress.budget, now)

    def _say_of(self, budget: Budget, now: float) -> None:
        wait = wait_sentence(budget)
        if wait is not None:
            self._say("wait", now, wait)
        elif budget.waiting_for is None:
            self._said.pop("wait", None)
        if budget.is_searching and "search" not in self._said:
            self._say("search", now, search_sentence(budget))
        found = budget.found_per_minute or 0.0
        if abs(found - self._found) > _OTHER_RATE * self._found:
            self._found = found
            if found:
                self._write(found_sentence(budget))
        share = budget.share_now or budget.share
        if share != self._share:
            if share < budget.share or self._share is not None:
                self._write(share_sentence(budget))
            self._share = share

    def _say(self, what: str, now: float, line: str) -> None:
        if now - self._said.get(what, -_AGAIN_SECONDS) >= _AGAIN_SECONDS:
            self._said[what] = now
            self._write(line)


def wait_sentence(budget: Budget) -> str | None:
    """Say why nothing is sent for long; None where it is not long."""
    if budget.waiting_for is None or budget.waiting_seconds < LONG_SECONDS:
        return None
    line = f"waiting {in_words(budget.waiting_seconds)}: {budget.waiting_for}"
    if budget.refused_seconds >= 1.0:
        line += f"; nothing was answered but 429 for {in_words(budget.refused_seconds)}"
    return line


def search_sentence(budget: Budget) -> str:
    """Say that the rate is searched for, and how to spare that."""
    return (
        f"the vault tells no rate limit; searching for it from {budget.rate_per_minute or 0:.0f}"
        " requests a minute, at most a tenth more each minute (a rate given with --rate, or"
        " rate_per_minute, skips that)"
    )


def found_sentence(budget: Budget) -> str:
    """Say what a refusal has shown."""
    return (
        f"a refusal has shown a limit of about {budget.found_per_minute or 0:.0f} requests a"
        f" minute; going on at {budget.rate_per_minute or 0:.0f} a minute"
    )


def share_sentence(budget: Budget) -> str:
    """Say which part of the account's limit is this client's."""
    if budget.share_now >= budget.share:
        return f"alone on this account again: {budget.share_now:.0%} of its rate limit is used"
    return (
        "your other commands or notebooks are at work on this account, too:"
        f" {budget.share_now:.0%} of its rate limit is used"
    )
