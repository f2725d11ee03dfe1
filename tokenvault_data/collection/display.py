"""Progress where there is somebody to see it: in a terminal, in a notebook, nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tokenvault_data.collection.progress import Progress, Report, silent

if TYPE_CHECKING:
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
    elif sys.stderr.isatty():
        with _terminal_report() as report:
            yield report
    else:
        yield silent


def describe(progress: Progress) -> str:
    """Say in one line how the collection is doing."""
    if progress.phase == "publishing":
        return "publishing"
    if progress.phase == "out_of_reach":
        return f"the vault has been out of reach for {_duration(progress.out_for_seconds)}; trying on"
    said = [f"{progress.cards:,} cards"]
    if progress.failed:
        said.append(f"{progress.failed:,} failed")
    said.append(_pace(progress))
    if progress.seconds_left is not None and progress.phase == "collecting":
        said.append(f"{_duration(progress.seconds_left)} left")
    return ", ".join(said)


def _pace(progress: Progress) -> str:
    pace = f"{progress.customers_per_minute:,.0f} customers/min"
    limit = progress.budget.limit_per_minute if progress.budget else None
    if progress.budget is None or limit is None:
        return pace
    return f"{pace} (limit {limit:,.0f}/min, share {progress.budget.share:.0%})"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


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
    return type(shell).__name__ == "ZMQInteractiveShell"


def _notebook_report() -> Report:
    """A widget where ipywidgets is installed, else a line of text that is updated in place."""
    from IPython.display import display

    try:
        import ipywidgets
    except ImportError:
        line = display({"text/plain": "starting"}, raw=True, display_id=True)

        def report_as_text(progress: Progress) -> None:
            line.update({"text/plain": _as_text(progress)}, raw=True)

        return report_as_text
    bar: Any = ipywidgets.IntProgress(layout=ipywidgets.Layout(width="16em"))
    text: Any = ipywidgets.Label("starting")
    display(ipywidgets.HBox([bar, text]))

    def report_as_widget(progress: Progress) -> None:
        bar.max, bar.value = progress.requested, progress.done
        text.value = _as_text(progress)

    return report_as_widget


def _as_text(progress: Progress) -> str:
    return f"{progress.done:,} of {progress.requested:,} customers: {describe(progress)}"
