"""Bars that can be chosen by click or key: one dimension's counts, drawn in the browser.

Aggregates only travel to the page: labels once, and then the counts whenever a filter changes.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import anywidget
import traitlets as t


def script(name: str) -> str:
    """Return the JavaScript module of a widget, what all of them share in front of it."""
    return _text("dom.js") + _text(f"{name}.js")


def style(*names: str) -> str:
    """Return the style sheets of a widget behind the one that all share."""
    return "".join(_text(f"{name}.css") for name in ("theme", *names))


def _text(name: str) -> str:
    return files(__package__).joinpath("static", name).read_text("utf-8")


class Bars(anywidget.AnyWidget):
    """The values of one dimension as bars that are buttons.

    Attributes
    ----------
    title : str
    form : {'list', 'columns'}
        ``list`` has a name beside each bar; ``columns`` is for many values in an order, such as
        months, of which a stretch can be chosen by dragging or with Shift.
    labels : list of str
        One a bar, in their order.
    counts, compared : list of int
        What each bar stands for, and the same of another snapshot (empty: no comparison).
    total : int
        What shares are of.
    chosen : list of int
        0-based places of the chosen bars, ascending; set by the browser, or by Python.
    past : int
        So many of the first bars are drawn as past.
    missing : int
        Place of the bar that stands for missing values; -1 where there is none.
    most : int
        Bars of a list that are shown before "Show all".
    note : str
        A few words beside the title while nothing is chosen.
    unit : str
        What is counted.
    """

    _esm = script("bars")
    _css = style("bars")

    title = t.Unicode().tag(sync=True)
    form = t.Enum(["list", "columns"], default_value="list").tag(sync=True)
    labels = t.List(t.Unicode()).tag(sync=True)
    counts = t.List(t.Int()).tag(sync=True)
    compared = t.List(t.Int()).tag(sync=True)
    total = t.Int(0).tag(sync=True)
    chosen = t.List(t.Int()).tag(sync=True)
    past = t.Int(0).tag(sync=True)
    missing = t.Int(-1).tag(sync=True)
    most = t.Int(10).tag(sync=True)
    note = t.Unicode().tag(sync=True)
    unit = t.Unicode("cards").tag(sync=True)


class HeatMap(anywidget.AnyWidget):
    """Counts by two dimensions, of which a cell, a row or a column can be chosen.

    Attributes
    ----------
    title : str
    corner : str
        What the rows are.
    rows, columns : list of str
        Names, in their order.
    shorts : list of str
        What is written over each column; its two lines are apart by a space.
    counts : list of list of int
        By row, then column.
    totals : list of int
        By column, all rows together, those that are not shown included.
    chosen : dict
        ``rows`` and ``columns``: 0-based places of the chosen ones, ascending; set by the browser,
        or by Python.
    choosable : int
        So many of the first rows can be chosen; what follows sums up others.
    border : int
        A line stands before this column; none where it is 0.
    border_label : str
        What the line stands for.
    most : int
        Rows that are shown before "Show all".
    note : str
        A few words beside the title while nothing is chosen.
    unit : str
        What is counted.
    """

    _esm = script("heat_map")
    _css = style("heat_map")

    title = t.Unicode().tag(sync=True)
    corner = t.Unicode().tag(sync=True)
    rows = t.List(t.Unicode()).tag(sync=True)
    columns = t.List(t.Unicode()).tag(sync=True)
    shorts = t.List(t.Unicode()).tag(sync=True)
    counts = t.List(t.List(t.Int())).tag(sync=True)
    totals = t.List(t.Int()).tag(sync=True)
    chosen: t.Dict[Any, Any] = t.Dict(
        value_trait=t.List(t.Int()), default_value={"rows": [], "columns": []}
    ).tag(sync=True)
    choosable = t.Int(0).tag(sync=True)
    border = t.Int(0).tag(sync=True)
    border_label = t.Unicode().tag(sync=True)
    most = t.Int(12).tag(sync=True)
    note = t.Unicode().tag(sync=True)
    unit = t.Unicode("cards").tag(sync=True)
