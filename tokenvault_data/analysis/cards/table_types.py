"""Tables from outside with the types of the schema: what `read_csv`, Excel or a query made of them.

This is the only place that knows what other programs turn our columns into. Behind it every
analysis reads exactly the types of `INSTRUMENTS`.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.dataset.schema import CATEGORY, INSTANT, INSTRUMENTS
from tokenvault_data.errors import UsageError

_DAY: Final = r"^\d{4}-\d{2}-\d{2}([ T]00:00(:00(\.0+)?)?)?$"
_INSTANT: Final = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}"
_ZONE: Final = r"(Z|[+-]\d{2}(:?\d{2})?)$"
_FIRST_DAY: Final = "0001-01-01"
_LAST_DAY: Final = "9999-12-31"


class _NotReadableError(Exception):
    """A column holds something else; the words say what it should hold."""


def with_schema_types(table: pa.Table) -> pa.Table:
    """Return a table whose columns have the types that the schema gives their names.

    Text becomes days, instants and numbers, whole numbers become text (`last_four` with its zeros
    in front), times at midnight become days, and instants without a zone are read as UTC. Columns
    that the schema does not know stay as they are.

    Raises
    ------
    UsageError
        A column holds anything else, or there are two of one name.
    """
    names = table.schema.names
    for name in INSTRUMENTS.names:
        if names.count(name) > 1:
            raise UsageError(
                f"The table has {names.count(name)} columns called {name}; nothing was counted;"
                " keep one of them."
            )
    for place, name in enumerate(names):
        if name in INSTRUMENTS.names:
            column, wanted = table.column(place), INSTRUMENTS.field(name).type
            table = table.set_column(place, pa.field(name, wanted), _typed(name, column, wanted))
    return table


def _typed(name: str, column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if column.type == wanted == CATEGORY:
        return column
    found = column.type
    try:
        column = _plain(column)
        if pa.types.is_null(column.type):
            return pa.chunked_array([pa.nulls(len(column), wanted)])
        if wanted == pa.date32():
            return _in_calendar(_days(column))
        if wanted == INSTANT:
            return _in_calendar(_instants(column))
        if pa.types.is_integer(wanted):
            return _integers(column).cast(wanted)
        return _text(name, column).cast(wanted)
    except (_NotReadableError, pa.ArrowException) as refused:
        expected = refused.args[0] if isinstance(refused, _NotReadableError) else _expected(wanted)
        raise UsageError(
            f"The column {name} of the table is of type {found} and does not hold {expected};"
            " nothing was counted; convert it, read the file with tv.read_export, or drop the"
            " column if the analysis can do without it."
        ) from None


def _expected(wanted: pa.DataType) -> str:
    if wanted == pa.date32():
        return "days (YYYY-MM-DD)"
    if wanted == INSTANT:
        return "instants (YYYY-MM-DDThh:mm:ss+00:00)"
    if pa.types.is_integer(wanted):
        return f"whole numbers that fit {wanted}"
    return "text"


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values without the ways to store them: extensions, dictionaries, views, NaN."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.cast(column.type.storage_type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        return column.cast(pa.string())
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        if column.null_count == len(column):
            return pa.chunked_array([pa.nulls(len(column))])
    return column


def _days(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(column.type):
        texts = _matching(column, _DAY)
        return pc.utf8_slice_codeunits(texts, 0, 10).cast(pa.date32())
    if pa.types.is_timestamp(column.type):
        local = column if column.type.tz is None else pc.local_timestamp(column)
        days = local.cast(pa.date32())
        if pc.all(pc.equal(days.cast(local.type), local)).as_py() is False:
            raise _NotReadableError("days, but times of a day")
        return days
    if pa.types.is_date(column.type):
        return column.cast(pa.date32())
    raise _NotReadableError(_expected(pa.date32()))


def _instants(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(column.type):
        texts = _matching(column, _INSTANT)
        zoned = pc.match_substring_regex(texts, _ZONE)
        return pc.if_else(zoned, texts, pc.binary_join_element_wise(texts, "Z", "")).cast(INSTANT)
    if pa.types.is_timestamp(column.type):
        return column.cast(INSTANT)
    raise _NotReadableError(_expected(INSTANT))


def _integers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(column.type):
        column = pc.replace_substring_regex(_matching(column, r"^-?\d+(\.0*)?$"), r"\.0*$", "")
    elif not _is_number(column.type):
        raise _NotReadableError("whole numbers")
    return column.cast(pa.int64())


def _text(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_string(column.type):
        return column
    if name == "api_version" and pa.types.is_temporal(column.type):
        return _days(column).cast(pa.string())
    if name.endswith("_received") and pa.types.is_temporal(column.type):
        return column.cast(pa.string())
    if not _is_number(column.type):
        raise _NotReadableError("text")
    digits = _integers(column).cast(pa.string())
    return pc.utf8_lpad(digits, 4, "0") if name == "last_four" else digits


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _matching(column: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    """Return text without white space around it, null where empty; refuse other text."""
    texts = pc.utf8_trim_whitespace(column)
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    if pc.all(pc.match_substring_regex(texts, pattern)).as_py() is False:
        raise pa.ArrowInvalid
    return texts


def _in_calendar(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Refuse what no calendar of Python holds, such as the infinite days of SQL."""
    days = column.cast(pa.date32(), safe=False)
    first, last = (pa.scalar(day).cast(pa.date32()) for day in (_FIRST_DAY, _LAST_DAY))
    if pc.all(pc.and_(pc.less_equal(first, days), pc.less_equal(days, last))).as_py() is False:
        raise pa.ArrowInvalid
    return column
