"""Counts as HTML without script: what a page shows where no kernel answers.

Every text is escaped. Lengths and shades come from numbers only.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tokenvault_data.dataset.tables import cells_of
from tokenvault_data.reports.charts.style import EXPIRED, MAIN, heat, ink_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenvault_data.dataset.tables import ResultTable

_LEFT, _RIGHT = "text-align:left", "text-align:right"


def bars_html(title: str, bars: Sequence[tuple[str, int]], *, past: int = 0) -> str:
    """Return named counts as a table with bars; the first `past` of them are over."""
    most = max((count for _, count in bars), default=0) or 1
    rows = (
        f"<tr><th scope='row' style='{_LEFT}'>{escape(name)}</th>"
        f"<td style='{_RIGHT}'>{count:,}</td><td style='{_LEFT};width:220px'>"
        f"<div style='height:10px;width:{200 * count / most:.0f}px;"
        f"background:{EXPIRED if place < past else MAIN}'></div></td></tr>"
        for place, (name, count) in enumerate(bars)
    )
    return f"<table><caption style='{_LEFT}'>{escape(title)}</caption>{''.join(rows)}</table>"


def grid_html(
    title: str, rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]]
) -> str:
    """Return counts by two dimensions as a table whose cells are shaded."""
    most = max((count for row in counts for count in row), default=0) or 1

    def cell(count: int) -> str:
        shade = heat((count / most) ** 0.7) if count else ""
        colours = f";background:{shade};color:{ink_on(shade)}" if count else ""
        return f"<td style='{_RIGHT}{colours}'>{count:,}</td>"

    head = "".join(f"<th scope='col' style='{_RIGHT}'>{escape(name)}</th>" for name in columns)
    lines = (
        f"<tr><th scope='row' style='{_LEFT}'>{escape(name)}</th>{''.join(map(cell, row))}</tr>"
        for name, row in zip(rows, counts, strict=True)
    )
    return (
        f"<table><caption style='{_LEFT}'>{escape(title)}</caption>"
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )


def rows_html(table: ResultTable | None, columns: Sequence[str], rows: int) -> str:
    """Return the first rows of a table, masked; a sentence where it is not there yet."""
    if table is None:
        return "<p>The list was not ready when this was shown.</p>"
    cells = cells_of(table.head(rows)[list(columns)])
    head = "".join(
        f"<th scope='col' style='{_RIGHT if one.right else _LEFT}'>{escape(one.name)}</th>"
        for one in cells
    )
    lines = "".join(
        "<tr>"
        + "".join(
            f"<td style='{_RIGHT if one.right else _LEFT}'>{escape(text)}</td>"
            for one, text in zip(cells, line, strict=True)
        )
        + "</tr>"
        for line in zip(*(one.cells for one in cells), strict=True)
    )
    size = f"The first {rows:,} of {len(table):,} rows." if len(table) > rows else ""
    notes = "".join(f"<br>{escape(note)}" for note in (size, *table.notes) if note)
    return (
        f"<div><strong>{escape(table.title)}</strong><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{lines}</tbody></table><small>{notes}</small></div>"
    )
