"""What a campaign knows beside its journal: the account's ledger, and the hold lists."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tokenvault_data.cleanup.journal.records import Record
    from tokenvault_data.cleanup.ledger.ledger import Ledger, Mark
    from tokenvault_data.cleanup.plan.plan import Plan
    from tokenvault_data.cleanup.selection.cards import PlannedCard

_NEVER_ON_THE_WIRE: Final = "not_executed"
_LOOK_AT_HOLDS_SECONDS: Final = 2.0
_LATELY_SECONDS: Final = 86_400.0
"""How long a list may show a card that was deleted."""


class HoldLists(Protocol):
    """What a campaign needs of hold lists; `holds.Holds` is one."""

    def covers(self, customer_id: str, instrument_id: str) -> bool:
        """Whether a card is never to be deleted."""
        ...

    def changed(self) -> bool:
        """Whether a list was added, removed or altered since they were read."""
        ...


class Memory:
    """The ledger and the hold lists of one campaign.

    Parameters
    ----------
    ledger : Ledger
        Open.
    load_holds : callable
        Reads the hold lists, anew when they have changed.
    default_instance : str
        Which emulator, where it does not say; empty for a real account.
    """

    def __init__(
        self, ledger: Ledger, load_holds: Callable[[], HoldLists], default_instance: str = ""
    ) -> None:
        self._ledger = ledger
        self._load_holds = load_holds
        self._default_instance = default_instance
        self._holds = load_holds()
        self._looked_at = time.monotonic()
        self._about_to_send: set[tuple[str, str]] = set()

    def look_at_holds(self) -> None:
        """Read the hold lists again where one has changed; looks every two seconds at most.

        Raises
        ------
        TokenVaultError
            A list has changed and cannot be read, or one that has to be in force is missing.
        """
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_AT_HOLDS_SECONDS:
            if self._holds.changed():
                self._holds = self._load_holds()
            self._looked_at = now

    def is_held(self, customer_id: str, instrument_id: str) -> bool:
        """Whether a card is on a hold list, as `look_at_holds` has found them."""
        return self._holds.covers(customer_id, instrument_id)

    def seconds_until_room(self, plan: Plan, card: PlannedCard, instance: str | None) -> float:
        """Return how long to wait until the account's daily caps allow one more delete."""
        return self._ledger.seconds_until_room(
            card.customer_id,
            card.instrument_id,
            self._instance(instance),
            plan.limits,
            plan.vault_cards,
            also=self._about_to_send,
        )

    def reserve(self, plan: Plan, card: PlannedCard, instance: str | None) -> bool:
        """Take a part of the daily caps for a delete about to be written down; False without."""
        if self.seconds_until_room(plan, card, instance):
            return False
        self._about_to_send.add((card.customer_id, card.instrument_id))
        return True

    def release(self, card: PlannedCard) -> None:
        """Let go of what was reserved: by now the ledger counts it, or it will not be sent."""
        self._about_to_send.discard((card.customer_id, card.instrument_id))

    def attempted_by(
        self, customer_id: str, instrument_id: str, instance: str | None
    ) -> str | None:
        """Return the campaign that attempted a card last, None where none is remembered."""
        found = self._ledger.attempt_on(customer_id, instrument_id, self._instance(instance))
        return None if found is None else found.campaign

    def was_attempted_lately(
        self, customer_id: str, instrument_id: str, instance: str | None
    ) -> bool:
        """Whether any campaign sent a delete of a card so lately that lists may still show it."""
        found = self._ledger.attempt_on(
            customer_id, instrument_id, self._instance(instance), within_seconds=_LATELY_SECONDS
        )
        return found is not None

    def remember(
        self, plan: Plan, records: Sequence[Record], mark: Mark, instance: str | None
    ) -> None:
        """Write into the ledger what a transaction of the journal says of sends.

        Raises
        ------
        CampaignPaused
            The disk did not take it; none of these may be sent.
        """
        where = self._instance(instance)
        intents = [
            (card.customer_id, card.instrument_id, record.detail["attempt"])
            for record in records
            if record.kind == "intended"
            for card in (plan.cards[record.number or 0],)
        ]
        unsent = [record.detail["attempt"] for record in records if _was_never_sent(record)]
        if intents:
            self._ledger.intents(plan.id, where, intents, mark)
        if unsent:
            self._ledger.withdrawn(plan.id, where, unsent, mark)

    def close(self, plan: Plan, mark: Mark) -> None:
        """Remember how far the journal is, now that nobody works on it any more.

        Raises
        ------
        CampaignPaused
            The disk did not take it.
        """
        self._ledger.closed(plan.id, mark)

    def _instance(self, said: str | None) -> str:
        return self._default_instance if said is None else said


def _was_never_sent(record: Record) -> bool:
    if record.kind == "withdrawn":
        return True
    detail = record.detail
    return (
        record.kind == "outcome"
        and detail["outcome"] == _NEVER_ON_THE_WIRE
        and detail["status"] is None
    )
