"""The vault's four operations, as coroutines. `blocking.Vault` is the same for plain code."""

from __future__ import annotations

import contextlib
import logging
import random
import secrets
import time
import uuid
import weakref
from numbers import Real
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

import anyio
import httpx

from tokenvault_data.client.calls import (
    cryptogram_call,
    delete_call,
    fetch_call,
    list_call,
    read_cryptogram,
    read_instrument,
)
from tokenvault_data.client.engines import open_transport
from tokenvault_data.client.pacing.account_shares import DEFAULT_SHARE, AccountShare
from tokenvault_data.client.pacing.pacer import CancellableSleep, Pacer
from tokenvault_data.client.paging import MAX_PAGES, PageChain
from tokenvault_data.client.retries import (
    Attempt,
    Effort,
    GiveUp,
    RetryPolicy,
    after_trouble,
    attempt_of,
)
from tokenvault_data.client.transport import (
    Answer,
    Transport,
    TransportAdapter,
    TransportSettings,
)
from tokenvault_data.errors import CallAbandoned, UnusableAnswer, UsageError, VaultError
from tokenvault_data.payment_data import without_payment_data
from tokenvault_data.redaction import customer_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenvault_data.client.calls import Call, Cryptogram
    from tokenvault_data.client.pacing.blind_search import Learned
    from tokenvault_data.client.pacing.pacer import Budget, Reservation
    from tokenvault_data.config.loading import Profile
    from tokenvault_data.config.network import Network
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
    wire : Transport
    policy : RetryPolicy
        How long one call is tried.
    """

    def __init__(
        self, profile: Profile, pacer: Pacer, wire: Transport, policy: RetryPolicy
    ) -> None:
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
        self._waiting = CancellableSleep()
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
            sent_at = await reservation.acquire()
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


T = TypeVar("T")


class CustomerCards(NamedTuple):
    """Everything the vault answered about one customer.

    Attributes
    ----------
    bodies : list of bytes
        The pages of the list as received, in order.
    instruments : int
        How many elements they hold together.
    requests : int
        How many requests it took.
    status : int
        Of the last answer: 200, or 204 for one without content.
    """

    bodies: list[bytes]
    instruments: int
    requests: int
    status: int = 200

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self.bodies)} pages, {self.instruments} instruments>"


class AsyncVault:
    """A client of one account's vault, for code that runs in an event loop.

    Use it as ``async with AsyncVault(profile) as vault``. All calls share the account's budget.

    Parameters
    ----------
    profile : Profile
        Environment, credentials and API version.
    share : float, optional
        The part of the account's rate limit to use, above 0 up to 1. The merchant's checkout lives
        on the rest. What is asked for here is held until the client is closed, and is refused
        where other processes of this user hold too much. Without it, one half is divided evenly
        between all of them that are at work on the account, and followed as they come and go.
    rate_per_minute : float, optional
        A ceiling of requests a minute. Where the answers name a limit, the lower of this and the
        share of that holds; where they name none, this is the rate. Without it, the rate of such
        an account is searched for: from 30 a minute, at most a tenth more each minute, and our
        share of what the first refusal shows from then on.
    retries : RetryPolicy, optional
        How long one call is tried.
    wire : TransportSettings, optional
        Timeouts and size limits.
    transport : httpx.AsyncBaseTransport, optional
        Takes the place of the wire engine.
    max_pages : int, optional
        Where the pages of one list count as endless.
    share_at_most : float, optional
        What is divided, and the most that is taken of it, where no `share` is asked for.

    Raises
    ------
    UsageError
        A setting is out of range, or a file it names cannot be used.
    Locked
        The share asked for does not fit beside those that others hold.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        share: float | None = None,
        rate_per_minute: float | None = None,
        retries: RetryPolicy | None = None,
        wire: TransportSettings | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        max_pages: int = MAX_PAGES,
        share_at_most: float = DEFAULT_SHARE,
    ) -> None:
        self.profile = profile
        share, rate_per_minute = (
            _number("share", share),
            _number("rate_per_minute", rate_per_minute),
        )
        share_at_most = _number("share_at_most", share_at_most) or 0.0
        account_share = AccountShare(profile, named=share, at_most=share_at_most)
        pacer = Pacer(
            share=share_at_most if share is None else share,
            rate_per_minute=rate_per_minute,
            unlimited_mark=_port(profile) if profile.environment == "emulator" else None,
            division=account_share.division,
        )
        engine = _wire(transport, wire or TransportSettings(), profile.network)
        self._caller = Caller(profile, pacer, engine, retries or RetryPolicy())
        account_share.claim()
        self._account_share = account_share
        weakref.finalize(self, account_share.leave)
        self._max_pages = max_pages
        self._one_cryptogram_at_a_time = anyio.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.profile.environment} {self.profile.api_version}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Abandon what is waiting and close every connection; the client cannot be used again."""
        self._account_share.leave()
        await self._caller.aclose()

    def hold(self) -> None:
        """Send nothing more until `release`; requests in flight are still answered.

        Calls that wait for a slot or between attempts, and new ones, raise `CallAbandoned`.
        """
        self._caller.hold()

    def release(self) -> None:
        """Send again."""
        self._caller.release()

    @property
    def budget(self) -> Budget:
        """The account's rate limit as known now, and what is used of it."""
        return self._caller.budget

    @property
    def learned(self) -> Learned | None:
        """What the search for a limit that no answer tells has come to; None where one is told."""
        return self._caller.learned

    def adopt(self, learned: Learned) -> None:
        """Start the search for a limit from what was learned before."""
        self._caller.adopt(learned)

    @property
    def emulated_vault(self) -> str | None:
        """What an emulated vault has called itself; None for a real one, or before an answer."""
        return self._caller.emulated_vault

    async def list_instruments(self, customer_id: str) -> list[dict[str, Any]]:
        """List all saved cards of one customer, as the vault writes them.

        Returns
        -------
        list of dict
            The elements of all pages, decoded as they came but for payment data, which is removed;
            empty when the customer saved none.

        Raises
        ------
        IdentifierError
            The id cannot be one that was saved in a vault; no request was made.
        VaultError
            One of its kinds, see `tokenvault_data.errors`.
        """
        chain, _ = await self._read_list(customer_id)
        kept: list[dict[str, Any]] = without_payment_data(chain.instruments)
        return kept

    async def fetch_cards(
        self, customer_id: str, *, patience_seconds: float | None = None
    ) -> CustomerCards:
        """List all saved cards of one customer as received. Raises as `list_instruments`.

        Parameters
        ----------
        customer_id : str
        patience_seconds : float, optional
            How long it is borne that nobody is answered with anything but 429; the deadline of
            the retries by default.
        """
        chain, requests = await self._read_list(customer_id, patience_seconds)
        return CustomerCards(chain.bodies, len(chain.instruments), requests, chain.status)

    async def fetch_instrument(self, customer_id: str, instrument_id: str) -> dict[str, Any]:
        """Fetch one saved card, as the vault writes it but for payment data, which is removed.

        Raises
        ------
        NotFound
            No such instrument: wrong id, wrong customer, or already deleted.
        UnusableAnswer
            The vault answered with another instrument than the one asked for.
        IdentifierError, VaultError
            As `list_instruments`.
        """
        call = fetch_call(customer_id, instrument_id)
        return await self._call(call, read_instrument)

    async def delete_instrument(self, customer_id: str, instrument_id: str) -> dict[str, Any]:
        """Delete one saved card, and give what the vault answered.

        What the answer says of the card's status proves nothing; only a later fetch does. The
        request is sent again only when it surely was not carried out (no connection, or 429).

        Raises
        ------
        NotFound
            No such instrument, perhaps because it is already deleted.
        AnswerLost, VaultUnavailable, UnusableAnswer
            The vault may or may not have deleted the card: fetch it to find out.
        IdentifierError, VaultError
            As `list_instruments`.
        """
        call = delete_call(customer_id, instrument_id)
        return await self._call(call, read_instrument)

    async def fetch_cryptogram(self, customer_id: str, instrument_id: str) -> Cryptogram:
        """Fetch a one-time payment secret of one card, one at a time.

        Raises
        ------
        NotFound
            No such instrument.
        AnswerLost
            A cryptogram may have been made and lost; it is not asked for again by itself.
        IdentifierError, VaultError
            As `list_instruments`.
        """
        call = cryptogram_call(customer_id, instrument_id)
        async with self._one_cryptogram_at_a_time:
            return await self._call(call, read_cryptogram)

    async def attempt(
        self,
        call: Call,
        *,
        idempotency_key: str | None = None,
        before_send: Callable[[], None] | None = None,
        reservation: Reservation | None = None,
        url: str | None = None,
    ) -> Attempt:
        """Send one call exactly once, at the budget's pace, and give what became of it.

        Nothing is tried again, and nothing that the vault, or the way to it, does is raised.

        Parameters
        ----------
        call : Call
            Made by `calls.fetch_call` and its kind.
        idempotency_key : str, optional
            Sent as ``x-idempotency-key``. A delete without one gets a key of its own.
        before_send : callable, optional
            Called once the slot has come, right before the request leaves; what it raises is
            raised here, and nothing is sent.
        reservation : Reservation, optional
            What `reserve` gave: the call takes the next of its slots.
        url : str, optional
            Of a further page of a list, as `PageChain` gives it.

        Returns
        -------
        Attempt

        Raises
        ------
        CallAbandoned
            `hold` was called while the call waited for its slot; nothing was sent.
        UsageError
            The client was closed; nothing was sent.
        """
        return await self._caller.attempt(
            call,
            url or self.url_of(call),
            idempotency_key=idempotency_key,
            before_send=before_send,
            reservation=reservation,
        )

    async def reserve(self, count: int) -> Reservation:
        """Wait until as many calls may leave one after another, and book the slots for all.

        Raises
        ------
        CallAbandoned
            `hold` was called while it waited.
        """
        return await self._caller.reserve(count)

    def url_of(self, call: Call) -> str:
        """Return where a call is sent to."""
        return self.profile.base_url + call.target

    async def _read_list(
        self, customer_id: str, patience_seconds: float | None = None
    ) -> tuple[PageChain, int]:
        call = list_call(customer_id)
        url = self.profile.base_url + call.target
        chain = PageChain(url, max_pages=self._max_pages, is_lenient=True)
        requests = 0
        while (page := chain.next_url) is not None:
            try:
                requests += await self._caller.settle(
                    call,
                    page,
                    chain.add,
                    is_begun=requests > 0,
                    patience_seconds=patience_seconds,
                )
            except VaultError as error:
                error.attempts += requests
                raise
        return chain, requests

    async def _call(self, call: Call, read: Callable[[Call, Answer], T]) -> T:
        results: list[T] = []
        url = self.profile.base_url + call.target
        await self._caller.settle(call, url, lambda answer: results.append(read(call, answer)))
        return results[0]


def _port(profile: Profile) -> str:
    return str(urlsplit(profile.base_url).port or 80)


def _wire(
    transport: httpx.AsyncBaseTransport | None, settings: TransportSettings, network: Network
) -> Transport:
    if transport is None:
        return open_transport(settings, network)
    if isinstance(transport, Transport):
        return transport
    return TransportAdapter(transport, settings)


def _number(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    if isinstance(value, Real) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return float(value)
    raise UsageError(
        f"{name} is of type {type(value).__name__}, or far too large; nothing was sent. Give a"
        " number such as 0.5."
    )
