"""Fetching many customers at once, at the budget's pace, each ending in exactly one result.

One customer's failure never stops the others, a refusal (401, 403) of one customer included. What
stops all of them: refused credentials, a rejected certificate, an outage that outlasts the
patience, or `FanOut.halt`. Customers of whom nothing is known by then have no result.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from tokenvault_data.collection.outage import OutageWatch
from tokenvault_data.collection.progress import in_words
from tokenvault_data.collection.refusals import MOST_IN_ROW, MOST_IN_ROW_AT_BEST, Refusals
from tokenvault_data.errors import (
    AccessDenied,
    CallAbandoned,
    CertificateRejected,
    CollectionError,
    NotSent,
    PagingFault,
    RateLimited,
    RequestRejected,
    TokenVaultError,
    UsageError,
    VaultError,
)
from tokenvault_data.vault_api.probe import CUSTOMER as NOBODY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from tokenvault_data.vault_api.client import AsyncVault

CONCURRENCY = 64
LARGEST_CONCURRENCY = 512
PATIENCE_SECONDS = 15 * 60.0
CONTROLS = (
    3  # answered before, and asked again where it has to be known whether anybody is answered
)
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
        self._watch: OutageWatch[Failed] = OutageWatch(time.monotonic)
        self._last_trouble: VaultError | None = None
        self._refusals: Refusals[Failed] = Refusals()
        self._refused_themselves: list[Failed] = []
        self._last_refusal: AccessDenied | None = None
        self._asked = 0
        self._recalls = 0
        self._reachable = asyncio.Event()
        self._reachable.set()
        self._halted = asyncio.Event()
        self._stopped_by: TokenVaultError | None = None

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
        except CollectionError as error:
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

    def stop(self, error: TokenVaultError) -> None:
        """Halt because of an error, which `run` raises once nothing is in flight."""
        if self._stopped_by is None:
            self._stopped_by = error
        self.halt()

    def _has_doubts(self) -> bool:
        return bool(self._watch.suspects or self._refusals.waiting)

    def _has_to_wait(self) -> bool:
        return self._watch.out_since is not None or self._refusals.is_due

    async def _work_off(self) -> None:
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self._concurrency):
                    workers.create_task(self._work())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

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
            except CollectionError as error:  # what the other workers have in flight is still taken
                self.stop(error)

    def _next(self) -> Customer | None:
        return self._again.popleft() if self._again else next(self._customers, None)

    async def _fetch(self, customer: Customer) -> None:
        result = await self._ask(customer)
        if result is None:
            return
        if isinstance(result, Fetched) or _is_own_fault(result.error):
            await self._note_answer()
            await self._take(result)
        elif isinstance(result.error, AccessDenied):
            self._last_refusal = result.error
            self._refusals.refused(result, self._asked)
        else:
            self._last_trouble = result.error
            self._watch.failed(result, never_sent=isinstance(result.error, NotSent))

    async def _ask(self, customer: Customer) -> Fetched | Failed | None:
        """Ask for one customer; None when it was not asked, or when the fan-out has to end."""
        self._asked += 1
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
            if all(customer.customer_id != known.customer_id for known in self._known):
                self._known.append(customer)
        if isinstance(result, Fetched) or _is_own_fault(result.error):
            self._refused_themselves += self._refusals.answered(number)
        return result

    def _recall(self) -> None:
        """Take back what waits for its slot, so that in doubt one is asked at a time."""
        self._recalls += 1
        self._vault.hold()
        if not self._halted.is_set():
            self._vault.release()

    async def _note_answer(self) -> None:
        """The vault has answered somebody: what failed before is tried again, or blamed."""
        own, self._refused_themselves = self._refused_themselves, []
        for refused in own:
            await self._take(_refused_itself(refused))
        suspects = self._watch.answered()
        for failed in suspects.customers:
            if failed.customer.is_doubted and not suspects.innocent:
                await self._take(failed)
            else:
                self._try_again(failed, is_doubted=not suspects.innocent)

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

        A suspect would be no proof: it may be the very customer that the vault fails at.
        """
        if self._known:
            control = self._known[-1]
            result = await self._ask(control)
            if result is None:
                return
            if isinstance(result, Fetched) or _is_own_fault(result.error):
                await self._note_answer()
                return
            if isinstance(result.error, AccessDenied):
                self._known.remove(control)
                self._last_refusal = result.error
                self._refusals.control_refused()
                await self._judge_refusals()
                return
            self._last_trouble = result.error
            self._watch.take_for_out()
        else:
            self._recall()
            await asyncio.sleep(0)  # so that what was recalled is there to be asked first
            customer = self._next()
            if customer is None and not self._watch.suspects:
                self._stop_refused()
                return
            await self._fetch(customer or self._first_suspect())
            await self._judge_refusals()
        if self._watch.out_since is None or self._last_trouble is None:
            return
        self._watch.probe_failed()
        too_long = self._watch.out_for_seconds() > self._patience_seconds
        if too_long or not self._watch.ever_answered:
            self.stop(self._out_of_reach(self._last_trouble))

    async def _judge_refusals(self) -> None:
        """Stop where nobody is answered any more; the question for nobody's cards has a say."""
        refusals = self._refusals
        if self._known or refusals.in_row < refusals.most_in_row:
            return
        if refusals.most_in_row == MOST_IN_ROW and await self._answers_for_nobody():
            refusals.most_in_row = MOST_IN_ROW_AT_BEST
        elif not self._halted.is_set():
            self._stop_refused()

    def _stop_refused(self) -> None:
        if self._last_refusal is not None:
            self.stop(self._last_refusal)

    async def _answers_for_nobody(self) -> bool:
        try:
            await self._vault.fetch_cards(NOBODY)
        except _OWN_FAULTS:
            return True
        except VaultError:
            return False
        return True

    def _first_suspect(self) -> Customer:
        failed = self._watch.suspects.pop(0)
        return failed.customer._replace(requests=failed.requests)

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
