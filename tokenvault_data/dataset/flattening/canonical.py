"""From values as sent to the pinned columns, a whole batch at a time.

Low-cardinality columns are dictionary-encoded and only their distinct values are looked at;
instants and dates are computed on arrays. What cannot be read is null plus an anomaly.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.dataset.flattening import vocabulary
from tokenvault_data.dataset.schema import INSTANT, INSTRUMENTS
from tokenvault_data.payment_data import hide_card_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


TOP_FIELDS = (
    "customer_id",
    "afa_reference",
    "instrument_id",
    "instrument_type",
    "instrument_uid",
    "instrument_display",
    "instrument_status",
    "created_at",
)
META = "instrument_meta"
META_FIELDS = ("card_network", "card_bank_name", "card_country", "card_type", "card_sub_type")
TOKEN = "card_token_details"  # noqa: S105 - the name of a field
TOKEN_FIELDS = ("par", "expiry_month", "expiry_year")

LEAVES: tuple[str, ...] = TOP_FIELDS + META_FIELDS + TOKEN_FIELDS
"""Every field of an instrument that has a column, by its name in the JSON; the names are unique."""

RECEIVED: pa.Schema = pa.schema(
    [
        ("body", pa.int32()),  # which of the bodies of the batch the record came in
        ("element", pa.int32()),  # 0-based place in the list of that body
        *[(leaf, pa.string()) for leaf in LEAVES],
        ("issues", pa.string()),  # `field:kind` codes found while taking the JSON apart
        ("extra", pa.string()),
    ]
)

COLUMN_OF_LEAF = {"card_bank_name": "card_bank"}
"""Columns whose name is not that of their field."""


def column_of(leaf: str) -> str:
    """Return the name of the column that a field of the JSON feeds."""
    return COLUMN_OF_LEAF.get(leaf, leaf)


INDIA = timezone(timedelta(hours=5, minutes=30), "IST")
"""India has one zone and no summer time."""

_INDIA_US = 19_800_000_000
_EARLIEST_US = 946_684_800_000_000  # 2000-01-01T00:00:00Z, before any vault
_LATEST_US = 4_102_444_800_000_000  # 2100-01-01T00:00:00Z
_YEAR_2_US = -62_104_060_800_000_000
_UNREAD_INSTANT = np.iinfo(np.int64).min
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
    table = np.array(
        [_UNREAD_INSTANT if value is None else value for value in values], dtype=np.int64
    )
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
    result = np.full(rows, _UNREAD_INSTANT, dtype=np.int64)
    for length in np.unique(lengths).tolist():
        if length == 0:
            continue
        where = np.flatnonzero(lengths == length)
        part = column if len(where) == rows else column.take(pa.array(where))
        values = _cast(part, length)
        result[where] = _read_each(part) if values is None else values
    unread = result == _UNREAD_INSTANT
    out_of_range = ~unread & ((result < _EARLIEST_US) | (result >= _LATEST_US))
    null = unread | out_of_range
    instants = pa.array(result, pa.int64(), mask=null).view(INSTANT)
    return instants, unread & (lengths > 0), out_of_range


KINDS: dict[str, str] = {
    "differs": "names another customer than the one requested",
    "empty": "an empty text where a value belongs",
    "encoding": "text that is not valid Unicode; the bad characters were replaced by U+FFFD",
    "full_number": "more digits than a masked number shows; all but the last four were removed",
    "missing": "not sent, though the row cannot be told from others without it",
    "null": "sent as `null`, or as an answer without content, where a list belongs; read as empty",
    "not_an_object": "an element of the list that is no JSON object",
    "out_of_range": "a date before 2000 or after 2099",
    "placeholder": "a text that stands for no value, such as `N/A`; the column is null",
    "repeated_key": "a key that occurs twice in one object; the last value was taken",
    "secret": "a card number, a security code or other payment data where none belongs; `[removed]`"
    " takes its place",
    "type": "not of the documented JSON type; the value is kept in `extra`",
    "unknown": "not in the closed vocabulary of the column",
    "unreadable": "not in any form that the column can be read from; in `extra`, nested too deeply",
}
"""Every kind of anomaly and what it says of the field it is joined to."""


class AnomalyRows:
    """Anomalies of one batch, gathered code by code while its columns are read."""

    def __init__(self) -> None:
        self._found: list[tuple[str, np.ndarray]] = []

    def add(self, field: str, kind: str, mask: pa.BooleanArray | np.ndarray) -> None:
        """Record ``field:kind`` for every row where `mask` is true; null counts as false."""
        if isinstance(mask, pa.Array):
            if not mask.true_count:
                return
            mask = mask.fill_null(False).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(mask)
        if len(rows):
            self._found.append((f"{field}:{kind}", rows))

    def column(self, rows: int, received: pa.StringArray) -> pa.StringArray:
        """Return the ``anomalies`` column: the codes found here joined with those of `received`.

        Parameters
        ----------
        rows : int
        received : pyarrow.StringArray
            Codes found while the JSON was taken apart, joined by ``;``, null for none.
        """
        codes: dict[int, set[str]] = defaultdict(set)
        if received.null_count < rows:
            for row, given in enumerate(received.to_pylist()):
                if given is not None:
                    codes[row].update(given.split(";"))
        for code, found in self._found:
            for row in found.tolist():
                codes[row].add(code)
        if not codes:
            return pa.nulls(rows, pa.string())
        texts: list[str | None] = [None] * rows
        for row, joined in codes.items():
            texts[row] = ";".join(sorted(joined))
        return pa.array(texts, pa.string())


def count_codes(columns: Iterable[pa.Array]) -> Counter[tuple[str, str]]:
    """Return how often each ``(field, kind)`` occurs in one or more ``anomalies`` columns."""
    counts: Counter[tuple[str, str]] = Counter()
    for column in columns:
        if column.null_count == len(column):
            continue
        for pair in pc.value_counts(column.drop_null()).to_pylist():
            for code in pair["values"].split(";"):
                field, _, kind = code.partition(":")
                counts[field, kind] += pair["counts"]
    return counts


if TYPE_CHECKING:
    Reader = Callable[[str], str | None]

_Value = TypeVar("_Value")

_READERS: dict[str, Reader] = {
    "instrument_type": vocabulary.read_instrument_type,
    "instrument_status": vocabulary.read_status,
    "card_network": vocabulary.read_network,
    "card_bank_name": vocabulary.read_bank,
    "card_country": vocabulary.read_country,
    "card_type": vocabulary.read_card_type,
    "card_sub_type": vocabulary.read_sub_type,
}
_LINKS = ("instrument_uid", "afa_reference", "par")

_MASKED = r"^[xX*]*[0-9]{4}$"
_DIGIT = re.compile(r"\d")
_LAST_FOUR = re.compile("[0-9]{4}")
_UNREAD = {"card_bank": "placeholder"}  # any other text is the name of a bank


def canonicalise(
    received: pa.Table,
    *,
    customer_ids: pa.StringArray,
    list_positions: np.ndarray,
    fetched_at: pa.TimestampArray,
    api_versions: pa.DictionaryArray,
) -> pa.Table:
    """Turn values as sent into a table of ``INSTRUMENTS``.

    Parameters
    ----------
    received : pyarrow.Table
        ``RECEIVED``, rows in their final order.
    customer_ids, list_positions, fetched_at, api_versions
        What is known of each row without looking into it, in the order of `received`.
    """
    rows = received.num_rows
    found = AnomalyRows()
    sent = {name: _contiguous(received.column(name)) for name in received.column_names}
    columns: dict[str, pa.Array] = {
        "customer_id": customer_ids,
        "list_position": pa.array(list_positions, pa.int32()),
        "fetched_at": fetched_at,
        "api_version": api_versions,
        "extra": sent["extra"],
    }
    columns["instrument_id"] = _blank_to_null(sent["instrument_id"], "instrument_id", found)
    for leaf in _LINKS:
        columns[leaf] = _link_or_null(sent[leaf], leaf, found)
    found.add("instrument_id", "missing", _objects_without_id(sent))

    for leaf, reader in _READERS.items():
        name = column_of(leaf)
        columns[name], columns[f"{name}_received"] = _category(sent[leaf], reader, name, found)
    _expiry(sent, columns, found)
    _display(sent["instrument_display"], columns, found)

    named = _blank_to_null(sent["customer_id"], "customer_id", found)
    differs = pc.not_equal(named, customer_ids).fill_null(False)
    found.add("customer_id", "differs", differs)
    other = pc.if_else(differs, named, None) if differs.true_count else pa.nulls(rows, pa.string())
    columns["customer_id_received"] = _without_numbers(
        other, differs.to_numpy(zero_copy_only=False), "customer_id", found
    )

    created = _blank_to_null(sent["created_at"], "created_at", found)
    columns["created_at"], unreadable, out_of_range = read_instants(created)
    columns["created_at_received"] = _without_numbers(
        sent["created_at"], unreadable, "created_at", found
    )
    found.add("created_at", "unreadable", unreadable)
    found.add("created_at", "out_of_range", out_of_range)

    columns["anomalies"] = found.column(rows, sent["issues"])
    return pa.Table.from_arrays([columns[name] for name in INSTRUMENTS.names], schema=INSTRUMENTS)


def _objects_without_id(sent: dict[str, pa.Array]) -> pa.BooleanArray:
    missing = sent["instrument_id"].is_null()
    if not missing.true_count:
        return missing
    other = pc.match_substring(sent["issues"], "instrument:not_an_object")
    return pc.and_not(missing, other.fill_null(False))


def _contiguous(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _blank_to_null(column: pa.StringArray, name: str, found: AnomalyRows) -> pa.StringArray:
    blank = pc.equal(pc.utf8_trim_whitespace(column), "")
    if not blank.true_count:
        return column
    found.add(name, "empty", blank)
    return pc.if_else(blank, None, column)


def _link_or_null(column: pa.StringArray, name: str, found: AnomalyRows) -> pa.StringArray:
    """Let nothing that stands for no id be one: it would link all cards that have it."""
    column = _blank_to_null(column, name, found)
    short = pc.less_equal(pc.utf8_length(column), vocabulary.LONGEST_PLACEHOLDER)
    if not short.true_count:
        return column
    texts = column.filter(short).unique()
    # No text with a digit stands for nothing, and nearly all ids have one.
    words = texts.filter(pc.invert(pc.match_substring_regex(texts, "[0-9]"))).to_pylist()
    words = [text for text in words if vocabulary.stands_for_nothing(text)]
    if not words:
        return column
    placeholder = pc.is_in(column, pa.array(words, pa.string()))
    found.add(name, "placeholder", placeholder)
    return pc.if_else(placeholder, None, column)


def _without_numbers(
    column: pa.StringArray, odd: np.ndarray, name: str, found: AnomalyRows
) -> pa.StringArray:
    """Take card numbers out of the `odd` rows; what could be read as documented is none."""
    if not odd.any():
        return column
    texts = column.to_pylist()
    secret = np.zeros(len(texts), dtype=bool)
    for row in np.flatnonzero(odd).tolist():
        shown = hide_card_numbers(texts[row])
        secret[row] = shown != texts[row]
        texts[row] = shown
    found.add(name, "secret", secret)
    return pa.array(texts, pa.string())


def _by_value(
    column: pa.StringArray,
    reader: Callable[[str], _Value | None],
    name: str,
    found: AnomalyRows,
    kind: str,
) -> tuple[pa.DictionaryArray, list[_Value | None]]:
    """Read each distinct value once; return the encoded column and what was read of its values."""
    encoded = column.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    shown = [hide_card_numbers(text) for text in texts]
    if shown != texts:
        is_hidden = pa.array([one != other for one, other in zip(shown, texts, strict=True)])
        found.add(name, "secret", is_hidden.take(encoded.indices))
        encoded = pa.array(shown, pa.string()).take(encoded.indices).dictionary_encode()
        texts = encoded.dictionary.to_pylist()
    values = [reader(text) for text in texts]
    for index, (text, value) in enumerate(zip(texts, values, strict=True)):
        if value is None:
            problem = kind if text.strip() else "empty"
            found.add(name, problem, pc.equal(encoded.indices, index))
    return encoded, values


def _category(
    column: pa.StringArray, reader: Reader, name: str, found: AnomalyRows
) -> tuple[pa.DictionaryArray, pa.DictionaryArray]:
    encoded, values = _by_value(column, reader, name, found, _UNREAD.get(name, "unknown"))
    canonical = list(dict.fromkeys(value for value in values if value is not None))
    place = {value: index for index, value in enumerate(canonical)}
    codes = pa.array([None if v is None else place[v] for v in values], pa.int32())
    return (
        pa.DictionaryArray.from_arrays(
            codes.take(encoded.indices), pa.array(canonical, pa.string())
        ),
        encoded,
    )


def _expiry(sent: dict[str, pa.Array], columns: dict[str, pa.Array], found: AnomalyRows) -> None:
    for name, reader, kind in (
        ("expiry_month", vocabulary.read_month, pa.int8()),
        ("expiry_year", vocabulary.read_year, pa.int16()),
    ):
        encoded, values = _by_value(sent[name], reader, name, found, "unreadable")
        columns[name] = pa.array(values, kind).take(encoded.indices)
        columns[f"{name}_received"] = encoded
    month, year = columns["expiry_month"], columns["expiry_year"]
    unknown = month.is_null().to_numpy(zero_copy_only=False)
    unknown |= year.is_null().to_numpy(zero_copy_only=False)
    months = (year.fill_null(1970).to_numpy().astype(np.int64) - 1970) * 12
    months += month.fill_null(1).to_numpy()
    # `months` counts from January 1970, so it is the month after; its first day less one.
    last_day = months.astype("datetime64[M]").astype("datetime64[D]") - np.timedelta64(1, "D")
    days = last_day.astype(np.int64).astype(np.int32)
    columns["expires_on"] = pa.array(days, pa.int32(), mask=unknown).view(pa.date32())


def _display(column: pa.StringArray, columns: dict[str, pa.Array], found: AnomalyRows) -> None:
    """Fill ``instrument_display`` and ``last_four``, and let no card number through."""
    column = _blank_to_null(column, "instrument_display", found)
    usual = pc.match_substring_regex(column, _MASKED)
    if usual.false_count:
        texts = column.to_pylist()
        odd = np.flatnonzero(pc.invert(usual).fill_null(False).to_numpy(zero_copy_only=False))
        full, secret, unreadable = np.zeros((3, len(column)), dtype=bool)
        for row in odd.tolist():
            masked = _hide_number(texts[row])
            full[row] = masked != texts[row]
            texts[row] = hide_card_numbers(masked)
            secret[row] = masked != texts[row]
            unreadable[row] = _LAST_FOUR.fullmatch(texts[row][-4:]) is None
        found.add("instrument_display", "full_number", full)
        found.add("instrument_display", "secret", secret)
        found.add("instrument_display", "unreadable", unreadable)
        column = pa.array(texts, pa.string())
    tail = pc.utf8_slice_codeunits(column, -4)
    columns["instrument_display"] = column
    readable = pc.match_substring_regex(tail, "^[0-9]{4}$") if usual.false_count else None
    columns["last_four"] = tail if readable is None else pc.if_else(readable, tail, None)


def _hide_number(text: str) -> str:
    """Replace all digits but the last four by X where there are more than first six, last four."""
    digits = _DIGIT.findall(text)
    if len(digits) <= 10:
        return text
    hidden = iter(range(len(digits) - 4))
    return _DIGIT.sub(lambda match: match[0] if next(hidden, None) is None else "X", text)
