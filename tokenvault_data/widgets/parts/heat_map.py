"""A table of counts whose cells are buttons, the number in every cell, its shade beneath.

Aggregates only travel to the page.
"""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets as t

from tokenvault_data.widgets.parts.front_end import script, style


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
