"""Words of a panel as plain data: what a screen reader reads, and a static page shows as well."""

from __future__ import annotations

import html
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import anywidget
import traitlets as t

from tokenvault_data.dataset.flattening.canonical import INDIA
from tokenvault_data.dataset.manifest import Manifest
from tokenvault_data.dataset.partial import partial_notes
from tokenvault_data.dataset.snapshots import Snapshot
from tokenvault_data.text import counted, long_day
from tokenvault_data.widgets.parts.bars import script, style

if TYPE_CHECKING:
    from collections.abc import Iterable


class ProgressView(anywidget.AnyWidget):
    """A progress bar and one sentence.

    Attributes
    ----------
    fraction : float
        0 to 1; below 0 there is no bar, only the sentence.
    text : str
        The sentence; without one nothing is shown.
    label : str
        What is on its way, for screen readers.
    tone : {'idle', 'running', 'good', 'warning'}
    """

    _esm = script("progress_view")
    _css = style("progress_view")

    fraction = t.Float(-1.0).tag(sync=True)
    text = t.Unicode().tag(sync=True)
    label = t.Unicode("Progress").tag(sync=True)
    tone = t.Enum(["idle", "running", "good", "warning"], default_value="idle").tag(sync=True)

    def show(self, text: str, *, fraction: float = -1.0, tone: str = "running") -> None:
        """Set all at once, in one message to the page."""
        with self.hold_sync():
            self.fraction, self.text, self.tone = min(fraction, 1.0), text, tone


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


def snapshot_blocks(facts: Manifest) -> list[Block]:
    """Return the heading of a panel on a snapshot, and what limits its figures."""
    collected = datetime.fromisoformat(facts.finished_at).astimezone(INDIA)
    when = f"collected {long_day(collected.date())}, {collected:%H:%M} India time"
    blocks: list[Block] = [
        ("heading", f"{counted(facts.instruments, 'card')} of the {facts.environment} vault"),
        ("note", f"Snapshot {facts.id}, {when}; {coverage(facts)}."),
    ]
    return [*blocks, *partial_blocks(facts)]


def partial_blocks(*shown: object) -> list[Block]:
    """Warn of each snapshot that is partial, with how many customers are missing.

    Parameters
    ----------
    *shown : object
        Manifests, snapshots, or whatever else a panel shows; tables have nothing to warn of.
    """
    facts = [one.manifest if isinstance(one, Snapshot) else one for one in shown]
    notes = partial_notes(*(one for one in facts if isinstance(one, Manifest)))
    return [("warning", f"{note} Try them again before you act on it.") for note in notes]


def short_name(facts: Manifest) -> str:
    """Name a snapshot in a list: by its day and time in India, and the end of its id.

    Parameters
    ----------
    facts : Manifest
    """
    collected = datetime.fromisoformat(facts.finished_at).astimezone(INDIA)
    return f"{long_day(collected.date())}, {collected:%H:%M} ({facts.id.rpartition('-')[2]})"


def coverage(facts: Manifest) -> str:
    """Say how many of the customers that were asked for are in a snapshot."""
    answered = facts.outcomes.get("fetched", 0) + facts.outcomes.get("empty", 0)
    if answered == facts.requested:
        return f"all {counted(facts.requested, 'customer')} answered for"
    return f"{answered:,} of {counted(facts.requested, 'customer')} answered for"
