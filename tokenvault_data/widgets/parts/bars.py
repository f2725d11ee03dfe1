"""Bars that can be chosen by click or key: one dimension's counts, drawn in the browser.

Aggregates only travel to the page: labels once, and then the counts whenever a filter changes.
"""

from __future__ import annotations

import anywidget
import traitlets as t

from tokenvault_data.widgets.parts.front_end import script, style


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
