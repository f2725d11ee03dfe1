"""What to do after an attempt: decided purely from what came back, never by reflex. No I/O.

A retry is safe when the vault did not see the request, or when seeing it twice changes nothing.
A lost answer to a delete, or to a cryptogram that may have been made, is neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import httpx

from tokenvault_data.client.pacing.headers import read_limits
from tokenvault_data.client.tls_trouble import explained
from tokenvault_data.client.transport import Answer, CertificateError, OversizedBody
from tokenvault_data.errors import (
    AccessDenied,
    AnswerLost,
    CertificateRejected,
    NotFound,
    NotSent,
    PagingFault,
    RateLimited,
    RequestRejected,
    UnusableAnswer,
    VaultError,
    VaultUnavailable,
)
from tokenvault_data.identifiers import quote_id
from tokenvault_data.payment_data import hide_card_numbers
from tokenvault_data.redaction import mask_id, scrub
from tokenvault_data.vault_json import NotJson, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenvault_data.client.calls import Call, Name


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long one call is tried.

    Attributes
    ----------
    attempts : int
        Attempts at one call at the most, those answered with 429 not counted: a 429 was not
        carried out, and when to send again is the pacing's to say.
    refusals : int
        Answers of 429 to one call at the most while other calls are answered; each is followed by
        the wait the pacing finds. While nothing is answered but 429, the deadline counts.
    first_wait_seconds, longest_wait_seconds : float
        Waits double from the first to the longest; each is drawn from its upper half, so that
        callers that failed together do not come back together.
    deadline_seconds : float
        No attempt starts after this much time in exchanges and waits between them. Waiting for a
        slot of the account's budget does not count: at a slow rate that is most of the time. A
        429 after this much time without any other answer is the last, and so is one that asks for
        a longer wait; a wait up to this long that was begun in time is waited out.
    """

    attempts: int = 5
    refusals: int = 5
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0
    deadline_seconds: float = 300.0


@dataclass(slots=True)
class Effort:
    """What one call has cost so far.

    Attributes
    ----------
    attempts : int
        Made, those without a connection included.
    sent : int
        Requests that left, or may have left.
    refused : int
        Of those, answered with 429.
    busy_seconds : float
        In exchanges and in waits between them, without waiting for slots of the budget.
    request_id : str or None
        ``x-request-id`` of the last attempt; None before the first.
    refused_beside : int
        429s since each of which, or since the call began, another call was answered.
    refused_seconds : float
        For how long nobody has been answered with anything but 429, without the wait that
        follows; 0 while somebody is.
    blocked_seconds : float
        How long the wait that follows is.
    patience_seconds : float or None
        How long either is borne; the policy's deadline when None.
    """

    attempts: int = 0
    sent: int = 0
    refused: int = 0
    busy_seconds: float = 0.0
    request_id: str | None = None
    refused_beside: int = 0
    refused_seconds: float = 0.0
    blocked_seconds: float = 0.0
    patience_seconds: float | None = None

    def count(self, result: Answer | httpx.TransportError, seconds: float) -> None:
        """Add one attempt and what became of it."""
        self.attempts += 1
        self.sent += not isinstance(result, _NEVER_SENT)
        self.refused += isinstance(result, Answer) and result.status == 429
        self.busy_seconds += seconds

    def __str__(self) -> str:
        return f"tried {self.attempts} time{'' if self.attempts == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Retry:
    """Send again after `wait_seconds`; 0 means as soon as the pacing has a slot."""

    wait_seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Raise `error`; sending again would not help, or would not be safe."""

    error: VaultError


_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout)
_REPEATABLE: frozenset[Name] = frozenset({"list", "fetch"})
_TOO_LATE_OR_EARLY = frozenset({408, 425})  # the same request may be answered another time
_SHORTEST_MASKED = 4  # shorter ids are parts of other words


def after_trouble(
    result: Answer | httpx.TransportError | UnusableAnswer,
    call: Call,
    effort: Effort,
    policy: RetryPolicy,
    jitter: float,
) -> Retry | GiveUp:
    """Decide after an attempt that brought nothing to use.

    Parameters
    ----------
    result
        An answer other than 200, what the transport raised, or why a 200 could not be read.
    call : Call
        What was asked for.
    effort : Effort
        What the call has cost so far, this attempt included.
    policy : RetryPolicy
    jitter : float
        From 0 up to 1, drawn anew for every decision.
    """
    if isinstance(result, Answer):
        error = _status_error(result, call, effort, policy)
    else:
        error = _failure_error(result, call, effort)
    if isinstance(error, RateLimited):
        patience = effort.patience_seconds
        if patience is None:
            patience = policy.deadline_seconds
        longest = max(effort.refused_seconds, effort.blocked_seconds)
        is_spent = effort.refused_beside >= policy.refusals or longest > patience
        return GiveUp(error) if is_spent else Retry(0.0)
    if isinstance(error, CertificateRejected):
        return GiveUp(error)
    if isinstance(error, NotSent) or (call.operation in _REPEATABLE and _may_pass(result, error)):
        told = read_limits(result.headers).wait_seconds if isinstance(result, Answer) else None
        return _again(error, effort, policy, jitter, told or 0.0)
    return GiveUp(error)


def _may_pass(result: Answer | httpx.TransportError | UnusableAnswer, error: VaultError) -> bool:
    """Whether the same request may find another answer: outages, broken or garbled answers."""
    if isinstance(result, Answer):
        return isinstance(error, VaultUnavailable)
    return not isinstance(result, OversizedBody | PagingFault)


def _again(
    error: VaultError, effort: Effort, policy: RetryPolicy, jitter: float, told_wait: float
) -> Retry | GiveUp:
    tries = effort.attempts - effort.refused
    doublings = min(tries - 1, 32)
    ceiling = min(policy.longest_wait_seconds, policy.first_wait_seconds * 2**doublings)
    wait = max(ceiling * (0.5 + jitter / 2), told_wait)
    if tries >= policy.attempts or effort.busy_seconds + wait > policy.deadline_seconds:
        return GiveUp(error)
    return Retry(wait)


def _failure_error(
    failure: httpx.TransportError | UnusableAnswer, call: Call, effort: Effort
) -> VaultError:
    error = _error_of_failure(failure, call, effort)
    if error is not failure:
        for note in getattr(failure, "__notes__", ()):
            error.add_note(note)
    return error


def _error_of_failure(
    failure: httpx.TransportError | UnusableAnswer, call: Call, effort: Effort
) -> VaultError:
    attempts = effort.sent
    if isinstance(failure, UnusableAnswer):
        failure.attempts = attempts
        return failure
    reason = _presentable(str(failure), call) or type(failure).__name__
    if isinstance(failure, CertificateError):
        return CertificateRejected(
            f"Nothing was sent, because the vault could not prove who it is: {explained(reason)}",
            attempts=attempts,
        )
    if isinstance(failure, _NEVER_SENT):
        nothing = "this time nothing was sent" if attempts else "nothing was sent"
        return NotSent(
            f"no connection to the vault ({reason}); {effort}, {nothing}."
            " Check the network, then run again",
            attempts=attempts,
        )
    if isinstance(failure, OversizedBody):
        return UnusableAnswer(
            f"{reason}; the rest was not read. Report this to the vault's support",
            status=200,
            attempts=attempts,
        )
    timed_out = isinstance(failure, httpx.TimeoutException)
    what = "no whole answer in time" if timed_out else "the connection broke"
    then = "Fetch the card to find out" if call.operation == "delete" else "Run again later"
    return AnswerLost(
        f"{what} after the request was sent ({reason}); {effort}. The vault may have carried it"
        f" out. {then}",
        attempts=attempts,
    )


def _status_error(answer: Answer, call: Call, effort: Effort, policy: RetryPolicy) -> VaultError:
    status = answer.status
    message, code = _error_body(answer.body, call)
    said = f"{status}{f' {code}' if code else ''}{f': {message}' if message else ''}"
    common: dict[str, Any] = {"status": status, "code": code, "attempts": effort.sent}
    if status in {401, 403}:
        cause = "the credentials are wrong" if status == 401 else "the token vault is not enabled"
        return AccessDenied(
            f"the vault refused access ({said}); {cause} for this account and environment."
            " Nothing more was sent; check the profile, then run again",
            **common,
        )
    if status == 404:
        what = "customer" if call.operation == "list" else "instrument"
        why = "" if call.operation == "list" else ": wrong id, wrong customer, or deleted"
        return NotFound(
            f"the vault knows no such {what} ({said}){why}",
            **common,
        )
    if status == 429:
        is_alone = effort.refused_beside >= policy.refusals > 0
        return _rate_limited(said, effort, common, is_alone=is_alone)
    if 400 <= status < 500 and status not in _TOO_LATE_OR_EARLY:
        return RequestRejected(
            f"the vault refused the request ({said}); it was not sent again", **common
        )
    if status >= 400:
        return VaultUnavailable(
            f"the vault, or a service before or behind it, is down ({said}); {effort}."
            " Run again later",
            **common,
        )
    what = (
        f"the vault answered {status}, which this operation never does; nothing was taken from it"
    )
    if 300 <= status < 400:
        what = (
            f"the vault answered with a redirect ({status}); it was not followed, because it would"
            " have carried the credentials to another address"
        )
    return UnusableAnswer(what, **common)


def _rate_limited(
    said: str, effort: Effort, common: dict[str, Any], *, is_alone: bool
) -> RateLimited:
    if not is_alone:
        refused, wait = effort.refused_seconds / 60, effort.blocked_seconds / 60
        if refused >= 1:
            what = f"nothing was answered but 429 for {refused:.0f} minutes ({said})"
        elif wait >= 1:
            what = f"the vault asks for a wait of {wait:.0f} minutes ({said})"
        else:
            what = f"the account's rate limit left no room for this call ({said})"
        then = "run again later, or lower the share or the rate"
    else:
        what = f"this call was refused {effort.refused} times while others were answered ({said})"
        then = "run again for it; if it stays, ask the vault's support"
    error = RateLimited(f"{what}; it was not carried out; {then}", **common)
    error.others_answered = is_alone  # though nobody may be, for as long as this last 429 asks
    return error


def _error_body(body: bytes, call: Call) -> tuple[str, str | None]:
    """Take ``message`` and ``code`` from an error body; foreign text is never trusted."""
    try:
        content = decode(body)
    except NotJson:
        return "", None
    if not isinstance(content, dict):
        return "", None
    message, code = _presentable(content.get("message"), call), content.get("code")
    return message, _presentable(code, call) or None


def _presentable(text: object, call: Call, longest: int = 160) -> str:
    """One line without control characters, credentials, card numbers, or the ids asked for."""
    if not isinstance(text, str):
        return ""
    shown = scrub(text[:4096])
    for identifier in (call.customer_id, call.instrument_id):
        if len(identifier) >= _SHORTEST_MASKED:
            for spelling in (identifier, quote_id(identifier)):
                shown = shown.replace(spelling, mask_id(identifier))
    shown = hide_card_numbers(shown)
    shown = "".join(sign if sign.isprintable() else " " for sign in shown[: longest + 1])
    return shown if len(shown) <= longest else f"{shown[:longest]}…"


Kind = Literal["answered", "not_sent", "certificate", "lost"]
"""What became of one send.

``answered``: a whole answer came, with whatever status. ``not_sent``: no connection stood, so the
vault has not seen the request. ``certificate``: the other side could not prove who it is, and
nothing was sent to it. ``lost``: it was sent, or may have been, and no whole answer came back.
"""

_ONCE: Final = RetryPolicy(attempts=1, refusals=0)


class Attempt(NamedTuple):
    """What became of one send; its repr shows nothing of the body.

    Attributes
    ----------
    kind : {'answered', 'not_sent', 'certificate', 'lost'}
    status : int or None
        HTTP status, None unless answered.
    headers : mapping of str to str
        Of the answer, names in lower case; empty unless answered.
    body : bytes
        Of the answer; empty unless answered.
    request_id : str
        The ``x-request-id`` that was sent.
    code : str or None
        The vault's own ``code`` of an error body.
    message : str
        What happened in words that may be shown: no credential, and none of the ids asked for.
        Empty for a 200.
    """

    kind: Kind
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    code: str | None = None
    message: str = ""

    def __repr__(self) -> str:
        size = len(self.body)
        return f"<{type(self).__name__} {self.kind} {self.status}, {size} bytes {self.request_id}>"


def attempt_of(call: Call, result: Answer | httpx.TransportError, request_id: str) -> Attempt:
    """Describe what one exchange brought; no I/O.

    Parameters
    ----------
    call : Call
        What was asked for.
    result : Answer or httpx.TransportError
        What the wire gave or raised.
    request_id : str
        As sent.
    """
    if isinstance(result, Answer) and result.status == 200:
        return Attempt("answered", 200, result.headers, result.body, request_id)
    effort = Effort()
    effort.count(result, 0.0)
    decision = after_trouble(result, call, effort, _ONCE, 0.0)
    code, message = None, ""
    if isinstance(decision, GiveUp):
        code, message = decision.error.code, str(decision.error)
    if isinstance(result, Answer):
        return Attempt(
            "answered", result.status, result.headers, result.body, request_id, code, message
        )
    return Attempt(_kind_of(result), None, {}, b"", request_id, code, message)


def _kind_of(failure: httpx.TransportError) -> Kind:
    if isinstance(failure, CertificateError):
        return "certificate"
    if isinstance(failure, httpx.ConnectError | httpx.ConnectTimeout):
        return "not_sent"
    return "lost"
