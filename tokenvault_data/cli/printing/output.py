"""What commands print: text for people, one JSON document for machines, errors on stderr."""

from __future__ import annotations

import io
import json
import os
import sys
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence


def open_closed_streams() -> None:
    """Open the null device in place of every standard stream that was closed.

    Python has None for such a stream, and the next file that is opened gets its number: what a
    library prints would then be written into a snapshot.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


class _Kept(io.TextIOWrapper):
    """A stream that a command outlives: what cannot be written any more is dropped.

    Otherwise a reader that goes, or a full disk behind ``>``, would end a command in the middle of
    its work. `trouble` is the first error.
    """

    trouble: OSError | None = None

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.trouble = self.trouble or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def outlive_readers() -> None:
    """Let no command end because what it prints cannot be written, whatever the encoding."""
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            how: Any = {
                "line_buffering": stream.line_buffering,
                "write_through": stream.write_through,
            }
            encoding = stream.encoding
            kept = _Kept(stream.detach(), encoding, "backslashreplace", **how)
            setattr(sys, name, kept)


def lost_output() -> OSError | None:
    """Return why not all of stdout was written; None where it was, or its reader has gone."""
    sys.stdout.flush()
    trouble: OSError | None = getattr(sys.stdout, "trouble", None)
    return None if isinstance(trouble, BrokenPipeError) else trouble


def size_text(size_bytes: int) -> str:
    """Return a size in kB or MB.

    >>> size_text(1234), size_text(5_000_000)
    ('1.2 kB', '5.0 MB')
    """
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1000:,.1f} kB"
    return f"{size_bytes / 1_000_000:,.1f} MB"


_JOINERS: Final = "\u200c\u200d"  # change the shape of letters in Indian scripts, and nothing else


def visible(text: str) -> str:
    r"""Return a text that shows as one line and cannot steer a terminal.

    Control characters, escape sequences, line breaks, changes of writing direction and invisible
    characters become escapes such as ``\x1b`` and ``\u202e``; odd spaces become plain ones.

    Parameters
    ----------
    text : str
        From anywhere: an answer of the vault, a file's name, an error.

    Returns
    -------
    str
        Printable; a text that was printable is unchanged.

    Examples
    --------
    >>> print(visible("HDFC\x1b[31m BANK\n"))
    HDFC\x1b[31m BANK\n
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign in _JOINERS else _escaped(sign) for sign in text
    )


def _escaped(sign: str) -> str:
    if unicodedata.category(sign) == "Zs":
        return " "
    return sign.encode("unicode_escape").decode("ascii")


GAP = "  "
NARROWEST = 12  # signs that a shortened column keeps


@dataclass(frozen=True, slots=True)
class PrintedRow:
    """One line of a grid.

    Attributes
    ----------
    cells : tuple of str
        Printable, one line each.
    style : str
        How a terminal shows the line: ``bold``, ``dim``, ``red`` and so on; empty for plain.
    """

    cells: tuple[str, ...]
    style: str = ""


def lay_out(
    rows: Sequence[PrintedRow],
    *,
    right: Collection[int] = (),
    shrinks: int = 0,
    width: int | None = None,
) -> Iterator[tuple[str, str]]:
    """Align rows.

    Parameters
    ----------
    rows : sequence of Row
        All with the same number of cells.
    right : collection of int
        Columns that are aligned at their right side.
    shrinks : int
        The column whose cells are shortened where the place is too narrow.
    width : int, optional
        Signs in a line; any number without it.

    Yields
    ------
    tuple of str, str
        A line without spaces at its end, and its style.
    """
    from rich.cells import cell_len

    widths = [max(map(cell_len, cells)) for cells in zip(*(row.cells for row in rows), strict=True)]
    if width is not None:
        excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
        if excess > 0:
            widths[shrinks] = max(min(NARROWEST, widths[shrinks]), widths[shrinks] - excess)
    for row in rows:
        cells = [
            _fitted(cell, widths[place], right=place in right)
            for place, cell in enumerate(row.cells)
        ]
        yield GAP.join(cells).rstrip(), row.style


def _fitted(cell: str, width: int, *, right: bool) -> str:
    from rich.cells import cell_len, set_cell_size

    missing = width - cell_len(cell)
    if missing < 0:
        return f"{set_cell_size(cell, width - 1)}…"
    return " " * missing + cell if right else cell + " " * missing


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


def print_grid(
    rows: Sequence[PrintedRow], *, right: Collection[int] = (), shrinks: int = 0
) -> None:
    """Print rows in aligned columns; on a terminal, column `shrinks` gives way to fit."""
    harmless = [PrintedRow(tuple(map(visible, row.cells)), row.style) for row in rows]
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
