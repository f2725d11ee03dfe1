"""How tables of results are shown on a terminal, told to machines, and written to files.

No id reaches the terminal or the JSON: both show tables masked. Rows with ids go to a file that
somebody has named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenvault_data.cli.printing.output import (
    INDENT,
    PrintedRow,
    print_grid,
    print_line,
    print_paragraph,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import pandas as pd

    from tokenvault_data.dataset.tables import ResultTable
    from tokenvault_data.reports.policies import Policy

_HEADINGS = {
    "card_bank": "bank, as received",
    "card_country": "country",
    "card_network": "network",
    "card_sub_type": "sub-type",
    "card_type": "type",
    "expires_in": "expires in",
    "instrument_status": "status",
}
_GROUPED_BY = {*_HEADINGS, "bank", "expiry", "expires_on", "expiry_month", "expiry_year"}
_MISSING = "-"
_SHRINKING = ("finding", "meaning", "bank", "banks", "card_bank", "what")
"""Columns that give way on a narrow terminal, the first that there is."""


def print_table(
    table: ResultTable, *, title: str | None = None, without: Collection[str] = ()
) -> None:
    """Print a table: what it says, its rows, and what has to be known to read them."""
    print_rows(table, title=title, without=without)
    if len(table):
        print_line()
    print_notes(table)


def print_rows(
    table: ResultTable, *, title: str | None = None, without: Collection[str] = ()
) -> None:
    """Print a table without its notes, where the same ones follow under another."""
    print_title(table.title if title is None else title)
    columns = [
        column
        for column in table.cells()
        # A column of nothing but missing values says nothing.
        if column.name not in without and set(column.cells) != {_MISSING}
    ]
    if len(table) and columns:
        headings = tuple(_HEADINGS.get(c.name, c.name.replace("_", " ")) for c in columns)
        cells = [
            _named(column.cells, table[column.name]) if column.name in _GROUPED_BY else column.cells
            for column in columns
        ]
        rows = [PrintedRow(line) for line in zip(*cells, strict=True)]
        names = [column.name for column in columns]
        shrinks = next((names.index(name) for name in _SHRINKING if name in names), 0)
        right = [place for place, column in enumerate(columns) if column.right]
        print_grid([PrintedRow(headings, "bold"), *rows], right=right, shrinks=shrinks)


def print_title(title: str) -> None:
    """Print the finding that stands above figures."""
    print_line()
    print_paragraph(title)
    print_line()


def print_notes(table: ResultTable) -> None:
    """Print what has to be known to read a table's figures."""
    for note in table.notes:
        print_paragraph(note, indent=INDENT, first="* ")


def table_document(table: ResultTable) -> dict[str, Any]:
    """Return a table as JSON content: ids as keyed hashes, missing values as null."""
    from tokenvault_data.reports.policies import export_policy

    policy = export_policy("masked")
    rows = [
        row
        for batch in table.arrow().select(policy.columns(table.arrow().schema)).to_batches()
        for row in policy.apply(batch).to_pylist()
    ]
    return {"title": table.title, "notes": list(table.notes), "rows": rows}


def write_table(table: ResultTable, to: Path, policy: Policy = "full") -> dict[str, Any]:
    """Write a table to a file and return what there is to say of it."""
    from tokenvault_data.reports.export import export

    path = export(table, to, policy=policy)
    return {"path": str(path), "rows": len(table), "policy": policy}


def print_written(written: dict[str, Any], what: str) -> None:
    """Say what a file holds."""
    print_line(f"{written['rows']:,} {what} are in {written['path']}.")


def _named(cells: list[str], values: pd.Series[Any]) -> list[str]:
    """Return the cells of a column of groups, in which ``(none)`` only says that one is missing."""
    from tokenvault_data.dataset.labels import MISSING, value_text

    return [
        MISSING if missing else value_text(cell) if cell == MISSING else cell
        for cell, missing in zip(cells, values.isna(), strict=True)
    ]
