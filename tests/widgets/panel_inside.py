"""What stands inside a panel, and what of it reaches a page."""

from __future__ import annotations

import json


def parts_of(widget):
    """Yield a widget and all widgets below it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts_of(child)


def part(panel, name):
    """Find a widget of a panel by its class in the page."""
    (found,) = (one for one in parts_of(panel) if f"tv-{name}" in one._dom_classes)
    return found


def sent(panel):
    """Return what reaches the page: all values of all widgets, as JSON."""
    states = [
        {k: v for k, v in one.get_state().items() if k not in {"_esm", "_css", "children"}}
        for one in parts_of(panel)
    ]
    return json.dumps(states, default=str)


def text_of(panel, name):
    """Return the words of a part, as JSON."""
    return json.dumps(part(panel, name).blocks, ensure_ascii=False)
