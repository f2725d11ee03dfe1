"""Events of a comparison by kind, bank and month of expiry, each under the choices of the others.

Events are numbered once by their combination of the three, so that a choice costs as much as there
are combinations, and a list of rows one pass over those numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.analysis.cards.dates import month_text
from tokenvault_data.analysis.changes.events import KINDS
from tokenvault_data.dataset.labels import NOT_KNOWN, value_text
from tokenvault_data.dataset.tables import result_table
from tokenvault_data.errors import UsageError
from tokenvault_data.reports.labels import month_name, name_of
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from tokenvault_data.analysis.changes.compare import Comparison
    from tokenvault_data.analysis.cube.cells import Codes
    from tokenvault_data.dataset.tables import ResultTable

DIMENSIONS: Final = ("kind", "bank", "expiry")
MOST_MONTHS: Final = 240
"""Months up to which those without an event have a bar as well."""

_PLURAL: Final = {"kind": "kinds", "bank": "banks", "expiry": "months"}
TITLES: Final = {"kind": "What happened", "bank": "Bank", "expiry": "Month of expiry"}

Choice = dict[str, list[str | None]]
"""By dimension the chosen values, None for missing; a dimension that is not there has all."""


class ChangeDrilldown:
    """The events of a comparison, to be narrowed by choices.

    Parameters
    ----------
    comparison : Comparison
    """

    def __init__(self, comparison: Comparison) -> None:
        self._events = comparison.events
        rows = comparison.events.arrow()
        columns = {"kind": rows["kind"], "bank": rows["bank"], "expiry": _months(rows)}
        lists, numbers = [], []
        for name, column in columns.items():
            codes, values = _encoded(column)
            ordered = _in_order(name, values, np.bincount(codes, minlength=len(values)))
            lists.append(ordered)
            numbers.append(_numbered(codes, values, ordered))
        self._values = dict(zip(DIMENSIONS, lists, strict=True))
        shape = tuple(max(1, len(values)) for values in lists)
        flat = np.ravel_multi_index(tuple(numbers), shape) if len(rows) else np.zeros(0, np.int64)
        present, self._combination, self._cards = np.unique(
            flat, return_inverse=True, return_counts=True
        )
        self._codes = dict(zip(DIMENSIONS, np.unravel_index(present, shape), strict=True))
        self._choice: Choice = {}

    @property
    def events(self) -> int:
        """All events."""
        return len(self._events)

    @property
    def values(self) -> dict[str, list[str | None]]:
        """By dimension its values in the order of its bars; None last where any is missing."""
        return self._values

    def names(self, dimension: str) -> list[str]:
        """Return how the values of a dimension are written."""
        return [value_name(dimension, value) for value in self._values[dimension]]

    @property
    def choice(self) -> Choice:
        """What was chosen, as plain data."""
        return {name: list(self._choice[name]) for name in DIMENSIONS if name in self._choice}

    @property
    def total(self) -> int:
        """Events that were chosen."""
        return int(self._cards[self._passing(self._choice)].sum())

    def choose(self, dimension: str, values: Sequence[str | None]) -> None:
        """Choose values of a dimension in place of those chosen before; all with none.

        Raises
        ------
        UsageError
            Events are not told apart by it, or have no such kind.
        """
        _check(dimension, values)
        self._choice.pop(dimension, None)
        if values:
            self._choice[dimension] = list(dict.fromkeys(values))

    def places(self, dimension: str) -> list[int]:
        """Return the places of the chosen values among all of a dimension."""
        chosen = self._choice.get(dimension, ())
        return [at for at, value in enumerate(self._values[dimension]) if value in chosen]

    def counts(self, dimension: str) -> list[int]:
        """Count the events of each value that were chosen by all other dimensions."""
        others = {name: values for name, values in self._choice.items() if name != dimension}
        passing = self._passing(others)
        found = np.bincount(
            self._codes[dimension][passing],
            self._cards[passing],
            minlength=len(self._values[dimension]),
        )
        return [int(one) for one in found]

    def rows(self, choice: Choice | None = None) -> ResultTable:
        """Return the events of a choice, ids as they are, in the order of the comparison.

        Parameters
        ----------
        choice : dict, optional
            The present one when not given. Given, it can be asked for from any thread.
        """
        wanted = self.choice if choice is None else choice
        table: pd.DataFrame = self._events
        if wanted:
            table = table[self._passing(wanted)[self._combination]]
        about = words(wanted)
        title = f"{counted(len(table), 'event')}{f': {about}' if about else ''}"
        return result_table(table.reset_index(drop=True), title=title, notes=self._events.notes)

    def _passing(self, choice: Choice) -> Codes:
        passing = np.ones(len(self._cards), bool)
        for name, values in choice.items():
            wanted = np.array([value in values for value in self._values[name]] or [False])
            passing &= wanted[self._codes[name]]
        return passing


def words(choice: Choice) -> str:
    """Say what was chosen; empty for all.

    >>> words({"kind": ["gone", "replaced"], "expiry": ["2027-01"]})
    'gone or replaced, Jan 2027'
    """
    said = []
    for name, values in choice.items():
        names = [value_name(name, value) for value in values]
        said.append(" or ".join(names) if len(names) < 5 else f"{len(names):,} {_PLURAL[name]}")
    return ", ".join(said)


def read_choice(chosen: Mapping[str, Sequence[str | None]] | None) -> Choice:
    """Read a choice from the form of `ChangeDrilldown.choice`.

    Raises
    ------
    UsageError
        It is none.
    """
    read: Choice = {}
    for dimension, values in (chosen or {}).items():
        _check(dimension, values)
        if values:
            read[dimension] = list(values)
    return read


def value_name(dimension: str, value: str | None) -> str:
    """Return how a value is written."""
    if value is None:
        return NOT_KNOWN
    return month_name(value) if dimension == "expiry" else name_of(dimension, value_text(value))


def code_of(choice: Choice) -> str:
    """Return Python that finds the chosen events of ``old`` and ``new``."""
    lines = ["import tokenvault_data as tv", "", "events = tv.changes(old, new)"]
    for name, values in choice.items():
        if name == "expiry":
            lines.append(
                'expiry = events["new_expires_on"].fillna(events["old_expires_on"])'
                '.dt.strftime("%Y-%m")'
            )
        column = "expiry" if name == "expiry" else f'events["{name}"]'
        known = [value for value in values if value is not None]
        tests = [f"{column}.isin({known!r})"] if known else []
        tests += [f"{column}.isna()"] if None in values else []
        lines.append(f"events = events[{' | '.join(tests)}]")
    return "\n".join(lines)


def _check(dimension: str, values: Sequence[Any]) -> None:
    if dimension not in DIMENSIONS:
        raise UsageError(
            f"Events are not chosen by {dimension!r}; nothing was chosen; there are"
            f" {', '.join(DIMENSIONS)}."
        )
    if isinstance(values, str) or not all(
        value is None or isinstance(value, str) for value in values
    ):
        raise UsageError(
            f"What is chosen of {dimension} is a list of texts, None for missing; nothing was"
            " chosen."
        )
    unknown = [value for value in values if dimension == "kind" and value not in KINDS]
    if unknown:
        raise UsageError(
            f"There is no kind of event {unknown[0]!r}; nothing was chosen; there are"
            f" {', '.join(KINDS)}."
        )


def _months(rows: pa.Table) -> pa.ChunkedArray:
    expires_on = pc.coalesce(rows["new_expires_on"], rows["old_expires_on"])
    # Each day once: there are few, and formatting them is what takes long.
    days = expires_on.combine_chunks().dictionary_encode()
    return pa.chunked_array([pc.strftime(days.dictionary, format="%Y-%m").take(days.indices)])


def _in_order(dimension: str, values: list[str | None], events: Codes) -> list[str | None]:
    """Return values as their bars stand: kinds as everywhere, banks by events, months by time."""
    missing: list[str | None] = [None] if None in values else []
    if dimension == "kind":
        return list(KINDS)
    if dimension == "bank":
        largest = [values[at] for at in np.argsort(-events, kind="stable")]
        return [*(value for value in largest if value is not None), *missing]
    known = sorted(value for value in values if value is not None)
    if known:
        first, last = (int(text[:4]) * 12 + int(text[5:]) - 1 for text in (known[0], known[-1]))
        if last - first < MOST_MONTHS:
            known = [month_text(month) for month in range(first, last + 1)]
    return [*known, *missing]


def _encoded(column: pa.ChunkedArray) -> tuple[Codes, list[str | None]]:
    """Return the number of each row's value, and the values; None among them where missing."""
    texts = column.cast(pa.string()).combine_chunks()
    encoded = texts.dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()


def _numbered(codes: Codes, values: list[str | None], ordered: list[str | None]) -> Codes:
    """Return the place of each row's value in an order."""
    places = np.array([ordered.index(value) for value in values], np.int64)
    return places[codes] if len(values) else np.zeros(0, np.int64)
