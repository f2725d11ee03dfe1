"""Charts of what changed between snapshots: by kind, by bank, and over a series of comparisons."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tokenvault_data.errors import UsageError
from tokenvault_data.reports.charts import captions as findings
from tokenvault_data.reports.charts.drawing import Bar, rows_of_bars
from tokenvault_data.reports.charts.grid import grid_chart
from tokenvault_data.reports.charts.rendered import Chart
from tokenvault_data.reports.charts.style import ACCENT, MAIN, WIDE_FROM, WIDTH
from tokenvault_data.reports.charts.tables import (
    alt_text,
    bar_colours,
    bar_label,
    checked_lines,
    length,
    said,
)
from tokenvault_data.reports.labels import name_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd


def changes_bars(summary: pd.DataFrame, *, about: str = "", width: int = WIDTH) -> Chart:
    """Draw how many cards came, went, changed and stayed between two snapshots.

    Parameters
    ----------
    summary : pandas.DataFrame
        Columns ``what``, ``cards`` and ``share``: the summary that `compare` returns.
    about, width
        As in `charts.bars`.

    Raises
    ------
    UsageError
        As `charts.bars`.
    """
    groups = checked_lines(summary, "what", "share")
    drawn = [
        Bar(
            place=place,
            name=name_of("what", group["what"]),
            label=bar_label(group),
            said=said(name_of("what", group["what"]), group),
            cards=length(group),
            **bar_colours(group["what"], ACCENT if group["what"] == "gone" else MAIN),
        )
        for place, group in enumerate(groups)
    ]
    body, padding = rows_of_bars(drawn, width)
    title = findings.changes(groups)
    return Chart(
        title,
        findings.counted("Cards by what became of them", about),
        alt_text(title, drawn),
        body,
        padding,
    )


def changes_by_bank(table: pd.DataFrame, *, about: str = "", width: int = WIDTH) -> Chart:
    """Draw how many cards of each bank came, went and changed.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``kind``, ``bank`` and ``cards``, null where hidden: what
        `Comparison.by` returns for ``bank``.
    about, width
        As in `charts.bars`.

    Raises
    ------
    UsageError
        As `charts.bars`.
    """
    lines = checked_lines(table, "kind", "bank")
    kinds = list(dict.fromkeys(str(line["kind"]) for line in lines))
    return grid_chart(
        findings.changes_of_banks(lines),
        findings.counted("Cards by bank and by what became of them", about),
        rows=[(bank, name_of("bank", bank)) for bank in findings.heaviest_first(lines, "bank")],
        columns=[
            (kind, name_of("kind", kind), name_of("kind", kind).replace(" ", "\n"))
            for kind in kinds
        ],
        cells=[(line["bank"], str(line["kind"]), line) for line in lines],
        width=width,
    )


def changes_over_time(
    summaries: Sequence[tuple[str, Mapping[str, int]]], *, about: str = "", width: int = WIDTH
) -> Chart:
    """Draw kinds of changes, one row each, over a series of comparisons.

    Parameters
    ----------
    summaries : sequence of (str, mapping of str to int)
        A label, such as a day, and the number of cards by kind of change; in order of time.
    about, width
        As in `charts.bars`.

    Raises
    ------
    UsageError
        There is nothing to draw.
    """
    kinds = list(dict.fromkeys(itertools.chain.from_iterable(counts for _, counts in summaries)))
    if not kinds:
        raise UsageError("There are no changes to draw; nothing was drawn; compare two snapshots.")
    places = range(len(summaries))
    title = findings.over_time(summaries)
    return grid_chart(
        title,
        findings.counted("Cards by what became of them", about),
        rows=[(kind, name_of("what", kind)) for kind in kinds],
        columns=[
            (place, name_of("label", summaries[place][0]), _short(summaries, place, width))
            for place in places
        ],
        cells=[
            (kind, place, {"cards": int(cards)})
            for place in places
            for kind, cards in summaries[place][1].items()
        ],
        width=width,
    )


def _short(summaries: Sequence[tuple[str, Mapping[str, int]]], place: int, width: int) -> str:
    room = max(4, int(width / max(len(summaries), 1) / (9 if width >= WIDE_FROM else 7)))
    return name_of("label", summaries[place][0][: room + 1])[:room]
