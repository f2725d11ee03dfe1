"""One request, sent once, whatever comes of it: for callers that keep their own account of sends.

The four operations of `client` try again by themselves and raise what they cannot settle. Whoever
has to write down every send before it leaves, and what became of it, needs the opposite: exactly
one exchange, and its result as a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import httpx

from tokenvault_data.client.retries import Effort, GiveUp, RetryPolicy, after_trouble
from tokenvault_data.client.transport import Answer, CertificateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenvault_data.client.calls import Call

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
