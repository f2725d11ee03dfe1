"""The card of a collection under way: buttons, progress, a notice, and what came of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from tokenvault_data.widgets.collect.run_buttons import IDLE, Offer, RunButtons, labels
from tokenvault_data.widgets.parts.card import blocks_of, card
from tokenvault_data.widgets.parts.layout import named
from tokenvault_data.widgets.parts.progress_view import ProgressView
from tokenvault_data.widgets.parts.text import Prose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tokenvault_data.widgets.parts.text import Block

_SPOKEN_EVERY_SECONDS: Final = 1.0  # the sentence is read out whenever it changes

_HINT: Final = "To start takes an account that can be used, and a list of customers."


class RunCard:
    """Shows how a collection goes.

    Parameters
    ----------
    on_click : mapping of str to callable
        See `RunButtons`.

    Attributes
    ----------
    box : ipywidgets.Box
    """

    def __init__(self, on_click: Mapping[str, Callable[[], None]]) -> None:
        self._buttons = RunButtons(on_click)
        self._progress = named(ProgressView(label="Collection"), "progress-view")
        self._notice = named(Prose(is_live=True), "notice")
        self._outcome = named(Prose(is_live=True), "outcome")
        self._hint = Prose()
        self._spoken_at = float("-inf")
        shown = (self._buttons.box, self._hint, self._progress, self._notice, self._outcome)
        self.box = card("Collection", *shown)

    def offer(self, offer: Offer) -> None:
        """Show the buttons that make sense, or what there has to be before there are any."""
        self._buttons.show(offer)
        nothing = offer.phase in IDLE and not labels(offer)
        self._hint.show(("note", _HINT) if nothing else None)

    def say(self, text: str, *, fraction: float = -1.0, tone: str = "running") -> None:
        """Say how far it is; without a text there is no bar either."""
        self._spoken_at = time.monotonic()
        self._progress.show(text, fraction=fraction, tone=tone)

    def say_again(self, text: str, *, fraction: float) -> None:
        """Say how far it is by now; the bar moves at once, the sentence once a second."""
        if time.monotonic() - self._spoken_at >= _SPOKEN_EVERY_SECONDS:
            self.say(text, fraction=fraction)
        else:
            self._progress.fraction = fraction

    def notify(self, *blocks: Block) -> None:
        """Show these words in place of earlier ones; none takes them away."""
        self._notice.show(*blocks)

    def conclude(self, *blocks: Block) -> None:
        """Show what came of it; none takes that away."""
        self._outcome.show(*blocks)

    def blocks(self) -> Iterator[Block]:
        """What the card says."""
        if self._progress.text:
            yield "text", self._progress.text
        yield from blocks_of(self._notice)
        yield from blocks_of(self._outcome)
