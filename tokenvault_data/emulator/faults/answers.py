"""Answers as faults make them: what is sent instead, and what is done to a good one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tokenvault_data.emulator.answers import Response, error_answer
from tokenvault_data.emulator.paging import cursor_to, next_link, read_page_request

if TYPE_CHECKING:
    from tokenvault_data.emulator.answers import Headers
    from tokenvault_data.emulator.faults.faults import FaultRule
    from tokenvault_data.emulator.settings import Paging
    from tokenvault_data.emulator.vault import ListQuery

_HTML = (
    b"<!DOCTYPE html><html><head><title>Welcome</title></head>"
    b"<body><h1>Please sign in to the network</h1></body></html>"
)
_NO_BODY_STATUSES = (204, 205, 304)
_NONSENSE = {
    "negative": b"-5",
    "huge": b"99999999999999999999999",
    "malformed": b"soon, perhaps",
    "nan": b"NaN",
}
_HEADER_NAMES = {
    "limit": b"x-ratelimit-limit",
    "remaining": b"x-ratelimit-remaining",
    "retry": b"x-ratelimit-retry",
    "type": b"x-ratelimit-type",
    "reset": b"x-ratelimit-reset",
    "retry-after": b"retry-after",
}
# Places beyond any real list, so that a cursor of an endless chain always leads to an empty page.
_ENDLESS_START = 1_000_000


def replacement(rule: FaultRule, path: str, foreign_origin: str) -> Response:
    """Make the answer sent in place of the vault's own.

    Parameters
    ----------
    rule
        A fault of the group ``replace`` that sends something.
    path
        Path and query of the request, for redirects.
    foreign_origin
        This server under another name, so that the wire log shows who follows.
    """
    name = rule.kind.name
    if rule.status is not None:
        return _status_answer(rule.status, rule.value)
    if name.startswith("redirect-"):
        location = rule.value or f"{foreign_origin}{path}"
        return Response(int(name[-3:]), b"", ((b"location", location.encode()),))
    if name == "garbage":
        return Response(200, _HTML, content_type=b"text/html; charset=utf-8")
    if name == "deep":
        levels = int(rule.number)
        return Response(200, b"[" * levels + b"]" * levels)
    if name in ("huge", "huge-chunked"):
        filler = b"x" * int(rule.number * 1_000_000)
        return Response(200, b'[{"customer_id":"' + filler + b'"}]')
    return Response(200, b"")


def _status_answer(status: int, retry_after: str) -> Response:
    headers: Headers = ((b"retry-after", retry_after.encode()),) if retry_after else ()
    if status >= 400:
        return error_answer(status, headers=headers)
    return Response(status, b"" if status in _NO_BODY_STATUSES else b"{}", headers)


def damaged(rule: FaultRule, answer: Response) -> Response:
    """Damage the body of a good answer, if the fault is one that does."""
    if rule.kind.name == "cut":
        return answer._replace(body=answer.body[: len(answer.body) // 2])
    if rule.kind.name == "wrong-id" and answer.status == 200:
        return answer._replace(body=json.dumps(_renamed(json.loads(answer.body))).encode())
    return answer


def _renamed(body: Any) -> Any:
    if isinstance(body, list):
        return [_renamed(item) for item in body]
    for field in ("customer_id", "instrument_id"):
        if field in body:
            other = int.from_bytes(body[field].encode()[-15:], "big") + 1
            body[field] = (
                str(UUID(int=other)) if field == "instrument_id" else f"cust_other_{other}"
            )
    if "data" in body:
        body["data"] = _renamed(body["data"])
    return body


def misled(
    rule: FaultRule, answer: Response, query: ListQuery, *, shape: Paging, foreign_origin: str
) -> Response:
    """Break the way to the next page of a list answer.

    A list without pages becomes a cursor envelope, or gains a `Link` header for a foreign link.
    """
    if answer.status != 200:
        return answer
    body = json.loads(answer.body)
    rows = body["data"] if isinstance(body, dict) else body
    limit = body["limit"] if isinstance(body, dict) else max(1, len(rows))
    customer_id = query.customer_id
    cursor, origin = cursor_to(customer_id, 0), query.origin
    if rule.kind.name == "foreign-link":
        origin = rule.value or foreign_origin
    elif rule.kind.name == "endless-chain":
        start = _start_of(query)
        rows = [] if start >= _ENDLESS_START else rows
        cursor = cursor_to(customer_id, max(start + 1, _ENDLESS_START))
    if shape == "link" or rule.kind.name == "foreign-link":
        text = json.dumps(rows, separators=(",", ":"))
        link = next_link(origin, customer_id, cursor, limit)
        return answer._replace(body=text.encode(), headers=(link,))
    envelope = {"data": rows, "cursor": cursor, "limit": limit}
    return answer._replace(body=json.dumps(envelope, separators=(",", ":")).encode())


def _start_of(query: ListQuery) -> int:
    try:
        return read_page_request(query.customer_id, query.values, 1).start
    except ValueError:
        return 0  # a list without pages never looked at the cursor


def nonsense_limit_headers(rule: FaultRule, dialects: frozenset[str]) -> Headers:
    """Fill every limit header that would be sent with a value no client should trust."""
    if rule.value == "absent":
        return ()
    return tuple((_HEADER_NAMES[name], _NONSENSE[rule.value]) for name in sorted(dialects))
