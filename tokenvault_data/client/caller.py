"""One call after another on one account: paced, sent, and tried again until it is settled."""

from __future__ import annotations

import logging
import random
import secrets
import time
import uuid
from typing import TYPE_CHECKING, Final, TypeVar

import httpx

from tokenvault_data.client.attempts import Attempt, attempt_of
from tokenvault_data.client.pacing.waiting import Waiting
from tokenvault_data.client.retries import Effort, GiveUp, RetryPolicy, after_trouble
from tokenvault_data.client.transport import Answer, Wire
from tokenvault_data.errors import CallAbandoned, UnusableAnswer, UsageError
from tokenvault_data.redaction import customer_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenvault_data.client.calls import Call
    from tokenvault_data.client.pacing.blind_search import Learned
    from tokenvault_data.client.pacing.pacer import Budget, Pacer, Reservation
    from tokenvault_data.config.loading import Profile
    from tokenvault_data.redaction import Secret

EMULATED_VAULT_HEADER: Final = "x-emulator-vault"
_log = logging.getLogger(__name__)
E = TypeVar("E", bound=Exception)


class Caller:
    """Makes the calls of one account.

    Parameters
    ----------
    profile : Profile
        Whose headers are sent.
    pacer : Pacer
        Holds the account's budget.
    wire : Wire
    policy : RetryPolicy
        How long one call is tried.
    """

    def __init__(self, profile: Profile, pacer: Pacer, wire: Wire, policy: RetryPolicy) -> None:
        self._own_headers: dict[str, str | Secret] = {
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "tokenvault-data",
            "x-api-version": profile.api_version,
            **profile.credentials.headers(),
        }
        self._pacer = pacer
        self._wire = wire
        self._policy = policy
        self._waiting = Waiting()
        self._is_closed = False
        self._requests_made = 0
        self.emulated_vault: str | None = None
        self._request_prefix = secrets.token_hex(6)

    @property
    def budget(self) -> Budget:
        """The account's rate limit as known now, and what is used of it."""
        return self._pacer.budget

    @property
    def learned(self) -> Learned | None:
        """As `Pacer.learned`."""
        return self._pacer.learned

    def adopt(self, learned: Learned) -> None:
        """As `Pacer.adopt`."""
        self._pacer.adopt(learned)

    async def reserve(self, count: int) -> Reservation:
        """Book slots for calls that belong together; see `Pacer.reserve`."""
        return await self._pacer.reserve(count)

    async def aclose(self) -> None:
        """Abandon what is waiting and close every connection, for good."""
        self._is_closed = True
        self.hold()
        await self._wire.aclose()

    def hold(self) -> None:
        """Send nothing more until `release`; requests in flight are still answered."""
        self._waiting.hold()
        self._pacer.hold()

    def release(self) -> None:
        """Send again."""
        self._waiting.release()
        self._pacer.release()

    async def settle(
        self,
        call: Call,
        url: str,
        read: Callable[[Answer], None],
        *,
        is_begun: bool = False,
        patience_seconds: float | None = None,
    ) -> int:
        """Send until `read` takes an answer or the policy gives up.

        Parameters
        ----------
        call : Call
        url : str
            Where to: that of the call, or of a further page of its list.
        read : callable
            Takes the answer, or raises `UnusableAnswer`.
        is_begun : bool, optional
            Whether this goes on with a list of which some pages are read. What is begun goes ahead
            of what is not: its work counts for nothing until it is whole.
        patience_seconds : float, optional
            How long it is borne that nobody is answered with anything but 429; the policy's
            deadline by default.

        Returns
        -------
        int
            How many requests were sent.

        Raises
        ------
        VaultError
            What the policy gave up with; `CallAbandoned` on `hold`.
        """
        if self._is_closed:
            raise UsageError("this vault was closed, so nothing was sent; connect again")
        effort = Effort()
        answers = self._pacer.answers
        was_refused = False
        while True:
            try:
                # Who was refused lets others try first: it may be about this call alone.
                ahead = (is_begun or effort.attempts > 0) and not was_refused
                trouble = await self._attempt(call, url, read, effort, is_begun=ahead)
                if trouble is None:
                    return effort.sent
                self._log_trouble(call, trouble, effort)
                was_refused = isinstance(trouble, Answer) and trouble.status == 429
                if was_refused:
                    effort.refused_beside += self._pacer.answers > answers
                    answers = self._pacer.answers
                    effort.refused_seconds = self._pacer.refused_seconds
                    effort.blocked_seconds = self._pacer.blocked_seconds
                    effort.patience_seconds = patience_seconds
                jitter = random.random()  # noqa: S311  spreads callers out, guards nothing
                decision = after_trouble(trouble, call, effort, self._policy, jitter)
                if isinstance(decision, GiveUp):
                    decision.error.request_id = effort.request_id
                    raise decision.error
                await self._waiting.sleep(decision.wait_seconds)
            except CallAbandoned as error:
                error.attempts = effort.sent
                raise
            effort.busy_seconds += decision.wait_seconds

    async def attempt(
        self,
        call: Call,
        url: str,
        *,
        idempotency_key: str | None = None,
        before_send: Callable[[], None] | None = None,
        reservation: Reservation | None = None,
    ) -> Attempt:
        """Send once, at the budget's pace; see `AsyncVault.attempt`."""
        if self._is_closed:
            raise UsageError("this vault was closed, so nothing was sent; connect again")
        if reservation is None:
            # A delete is the rest of something begun: whatever allowed it grows old in the line.
            sent_at = await self._pacer.slot(ahead=call.method == "DELETE")
        else:
            sent_at = await reservation.take()
        result: Answer | httpx.TransportError | None = None
        try:
            if before_send is not None:
                before_send()
            self._requests_made += 1
            request_id = f"{self._request_prefix}-{self._requests_made}"
            headers = self._headers_of(call, request_id)
            if idempotency_key is not None:
                headers["x-idempotency-key"] = idempotency_key
            result = await self._wire.exchange(call.method, url, headers)
        except httpx.TransportError as failure:
            result = _bare(failure)
        finally:  # a call that was withheld or cancelled has used its slot, too
            if isinstance(result, Answer):
                self._pacer.observe(result.status, result.headers, sent_at=sent_at)
            else:
                self._pacer.observe(None, {}, sent_at=sent_at)
        return attempt_of(call, result, request_id)

    async def _attempt(
        self,
        call: Call,
        url: str,
        read: Callable[[Answer], None],
        effort: Effort,
        *,
        is_begun: bool,
    ) -> Answer | httpx.TransportError | UnusableAnswer | None:
        """Send once, at the budget's pace; None when `read` took the answer, else the trouble.

        What failed is returned without its traceback: the frames in there hold the URL, and so an
        id, and what came of the body.
        """
        sent_at = await self._pacer.slot(ahead=is_begun)
        self._requests_made += 1
        effort.request_id = f"{self._request_prefix}-{self._requests_made}"
        began = time.monotonic()
        result: Answer | httpx.TransportError | None = None
        try:
            result = await self._wire.exchange(
                call.method, url, self._headers_of(call, effort.request_id)
            )
        except httpx.TransportError as failure:
            result = _bare(failure)
        finally:  # a cancelled call has used its slot, too
            if isinstance(result, Answer):
                self._pacer.observe(result.status, result.headers, sent_at=sent_at)
            else:
                self._pacer.observe(None, {}, sent_at=sent_at)
        effort.count(result, time.monotonic() - began)
        if not isinstance(result, Answer) or result.status not in call.answered_with:
            return result
        self.emulated_vault = result.headers.get(EMULATED_VAULT_HEADER, self.emulated_vault)
        try:
            read(result)
        except UnusableAnswer as error:
            return _bare(error)
        return None

    def _headers_of(self, call: Call, request_id: str) -> dict[str, str | Secret]:
        headers = {**self._own_headers, "x-request-id": request_id}
        if call.method == "DELETE":
            # A key of its own for every attempt: one key for several freezes a stored 500 for ever.
            headers["x-idempotency-key"] = str(uuid.uuid4())
        return headers

    def _log_trouble(
        self, call: Call, trouble: Answer | httpx.TransportError | UnusableAnswer, effort: Effort
    ) -> None:
        if _log.isEnabledFor(logging.DEBUG):
            what = trouble.status if isinstance(trouble, Answer) else type(trouble).__name__
            customer = customer_hash(call.customer_id)
            _log.debug("%s of %s: %s; %s", call.operation, customer, what, effort)


def _bare(error: E) -> E:
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
