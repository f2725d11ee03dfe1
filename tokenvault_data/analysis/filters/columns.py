"""The columns a condition may speak of, what kind of value each holds, and which values it takes.

They are the columns of the pinned instruments table and the text columns that the analysis derives
from it. A condition of any other column, or of a value that its column can never hold, is refused
before anything is selected: it would select nothing, or everything, without a word.
"""

from __future__ import annotations

import difflib
import re
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

import pyarrow as pa

from tokenvault_data.dataset.derived_dimensions import DERIVED
from tokenvault_data.dataset.flattening import vocabulary
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Value: TypeAlias = str | int | date | datetime
"""What a condition compares with; a missing value is None."""


class ColumnKind(StrEnum):
    """What a column holds, worded as messages say it."""

    TEXT = "text"
    INTEGER = "whole numbers"
    DATE = "dates"
    INSTANT = "instants"


ARROW_TYPES: Final = {
    ColumnKind.TEXT: pa.string(),
    ColumnKind.INTEGER: pa.int64(),
    ColumnKind.DATE: pa.date32(),
    ColumnKind.INSTANT: pa.timestamp("us", "UTC"),
}
"""The Arrow type in which the values of a condition are held."""


def kind_of_type(arrow_type: pa.DataType) -> ColumnKind | None:
    """Return the kind of an Arrow type, None for a type that no condition can be put to."""
    if pa.types.is_dictionary(arrow_type):
        arrow_type = arrow_type.value_type
    if (
        pa.types.is_string(arrow_type)
        or pa.types.is_large_string(arrow_type)
        or pa.types.is_string_view(arrow_type)
    ):
        return ColumnKind.TEXT
    if pa.types.is_integer(arrow_type) and not pa.types.is_uint64(arrow_type):
        return ColumnKind.INTEGER
    if pa.types.is_date32(arrow_type):
        return ColumnKind.DATE
    if pa.types.is_timestamp(arrow_type) and arrow_type.tz is not None:
        return ColumnKind.INSTANT
    return None


def _kinds() -> dict[str, ColumnKind]:
    kinds = {field.name: kind_of_type(field.type) for field in INSTRUMENTS}
    known = {name: kind for name, kind in kinds.items() if kind is not None}
    return known | dict.fromkeys(DERIVED, ColumnKind.TEXT)


KINDS: Final = _kinds()
"""Kind of every column that a condition may speak of."""

_OFFERED: Final[dict[str, tuple[str, ...]]] = vocabulary.CLOSED | {
    "card_country": tuple(sorted(vocabulary.COUNTRIES))
}
_READERS: Final[dict[str, Callable[[str], str | None]]] = {
    "instrument_type": vocabulary.read_instrument_type,
    "instrument_status": vocabulary.read_status,
    "card_network": vocabulary.read_network,
    "card_type": vocabulary.read_card_type,
    "card_sub_type": vocabulary.read_sub_type,
    "card_country": vocabulary.read_country,
}
_WIDEST_INTEGER: Final = 2**63
_SHOWN: Final = 60

_date = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
_month = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])", re.ASCII).fullmatch
_instant = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)", re.ASCII
).fullmatch
_integer = re.compile(r"[+-]?\d{1,19}", re.ASCII).fullmatch


def close_matches(name: str, known: Iterable[str]) -> str:
    """Return the end of a message: the nearest known names, or nothing."""
    by_key = {one.casefold(): one for one in known}
    near = [by_key[key] for key in difflib.get_close_matches(name.casefold(), by_key, n=3)]
    return f"; did you mean {' or '.join(near)}?" if near else ""


def shown(value: object) -> str:
    """Return a value as a message quotes it: escaped and clipped."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def kind_of(column: object) -> ColumnKind:
    """Return what kind of value a column holds.

    Raises
    ------
    UsageError
        There is no such column.
    """
    if isinstance(column, str) and column in KINDS:
        return KINDS[column]
    hint = close_matches(column, KINDS) if isinstance(column, str) else ""
    raise UsageError(
        f"There is no column {shown(column)} to put a condition to; nothing was selected"
        f"{hint or '; use a column of the instruments, or bank, expiry or expires_in.'}"
    )


def value_for(column: str, value: object) -> Value:
    """Return a value as the conditions of a column hold it.

    Dates and instants may be given as ISO 8601 text; an instant needs its zone, since a day or an
    hour without one is another instant in India than in UTC. Instants come back in UTC.

    Raises
    ------
    UsageError
        There is no such column, or it can never hold this value.
    """
    kind = kind_of(column)
    if kind is ColumnKind.TEXT:
        return _text(column, value)
    if kind is ColumnKind.INTEGER:
        if isinstance(value, int) and not isinstance(value, bool):
            if -_WIDEST_INTEGER <= value < _WIDEST_INTEGER:
                return int(value)
            raise _refused(column, value, "a number of at most 64 bits")
        raise _refused(column, value, "a whole number")
    if kind is ColumnKind.DATE:
        if isinstance(value, str) and _date(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                raise _refused(column, value, "a day that exists") from None
        if isinstance(value, date) and not isinstance(value, datetime):
            return date(value.year, value.month, value.day)
        raise _refused(column, value, "a date, e.g. 2026-11-22")
    return _instant_of(column, value)


def value_from_text(column: str, text: str) -> Value:
    """Return what was typed for a column as its conditions hold it; whole numbers are read too.

    Raises
    ------
    UsageError
        As `value_for`.
    """
    if kind_of(column) is not ColumnKind.INTEGER:
        return value_for(column, text)
    if not _integer(text):
        raise _refused(column, text, "a whole number")
    return value_for(column, int(text))


def sort_key(column: str) -> Callable[[Value], tuple[int, Value]]:
    """Return the key that puts the values of a column into the order of reports."""
    places = {word: place for place, word in enumerate(vocabulary.CLOSED.get(column, ()))}
    return lambda value: (places.get(value, 0) if isinstance(value, str) else 0, value)


def _text(column: str, value: object) -> str:
    if not isinstance(value, str):
        raise _refused(column, value, "text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"A text compared with {column} is no Unicode text (half a surrogate pair); nothing "
            "was selected; take it from the data again."
        ) from None
    offered = _OFFERED.get(column)
    if offered is not None and value not in offered:
        meant = _READERS[column](value)
        if meant is not None:
            raise _refused(column, value, f"spelled {meant!r}")
        if column == "card_country":
            raise _refused(column, value, "a country as two letters, e.g. 'IN'")
        raise _refused(column, value, f"one of {', '.join(offered)}", close_matches(value, offered))
    if column == "expiry" and not _month(value):
        raise _refused(column, value, "a month, e.g. 2026-11")
    return str(value)


def _instant_of(column: str, value: object) -> datetime:
    wanted = "an instant with its zone, e.g. 2026-11-22T00:00:00+05:30"
    if isinstance(value, str) and _instant(value):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise _refused(column, value, wanted) from None
    # The zone first: pandas' missing instant is a datetime that has none, and no offset to ask for.
    if not isinstance(value, datetime) or value.tzinfo is None or value.utcoffset() is None:
        raise _refused(column, value, wanted)
    try:
        moment = value.astimezone(UTC)
    except OverflowError:
        raise _refused(column, value, "an instant of the years 1 to 9999 in UTC") from None
    return datetime.combine(moment.date(), moment.time(), UTC)


def _refused(column: str, value: object, wanted: str, hint: str = "") -> UsageError:
    return UsageError(
        f"{shown(value)} is no value of {column}, which is always {wanted}; nothing was selected"
        f"{hint or '; correct the value.'}"
    )
