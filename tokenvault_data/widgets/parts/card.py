"""A card of a panel: a heading, and what stands below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets

from tokenvault_data.widgets.parts.front_end import style
from tokenvault_data.widgets.parts.layout import named
from tokenvault_data.widgets.parts.text import Prose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenvault_data.widgets.parts.text import Block

WIDE: Final = {"width": "100%"}
LABELS: Final = {"description_width": "initial"}
"""Layout of a control as wide as its card, and style of a label as wide as its words."""


class _Heading(Prose):
    _css = style("prose", "collect_panel")


def card(heading: str, *parts: ipywidgets.Widget) -> Any:
    """Put widgets under a heading, with a frame around them."""
    title = _Heading()
    title.show(("subheading", heading))
    return named(ipywidgets.VBox([title, *parts]), "card")


def row(*parts: ipywidgets.Widget) -> Any:
    """Put widgets beside each other, in several lines where there is no room."""
    return named(ipywidgets.HBox(parts), "row")


def blocks_of(prose: Prose) -> Iterator[Block]:
    """Give back what a `Prose` shows."""
    blocks: Any = prose.blocks
    yield from blocks
