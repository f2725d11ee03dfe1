"""An expiry radar as a page without script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets

from tokenvault_data.analysis.forecast import forecast
from tokenvault_data.dataset.snapshots import Snapshot, list_snapshots, open_snapshot
from tokenvault_data.reports.labels import month_name
from tokenvault_data.widgets.expiry.counts import HORIZONS
from tokenvault_data.widgets.expiry.text import (
    FEWEST_MONTHS,
    MONTHS_BACK,
    bank_name,
    calendar_span,
    forecast_months,
    map_span,
    map_title,
    months_from,
)
from tokenvault_data.widgets.parts.layout import named
from tokenvault_data.widgets.parts.static_html import bars_html, grid_html

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from tokenvault_data.widgets.expiry.counts import Chosen, ExpiryCounts
    from tokenvault_data.widgets.parts.text import Block


FORECAST_TITLE: Final = "What to expect"


def history_of(snapshot: Snapshot) -> list[Snapshot]:
    """Return a snapshot and those before it of its store, environment and merchant."""
    ours = snapshot.manifest
    earlier = [
        open_snapshot(one.path, verify="quick")
        for one in list_snapshots(snapshot.path.parents[1])
        if one.manifest is not None
        and one.damage is None
        and one.id != snapshot.id
        and one.manifest.environment == ours.environment
        and one.manifest.merchant == ours.merchant
        and one.manifest.created_at <= ours.created_at
    ]
    return [*earlier, snapshot]


def forecast_blocks(
    history: Sequence[Snapshot], *, as_of: date, days: int, is_narrowed: bool
) -> list[Block]:
    """Return what is to be expected of the months of a horizon.

    Raises
    ------
    UsageError
        The snapshots, or the day, are none to forecast from.
    """
    found = forecast(history, months=forecast_months(as_of, days), as_of=as_of)
    lapse, _, basis, *others = found.notes
    about = " This is about all cards, not about the chosen ones only." if is_narrowed else ""
    return [
        ("subheading", FORECAST_TITLE),
        ("text", f"{found.title}. {lapse}"),
        ("note", f"{basis}{about}"),
        *(("note", note) for note in others),
    ]


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


CALENDAR_TITLE: Final = "Cards by month of expiry"
_MOST_BANKS: Final = 12
_PAST_MONTHS: Final = 3


def expiry_figures(counts: ExpiryCounts, as_of: date, days: int, chosen: Chosen) -> str:
    """Return the months around a day, and the banks with most cards in the coming ones, as HTML."""
    first, months = calendar_span(as_of)
    cards = counts.calendar(first, months, chosen)
    names = [month_name(month) for month in months_from(first, months)]
    shown = slice(MONTHS_BACK - _PAST_MONTHS, MONTHS_BACK + FEWEST_MONTHS)
    calendar = list(zip(names, cards, strict=True))[shown]
    beginning, columns, _ = map_span(as_of, days)
    grid = counts.grid(beginning, columns)
    rows = [bank_name(bank) for bank in grid.banks[:_MOST_BANKS]]
    return bars_html(CALENDAR_TITLE, calendar, past=_PAST_MONTHS) + grid_html(
        map_title(columns),
        rows,
        [month_name(month) for month in grid.months],
        grid.counts[:_MOST_BANKS].tolist(),
    )
