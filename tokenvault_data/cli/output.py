"""What commands print: text for people, one JSON document for machines, errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_PIPED_WIDTH = 120  # columns of tables where no terminal says how wide it is


def print_json(content: Any) -> None:
    """Print one JSON document on stdout; times as ISO 8601."""
    sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")


def console() -> Console:
    """A console on stdout that shows foreign text as it is, markup included."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    return Console(markup=False, highlight=False, emoji=False, width=width)


def print_line(text: str = "") -> None:
    """Print one line on stdout."""
    sys.stdout.write(f"{text}\n")


def print_table(
    title: str, headings: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()
) -> None:
    """Print a table; numbers get thousands separators, columns named in `right` their side."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, title=Text(title, style="bold") if title else None)
    table.title_justify = "left"
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_shown(value)) for value in row))
    console().print(table)


def print_error(message: str, notes: Sequence[str] = ()) -> None:
    """Print one error on stderr, and what belongs to it."""
    for line in (f"error: {message}", *notes):
        sys.stderr.write(f"{line}\n")


def _shown(value: object) -> str:
    if value is None:
        return "—"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
