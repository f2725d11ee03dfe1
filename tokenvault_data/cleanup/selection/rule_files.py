"""Lists of cards that somebody names: files and tables of customer and instrument ids.

Nothing of a list is skipped. An id that a spreadsheet has damaged, or a line that is not like the
others, means that the list is not what its author had in mind, and deleting the rest of it would
be a guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from tokenvault_data.errors import UsageError
from tokenvault_data.identifiers import RefusedId, judge_id
from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    from tokenvault_data.collection.customer_rows import Rows
    from tokenvault_data.collection.list_judgement import Guards

COLUMNS: Final = ("customer_id", "instrument_id")
"""What the two columns of a list have to be called."""

_NAMED_ROWS: Final = 5


def read_pairs(cards: object) -> tuple[tuple[str, str], ...]:
    """Read a list of cards.

    Parameters
    ----------
    cards : path, table, or iterable of pairs
        A path (text as well) names a CSV file, a text file with a heading, or a Parquet file, also
        gzipped; it and a DataFrame or Arrow table have the `COLUMNS`. Pairs are customer id first.

    Returns
    -------
    tuple of (str, str)
        Each card once, in the order of the list.

    Raises
    ------
    UsageError
        It cannot be read, names no card, or one of its ids is none; the message counts them and
        names the first rows.
    """
    if isinstance(cards, str | Path):
        return _checked(*_of_file(local_path(cards)))
    if hasattr(cards, "__arrow_c_stream__") or hasattr(cards, "columns"):
        from tokenvault_data.collection.customer_values import rows_of_values

        columns = [_values(rows_of_values(cards, column)) for column in COLUMNS]
        return _checked(list(zip(*columns, strict=True)), "the table", 1, "row")
    if isinstance(cards, bytes | dict) or not isinstance(cards, Iterable):
        raise UsageError(
            f"A list of cards cannot be taken from {type(cards).__name__}; nothing was selected; "
            "give the path of a file, a table, or pairs of customer and instrument id."
        )
    pairs = []
    for number, pair in enumerate(cards, start=1):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise UsageError(
                f"Entry {number} of the list is no pair; nothing was selected; give each card as "
                "(customer id, instrument id)."
            )
        pairs.append((pair[0], pair[1]))
    return _checked(pairs, "the list", 1, "entry")


def _of_file(path: Path) -> tuple[list[tuple[object, object]], str, int, str]:
    from tokenvault_data.collection.customer_files import rows_of_path

    columns: list[list[object]] = []
    first_row, word = 1, "row"
    for column in COLUMNS:
        with rows_of_path(path, column) as rows:
            first_row, word = rows.first_row, rows.row_word
            columns.append(_without_guards(_values(rows), rows.guards, path.name))
    if len(columns[0]) != len(columns[1]):
        raise UsageError(f"{path.name} changed while it was read; nothing was selected; try again.")
    return list(zip(*columns, strict=True)), path.name, first_row, word


def _without_guards(values: list[object], guards: Guards | None, name: str) -> list[object]:
    """Take away the apostrophes that our exports put before ids.

    Raises
    ------
    UsageError
        Some are there that may be a part of the ids.
    """
    from tokenvault_data.collection.list_judgement import plain_cells

    plain = plain_cells(values, guards)
    if plain is not None:
        return plain
    raise UsageError(
        f"Ids of {name} begin with an apostrophe, which a spreadsheet may have put there; nothing"
        " was selected; give the list as it was exported, or as a Parquet file with the true ids."
    )


def _values(rows: Rows) -> list[object]:
    return [
        cast("object", value)
        for value in chain.from_iterable(
            chunk if isinstance(chunk, list) else chunk.to_pylist() for chunk in rows.chunks
        )
    ]


def _checked(
    pairs: list[tuple[object, object]], name: str, first_row: int, word: str
) -> tuple[tuple[str, str], ...]:
    kept: dict[tuple[str, str], None] = {}
    wrong: list[int] = []
    reason = ""
    for number, pair in enumerate(pairs, start=first_row):
        if all(isinstance(value, str) and not value.strip() for value in pair):
            continue  # an empty line
        judged = [judge_id(value) for value in pair]
        refused = next((one for one in judged if isinstance(one, RefusedId)), None)
        if refused is not None:
            wrong.append(number)
            reason = reason or refused.explanation
            continue
        kept[cast("tuple[str, str]", tuple(judged))] = None
    if wrong:
        rows = ", ".join(map(str, wrong[:_NAMED_ROWS])) + (", ..." * (len(wrong) > _NAMED_ROWS))
        raise UsageError(
            f"{len(wrong):,} of {len(pairs):,} cards of {name} cannot be asked for ({word} "
            f"{rows}): the first {reason}; nothing was selected; correct the list."
        )
    if not kept:
        raise UsageError(f"{name} names no card; nothing was selected; give another list.")
    return tuple(kept)
