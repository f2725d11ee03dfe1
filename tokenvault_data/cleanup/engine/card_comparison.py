"""From what the vault answered to what it says of a planned card."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, cast

from tokenvault_data.cleanup.engine.batching import Together
from tokenvault_data.cleanup.engine.customer_list import ListAnswer, ReadList, read_lists, row_of
from tokenvault_data.cleanup.engine.decisions import Check, Look
from tokenvault_data.cleanup.engine.fetched_cards import FetchedCard, as_rows
from tokenvault_data.cleanup.selection.drift import keeper_drift
from tokenvault_data.cleanup.selection.usability import usable
from tokenvault_data.dataset.flattening.instants import INDIA

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from tokenvault_data.cleanup.campaign.clock import Clock
    from tokenvault_data.cleanup.engine.control_reads import Sign
    from tokenvault_data.cleanup.engine.customer_list import Row
    from tokenvault_data.cleanup.engine.responses import Reading
    from tokenvault_data.cleanup.plan.plan_file import ControlCard, Plan, PlannedCard

_UNREADABLE = "the card that came back cannot be read"
_LAST_USABLE = "spared: it is the last card that its customer can pay with"


class Judge:
    """Holds what the vault answered against what was sealed.

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
        self._lists: Together[tuple[ListAnswer, int, str], ReadList] = Together(read_lists)

    async def check(  # noqa: PLR0911  one return a verdict
        self,
        card: PlannedCard,
        answer: ListAnswer,
        asked_at: datetime,
        *,
        was_attempted: bool,
        counts_as_gone: Callable[[str], bool],
    ) -> Check:
        """Say whether a card may be deleted, from its customer's list right before.

        Parameters
        ----------
        card : PlannedCard
        answer : ListAnswer
        asked_at : datetime
            Before the list was asked for.
        was_attempted : bool
            Whether a delete of the card may have been carried out.
        counts_as_gone : callable
            Whether another card of the customer, by its id, was or is being deleted.
        """
        check = Check(
            "unclear", answer.problem, answer.status, answer.request_id, asked_at.isoformat()
        )
        if answer.is_absent:
            return check._replace(verdict="absent", reason=None)
        if answer.elements is None:
            return check._replace(counts=answer.counts)
        asked_at_us = int(asked_at.timestamp() * 1e6)
        rows, problem = await self._lists.ask((answer, asked_at_us, self._api_version))
        if rows is None:
            return check._replace(reason=problem)
        check = check._replace(reason=None, listed=len(rows))
        row = row_of(rows, card.instrument_id)
        if row is None:
            return check._replace(verdict="absent")
        reason = self._drift(card, row)
        if reason is not None:
            only_inactive = was_attempted and self._is_only_inactive(card, row)
            return check._replace(
                verdict="gone_inactive" if only_inactive else "drift", reason=reason
            )
        others = [
            other
            for other in rows
            if other is not row and not counts_as_gone(str(other["instrument_id"]))
        ]
        reason = self._keeper_drift(card, others)
        if reason is not None:
            return check._replace(verdict="drift", reason=reason)
        if self._plan.limits.keep_last_usable and self._would_be_missed(row, others):
            return check._replace(verdict="last_usable", reason=_LAST_USABLE)
        return check._replace(verdict="holds")

    def _keeper_drift(self, card: PlannedCard, others: Sequence[Row]) -> str | None:
        if card.keeper is None:
            return None
        keeper = row_of(others, card.keeper)
        if keeper is None:
            return "the card to keep is gone"
        return keeper_drift(card, keeper, self._plan.as_of)

    def _would_be_missed(self, row: Mapping[str, object], others: Sequence[Row]) -> bool:
        """Whether the customer could pay less surely without the card than with it.

        On today's day in India: a card that has expired since the plan keeps nobody able to pay.
        """
        day = max(self._clock.now().astimezone(INDIA).date(), date.fromisoformat(self._plan.as_of))
        best_without = max((_level(other, day) for other in others), default=0)
        return _level(row, day) > best_without

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


def _level(row: Mapping[str, object], day: date) -> int:
    """How surely a card can be paid with: 2 yes, 1 not known, 0 no."""
    status, expires_on = row.get("instrument_status"), row.get("expires_on")
    can = usable(
        None if status is None else str(status),
        expires_on if isinstance(expires_on, date) else None,
        day,
    )
    return {True: 2, None: 1, False: 0}[can]


def sign_of(control: ControlCard, reading: Reading) -> Sign:
    """Say what a control card showed."""
    if reading.row.fetch == "absent" or reading.is_forbidden:
        return "bad"
    if reading.card is None:
        return "unclear"
    is_same = reading.card.get("customer_id") in (None, control.customer_id)
    return "good" if is_same and reading.instrument_status == "ACTIVE" else "bad"
