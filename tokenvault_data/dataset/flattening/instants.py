"""When a card was saved: four spellings of an instant, read into microseconds of UTC.

The vault has written ``2021-11-11 16:57:57`` (no zone: India time, UTC+05:30),
``2023-11-01T04:55:07.000+00:00`` and ``2022-04-14T10:42:59+05:30``. Texts of one length have one
layout, so each length is cast by Arrow at once. What Arrow refuses is read value by value with
:func:`read_instant`, which alone decides what is an instant.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.dataset.schema import INSTANT

INDIA = timezone(timedelta(hours=5, minutes=30), "IST")
"""India has one zone and no summer time."""

_INDIA_US = 19_800_000_000
_EARLIEST_US = 946_684_800_000_000  # 2000-01-01T00:00:00Z, before any vault
_LATEST_US = 4_102_444_800_000_000  # 2100-01-01T00:00:00Z
_YEAR_2_US = -62_104_060_800_000_000
_UNREAD = np.iinfo(np.int64).min
_WESTMOST, _EASTMOST = timedelta(hours=-12), timedelta(hours=14)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Lengths whose only zoneless or zoned layouts are those of `read_instant`; others are rare.
_ZONELESS_LENGTH = 19
_OFFSET_LENGTHS = {20: 1, 24: 5, 25: 6, 29: 6}

_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?"
    r"(?:([Zz])|([+-](?:0\d|1[0-4]))(?::?([0-5]\d))?)?",
    re.ASCII,
)


def read_instant(text: str) -> int | None:
    """Return microseconds since 1970 UTC, or None when the text is no instant.

    A text without an offset is India time. An offset is Z, or hours with or without minutes, from
    -12:00 to +14:00, as far as any place on earth is from UTC; with another one it is no instant.

    >>> read_instant("2021-11-11 16:57:57") == read_instant("2021-11-11T11:27:57.000+00:00")
    True
    """
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        return None
    day, clock, fraction, utc, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{hours or '+00'}:{minutes or '00'}")
        if hours is None and utc is None:
            moment = moment.replace(tzinfo=INDIA)
        offset = moment.utcoffset()
        if offset is None or not _WESTMOST <= offset <= _EASTMOST:
            return None
        whole = (moment - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None
    return whole + int((fraction or "0").ljust(6, "0")[:6])


def _read_each(part: pa.StringArray) -> np.ndarray:
    encoded = part.dictionary_encode()
    values = [read_instant(text) for text in encoded.dictionary.to_pylist()]
    table = np.array([_UNREAD if value is None else value for value in values], dtype=np.int64)
    result: np.ndarray = table[encoded.indices.to_numpy()]
    return result


def _cast(part: pa.StringArray, length: int) -> np.ndarray | None:
    """Return what Arrow reads, or None when it would not settle every value as we do."""
    zoned = length in _OFFSET_LENGTHS
    if not zoned and length != _ZONELESS_LENGTH:
        return None
    if zoned and not _has_known_offsets(part, length):
        return None  # at least one is no offset of any place, which Arrow would not mind
    try:
        instants = part.cast(INSTANT if zoned else pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None  # at least one value of this length is something else
    values = instants.view(pa.int64()).to_numpy() - (0 if zoned else _INDIA_US)
    # Arrow knows a year 0, Python does not.
    return values if values.min() >= _YEAR_2_US else None


def _has_known_offsets(part: pa.StringArray, length: int) -> bool:
    # The last signs are the offset, or Z behind a few digits: few values, each looked at once.
    ends = pc.unique(pc.utf8_slice_codeunits(part, -_OFFSET_LENGTHS[length])).to_pylist()
    offsets = {end[-1:] if end[-1:] in "Zz" else end for end in ends}
    return all(read_instant(f"2000-01-01T00:00:00{offset}") is not None for offset in offsets)


def read_instants(column: pa.StringArray) -> tuple[pa.TimestampArray, np.ndarray, np.ndarray]:
    """Read a column of texts.

    Parameters
    ----------
    column : pyarrow.StringArray

    Returns
    -------
    instants : pyarrow.TimestampArray
        ``timestamp[us, UTC]``, null where there was no text or it could not be read.
    unreadable, out_of_range : numpy.ndarray of bool
        Texts that are no instant, and instants outside 2000 to 2099.
    """
    rows = len(column)
    lengths = pc.binary_length(column).fill_null(0).to_numpy()
    result = np.full(rows, _UNREAD, dtype=np.int64)
    for length in np.unique(lengths).tolist():
        if length == 0:
            continue
        where = np.flatnonzero(lengths == length)
        part = column if len(where) == rows else column.take(pa.array(where))
        values = _cast(part, length)
        result[where] = _read_each(part) if values is None else values
    unread = result == _UNREAD
    out_of_range = ~unread & ((result < _EARLIEST_US) | (result >= _LATEST_US))
    null = unread | out_of_range
    instants = pa.array(result, pa.int64(), mask=null).view(INSTANT)
    return instants, unread & (lengths > 0), out_of_range
