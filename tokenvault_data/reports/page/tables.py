"""Tables of a report: the numbers behind every figure, and what their columns are sorted by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.reports.charts.captions import month_label
from tokenvault_data.reports.disclosure.small_groups import CUSTOMERS_HIDDEN, HIDDEN
from tokenvault_data.reports.labels import count, is_missing, month_name, name_of, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

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
