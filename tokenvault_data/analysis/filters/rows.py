"""Comparisons carried out on Arrow columns, and the rows that they can be carried out on."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.analysis.filters.columns import (
    ARROW_TYPES,
    Kind,
    close_matches,
    kind_of,
    kind_of_type,
)
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tokenvault_data.analysis.filters.columns import Value

Operator = Literal["<", "<=", ">", ">="]

OPERATORS: Final = ("<", "<=", ">", ">=")
"""The ways in which two values can be compared by order."""

_ORDERS: Final = dict(
    zip(OPERATORS, (pc.less, pc.less_equal, pc.greater, pc.greater_equal), strict=True)
)


def membership(column: Any, kind: Kind, members: Iterable[Value]) -> Any:
    """Return for each value of a column whether it is among `members`; null for a missing one."""

    def decide(array: pa.Array) -> pa.Array:
        array = _comparable(array, kind)
        found = pc.is_in(array, value_set=pa.array(members, array.type))
        return pc.if_else(pc.is_valid(array), found, pa.scalar(None, pa.bool_()))

    return _decided(column, decide)


def order(column: Any, kind: Kind, operator: Operator, value: Value) -> Any:
    """Return for each value of a column whether it stands so to `value`; null for a missing one."""

    def decide(array: pa.Array) -> pa.Array:
        array = _comparable(array, kind)
        return _ORDERS[operator](array, pa.scalar(value, array.type))

    return _decided(column, decide)


def check_columns(columns: Iterable[str], schema: pa.Schema) -> None:
    """Check that a table has each of these columns once, of its kind.

    Raises
    ------
    UsageError
        It has not.
    """
    for column in sorted(columns):
        count = len(schema.get_all_field_indices(column))
        if count != 1:
            what = "no column" if count == 0 else f"{count} columns named"
            hint = close_matches(column, schema.names) if count == 0 else ""
            raise UsageError(
                f"The table has {what} {column}; nothing was selected"
                f"{hint or '; use a table that has it once.'}"
            )
        found = schema.field(column).type
        if kind_of_type(found) is not kind_of(column) and not pa.types.is_null(found):
            raise UsageError(
                f"{column} of the table holds {found}, not {kind_of(column)}; nothing was "
                "selected; use the instruments table, or cast the column."
            )


def one_row(columns: Iterable[str], row: Mapping[str, object]) -> pa.RecordBatch:
    """Return the cells of one card as a batch of one row.

    Raises
    ------
    UsageError
        The row lacks a column, or holds something of another kind in it.
    """
    cells = {}
    for column in sorted(columns):
        if column not in row:
            raise UsageError(
                f"The row has no {column}; nothing was decided about it; a condition on it needs "
                "the column, with None where the value is missing."
            )
        _check_cell(column, row[column])
        try:
            cells[column] = pa.array([row[column]], ARROW_TYPES[kind_of(column)])
        except (pa.ArrowException, OverflowError, UnicodeEncodeError):
            raise UsageError(
                f"The row holds a value in {column} that no table could hold; nothing was decided "
                "about it; look at how the row was made."
            ) from None
    # A batch without columns has no rows, and a condition on no column has an answer all the same.
    return pa.record_batch(cells or {"": pa.nulls(1)})


def _check_cell(column: str, value: object) -> None:
    fits = {
        Kind.TEXT: isinstance(value, str),
        Kind.INTEGER: isinstance(value, int) and not isinstance(value, bool),
        Kind.DATE: isinstance(value, date) and not isinstance(value, datetime),
        Kind.INSTANT: isinstance(value, datetime) and value.tzinfo is not None,
    }
    kind = kind_of(column)
    if value is not None and not fits[kind]:
        raise UsageError(
            f"The row holds a {type(value).__name__} in {column}, a column of {kind}; nothing was "
            "decided about it; give it as the instruments table would hold it."
        )


def _decided(column: Any, decide: Callable[[pa.Array], pa.Array]) -> Any:
    if isinstance(column, pa.ChunkedArray):
        chunks = [_decided(chunk, decide) for chunk in column.chunks]
        return pa.chunked_array(chunks, pa.bool_())
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), pa.bool_())
    if pa.types.is_dictionary(column.type):
        return decide(column.dictionary).take(column.indices)
    return decide(column)


def _comparable(array: pa.Array, kind: Kind) -> pa.Array:
    """Return the array in a type in which the values of its kind can be looked for."""
    if kind is Kind.TEXT:
        return array.cast(pa.string()) if pa.types.is_string_view(array.type) else array
    try:
        return array.cast(ARROW_TYPES[kind])
    except pa.ArrowInvalid:
        raise UsageError(
            f"A column of {kind} holds values finer or greater than a condition can tell apart; "
            "nothing was selected; cast the column."
        ) from None
