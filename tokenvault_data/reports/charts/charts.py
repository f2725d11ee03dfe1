"""Charts of the analysis' tables, in one visual language; aggregates only.

Each takes a table of counts and gives a `Chart`, whose title says what it finds and whose subtitle
says what is counted. Groups whose figures are hidden, which are null, keep their place, without a
length. Nothing known is left out: missing values are an outlined bar of their own, in the end.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.errors import UsageError
from tokenvault_data.reports.charts import captions as findings
from tokenvault_data.reports.charts.captions import (
    HIDDEN_LABEL,
    MOST_GROUPS,
    alt_text,
    bar_label,
    cards_said,
    checked_lines,
    length,
    month_label,
    said,
)
from tokenvault_data.reports.charts.drawing import (
    NO_OUTLINE,
    DrawnBar,
    Tile,
    columns_of_bars,
    grid,
    rows_of_bars,
)
from tokenvault_data.reports.charts.rendered import Chart
from tokenvault_data.reports.charts.style import (
    ACCENT,
    EXPIRED,
    MAIN,
    PAPER,
    QUIET_INK,
    WIDTH,
    bar_colours,
    heat,
    ink_on,
)
from tokenvault_data.reports.labels import count, day, is_missing, month_name, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import pandas as pd


def grid_chart(
    title: str,
    subtitle: str,
    *,
    rows: Sequence[tuple[Any, str]],
    columns: Sequence[tuple[Any, str, str]],
    cells: Sequence[tuple[Any, Any, dict[str, Any]]],
    width: int,
) -> Chart:
    """Draw a grid of `cells` (row, column, figures); empty ones have no cards."""
    if len(rows) > MOST_GROUPS or len(columns) > MOST_GROUPS:
        raise UsageError(
            f"A chart shows at most {MOST_GROUPS} by {MOST_GROUPS} groups; nothing was drawn; ask"
            " for the top ones only."
        )
    figures = {(None if is_missing(row) else row, column): line for row, column, line in cells}
    most = max((line["cards"] or 0 for line in figures.values()), default=0) or 1
    tiles = []
    for (i, (row, row_name)), (j, (column, column_name, _)) in itertools.product(
        enumerate(rows), enumerate(columns)
    ):
        line = figures.get((row, column), {"cards": 0})
        cards = line["cards"]
        fill = heat((cards / most) ** 0.7) if cards else PAPER
        tiles.append(
            Tile(
                row=i,
                column=j,
                label=HIDDEN_LABEL if cards is None else count(cards),
                said=f"{row_name}, {column_name}: {cards_said(line)}",
                cards=cards,
                fill=fill,
                ink=ink_on(fill) if cards else QUIET_INK,
                outline=EXPIRED if cards is None else NO_OUTLINE,
            )
        )
    body, padding = grid(tiles, [name for _, name in rows], [label for *_, label in columns], width)
    top = sorted((tile for tile in tiles if tile.cards), key=lambda tile: -(tile.cards or 0))[:5]
    hides = any(tile.cards is None for tile in tiles)
    largest = "Largest cells that are shown" if hides else "Largest cells"
    description = f"{title}. {largest}: {'; '.join(tile.said for tile in top)}."
    return Chart(title, subtitle, description if top else f"{title}.", body, padding)


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
        DrawnBar(
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
        findings.subtitle_of("Cards by what became of them", about),
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
        findings.subtitle_of("Cards by bank and by what became of them", about),
        rows=[(bank, name_of("bank", bank)) for bank in findings.heaviest_first(lines, "bank")],
        columns=[
            (kind, name_of("kind", kind), name_of("kind", kind).replace(" ", "\n"))
            for kind in kinds
        ],
        cells=[(line["bank"], str(line["kind"]), line) for line in lines],
        width=width,
    )


_BUCKET_NAMES: Final = {"expired": "already expired", "later": "later"}


def bars(table: pd.DataFrame, column: str, *, about: str = "", width: int = WIDTH) -> Chart:
    """Draw how cards divide by one column, most first, the missing last.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns `column`, ``cards``, ``share`` and, if known, ``customers``: what
        `breakdown` or `small_groups.fold_small` returns.
    column : str
        ``card_network``, ``bank``, ``card_type``, ``card_country``, ``instrument_status`` or any
        other that holds names.
    about : str
        What was counted, for the subtitle: snapshot and day.
    width : int
        Pixels.

    Raises
    ------
    UsageError
        The table lacks a column, holds ids, or more groups than a chart can show.
    """
    groups = checked_lines(table, column, "share")
    groups.sort(key=lambda group: (findings.rank(group[column]), -(group["cards"] or 0)))
    drawn = [
        DrawnBar(
            place=place,
            name=name_of(column, group[column]),
            label=bar_label(group),
            said=said(name_of(column, group[column]), group),
            cards=length(group),
            **bar_colours(group[column]),
        )
        for place, group in enumerate(groups)
    ]
    body, padding = rows_of_bars(drawn, width)
    title = findings.leading(groups, column)
    return Chart(
        title,
        findings.subtitle_of("Cards and their share", about),
        alt_text(title, drawn),
        body,
        padding,
    )


def outlook_bars(table: pd.DataFrame, *, about: str = "", width: int = WIDTH) -> Chart:
    """Draw how many cards have expired and how many will, by the time left.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``bucket``, ``cards``, ``share`` and, if known, ``active_cards``: what
        `expiry_outlook` returns, in its order.
    about, width
        As in `bars`.

    Raises
    ------
    UsageError
        As `bars`.
    """
    groups = checked_lines(table, "bucket", "share")
    drawn = []
    for place, group in enumerate(groups):
        if group["bucket"] == "unknown":
            group["bucket"] = None
        bucket = group["bucket"]
        name = (
            "expiry not known"
            if bucket is None
            else name_of("bucket", _BUCKET_NAMES.get(bucket, bucket))
        )
        drawn.append(
            DrawnBar(
                place=place,
                name=name,
                label=bar_label(group),
                said=said(name, group),
                cards=length(group),
                **bar_colours(bucket, EXPIRED if bucket == "expired" else MAIN),
            )
        )
    body, padding = rows_of_bars(drawn, width)
    title = findings.outlook(groups)
    return Chart(
        title,
        findings.subtitle_of("Cards by days left", about),
        alt_text(title, drawn),
        body,
        padding,
    )


def expiry_calendar_bars(
    table: pd.DataFrame, *, as_of: date | None = None, about: str = "", width: int = WIDTH
) -> Chart:
    """Draw how many cards expire in each month.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``expiry`` (``YYYY-MM``) and ``cards``: what `expiry_calendar` returns. Lines of one
        month are added up, lines without a month are not in the calendar.
    as_of : date, optional
        A line stands between the months that are over on this day and those that are not.
    about, width
        As in `bars`.

    Raises
    ------
    UsageError
        As `bars`.
    """
    lines = [line for line in checked_lines(table, "expiry") if not is_missing(line["expiry"])]
    months: dict[str, dict[str, Any]] = {}
    for line in sorted(lines, key=lambda line: str(line["expiry"])):
        month = months.setdefault(str(line["expiry"]), {"cards": 0})
        if line["cards"] is None:
            month["cards"] = None
        elif month["cards"] is not None:
            month["cards"] += line["cards"]
    current = None if as_of is None else f"{as_of:%Y-%m}"
    drawn = [
        DrawnBar(
            place=place,
            name=month_label(month, place),
            label=HIDDEN_LABEL if group["cards"] is None else count(group["cards"]),
            said=f"{month_name(month)}: {cards_said(group)}",
            cards=length(group),
            fill=EXPIRED if current is not None and month < current else MAIN,
        )
        for place, (month, group) in enumerate(months.items())
    ]
    border = None if current is None else sum(month < current for month in months)
    over = border is not None and 0 < border <= len(months)
    label = "" if as_of is None else f"over on {day(as_of)}"
    body, padding = columns_of_bars(
        drawn, width, border=border if over else None, border_label=label
    )
    title = findings.calendar(months, current)
    subtitle = findings.subtitle_of("Cards by the month they are valid through", about)
    return Chart(title, subtitle, alt_text(title, drawn), body, padding)


def bank_month_heatmap(table: pd.DataFrame, *, about: str = "", width: int = WIDTH) -> Chart:
    """Draw how many cards of each bank expire in each month, the number in every cell.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``bank``, ``expiry`` and ``cards``, null where hidden.
    about, width
        As in `bars`.

    Raises
    ------
    UsageError
        As `bars`.
    """
    lines = [
        line for line in checked_lines(table, "bank", "expiry") if not is_missing(line["expiry"])
    ]
    title = findings.heat_map(lines)
    subtitle = findings.subtitle_of("Cards by bank and the month they are valid through", about)
    months = sorted({str(line["expiry"]) for line in lines})
    banks = findings.heaviest_first(lines, "bank")
    return grid_chart(
        title,
        subtitle,
        rows=[(bank, name_of("bank", bank)) for bank in banks],
        columns=[
            (month, month_name(month), month_label(month, place))
            for place, month in enumerate(months)
        ],
        cells=[(line["bank"], str(line["expiry"]), line) for line in lines],
        width=width,
    )
