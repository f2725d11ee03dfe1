"""Cutting a list into pages, in the shapes a gateway may give them."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode
from zlib import crc32

from tokenvault_data.emulator.routing import PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenvault_data.emulator.settings import Paging


class ListedCard(NamedTuple):
    """An instrument to be listed, and its place in the whole list, deleted ones counted."""

    place: int
    json_text: str


class Page(NamedTuple):
    """One page and the cursor of the next; None on the last."""

    rows: Sequence[ListedCard]
    next_cursor: str | None
    limit: int


class PageRequest(NamedTuple):
    """What a client asked for: start at which place, at most how many."""

    start: int
    limit: int


def read_page_request(
    customer_id: str, query: dict[str, str], instruments_per_page: int
) -> PageRequest:
    """Read `cursor` and `limit`; a limit above the server's own page size is cut to that.

    Raises
    ------
    ValueError
        The cursor is not one given out for this customer, or the limit no positive number.
    """
    limit = query.get("limit", str(instruments_per_page))
    if not (limit.isascii() and limit.isdecimal() and int(limit) > 0):
        raise ValueError("limit")
    cursor = query.get("cursor")
    start = 0 if cursor is None else _place_of(customer_id, cursor)
    return PageRequest(start, min(int(limit), instruments_per_page))


def cut_page(customer_id: str, rows: Sequence[ListedCard], request: PageRequest) -> Page:
    """Cut out the page that starts at the requested place.

    Cursors name places and not counts, so a deletion between two pages neither hides nor repeats a
    row.
    """
    left = [row for row in rows if row.place >= request.start]
    page, rest = left[: request.limit], left[request.limit :]
    next_cursor = cursor_to(customer_id, rest[0].place) if rest else None
    return Page(page, next_cursor, request.limit)


def cursor_to(customer_id: str, place: int) -> str:
    """Make an opaque cursor to a place in one customer's list; no other customer's takes it."""
    text = f"{place}.{crc32(customer_id.encode()):08x}"
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _place_of(customer_id: str, cursor: str) -> int:
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        place = int(base64.urlsafe_b64decode(padded).decode().partition(".")[0])
    except (binascii.Error, ValueError):
        raise ValueError("cursor") from None
    if place < 0 or cursor_to(customer_id, place) != cursor:
        raise ValueError("cursor")
    return place


def render_page(page: Page, shape: Paging) -> bytes:
    """Write the body of a list answer in one of the three shapes."""
    array = f"[{','.join([row.json_text for row in page.rows])}]"
    if shape != "cursor":
        return array.encode()
    cursor = "null" if page.next_cursor is None else f'"{page.next_cursor}"'
    return f'{{"data":{array},"cursor":{cursor},"limit":{page.limit}}}'.encode()


def next_link(origin: str, customer_id: str, cursor: str, limit: int) -> tuple[bytes, bytes]:
    """Make the RFC 8288 header that leads to the next page at `origin` (scheme, host, port)."""
    query = urlencode({"instrument_type": "card", "cursor": cursor, "limit": limit})
    path = f"{PREFIX}/customers/{quote(customer_id, safe='')}/instruments"
    return b"link", f'<{origin}{path}?{query}>; rel="next"'.encode()
