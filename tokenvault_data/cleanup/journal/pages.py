"""Which table a page of a journal belongs to, so that a changed byte can be given a place.

Source: SQLite's "Database File Format", section "B-tree Pages". Pages that hold the far end of a
long text, and free ones, belong to no table here.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from tokenvault_data.dataset.readers import open_sqlite

if TYPE_CHECKING:
    from pathlib import Path

PAGE_BYTES: Final = 4096
"""Of every journal; SQLite's own default, which a journal never changes."""

_INTERIOR: Final = frozenset({2, 5})
_FIRST_HEADER: Final = 100


def owners(data: bytes, path: Path) -> dict[int, str]:
    """Return the tables by the numbers of their pages, from 1; as far as they can be told.

    Parameters
    ----------
    data : bytes
        The whole file.
    path : Path
        Where it lies; only read.
    """
    found = {1: "its table of contents"}
    for name, root in _roots(path):
        waiting = [root]
        while waiting:
            number = waiting.pop()
            if number in found or not 1 <= number <= len(data) // PAGE_BYTES:
                continue
            found[number] = name
            waiting += _children(data, number)
    return found


def _roots(path: Path) -> list[tuple[str, int]]:
    try:
        with closing(open_sqlite(path, "mode=ro&immutable=1")) as connection:
            rows = connection.execute(
                "SELECT tbl_name,type,rootpage FROM sqlite_schema WHERE rootpage>0"
            ).fetchall()
    except (sqlite3.Error, UnicodeDecodeError):  # SQLite words its errors with what it read
        return []
    return [
        (f"table {name}" if kind == "table" else f"an index of {name}", n) for name, kind, n in rows
    ]


def _children(data: bytes, number: int) -> list[int]:
    page = data[(number - 1) * PAGE_BYTES : number * PAGE_BYTES]
    at = _FIRST_HEADER if number == 1 else 0
    if page[at] not in _INTERIOR:
        return []
    count = int.from_bytes(page[at + 3 : at + 5])
    children = [int.from_bytes(page[at + 8 : at + 12])]
    for cell in range(count):
        pointer = int.from_bytes(page[at + 12 + 2 * cell : at + 14 + 2 * cell])
        children.append(int.from_bytes(page[pointer : pointer + 4]))
    return children
