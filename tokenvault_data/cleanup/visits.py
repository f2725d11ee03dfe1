"""One step of one item: fetch, decide, write down, send. What to do when is `engine`'s.

The order of things is the promise: what the fetch showed and the intent are on the disk before the
delete leaves, and what became of it is on the disk before anything else is done with the item.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from tokenvault_data.cleanup import item_steps
from tokenvault_data.cleanup.breaker import DriftStop
from tokenvault_data.cleanup.item_steps import CHECK_HOLDS_SECONDS, Course, Intent, Next, Step
from tokenvault_data.cleanup.judging import Judge, sign_of
from tokenvault_data.cleanup.records import Record
from tokenvault_data.cleanup.sending import Ending, Withheld
from tokenvault_data.cleanup.together import Together
from tokenvault_data.vault_api.operations import delete_call, fetch_call

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tokenvault_data.cleanup.clock import Clock
    from tokenvault_data.cleanup.controls import Controls
    from tokenvault_data.cleanup.item_steps import Check
    from tokenvault_data.cleanup.journal import Journal
    from tokenvault_data.cleanup.plan import Plan, PlannedCard
    from tokenvault_data.cleanup.sending import Sender

Checkpoint = Literal[
    "before_check",
    "after_check",
    "before_intent_commit",
    "after_intent_commit",
    "after_send",
    "before_outcome_commit",
    "after_outcome_commit",
    "before_verify",
    "before_final_commit",
    "after_final_commit",
    "in_recovery",
]
"""Moments at which a campaign may be killed, for those who try whether it bears it."""

_STOPPED: Final = Next("nothing")


class Visits:
    """Takes items of one campaign a step further.

    Parameters
    ----------
    plan : Plan
    journal : Journal
    sender : Sender
    controls : Controls
    clock : Clock
    api_version : str
        Version of the vault's answers.
    new_id : callable
        Gives a fresh UUID as text, for attempts and idempotency keys.
    checkpoint : callable
        Called at each `Checkpoint`.
    """

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        sender: Sender,
        controls: Controls,
        *,
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
        self._clock = clock
        self._new_id = new_id
        self._checkpoint = checkpoint
        self._judge = Judge(plan, api_version, clock)
        self._drift_stop = DriftStop(plan.limits)
        self._canary = frozenset(plan.canary)
        self._attempted = journal.standing.attempted
        self._journal = journal
        self._together: Together[Sequence[Record], None] = Together(self._commit_all, lingers=True)

    def _commit_all(self, groups: Sequence[Sequence[Record]]) -> list[None]:
        self._journal.commit([record for group in groups for record in group])
        return [None] * len(groups)

    async def commit(self, records: Sequence[Record]) -> None:
        """Write records onto the disk, with those that other items write in the same moment."""
        if records:
            await self._together.ask(records)

    async def write(self, step: Step) -> Step:
        """Commit what a step has to write."""
        ends = any(record.detail.get("final") for record in step.records)
        if ends:
            self._checkpoint("before_final_commit")
        await self.commit(step.records)
        if ends:
            self._checkpoint("after_final_commit")
        return step

    async def attempt(  # noqa: PLR0911  each return is a reason not to send
        self, number: int, course: Course
    ) -> Step:
        """Fetch a card, and if it is as it was planned, send one delete for it."""
        card, item = self._plan.cards[number], self._standing.items[number]
        if item.intents == 0 and self._attempted >= self._limits.rows:
            return await self.write(item_steps.over_the_cap(number, item, self._limits.rows))
        self._checkpoint("before_check")
        check = await self._check(card, was_attempted=item.doubtful > 0)
        if check is None:
            return Step((), _STOPPED, course)
        checked_at, checked_on = self._clock.monotonic(), self._clock.now()
        self._checkpoint("after_check")
        deadline = checked_on + timedelta(seconds=CHECK_HOLDS_SECONDS)
        intent = Intent(self._new_id(), self._new_id(), deadline.isoformat(timespec="microseconds"))
        step = item_steps.after_check(
            number, item, check, self._now(course), intent, attempts=self._limits.attempts
        )
        self._count_drift(number, check)
        if step.next.do != "delete":
            return await self.write(step)

        def is_fresh() -> bool:
            passed = self._clock.monotonic() - checked_at
            return passed < CHECK_HOLDS_SECONDS and self._clock.now() < deadline

        if not await self._sender.gate_opens():
            return Step((), _STOPPED, course)
        if not is_fresh():
            return Step((), Next("check"), course)
        if item.intents == 0:
            if self._attempted >= self._limits.rows:  # others got there while this one was checked
                return await self.write(item_steps.over_the_cap(number, item, self._limits.rows))
            self._attempted += 1
        self._checkpoint("before_intent_commit")
        await self.commit(step.records)
        self._checkpoint("after_intent_commit")
        return await self._delete(number, card, intent, is_fresh)

    async def _check(self, card: PlannedCard, *, was_attempted: bool) -> Check | None:
        reading = await self._sender.fetch(fetch_call(card.customer_id, card.instrument_id))
        if reading is None:
            return None
        check = await self._judge.check(card, reading, was_attempted=was_attempted)
        if check.verdict != "holds" or card.keeper is None:
            return check
        kept = await self._sender.fetch(fetch_call(card.customer_id, card.keeper))
        return None if kept is None else await self._judge.keeper(card, check, kept)

    def _count_drift(self, number: int, check: Check) -> None:
        if check.verdict == "unclear":
            return
        reason = self._drift_stop.note(
            drifted=check.verdict == "drift", in_canary=number in self._canary
        )
        if reason is not None and not self._sender.is_heedless:
            self._sender.stop(Ending("pause", reason))

    async def _delete(
        self, number: int, card: PlannedCard, intent: Intent, is_fresh: Callable[[], bool]
    ) -> Step:
        item = self._standing.items[number]
        call = delete_call(card.customer_id, card.instrument_id)
        try:
            reading = await self._sender.delete(call, intent.idempotency_key, is_fresh)
        except Withheld as reason:
            step = item_steps.withdrawn(number, item, str(reason))
            await self.commit(step.records)
            return step
        self._checkpoint("after_send")
        step = item_steps.after_outcome(number, item, reading)
        self._checkpoint("before_outcome_commit")
        await self.commit(step.records)
        self._checkpoint("after_outcome_commit")
        return step

    async def look(self, number: int, course: Course, *, may_attempt: bool) -> Step:
        """Fetch a card after an attempt."""
        card, item = self._plan.cards[number], self._standing.items[number]
        self._checkpoint("before_verify")
        reading = await self._sender.fetch(fetch_call(card.customer_id, card.instrument_id))
        if reading is None:
            return Step((), _STOPPED, course)
        shown = await self._judge.look(card, reading)
        step = item_steps.after_look(
            number,
            item,
            shown,
            self._now(course),
            attempts=self._limits.attempts,
            may_attempt=may_attempt,
        )
        return await self.write(step)

    def _now(self, course: Course) -> Course:
        """Forget what a wrong account has shown."""
        spell = self._controls.spell
        return course if course.spell == spell else replace(course, absences=0, spell=spell)

    async def read_controls(self) -> Literal["proven", "wrong_account", "later", "stopped"]:
        """Read control cards until one is there, or none is; what waited for it is ended."""
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
            said = self._controls.note(sign)
            detail = {
                "status": reading.status,
                "ok": sign == "good",
                "control": place,
                "request_id": reading.request_id,
            }
            records = [Record("control", None, detail)]
            if said == "proven":
                records += [
                    item_steps.proven_gone(number, self._standing.items[number], "404")
                    for number in waiting
                ]
                self._controls.take(waiting)
                await self.write(Step(tuple(records), _STOPPED, Course()))
                return said
            await self.commit(records)
            if said != "next":
                return said

    async def give_up_proof(self, reason: str) -> None:
        """End what was seen gone without a control read that could prove it."""
        waiting = self._controls.waiting
        self._controls.take(waiting)
        records = tuple(
            item_steps.without_proof(number, self._standing.items[number], reason)
            for number in waiting
        )
        await self.write(Step(records, _STOPPED, Course()))
