"""From a request line to one of the four operations."""

from __future__ import annotations

from typing import Literal, NamedTuple
from urllib.parse import parse_qs, unquote_to_bytes

Operation = Literal["list", "fetch", "delete", "cryptogram", "no such path", "no such method"]
OPERATIONS: tuple[Operation, ...] = ("list", "fetch", "delete", "cryptogram")

PREFIX = "/pg"


class Route(NamedTuple):
    """Which operation a request asks for, on whom.

    Each id is one whole path segment, percent-decoded, so an encoded slash belongs to the id.
    `allow` holds the methods the path knows.
    """

    operation: Operation
    customer_id: str = ""
    instrument_id: str = ""
    allow: bytes = b"GET"


_NO_SUCH_PATH = Route("no such path")
_BY_METHOD: dict[str, Operation] = {"GET": "fetch", "DELETE": "delete"}


def route(method: str, raw_path: bytes) -> Route:
    """Find the operation by method and undecoded path."""
    segments = raw_path.split(b"/")
    shape = len(segments)
    if (
        shape not in (5, 6, 7)
        or segments[:3] != [b"", b"pg", b"customers"]
        or segments[4] != b"instruments"
        or not segments[3]
    ):
        return _NO_SUCH_PATH
    customer_id = _decoded(segments[3])
    if shape == 5:
        return Route("list" if method == "GET" else "no such method", customer_id)
    instrument_id = _decoded(segments[5])
    if not instrument_id:
        return _NO_SUCH_PATH
    if shape == 7:
        if segments[6] != b"cryptogram":
            return _NO_SUCH_PATH
        operation: Operation = "cryptogram" if method == "GET" else "no such method"
        return Route(operation, customer_id, instrument_id)
    operation = _BY_METHOD.get(method, "no such method")
    return Route(operation, customer_id, instrument_id, b"GET, DELETE")


def query_values(query: bytes) -> dict[str, str]:
    """Read the last value of every query parameter."""
    if query == b"instrument_type=card":
        return {"instrument_type": "card"}
    return {name: values[-1] for name, values in parse_qs(query.decode("latin-1")).items()}


def _decoded(segment: bytes) -> str:
    if b"%" in segment:
        segment = unquote_to_bytes(segment)
    return segment.decode("utf-8", "replace")
