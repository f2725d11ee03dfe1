"""Fetching many customers at once, at the budget's pace, each ending in exactly one result.

One customer's failure never stops the others. What stops all of them: refused credentials, a
rejected certificate, an outage that outlasts the patience, or `FanOut.halt`. Customers that were
not attempted by then have no result.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from tokenvault_data.collection.outage import OutageWatch
from tokenvault_data.errors import (
    AccessDenied,
    AnswerLost,
    CallAbandoned,
    CertificateRejected,
    CollectionError,
    NotSent,
    RateLimited,
    TokenVaultError,
    VaultError,
    VaultUnavailable,
)

if TYPE_CHECKING:
    from tokenvault_data.vault_api.client import AsyncVault

PATIENCE_SECONDS = 15 * 60.0


class Customer(NamedTuple):
    """A customer to fetch, and its 0-based place in the requested list."""

    position: int
    customer_id: str


class Fetched(NamedTuple):
    """The vault answered. `bodies` are the pages as received; 0 `instruments` means none saved."""

    customer: Customer
    bodies: list[bytes]
    instruments: int
    requests: int
    finished_at_us: int  # UTC, microseconds since 1970


class Failed(NamedTuple):
    """The vault was asked and gave no usable answer; `error` says why."""

    customer: Customer
    error: VaultError
    finished_at_us: int  # UTC, microseconds since 1970


class FanOut:
    """Fetch customers with a number of workers.

    Parameters
    ----------
    vault : AsyncVault
    customers : iterator of Customer
    take : async callable
        Gets every result, from several workers at once; while it waits, its worker waits. A
        `CollectionError` it raises halts the fan-out.
    concurrency : int
        Calls under way at once.
    patience_seconds : float
        How long an outage is waited out.
    """

    def __init__(
        self,
        vault: AsyncVault,
        customers: Iterator[Customer],
        take: Callable[[Fetched | Failed], Awaitable[None]],
        *,
        concurrency: int,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._vault = vault
        self._customers = customers
        self._take = take
        self._concurrency = concurrency
        self._patience_seconds = patience_seconds
        self._again: deque[Customer] = deque()
        self._watch: OutageWatch[Failed] = OutageWatch(time.monotonic)
        self._reachable = asyncio.Event()
        self._reachable.set()
        self._halted = asyncio.Event()
        self._stopped_by: TokenVaultError | None = None

    @property
    def out_for_seconds(self) -> float:
        """How long the vault has been out of reach; 0 while it answers."""
        return self._watch.out_for_seconds()

    async def run(self) -> None:
        """Fetch all customers, or as many as come before a halt.

        Raises
        ------
        AccessDenied, CertificateRejected
            Every further call would fail alike.
        CollectionError
            The vault was out of reach for longer than the patience.
        """
        self._vault.release()
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self._concurrency):
                    workers.create_task(self._work())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        if self._stopped_by is not None:
            raise self._stopped_by
        await self._settle_last_suspects()

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

    async def _work(self) -> None:
        while not self._halted.is_set():
            await self._reachable.wait()
            customer = self._next()
            if customer is None or self._halted.is_set():
                return
            try:
                await self._fetch(customer)
            except CollectionError as error:  # from `take`: what others have in flight is still taken
                self.stop(error)
            if self._watch.out_since is not None and self._reachable.is_set():
                self._reachable.clear()
                await self._wait_out()

    def _next(self) -> Customer | None:
        return self._again.popleft() if self._again else next(self._customers, None)

    async def _fetch(self, customer: Customer) -> None:
        try:
            cards = await self._vault.fetch_cards(customer.customer_id)
        except CallAbandoned:
            return
        except (AccessDenied, CertificateRejected) as error:
            self.stop(error)
        except (NotSent, AnswerLost, VaultUnavailable) as error:
            self._watch.failed(
                Failed(customer, error, _now_us()), never_sent=isinstance(error, NotSent)
            )
        except VaultError as error:
            if not isinstance(error, RateLimited):  # a 429 comes from the gateway, down or not
                await self._blame_suspects()
            await self._take(Failed(customer, error, _now_us()))
        else:
            fetched = Fetched(customer, cards.bodies, cards.instruments, cards.requests, _now_us())
            await self._blame_suspects()
            await self._take(fetched)

    async def _blame_suspects(self) -> None:
        if self._watch.out_since is not None:
            self._retry_suspects()
        for failed in self._watch.answered():
            await self._take(failed)

    async def _wait_out(self) -> None:
        """Try one customer now and then until the vault answers, the patience ends, or a halt."""
        while self._watch.out_since is not None and not self._halted.is_set():
            last_error = self._watch.suspects[-1].error if self._watch.suspects else None
            self._retry_suspects()
            too_long = self._watch.out_for_seconds() > self._patience_seconds
            if last_error is not None and (too_long or not self._watch.ever_answered):
                self.stop(self._out_of_reach(last_error))
                return
            await self._pause(self._watch.next_probe_seconds())
            customer = self._next()
            if customer is not None and not self._halted.is_set():
                await self._fetch(customer)
        self._reachable.set()

    def _retry_suspects(self) -> None:
        self._again.extend(failed.customer for failed in self._watch.take_suspects())

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._halted.wait(), seconds)

    def _out_of_reach(self, last_error: VaultError) -> TokenVaultError:
        if not self._watch.ever_answered:
            return last_error
        minutes = self._watch.out_for_seconds() / 60
        return CollectionError(
            f"the vault has been out of reach for {minutes:.0f} minutes (last: {last_error});"
            " what was collected is kept. Run the same command again to go on"
        )

    async def _settle_last_suspects(self) -> None:
        """Blame customers that failed at the very end, after which nobody else was asked."""
        if self._halted.is_set():
            return
        if self._watch.suspects and not self._watch.ever_answered:
            raise self._watch.suspects[-1].error
        await self._blame_suspects()


def _now_us() -> int:
    return time.time_ns() // 1000
