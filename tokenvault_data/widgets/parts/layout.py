"""What every panel is: a box of widgets with a state that is plain data, and a static twin."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anywidget
import duckdb
import ipywidgets
import traitlets as t

from tokenvault_data.errors import TokenVaultError
from tokenvault_data.widgets.parts.bars import script, style
from tokenvault_data.widgets.parts.text import Prose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenvault_data.widgets.parts.text import Block


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


W = TypeVar("W", bound=ipywidgets.DOMWidget)


class StaticView:
    """What a panel shows, as a page without kernel or script: for exports and for readers.

    Parameters
    ----------
    content : str
        HTML in which every text is escaped.
    """

    def __init__(self, content: str) -> None:
        self._content = content

    def _repr_html_(self) -> str:
        return self._content

    def __repr__(self) -> str:
        return "<StaticView: show it in a notebook, or write its HTML to a file>"


class Panel(ipywidgets.VBox):
    """A panel of a notebook.

    Parameters
    ----------
    name : str
        Class of the panel in the page, behind ``tv-``.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.add_class("tv-panel")
        self.add_class(f"tv-{name}")

    @property
    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What was chosen, as data that a script could have typed and JSON can hold."""

    @abstractmethod
    def static_html(self) -> str:
        """Return what is shown now as HTML without script; aggregates and masked ids only."""

    def static(self) -> StaticView:
        """Return what is shown now, for viewers without a kernel."""
        return StaticView(self.static_html())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"  # that of ipywidgets would print every cell of a table

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        bundle["text/plain"] = repr(self)
        bundle["text/html"] = self.static_html()
        return bundle


def in_a_sentence(error: BaseException) -> str:
    """Say what went wrong for a panel: our own errors as they are, others by kind only.

    The text of an unforeseen error may hold customers' ids, so it is not shown.
    """
    if isinstance(error, TokenVaultError):
        texts = [str(error), *getattr(error, "__notes__", ())]
        return " ".join(f"{text[:1].upper()}{text[1:].removesuffix('.')}." for text in texts)
    if isinstance(error, OSError | duckdb.IOException | duckdb.PermissionException):
        # DuckDB, shut up in a snapshot's own files, takes one that is gone for a forbidden one.
        return (
            f"A file could not be read or written ({type(error).__name__}). Nothing was changed by"
            " the panel; see whether the store was moved or deleted, or the disk is full, and run"
            " the cell again."
        )
    return (
        f"This is a mistake in the toolkit ({type(error).__name__}). Nothing was changed by the"
        " panel; please report it with what you did last."
    )


def named(widget: W, name: str) -> W:
    """Give a widget a class of its own in the page, by which styles and tests find it."""
    widget.add_class(f"tv-{name}")
    return widget


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
