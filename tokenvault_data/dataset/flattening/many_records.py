"""The fast reader: many bodies at once, JSON straight into Arrow in C++, off the GIL.

Every body becomes one line ``{"v": <body>}``. Arrow reads the lines with the schema of an
instrument and refuses them all when a single value is of another type; the caller then asks again
for smaller groups. It accepts nothing that :mod:`.one_record` would read differently: bodies with
fields that have no column are handed back by number, to be read by it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.json as pa_json

from tokenvault_data.dataset.flattening.canonical import (
    META,
    META_FIELDS,
    RECEIVED,
    TOKEN,
    TOKEN_FIELDS,
    TOP_FIELDS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# Arrow's parser descends the C stack for every level of nesting, about a kilobyte each, and a
# body made of brackets would end the process. A body can be nested no deeper than it is long, nor
# than it has opening brackets; beyond these bounds a body is left to the patient reader.
_UNCOUNTED_BYTES = 4096 if sys.platform == "linux" else 256
_MOST_BRACKETS = 600 if sys.platform == "linux" else 150

# Arrow's own threads share a batch block by block; smaller blocks than these cost more than that.
SMALLEST_BLOCK_BYTES = 1 << 18
_THREADS = pa.cpu_count()


def _struct(fields: tuple[str, ...], **nested: pa.DataType) -> pa.StructType:
    return pa.struct([*[(name, pa.string()) for name in fields], *nested.items()])


_TOKEN_TYPE = _struct(TOKEN_FIELDS)
_META_TYPE = _struct(META_FIELDS, **{TOKEN: _TOKEN_TYPE})
_LIST_TYPE = pa.list_(_struct(TOP_FIELDS, **{META: _META_TYPE}))


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One of the shapes an answer comes in, and how to make a list of it.

    Attributes
    ----------
    before, after : bytes
        What stands around the body on its line.
    type : pyarrow.DataType
        Arrow type of ``v``.
    """

    before: bytes
    after: bytes
    type: pa.DataType


ARRAY = Shape(b'{"v":', b"}", _LIST_TYPE)
ENVELOPE = Shape(b'{"v":', b"}", pa.struct([("data", _LIST_TYPE)]))
SINGLE = Shape(b'{"v":[', b"]}", _LIST_TYPE)


def shape_of(body: bytes) -> Shape | None:
    """Return the shape a body seems to have, None when only the patient reader should try it."""
    if len(body) > _UNCOUNTED_BYTES and body.count(b"[") + body.count(b"{") > _MOST_BRACKETS:
        return None
    first = body[:1] if body[:1] in {b"[", b"{"} else body.lstrip(b" \t\r\n")[:1]
    if first == b"[":
        return ARRAY
    if first == b"{":
        return ENVELOPE if b'"data"' in body else SINGLE
    return None


def are_plain_arrays(bodies: Sequence[bytes]) -> bool:
    """Tell, quickly, whether `shape_of` says ARRAY of every body."""
    return bool(bodies) and all(
        body[:1] == b"[" and (len(body) <= _UNCOUNTED_BYTES or shape_of(body) is ARRAY)
        for body in bodies
    )


@dataclass(frozen=True, slots=True)
class FastRead:
    """What the fast reader made of a group of bodies.

    Attributes
    ----------
    rows : pyarrow.Table
        ``RECEIVED``, with ``body`` counted from 0 within the group; none of `left`.
    left : list of int
        Bodies of the group that the patient reader has to read.
    """

    rows: pa.Table
    left: list[int]


def read_bodies(bodies: Sequence[bytes], shape: Shape) -> FastRead | None:
    """Read bodies of one shape, or return None when Arrow refuses them as a group."""
    lists = _parse(bodies, shape)
    if lists is None:
        return None
    left = np.zeros(len(bodies), dtype=bool)
    if isinstance(lists, pa.StructArray):  # an envelope; its other members are paging, not cards
        left |= _is_null(lists)
        lists = lists.field("data")
    left |= _is_null(lists)
    counts = lists.value_lengths().fill_null(0).to_numpy()
    records = lists.flatten()
    body = np.repeat(np.arange(len(bodies), dtype=np.int32), counts)
    starts = np.cumsum(counts) - counts
    element = np.arange(len(body), dtype=np.int32) - np.repeat(starts, counts).astype(np.int32)

    meta = records.field(META)
    token = meta.field(TOKEN)
    irregular = _is_null(records) | _holds_unknown(records, (*TOP_FIELDS, META))
    irregular |= _holds_unknown(meta, (*META_FIELDS, TOKEN)) | _holds_unknown(token, TOKEN_FIELDS)
    if shape is SINGLE and len(records):
        irregular |= _is_null(records.field("instrument_id"))
    left[body[irregular]] = True

    leaves = [records.field(name) for name in TOP_FIELDS]
    leaves += [meta.field(name) for name in META_FIELDS]
    leaves += [token.field(name) for name in TOKEN_FIELDS]
    nothing = pa.nulls(len(body), pa.string())
    rows = pa.Table.from_arrays(
        [pa.array(body), pa.array(element), *leaves, nothing, nothing], schema=RECEIVED
    )
    if left.any():
        rows = rows.filter(pa.array(~left[body]))
    return FastRead(rows, np.flatnonzero(left).tolist())


def _parse(bodies: Sequence[bytes], shape: Shape) -> pa.ListArray | pa.StructArray | None:
    # One join and no further copy: batches are megabytes, and fresh memory is what costs here.
    ends = list(bodies)
    ends[0] = shape.before + ends[0]
    ends[-1] += shape.after
    lines = (shape.after + b"\n" + shape.before).join(ends)
    if b"\0" in lines or not _is_utf8(lines):  # the parser stops at the one, skips the other
        return None
    longest = max(map(len, ends)) + len(shape.before) + len(shape.after) + 1
    try:
        table = pa_json.read_json(
            pa.BufferReader(lines),
            read_options=pa_json.ReadOptions(
                block_size=max(SMALLEST_BLOCK_BYTES, longest, -(-len(lines) // _THREADS)),
            ),
            parse_options=pa_json.ParseOptions(
                explicit_schema=pa.schema([("v", shape.type)]),
                newlines_in_values=b"\r" in lines or lines.count(b"\n") != len(bodies) - 1,
                unexpected_field_behavior="infer",
            ),
        )
        # A body such as `[]}{"v":[]` would pass for two lines, or bring columns of its own.
        if table.num_rows != len(bodies) or table.column_names != ["v"]:
            return None
        return table.column("v").combine_chunks()  # finds what Arrow's inference made invalid
    except (pa.ArrowException, UnicodeDecodeError):
        return None


def _is_utf8(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _is_null(array: pa.Array) -> np.ndarray:
    if not array.null_count:
        return np.zeros(len(array), dtype=bool)
    mask: np.ndarray = array.is_null().to_numpy(zero_copy_only=False)
    return mask


def _holds_unknown(struct: pa.StructArray, known: tuple[str, ...]) -> np.ndarray:
    """Return which records hold a field, not null, that has no column."""
    mask = np.zeros(len(struct), dtype=bool)
    for index, member in enumerate(struct.type):
        if member.name not in known:
            mask |= ~_is_null(struct.field(index))
    return mask
