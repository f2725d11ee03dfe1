"""One step of one item: ask, decide, write down, send. What to do when is `engine`'s.

The order of things is the promise: what the customer's list showed and the intent are in the
journal, then in the account's ledger, before the delete leaves; and what became of it is on the
disk before anything else is done with the item. The slots of the question and of the delete are
booked together, so that the answer does not grow old in a line.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

import orjson

from tokenvault_data.cleanup.engine import decisions
from tokenvault_data.cleanup.engine.batching import Batcher
from tokenvault_data.cleanup.engine.decisions import (
    CardProgress,
    Decision,
    Intent,
    ListObservation,
    NextAction,
    Observation,
)
from tokenvault_data.cleanup.engine.freshness import Evidence
from tokenvault_data.cleanup.engine.list_answer import ListAnswer, ReadList, read_lists, row_of
from tokenvault_data.cleanup.engine.sender import DriftBreaker, SendCancelled, StopReason
from tokenvault_data.cleanup.journal.records import Record
from tokenvault_data.cleanup.selection.drift import drift, keeper_drift, usable
from tokenvault_data.client.calls import delete_call, fetch_call
from tokenvault_data.dataset.flattening.canonical import INDIA
from tokenvault_data.errors import TokenVaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from tokenvault_data.cleanup.clock import Clock
    from tokenvault_data.cleanup.engine.control_reads import Controls, Sign
    from tokenvault_data.cleanup.engine.freshness import Heartbeat
    from tokenvault_data.cleanup.engine.list_answer import Row
    from tokenvault_data.cleanup.engine.memory import Memory
    from tokenvault_data.cleanup.engine.responses import ClassifiedResponse
    from tokenvault_data.cleanup.engine.sender import Sender
    from tokenvault_data.cleanup.journal.journal import Journal
    from tokenvault_data.cleanup.plan.plan import Plan
    from tokenvault_data.cleanup.selection.cards import ControlCard, PlannedCard
    from tokenvault_data.client.pacing.pacer import Reservation


class FetchedCard(NamedTuple):
    """One card as the vault answered it.

    Attributes
    ----------
    customer_id : str
        As asked for.
    card : dict
        As the vault wrote it, decoded.
    fetched_at_us : int
        Microseconds since 1970 UTC.
    api_version : str
        ``x-api-version`` of the request.
    """

    customer_id: str
    card: Mapping[str, Any]
    fetched_at_us: int
    api_version: str

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.fetched_at_us}>"


def as_rows(fetched: Sequence[FetchedCard]) -> list[dict[str, object] | None]:
    """Turn fetched cards into rows of the pinned schema ``INSTRUMENTS``.

    Returns
    -------
    list of (dict or None)
        One for each, in order; None for a card that cannot be read.
    """
    from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten

    bodies = [
        ReceivedBody(one.customer_id, orjson.dumps(one.card), one.fetched_at_us, one.api_version)
        for one in fetched
    ]
    flat = flatten(bodies)
    if flat.table.num_rows == len(bodies) and not flat.unreadable:
        return list(flat.table.to_pylist())
    if len(bodies) == 1:
        return [None]
    return [row for one in fetched for row in as_rows([one])]  # one of them spoils its neighbours


Checkpoint = Literal[
    "before_check",
    "after_check",
    "before_intent_commit",
    "after_intent_commit",
    "after_ledger",
    "after_send",
    "before_outcome_commit",
    "after_outcome_commit",
    "before_verify",
    "before_final_commit",
    "after_final_commit",
    "in_recovery",
]
"""Moments at which a campaign may be killed, for those who try whether it bears it."""

_STOPPED: Final = NextAction("nothing")
_REFUSED: Final = "the vault refuses access to this card or its customer (403)"


class CardWorker:
    """Takes items of one campaign a step further.

    Parameters
    ----------
    plan : Plan
    journal : Journal
    sender : Sender
    controls : Controls
    memory : Memory
        What the account's ledger remembers, and which cards are on hold.
    heartbeat : Heartbeat
    clock : Clock
    api_version : str
        Version of the vault's answers.
    new_id : callable
        Gives a fresh UUID as text, for attempts and idempotency keys.
    checkpoint : callable
        Called at each `Checkpoint`.

    Attributes
    ----------
    wrong_account : str
        What the control cards have shown, where none of them is as it should be.
    """

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        sender: Sender,
        controls: Controls,
        *,
        memory: Memory,
        heartbeat: Heartbeat,
        clock: Clock,
        api_version: str,
        new_id: Callable[[], str],
        checkpoint: Callable[[Checkpoint], None],
    ) -> None:
        self._plan = plan
        self._limits = plan.limits
        self._standing = journal.standing
        self._sender = sender
        self._controls = controls
        self._memory = memory
        self._heartbeat = heartbeat
        self._clock = clock
        self._new_id = new_id
        self._checkpoint = checkpoint
        self._comparison = CardComparison(plan, api_version, clock)
        self._drift_breaker = DriftBreaker(plan.limits)
        self._canary = frozenset(plan.canary)
        self._attempted = journal.standing.attempted
        self._forbidden_in_row = {"list": 0, "delete": 0}
        self._one_reads_controls = asyncio.Lock()
        self.wrong_account = ""
        self._journal = journal
        self._together: Batcher[Sequence[Record], None] = Batcher(self._commit_all, lingers=True)
        self._planned_of: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for card in plan.cards:
            self._planned_of[card.customer_id][card.instrument_id] = card.number

    def _commit_all(self, groups: Sequence[Sequence[Record]]) -> list[None]:
        records = [record for group in groups for record in group]
        self._journal.commit(records)
        is_about_to_send = any(record.kind == "intended" for record in records)
        if is_about_to_send:
            self._checkpoint("after_intent_commit")
        self._memory.remember(self._plan, records, self._journal.mark, self._sender.instance)
        if is_about_to_send:
            self._checkpoint("after_ledger")
        return [None] * len(groups)

    async def commit(self, records: Sequence[Record]) -> None:
        """Write records onto the disk, with those that other items write in the same moment."""
        if records:
            await self._together.ask(records)

    async def write(self, step: Decision) -> Decision:
        """Commit what a step has to write."""
        ends = any(record.detail.get("final") for record in step.records)
        if ends:
            self._checkpoint("before_final_commit")
        await self.commit(step.records)
        if ends:
            self._checkpoint("after_final_commit")
        return step

    async def attempt(self, number: int, progress: CardProgress) -> Decision:
        """Read the customer's list, and if the card is as planned and can go, delete it once."""
        card, item = self._plan.cards[number], self._standing.items[number]
        if not self._knows_holds():
            return Decision((), _STOPPED, progress)
        forbidden = self._forbidden(number)
        if forbidden is not None:
            return await self.write(decisions.not_to_be_attempted(number, item, forbidden))
        wait = self._memory.seconds_until_room(self._plan, card, self._sender.instance)
        if wait:
            return Decision((), NextAction("check", wait), progress)
        self._checkpoint("before_check")
        reservation = await self._sender.reserve(progress.pages + 1)
        if reservation is None:
            return Decision((), _STOPPED, progress)
        try:
            return await self._attempt(number, self._now(progress), reservation)
        finally:
            reservation.give_back()

    async def _attempt(
        self, number: int, progress: CardProgress, reservation: Reservation
    ) -> Decision:
        card, item = self._plan.cards[number], self._standing.items[number]
        evidence = Evidence.about_to_ask(
            self._heartbeat, self._limits.evidence_seconds + reservation.spacing_seconds
        )
        asked_at = self._clock.now()
        answer = await self._sender.read_list(card.customer_id, reservation)
        if answer is None:
            return Decision((), NextAction("check"), progress)
        check = await self._comparison.check(
            card,
            answer,
            asked_at,
            was_attempted=item.doubtful > 0,
            counts_as_gone=partial(self._counts_as_gone, card.customer_id),
        )
        if answer.is_forbidden:
            reservation.give_back()
            if await self._stands_alone(answer.problem):
                check = check._replace(verdict="forbidden", reason=_REFUSED)
                self._count_forbidden("list")
        elif answer.status == HTTPStatus.OK:
            self._forbidden_in_row["list"] = 0
        self._checkpoint("after_check")
        progress = replace(progress, pages=answer.pages)
        deadline = asked_at + timedelta(seconds=evidence.bound_seconds)
        intent = Intent(
            self._new_id(),
            self._new_id(),
            deadline.isoformat(timespec="microseconds"),
            round(evidence.age_seconds(), 3),
            round(evidence.bound_seconds, 3),
        )
        step = decisions.after_check(
            number, item, check, progress, intent, attempts=self._limits.attempts
        )
        self._count_drift(number, check)
        if step.next.do != "delete":
            return await self.write(step)
        problem = evidence.problem()
        if problem is not None:
            return await self.write(decisions.too_late(number, item, problem, progress))
        knows_holds = self._knows_holds()
        forbidden = self._forbidden(number)  # others got there while this one was checked
        if forbidden is not None:
            return await self.write(decisions.not_to_be_attempted(number, item, forbidden))
        if not knows_holds or not self._memory.reserve(self._plan, card, self._sender.instance):
            return Decision((), NextAction("check"), progress)
        self._attempted += item.intents == 0
        try:
            self._checkpoint("before_intent_commit")
            await self.commit(step.records)
        finally:
            self._memory.release(card)
        return await self._delete(number, intent, progress, evidence, reservation)

    def _knows_holds(self) -> bool:
        """Whether the hold lists are known as they are now; the campaign pauses where not."""
        try:
            self._memory.look_at_holds()
        except TokenVaultError as error:
            reason = str(error).partition("; nothing was")[0]
            self._sender.stop(StopReason("pause", f"{reason[:1].lower()}{reason[1:]}"))
            return False
        return True

    def _forbidden(self, number: int) -> str | None:
        """Say why an item may not be attempted, or not any more."""
        card, item = self._plan.cards[number], self._standing.items[number]
        if self._memory.is_held(card.customer_id, card.instrument_id):
            return "on hold"
        if item.intents == 0 and self._attempted >= self._limits.rows:
            return f"the cap of {self._limits.rows:,} cards was reached"
        return None

    def _counts_as_gone(self, customer_id: str, instrument_id: str) -> bool:
        """Whether a card of this customer was or is being deleted, by whichever campaign."""
        number = self._planned_of[customer_id].get(instrument_id)
        if number is not None:
            item = self._standing.items[number]
            if item.doubtful or item.attempt is not None or item.is_remembered:
                return True
        return self._memory.was_attempted_lately(customer_id, instrument_id, self._sender.instance)

    def _count_drift(self, number: int, check: ListObservation) -> None:
        if check.verdict in ("unclear", "forbidden"):
            return
        reason = self._drift_breaker.record(
            drifted=check.verdict == "drift", in_canary=number in self._canary
        )
        if reason is not None and not self._sender.is_heedless:
            self._sender.stop(StopReason("pause", reason))

    async def _delete(
        self,
        number: int,
        intent: Intent,
        progress: CardProgress,
        evidence: Evidence,
        reservation: Reservation,
    ) -> Decision:
        card, item = self._plan.cards[number], self._standing.items[number]
        call = delete_call(card.customer_id, card.instrument_id)
        try:
            reading, sent = await self._sender.delete(
                call, intent.idempotency_key, evidence, reservation
            )
        except SendCancelled as withheld:
            step = decisions.withdrawn(
                number, item, str(withheld), progress, counts=withheld.counts
            )
            return await self.write(step)
        self._checkpoint("after_send")
        now = self._clock.monotonic()
        if reading.is_forbidden and await self._stands_alone(reading.message):
            row = replace(reading.row, delete="rejected")
            reading = replace(reading, row=row, message=_REFUSED)
            self._count_forbidden("delete")
        elif reading.row.delete == "accepted":
            self._forbidden_in_row["delete"] = 0
        step = decisions.after_outcome(number, item, reading, progress, sent, now)
        self._checkpoint("before_outcome_commit")
        await self.commit(step.records)
        self._checkpoint("after_outcome_commit")
        return step

    async def _stands_alone(self, message: str | None) -> bool:
        """Whether a control card still answers after a 403, which then is about one card only.

        Where none does, the account is refused, and the campaign pauses.
        """
        if self._sender.is_heedless:
            return True
        found = await self.read_controls()
        if found == "wrong_account":
            self._sender.stop(StopReason("pause", message or "access was refused (403)"))
        return found == "proven"

    def _count_forbidden(self, operation: Literal["list", "delete"]) -> None:
        """Pause where one after the other is refused: that is about the credentials."""
        self._forbidden_in_row[operation] += 1
        count = self._forbidden_in_row[operation]
        if count >= max(1, self._limits.failures_in_row):
            self._forbidden_in_row[operation] = 0
            reason = f"as it seems, the credentials may fetch cards and not {operation} them"
            refused = f"{count} {operation}s in a row were refused (403), and control cards answer"
            self._sender.stop(StopReason("pause", f"{reason}: {refused}"))

    async def look(self, number: int, progress: CardProgress, *, may_attempt: bool) -> Decision:
        """Fetch a card after an attempt."""
        card, item = self._plan.cards[number], self._standing.items[number]
        self._checkpoint("before_verify")
        asked_at: list[float] = []
        reading = await self._sender.fetch(
            fetch_call(card.customer_id, card.instrument_id),
            on_send=lambda: asked_at.append(self._clock.monotonic()),
        )
        if reading is None:
            return Decision((), _STOPPED, progress)
        if reading.is_forbidden:
            await self._stands_alone(reading.message)
        shown = await self._comparison.look(card, reading)
        if progress.attempted_at is not None and asked_at:
            shown = shown._replace(after_seconds=asked_at[-1] - progress.attempted_at)
        step = decisions.after_look(
            number,
            item,
            shown,
            self._now(progress),
            attempts=self._limits.attempts,
            settle_seconds=self._limits.settle_seconds,
            may_attempt=may_attempt,
            remembered=self._remembered(number),
        )
        return await self.write(step)

    def _now(self, progress: CardProgress) -> CardProgress:
        """Forget what a wrong account has shown."""
        spell = self._controls.spell
        return progress if progress.spell == spell else replace(progress, absences=0, spell=spell)

    async def read_controls(self) -> Literal["proven", "wrong_account", "later", "stopped"]:
        """Read control cards until one is there, or none is; what waited for it is ended."""
        async with self._one_reads_controls:
            return await self._read_controls()

    async def _read_controls(self) -> Literal["proven", "wrong_account", "later", "stopped"]:
        waiting = self._controls.waiting
        while True:
            place = self._controls.index
            control = self._plan.controls[place]
            reading = await self._sender.fetch(
                fetch_call(control.customer_id, control.instrument_id)
            )
            if reading is None:
                return "stopped"
            sign = sign_of(control, reading)
            if reading.is_forbidden and self._sender.is_heedless:
                sign = "unclear"  # an ending campaign asks again before it gives up its proofs
            self.wrong_account = (
                f"no control card may be read any more: {reading.message}"
                if reading.is_forbidden
                else "the account looks wrong: no control card is there any more"
            )
            said = self._controls.record(sign)
            detail = {
                "status": reading.status,
                "ok": sign == "good",
                "control": place,
                "request_id": reading.request_id,
            }
            records = [Record("control", None, detail)]
            if said == "proven":
                records += [self._proven_gone(number) for number in waiting]
                self._controls.settle(waiting)
                await self.write(Decision(tuple(records), _STOPPED, CardProgress()))
                return said
            await self.commit(records)
            if said != "next":
                return said

    def _proven_gone(self, number: int) -> Record:
        item = self._standing.items[number]
        return decisions.proven_gone(number, item, "404", self._remembered(number))

    def _remembered(self, number: int) -> str | None:
        card = self._plan.cards[number]
        return self._memory.attempted_by(
            card.customer_id, card.instrument_id, self._sender.instance
        )

    async def give_up_proof(self, reason: str) -> None:
        """End what was seen gone without a control read that could prove it."""
        waiting = self._controls.waiting
        self._controls.settle(waiting)
        records = tuple(
            decisions.without_proof(number, self._standing.items[number], reason)
            for number in waiting
        )
        await self.write(Decision(records, _STOPPED, CardProgress()))


_UNREADABLE = "the card that came back cannot be read"
_LAST_USABLE = "spared: it is the last card that its customer can pay with"


class CardComparison:
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
        self._rows = Batcher(as_rows)
        self._lists: Batcher[tuple[ListAnswer, int, str], ReadList] = Batcher(read_lists)

    async def check(  # noqa: PLR0911  one return a verdict
        self,
        card: PlannedCard,
        answer: ListAnswer,
        asked_at: datetime,
        *,
        was_attempted: bool,
        counts_as_gone: Callable[[str], bool],
    ) -> ListObservation:
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
        check = ListObservation(
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

    async def look(self, card: PlannedCard, reading: ClassifiedResponse) -> Observation:
        """Say what a fetch after an attempt showed."""
        counts = reading.row.fetch_effect != "wait"
        if reading.row.fetch == "absent":
            return Observation("absent", None, reading.status, reading.request_id)
        row = await self._row(card.customer_id, reading)
        if row is None:
            why = reading.message if reading.card is None else _UNREADABLE
            return Observation("unclear", why, reading.status, reading.request_id, counts)
        if self._is_only_inactive(card, row):
            return Observation("inactive", None, reading.status, reading.request_id)
        reason = self._drift(card, row)
        verdict = "present" if reason is None else "drift"
        return Observation(verdict, reason, reading.status, reading.request_id)  # type: ignore[arg-type]  # Literal

    async def _row(
        self, customer_id: str, reading: ClassifiedResponse
    ) -> Mapping[str, object] | None:
        if reading.card is None:
            return None
        at_us = int(self._clock.now().timestamp() * 1e6)
        fetched = FetchedCard(customer_id, reading.card, at_us, self._api_version)
        return cast("Mapping[str, object] | None", await self._rows.ask(fetched))

    def _drift(self, card: PlannedCard, row: Mapping[str, object]) -> str | None:
        return drift(self._plan.rule.condition, card, row, self._plan.as_of)

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


def sign_of(control: ControlCard, reading: ClassifiedResponse) -> Sign:
    """Say what a control card showed."""
    if reading.row.fetch == "absent" or reading.is_forbidden:
        return "bad"
    if reading.card is None:
        return "unclear"
    is_same = reading.card.get("customer_id") in (None, control.customer_id)
    return "good" if is_same and reading.instrument_status == "ACTIVE" else "bad"
