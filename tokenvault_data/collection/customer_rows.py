"""Sifting: of all values read, the ids that can be requested, and a count of the others.

Values pass in chunks. Plainly good ones are recognised in C++, a whole chunk at once; only the odd
rest is judged one by one. What is kept is Arrow text and the rows' numbers, so a million ids take
their bytes and twelve more each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.collection.list_judgement import (
    HEADING,
    UNLIKE,
    Guards,
    is_name,
    judge_list,
    shown_names,
)
from tokenvault_data.collection.our_files import is_our_result
from tokenvault_data.dataset.formula_guard import GUARD
from tokenvault_data.errors import CustomerListError
from tokenvault_data.identifiers import (
    DAMAGED_ID,
    MAX_ID_BYTES,
    PLAIN_ID_SIGN,
    Refusal,
    RefusedId,
    judge_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


OBVIOUS_NAMES: Final = (
    "customerid",
    "customerids",
    "custid",
    "custids",
    "customer",
)
"""Names that can only mean this, best first, in the spelling of `_plain_name`.

Beside other columns, ``customers`` is a count of them.
"""

_LIST_HEADINGS: Final = (*OBVIOUS_NAMES, "customers", "id", "ids")
_NEVER_VALUES: Final = frozenset(("customerid", "customerids", "custid", "custids"))
_SHOWN_COLUMNS: Final = 20
_HAS_DIGIT: Final = re.compile("[0-9]").search


def choose_column(names: Sequence[str], wanted: str | None, *, described: str) -> int:
    """Choose the column of customer ids.

    Parameters
    ----------
    names : sequence of str
        Names of all columns, in order.
    wanted : str or None
        The name asked for; case and surrounding white space matter only if they have to.
    described : str
        What the table is called in errors.

    Returns
    -------
    int
        0-based position of the column.

    Raises
    ------
    CustomerListError
        When it is not there, there twice, or not obvious; the message names the columns, but for
        names that may be ids, because a file without a heading has ids there.
    """
    if wanted is not None:
        found = [at for at, name in enumerate(names) if name == wanted] or [
            at for at, name in enumerate(names) if name.strip().lower() == wanted.strip().lower()
        ]
        if len(found) == 1:
            return found[0]
        problem = f"has no column {wanted!r}" if not found else f"has several columns {wanted!r}"
        raise CustomerListError(f"Nothing was read: {described} {problem}; {_listing(names)}.")
    if not names:
        raise CustomerListError(f"Nothing was read: {described} is empty; it holds no ids.")
    if len(names) == 1:
        return 0
    for obvious in OBVIOUS_NAMES:
        found = [at for at, name in enumerate(names) if _plain_name(name) == obvious]
        if len(found) == 1:
            return found[0]
    if is_our_result(names):
        raise CustomerListError(
            f"Nothing was read: {described} is a table of results without customer ids;"
            f" {_listing(names)}. Give a file with a"
            " column customer_id, as export writes it; if another column holds them, name it with"
            " --column, in Python with column=."
        )
    raise CustomerListError(
        f"Nothing was read, because it is not obvious which column of {described} holds the"
        f" customer ids; {_listing(names)}; name one with --column, in Python with column=."
    )


def is_list_heading(text: str) -> bool:
    """Tell whether the first line of a plain list is a heading such as ``customer_id``."""
    return _plain_name(text) in _LIST_HEADINGS


def is_column_heading(text: str) -> bool:
    """Tell whether a text can only be the name of a column."""
    return is_list_heading(text) or is_name(text)


def is_another_heading(row: Sequence[str], heading: Sequence[str], at: int) -> bool:
    """Tell whether a row below a heading is one, too, of a table with its ids elsewhere.

    Parameters
    ----------
    row : sequence of str
    heading : sequence of str
        The first one.
    at : int
        The column of ids in it.
    """
    width = len(heading)
    # Hardly a row gets further: its id has a digit.
    if len(row) == width and _HAS_DIGIT(row[at]):
        return False
    # An apostrophe says that it is an id.
    names = ["" if name.startswith(GUARD) else _plain_name(name) for name in row]
    known = [_plain_name(name) for name in heading]
    if len(row) == width:
        is_same_place = names[at] == known[at] or names[at] in _NEVER_VALUES
        if is_same_place or width == 1:
            return False
        if sorted(row) == sorted(heading) or (known[at] and sorted(names) == sorted(known)):
            return True
    if not _NEVER_VALUES.isdisjoint(names):
        return True
    return bool(known[at]) and known[at] in names and all(map(is_column_heading, filter(None, row)))


def _plain_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _listing(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_COLUMNS
    listing = f"its columns are {shown_names(names[:_SHOWN_COLUMNS])}"
    listing += f" and {more} more" if more > 0 else ""
    if not any(map(is_column_heading, names)):
        listing += " (if its first line is no heading, put one above it)"
    return listing


CHUNK_ROWS: Final = 65_536
"""Values looked at together: enough for C++ to pay, and a few megabytes."""

FIRST_ROWS: Final = 5
"""How many row numbers are kept for each reason."""

DUPLICATE: Final = "duplicate"
MISFIT: Final = "row with more or fewer fields than the heading"

_IN_TYPOGRAPHIC_QUOTES: Final = re.compile(
    "[\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"
    "\N{DOUBLE LOW-9 QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}"
    "\N{RIGHT SINGLE QUOTATION MARK}\N{SINGLE LOW-9 QUOTATION MARK}"
    "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}]"
    "(.*)"
    "[\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"
    "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
    "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}]"
).fullmatch

RowWord = Literal["row", "line"]


class RejectedRow:
    """Stands for a row whose fields cannot be told apart."""


@dataclass(frozen=True, slots=True)
class CustomerRows:
    """Values of a source, as they are read.

    Attributes
    ----------
    described : str
        What they are, for messages: ``ids.csv, column 'customer_id'``.
    chunks : iterator of list or pyarrow.Array
        The values in order; text arrays, or lists of anything.
    first_row : int
        Number of the first value as the user counts, 1 at least.
    row_word : str
        What the user calls it, ``row`` or ``line``.
    heading_rows : tuple of int
        Rows before the first value that were taken as a heading of a list.
    guards : Guards or None
        Whether the texts of a file carry apostrophes of an export; None for values that are no
        file's, and for files of our own that need none: these are ids as they stand.
    heading : str or None
        Text of the heading, which is no id where it is repeated.
    heading_row : int or None
        Row of the first text, where it may be a heading or an id.
    """

    described: str
    chunks: Iterator[list[Any] | pa.Array]
    first_row: int = 1
    row_word: RowWord = "row"
    heading_rows: tuple[int, ...] = ()
    guards: Guards | None = None
    heading: str | None = None
    heading_row: int | None = None


@dataclass(slots=True)
class Dropped:
    """Values that were not kept, for one reason.

    Attributes
    ----------
    reason : str
        A value of `identifiers.Refusal`, or one of `DUPLICATE`, `MISFIT`, `HEADING`.
    count : int
        How many.
    first_rows : list of int
        Numbers of the first few rows.
    explanation : str
        What is wrong with the first one and what to do; empty when the reason says it all.
    """

    reason: str
    count: int = 0
    first_rows: list[int] = field(default_factory=list)
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class CheckedCustomers:
    """The outcome of sifting.

    Attributes
    ----------
    ids : pyarrow.StringArray
        What can be requested: trimmed, each once, in order.
    dropped : tuple of Dropped
        Everything else, by reason.
    rows_read : int
        ``len(ids)`` plus all that was dropped.
    rows : numpy.ndarray of int
        In which row, counted as the user counts, each id was first read.
    unlike : Dropped or None
        Ids that were kept and look unlike nearly all others.
    notes : tuple of str
        What was changed of all ids, a sentence each.
    """

    ids: pa.Array
    dropped: tuple[Dropped, ...]
    rows_read: int
    rows: npt.NDArray[np.int64]
    unlike: Dropped | None = None
    notes: tuple[str, ...] = ()


def sift(rows: CustomerRows) -> CheckedCustomers:
    """Read all values and keep those that can be requested.

    Parameters
    ----------
    rows : CustomerRows
        The values; read once, to the end.

    Returns
    -------
    CheckedCustomers
        Kept ids and counts of the others.

    Raises
    ------
    CustomerListError
        When the values are numbers and not text.
    """
    sieve = _Sieve(rows)
    for chunk in rows.chunks:
        sieve.add(chunk)
    return sieve.finish()


def refuse_numbers(rows: CustomerRows, kind: str, row: int) -> CustomerListError:
    """Return the error for a column of numbers where ids should be.

    Parameters
    ----------
    rows : CustomerRows
        Where it was found.
    kind : str
        Type of the values, as the user knows it.
    row : int
        Number of the first such row.

    Returns
    -------
    CustomerListError
        To be raised.
    """
    return CustomerListError(
        f"Nothing was requested: {rows.described} holds {kind} values, not text, first in"
        f" {rows.row_word} {row}, so leading zeros or digits of the ids may be lost; read the ids"
        " as text from their source, in pandas with dtype=str."
    )


_REFUSED: Final = -1


class _Sieve:
    def __init__(self, rows: CustomerRows) -> None:
        self._rows = rows
        self._next_row = rows.first_row
        self._kept: list[pa.Array] = []
        self._kept_rows: list[npt.NDArray[np.int64]] = []
        self._dropped: dict[str, Dropped] = {}
        self._number_kind = ""
        for row in rows.heading_rows:
            self._drop(HEADING, row)

    def add(self, values: list[Any] | pa.Array) -> None:
        first_row = self._next_row
        self._next_row += len(values)
        texts = values if isinstance(values, pa.Array) else _as_text(values)
        if texts is None:
            odd_at = np.arange(len(values))
            odd = values
            kept = pa.nulls(len(values), pa.string())
        else:
            kept = pc.ascii_trim_whitespace(texts)
            odd_at = np.flatnonzero(~_plainly_good(kept))
            odd = texts.take(pa.array(odd_at)).to_pylist() if len(odd_at) else []
        if len(odd_at):
            judged = [
                self._judge(value, first_row + at)
                for value, at in zip(odd, odd_at.tolist(), strict=True)
            ]
            is_odd = np.zeros(len(kept), dtype=bool)
            is_odd[odd_at] = True
            kept = pc.replace_with_mask(kept, pa.array(is_odd), pa.array(judged, pa.string()))
        is_kept = kept.is_valid().to_numpy(zero_copy_only=False)
        self._kept.append(kept.drop_null())
        self._kept_rows.append(first_row + np.flatnonzero(is_kept))

    def finish(self) -> CheckedCustomers:
        if self._number_kind and not any(map(len, self._kept)):
            # Not a single text among them: the column as a whole was read as numbers.
            first = self._dropped[Refusal.NOT_TEXT].first_rows[0]
            raise refuse_numbers(self._rows, self._number_kind, first)
        kept = pa.chunked_array(self._kept, pa.string())
        unlike: Dropped | None = None
        notes: tuple[str, ...] = ()
        if self._rows.guards is not None and len(kept):
            kept, unlike, notes = self._judge_as_a_whole(kept, self._rows.guards)
        encoded = pc.dictionary_encode(kept).combine_chunks() if len(kept) else None
        ids = kept.combine_chunks() if encoded is None else encoded.dictionary
        rows = np.concatenate([np.zeros(0, np.int64), *self._kept_rows])
        if len(ids) < len(kept) and encoded is not None:
            codes = encoded.indices.to_numpy()
            # Codes are given in order of first appearance, so only a new id exceeds all before.
            is_again = codes[1:] <= np.maximum.accumulate(codes)[:-1]
            again = rows[1:][is_again]
            rows = rows[np.concatenate([[True], ~is_again])]
            self._dropped[DUPLICATE] = Dropped(DUPLICATE, len(again), again[:FIRST_ROWS].tolist())
        rows_read = self._next_row - self._rows.first_row + len(self._rows.heading_rows)
        return CheckedCustomers(ids, tuple(self._dropped.values()), rows_read, rows, unlike, notes)

    def _judge_as_a_whole(
        self, kept: pa.ChunkedArray, guards: Guards
    ) -> tuple[pa.ChunkedArray, Dropped | None, tuple[str, ...]]:
        rows = np.concatenate(self._kept_rows)
        encoded = pc.dictionary_encode(kept).combine_chunks()
        codes = encoded.indices.to_numpy()
        judged = judge_list(
            encoded.dictionary,
            guards=guards,
            heading_may_be_first=self._rows.heading_row == rows[0],
            described=self._rows.described,
        )
        if self._rows.heading is not None:
            heading = pc.equal(
                pc.utf8_lower(encoded.dictionary), self._rows.heading.strip().lower()
            ).to_numpy(zero_copy_only=False)
            judged.reason[heading] = judged.reasons.index(HEADING) + 1
        if (
            judged.notes
        ):  # what stood in quotes, or behind an apostrophe, is judged for the first time
            doubtful = np.flatnonzero((judged.reason == 0) & ~_plainly_good(judged.ids))
            for at, text in zip(
                doubtful.tolist(), judged.ids.take(pa.array(doubtful)).to_pylist(), strict=True
            ):
                for row in rows[codes == at].tolist():
                    if self._judge(text, row) is None:
                        judged.reason[at] = _REFUSED
        reason = judged.reason[codes]
        for place, words in enumerate(judged.reasons, start=1):
            for row in rows[reason == place].tolist():
                self._drop(words, row)
        unlike = None
        where = rows[judged.unlike[codes] & (reason == 0)]
        if len(where):
            unlike = Dropped(UNLIKE, len(where), where[:FIRST_ROWS].tolist())
        is_id = reason == 0
        self._kept_rows = [rows[is_id]]
        ids = judged.ids.take(pa.array(codes[is_id]))
        return pa.chunked_array([ids], pa.string()), unlike, judged.notes

    def _judge(self, value: object, row: int) -> str | None:
        if isinstance(value, RejectedRow):
            self._drop(MISFIT, row)
            return None
        judged = judge_id(self._in_plain_quotes(value))
        if not isinstance(judged, RefusedId):
            return judged
        if judged.reason is Refusal.NOT_TEXT and not self._number_kind:
            self._number_kind = type(value).__name__
        self._drop(judged.reason, row, judged.explanation)
        return None

    def _in_plain_quotes(self, value: object) -> object:
        """Put an id of a file that stands in typographic quotes into `'...'`, which are judged."""
        if self._rows.guards in (None, "none") or not isinstance(value, str):
            return value
        found = _IN_TYPOGRAPHIC_QUOTES(value.strip())
        return value if found is None else f"'{found[1]}'"

    def _drop(self, reason: str, row: int, explanation: str = "") -> None:
        dropped = self._dropped.get(reason)
        if dropped is None:
            dropped = self._dropped[reason] = Dropped(reason, explanation=explanation)
        dropped.count += 1
        if len(dropped.first_rows) < FIRST_ROWS:
            dropped.first_rows.append(row)


def _as_text(values: list[Any]) -> pa.Array | None:
    """Turn a list into Arrow text; None when something in it is no text, or broken text."""
    if not set(map(type, values)) <= {str, type(None)}:
        return None
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # half a character
        return None


def _plainly_good(trimmed: pa.Array) -> npt.NDArray[np.bool_]:
    looks_plain = pc.match_substring_regex(trimmed, rf"\A{PLAIN_ID_SIGN}+\z")
    is_damaged = pc.match_substring_regex(trimmed, rf"\A(?:{DAMAGED_ID})\z")
    is_short = pc.less_equal(pc.binary_length(trimmed), MAX_ID_BYTES)
    good = pc.and_(pc.and_not(looks_plain, is_damaged), is_short)
    found: npt.NDArray[np.bool_] = pc.fill_null(good, False).to_numpy(zero_copy_only=False)
    return found
