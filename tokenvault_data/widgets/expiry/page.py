"""An expiry radar as a page without script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tokenvault_data.reports.labels import month_name
from tokenvault_data.widgets.expiry.text import (
    FEWEST_MONTHS,
    MONTHS_BACK,
    bank_name,
    calendar_span,
    map_span,
    map_title,
    months_from,
)
from tokenvault_data.widgets.parts.static_html import bars_html, grid_html

if TYPE_CHECKING:
    from datetime import date

    from tokenvault_data.widgets.expiry.counts import Chosen, ExpiryCounts

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
