"""The sections of a report that hold figures: what is saved, expires when, and has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tokenvault_data.reports.charts import charts
from tokenvault_data.reports.charts.change_charts import changes_bars, changes_by_bank
from tokenvault_data.reports.disclosure.small_groups import HIDDEN
from tokenvault_data.reports.labels import day
from tokenvault_data.reports.page.figures import Figure, chart_of, make_figure
from tokenvault_data.reports.page.tables import (
    calendar_table,
    counts_table,
    kinds_by_bank_table,
    month_grid_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from tokenvault_data.reports.charts.rendered import Chart
    from tokenvault_data.reports.page.facts import Facts
    from tokenvault_data.reports.page.tables import NumberTable

_HEADINGS: Final = {
    "card_network": "Network",
    "card_type": "Type",
    "bank": "Bank",
    "card_country": "Country of issue",
    "instrument_status": "Status in the vault",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report under a heading of its own."""

    name: str
    title: str
    lead: str
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()


def _figure(
    name: str,
    table: pd.DataFrame,
    numbers: NumberTable,
    draw: Callable[[int], Chart],
    *,
    is_full: bool = True,
) -> Figure | str:
    """Return a figure, or a sentence where all of it is hidden; no bar, no drawing."""
    if table[HIDDEN].all():
        return f"{numbers.caption}: not shown, because every figure of it is hidden."
    is_drawn = bool((table["cards"].fillna(0) > 0).any()) or not table[HIDDEN].any()
    return make_figure(name, draw, numbers, is_full=is_full, is_drawn=is_drawn)


def _section(name: str, title: str, lead: str, parts: Sequence[Figure | str]) -> Section:
    figures = tuple(part for part in parts if isinstance(part, Figure))
    return Section(
        name, title, lead, figures, tuple(part for part in parts if isinstance(part, str))
    )


def breakdown_section(facts: Facts) -> Section:
    """Return the section on networks, banks, types, countries and statuses."""
    about = f"as of {day(facts.as_of)}"
    few = "Not shown: no group of it has enough customers to be shown beside the others."
    parts: list[Figure | str] = []
    for column, heading in _HEADINGS.items():
        table = facts.breakdowns[column]
        if table is None:
            parts.append(f"{heading}: {few}")
            continue
        parts.append(
            _figure(
                column.replace("_", "-"),
                table,
                counts_table(table, column, caption=f"Cards by {heading.lower()}", heading=heading),
                chart_of(charts.bars, table, column, about=about),
                is_full=column == "bank",
            )
        )
    lead = (
        "Each figure counts every card once. A customer with cards in two groups counts in both, so"
        " customers do not add up."
    )
    return _section("breakdowns", "What is saved", lead, parts)


def expiry_section(facts: Facts) -> Section:
    """Return the section on what expires when."""
    lead = (
        "A card is valid through the last day of its expiry month, judged by the day in India:"
        f" {day(facts.as_of)}."
    )
    if facts.expiry is None:
        few = f"Not shown: there are fewer than {facts.smallest_cell} customers."
        return Section("expiry", "What expires when", lead, (), (few,))
    about = f"as of {day(facts.as_of)}"
    outlook, calendar, tiles = (
        facts.expiry.outlook,
        facts.expiry.calendar,
        facts.expiry.heat_map,
    )
    parts: list[Figure | str] = []
    parts.append(
        _figure(
            "outlook",
            outlook,
            counts_table(outlook, "bucket", caption="Cards by days left", heading="Days left"),
            chart_of(charts.outlook_bars, outlook, about=about),
        )
    )
    parts.append(
        _figure(
            "calendar",
            calendar,
            calendar_table(calendar, caption="Cards by month of expiry"),
            chart_of(charts.expiry_calendar_bars, calendar, about=about),
        )
    )
    parts.append(
        _figure(
            "banks-by-month",
            tiles,
            month_grid_table(tiles, caption="Cards by bank and month of expiry"),
            chart_of(charts.bank_month_heatmap, tiles, about=about),
        )
    )
    return _section("expiry", "What expires when", lead, parts)


def changes_section(facts: Facts) -> Section | None:
    """Return the section on what changed, or None when nothing was compared."""
    changes = facts.changes
    if changes is None:
        return None
    about = f"since {changes.old_name}"
    parts: list[Figure | str] = []
    parts.append(
        _figure(
            "kinds-of-change",
            changes.account,
            counts_table(
                changes.account, "what", caption="What became of every card", heading="Line"
            ),
            chart_of(changes_bars, changes.kinds, about=about),
        )
    )
    if len(changes.by_bank):
        parts.append(
            _figure(
                "changes-by-bank",
                changes.by_bank,
                kinds_by_bank_table(changes.by_bank, caption="Changes by bank"),
                chart_of(changes_by_bank, changes.by_bank, about=about),
            )
        )
    asked = "" if changes.another_vault is None else f"{changes.another_vault} "
    lead = asked + (
        "Cards are compared only where their customer was fetched both times; all others are"
        " unknown, never gone. Shares are of the older list; of cards added, of this one."
    )
    return _section("changes", "What has changed", lead, parts)
