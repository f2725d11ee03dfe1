"""Reading a list that comes as one array, as a cursor envelope, or as linked pages. No I/O.

The list is documented as a bare array. Where the same gateway pages it answers with an envelope
``{"data": [...], "cursor": "<opaque>" | null, "limit": N}`` and takes ``cursor`` and ``limit``
back; gateways in front of merchants' accounts add RFC 8288 ``Link: <...>; rel="next"``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from tokenvault_data.client.calls import read_json
from tokenvault_data.errors import PagingFault, UnusableAnswer
from tokenvault_data.vault_json import NotAList, elements_of

if TYPE_CHECKING:
    from tokenvault_data.client.transport import Answer

MAX_PAGES: Final = 200
"""A customer's cards fill a few pages; beyond this a chain counts as endless."""

MAX_LIST_BYTES: Final = 64 * 1024 * 1024
"""All pages of a list together; a hundred thousand cards of one customer."""

MAX_URL_BYTES: Final = 8000
"""Longest URL of a page; RFC 9110 (4.1) asks every server to take as much."""


_NO_CONTENT: Final = 204
_NOTHING: Final = b"null"  # what an answer without content says, for all who read the pages


class PageChain:
    """The pages of one customer's list, in order: which URL is next, and whether to believe it.

    Parameters
    ----------
    first_url : str
        The URL of the documented request.
    max_pages : int, optional
        Where a chain counts as endless.
    is_lenient : bool, optional
        Whether what says as much as a list is one: ``null`` and an answer without content (204) for
        none, a bare instrument for one; and whether a damaged value costs only itself. Whoever has
        to prove that a card is gone must not ask so.

    Attributes
    ----------
    next_url : str or None
        What to request next; None when the list is complete.
    bodies : list of bytes
        The bodies read so far, in order; together they are the list.
    instruments : list
        The elements of all pages, decoded.
    status : int
        Of the last answer read.
    """

    def __init__(
        self, first_url: str, *, max_pages: int = MAX_PAGES, is_lenient: bool = False
    ) -> None:
        self.next_url: str | None = first_url
        self.bodies: list[bytes] = []
        self.instruments: list[Any] = []
        self._first_url = first_url
        self._max_pages = max_pages
        self._is_lenient = is_lenient
        self.status = 200
        self._in_envelopes = False
        self._room_bytes = MAX_LIST_BYTES
        self._seen = {first_url}

    def add(self, answer: Answer) -> None:
        """Take the answer to `next_url`, or, when it cannot be used, nothing of it.

        Raises
        ------
        UnusableAnswer
            The body is no list of instruments.
        PagingFault
            The next page was read already, there are too many, or it is on another origin.
        """
        body = _NOTHING if answer.status == _NO_CONTENT else answer.body
        page, cursor, limit = self._read(answer._replace(body=body))
        url = self._following(cursor, limit, answer.headers.get("link"))
        self._room_bytes -= len(body)
        if url is not None:
            self._check_end_in_sight(url, cursor)
        self.bodies.append(body)
        self.instruments += page
        self.status = answer.status
        self.next_url = url

    def _read(self, answer: Answer) -> tuple[list[Any], str | None, int | None]:
        content = read_json(answer, is_strict=not self._is_lenient)
        page = self._elements(content)
        if not isinstance(content, dict) or "data" not in content:
            if self._in_envelopes:
                raise PagingFault(
                    "the vault answered the request for a further page with a bare list, which may"
                    " be the first page again; the list was given up. Report this to its support"
                )
            return page, None, None
        self._in_envelopes = True
        cursor, limit = content.get("cursor"), content.get("limit")
        if cursor in (None, ""):
            return page, None, None
        if isinstance(cursor, bool) or not isinstance(cursor, str | int):
            raise PagingFault("the cursor to the next page is neither text nor a number")
        usable = isinstance(limit, int) and not isinstance(limit, bool) and limit > 0
        return page, str(cursor), limit if usable else None

    def _elements(self, content: Any) -> list[Any]:
        try:
            found = elements_of(content)
        except NotAList:
            found, is_usable = None, False
        else:
            is_list = isinstance(content, list) or (found is not None and found != [content])
            is_usable = is_list or self._is_lenient
        if not is_usable:
            raise UnusableAnswer(
                f"the vault answered a list with {_described(content)} instead of an array of"
                " instruments; nothing was taken from it",
                status=200,
            )
        return [] if found is None else found

    def _following(self, cursor: str | None, limit: int | None, link: str | None) -> str | None:
        if cursor is not None:
            url = f"{self._first_url}&cursor={quote(cursor, safe='')}"
            return url if limit is None else f"{url}&limit={limit}"
        target = None if link is None else next_target(link)
        return None if target is None else _on_same_origin(self._first_url, target)

    def _check_end_in_sight(self, url: str, cursor: str | None) -> None:
        page = url if cursor is None else f"cursor {cursor}"
        pages = len(self.bodies) + 1
        if page in self._seen:
            raise PagingFault(
                f"page {pages} of the list leads back to a page already read; the list was given"
                " up, because it would never end. This is a fault of the vault: try again later,"
                " and report it to its support if it stays"
            )
        if pages >= self._max_pages:
            raise PagingFault(
                f"the list has not ended after {self._max_pages} pages; it was given up."
                " If a customer really has that many cards, raise max_pages"
            )
        if self._room_bytes < 0:
            raise PagingFault(
                f"the list has not ended after {MAX_LIST_BYTES:,} bytes; it was given up."
                " Report this to the vault's support"
            )
        if len(url) > MAX_URL_BYTES:
            raise PagingFault(
                f"the address of the next page is {len(url):,} bytes long; the list was given up,"
                " because servers refuse such. Report this to the vault's support"
            )
        self._seen.add(page)


def _described(content: object) -> str:
    if isinstance(content, dict):
        return "an object without a data array"
    return "null" if content is None else f"a single {type(content).__name__}"


# RFC 8288, section 3, read as leniently as its appendix B.2 asks for.
_link_target = re.compile(r"[\s,]*<([^<>]*)>").match
_link_parameter = re.compile(
    r"[\s;]*;\s*([^\s=;,<>\"]+)\s*(?:=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;,\"]*)))?"
).match
_link_gap = re.compile(r"[\s;]*(?:,|\Z)").match
_link_end = re.compile(r"[\s,]*\Z").match


def next_target(header: str) -> str | None:
    """Find the target of the link with ``rel="next"``, None when there is none.

    Parameters
    ----------
    header : str
        The ``Link`` header; several joined by commas.

    Raises
    ------
    PagingFault
        The header cannot be read, so that nobody knows whether there is a next page.
    """
    at, found = 0, None
    while not _link_end(header, at):
        link = _link_target(header, at)
        if link is None:
            raise _unreadable_link()
        at = link.end()
        parameters: dict[str, str] = {}
        while parameter := _link_parameter(header, at):
            name, quoted, token = parameter.groups()
            parameters.setdefault(name.lower(), quoted or token or "")
            at = parameter.end()
        gap = _link_gap(header, at)
        if gap is None:
            raise _unreadable_link()
        at = gap.end()
        # A link with an anchor is one of another resource than the page (RFC 8288, 3.2).
        is_next = "next" in parameters.get("rel", "").lower().split()
        if is_next and "anchor" not in parameters and found is None:
            found = link.group(1)
    return found


def _unreadable_link() -> PagingFault:
    return PagingFault(
        "the Link header of a list cannot be read, so there may be further pages; the list was"
        " given up. Report this to the vault's support"
    )


_without_tricks = re.compile(r"[!-\[\]-~]*").fullmatch  # visible ASCII, and no backslash


def _on_same_origin(first_url: str, target: str) -> str:
    """Make the URL of a link of our own scheme, host and port and of its path and query.

    Parsers disagree about odd URLs, and the wire's is not the one used here: so nothing that a link
    says of a host is ever passed on.
    """
    ours = urlsplit(first_url)
    try:
        theirs = urlsplit(urljoin(first_url, target))
        same = _origin(theirs) == _origin(ours) and "@" not in theirs.netloc
    except ValueError:
        same = False
    if not same or not _without_tricks(target):
        raise PagingFault(
            "the vault linked the next page of a list to another host, or to something that is no"
            " URL; it was not followed, because the request carries the credentials"
        )
    return theirs._replace(scheme=ours.scheme, netloc=ours.netloc, fragment="").geturl()


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
