"""CSV that says exactly what the table said, and can be read back equal.

UTF-8 with line feeds. Text is always quoted, so an empty text is ``""`` and a missing value is
nothing at all. Text that a spreadsheet would run is guarded (see `formula_guard`), names of columns
included. Dates are ISO 8601; instants too, in UTC with a ``Z``.
"""

from __future__ import annotations

import csv
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from tokenvault_data.dataset.formula_guard import ID_COLUMNS, guard, guard_ids, unguard
from tokenvault_data.errors import TokenVaultError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path


def write_csv(batches: Iterable[pa.RecordBatch], schema: pa.Schema, file: IO[bytes]) -> None:
    """Write batches as CSV, one at a time.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        All of `schema`.
    schema : pyarrow.Schema
        Names and types of the columns.
    file : binary file
        Where to.

    Raises
    ------
    UsageError
        When a column is of a type that CSV has no form for.
    """
    unfit = [field.name for field in schema if _written_type(field.type) is None]
    if unfit:
        raise UsageError(
            f"Nothing was written: CSV has no form for the columns {', '.join(unfit)} (lists,"
            " structures, bytes); leave them out or write .parquet."
        )
    names = guard(pa.array(schema.names, pa.string())).to_pylist()
    written = pa.schema(
        [(name, _written_type(field.type)) for name, field in zip(names, schema, strict=True)]
    )
    options = arrow_csv.WriteOptions(quoting_style="needed")  # text always, nothing else
    with arrow_csv.CSVWriter(file, written, write_options=options) as writer:
        for batch in batches:
            columns = [
                _written(column, guard_ids if field.name in ID_COLUMNS else guard)
                for column, field in zip(batch.columns, schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(columns, schema=written))


def column_names(path: Path) -> list[str]:
    """Read the names of the columns that `write_csv` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list of str
        In order.

    Raises
    ------
    TokenVaultError
        When the file does not begin with a line of names.
    """
    try:
        return _column_names(path)
    except (csv.Error, UnicodeDecodeError):
        raise _unreadable(path) from None


def read_csv(path: Path, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Read what `write_csv` wrote.

    Parameters
    ----------
    path : Path
        The file.
    types : mapping of str to pyarrow.DataType
        Types of columns by name; all others are read as text.

    Returns
    -------
    pyarrow.Table
        Equal to what was written, as far as `types` say so.

    Raises
    ------
    TokenVaultError
        When it is not such a file, or holds something that is not of the type given.
    """
    try:
        names = _column_names(path)
        # By position, because a file written elsewhere may repeat a name.
        places = [str(place) for place in range(len(names))]
        read_types = {
            place: _read_type(types.get(name, pa.string()))
            for place, name in zip(places, names, strict=True)
        }
        reading = arrow_csv.ReadOptions(column_names=places, skip_rows_after_names=1)
        parsing = arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
        converting = arrow_csv.ConvertOptions(
            column_types=read_types,
            null_values=[""],
            true_values=["true"],
            false_values=["false"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        with path.open("rb") as file:
            table = arrow_csv.read_csv(file, reading, parsing, converting)
    except (pa.ArrowInvalid, csv.Error, UnicodeDecodeError):
        raise _unreadable(path) from None
    columns = [
        _restored(column, types.get(name, pa.string()))
        for name, column in zip(names, table.columns, strict=True)
    ]
    return pa.table(columns, names=names)


def _column_names(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        guarded = next(csv.reader(file, strict=True), [])
    names: list[str] = unguard(pa.array(guarded, pa.string())).to_pylist()
    return names


def _unreadable(path: Path) -> TokenVaultError:
    # The reader's own words are left out: they quote cells, which may hold anybody's data.
    return TokenVaultError(
        f"{path} could not be read back: it is not well-formed CSV, or holds a value that is not of"
        " its column's type; export it again, or give the schema it was written with."
    )


def _is_text(arrow_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(arrow_type)
        or pa.types.is_large_string(arrow_type)
        or pa.types.is_string_view(arrow_type)
    )


def _written_type(arrow_type: pa.DataType) -> pa.DataType | None:
    """Tell as which type a column is given to the writer; None when CSV has no form for it."""
    if pa.types.is_dictionary(arrow_type):
        return _written_type(arrow_type.value_type)
    if _is_text(arrow_type) or pa.types.is_timestamp(arrow_type):
        return pa.string()
    is_plain = (
        pa.types.is_boolean(arrow_type)
        or pa.types.is_integer(arrow_type)
        or pa.types.is_floating(arrow_type)
        or pa.types.is_decimal(arrow_type)
        or pa.types.is_date(arrow_type)
        or pa.types.is_null(arrow_type)
    )
    return arrow_type if is_plain else None


def _written(column: pa.Array, guarding: Callable[[pa.Array], pa.Array]) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_text(column.type):
        return guarding(column.cast(pa.string()))
    if pa.types.is_timestamp(column.type):
        if column.type.tz is not None:
            column = column.cast(pa.timestamp(column.type.unit, "UTC"))
        return pc.replace_substring(column.cast(pa.string()), " ", "T", max_replacements=1)
    return column


def _read_type(arrow_type: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(arrow_type):
        return _read_type(arrow_type.value_type)
    if _is_text(arrow_type):
        return pa.string()
    if pa.types.is_timestamp(arrow_type) and arrow_type.tz is not None:
        return pa.timestamp(arrow_type.unit, "UTC")
    return arrow_type


def _restored(column: pa.ChunkedArray, arrow_type: pa.DataType) -> Any:
    if pa.types.is_string(column.type):
        column = unguard(column)
    if pa.types.is_dictionary(arrow_type):
        return column.cast(arrow_type.value_type).dictionary_encode().cast(arrow_type)
    return column.cast(arrow_type)
