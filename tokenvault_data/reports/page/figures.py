"""Figures of a report: a chart drawn for wide and for narrow pages, and its numbers as a table.

The drawings stand inside the page as SVG, so that they show without scripts, sharp at any size and
in print. What the renderer adds for stand-alone files is taken away, names of parts are made unique
within the page, and what each mark says goes to ``data-said``, where a script finds it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from tokenvault_data.reports.charts.style import NARROW_WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenvault_data.reports.charts.rendered import Chart
    from tokenvault_data.reports.page.tables import NumberTable

FULL_WIDTH: Final = 980
HALF_WIDTH: Final = 470

_DROPPED_CLASSES: Final = frozenset({"background", "foreground"})
_KEPT: Final = frozenset(
    {
        *("d", "fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "transform"),
        *("text-anchor", "font-size", "font-weight", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy"),
        *("width", "height", "viewBox", "clip-path", "id"),
    }
)
_REFERENCE = re.compile(r"url\(#([\w-]+)\)")
_LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a report.

    Attributes
    ----------
    name : str
        Unique within the report; ids begin with it.
    chart : Chart
        Its title, subtitle and description are text of the page.
    wide, narrow : str
        The drawing as SVG elements.
    table : NumberTable
    is_full : bool
        Whether it is as wide as the page, not half as wide.
    notes : tuple of str
        Below the drawing, a sentence each.
    is_drawn : bool
        Whether there is anything to draw.
    """

    name: str
    chart: Chart
    wide: str
    narrow: str
    table: NumberTable
    is_full: bool
    notes: tuple[str, ...] = ()
    is_drawn: bool = True


def make_figure(
    name: str,
    draw: Callable[[int], Chart],
    table: NumberTable,
    *,
    is_full: bool = False,
    notes: tuple[str, ...] = (),
    is_drawn: bool = True,
) -> Figure:
    """Draw a figure.

    Parameters
    ----------
    name : str
    draw : callable
        From a width in pixels to the chart.
    table : NumberTable
    is_full : bool
    notes : tuple of str
        Empty ones are left out.
    is_drawn : bool
        False where a drawing would be an empty panel.
    """
    wide = draw(FULL_WIDTH if is_full else HALF_WIDTH)
    narrow = draw(NARROW_WIDTH)
    return Figure(
        name,
        wide,
        inline_svg(wide.to_svg(titled=False), f"{name}-wide"),
        inline_svg(narrow.to_svg(titled=False), f"{name}-narrow"),
        table,
        is_full,
        tuple(note for note in notes if note),
        is_drawn,
    )


def inline_svg(svg: str, name: str) -> str:
    """Return the inside of an ``svg`` element for a page, with its own ``svg`` element around.

    Parameters
    ----------
    svg : str
        As the renderer draws it.
    name : str
        What ids within begin with.
    """
    root = ET.fromstring(svg)  # noqa: S314  drawn by our own renderer a moment ago
    width, height = root.get("width", "0"), root.get("height", "0")
    _clean(root, name)
    root.attrib.clear()
    root.set("viewBox", f"0 0 {width} {height}")
    root.set("width", width)
    root.set("height", height)
    root.set("role", "img")
    root.set("aria-labelledby", f"{_figure_of(name)}-title")
    root.set("aria-describedby", f"{_figure_of(name)}-said")
    return ET.tostring(root, encoding="unicode")


def _figure_of(name: str) -> str:
    return name.rpartition("-")[0]


def _clean(element: ET.Element, name: str) -> None:
    element.tag = element.tag.rpartition("}")[2]
    for child in list(element):
        if child.get("class") in _DROPPED_CLASSES or child.get("display") == "none":
            element.remove(child)
        else:
            _clean(child, name)
    said = element.get("aria-label") if element.get("role") == "graphics-symbol" else None
    kept = {key: _value(key, value, name) for key, value in element.attrib.items() if key in _KEPT}
    element.attrib.clear()
    element.attrib.update(kept)
    if said is not None:
        element.set("data-said", said)


def _value(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key in {"d", "transform"}:
        return _LONG_NUMBER.sub(r"\1", value)
    return _REFERENCE.sub(lambda found: f"url(#{name}-{found[1]})", value)


def chart_of(draw: Callable[..., Chart], *arguments: Any, about: str) -> Callable[[int], Chart]:
    """Return a function from width to chart."""
    return lambda width: draw(*arguments, about=about, width=width)
