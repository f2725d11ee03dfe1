"""Raw answers in, one flat table out: the same for good records whatever else is in the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from tokenvault_data.dataset.flattening.canonical import RECEIVED, canonicalise, count_codes
from tokenvault_data.dataset.flattening.many_records import (
    ARRAY,
    Shape,
    are_plain_arrays,
    read_bodies,
    shape_of,
)
from tokenvault_data.dataset.flattening.one_record import (
    BodyUnreadable,
    ReceivedRecord,
    as_columns,
    read_body,
)
from tokenvault_data.dataset.schema import INSTANT

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

# A refused group is cut in this many parts; below this size its bodies are read one by one.
_PARTS = 4
_SMALLEST_GROUP = 24


class ReceivedBody(NamedTuple):
    """One page of one customer's list, as it came over the wire.

    Attributes
    ----------
    customer_id : str
        The customer as requested.
    body : bytes
        A JSON array, a cursor envelope ``{"data": [...]}``, or one instrument.
    fetched_at_us : int
        When it arrived, microseconds since 1970 UTC.
    api_version : str
        ``x-api-version`` of the request.
    """

    customer_id: str
    body: bytes
    fetched_at_us: int
    api_version: str

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self.body)} bytes>"


@dataclass(frozen=True, slots=True)
class Flattened:
    """What a batch of bodies held.

    Attributes
    ----------
    table : pyarrow.Table
        ``INSTRUMENTS``, one row for every element of every list, in the order received.
    anomalies : Counter of (field, kind)
        How often each code stands in the ``anomalies`` column of `table`.
    unreadable : dict of str to str
        Customers of whom at least one body was no list of instruments, and why. They have no rows.
    silent : frozenset of str
        Customers of whom at least one body was ``null`` where a list belongs; it has no rows.
    """

    table: pa.Table
    anomalies: Counter[tuple[str, str]]
    unreadable: dict[str, str]
    silent: frozenset[str] = frozenset()


def flatten(bodies: Sequence[ReceivedBody]) -> Flattened:
    """Flatten raw answers into the pinned schema.

    Nothing in a body raises. A record that is irregular in whatever way is still a row, with nulls
    and anomalies where it could not be read; only a body that is no list of instruments at all
    costs its customer the rows, and is named in ``unreadable``.

    Parameters
    ----------
    bodies : sequence of ReceivedBody
        At most some 2,000 customers, since all of them are held in memory at once. The pages of
        one customer stand in the order in which they were received.

    Returns
    -------
    Flattened
    """
    parts: list[pa.Table] = []
    slow: list[int] = []
    groups: dict[Shape, list[int]] = {}
    if are_plain_arrays([received.body for received in bodies]):  # as nearly all batches are
        groups[ARRAY] = list(range(len(bodies)))
    else:
        for index, received in enumerate(bodies):
            shape = shape_of(received.body)
            if shape is None:
                slow.append(index)
            else:
                groups.setdefault(shape, []).append(index)
    for shape, group in groups.items():
        _read_group(bodies, group, shape, parts, slow)
    reasons, silent = _read_singly(bodies, slow, parts)
    rows = _in_order(parts, single=len(groups) == 1 and not slow)
    unreadable = {bodies[index].customer_id: reason for index, reason in sorted(reasons.items())}
    return _finish(bodies, rows, unreadable, frozenset(silent) - unreadable.keys())


def _read_group(
    bodies: Sequence[ReceivedBody],
    group: list[int],
    shape: Shape,
    parts: list[pa.Table],
    slow: list[int],
) -> None:
    """Read `group` fast; where it is refused, find out by halves which of its bodies are why."""
    read = read_bodies([bodies[index].body for index in group], shape)
    if read is not None:
        slow.extend(group[index] for index in read.left)
        rows = read.rows
        if len(group) < len(bodies):
            numbers = np.array(group, dtype=np.int32)[rows.column("body").to_numpy()]
            rows = rows.set_column(0, RECEIVED.field("body"), pa.array(numbers))
        parts.append(rows)
    elif len(group) <= _SMALLEST_GROUP:
        slow.extend(group)
    else:
        size = -(-len(group) // _PARTS)
        for start in range(0, len(group), size):
            _read_group(bodies, group[start : start + size], shape, parts, slow)


def _read_singly(
    bodies: Sequence[ReceivedBody], indexes: list[int], parts: list[pa.Table]
) -> tuple[dict[int, str], list[str]]:
    """Read bodies one by one; return why those that are no lists of instruments are not.

    And the customers of whom nothing was sent in place of a list.
    """
    reasons: dict[int, str] = {}
    silent: list[str] = []
    records: list[ReceivedRecord] = []
    body: list[int] = []
    element: list[int] = []
    for index in indexes:
        try:
            found = read_body(bodies[index].body)
        except BodyUnreadable as error:
            reasons[index] = str(error)
            continue
        if found is None:
            silent.append(bodies[index].customer_id)
            continue
        records += found
        body += [index] * len(found)
        element += range(len(found))
    if records:
        columns: dict[str, list[int] | list[str | None]] = {"body": body, "element": element}
        parts.append(pa.table({**columns, **as_columns(records)}, schema=RECEIVED))
    return reasons, silent


def _in_order(parts: list[pa.Table], *, single: bool) -> pa.Table:
    rows = pa.concat_tables(parts) if parts else RECEIVED.empty_table()
    if single and len(parts) <= 1:
        return rows
    order = np.lexsort((rows.column("element").to_numpy(), rows.column("body").to_numpy()))
    return rows.combine_chunks().take(pa.array(order))


def _finish(
    bodies: Sequence[ReceivedBody],
    rows: pa.Table,
    unreadable: dict[str, str],
    silent: frozenset[str],
) -> Flattened:
    if unreadable:
        kept = np.array([body.customer_id not in unreadable for body in bodies])
        rows = rows.filter(pa.array(kept[rows.column("body").to_numpy()]))
    body = rows.column("body").to_numpy()
    page_starts = _page_starts(bodies, np.bincount(body, minlength=len(bodies)))
    numbers = pa.array(body, pa.int32())
    versions = pa.array([b.api_version for b in bodies], pa.string()).dictionary_encode()
    table = canonicalise(
        rows,
        customer_ids=pa.array([b.customer_id for b in bodies], pa.string()).take(numbers),
        list_positions=rows.column("element").to_numpy() + page_starts[body],
        fetched_at=pa.array([b.fetched_at_us for b in bodies], pa.int64())
        .take(numbers)
        .view(INSTANT),
        api_versions=versions.take(numbers),
    )
    counts = count_codes(table.column("anomalies").chunks)
    return Flattened(table, counts, unreadable, silent)


def _page_starts(bodies: Sequence[ReceivedBody], counts: np.ndarray) -> np.ndarray:
    """Return for each body how many rows the earlier pages of its customer have."""
    starts = np.zeros(len(bodies), dtype=np.int32)
    if len({received.customer_id for received in bodies}) == len(bodies):
        return starts
    so_far: dict[str, int] = {}
    for index, received in enumerate(bodies):
        start = so_far.get(received.customer_id, 0)
        starts[index] = start
        so_far[received.customer_id] = start + int(counts[index])
    return starts
