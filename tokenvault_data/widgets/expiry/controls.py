"""On which day expiry is judged, and how far ahead somebody looks: the controls of a radar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets

from tokenvault_data.widgets.expiry.counts import HORIZONS
from tokenvault_data.widgets.parts.layout import named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

_OTHER: Final = 0
_LONGEST_DAYS: Final = 36_525
_PLAIN: Final = {"description_width": "initial"}


class ExpiryControls(ipywidgets.Box):
    """A day, a horizon, and a button that clears the choice.

    Parameters
    ----------
    on_day : callable
        Gets the day that was picked; None where the field was emptied.
    on_days : callable
        Gets the horizon that was picked, in days.
    on_clear : callable
        Called when the choice is to be cleared.
    """

    def __init__(
        self,
        on_day: Callable[[date | None], None],
        on_days: Callable[[int], None],
        on_clear: Callable[[], None],
    ) -> None:
        super().__init__()
        self._is_setting = False
        self._on_day = on_day
        self._on_days = on_days
        self.day = named(
            ipywidgets.DatePicker(description="Judged on", style=_PLAIN, layout={"width": "auto"}),
            "as-of",
        )
        usual = [(f"{days} days", days) for days in HORIZONS]
        self.horizon = named(
            ipywidgets.Dropdown(
                options=[*usual, ("other", _OTHER)],
                description="Within",
                style=_PLAIN,
                layout={"width": "160px"},
            ),
            "horizon",
        )
        self.days = named(
            ipywidgets.BoundedIntText(
                min=0,
                max=_LONGEST_DAYS,
                description="Days ahead",
                style=_PLAIN,
                layout={"width": "160px"},
            ),
            "days",
        )
        self.clear = named(
            ipywidgets.Button(description="Clear the choice", layout={"width": "auto"}), "clear-all"
        )
        self.day.observe(self._picked_day, "value")
        self.horizon.observe(self._picked_horizon, "value")
        self.days.observe(self._picked_days, "value")
        self.clear.on_click(lambda _: on_clear())
        self.children = [self.day, self.horizon, self.days, self.clear]
        named(self, "row")

    def show(self, day: date, days: int, *, is_chosen: bool) -> None:
        """Show what is judged now, without calling anybody."""
        self._is_setting = True
        try:
            self.day.value = day
            self.horizon.value = days if days in HORIZONS else _OTHER
            self.days.value = days
            self.days.layout.display = "none" if days in HORIZONS else "flex"
            self.clear.disabled = not is_chosen
        finally:
            self._is_setting = False

    def _picked_day(self, change: Mapping[str, Any]) -> None:
        if not self._is_setting:
            self._on_day(change["new"])

    def _picked_horizon(self, change: Mapping[str, Any]) -> None:
        if self._is_setting:
            return
        if change["new"] == _OTHER:
            self.days.layout.display = "flex"
        else:
            self._on_days(change["new"])

    def _picked_days(self, change: Mapping[str, Any]) -> None:
        if not self._is_setting:
            self._on_days(change["new"])
