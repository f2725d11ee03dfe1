"""The buttons of a collection, and which of them there are in which phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import ipywidgets

from tokenvault_data.widgets.parts.layout import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Phase = Literal[
    "ready",
    "checking",
    "running",
    "stopping",
    "paused",
    "cancelled",
    "done",
    "failed",
    "elsewhere",
]
"""``elsewhere``: somebody else collects for the account, another panel of this kernel perhaps."""

IDLE: Final[frozenset[Phase]] = frozenset({"ready", "cancelled", "done", "failed"})
"""Phases in which everything can be chosen anew."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be done now.

    Attributes
    ----------
    phase : Phase
    has_list : bool
        Whether a list was read, and an account is open.
    left : int or None
        Customers left of an unfinished run; None without one.
    is_same_list : bool
        Whether that run is of the list that was read.
    failed : int
        Failed customers of the last run that can be retried.
    can_pause_elsewhere : bool
        Whether the one who works on the run elsewhere is another panel of this kernel.
    """

    phase: Phase
    has_list: bool = False
    left: int | None = None
    is_same_list: bool = False
    failed: int = 0
    can_pause_elsewhere: bool = False


def labels(offer: Offer) -> dict[str, str]:
    """Say which buttons there are, by name, and what stands on them; the first is the main one."""
    phase = offer.phase
    if phase == "running":
        return {"pause": "Pause", "cancel": "Cancel"}
    if phase == "paused":
        return {"go_on": "Resume", "cancel": "Cancel"}
    if phase == "elsewhere":
        return {"pause": "Pause it"} if offer.can_pause_elsewhere else {}
    if phase not in IDLE:
        return {}
    shown = {}
    if offer.failed:
        shown["retry"] = f"Retry {offer.failed:,} failed"
    if offer.left is not None:
        shown["go_on"] = f"Go on with {offer.left:,} left"
    if offer.has_list:
        anew = phase == "done" or (offer.left is not None and offer.is_same_list)
        shown["start"] = "Collect anew" if anew else "Start"
    return shown


class RunButtons:
    """All buttons in a row; those that make no sense in a phase are hidden.

    Parameters
    ----------
    on_click : mapping of str to callable
        What each button does: ``start``, ``go_on``, ``retry``, ``pause``, ``cancel``.

    Attributes
    ----------
    box : ipywidgets.Box
    """

    def __init__(self, on_click: Mapping[str, Callable[[], None]]) -> None:
        self._buttons = {name: _button(name, on_click[name]) for name in _TOOLTIPS}
        self.box = named(ipywidgets.HBox(tuple(self._buttons.values())), "row")
        self.box.add_class("tv-run-buttons")

    def __getitem__(self, name: str) -> Any:
        return self._buttons[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._buttons)

    def show(self, offer: Offer) -> None:
        """Show what can be done, and nothing else."""
        shown = labels(offer)
        for name, button in self._buttons.items():
            button.disabled = name not in shown
            button.layout.display = None if name in shown else "none"
            if name in shown:
                button.description = shown[name]
                is_main = name == next(iter(shown)) and name not in {"pause", "cancel"}
                button.button_style = "primary" if is_main else ""


def _button(name: str, act: Callable[[], None]) -> Any:
    button = named(
        ipywidgets.Button(layout={"width": "auto"}, tooltip=_TOOLTIPS[name]),
        name.replace("_", "-"),
    )
    button.on_click(lambda _: act())
    return button


_TOOLTIPS: Final = {  # in the order they stand in
    "retry": "Ask for the failed customers again",
    "go_on": "Ask for the customers that have no outcome yet",
    "start": "Ask for all customers of the list",
    "pause": "Stop in order and keep what was done, to go on here",
    "cancel": "Stop in order and not go on; what was done is kept",
}
