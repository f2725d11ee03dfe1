"""Tables of a report: the numbers behind every figure, and what their columns are sorted by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.reports.chart_tables import month_label
from tokenvault_data.reports.chart_text import count, is_missing, month_name, name_of, percent
from tokenvault_data.reports.small_cells import MARK
from tokenvault_data.reports.suppression import Mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

NOT_ADDED_UP: Final = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Heading:
    """A column of a table: its name, and whether it holds numbers, which stand at the right."""

    text: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
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


@dataclass(frozen=True, slots=True)
class NumberTable:
    """A table of a report; the first cell of a row is its heading."""

    caption: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[Entry, ...], ...]


def counts_table(
    table: pd.DataFrame, label: str, *, caption: str, heading: str, smallest_cell: int
) -> NumberTable:
    """Show a one-way table: names, cards, share and, where there are any, customers."""
    with_customers = "customers" in table.columns
    headings = [Heading(heading), Heading("Cards", True), Heading("Share of cards", True)]
    rows = []
    for place, line in enumerate(table.to_dict("records")):
        hidden = _hidden(line, smallest_cell)
        row = [Entry(name_of(label, line[label]), f"{place:06d}")]
        row.append(hidden or number(line["cards"]))
        row.append(hidden or Entry(percent(line["share"]), _order(line["share"])))
        if with_customers:
            missing = is_missing(line["customers"])
            plain = Entry(NOT_ADDED_UP, "-1") if missing else number(line["customers"])
            row.append(hidden or plain)
        rows.append(tuple(row))
    if with_customers:
        headings.append(Heading("Customers", True))
    return NumberTable(caption, tuple(headings), tuple(rows))


def calendar_table(table: pd.DataFrame, *, caption: str, smallest_cell: int) -> NumberTable:
    """Show cards and customers by month."""
    rows = []
    for line in table.to_dict("records"):
        hidden = _hidden(line, smallest_cell)
        rows.append(
            (
                Entry(month_name(line["expiry"]), str(line["expiry"])),
                hidden or number(line["cards"]),
                hidden or number(line["customers"]),
            )
        )
    headings = (Heading("Valid through"), Heading("Cards", True), Heading("Customers", True))
    return NumberTable(caption, headings, tuple(rows))


def month_grid_table(table: pd.DataFrame, *, caption: str, smallest_cell: int) -> NumberTable:
    """Show cards by bank, one column a month."""
    months = list(dict.fromkeys(table["expiry"]))
    labels = [month_label(month, place).replace("\n", " ") for place, month in enumerate(months)]
    headings = (Heading("Bank"), *(Heading(label.strip(), True) for label in labels))
    return NumberTable(caption, headings, _rows_by_bank(table, smallest_cell))


def kinds_by_bank_table(table: pd.DataFrame, *, caption: str, smallest_cell: int) -> NumberTable:
    """Show cards by bank, one column a kind of change."""
    kinds = list(dict.fromkeys(table["kind"]))
    headings = (Heading("Bank"), *(Heading(name_of("kind", kind), True) for kind in kinds))
    return NumberTable(caption, headings, _rows_by_bank(table, smallest_cell))


def number(value: Any) -> Entry:
    """Show a number of cards or customers."""
    return Entry(count(value), _order(value))


def few(smallest_cell: int) -> str:
    """Return what stands in a table in place of a small figure."""
    return f"<{smallest_cell}"


def _rows_by_bank(table: pd.DataFrame, smallest_cell: int) -> tuple[tuple[Entry, ...], ...]:
    by_bank: dict[Any, list[Entry]] = {}
    for line in table.to_dict("records"):
        bank = None if is_missing(line["bank"]) else line["bank"]
        by_bank.setdefault(bank, []).append(_hidden(line, smallest_cell) or number(line["cards"]))
    return tuple(
        (Entry(name_of("bank", bank), f"{place:06d}"), *cells)
        for place, (bank, cells) in enumerate(by_bank.items())
    )


def _hidden(line: Mapping[Any, Any], smallest_cell: int) -> Entry | None:
    if not is_missing(line["cards"]):
        return None
    if line.get(MARK) == Mark.SMALL:
        return Entry(few(smallest_cell), "0", "hidden")
    return Entry("withheld", "0", "hidden")


def _order(value: Any) -> str:
    return "-1" if is_missing(value) else str(value)
