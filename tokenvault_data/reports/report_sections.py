"""The sections of a report that hold figures: what is saved, expires when, and has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tokenvault_data.reports import charts
from tokenvault_data.reports.change_charts import changes_bars, changes_by_bank
from tokenvault_data.reports.chart_text import day
from tokenvault_data.reports.report_figures import Figure, chart_of, make_figure
from tokenvault_data.reports.report_tables import (
    calendar_table,
    counts_table,
    kinds_by_bank_table,
    month_grid_table,
)

if TYPE_CHECKING:
    from tokenvault_data.reports.report_facts import Facts

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


def breakdown_section(facts: Facts) -> Section:
    """Return the section on networks, banks, types, countries and statuses."""
    about = f"as of {day(facts.as_of)}"
    few = "Not shown: no group of it has enough customers to be shown beside the others."
    figures, notes = [], []
    for column, heading in _HEADINGS.items():
        table = facts.breakdowns[column]
        if table is None:
            notes.append(f"{heading}: {few}")
            continue
        figures.append(
            make_figure(
                column.replace("_", "-"),
                chart_of(charts.bars, table, column, about=about),
                counts_table(table, column, caption=f"Cards by {heading.lower()}", heading=heading),
                is_full=column == "bank",
            )
        )
    lead = (
        "Each figure counts every card once. A customer with cards in two groups counts in both, so"
        " customers do not add up."
    )
    return Section("breakdowns", "What is saved", lead, tuple(figures), tuple(notes))


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
    figures = (
        make_figure(
            "outlook",
            chart_of(charts.outlook_bars, outlook, about=about),
            counts_table(
                outlook,
                "bucket",
                caption="Cards by days left",
                heading="Days left",
            ),
            is_full=True,
        ),
        make_figure(
            "calendar",
            chart_of(charts.expiry_calendar_bars, calendar, about=about),
            calendar_table(calendar, caption="Cards by month of expiry"),
            is_full=True,
        ),
        make_figure(
            "banks-by-month",
            chart_of(charts.bank_month_heatmap, tiles, about=about),
            month_grid_table(tiles, caption="Cards by bank and month of expiry"),
            is_full=True,
        ),
    )
    return Section("expiry", "What expires when", lead, figures)


def changes_section(facts: Facts) -> Section | None:
    """Return the section on what changed, or None when nothing was compared."""
    changes = facts.changes
    if changes is None:
        return None
    about = f"since {changes.old_name}"
    figures = [
        make_figure(
            "kinds-of-change",
            chart_of(changes_bars, changes.kinds, about=about),
            counts_table(
                changes.account,
                "what",
                caption="What became of every card",
                heading="Line",
            ),
            is_full=True,
        )
    ]
    if len(changes.by_bank):
        figures.append(
            make_figure(
                "changes-by-bank",
                chart_of(changes_by_bank, changes.by_bank, about=about),
                kinds_by_bank_table(changes.by_bank, caption="Changes by bank"),
                is_full=True,
            )
        )
    asked = "" if changes.another_vault is None else f"{changes.another_vault} "
    lead = asked + (
        "Cards are compared only where their customer was fetched both times; all others are"
        " unknown, never gone. Shares are of the older list; of cards added, of this one."
    )
    return Section("changes", "What has changed", lead, tuple(figures))
