"""The list of customers to collect: read from anywhere, checked before anything is requested."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.collection.customer_files import rows_of_path, rows_of_stream
from tokenvault_data.collection.customer_rows import (
    CHUNK_ROWS,
    FIRST_ROWS,
    MISFIT,
    CustomerRows,
    Dropped,
    sift,
)
from tokenvault_data.collection.customer_values import rows_of_values
from tokenvault_data.collection.list_judgement import HEADING, NO_ID, QUOTED
from tokenvault_data.errors import CustomerListError
from tokenvault_data.identifiers import Refusal
from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from tokenvault_data.collection.customer_rows import RowWord


_BY_ITS_LOOK: Final = frozenset({NO_ID, HEADING, QUOTED})
_MAY_BE: Final = ("ours", "unclear")  # guarded; values in memory and in Parquet never are
_MANY_MISFITS: Final = 0.05
_LOST_FORM: Final = frozenset({Refusal.NOT_TEXT, Refusal.DAMAGED_NUMBER})


class CustomerList:
    """Customer ids that can be requested, each once, in order; its repr shows none of them.

    Attributes
    ----------
    ids : pyarrow.StringArray
        The ids, without nulls.
    dropped : tuple of Dropped
        What was read and not kept, by reason, with the first row numbers.
    source : str
        Where the ids come from, in words.
    rows_read : int
        ``len(ids)`` plus all that was dropped.
    row_word : str
        What the rows are called, ``row`` or ``line``.
    rows : numpy.ndarray of int, optional
        In which row, counted as the user counts, each id was first read.
    unlike : Dropped or None
        Ids that are requested and look unlike nearly all others, with the first row numbers.
    notes : tuple of str
        What was changed of the ids as a whole, a sentence each.
    """

    def __init__(
        self,
        ids: pa.Array,
        dropped: tuple[Dropped, ...] = (),
        *,
        source: str = "the list",
        rows_read: int | None = None,
        row_word: RowWord = "row",
        rows: npt.NDArray[np.int64] | None = None,
        unlike: Dropped | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._rows = rows
        self.ids = ids
        self.dropped = dropped
        self.source = source
        self.rows_read = len(ids) if rows_read is None else rows_read
        self.row_word = row_word
        self.unlike = unlike
        self.notes = notes

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self.ids), CHUNK_ROWS):
            yield from self.ids.slice(start, CHUNK_ROWS).to_pylist()

    def __repr__(self) -> str:
        return (
            f"<CustomerList: {len(self):,} from {self.source}, {self._count_dropped():,} dropped>"
        )

    def row_of(self, position: int) -> int | None:
        """Return in which row the id at a 0-based position was read; None where nobody knows."""
        return None if self._rows is None else int(self._rows[position])

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the ids in order, each followed by a line feed; 64 hexadecimal digits."""
        sha256 = hashlib.sha256()
        for start in range(0, len(self.ids), CHUNK_ROWS):
            ids = self.ids.slice(start, CHUNK_ROWS)
            joined = pc.binary_join(pa.ListArray.from_arrays([0, len(ids)], ids), "\n")
            sha256.update(joined[0].as_buffer())
            sha256.update(b"\n")
        return sha256.hexdigest()

    def describe(self) -> str:
        """Say in one paragraph what was read and what was dropped; no id is quoted.

        Returns
        -------
        str
            For a screen or a log.
        """
        many = len(self) != 1
        text = (
            f"{len(self):,} customer{'s' if many else ''} from {self.rows_read:,} {self.row_word}s"
            f" of {self.source}."
        )
        text = " ".join([text, *self.notes])
        if self.unlike is not None:
            text += (
                f" Requested, though they look unlike the others:"
                f" {_describe_dropped(self.unlike, self.row_word)}; take them out if they are none"
                " of your customers."
            )
        if not self.dropped:
            return text
        parts = [_describe_dropped(dropped, self.row_word) for dropped in self.dropped]
        text = f"{text} Dropped, and not requested, {self._count_dropped():,}: {'; '.join(parts)}."
        if any(dropped.reason in _LOST_FORM for dropped in self.dropped):
            text += (
                " Read the ids as text from their source, in pandas with dtype=str, to keep all."
            )
        if any(dropped.reason in _BY_ITS_LOOK for dropped in self.dropped):
            text += (
                " If one of these is a customer, --as-written takes every line as it stands"
                " (in Python as_written=True)."
            )
        return text

    @property
    def notices(self) -> tuple[str, ...]:
        """What a snapshot of these customers has to say about the list; no id is quoted."""
        misfits = sum(one.count for one in self.dropped if one.reason == MISFIT)
        if misfits < _MANY_MISFITS * self.rows_read or not misfits:
            return ()
        said = (
            f"{misfits:,} of {self.rows_read:,} {self.row_word}s of the list"
            f" ({misfits / self.rows_read:.0%}) have more or fewer fields than its heading and were"
            " not requested: check the list."
        )
        return (said,)

    def _count_dropped(self) -> int:
        return sum(dropped.count for dropped in self.dropped)


def read_customers(
    source: object, *, column: str | None = None, guarded: bool = False, as_written: bool = False
) -> CustomerList:
    """Read, trim, check and de-duplicate a list of customer ids.

    Memory grows with the ids kept, by their bytes, and not with Python objects.

    Parameters
    ----------
    source : object
        The path of a text file (one id a line), CSV or Parquet file, each also gzipped; ``-`` or a
        binary stream, of the same content; a pandas, Polars or Arrow column or table; or any
        iterable of text, which is read once.
    column : str, optional
        The column of ids; by default the only one, or the one named ``customer_id`` or alike.
    guarded : bool
        Whether an apostrophe before an id in a text or CSV file was put there by a spreadsheet or
        an export, and is taken away. Our own files are known without.
    as_written : bool
        Whether everything in a file that can be requested is an id, as it stands: also what looks
        like a null word, a heading or a quote.

    Returns
    -------
    CustomerList
        What can be requested, and a summary of what was dropped.

    Raises
    ------
    CustomerListError
        When the source cannot be read, it is not clear which column is meant, the ids were read as
        numbers, or none is left.

    Examples
    --------
    >>> read_customers(["cust_1", " cust_2 ", "cust_1", ".."]).describe()  # doctest: +ELLIPSIS
    "2 customers from 4 rows of the list. Dropped, and not requested, 2: ..."
    """
    if isinstance(source, CustomerList):
        return source
    if guarded and as_written:
        raise CustomerListError(
            "Nothing was read: ids are either guarded or as written; leave one of the two out."
        )
    with _open_rows(source, column) as rows:
        sifted = sift(_read_as(rows, guarded=guarded, as_written=as_written))
    customers = CustomerList(
        sifted.ids,
        sifted.dropped,
        source=rows.described,
        rows_read=sifted.rows_read,
        row_word=rows.row_word,
        rows=sifted.rows,
        unlike=sifted.unlike,
        notes=sifted.notes,
    )
    if len(customers):
        return customers
    if not customers.rows_read:
        raise CustomerListError(f"Nothing was requested: {rows.described} holds no ids.")
    reasons = [dropped for dropped in sifted.dropped if dropped.explanation]
    worst = max(reasons, key=lambda dropped: dropped.count, default=None)
    hint = (
        f" The first of these, {rows.row_word} {worst.first_rows[0]}, {worst.explanation}."
        if worst
        else ""
    )
    raise CustomerListError(f"Nothing was requested: {customers.describe()}{hint}")


@contextmanager
def _open_rows(source: object, column: str | None) -> Iterator[CustomerRows]:
    if source == "-" if isinstance(source, str) else source is sys.stdin:
        with rows_of_stream(sys.stdin.buffer, "standard input", column) as rows:
            yield rows
    elif isinstance(source, (str, os.PathLike)):
        with rows_of_path(local_path(source), column) as rows:
            yield rows
    elif hasattr(source, "read") and not hasattr(source, "encoding"):
        stream = cast(IO[bytes], source)
        with rows_of_stream(stream, _name_of(stream), column) as rows:
            yield rows
    else:
        yield rows_of_values(source, column)


def _read_as(rows: CustomerRows, *, guarded: bool, as_written: bool) -> CustomerRows:
    if as_written:
        return replace(rows, guards=None)
    return replace(rows, guards="said") if guarded and rows.guards in _MAY_BE else rows


def _name_of(stream: IO[bytes]) -> str:
    name = getattr(stream, "name", None)  # a descriptor's is a number
    return Path(name).name if isinstance(name, str) else "the stream"


def _describe_dropped(dropped: Dropped, row_word: RowWord) -> str:
    rows = ", ".join(f"{row:,}" for row in dropped.first_rows)
    word = f"{row_word}{'s' if dropped.count > 1 else ''}"
    more = ", …" if dropped.count > FIRST_ROWS else ""
    return f"{dropped.count:,} {dropped.reason} ({word} {rows}{more})"
