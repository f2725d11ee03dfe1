"""The made-up customers and cards: any number of them, computed when asked for, never kept.

`births` makes the cards that customers begin with, and `ageing` lets months pass.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from tokenvault_data.emulator.dialects import API_VERSIONS, instrument_json
from tokenvault_data.emulator.population.ageing import Ageing, months_after, net_events_of
from tokenvault_data.emulator.population.births import Births

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenvault_data.emulator.dialects import SavedCard
    from tokenvault_data.emulator.population.ageing import Event
    from tokenvault_data.emulator.settings import EmulatorSettings

_CUSTOMER_PREFIX = "cust_"
_DIGITS = 7


class Population:
    """The truth the emulator answers from.

    Parameters
    ----------
    settings
        `customers`, `seed`, `as_of` and `aged_months` are used.

    Attributes
    ----------
    as_of
        The day of birth.
    today
        The vault's today: as many months later as it has aged.
    name
        The same for populations that hold the same cards, however much they have aged.
    saved_cards
        Called with the number of a customer: its rows today, in the order the vault lists them.
    list_body
        Called with the number of a customer and an API version: its rows as a JSON array.

    Examples
    --------
    >>> from datetime import date
    >>> from tokenvault_data.emulator.settings import EmulatorSettings
    >>> population = Population(EmulatorSettings(customers=3, as_of=date(2026, 1, 1)))
    >>> list(population.customer_ids())
    ['cust_0000000', 'cust_0000001', 'cust_0000002']
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self.size = settings.customers
        self.as_of = settings.as_of or datetime.now(UTC).date()
        self.today = months_after(self.as_of, settings.aged_months)
        self.name = blake2b(f"{settings.seed} {self.as_of}".encode(), digest_size=6).hexdigest()
        self._births = Births(settings.seed, self.as_of)
        self._ageing = Ageing(self._births, self.as_of, settings.aged_months)
        cards_of = self._aged_cards if settings.aged_months else self._cards_at_birth
        # Enough for the fetches that follow a list; it does not grow with the population.
        self.saved_cards = lru_cache(maxsize=512)(cards_of)
        self.list_body = lru_cache(maxsize=512)(self._list_body)

    def customer_ids(self) -> Iterator[str]:
        """Go through every customer id, in order."""
        return (customer_id_of(index) for index in range(self.size))

    def index_of(self, customer_id: str) -> int | None:
        """Find the number of a customer; None for an id the vault has never seen."""
        digits = customer_id[len(_CUSTOMER_PREFIX) :]
        if not (
            customer_id.startswith(_CUSTOMER_PREFIX) and digits.isascii() and digits.isdecimal()
        ):
            return None
        index = int(digits) if len(digits) < 19 else self.size
        return index if index < self.size and customer_id_of(index) == customer_id else None

    def instruments(self, customer_id: str, api_version: str) -> list[dict[str, Any]]:
        """List a customer's instruments as a call under `api_version` does, before any delete.

        Raises
        ------
        ValueError
            The version is not one of `API_VERSIONS`.
        """
        if api_version not in API_VERSIONS:
            raise ValueError(f"no API version {api_version!r}; known: {', '.join(API_VERSIONS)}")
        index = self.index_of(customer_id)
        if index is None:
            return []
        instruments: list[dict[str, Any]] = json.loads(self.list_body(index, api_version))
        return instruments

    def events(self, index: int) -> tuple[Event, ...]:
        """Tell what ageing did to the cards of customer number `index`, as it happened."""
        return self._ageing.history(customer_id_of(index), index).events

    def all_events(self) -> Iterator[Event]:
        """Go through the events of all customers, one after another."""
        return (event for index in range(self.size) for event in self.events(index))

    def net_events(self) -> Iterator[Event]:
        """Go through what a comparison of this vault with itself at birth must find.

        What callers delete from the running emulator is not part of it. See `net_events_of`.
        """
        return (event for index in range(self.size) for event in net_events_of(self.events(index)))

    def _cards_at_birth(self, index: int) -> tuple[SavedCard, ...]:
        return self._births.cards(customer_id_of(index), index)

    def _aged_cards(self, index: int) -> tuple[SavedCard, ...]:
        return self._ageing.history(customer_id_of(index), index).cards

    def _list_body(self, index: int, api_version: str) -> bytes:
        """Write a customer's instruments as a JSON array."""
        cards = self.saved_cards(index)
        return f"[{','.join([instrument_json(card, api_version) for card in cards])}]".encode()


def customer_id_of(index: int) -> str:
    """Write the id of customer number `index`, counted from 0."""
    return f"{_CUSTOMER_PREFIX}{index:0{_DIGITS}d}"
