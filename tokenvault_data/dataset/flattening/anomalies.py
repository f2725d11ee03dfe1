"""What could not be read: codes of the form ``field:kind``, kept per row and counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable

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
