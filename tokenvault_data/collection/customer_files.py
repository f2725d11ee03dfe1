"""Customer ids out of files and streams: plain lists, CSV, Parquet; also gzipped, also UTF-16.

What a file is, is told by its first bytes; a name ending in ``.csv`` or ``.tsv`` only settles that
a file of one column is CSV. In a plain list every line is one id, and nothing is a comment: ``#``
does not occur in ids, so a line that holds it is dropped and counted like any other bad one.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import re
import zlib
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Final, cast

from tokenvault_data.collection.customer_rows import (
    CHUNK_ROWS,
    CustomerRows,
    RejectedRow,
    choose_column,
    is_another_heading,
    is_column_heading,
    is_list_heading,
)
from tokenvault_data.collection.customer_values import rows_of_batches
from tokenvault_data.collection.our_files import is_our_heading
from tokenvault_data.dataset.schema import TABLE_KEY, WRITTEN_KEY
from tokenvault_data.errors import CustomerListError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _typeshed import WriteableBuffer

HEAD_BYTES: Final = 65_536
"""How much is looked at to tell what a file is; a first line longer than this is no line."""

_DELIMITERS: Final = ",;\t|"
_CSV_SUFFIXES: Final = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_SEPARATOR: Final = re.compile(r'"?[sS][eE][pP]=(\\t|.?)"?').fullmatch
_misfit = RejectedRow()


@contextmanager
def rows_of_path(path: Path, column: str | None) -> Iterator[CustomerRows]:
    """Open a file of customer ids.

    Parameters
    ----------
    path : Path
        A text, CSV or Parquet file.
    column : str or None
        The column of ids, for tables.

    Yields
    ------
    CustomerRows
        Its values, to be read before the file is closed.

    Raises
    ------
    CustomerListError
        When it cannot be opened, or read as what it is.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        hint = "" if path.parent.exists() and path.suffix else "; a single id goes into a list"
        raise CustomerListError(
            f"Nothing was read: {path} cannot be opened ({error.strerror}){hint}."
        ) from None
    with file, _read_errors(path.name):
        yield _rows_of_bytes(file, path.name, column)


@contextmanager
def rows_of_stream(stream: IO[bytes], name: str, column: str | None) -> Iterator[CustomerRows]:
    """Read customer ids from a binary stream, such as standard input.

    Parameters
    ----------
    stream : binary file
        Anything with ``read``; it is not closed.
    name : str
        What it is called in messages.
    column : str or None
        The column of ids, for tables.

    Yields
    ------
    CustomerRows
        Its values.

    Raises
    ------
    CustomerListError
        When it cannot be read as what it is.
    """
    with _read_errors(name):
        yield _rows_of_bytes(stream, name, column)


@contextmanager
def _read_errors(name: str) -> Iterator[None]:
    """Say in the user's words what a reader found wrong; none of these quote the content."""
    import pyarrow as pa

    try:
        yield
    except (gzip.BadGzipFile, zlib.error, EOFError):
        raise CustomerListError(
            f"Nothing was requested: {name} is cut off or damaged; copy it again."
        ) from None
    except UnicodeError:
        raise CustomerListError(
            f"Nothing was requested: {name} is not the UTF-16 text it begins as; save it as UTF-8."
        ) from None
    except OSError as error:
        if isinstance(error, pa.ArrowException):
            raise CustomerListError(f"Nothing was requested: {name} is damaged.") from None
        raise CustomerListError(
            f"Nothing was requested: {name} cannot be read ({error.strerror or error})."
        ) from None
    except pa.ArrowException:
        raise CustomerListError(
            f"Nothing was requested: {name} begins like a Parquet file and cannot be read as one;"
            " write it again."
        ) from None


def columns_of(stream: IO[bytes], name: str) -> tuple[str, ...]:
    """Name the columns of a table, as they stand in it; none of a plain list.

    Of a CSV file without a heading these are its first values: see `is_column_heading`.

    Raises
    ------
    CustomerListError
        When it cannot be read as what it is.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _read_errors(name):
        head, whole = _unpacked(stream)
        if head.startswith(b"PAR1"):
            return tuple(pq.ParquetFile(pa.py_buffer(whole.read())).schema_arrow.names)
        first_line, separator = _first_line(head, _encoding(head, name), name)
    if separator is None and not any(sign in first_line for sign in _DELIMITERS):
        return ()
    delimiter = separator or _delimiter(first_line, None)
    fields = next(csv.reader([first_line], delimiter=delimiter), [])
    return tuple(field.strip() for field in fields) if any(fields[1:]) else ()


def _unpacked(stream: IO[bytes]) -> tuple[bytes, IO[bytes]]:
    head, whole = _with_head(stream)
    if head.startswith(b"\x1f\x8b"):
        return _with_head(cast(IO[bytes], gzip.GzipFile(fileobj=whole)))
    return head, whole


def _rows_of_bytes(stream: IO[bytes], name: str, column: str | None) -> CustomerRows:
    head, whole = _unpacked(stream)
    if head.startswith(b"PAR1"):
        return _rows_of_parquet(whole, name, column)
    if head.startswith(b"PK\x03\x04"):
        raise CustomerListError(
            f"Nothing was read: {name} is a workbook or archive; save the sheet as CSV."
        )
    encoding = _encoding(head, name)
    first_line, separator = _first_line(head, encoding, name)
    text = io.TextIOWrapper(whole, encoding, errors="surrogateescape", newline="")
    is_csv = column is not None or name.lower().endswith(_CSV_SUFFIXES)
    is_csv = is_csv or first_line.startswith('"') or separator is not None
    if is_csv or any(sign in first_line for sign in _DELIMITERS):
        return _rows_of_csv(text, first_line, separator, name, column)
    return _rows_of_lines(text, first_line, name)


def _rows_of_parquet(whole: IO[bytes], name: str, column: str | None) -> CustomerRows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Parquet is read from its end, which a pipe does not have.
    file = pq.ParquetFile(pa.py_buffer(whole.read()))
    at = choose_column(file.schema_arrow.names, column, described=name)
    chosen = file.schema_arrow.field(at)
    if pa.types.is_nested(chosen.type):
        raise CustomerListError(f"Nothing was read: column {chosen.name!r} of {name} is nested.")
    batches = file.iter_batches(CHUNK_ROWS, columns=[chosen.name])
    rows = rows_of_batches(
        (batch.column(0) for batch in batches), chosen.type, f"{name}, column {chosen.name!r}"
    )
    is_ours = bool({TABLE_KEY, WRITTEN_KEY} & set(file.schema_arrow.metadata or {}))
    return rows if is_ours else replace(rows, guards="none")


def _rows_of_lines(text: io.TextIOWrapper, first_line: str, name: str) -> CustomerRows:
    text.reconfigure(newline=None)
    blank = list(itertools.takewhile(lambda line: not line.strip(), text))
    first_row = len(blank) + 1
    if is_list_heading(first_line):
        return CustomerRows(
            name,
            _chunked(text),
            first_row + 1,
            "line",
            (first_row,),
            guards="unclear",
            heading=first_line,
        )
    lines = itertools.chain(blank, [first_line] if first_line.strip() else [], text)
    return CustomerRows(
        name, _chunked(lines), row_word="line", guards="unclear", heading_row=first_row
    )


def _rows_of_csv(
    text: io.TextIOWrapper, first_line: str, separator: str | None, name: str, column: str | None
) -> CustomerRows:
    delimiter = separator or _delimiter(first_line, column)
    rows = _csv_rows(csv.reader(text, delimiter=delimiter, strict=True), name)
    heading_row, heading = next(
        (
            (at, row)
            for at, row in enumerate(rows, start=1)
            if any(row) and not (separator and _separator("".join(row)) is not None)
        ),
        (1, []),
    )
    if heading and not any(heading[1:]):
        heading, rows = heading[:1], map(_without_empty_end, rows)
    if len(heading) == 1 and column is None and not is_column_heading(heading[0]):
        return CustomerRows(
            f"{name}, one column",
            _chunked(_cells(itertools.chain([heading], rows), 0, 1)),
            first_row=heading_row,
            guards="unclear",
            heading_row=heading_row,
        )
    names = [cell.strip() for cell in heading]
    at = choose_column(names, column, described=name)
    shown = repr(names[at]) if column is not None or is_column_heading(names[at]) else f"{at + 1}"
    return CustomerRows(
        f"{name}, column {shown}",
        _chunked(_cells(_without_other_order(rows, heading, at, name), at, len(heading))),
        first_row=heading_row + 1,
        guards="ours" if is_our_heading(first_line, names) else "unclear",
        heading=names[at],
    )


def _without_empty_end(row: list[str]) -> list[str]:
    """Take away the empty fields behind a lone one: a comma at the end of every line."""
    return row if any(row[1:]) else row[:1]


def _without_other_order(
    rows: Iterator[list[str]], heading: list[str], at: int, name: str
) -> Iterator[list[str]]:
    """Give rows on, and stop where a second file with other columns was put below the first."""
    for row in rows:
        if row != heading and row and is_another_heading(row, heading, at):
            raise CustomerListError(
                f"Nothing was requested: {name} has a second heading, with other columns or in"
                " another order, so the ids below it are in another column; give the two lists"
                " apart."
            )
        yield row


def _csv_rows(reader: Iterator[list[str]], name: str) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error:
        line = getattr(reader, "line_num", 0)
        raise CustomerListError(
            f"Nothing was requested: {name} is not well-formed CSV at or before line {line}, where"
            " a quote is not closed, or closed in the middle of a field; write the file again."
        ) from None


def _cells(rows: Iterator[list[str]], at: int, width: int) -> Iterator[object]:
    for row in rows:
        if len(row) == width:
            yield row[at]
        else:
            yield _misfit if row else ""


def _chunked(values: Iterator[object]) -> Iterator[list[object]]:
    while chunk := list(itertools.islice(values, CHUNK_ROWS)):
        yield chunk


def _encoding(head: bytes, name: str) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head[:1024]:
        raise CustomerListError(
            f"Nothing was read: {name} holds zero bytes and is no UTF-8 text; save it as CSV or"
            " text in UTF-8."
        )
    return "utf-8-sig"


def _first_line(head: bytes, encoding: str, name: str) -> tuple[str, str | None]:
    """Return the first line, and the separator that Excel's line ``sep=;`` above it names."""
    # Cut to whole UTF-16 units; what is broken at the cut does not matter for a look.
    text = head[: len(head) // 2 * 2].decode(
        encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace"
    )
    first_line, rest = _split_line(text)
    separator = _separator(first_line)
    if separator is not None:
        first_line, _ = _split_line(rest)
    if len(head) >= HEAD_BYTES and len(first_line) >= HEAD_BYTES // 4:
        raise CustomerListError(
            f"Nothing was read: {name} begins with a line of more than {HEAD_BYTES // 4:,}"
            " characters; write one id a line."
        )
    if first_line.lstrip().startswith(("[", "{")):
        raise CustomerListError(
            f"Nothing was read: {name} looks like JSON; write one id a line, or CSV."
        )
    return first_line, separator


def _split_line(text: str) -> tuple[str, str]:
    line, _, rest = text.lstrip("\r\n").replace("\r", "\n").partition("\n")
    return line, rest


def _separator(line: str) -> str | None:
    found = _SEPARATOR(line)
    return None if found is None else found[1].replace("\\t", "\t") or " "


def _delimiter(first_line: str, column: str | None) -> str:
    """Choose what gives the first line the most fields, or the field that is asked for."""

    def fields(delimiter: str) -> list[str]:
        return next(csv.reader([first_line], delimiter=delimiter), [])

    return max(
        _DELIMITERS,
        key=lambda sign: (column is not None and column in fields(sign), len(fields(sign))),
    )


class _WithHead(io.RawIOBase):
    """A stream of which a piece was read already, from its beginning again."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        super().__init__()
        self._head = io.BytesIO(head)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        piece = self._head.read(len(view)) or self._rest.read(len(view))
        view[: len(piece)] = piece
        return len(piece)


def _with_head(stream: IO[bytes]) -> tuple[bytes, IO[bytes]]:
    head = b""
    while len(head) < HEAD_BYTES:
        piece = stream.read(HEAD_BYTES - len(head))
        if not isinstance(piece, bytes):
            raise CustomerListError("Nothing was read: open the stream in binary mode.")
        if not piece:
            break
        head += piece
    return head, io.BufferedReader(_WithHead(head, stream), HEAD_BYTES)
