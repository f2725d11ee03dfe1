"""Words of a panel as plain data: what a screen reader reads, and a static page shows as well."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

import anywidget
import traitlets as t

from tokenvault_data.widgets.parts.front_end import script, style

if TYPE_CHECKING:
    from collections.abc import Iterable

Block = tuple[str, Any]
"""A kind of `KINDS` and its content."""

KINDS: Final = (
    "heading",
    "subheading",
    "lead",
    "text",
    "note",
    "warning",
    "good",
    "list",
    "facts",
    "figures",
    "code",
)
"""``list`` holds texts, ``facts`` and ``figures`` pairs of texts, every other kind one text."""

_TAGS: Final = {"heading": "h3", "subheading": "h4", "code": "pre"}


class Prose(anywidget.AnyWidget):
    """Headings, sentences, lists, facts, figures and code, shown as text whatever they hold.

    Attributes
    ----------
    blocks : list of pairs
        See `Block`.
    is_live : bool
        Whether a screen reader says what changes.
    """

    _esm = script("prose")
    _css = style("prose")

    blocks = t.List(t.Any()).tag(sync=True)
    is_live = t.Bool(False).tag(sync=True)

    def show(self, *blocks: Block | None) -> None:
        """Show these blocks and no others; None stands for one that is left out."""
        self.blocks = [list(block) for block in blocks if block is not None]


def as_html(blocks: Iterable[Block]) -> str:
    """Return blocks as HTML that needs neither kernel nor script, every text escaped."""
    return "".join(_html(kind, content) for kind, content in blocks)


def _html(kind: str, content: Any) -> str:
    if kind == "list":
        return f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in content)}</ul>"
    if kind == "facts":
        rows = (
            f"<tr><th scope='row' style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in content
        )
        return f"<table>{''.join(rows)}</table>"
    if kind == "figures":
        said = ", ".join(f"<b>{html.escape(one)}</b> {html.escape(what)}" for one, what in content)
        return f"<p>{said}</p>"
    tag = _TAGS.get(kind, "p")
    return f"<{tag}>{html.escape(content)}</{tag}>"
