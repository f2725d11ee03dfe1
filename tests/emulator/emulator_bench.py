"""An emulator over real HTTP, and ways to find customers of a certain kind in its population."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

import httpx

from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

AS_OF = date(2026, 11, 22)
HEADERS = {
    "x-client-id": "test_app",
    "x-client-secret": "test_secret",
    "x-api-version": "2025-01-01",
}


class Bench:
    """A running emulator and a client with credentials."""

    def __init__(self, emulator: Emulator, client: httpx.Client) -> None:
        self.emulator = emulator
        self.client = client

    def list(self, customer_id: str, **options) -> httpx.Response:
        params = {"instrument_type": "card"} | options.pop("params", {})
        return self.client.get(f"/customers/{customer_id}/instruments", params=params, **options)

    def fetch(self, customer_id: str, instrument_id: str, **options) -> httpx.Response:
        return self.client.get(f"/customers/{customer_id}/instruments/{instrument_id}", **options)

    def delete(self, customer_id: str, instrument_id: str, **options) -> httpx.Response:
        path = f"/customers/{customer_id}/instruments/{instrument_id}"
        return self.client.delete(path, **options)

    def cryptogram(self, customer_id: str, instrument_id: str, **options) -> httpx.Response:
        path = f"/customers/{customer_id}/instruments/{instrument_id}/cryptogram"
        return self.client.get(path, **options)

    def a_card(self, *, nth: int = 0, status: str = "ACTIVE") -> tuple[str, str]:
        """The nth (customer id, instrument id) that is whole, listed once, and has the status."""
        population = self.emulator.population
        for customer_id in population.customer_ids():
            cards = population.saved_cards(population.index_of(customer_id))
            ids = [card.instrument_id for card in cards]
            for card in cards:
                if card.status != status or card.flaw or card.kept_in or ids.count(ids[0]) > 1:
                    continue
                if nth == 0:
                    return customer_id, card.instrument_id
                nth -= 1
        raise AssertionError("the population has no such card")

    def a_customer_with(self, cards: int) -> str:
        population = self.emulator.population
        for index, customer_id in enumerate(population.customer_ids()):
            ids = {card.instrument_id for card in population.saved_cards(index)}
            if len(population.saved_cards(index)) == cards == len(ids):
                return customer_id
        raise AssertionError("the population has no such customer")


@contextmanager
def running(**settings) -> Iterator[Bench]:
    with (
        Emulator(EmulatorSettings(**{"customers": 500, "as_of": AS_OF} | settings)) as emulator,
        httpx.Client(base_url=emulator.base_url, headers=HEADERS, timeout=10) as client,
    ):
        yield Bench(emulator, client)
