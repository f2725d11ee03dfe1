"""From values as sent to the pinned columns, a whole batch at a time.

Low-cardinality columns are dictionary-encoded and only their distinct values are looked at;
instants and dates are computed on arrays. What cannot be read is null plus an anomaly.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.dataset.flattening import vocabulary
from tokenvault_data.dataset.flattening.anomalies import AnomalyRows
from tokenvault_data.dataset.flattening.instants import read_instants
from tokenvault_data.dataset.flattening.received import column_of
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.payment_data import hide_card_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

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
_AS_SENT = ("instrument_id", "instrument_uid", "afa_reference", "par")

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
    for leaf in _AS_SENT:
        columns[leaf] = _id_or_null(sent[leaf], leaf, found)
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


def _id_or_null(column: pa.StringArray, name: str, found: AnomalyRows) -> pa.StringArray:
    """Let nothing that stands for no id be one: it would link all who have it."""
    column = _blank_to_null(column, name, found)
    short = pc.less_equal(pc.utf8_length(column), vocabulary.LONGEST_PLACEHOLDER)
    if not short.true_count:
        return column
    texts = column.filter(short).unique().to_pylist()
    words = [text for text in texts if vocabulary.stands_for_nothing(text)]
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
