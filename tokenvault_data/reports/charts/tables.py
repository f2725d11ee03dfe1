"""Lines of tables of counts as charts take them, and what is written and said of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.dataset.labels import ALL_GROUPS, value_text
from tokenvault_data.dataset.masked_ids import is_identifying
from tokenvault_data.errors import UsageError
from tokenvault_data.reports.charts.captions import is_summed_up
from tokenvault_data.reports.charts.style import INK, MAIN, PALE, PAPER
from tokenvault_data.reports.labels import count, is_missing, month_name, percent
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from tokenvault_data.reports.charts.drawing import Bar

MOST_GROUPS: Final = 40
"""Bars, or rows or columns of a grid, that one chart holds."""

_FIGURES: Final = frozenset({"cards", "customers", "active_cards"})


_GRIDS: Final = frozenset({"expiry", "kind"})
"""Columns of tables with a line for each cell of a grid, whose size is checked as it is drawn."""


def checked_lines(table: pd.DataFrame, *needed: str) -> list[dict[str, Any]]:
    """Return the lines of a table of aggregates, figures as int or None."""
    ids = [str(name) for name in table.columns if is_identifying(str(name))]
    if ids:
        raise UsageError(
            f"A chart shows aggregates only, and the table holds {', '.join(ids)}; nothing was"
            " drawn; count it first, for instance with breakdown()."
        )
    missing = [name for name in (*needed, "cards") if name not in table.columns]
    if missing:
        raise UsageError(
            f"The table has no column {', '.join(missing)}; nothing was drawn; give a table of"
            " counts by one of the columns of a snapshot."
        )
    if not _GRIDS & set(needed) and len(table) > MOST_GROUPS:
        raise UsageError(
            f"A chart shows at most {MOST_GROUPS} groups and the table has {len(table):,}; nothing"
            " was drawn; ask for the top ones only."
        )
    lines: list[dict[str, Any]] = []
    has_labels = not table.attrs.get(ALL_GROUPS)
    for values in table.to_dict("records"):
        line: dict[str, Any] = {}
        for name, value in values.items():
            if name in _FIGURES:
                line[str(name)] = None if is_missing(value) else int(value)
            else:
                line[str(name)] = None if is_missing(value) else value
                if isinstance(value, str) and not has_labels:
                    line[str(name)] = value_text(value)
        lines.append(line)
    return lines


def length(group: Mapping[str, Any]) -> int:
    """Return the length of a group's bar: none where its figure is hidden."""
    return int(group["cards"] or 0)


HIDDEN_LABEL: Final = "\N{EN DASH}"
"""What a chart writes in place of a hidden figure."""


def bar_label(group: Mapping[str, Any]) -> str:
    """Return what is written at the end of a group's bar."""
    if group["cards"] is None:
        return HIDDEN_LABEL
    if is_missing(group["share"]):
        return count(group["cards"])
    return f"{count(group['cards'])} \N{MIDDLE DOT} {percent(group['share'])}"


def cards_said(group: Mapping[str, Any]) -> str:
    """Return the number of cards in words, or that it is hidden."""
    if group["cards"] is None:
        return "hidden"
    return f"{count(group['cards'])} {'card' if group['cards'] == 1 else 'cards'}"


def said(name: str, group: Mapping[str, Any]) -> str:
    """Return all figures of a group in words."""
    parts = [cards_said(group)]
    if group["cards"] is not None:
        share = group["share"]
        parts.append("share hidden" if is_missing(share) else percent(share))
    if group.get("customers") is not None:
        parts.append(counted(group["customers"], "customer"))
    if group.get("active_cards") is not None:
        parts.append(f"{count(group['active_cards'])} of them ACTIVE")
    return f"{name}: {', '.join(parts)}"


def month_label(month: str, place: int) -> str:
    """Return the month in three letters, and the year below where it begins."""
    name, _, year = month_name(month).partition(" ")
    return f"{name}\n{year}" if place == 0 or month.endswith("-01") else f"{name}\n "


def bar_colours(value: Any, fill: str = MAIN) -> dict[str, str]:
    """Return the look of a bar: outlined where missing, pale where summed up."""
    if is_missing(value):
        return {"fill": PAPER, "outline": INK}
    return {"fill": PALE if is_summed_up(value) else fill}


def alt_text(title: str, drawn: Sequence[Bar]) -> str:
    """Return a chart of bars in words."""
    return f"{title}. {'; '.join(bar.said for bar in drawn[:12])}."
