"""Fetching many customers at once, at the budget's pace, each ending in exactly one result.

One customer's failure never stops the others, a refusal (401, 403) of one customer included. Who
failed is asked once more when somebody else was answered, and fails by the second time. What stops
all of them: refused credentials, a rejected certificate, an outage that outlasts the patience, or
`FanOut.halt`. Customers of whom nothing is known by then have no result.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from tokenvault_data.client.probe import CUSTOMER as NOBODY
from tokenvault_data.collection import outage
from tokenvault_data.collection.outage import OutageDetector
from tokenvault_data.collection.progress import in_words
from tokenvault_data.collection.refused_credentials import (
    MOST_IN_ROW,
    MOST_IN_ROW_AT_BEST,
    RefusedCredentials,
)
from tokenvault_data.errors import (
    AccessDenied,
    CallAbandoned,
    CertificateRejected,
    CollectionError,
    IdentifierError,
    NotSent,
    PagingFault,
    RateLimited,
    RequestRejected,
    TokenVaultError,
    UsageError,
    VaultError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from tokenvault_data.client.client import AsyncVault

CONCURRENCY = 64
LARGEST_CONCURRENCY = 512
PATIENCE_SECONDS = 15 * 60.0
CONTROLS = 3  # answered before, asked again to know whether anybody is answered
_WAKING_STEPS = 8  # of the loop, after which whoever waits for a slot has heard of a hold
VOUCH_SECONDS = 0.5  # so often it is looked whether all that is under way is met with 429
# Answers that can only be about the customer asked for, as is a 429 while others are answered. Any
# other failure may be the vault's, and a proxy's page in its place is an outage as well.
_OWN_FAULTS = (RequestRejected, PagingFault)


class Customer(NamedTuple):
    """A customer to fetch.

    Attributes
    ----------
    position : int
        0-based place in the requested list.
    customer_id : str
    requests : int
        Sent for it already, in tries that settled nothing.
    is_doubted : bool
        Whether it has failed before while the vault answered others.
    """

    position: int
    customer_id: str
    requests: int = 0
    is_doubted: bool = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.position}>"


class Fetched(NamedTuple):
    """The vault answered. `bodies` are the pages as received; 0 `instruments` means none saved."""

    customer: Customer
    bodies: list[bytes]
    instruments: int
    requests: int
    finished_at_us: int  # UTC, microseconds since 1970
    status: int = 200  # of the last answer; 204 for one without content

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.instruments} instruments, {self.requests} requests>"


class Failed(NamedTuple):
    """The vault was asked and gave no usable answer; `error` says why."""

    customer: Customer
    error: VaultError
    requests: int
    finished_at_us: int  # UTC, microseconds since 1970


class FanOut:
    """Fetch customers with a number of workers.

    Parameters
    ----------
    vault : AsyncVault
    take : async callable
        Gets every result, from several workers at once; while it waits, its worker waits. A
        `CollectionError` it raises halts the fan-out.
    concurrency : int, optional
        Calls under way at once, 1 to 512.
    patience_seconds : float, optional
        How long an outage is waited out.
    known : Customer, optional
        One that the vault has answered before: the first to ask for when nobody is answered.

    Raises
    ------
    UsageError
        A setting is out of range.
    """

    def __init__(
        self,
        vault: AsyncVault,
        take: Callable[[Fetched | Failed], Awaitable[None]],
        *,
        concurrency: int = CONCURRENCY,
        patience_seconds: float = PATIENCE_SECONDS,
        known: Customer | None = None,
    ) -> None:
        check_settings(concurrency, patience_seconds)
        self._vault = vault
        self._take = take
        self._concurrency = concurrency
        self._patience_seconds = patience_seconds
        self._known = deque([] if known is None else [known], maxlen=CONTROLS)
        self._customers: Iterator[Customer] = iter(())
        self._again: deque[Customer] = deque()
        self._watch: OutageDetector[Failed] = OutageDetector(time.monotonic)
        self._last_trouble: VaultError | None = None
        self._refusals: RefusedCredentials[Failed] = RefusedCredentials()
        self._last_refusal: AccessDenied | None = None
        self._asked = 0
        self._recalls = 0
        self._under_way = 0
        self._answers = 0
        self._came_back = asyncio.Event()
        self._reachable = asyncio.Event()
        self._reachable.set()
        self._halted = asyncio.Event()
        self._stopped_by: Exception | None = None

    @property
    def out_for_seconds(self) -> float:
        """How long the vault has been out of reach; 0 while it answers."""
        return self._watch.out_for_seconds()

    async def run(self, customers: Iterable[Customer]) -> None:
        """Fetch all customers, or as many as come before a halt.

        What is known of the vault is kept from one run to the next; a halt is for good.

        Raises
        ------
        AccessDenied, CertificateRejected
            Every further call would fail alike.
        VaultError
            The vault has answered nobody at all.
        CollectionError
            The vault was out of reach for longer than the patience, or `take` raised it.
        """
        self._customers = iter(customers)
        try:
            await self._work_off()
            while self._has_doubts() and not self._halted.is_set():
                # Nobody was asked after these, so it is not known whether it was they or the vault.
                if self._watch.suspects:
                    self._watch.take_for_out()
                self._refusals.press()
                await self._wait_out()
                await self._work_off()
        except Exception as error:  # noqa: BLE001  raised below, once the client is released
            self.stop(error)
        finally:
            if self._halted.is_set():
                self._vault.release()
        if self._stopped_by is not None:
            raise self._stopped_by

    def halt(self) -> None:
        """Start no request any more; those in flight are answered and taken."""
        self._halted.set()
        self._reachable.set()
        self._vault.hold()

    def stop(self, error: Exception) -> None:
        """Halt because of an error, which `run` raises once nothing is in flight."""
        if self._stopped_by is None:
            self._stopped_by = error
        self.halt()

    def _has_doubts(self) -> bool:
        return bool(self._watch.suspects or self._refusals.waiting)

    def _has_to_wait(self) -> bool:
        return self._watch.out_since is not None or self._refusals.is_due

    async def _work_off(self) -> None:
        vouching = asyncio.create_task(self._vouch())
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self._concurrency):
                    workers.create_task(self._work())
        finally:
            vouching.cancel()
            with suppress(asyncio.CancelledError):
                await vouching

    async def _work(self) -> None:
        while not self._halted.is_set():
            await self._reachable.wait()
            customer = self._next()
            if customer is None or self._halted.is_set():
                return
            try:
                await self._fetch(customer)
                if self._has_to_wait() and self._reachable.is_set():
                    await self._wait_out()
            except Exception as error:  # noqa: BLE001  what others have in flight is still taken
                self.stop(error)

    def _next(self) -> Customer | None:
        return self._again.popleft() if self._again else next(self._customers, None)

    async def _fetch(self, customer: Customer) -> None:
        result = await self._ask(customer)
        if result is None:
            return
        if isinstance(result, Fetched) or _is_own_fault(result.error):
            await self._take(result)
        elif isinstance(result.error, AccessDenied):
            self._last_refusal = result.error
            self._refusals.refused(result, self._asked)
        else:
            self._last_trouble = result.error
            self._watch.failed(result, never_sent=isinstance(result.error, NotSent))

    async def _ask(self, customer: Customer) -> Fetched | Failed | None:
        """Ask for one customer; None when it was not asked, or when the fan-out has to end.

        An answer clears up, on the way, what waits for one.
        """
        self._asked += 1
        self._under_way += 1
        number, recalls = self._asked, self._recalls
        result: Fetched | Failed
        try:
            cards = await self._vault.fetch_cards(
                customer.customer_id, patience_seconds=self._patience_seconds
            )
        except CallAbandoned as error:
            if self._recalls > recalls:
                self._again.append(customer._replace(requests=customer.requests + error.attempts))
            elif not self._halted.is_set():  # somebody else has stopped the client
                self.stop(error)
            return None
        except CertificateRejected as error:
            self.stop(error)
            return None
        except IdentifierError as error:
            await self._take(_unaskable(customer, error))
            return None
        except VaultError as error:
            if isinstance(error, RateLimited) and not error.others_answered:
                self.stop(self._refused(error))
                return None
            result = Failed(customer, error, customer.requests + error.attempts, _now_us())
        else:
            requests = customer.requests + cards.requests
            result = Fetched(
                customer, cards.bodies, cards.instruments, requests, _now_us(), cards.status
            )
        finally:
            self._under_way -= 1
            self._came_back.set()
        if isinstance(result, Fetched) or _is_own_fault(result.error):
            self._keep_as_control(result)
            await self._note_answer(number)
        return result

    def _keep_as_control(self, result: Fetched | Failed) -> None:
        """Whoever has cards is best; a customer that is answered with 404 is better than none."""
        if isinstance(result, Failed) and (
            self._known or not isinstance(result.error, RequestRejected)
        ):
            return
        if all(result.customer.customer_id != known.customer_id for known in self._known):
            self._known.append(result.customer)

    async def _vouch(self) -> None:
        """Ask for a control where nobody is answered beside a call that is met with 429.

        Only an answer to somebody else tells a customer who is always refused from a spent budget,
        and there may be nobody else left to ask.
        """
        refused, answers = self._vault.budget.refusals, self._answers
        while True:
            await asyncio.sleep(VOUCH_SECONDS)
            is_stuck = self._vault.budget.refusals > refused and self._answers == answers
            refused, answers = self._vault.budget.refusals, self._answers
            if is_stuck and self._known and not self._halted.is_set():
                with suppress(TokenVaultError):
                    await self._vault.fetch_cards(self._known[-1].customer_id)

    async def _recall(self) -> None:
        """Take back what waits for its slot, so that in doubt one is asked at a time."""
        self._recalls += 1
        self._vault.hold()
        for _ in range(_WAKING_STEPS):
            await asyncio.sleep(0)
        if not self._halted.is_set():
            self._vault.release()

    async def _note_answer(self, number: int) -> None:
        """Question `number` was answered: who failed before is asked once more, or blamed.

        Who failed while nobody was answered is innocent, and asked as if for the first time.
        """
        self._answers += 1
        refused = self._refusals.answered(number)
        suspects = self._watch.answered()
        for failures in (refused, suspects):
            for failed in failures.customers:
                if failures.innocent or not failed.customer.is_doubted:
                    self._try_again(failed, is_doubted=not failures.innocent)
                elif isinstance(failed.error, AccessDenied):
                    await self._take(_refused_itself(failed))
                else:
                    await self._take(failed)

    def _try_again(self, failed: Failed, *, is_doubted: bool) -> None:
        self._again.append(
            failed.customer._replace(requests=failed.requests, is_doubted=is_doubted)
        )

    async def _wait_out(self) -> None:
        """Probe now and then until the vault answers, the patience ends, or a halt."""
        self._reachable.clear()
        is_out = self._watch.out_since is not None and not self._watch.ever_answered
        if is_out and isinstance(self._last_trouble, NotSent):
            self.stop(self._last_trouble)  # a probe would try to connect a few times more
        while self._has_to_wait() and not self._halted.is_set():
            await self._pause(self._watch.wait_before_probe_seconds())
            if not self._halted.is_set():
                await self._probe()
        self._reachable.set()

    async def _probe(self) -> None:
        """Ask for a customer that was answered before; without one, for one that was not yet asked.

        A suspect would be no proof: it may be the very customer that the vault fails at. Every
        probe that is not answered leaves less to ask for, or counts against the patience.
        """
        if self._refusals.controls_refused < len(self._known):
            await self._ask_control()
        elif (customer := await self._not_yet_asked()) is not None:
            await self._fetch(customer)
        elif self._has_to_wait():
            await self._ask_once_more()
        if not self._has_to_wait() or self._halted.is_set():
            return
        await self._judge_refusals()
        if self._watch.out_since is None or self._last_trouble is None:
            return
        self._watch.probe_failed()
        too_long = self._watch.out_for_seconds() > self._patience_seconds
        if too_long or not self._watch.ever_answered:
            self.stop(self._out_of_reach(self._last_trouble))

    async def _ask_control(self) -> Fetched | Failed | None:
        control = self._known[-1]
        result = await self._ask(control)
        if result is None or isinstance(result, Fetched) or _is_own_fault(result.error):
            return result
        if self._known[-1] is control:  # the next control is another one
            self._known.rotate(1)
        if isinstance(result.error, AccessDenied):
            self._last_refusal = result.error
            self._refusals.control_refused()
        else:
            self._last_trouble = result.error
            self._watch.take_for_out()
        return result

    async def _not_yet_asked(self) -> Customer | None:
        """The next customer; None when all were asked and answered, or an answer made it needless.

        What waits for its slot is taken back, and what has left is waited for: it may be answered.
        """
        if self._under_way:
            await self._recall()
        while self._has_to_wait() and not self._halted.is_set():
            customer = self._next()
            if customer is not None or not self._under_way:
                return customer
            self._came_back.clear()
            await self._came_back.wait()
        return None

    async def _ask_once_more(self) -> None:
        """Nobody is left to ask for: a control has the last word, after a while."""
        if self._known:
            await self._pause(outage.FIRST_WAIT_SECONDS)
            result = None if self._halted.is_set() else await self._ask_control()
            if not isinstance(result, Failed) or not isinstance(result.error, AccessDenied):
                return
        if self._refusals.waiting:
            self._stop_refused()
        elif self._last_trouble is not None:
            self.stop(self._last_trouble)

    async def _judge_refusals(self) -> None:
        """Stop where nobody is answered any more; the question for nobody's cards has a say."""
        refusals = self._refusals
        has_control = refusals.controls_refused < len(self._known)
        if has_control or refusals.in_row < refusals.most_in_row:
            return
        if refusals.most_in_row == MOST_IN_ROW and await self._answers_for_nobody():
            refusals.most_in_row = MOST_IN_ROW_AT_BEST
        elif not self._halted.is_set():
            self._stop_refused()

    def _stop_refused(self) -> None:
        last = self._last_refusal
        if last is None:
            return
        if self._refusals.most_in_row == MOST_IN_ROW_AT_BEST:
            told = AccessDenied(
                f"the vault refused {self._refusals.in_row} customers in a row ({last.status}),"
                " although it accepts the credentials. Nothing more was sent. Perhaps the account"
                " may not read its customers; if only some are refused, put others first in the"
                " list",
                status=last.status,
                code=last.code,
                attempts=last.attempts,
            )
            told.request_id = last.request_id
            last = told
        self.stop(last)

    async def _answers_for_nobody(self) -> bool:
        """Whether the account is answered at all; asked after a while, which a hiccup may take."""
        await self._pause(outage.FIRST_WAIT_SECONDS)
        try:
            await self._vault.fetch_cards(NOBODY)
        except _OWN_FAULTS:
            return True
        except VaultError:
            return False
        return True

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._halted.wait(), seconds)

    def _refused(self, last: RateLimited) -> TokenVaultError:
        """Nothing but 429 came for longer than the patience."""
        if not self._watch.ever_answered:
            return last
        return CollectionError(
            f"{last}; what was collected is kept. Run the same command again to go on"
        )

    def _out_of_reach(self, last: VaultError) -> TokenVaultError:
        if not self._watch.ever_answered:
            return last
        out_for = in_words(self._watch.out_for_seconds())
        return CollectionError(
            f"the vault has been out of reach for {out_for} (last: {last});"
            " what was collected is kept. Run the same command again to go on"
        )


def _refused_itself(failed: Failed) -> Failed:
    """Say of a refusal that it is its customer's own."""
    error = failed.error
    said = f"{error.status}{f' {error.code}' if error.code else ''}"
    own = AccessDenied(
        f"the vault refuses access to this customer ({said}), and answered for others when asked"
        " after it. A gateway may dislike the id: check it, or ask the vault's support",
        status=error.status,
        code=error.code,
        attempts=error.attempts,
    )
    own.request_id = error.request_id
    return failed._replace(error=own)


def _unaskable(customer: Customer, why: IdentifierError) -> Failed:
    error = RequestRejected(f"no request can be made of this id: {why}", attempts=0)
    return Failed(customer, error, customer.requests, _now_us())


def check_settings(concurrency: int, patience_seconds: float) -> None:
    """Raise `UsageError` unless a fan-out can run with these."""
    if not 1 <= concurrency <= LARGEST_CONCURRENCY:
        raise UsageError(
            f"concurrency is {concurrency}; it has to be from 1 to {LARGEST_CONCURRENCY}."
            " Nothing was sent"
        )
    if not patience_seconds >= 0:
        raise UsageError(
            f"the patience is {patience_seconds} seconds; it has to be 0 or more. Nothing was sent"
        )


def _is_own_fault(error: VaultError) -> bool:
    return isinstance(error, _OWN_FAULTS) or (
        isinstance(error, RateLimited) and error.others_answered
    )


def _now_us() -> int:
    return time.time_ns() // 1000
