"""What an answer means for a deletion: the table of outcomes, as data, and how one is looked up.

An answer to a delete never proves that a card is gone, and an answer that is not understood never
proves that it is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from tokenvault_data.client.calls import read_json
from tokenvault_data.client.transport import Answer
from tokenvault_data.errors import UnusableAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenvault_data.client.calls import Call
    from tokenvault_data.client.retries import Attempt

ResponseKind = Literal[
    "this_card",
    "other_card",
    "garbage",
    "no_content",
    "not_found",
    "already_deleted",
    "conflict",
    "invalid",
    "key_reused",
    "denied",
    "forbidden",
    "rate_limited",
    "server_error",
    "lost",
    "not_sent",
    "certificate",
    "redirect",
    "strange",
]
"""What came back, before anything is made of it."""

Outcome = Literal["accepted", "in_doubt", "not_executed", "absent", "rejected", "unexpected"]
"""What became of a delete, as the journal has it."""

Seen = Literal["card", "absent", "unclear"]
"""What a fetch showed: the card, that there is none, or nothing that can be relied on."""

Effect = Literal["none", "failure", "garbage", "wait", "doubt", "pause", "halt"]
"""What the whole campaign makes of an answer.

``failure`` and ``garbage`` count towards a pause, ``wait`` is a rate limit met, ``doubt`` is about
one card if a control card still answers and about the account otherwise, ``pause`` needs a person,
``halt`` is a fault that a campaign never goes on from by itself.
"""


@dataclass(frozen=True, slots=True)
class ResponsePolicy:
    """One row of the table.

    Attributes
    ----------
    delete : Outcome
        What a delete that was answered so has become.
    fetch : Seen
        What a fetch that was answered so has shown.
    delete_effect, fetch_effect : Effect
    words : str
        The answer, in words.
    """

    delete: Outcome
    fetch: Seen
    delete_effect: Effect
    fetch_effect: Effect
    words: str


TABLE: Final[Mapping[ResponseKind, ResponsePolicy]] = MappingProxyType(
    {
        "this_card": ResponsePolicy(
            "accepted", "card", "none", "none", "200 with the card asked for"
        ),
        "other_card": ResponsePolicy(
            "unexpected", "unclear", "halt", "halt", "200 with another card"
        ),
        "garbage": ResponsePolicy(
            "in_doubt", "unclear", "garbage", "garbage", "200 with no card to read"
        ),
        "no_content": ResponsePolicy(
            "in_doubt", "unclear", "garbage", "garbage", "2xx other than 200"
        ),
        "not_found": ResponsePolicy("absent", "absent", "none", "none", "404"),
        "already_deleted": ResponsePolicy(
            "absent", "unclear", "none", "failure", "409 already deleted"
        ),
        "conflict": ResponsePolicy("unexpected", "unclear", "pause", "failure", "another 409"),
        "invalid": ResponsePolicy("rejected", "unclear", "none", "failure", "400"),
        "key_reused": ResponsePolicy("rejected", "unclear", "halt", "halt", "422"),
        "denied": ResponsePolicy("not_executed", "unclear", "pause", "pause", "401"),
        "forbidden": ResponsePolicy("not_executed", "unclear", "doubt", "doubt", "403"),
        "rate_limited": ResponsePolicy("not_executed", "unclear", "wait", "wait", "429"),
        "server_error": ResponsePolicy("in_doubt", "unclear", "failure", "failure", "5xx"),
        "lost": ResponsePolicy("in_doubt", "unclear", "failure", "failure", "no whole answer"),
        "not_sent": ResponsePolicy(
            "not_executed", "unclear", "failure", "failure", "no connection"
        ),
        "certificate": ResponsePolicy("not_executed", "unclear", "halt", "halt", "TLS failure"),
        "redirect": ResponsePolicy(
            "unexpected", "unclear", "halt", "halt", "a redirect, never followed"
        ),
        "strange": ResponsePolicy("unexpected", "unclear", "pause", "failure", "any other status"),
    }
)
"""What each answer means, for a delete and for a fetch."""

_BY_STATUS: Final[Mapping[int, ResponseKind]] = MappingProxyType(
    {
        400: "invalid",
        401: "denied",
        403: "forbidden",
        404: "not_found",
        408: "lost",  # a proxy gave up waiting for the vault, which may have carried it out
        422: "key_reused",
        429: "rate_limited",
    }
)


@dataclass(frozen=True, slots=True)
class ClassifiedResponse:
    """One answer, read.

    Attributes
    ----------
    meaning : ResponseKind
    row : ResponsePolicy
        What follows from it.
    card : dict or None
        The instrument as the vault wrote it, where the answer is the card asked for.
    status, code, request_id
        As in `Attempt`.
    message : str
        What happened, in words that may be shown.
    """

    meaning: ResponseKind
    row: ResponsePolicy
    card: dict[str, Any] | None = field(repr=False)  # it may hold a card number
    status: int | None
    code: str | None
    request_id: str
    message: str

    @property
    def is_forbidden(self) -> bool:
        """Whether access was refused (403), to this card or to the whole account."""
        return self.meaning == "forbidden"

    @property
    def instrument_status(self) -> str | None:
        """The card's status, upper case; None where it has none, or there is no card."""
        status = None if self.card is None else self.card.get("instrument_status")
        return status.strip().upper() if isinstance(status, str) else None


def read_attempt(call: Call, attempt: Attempt) -> ClassifiedResponse:
    """Look up what one send has come to.

    Parameters
    ----------
    call : Call
        A fetch or a delete of one instrument.
    attempt : Attempt
    """
    meaning, card = _meaning(call, attempt)
    row = TABLE[meaning]
    return ClassifiedResponse(
        meaning,
        row,
        card,
        attempt.status,
        attempt.code,
        attempt.request_id,
        attempt.message or row.words,
    )


def _meaning(  # noqa: PLR0911  one return a class of statuses reads as the table it is
    call: Call, attempt: Attempt
) -> tuple[ResponseKind, dict[str, Any] | None]:
    if attempt.kind != "answered" or attempt.status is None:
        unanswered: dict[str, ResponseKind] = {"not_sent": "not_sent", "certificate": "certificate"}
        return unanswered.get(attempt.kind, "lost"), None
    status = attempt.status
    if status == 200:
        return _read_card(call, attempt)
    if status == 409:
        repeated = attempt.code == "instrument_already_deleted"
        return ("already_deleted" if repeated else "conflict"), None
    if status >= 500:
        return "server_error", None
    if status >= 400:
        return _BY_STATUS.get(status, "strange"), None
    if status >= 300:
        return "redirect", None
    return ("no_content" if status >= 200 else "strange"), None


def _read_card(call: Call, attempt: Attempt) -> tuple[ResponseKind, dict[str, Any] | None]:
    """Read the card out of a 200; without its own id nothing says which card it is."""
    try:
        content = read_json(Answer(200, attempt.headers, attempt.body), is_strict=True)
    except UnusableAnswer:
        return "garbage", None
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    if not isinstance(content, dict):
        return "garbage", None
    instrument, customer = content.get("instrument_id"), content.get("customer_id")
    if instrument not in (None, call.instrument_id):
        return "other_card", None
    if customer not in (None, call.customer_id) and call.operation == "delete":
        return "other_card", None  # of a fetch it is drift, which the rule judges
    return ("garbage", None) if instrument is None else ("this_card", content)
