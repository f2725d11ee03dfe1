"""The two drawings that all charts are: rows of bars beside names, and grids of columns or cells.

Both take rows that are decided already: names, labels and colours are values of the data, so no
text of a table ever becomes part of a specification.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.reports.charts.rendered import missing_part
from tokenvault_data.reports.charts.style import (
    BAR_STEP,
    FONT,
    INK,
    PAPER,
    QUIET_INK,
    RULE,
    WIDE_FROM,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Padding = tuple[int, int, int, int]

_NAMES_PX: Final = 190
_LABELS_PX: Final = 150
_NARROW_LABELS_PX: Final = 104
_WIDEST_CELL_PX: Final = 130
NO_OUTLINE: Final = "#ffffff00"


@dataclass(frozen=True, slots=True)
class DrawnBar:
    """One bar of a chart.

    Attributes
    ----------
    place : int
        From 0, top to bottom or left to right.
    name, label, said : str
        Beside it, at its end, and read aloud or shown on pointing.
    cards : int
        Its length.
    fill, outline : str
        Colours; an outline marks what is missing.
    """

    place: int
    name: str
    label: str
    said: str
    cards: int
    fill: str
    outline: str = NO_OUTLINE


@dataclass(frozen=True, slots=True)
class Tile:
    """One cell of a grid; as `DrawnBar`, in row and column."""

    row: int
    column: int
    label: str
    said: str
    cards: int | None
    fill: str
    ink: str
    outline: str = NO_OUTLINE


def rows_of_bars(bars: Sequence[DrawnBar], width: int) -> tuple[Any, Padding]:
    """Draw horizontal bars: names at the left, or above where it is narrow, labels at the end."""
    alt = _altair()
    wide = width >= WIDE_FROM
    left, right = (_NAMES_PX, _LABELS_PX) if wide else (0, _NARROW_LABELS_PX)
    step = BAR_STEP if wide else 46
    base = alt.Chart(_data(bars)).encode(
        y=alt.Y("place:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0)),
    )
    shift = 0 if wide else 9
    longest = max((bar.cards for bar in bars), default=0) or 1
    length = alt.X(
        "cards:Q", axis=None, stack=False, scale=alt.Scale(domain=[0, longest], zero=True)
    )
    marks = base.mark_bar(size=18, yOffset=shift, y2Offset=shift, strokeDash=[3, 2]).encode(
        x=length, **_look(alt)
    )
    labels = base.mark_text(align="left", dx=7, dy=shift, aria=False, color=INK).encode(
        x=length, text=alt.Text("label:N")
    )
    names = base.mark_text(
        align="right" if wide else "left",
        dy=0 if wide else -12,
        aria=False,
        color=INK,
        limit=left - 14 if wide else width,
    ).encode(x=alt.value(-12 if wide else 0), text=alt.Text("name:N"))
    layers = alt.layer(marks, labels, names)
    return _finished(layers, width - left - right, step * len(bars)), (left, right, 4, 4)


def columns_of_bars(
    bars: Sequence[DrawnBar], width: int, *, border: int | None, border_label: str
) -> tuple[Any, Padding]:
    """Draw vertical bars: labels above, names below.

    Parameters
    ----------
    bars : sequence of Bar
        A name may have two lines.
    width : int
        Pixels.
    border : int, optional
        Place before which a line stands.
    border_label : str
        What is written at that line.
    """
    alt = _altair()
    size = 12 if width >= WIDE_FROM else 10
    places = alt.X("place:O", axis=None, scale=alt.Scale(paddingInner=0.22, paddingOuter=0.11))
    highest = max((bar.cards for bar in bars), default=0) or 1
    height = alt.Y("cards:Q", axis=None, stack=False, scale=alt.Scale(domain=[0, highest * 1.02]))
    base = alt.Chart(_data(bars)).encode(x=places)
    marks = base.mark_bar(strokeDash=[3, 2]).encode(y=height, **_look(alt))
    labels = base.mark_text(dy=-8, aria=False, color=INK, fontSize=size).encode(
        y=height, text=alt.Text("label:N")
    )
    body_px = 190
    names = base.mark_text(
        dy=14, aria=False, color=QUIET_INK, fontSize=size, lineBreak="\n", lineHeight=size + 3
    ).encode(y=alt.value(body_px), text=alt.Text("name:N"))
    layers = [marks, labels, names, _floor(alt, width, body_px)]
    above = 18
    if border is not None:
        at = width * border / max(len(bars), 1)
        near_right = border > len(bars) / 2
        line = alt.Chart(_values([{"border_label": border_label}])).encode(x=alt.value(at))
        layers.append(
            line.mark_rule(color=INK, strokeDash=[2, 2], aria=False).encode(
                y=alt.value(-30), y2=alt.value(body_px)
            )
        )
        layers.append(
            line.mark_text(
                align="right" if near_right else "left",
                dx=-6 if near_right else 6,
                aria=False,
                color=INK,
                fontSize=size,
            ).encode(y=alt.value(-26), text=alt.Text("border_label:N"))
        )
        above = 38
    return _finished(alt.layer(*layers), width, body_px), (0, 0, above, 38)


def grid(
    tiles: Sequence[Tile], rows: Sequence[str], columns: Sequence[str], width: int
) -> tuple[Any, Padding]:
    """Draw a grid of cells with a number in each, names at the left and above."""
    alt = _altair()
    wide = width >= WIDE_FROM
    left, step, size = (_NAMES_PX, 28, 12) if wide else (96, 26, 9)
    body_px = min(width - left, _WIDEST_CELL_PX * len(columns))
    bands = alt.Scale(paddingInner=0.06, paddingOuter=0, domain=list(range(len(columns))))
    x = alt.X("column:O", axis=None, scale=bands)
    y = alt.Y(
        "row:O",
        axis=None,
        scale=alt.Scale(paddingInner=0.08, paddingOuter=0, domain=list(range(len(rows)))),
    )
    base = alt.Chart(_data(tiles)).encode(x=x, y=y)
    cells = base.mark_rect(strokeDash=[2, 2]).encode(**_look(alt))
    numbers = base.mark_text(aria=False, fontSize=size).encode(
        text=alt.Text("label:N"), color=alt.Color("ink:N", scale=None)
    )
    side = alt.Chart(_values([{"row": i, "name": name} for i, name in enumerate(rows)]))
    row_names = side.mark_text(
        align="right", aria=False, color=INK, fontSize=size + 1, limit=left - 12
    ).encode(x=alt.value(-10), y=y, text=alt.Text("name:N"))
    top = alt.Chart(_values([{"column": i, "name": name} for i, name in enumerate(columns)]))
    column_names = top.mark_text(
        aria=False,
        color=QUIET_INK,
        fontSize=size,
        lineBreak="\n",
        lineHeight=size + 3,
        baseline="line-top",
    ).encode(x=x, y=alt.value(-2 * (size + 3) - 4), text=alt.Text("name:N"))
    layers = alt.layer(cells, numbers, row_names, column_names)
    return (
        _finished(layers, body_px, step * len(rows)),
        (left, width - left - body_px, 2 * (size + 3) + 8, 4),
    )


def _look(alt: Any) -> dict[str, Any]:
    return {
        "fill": alt.Fill("fill:N", scale=None),
        "stroke": alt.Stroke("outline:N", scale=None),
        "tooltip": alt.Tooltip("said:N"),
        "description": alt.Description("said:N"),
    }


def _floor(alt: Any, width: int, body_px: int) -> Any:
    line = alt.Chart(_values([{}])).mark_rule(color=RULE, aria=False)
    return line.encode(x=alt.value(0), x2=alt.value(width), y=alt.value(body_px))


def _finished(layers: Any, width: int, height: int) -> Any:
    alt = _altair()
    return layers.properties(
        width=width, height=height, autosize=alt.AutoSizeParams(type="none"), background=PAPER
    ).configure(
        font=FONT,
        view=alt.ViewConfig(stroke=None),
        text=alt.MarkConfig(fontSize=13, baseline="middle"),
    )


def _data(marks: Sequence[DrawnBar] | Sequence[Tile]) -> Any:
    return _values([asdict(mark) for mark in marks])


def _values(rows: list[dict[str, Any]]) -> Any:
    return _altair().InlineData(values=rows)


def _altair() -> Any:
    try:
        import altair as alt
    except ImportError:
        raise missing_part() from None
    return alt
