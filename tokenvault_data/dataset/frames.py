"""The one door between Arrow and pandas, both ways.

Frames are what pandas' own readers give and its documentation describes: text is ``str``, dates
and instants are ``datetime64``, numbers are numpy's. The rest of the toolkit speaks Arrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.dataset.masked_ids import holds_text, id_array, is_identifying
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

_DAY = pa.timestamp("us")
"""What a date becomes: pandas has no type of its own for days."""

_WIDE = {True: pa.int64(), False: pa.uint64()}


@runtime_checkable
class ArrowStream(Protocol):
    """Anything that gives its rows as an Arrow stream: snapshots, tables, frames, queries."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the stream, as the Arrow PyCapsule interface says."""
        ...


def to_frame(table: pa.Table | pa.RecordBatch, *, ids: Collection[str] = ()) -> pd.DataFrame:
    """Turn a table into a DataFrame as people expect one.

    Parameters
    ----------
    table : pyarrow.Table or pyarrow.RecordBatch
    ids : collection of str
        Columns whose names do not say that they hold ids, and which do.

    Returns
    -------
    pandas.DataFrame
        With a RangeIndex. Text and dictionaries of it are ``str``; that of ids is displayed masked.
        Dates and instants are ``datetime64``, in their zone, NaT where missing. Numbers are
        ``int64`` or ``float64``, as wide as pandas computes with; whole ones and truth values of
        which some are missing are ``Int64`` and ``boolean``. Lists stay Arrow's.
    """
    columns = {
        place: _series(column, hidden=name in ids or is_identifying(name))
        for place, (name, column) in enumerate(zip(table.schema.names, table.columns, strict=True))
    }
    frame = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))
    frame.columns = pd.Index(table.schema.names, dtype="str")
    return frame


def _series(column: pa.Array | pa.ChunkedArray, *, hidden: bool) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_decimal(kind):
        column = _number(column)
    elif pa.types.is_integer(kind):
        column = column.cast(_WIDE[pa.types.is_signed_integer(kind)])
    elif pa.types.is_floating(kind):
        column = column.cast(pa.float64())
    elif pa.types.is_date(kind):
        return _days(column)
    elif pa.types.is_nested(kind) or holds_text(kind):
        if hidden:
            return id_array(column)
        if pa.types.is_nested(kind):
            return pd.arrays.ArrowExtensionArray(column)
    dtype = _dtype(column)
    return column.to_pandas(types_mapper=lambda _: dtype)


def _dtype(column: pa.Array | pa.ChunkedArray) -> Any:
    """Return the dtype where it is not the one that Arrow takes by itself."""
    if holds_text(column.type):
        return pd.StringDtype("pyarrow", na_value=float("nan"))
    if column.null_count and pa.types.is_integer(column.type):
        return pd.Int64Dtype() if pa.types.is_signed_integer(column.type) else pd.UInt64Dtype()
    if column.null_count and pa.types.is_boolean(column.type):
        return pd.BooleanDtype()
    return None


def _number(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return decimals, which a sum in SQL is, as numbers to compute with."""
    if column.type.scale == 0:
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid:  # more than 64 bits hold
            pass
    return column.cast(pa.float64())


def _days(column: pa.Array | pa.ChunkedArray) -> Any:
    try:
        return column.cast(_DAY).to_pandas()
    except pa.ArrowInvalid:  # SQL's infinity
        return pd.arrays.ArrowExtensionArray(column)


def to_table(frame: pd.DataFrame) -> pa.Table:
    """Turn a DataFrame into a table, as a file or an analysis takes it.

    Parameters
    ----------
    frame : pandas.DataFrame

    Returns
    -------
    pyarrow.Table
        Of the columns, behind the levels of the index that have a name; what a filter left of an
        index is no column. Times without a zone are dates where all of them are midnights.
    """
    levels = list(frame.index.names)
    left_out = [place for place, name in enumerate(levels) if name is None or name in frame.columns]
    if len(left_out) < len(levels):
        frame = frame.reset_index(level=left_out, drop=True) if left_out else frame
        frame = frame.reset_index()
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowException, ValueError, TypeError):
        raise UsageError(
            f"The DataFrame cannot be read as a table: {_unreadable(frame)}; nothing was done;"
            " rename or convert them."
        ) from None
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_timestamp(field.type) and field.type.tz is None and _are_days(column):
            table = table.set_column(place, field.name, column.cast(pa.date32()))
        elif pa.types.is_large_string(field.type):
            table = table.set_column(place, field.name, column.cast(pa.string()))
    return table


def _unreadable(frame: pd.DataFrame) -> str:
    """Say what Arrow does not take; a label that the schema does not know may be an id."""
    for place, name in enumerate(frame.columns):
        try:
            pa.array(frame.iloc[:, place], from_pandas=True)
        except (pa.ArrowException, ValueError, TypeError):
            known = f"its column {name}" if name in INSTRUMENTS.names else "one of its columns"
            return f"{known} holds values of several types"
    return "it has two columns of one name"


def _are_days(column: pa.ChunkedArray) -> bool:
    whole_days = pc.equal(pc.floor_temporal(column, unit="day"), column)
    return pc.all(whole_days).as_py() is not False


def read_stream(source: Any) -> pa.RecordBatchReader:
    """Read what gives an Arrow stream; a DataFrame as `to_table` turns it.

    Parameters
    ----------
    source : object with ``__arrow_c_stream__``
    """
    if isinstance(source, pd.DataFrame):
        return to_table(source).to_reader()
    return pa.RecordBatchReader.from_stream(source)
