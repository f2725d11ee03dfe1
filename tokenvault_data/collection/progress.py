"""How far a collection is, as a value that any display can show."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import TaskID

    from tokenvault_data.client.pacing.governor import Budget


Phase = Literal["collecting", "out_of_reach", "publishing", "ended"]


@dataclass(frozen=True, slots=True)
class Progress:
    """A collection at one moment.

    Attributes
    ----------
    phase : {'collecting', 'out_of_reach', 'publishing', 'ended'}
    run_id : str
        By which the collection can be gone on with.
    requested : int
        Customers on the list.
    resumed : int
        Customers whose outcome an earlier session of the same run had found already.
    fetched, empty, failed : int
        Outcomes found in this session.
    cards : int
        Instruments received in this session.
    requests : int
        Sent for the outcomes of this session.
    elapsed_seconds : float
        Since this session began.
    customers_per_minute, requests_per_minute : float
        Over the last half minute.
    out_for_seconds : float
        How long the vault has been out of reach; 0 while it answers.
    budget : Budget or None
        The account's rate limit as known now; None before the client has started.
    """

    phase: Phase
    run_id: str
    requested: int
    resumed: int
    fetched: int
    empty: int
    failed: int
    cards: int
    requests: int
    elapsed_seconds: float
    customers_per_minute: float
    requests_per_minute: float
    out_for_seconds: float
    budget: Budget | None

    @property
    def done(self) -> int:
        """Customers with an outcome, those of earlier sessions included."""
        return self.resumed + self.fetched + self.empty + self.failed

    @property
    def seconds_left(self) -> float | None:
        """Time the rest takes at the present pace; None while the pace is not known."""
        if self.customers_per_minute <= 0:
            return None
        return (self.requested - self.done) / self.customers_per_minute * 60


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Show nothing."""


def in_words(seconds: float) -> str:
    """Write a length of time as people say it: ``1 min 05 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


@contextmanager
def report_for(progress: Report | bool | None) -> Iterator[Report]:
    """Give what to tell progress to: a caller's own, the one that fits the place, or silence."""
    if callable(progress):
        yield progress
    elif not progress:
        yield silent
    elif _in_notebook():
        yield _notebook_report()
    elif sys.stderr is not None and sys.stderr.isatty():  # None under pythonw
        with _terminal_report() as report:
            yield report
    elif sys.stderr is not None:
        yield PlainLines(_write_line)
    else:
        yield silent


def _write_line(line: str) -> None:
    with suppress(OSError):  # nobody may be left to tell
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def describe(progress: Progress) -> str:
    """Say in one line how the collection is doing."""
    if progress.phase == "publishing":
        return "publishing"
    if progress.phase == "out_of_reach":
        return (
            f"the vault has been out of reach for {in_words(progress.out_for_seconds)}; trying on"
        )
    said = [f"{progress.cards:,} cards"]
    if progress.failed:
        said.append(f"{progress.failed:,} failed")
    if progress.phase == "ended":
        said.append(f"{progress.requests:,} requests in {in_words(progress.elapsed_seconds)}")
        return ", ".join(said)
    if progress.seconds_left is not None:
        said.append(f"{in_words(progress.seconds_left)} left")
    said.append(_pace(progress))
    return ", ".join(said)


def _pace(progress: Progress) -> str:
    """Requests against what the account's budget allows us, as far as that is known."""
    made = f"{progress.requests:,} requests, {progress.requests_per_minute:,.0f}/min"
    budget = progress.budget
    if budget is None:
        return made
    if budget.limit_per_minute is not None:
        made = f"{made} of {(budget.share_now or budget.share) * budget.limit_per_minute:,.0f}"
    elif budget.is_searching:
        made = f"{made}, searching for the limit"
    wait = wait_sentence(budget)
    return made if wait is None else f"{made}, {wait}"


@contextmanager
def _terminal_report() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Bars(*columns, console=Console(stderr=True), refresh_per_second=4) as bars:
        task: TaskID = bars.add_task("starting", total=None)

        def report(progress: Progress) -> None:
            bars.update(
                task,
                total=progress.requested,
                completed=progress.done,
                description=describe(progress),
            )

        yield report


def _in_notebook() -> bool:
    """Whether this process is a Jupyter kernel; only then is IPython loaded already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    # By name and by inheritance: hosted notebooks have shells derived from Jupyter's.
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


def _notebook_report() -> Report:
    """A widget where ipywidgets is installed, else a line of text that is updated in place."""
    display: Any = import_module("IPython.display").display
    try:
        ipywidgets: Any = import_module("ipywidgets")
    except ImportError:
        line = display({"text/plain": "starting"}, raw=True, display_id=True)

        def report_as_text(progress: Progress) -> None:
            line.update({"text/plain": _as_text(progress)}, raw=True)

        return report_as_text
    bar = ipywidgets.IntProgress(layout=ipywidgets.Layout(width="16em"))
    text = ipywidgets.Label("starting")
    display(ipywidgets.HBox([bar, text]))

    def report_as_widget(progress: Progress) -> None:
        bar.max, bar.value = progress.requested, progress.done
        text.value = _as_text(progress)

    return report_as_widget


def _as_text(progress: Progress) -> str:
    return f"{progress.done:,} of {progress.requested:,} customers: {describe(progress)}"


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
