"""Customer ids out of values in memory: lists, generators, pandas, NumPy, Arrow, Polars."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, cast

import pyarrow as pa

from tokenvault_data.collection.customer_rows import (
    CHUNK_ROWS,
    CustomerRows,
    choose_column,
    refuse_numbers,
)
from tokenvault_data.errors import CustomerListError


def rows_of_values(source: object, column: str | None) -> CustomerRows:
    """Read ids from a collection, column or table in memory.

    Parameters
    ----------
    source : object
        A pandas, Polars or Arrow column or table, a NumPy array, or any iterable; a set is taken
        in sorted order, so that the same set makes the same list.
    column : str or None
        The column of ids, for tables.

    Returns
    -------
    CustomerRows
        Its values.

    Raises
    ------
    CustomerListError
        When it is none of these, or a column of numbers.
    """
    if _is_pandas(source):
        return _rows_of_pandas(cast(Any, source), column)
    if isinstance(source, (pa.Array, pa.ChunkedArray)):
        return _rows_of_arrow(source, "the Arrow array", column)
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
        return _rows_of_capsule(cast(Any, source), column)
    _refuse_column(column, "the list")
    if hasattr(source, "dtype") and hasattr(source, "tolist"):
        return _rows_of_numpy(cast(Any, source))
    if isinstance(source, (bytes, bytearray, memoryview, dict)) or not isinstance(source, Iterable):
        raise CustomerListError(
            f"Nothing was read: customer ids cannot be taken from {type(source).__name__}; give a"
            " list of text, a column, or the path of a file."
        )
    values = sorted(source, key=str) if isinstance(source, (set, frozenset)) else source
    return CustomerRows("the list", _chunked(iter(values)))


def rows_of_batches(
    batches: Iterator[pa.Array], arrow_type: pa.DataType, described: str
) -> CustomerRows:
    """Read ids from Arrow arrays of one type.

    Parameters
    ----------
    batches : iterator of pyarrow.Array
        The values in order.
    arrow_type : pyarrow.DataType
        Their type.
    described : str
        What they are called in messages.

    Returns
    -------
    CustomerRows
        Their values, as text.

    Raises
    ------
    CustomerListError
        Unless the type is one of text.
    """
    rows = CustomerRows(described, _as_strings(batches))
    plain_type = arrow_type.value_type if pa.types.is_dictionary(arrow_type) else arrow_type
    is_text = (
        pa.types.is_string(plain_type)
        or pa.types.is_large_string(plain_type)
        or pa.types.is_string_view(plain_type)
        or pa.types.is_null(plain_type)
    )
    if is_text:
        return rows
    row = 1
    for batch in batches:
        if batch.null_count < len(batch):
            raise refuse_numbers(rows, str(plain_type), row + batch.is_valid().index(True).as_py())
        row += len(batch)
    raise refuse_numbers(rows, str(plain_type), 1)


def _as_strings(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
    for batch in batches:
        for start in range(0, len(batch), CHUNK_ROWS):
            yield batch.slice(start, CHUNK_ROWS).cast(pa.string())


def _rows_of_arrow(source: Any, described: str, column: str | None) -> CustomerRows:
    _refuse_column(column, described)
    chunks = source.chunks if isinstance(source, pa.ChunkedArray) else [source]
    return rows_of_batches(iter(chunks), source.type, described)


def _rows_of_capsule(source: Any, column: str | None) -> CustomerRows:
    described = f"the {type(source).__name__}"
    try:
        values = (
            pa.chunked_array(source) if hasattr(source, "__arrow_c_stream__") else pa.array(source)
        )
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise CustomerListError(
            f"Nothing was read: {described} cannot be taken as Arrow data"
            f" ({type(error).__name__}); give a list of text."
        ) from None
    if not pa.types.is_struct(values.type):
        return _rows_of_arrow(values, described, column)
    names = [values.type.field(at).name for at in range(values.type.num_fields)]
    at = choose_column(names, column, described=described)
    chunks = values.chunks if isinstance(values, pa.ChunkedArray) else [values]
    return rows_of_batches(
        (chunk.field(at) for chunk in chunks),
        values.type.field(at).type,
        f"{described}, column {names[at]!r}",
    )


def _is_pandas(source: object) -> bool:
    """Tell whether it is a pandas object, without importing pandas for one that is not."""
    return any(kind.__module__.partition(".")[0] == "pandas" for kind in type(source).__mro__)


def _rows_of_pandas(source: Any, column: str | None) -> CustomerRows:
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        names = [str(name) for name in source.columns]
        at = choose_column(names, column, described="the DataFrame")
        return _rows_of_series(source.iloc[:, at], f"the DataFrame, column {names[at]!r}")
    _refuse_column(column, f"the {type(source).__name__}")
    if not isinstance(source, pd.Series):
        source = pd.Series(source)
    named = "" if source.name is None else f" {source.name!r}"
    return _rows_of_series(source, f"the Series{named}")


def _rows_of_series(series: Any, described: str) -> CustomerRows:
    import pandas as pd

    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    pieces = (series.iloc[at : at + CHUNK_ROWS] for at in range(0, len(series), CHUNK_ROWS))
    if isinstance(series.dtype, pd.StringDtype):
        arrays = (pa.array(piece, pa.string(), from_pandas=True) for piece in pieces)
        return rows_of_batches(arrays, pa.string(), described)
    if isinstance(series.dtype, pd.ArrowDtype):
        arrow = pa.array(series)
        return _rows_of_arrow(arrow, described, None)
    rows = CustomerRows(described, (piece.tolist() for piece in pieces))
    if series.dtype != object and len(series):
        present = series.notna().to_numpy()
        first = int(present.argmax()) + 1
        raise refuse_numbers(rows, str(series.dtype), first)
    return rows


def _rows_of_numpy(array: Any) -> CustomerRows:
    rows = CustomerRows(
        "the array",
        (array[at : at + CHUNK_ROWS].tolist() for at in range(0, len(array), CHUNK_ROWS)),
    )
    if array.ndim != 1:
        raise CustomerListError("Nothing was read: the array of ids has more than one dimension.")
    if array.dtype.kind not in "OUT":
        raise refuse_numbers(rows, str(array.dtype), 1)
    return rows


def _refuse_column(column: str | None, described: str) -> None:
    if column is not None:
        raise CustomerListError(
            f"Nothing was read: {described} has no columns; leave out the column {column!r}."
        )


def _chunked(values: Iterator[object]) -> Iterator[list[object]]:
    while chunk := list(itertools.islice(values, CHUNK_ROWS)):
        yield chunk
