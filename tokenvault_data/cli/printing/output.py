"""What commands print: text for people, one JSON document for machines, errors on stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tokenvault_data.cli.printing.grid import Row, lay_out
from tokenvault_data.cli.printing.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

INDENT = "  "
_NARROWEST = 40  # signs in a line that a paragraph is still broken for


def print_json(content: Any) -> None:
    """Print one JSON document on stdout, at once and in ASCII; times as ISO 8601."""
    sys.stdout.write(json.dumps(content, indent=2, default=str) + "\n")
    sys.stdout.flush()


def print_line(text: str = "", *, style: str = "") -> None:
    """Print one line on stdout, at once; `style` only shows on a terminal."""
    _print([(visible(text), style)])


def print_paragraph(text: str, *, indent: str = "", first: str | None = None) -> None:
    """Print a text on stdout, broken between words on a terminal and in one line elsewhere.

    `first` begins the first line in place of `indent`.
    """
    first = indent if first is None else first
    width = terminal_width()
    if width is None:
        print_line(f"{first}{text}")
        return
    import textwrap

    lines = textwrap.wrap(
        visible(text),
        max(width, _NARROWEST),
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    _print([(line, "") for line in lines])


def print_grid(rows: Sequence[Row], *, right: Collection[int] = (), shrinks: int = 0) -> None:
    """Print rows in aligned columns; on a terminal, column `shrinks` gives way to fit."""
    harmless = [Row(tuple(map(visible, row.cells)), row.style) for row in rows]
    if harmless:
        _print(lay_out(harmless, right=right, shrinks=shrinks, width=terminal_width()))


def print_error(message: str, notes: Iterable[str] = ()) -> None:
    """Print one error on stderr, and what belongs to it."""
    for line in (f"error: {message}", *notes):
        sys.stderr.write(f"{visible(line)}\n")


def terminal_width() -> int | None:
    """Signs in a line of the terminal that stdout is; None where it is none."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def _print(lines: Iterable[tuple[str, str]]) -> None:
    if not sys.stdout.isatty():
        sys.stdout.writelines(f"{line}\n" for line, _ in lines)
        sys.stdout.flush()
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True)
    for line, style in lines:
        console.print(Text(line, style))
