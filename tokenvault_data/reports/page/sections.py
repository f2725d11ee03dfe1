"""The sections of a report that hold figures: what is saved, expires when, and has changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from tokenvault_data.reports.charts import charts
from tokenvault_data.reports.charts.captions import month_label
from tokenvault_data.reports.charts.charts import changes_bars, changes_by_bank
from tokenvault_data.reports.charts.style import NARROW_WIDTH
from tokenvault_data.reports.disclosure.small_groups import CUSTOMERS_HIDDEN, HIDDEN
from tokenvault_data.reports.labels import count, day, is_missing, month_name, name_of, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from tokenvault_data.reports.charts.rendered import Chart
    from tokenvault_data.reports.page.facts import ReportFacts


NOT_COUNTED: Final = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Heading:
    """A column of a table: its name, and whether it holds numbers, which stand at the right."""

    text: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A cell of a table.

    Attributes
    ----------
    text : str
        What is shown.
    order : str
        What the column is sorted by: a number, or text.
    kind : str
        Class of its look; empty for none.
    """

    text: str
    order: str
    kind: str = ""


_HIDDEN: Final = TableEntry("hidden", "-2", "hidden")


@dataclass(frozen=True, slots=True)
class NumberTable:
    """A table of a report; the first cell of a row is its heading."""

    caption: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[TableEntry, ...], ...]


def counts_table(table: pd.DataFrame, label: str, *, caption: str, heading: str) -> NumberTable:
    """Show a one-way table: names, cards, share and, where there are any, customers."""
    with_customers = "customers" in table.columns
    headings = [Heading(heading), Heading("Cards", True), Heading("Share of cards", True)]
    rows = []
    for place, line in enumerate(table.to_dict("records")):
        row = [TableEntry(name_of(label, line[label]), f"{place:06d}"), _cards(line), _share(line)]
        if with_customers:
            row.append(_customers(line))
        rows.append(tuple(row))
    if with_customers:
        headings.append(Heading("Customers", True))
    return NumberTable(caption, tuple(headings), tuple(rows))


def calendar_table(table: pd.DataFrame, *, caption: str) -> NumberTable:
    """Show cards and customers by month."""
    rows = []
    for line in table.to_dict("records"):
        month = TableEntry(month_name(line["expiry"]), str(line["expiry"]))
        rows.append((month, _cards(line), _customers(line)))
    headings = (Heading("Valid through"), Heading("Cards", True), Heading("Customers", True))
    return NumberTable(caption, headings, tuple(rows))


def month_grid_table(table: pd.DataFrame, *, caption: str) -> NumberTable:
    """Show cards by bank, one column a month."""
    months = list(dict.fromkeys(table["expiry"]))
    labels = [month_label(month, place).replace("\n", " ") for place, month in enumerate(months)]
    headings = (Heading("Bank"), *(Heading(label.strip(), True) for label in labels))
    return NumberTable(caption, headings, _rows_by_bank(table))


def kinds_by_bank_table(table: pd.DataFrame, *, caption: str) -> NumberTable:
    """Show cards by bank, one column a kind of change."""
    kinds = list(dict.fromkeys(table["kind"]))
    headings = (Heading("Bank"), *(Heading(name_of("kind", kind), True) for kind in kinds))
    return NumberTable(caption, headings, _rows_by_bank(table))


def number(value: Any) -> TableEntry:
    """Show a number of cards or customers."""
    return TableEntry(count(value), _order(value))


def _rows_by_bank(table: pd.DataFrame) -> tuple[tuple[TableEntry, ...], ...]:
    by_bank: dict[Any, list[TableEntry]] = {}
    for line in table.to_dict("records"):
        bank = None if is_missing(line["bank"]) else line["bank"]
        by_bank.setdefault(bank, []).append(_cards(line))
    return tuple(
        (TableEntry(name_of("bank", bank), f"{place:06d}"), *cells)
        for place, (bank, cells) in enumerate(by_bank.items())
    )


def _cards(line: Mapping[Any, Any]) -> TableEntry:
    return _HIDDEN if line[HIDDEN] else number(line["cards"])


def _share(line: Mapping[Any, Any]) -> TableEntry:
    """Show a share, hidden too where the total is that it is a share of."""
    if is_missing(line["share"]):
        return _HIDDEN
    return TableEntry(percent(line["share"]), _order(line["share"]))


def _customers(line: Mapping[Any, Any]) -> TableEntry:
    if not is_missing(line["customers"]):
        return number(line["customers"])
    return _HIDDEN if line[CUSTOMERS_HIDDEN] else TableEntry(NOT_COUNTED, "-1")


def _order(value: Any) -> str:
    return "-1" if is_missing(value) else str(value)


FULL_WIDTH: Final = 980
HALF_WIDTH: Final = 470

_DROPPED_CLASSES: Final = frozenset({"background", "foreground"})
_KEPT: Final = frozenset(
    {
        *("d", "fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "transform"),
        *("text-anchor", "font-size", "font-weight", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy"),
        *("width", "height", "viewBox", "clip-path", "id"),
    }
)
_REFERENCE = re.compile(r"url\(#([\w-]+)\)")
_LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")


@dataclass(frozen=True, slots=True)
class SectionFigure:
    """A figure of a report.

    Attributes
    ----------
    name : str
        Unique within the report; ids begin with it.
    chart : Chart
        Its title, subtitle and description are text of the page.
    wide, narrow : str
        The drawing as SVG elements.
    table : NumberTable
    is_full : bool
        Whether it is as wide as the page, not half as wide.
    notes : tuple of str
        Below the drawing, a sentence each.
    is_drawn : bool
        Whether there is anything to draw.
    """

    name: str
    chart: Chart
    wide: str
    narrow: str
    table: NumberTable
    is_full: bool
    notes: tuple[str, ...] = ()
    is_drawn: bool = True


def make_figure(
    name: str,
    draw: Callable[[int], Chart],
    table: NumberTable,
    *,
    is_full: bool = False,
    notes: tuple[str, ...] = (),
    is_drawn: bool = True,
) -> SectionFigure:
    """Draw a figure.

    Parameters
    ----------
    name : str
    draw : callable
        From a width in pixels to the chart.
    table : NumberTable
    is_full : bool
    notes : tuple of str
        Empty ones are left out.
    is_drawn : bool
        False where a drawing would be an empty panel.
    """
    wide = draw(FULL_WIDTH if is_full else HALF_WIDTH)
    narrow = draw(NARROW_WIDTH)
    return SectionFigure(
        name,
        wide,
        inline_svg(wide.to_svg(titled=False), f"{name}-wide"),
        inline_svg(narrow.to_svg(titled=False), f"{name}-narrow"),
        table,
        is_full,
        tuple(note for note in notes if note),
        is_drawn,
    )


def inline_svg(svg: str, name: str) -> str:
    """Return the inside of an ``svg`` element for a page, with its own ``svg`` element around.

    Parameters
    ----------
    svg : str
        As the renderer draws it.
    name : str
        What ids within begin with.
    """
    root = ET.fromstring(svg)  # noqa: S314  drawn by our own renderer a moment ago
    width, height = root.get("width", "0"), root.get("height", "0")
    _clean(root, name)
    root.attrib.clear()
    root.set("viewBox", f"0 0 {width} {height}")
    root.set("width", width)
    root.set("height", height)
    root.set("role", "img")
    root.set("aria-labelledby", f"{_figure_of(name)}-title")
    root.set("aria-describedby", f"{_figure_of(name)}-said")
    return ET.tostring(root, encoding="unicode")


def _figure_of(name: str) -> str:
    return name.rpartition("-")[0]


def _clean(element: ET.Element, name: str) -> None:
    element.tag = element.tag.rpartition("}")[2]
    for child in list(element):
        if child.get("class") in _DROPPED_CLASSES or child.get("display") == "none":
            element.remove(child)
        else:
            _clean(child, name)
    said = element.get("aria-label") if element.get("role") == "graphics-symbol" else None
    kept = {key: _value(key, value, name) for key, value in element.attrib.items() if key in _KEPT}
    element.attrib.clear()
    element.attrib.update(kept)
    if said is not None:
        element.set("data-said", said)


def _value(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key in {"d", "transform"}:
        return _LONG_NUMBER.sub(r"\1", value)
    return _REFERENCE.sub(lambda found: f"url(#{name}-{found[1]})", value)


def chart_of(draw: Callable[..., Chart], *arguments: Any, about: str) -> Callable[[int], Chart]:
    """Return a function from width to chart."""
    return lambda width: draw(*arguments, about=about, width=width)


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
    figures: tuple[SectionFigure, ...] = ()
    notes: tuple[str, ...] = ()


def _figure(
    name: str,
    table: pd.DataFrame,
    numbers: NumberTable,
    draw: Callable[[int], Chart],
    *,
    is_full: bool = True,
) -> SectionFigure | str:
    """Return a figure, or a sentence where all of it is hidden; no bar, no drawing."""
    if table[HIDDEN].all():
        return f"{numbers.caption}: not shown, because every figure of it is hidden."
    is_drawn = bool((table["cards"].fillna(0) > 0).any()) or not table[HIDDEN].any()
    return make_figure(name, draw, numbers, is_full=is_full, is_drawn=is_drawn)


def _section(name: str, title: str, lead: str, parts: Sequence[SectionFigure | str]) -> Section:
    figures = tuple(part for part in parts if isinstance(part, SectionFigure))
    return Section(
        name, title, lead, figures, tuple(part for part in parts if isinstance(part, str))
    )


def breakdown_section(facts: ReportFacts) -> Section:
    """Return the section on networks, banks, types, countries and statuses."""
    about = f"as of {day(facts.as_of)}"
    few = "Not shown: no group of it has enough customers to be shown beside the others."
    parts: list[SectionFigure | str] = []
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


def expiry_section(facts: ReportFacts) -> Section:
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
    parts: list[SectionFigure | str] = []
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


def changes_section(facts: ReportFacts) -> Section | None:
    """Return the section on what changed, or None when nothing was compared."""
    changes = facts.changes
    if changes is None:
        return None
    about = f"since {changes.old_name}"
    parts: list[SectionFigure | str] = []
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
