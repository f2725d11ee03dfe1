"""Sections of a page, of which one is shown: a row of buttons above it."""

from __future__ import annotations

import anywidget
import traitlets as t

from tokenvault_data.widgets.parts.front_end import script, style


class Sections(anywidget.AnyWidget):
    """Buttons that choose a section.

    Attributes
    ----------
    titles : list of str
    shown : int
        Place of the one that is shown.
    label : str
        What they are the sections of, for screen readers.
    """

    _esm = script("sections")
    _css = style("sections")

    titles = t.List(t.Unicode()).tag(sync=True)
    shown = t.Int(0).tag(sync=True)
    label = t.Unicode("Sections").tag(sync=True)
