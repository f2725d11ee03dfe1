"""Charts that are a grid: rows by columns, the number in every cell, its shade beneath."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from tokenvault_data.errors import UsageError
from tokenvault_data.reports.charts.drawing import NO_OUTLINE, Tile, grid
from tokenvault_data.reports.charts.rendered import Chart
from tokenvault_data.reports.charts.style import EXPIRED, PAPER, QUIET_INK, heat, ink_on
from tokenvault_data.reports.charts.tables import HIDDEN_LABEL, MOST_GROUPS, cards_said
from tokenvault_data.reports.labels import count, is_missing

if TYPE_CHECKING:
    from collections.abc import Sequence


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
