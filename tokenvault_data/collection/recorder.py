"""Results of a fan-out, gathered into parts and made durable while the fan-out goes on.

What a kill can cost is bounded by arithmetic: a part being written, a part being filled and the
calls in flight are together never more than `UNSAVED_CUSTOMERS`, and no result waits longer than
`UNSAVED_SECONDS` to be written.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio.to_thread
import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.collection.fan_out import Failed, Fetched
from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten
from tokenvault_data.dataset.schema import OUTCOMES
from tokenvault_data.errors import CollectionError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tokenvault_data.collection.run import Run
    from tokenvault_data.dataset.flattening.flatten import Flattened
    from tokenvault_data.errors import VaultError


_SILENT = "the vault answered null, or without content, in place of a list; read as no saved cards"


def outcomes_of(results: Sequence[Fetched | Failed], flattened: Flattened) -> pa.Table:
    """Give one row of `OUTCOMES` for every result, in order.

    The cards of a customer are counted in the rows that `flattened` has for it, so that outcomes
    and instruments agree whatever a body was.
    """
    counts = pc.value_counts(flattened.table.column("customer_id"))
    cards = dict(
        zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    )
    rows = [
        _failed(result, result.error)
        if isinstance(result, Failed)
        else _fetched(result, cards, flattened)
        for result in results
    ]
    return pa.Table.from_pylist(rows, schema=OUTCOMES)


def cause_of(error: VaultError) -> str:
    """Name the cause of a failure, as outcomes group by it: ``not_found``, ``answer_lost``, ..."""
    name = type(error).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _failed(result: Failed, error: VaultError) -> dict[str, object]:
    return _row(result) | {
        "outcome": "failed",
        "cause": cause_of(error),
        "detail": str(error),
        "http_status": error.status,
    }


def _fetched(result: Fetched, cards: Mapping[str, int], flattened: Flattened) -> dict[str, object]:
    customer_id = result.customer.customer_id
    row = _row(result) | {"http_status": result.status}
    if customer_id in flattened.unreadable:
        reason = flattened.unreadable[customer_id]
        return row | {"outcome": "failed", "cause": "unusable_answer", "detail": reason}
    if customer_id in flattened.silent:
        row |= {"detail": _SILENT}
    if customer_id in cards:
        return row | {"outcome": "fetched", "instruments": cards[customer_id]}
    return row | {"outcome": "empty"}


def _row(result: Fetched | Failed) -> dict[str, object]:
    return {
        "customer_id": result.customer.customer_id,
        "position": result.customer.position,
        "instruments": 0,
        "requests": result.requests,
        "finished_at": result.finished_at_us,
    }


UNSAVED_CUSTOMERS = 2_000
UNSAVED_SECONDS = 25.0  # thirty are promised; the rest is for the writing itself


def part_customers(concurrency: int) -> int:
    """How many customers a part holds, so that a kill loses at most `UNSAVED_CUSTOMERS`.

    Unsaved at worst are one part being written, one being filled, to which every worker adds one
    more before it waits, and as many suspects of an outage as there are workers.
    """
    return (UNSAVED_CUSTOMERS - 2 * concurrency) // 2


@dataclass(slots=True)
class Tally:
    """Outcomes of one session, counted as they are found."""

    fetched: int = 0
    empty: int = 0
    failed: int = 0
    cards: int = 0
    requests: int = 0

    @property
    def customers(self) -> int:
        """How many outcomes were found."""
        return self.fetched + self.empty + self.failed

    def add(self, result: Fetched | Failed) -> None:
        """Count one result."""
        self.requests += result.requests
        if isinstance(result, Failed):
            self.failed += 1
        else:
            self.cards += result.instruments
            self.fetched += result.instruments > 0
            self.empty += result.instruments == 0

    def take_for_failed(self, result: Fetched) -> None:
        """Count a result as failed that was counted as fetched, its body being unreadable."""
        self.cards -= result.instruments
        self.fetched -= result.instruments > 0
        self.empty -= result.instruments == 0
        self.failed += 1


class Recorder:
    """Takes results and writes them to a run as parts.

    Parameters
    ----------
    run : Run
    api_version : str
        The version the answers were asked for with.
    concurrency : int
        Workers of the fan-out.

    Attributes
    ----------
    tally : Tally
        What has been taken.
    saved : int
        Customers whose outcome is on the disk.
    """

    def __init__(self, run: Run, *, api_version: str, concurrency: int) -> None:
        self._run = run
        self._api_version = api_version
        self._part_customers = part_customers(concurrency)
        self._filling: list[Fetched | Failed] = []
        self._filling_since = 0.0
        self._writing = asyncio.Lock()
        self._has_failed = False
        self.tally = Tally()
        self.saved = 0

    async def record(self, result: Fetched | Failed) -> None:
        """Add one result; waits when a full part cannot be written yet.

        Raises
        ------
        CollectionError
            The part could not be written, the disk being full for instance. What it holds is kept
            for `write_rest` to try once more.
        """
        if not self._filling:
            self._filling_since = time.monotonic()
        self._filling.append(result)
        self.tally.add(result)
        if self._is_full():
            async with self._writing:
                if self._is_full():
                    await self._write()

    async def write_if_old(self) -> None:
        """Write what is gathered when its oldest result has waited long enough."""
        if self._filling and time.monotonic() - self._filling_since >= UNSAVED_SECONDS:
            await self.write_rest()

    async def write_rest(self) -> None:
        """Write what is gathered. Raises `CollectionError` as `take` does."""
        async with self._writing:
            if self._filling:
                await self._write()

    def _is_full(self) -> bool:
        # After a failure the workers are about to stop, and do not try again one by one.
        return len(self._filling) >= self._part_customers and not self._has_failed

    async def _write(self) -> None:
        batch, self._filling = self._filling, []
        try:
            unreadable = await anyio.to_thread.run_sync(self._write_part, batch)
        except OSError as error:
            self._has_failed = True
            self._filling = batch + self._filling
            raise CollectionError(
                f"a part of the collection could not be written ({error.strerror or error});"
                " what was written before is kept. Make room or check the disk, then run the same"
                " command again"
            ) from error
        self.saved += len(batch)
        for result in batch:
            if isinstance(result, Fetched) and result.customer.customer_id in unreadable:
                self.tally.take_for_failed(result)

    def _write_part(self, batch: Sequence[Fetched | Failed]) -> Collection[str]:
        flattened = flatten(received_bodies(batch, self._api_version))
        self._run.write_part(flattened.table, outcomes_of(batch, flattened))
        return flattened.unreadable


def received_bodies(results: Sequence[Fetched | Failed], api_version: str) -> list[ReceivedBody]:
    """The bodies in `results`, as flattening takes them."""
    return [
        ReceivedBody(result.customer.customer_id, body, result.finished_at_us, api_version)
        for result in results
        if isinstance(result, Fetched)
        for body in result.bodies
    ]
