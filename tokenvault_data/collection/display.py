"""Progress where there is somebody to see it, in a terminal or a notebook; else long waits only."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tokenvault_data.collection.plain_lines import PlainLines, wait_sentence
from tokenvault_data.collection.progress import Progress, Report, in_words, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import TaskID


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
