"""Results of a fan-out, gathered into parts and made durable while the fan-out goes on.

What a kill can cost is bounded by arithmetic: a part being written, a part being filled and the
calls in flight are together never more than `UNSAVED_CUSTOMERS`, and no result waits longer than
`UNSAVED_SECONDS` to be written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio.to_thread

from tokenvault_data.collection.fan_out import Failed, Fetched
from tokenvault_data.dataset.flatten import ReceivedBody, flatten
from tokenvault_data.errors import CollectionError, VaultError

if TYPE_CHECKING:
    import pyarrow as pa

    from tokenvault_data.collection.run import Run

UNSAVED_CUSTOMERS = 2_000
UNSAVED_SECONDS = 25.0  # thirty are promised; the rest is for the writing itself
LARGEST_CONCURRENCY = 512


def part_customers(concurrency: int) -> int:
    """How many customers a part holds, so that a kill loses at most `UNSAVED_CUSTOMERS`.

    Unsaved at worst are one part being written, one being filled to which every worker has added
    one more while waiting, and one call in flight for every worker.
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


class Recorder:
    """Takes results and writes them to a run as parts.

    Parameters
    ----------
    run : Run
    api_version : str
        The version the answers were asked for with.
    concurrency : int
        Workers of the fan-out.
    """

    def __init__(self, run: Run, *, api_version: str, concurrency: int) -> None:
        self._run = run
        self._api_version = api_version
        self._part_customers = part_customers(concurrency)
        self._filling: list[Fetched | Failed] = []
        self._filling_since = 0.0
        self._writing = asyncio.Lock()
        self.tally = Tally()

    async def take(self, result: Fetched | Failed) -> None:
        """Add one result; waits when a full part cannot be written yet.

        Raises
        ------
        CollectionError
            The part could not be written, the disk being full for instance.
        """
        if not self._filling:
            self._filling_since = time.monotonic()
        self._filling.append(result)
        self._count(result)
        if len(self._filling) >= self._part_customers:
            async with self._writing:
                if len(self._filling) >= self._part_customers:
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

    async def _write(self) -> None:
        batch, self._filling = self._filling, []
        try:
            await anyio.to_thread.run_sync(self._write_part, batch)
        except OSError as error:
            raise CollectionError(
                f"a part of the collection could not be written ({error.strerror or error});"
                f" its {len(batch)} customers will be asked again, everything before is kept."
                " Make room or check the disk, then run the same command again"
            ) from error

    def _write_part(self, batch: Sequence[Fetched | Failed]) -> None:
        flattened = flatten(received_bodies(batch, self._api_version))
        self._run.write_part(flattened.table, _outcomes(batch, flattened.unreadable))

    def _count(self, result: Fetched | Failed) -> None:
        if isinstance(result, Failed):
            self.tally.failed += 1
            self.tally.requests += result.error.attempts
            return
        self.tally.requests += result.requests
        self.tally.cards += result.instruments
        if result.instruments:
            self.tally.fetched += 1
        else:
            self.tally.empty += 1


def received_bodies(
    results: Sequence[Fetched | Failed], api_version: str
) -> list[ReceivedBody]:
    """The bodies in `results`, as flattening takes them."""
    return [
        ReceivedBody(result.customer.customer_id, body, result.finished_at_us, api_version)
        for result in results
        if isinstance(result, Fetched)
        for body in result.bodies
    ]


def cause_of(error: VaultError) -> str:
    """Name the cause of a failure, as outcomes group by it: ``not_found``, ``answer_lost``, ..."""
    name = type(error).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _outcomes(batch: Sequence[Fetched | Failed], unreadable: dict[str, str]) -> pa.Table:
    import pyarrow as pa

    from tokenvault_data.dataset.columns import OUTCOMES

    rows = [_outcome(result, unreadable) for result in batch]
    return pa.Table.from_pylist(rows, schema=OUTCOMES)


def _outcome(result: Fetched | Failed, unreadable: dict[str, str]) -> dict[str, object]:
    position, customer_id = result.customer
    row: dict[str, object] = {
        "customer_id": customer_id,
        "position": position,
        "instruments": 0,
        "finished_at": result.finished_at_us,
    }
    if isinstance(result, Failed):
        error = result.error
        failure = {"cause": cause_of(error), "detail": str(error), "http_status": error.status}
        return row | failure | {"outcome": "failed", "requests": error.attempts}
    row |= {"http_status": 200, "requests": result.requests}
    if customer_id in unreadable:
        reason = unreadable[customer_id]
        return row | {"outcome": "failed", "cause": "unusable_answer", "detail": reason}
    if result.instruments:
        return row | {"outcome": "fetched", "instruments": result.instruments}
    return row | {"outcome": "empty"}
