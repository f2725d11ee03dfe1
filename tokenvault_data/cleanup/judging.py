"""From the answer to a fetch to what it says of a planned card."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tokenvault_data.cleanup.drifting import keeper_drift
from tokenvault_data.cleanup.fetched_cards import FetchedCard, as_rows
from tokenvault_data.cleanup.item_steps import Check, Look
from tokenvault_data.cleanup.together import Together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenvault_data.cleanup.answers import Reading
    from tokenvault_data.cleanup.clock import Clock
    from tokenvault_data.cleanup.controls import Sign
    from tokenvault_data.cleanup.plan import ControlCard, Plan, PlannedCard

_UNREADABLE = "the card that came back cannot be read"


class Judge:
    """Holds what was fetched against what was sealed.

    Parameters
    ----------
    plan : Plan
    api_version : str
        Version of the answers.
    clock : Clock
    """

    def __init__(self, plan: Plan, api_version: str, clock: Clock) -> None:
        self._plan = plan
        self._api_version = api_version
        self._clock = clock
        self._rows = Together(as_rows)

    async def check(self, card: PlannedCard, reading: Reading, *, was_attempted: bool) -> Check:
        """Say whether a card may be deleted, from the fetch right before."""
        counts = reading.row.fetch_effect != "wait"
        if reading.row.fetch == "absent":
            return Check("absent", None, reading.status, reading.request_id)
        row = await self._row(card.customer_id, reading)
        if row is None:
            why = reading.message if reading.card is None else _UNREADABLE
            return Check("unclear", why, reading.status, reading.request_id, counts)
        reason = self._drift(card, row)
        if reason is None:
            return Check("holds", None, reading.status, reading.request_id)
        only_inactive = was_attempted and self._is_only_inactive(card, row)
        verdict = "gone_inactive" if only_inactive else "drift"
        return Check(verdict, reason, reading.status, reading.request_id)  # type: ignore[arg-type]  # Literal

    async def keeper(self, card: PlannedCard, held: Check, reading: Reading) -> Check:
        """Say the same once the card that is kept in its place was fetched as well."""
        if reading.row.fetch == "absent":
            return held._replace(verdict="drift", reason="the card to keep is gone")
        row = await self._row(card.customer_id, reading)
        if row is None:
            counts = reading.row.fetch_effect != "wait"
            reason = f"the card to keep: {reading.message}"
            return held._replace(verdict="unclear", reason=reason, counts=counts)
        reason_of_keeper = keeper_drift(card, row, self._plan.as_of)
        if reason_of_keeper is None:
            return held
        return held._replace(verdict="drift", reason=reason_of_keeper)

    async def look(self, card: PlannedCard, reading: Reading) -> Look:
        """Say what a fetch after an attempt showed."""
        counts = reading.row.fetch_effect != "wait"
        if reading.row.fetch == "absent":
            return Look("absent", None, reading.status, reading.request_id)
        row = await self._row(card.customer_id, reading)
        if row is None:
            why = reading.message if reading.card is None else _UNREADABLE
            return Look("unclear", why, reading.status, reading.request_id, counts)
        if self._is_only_inactive(card, row):
            return Look("inactive", None, reading.status, reading.request_id)
        reason = self._drift(card, row)
        verdict = "present" if reason is None else "drift"
        return Look(verdict, reason, reading.status, reading.request_id)  # type: ignore[arg-type]  # Literal

    async def _row(self, customer_id: str, reading: Reading) -> Mapping[str, object] | None:
        if reading.card is None:
            return None
        at_us = int(self._clock.now().timestamp() * 1e6)
        fetched = FetchedCard(customer_id, reading.card, at_us, self._api_version)
        return cast("Mapping[str, object] | None", await self._rows.ask(fetched))

    def _drift(self, card: PlannedCard, row: Mapping[str, object]) -> str | None:
        return self._plan.rule.drift(card, row, self._plan.as_of)

    def _is_only_inactive(self, card: PlannedCard, row: Mapping[str, object]) -> bool:
        """Whether the card is INACTIVE, was not when it was sealed, and is the same otherwise."""
        if row.get("instrument_status") != "INACTIVE":
            return False
        if card.instrument_status in (None, "INACTIVE"):
            return False
        return self._drift(card, {**row, "instrument_status": card.instrument_status}) is None


def sign_of(control: ControlCard, reading: Reading) -> Sign:
    """Say what a control card showed."""
    if reading.row.fetch == "absent":
        return "bad"
    if reading.card is None:
        return "unclear"
    is_same = reading.card.get("customer_id") in (None, control.customer_id)
    return "good" if is_same and reading.instrument_status == "ACTIVE" else "bad"
