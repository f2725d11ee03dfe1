"""A customer's list as the check before a delete reads it: whole, or nothing is concluded from it.

A list that is cut, of somebody else, or says two things of one card proves neither that a card is
there as planned nor that its customer keeps another one. So anything odd makes all of it unclear.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from tokenvault_data.client.paging import PageChain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = dict[str, object]

_ODD_FIELDS = ("instrument_id:", "customer_id:")
_ODD_KINDS = (":not_an_object", ":repeated_key")


class ListAnswer(NamedTuple):
    """The answer to the question for a customer's list.

    Attributes
    ----------
    customer_id : str
        As asked for.
    elements : list or None
        Of all pages, decoded; None where there is no whole list.
    bodies : tuple of bytes
        The pages.
    problem : str or None
        Why there is no list, in words that may be shown.
    status : int or None
    request_id : str
        Of the last page asked for.
    is_absent : bool
        Whether the vault does not know the customer.
    counts : bool
        Whether an unclear answer counts against the card: a rate limit met does not.
    """

    customer_id: str
    elements: list[Any] | None
    bodies: tuple[bytes, ...]
    problem: str | None
    status: int | None
    request_id: str
    is_absent: bool = False
    counts: bool = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status}, {self.pages} pages {self.request_id}>"

    @property
    def is_forbidden(self) -> bool:
        """Whether access was refused (403), to this customer or to the whole account."""
        return self.status == HTTPStatus.FORBIDDEN

    @property
    def pages(self) -> int:
        """How many requests it took, 1 at least."""
        return max(1, len(self.bodies))


class ReadList(NamedTuple):
    """A list in the columns that rules speak of, one row a card; None and a reason if it is odd."""

    rows: list[Row] | None
    problem: str | None


def chain_of(url: str) -> PageChain:
    """Begin a list."""
    return PageChain(url)


def read_lists(answers: Sequence[tuple[ListAnswer, int, str]]) -> list[ReadList]:
    """Turn whole lists into rows of the pinned schema ``INSTRUMENTS``.

    Parameters
    ----------
    answers : sequence of (ListAnswer, int, str)
        Each with the microseconds since 1970 UTC at which it was asked for, and the API's version.

    Returns
    -------
    list of ReadList
        One for each, in order.
    """
    problems = [_oddity(answer) for answer, _, _ in answers]
    sound = [one for one, problem in zip(answers, problems, strict=True) if problem is None]
    tables = iter(_rows_of(sound))
    read: list[ReadList] = []
    for (answer, _, _), problem in zip(answers, problems, strict=True):
        if problem is not None:
            read.append(ReadList(None, problem))
            continue
        read.append(_joined(answer, next(tables)))
    return read


def _oddity(answer: ListAnswer) -> str | None:
    """Say what is odd about the elements as they came."""
    seen: dict[str, Any] = {}
    for element in answer.elements or ():
        if not isinstance(element, dict):
            return "the customer's list holds something that is not a card"
        instrument, customer = element.get("instrument_id"), element.get("customer_id")
        if not isinstance(instrument, str) or not instrument:
            return "the customer's list holds a card without an id"
        if customer not in (None, answer.customer_id):
            return "the customer's list holds another customer's card"
        if seen.setdefault(instrument, element) != element:
            return "the customer's list says two different things of one card"
    return None


def _rows_of(answers: Sequence[tuple[ListAnswer, int, str]]) -> list[list[Row] | None]:
    from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten

    bodies = [
        ReceivedBody(answer.customer_id, body, asked_at_us, api_version)
        for answer, asked_at_us, api_version in answers
        for body in answer.bodies
    ]
    if not bodies:
        return []
    flat = flatten(bodies)
    counts = [len(answer.elements or ()) for answer, _, _ in answers]
    if flat.table.num_rows == sum(counts) and not flat.unreadable:
        rows = flat.table.to_pylist()
        ends = [sum(counts[: place + 1]) for place in range(len(counts))]
        return [rows[end - count : end] for count, end in zip(counts, ends, strict=True)]
    if len(answers) == 1:
        return [None]
    return [found for one in answers for found in _rows_of([one])]  # one spoils its neighbours


def _joined(answer: ListAnswer, rows: list[Row] | None) -> ReadList:
    if rows is None:
        return ReadList(None, "the customer's list cannot be read")
    found: dict[str, Row] = {}
    for row, element in zip(rows, answer.elements or (), strict=True):
        anomalies = str(row.get("anomalies") or "").split(";")
        odd = any(one.startswith(_ODD_FIELDS) or one.endswith(_ODD_KINDS) for one in anomalies)
        if odd or row["instrument_id"] != element["instrument_id"]:
            return ReadList(None, "the customer's list holds a card whose id had to be mended")
        found.setdefault(str(row["instrument_id"]), row)
    return ReadList(list(found.values()), None)


def row_of(rows: Sequence[Row], instrument_id: str) -> Mapping[str, object] | None:
    """Find a card in a list."""
    return next((row for row in rows if row["instrument_id"] == instrument_id), None)
