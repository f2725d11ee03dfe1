"""Rows in aligned columns, as wide as their place allows. No output of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

GAP = "  "
NARROWEST = 12  # signs that a shortened column keeps


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a grid.

    Attributes
    ----------
    cells : tuple of str
        Printable, one line each.
    style : str
        How a terminal shows the line: ``bold``, ``dim``, ``red`` and so on; empty for plain.
    """

    cells: tuple[str, ...]
    style: str = ""


def lay_out(
    rows: Sequence[Row], *, right: Collection[int] = (), shrinks: int = 0, width: int | None = None
) -> Iterator[tuple[str, str]]:
    """Align rows.

    Parameters
    ----------
    rows : sequence of Row
        All with the same number of cells.
    right : collection of int
        Columns that are aligned at their right side.
    shrinks : int
        The column whose cells are shortened where the place is too narrow.
    width : int, optional
        Signs in a line; any number without it.

    Yields
    ------
    tuple of str, str
        A line without spaces at its end, and its style.
    """
    from rich.cells import cell_len

    widths = [max(map(cell_len, cells)) for cells in zip(*(row.cells for row in rows), strict=True)]
    if width is not None:
        excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
        if excess > 0:
            widths[shrinks] = max(min(NARROWEST, widths[shrinks]), widths[shrinks] - excess)
    for row in rows:
        cells = [
            _fitted(cell, widths[place], right=place in right)
            for place, cell in enumerate(row.cells)
        ]
        yield GAP.join(cells).rstrip(), row.style


def _fitted(cell: str, width: int, *, right: bool) -> str:
    from rich.cells import cell_len, set_cell_size

    missing = width - cell_len(cell)
    if missing < 0:
        return f"{set_cell_size(cell, width - 1)}…"
    return " " * missing + cell if right else cell + " " * missing
