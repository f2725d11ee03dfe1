"""The four operations, on the population and on what was deleted from it; no connection here."""

from __future__ import annotations

import base64
import json
import re
import secrets
from typing import TYPE_CHECKING, NamedTuple

from tokenvault_data.emulator.answers import Response, error_answer
from tokenvault_data.emulator.dialects import DIALECTS, instrument_json
from tokenvault_data.emulator.paging import (
    ListedCard,
    Page,
    cut_page,
    next_link,
    read_page_request,
    render_page,
)

if TYPE_CHECKING:
    from tokenvault_data.emulator.answers import Applied
    from tokenvault_data.emulator.dialects import SavedCard
    from tokenvault_data.emulator.population.population import Population
    from tokenvault_data.emulator.routing import Route
    from tokenvault_data.emulator.settings import EmulatorSettings


class StoredAnswer(NamedTuple):
    """The first answer to an idempotency key, and what was asked then."""

    request: str
    status: int
    body: bytes


class VaultState:
    """Deletions and idempotency records of one vault. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._deletions: dict[str, dict[str, float]] = {}
        self._answers: dict[tuple[bytes, bytes], StoredAnswer] = {}

    def delete(self, customer_id: str, instrument_id: str, at: float) -> None:
        """Let an instrument be deleted from `at` on, or from an earlier time already set."""
        instruments = self._deletions.setdefault(customer_id, {})
        instruments[instrument_id] = min(at, instruments.get(instrument_id, at))

    def has_deletions(self, customer_id: str) -> bool:
        """Say whether any instrument of the customer was deleted."""
        return customer_id in self._deletions

    def is_deleted(self, customer_id: str, instrument_id: str, now: float) -> bool:
        """Say whether an instrument's deletion has taken effect by `now`."""
        instruments = self._deletions.get(customer_id)
        return instruments is not None and instruments.get(instrument_id, now + 1) <= now

    def stored_answer(self, account: bytes, idempotency_key: bytes) -> StoredAnswer | None:
        """Look up what was answered under this key before."""
        return self._answers.get((account, idempotency_key))

    def store_answer(self, account: bytes, idempotency_key: bytes, answer: StoredAnswer) -> None:
        """Keep the first answer under a key; later ones change nothing."""
        self._answers.setdefault((account, idempotency_key), answer)


_INSTRUMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# 9 is the class of national numbers, 999 no country: no issuer holds this prefix.
_NEVER_ISSUED_PREFIX = "999999"


class ListQuery(NamedTuple):
    """Whose list is asked for, the query, and the origin its `Link` header should lead to."""

    customer_id: str
    values: dict[str, str]
    origin: str


class EmulatedVault:
    """Reads and deletes instruments.

    Parameters
    ----------
    settings
        `after_delete`, paging.
    population
        What there was at the start.
    state
        What was deleted since.
    """

    def __init__(
        self, settings: EmulatorSettings, population: Population, state: VaultState
    ) -> None:
        self._population = population
        self._state = state
        self._hides_deleted = settings.after_delete == "gone"
        self._shape = settings.paging_shape
        self._instruments_per_page = settings.instruments_per_page

    def list_instruments(
        self, query: ListQuery, version: str, now: float, lag_seconds: float
    ) -> Response:
        """List one page of a customer's instruments, as they were `lag_seconds` ago."""
        # The official client (6.0.1) appends its query to a path that has one already, so the value
        # arrives as `card?instrument_type=card`.
        if query.values.get("instrument_type", "").partition("?")[0] != "card":
            message = "instrument_type is missing or not supported; it has to be card"
            return error_answer(400, "instrument_type_invalid", message)
        customer_id = query.customer_id
        index = self._population.index_of(customer_id)
        if self._shape == "array" and not self._state.has_deletions(customer_id):
            body = b"[]" if index is None else self._population.list_body(index, version)
            return Response(200, body)
        rows = [] if index is None else self._rows(index, version, now - lag_seconds)
        if self._shape == "array":
            return Response(200, render_page(Page(rows, None, len(rows)), "array"))
        try:
            request = read_page_request(customer_id, query.values, self._instruments_per_page)
        except ValueError as problem:
            return error_answer(400, f"{problem}_invalid", f"{problem} is not valid")
        page = cut_page(customer_id, rows, request)
        body = render_page(page, self._shape)
        if self._shape == "cursor" or page.next_cursor is None:
            return Response(200, body)
        link = next_link(query.origin, customer_id, page.next_cursor, page.limit)
        return Response(200, body, (link,))

    def fetch(self, route: Route, version: str, now: float) -> Response:
        """Fetch one instrument."""
        card = self._find(route)
        if isinstance(card, Response):
            return card
        if not self._state.is_deleted(route.customer_id, route.instrument_id, now):
            return Response(200, instrument_json(card, version).encode())
        if self._hides_deleted:
            return error_answer(404)
        return Response(200, instrument_json(card, version, "INACTIVE").encode())

    def delete(
        self, route: Route, version: str, now: float, *, takes_effect_at: float | None
    ) -> Response:
        """Delete an instrument from `takes_effect_at` on; None only answers as if.

        Where deleted instruments stay in the list as INACTIVE, one that is INACTIVE for any other
        reason cannot be told from them and is refused alike.
        """
        card = self._find(route)
        if isinstance(card, Response):
            return card
        is_deleted = self._state.is_deleted(route.customer_id, route.instrument_id, now)
        if self._hides_deleted and is_deleted:
            return error_answer(404)
        if not self._hides_deleted and (is_deleted or card.status == "INACTIVE"):
            return error_answer(409)
        body = instrument_json(card, version, DIALECTS[version].status_after_delete).encode()
        if takes_effect_at is None:
            return Response(200, body)
        self._state.delete(route.customer_id, route.instrument_id, takes_effect_at)
        applied: Applied = "deleted" if takes_effect_at <= now else "delete pending"
        return Response(200, body, applied=applied)

    def cryptogram(self, route: Route, version: str, now: float) -> Response:
        """Make a fresh one-time secret for an active instrument."""
        card = self._find(route)
        if isinstance(card, Response):
            return card
        is_deleted = self._state.is_deleted(route.customer_id, route.instrument_id, now)
        if is_deleted and self._hides_deleted:
            return error_answer(404)
        if is_deleted or card.status != "ACTIVE":
            return error_answer(400, "instrument_id_invalid", "Instrument is not active")
        year = card.expiry_year if DIALECTS[version].four_digit_year else card.expiry_year % 100
        secret = {
            "instrument_id": card.instrument_id,
            "token_requestor_id": f"{int(card.instrument_uid[:9], 16) % 10**11:011d}",
            "card_number": _network_token(card),
            "card_expiry_mm": f"{card.expiry_month:02d}",
            "card_expiry_yy": str(year),
            "cryptogram": base64.b64encode(secrets.token_bytes(20)).decode(),
            "card_display": card.last_four,
        }
        return Response(200, json.dumps(secret, separators=(",", ":")).encode())

    def _rows(self, index: int, version: str, now: float) -> list[ListedCard]:
        rows: list[ListedCard] = []
        for place, card in enumerate(self._population.saved_cards(index)):
            if not self._state.is_deleted(card.customer_id, card.instrument_id, now):
                rows.append(ListedCard(place, instrument_json(card, version)))
            elif not self._hides_deleted:
                rows.append(ListedCard(place, instrument_json(card, version, "INACTIVE")))
        return rows

    def _find(self, route: Route) -> SavedCard | Response:
        if _INSTRUMENT_ID.fullmatch(route.instrument_id) is None:
            return error_answer(400, "instrument_id_invalid", "instrument_id is malformed")
        index = self._population.index_of(route.customer_id)
        if index is not None:
            for card in self._population.saved_cards(index):
                if card.instrument_id == route.instrument_id:
                    return card
        return error_answer(404)


def _network_token(card: SavedCard) -> str:
    """Make up a number for the card, with a right check digit (Luhn)."""
    digits = f"{_NEVER_ISSUED_PREFIX}{int(card.instrument_uid[16:28], 16) % 10**9:09d}"
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    return f"{digits}{-total % 10}"
