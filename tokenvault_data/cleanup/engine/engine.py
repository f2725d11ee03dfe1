"""Drives a campaign: which item is taken a step further when, and when all of them stop.

Everything it knows of the items it has from the journal, so it can be killed at any moment and
started again. One event loop does it all; up to `CONCURRENCY` items are in flight, and items that
wait (for a card to settle, for a control read) hold up none of the others. The cards of one
customer are attempted one after another, since each is decided on what the customer keeps.
"""

from __future__ import annotations

import asyncio
import heapq
import uuid
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from anyio import CancelScope

from tokenvault_data.cleanup.clock import Clock
from tokenvault_data.cleanup.engine.card_worker import CardWorker
from tokenvault_data.cleanup.engine.control_reads import Controls
from tokenvault_data.cleanup.engine.decisions import CardProgress, recovered
from tokenvault_data.cleanup.engine.freshness import Heartbeat
from tokenvault_data.cleanup.engine.sender import PROBE_SECONDS, SLICE_SECONDS, Sender, StopReason
from tokenvault_data.cleanup.journal.records import Record, state
from tokenvault_data.cleanup.journal.states import EXCEPTIONS
from tokenvault_data.errors import TokenVaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any, Literal

    from tokenvault_data.cleanup.engine.card_worker import Checkpoint
    from tokenvault_data.cleanup.engine.decisions import Decision
    from tokenvault_data.cleanup.engine.memory import Memory
    from tokenvault_data.cleanup.engine.sender import VaultPort
    from tokenvault_data.cleanup.journal.journal import Journal
    from tokenvault_data.cleanup.plan.plan import Plan

CONCURRENCY: Final = 16
"""Items in flight at the same time: enough for 6,000 requests a minute at 80 ms each."""

_CHECK_PLAN_EVERY_ITEMS: Final = 100
_RECORDS_A_COMMIT: Final = 10_000
_CONTROL_AGAIN_SECONDS: Final = 2.0
_CONTROLS_WHEN_ENDING: Final = 4
_SHORTEST_SECONDS: Final = 0.01
_LONG_WAIT_SECONDS: Final = 61.0
"""Longer than any wait between two questions about a card: the account's daily caps are reached."""


class EngineMonitor(Protocol):
    """What the engine asks, and tells, the world around it; `CampaignRun` is one."""

    def asked_for(self) -> Literal["pause", "abort"] | None:
        """Say what somebody wants the campaign to do; called twice a second at least."""
        ...

    def check_plan(self) -> None:
        """Raise a `TokenVaultError` unless the plan on the disk is still the sealed one."""
        ...

    def may_go_on(self) -> str | None:
        """Say why nothing more may be deleted now, None where it may; called often."""
        ...

    def waits_for_caps(self, seconds: float) -> None:
        """Take note that a card waits until the account's daily caps leave room for it."""
        ...

    def changed(self) -> None:
        """Take note that something has, perhaps; called often."""
        ...


def _new_id() -> str:
    return str(uuid.uuid4())


def _nowhere(_name: Checkpoint) -> None:
    """Let nothing happen at a checkpoint."""


class Engine:
    """One process's work on a campaign.

    Parameters
    ----------
    plan : Plan
    journal : Journal
        Open; the campaign in state ``canary``, ``running``, ``verifying`` or ``aborted``.
    vault : VaultPort
    monitor : EngineMonitor
    memory : Memory
        The account's ledger and the hold lists.
    api_version : str
        Version of the vault's answers.
    clock : Clock, optional
    new_id : callable, optional
        Gives a fresh UUID as text.
    checkpoint : callable, optional
        Called with the name of each `Checkpoint` as it is passed.
    """

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        vault: VaultPort,
        monitor: EngineMonitor,
        *,
        memory: Memory,
        api_version: str,
        clock: Clock | None = None,
        new_id: Callable[[], str] = _new_id,
        checkpoint: Callable[[Checkpoint], None] = _nowhere,
    ) -> None:
        self._plan = plan
        self._standing = journal.standing
        self._monitor = monitor
        self._clock = clock or Clock()
        self._checkpoint = checkpoint
        self._sender = Sender(vault, plan.limits, self._clock)
        self._controls = Controls(max(1, len(plan.controls)))
        self._heartbeat = Heartbeat(self._clock)
        self._worker = CardWorker(
            plan,
            journal,
            self._sender,
            self._controls,
            memory=memory,
            heartbeat=self._heartbeat,
            clock=self._clock,
            api_version=api_version,
            new_id=new_id,
            checkpoint=checkpoint,
        )
        self._progress: dict[int, CardProgress] = {}
        self._timed: list[tuple[float, int, str]] = []
        self._later: list[tuple[int, str]] = []
        self._flying: dict[asyncio.Task[Any], int | None] = {}
        self._behind: dict[str, list[int]] = {}
        self._attempting: set[int] = set()
        self._control_after = float("-inf")
        self._controls_tried = 0
        self._until_plan_check = _CHECK_PLAN_EVERY_ITEMS

    def pause(self, reason: str) -> None:
        """Stop as soon as the calls in flight are written down; called on the event loop."""
        self._sender.stop(StopReason("pause", reason))

    async def run(self) -> None:
        """Work until the campaign is held, paused, halted or over; the journal says which.

        Cancelling it pauses: what is in flight is still answered and written down.

        Raises
        ------
        CampaignPaused, CampaignHalted
            The journal cannot be written, or does not add up.
        """
        work = asyncio.create_task(self._run_in_order())
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self.pause("interrupted")
            with CancelScope(shield=True):
                await asyncio.wait((work,))
            if not work.cancelled() and work.exception() is not None:
                work.result()
            raise

    async def _run_in_order(self) -> None:
        """Work; when that fails, still let what is in flight be answered and written down."""
        heart = asyncio.create_task(self._heartbeat.run())
        try:
            await self._run()
        except BaseException:
            self._sender.stop(StopReason("halt", "an error ended the process"))
            if self._flying:
                await asyncio.wait(self._flying)
            for task in self._flying:
                task.cancelled() or task.exception()  # the first failure is the one that is told
            raise
        finally:
            heart.cancel()
            self._sender.go_on()

    async def _run(self) -> None:
        while True:
            match self._standing.state:
                case "canary":
                    await self._session(sorted(self._plan.canary), may_attempt=True, ends=True)
                case "running":
                    everything = range(len(self._standing.items))
                    await self._session(everything, may_attempt=True, ends=False)
                case "verifying" | "aborted":
                    await self._session((), may_attempt=False, ends=True)
                case _:
                    return
            ending = self._sender.ending
            self._sender.go_on()
            goes_on = await (self._phase_done() if ending is None else self._follow(ending))
            self._monitor.changed()
            if not goes_on:
                return

    # From phase to phase

    async def _phase_done(self) -> bool:
        standing = self._standing
        match standing.state:
            case "canary" if not standing.is_all_final:
                await self._move("held", "the canary is done; look at it, then apply again")
                return False
            case "canary" | "running":
                await self._move("verifying", None)
                return True
            case "verifying":
                exceptions = sum(standing.finals[final] for final in EXCEPTIONS)
                after = "completed_with_exceptions" if exceptions else "completed"
                move = state(standing.state, after, None)
                await self._worker.commit((move, self._sealed()))
            case _:
                await self._worker.commit((self._sealed(),))
        return False

    async def _follow(self, ending: StopReason) -> bool:
        before = self._standing.state
        if before == "aborted":
            return False  # whoever stopped it now may apply again: the rest is only looking
        if ending.kind in ("pause", "halt"):
            await self._move("paused" if ending.kind == "pause" else "halted", ending.reason)
            return False
        if ending.kind == "abort":
            await self._move("aborted", ending.reason)
            return True
        waits = ", ".join(f"{wait:g}" for wait in PROBE_SECONDS)
        asked = f"the vault is asked again after {waits} seconds, and then the campaign ends"
        await self._move("paused", f"{ending.reason}; {asked}")
        return await self._probe(before, ending.reason)

    async def _probe(self, before: str, reason: str) -> bool:
        """Try whether the vault answers again, three times; go on, or abort."""
        # What was seen gone is fetched again by the session to come: a probe that finds the account
        # wrong, and then right, proves nothing of what was seen before.
        self._controls.settle(self._controls.waiting)
        for wait in PROBE_SECONDS:
            until = self._clock.monotonic() + wait
            while (left := until - self._clock.monotonic()) > 0 and self._sender.ending is None:
                await self._tick(max(left, _SHORTEST_SECONDS))
            if self._sender.ending is None:
                self._sender.is_heedless = True
                found = await self._worker.read_controls()
                self._sender.is_heedless = False
                if found == "proven":
                    await self._move(before, "a probe found the vault answering again")
                    return True
            ending = self._sender.ending
            if ending is not None:
                self._sender.go_on()
                if ending.kind == "abort":
                    await self._move("aborted", ending.reason)
                return ending.kind == "abort"
        await self._move("aborted", f"{reason}; three probes failed")
        return True

    async def _move(self, after: str, reason: str | None) -> None:
        await self._worker.commit((state(self._standing.state, after, reason),))

    def _sealed(self) -> Record:
        return Record("sealed", None, {"counts": dict(self._standing.finals)})

    # Within a phase

    async def _session(self, numbers: Iterable[int], *, may_attempt: bool, ends: bool) -> None:
        """Work until nothing is left to do in this phase, or the campaign is to stop.

        Parameters
        ----------
        numbers : iterable of int
            Rows of which those still planned are to be attempted, in this order.
        may_attempt : bool
            Whether any may be.
        ends : bool
            Whether items put off to the end get their last look.
        """
        self._sender.is_heedless = self._standing.state == "aborted"
        self._controls.settle(self._controls.waiting)
        self._progress.clear()
        self._timed.clear()
        self._later.clear()
        self._behind.clear()
        # Whole and before anything moves: an item that is taken up, and planned again later, must
        # not be met here a second time.
        items = self._standing.items
        queued = deque(number for number in numbers if items[number].state == "planned")
        await self._take_up(may_attempt=may_attempt)
        if not may_attempt:
            queued.clear()
        while self._sender.ending is None:
            self._start(queued, may_attempt=may_attempt)
            if self._flying or self._timed or queued or self._controls.waiting:
                await self._tick(SLICE_SECONDS)
            elif not self._release_late(ends=ends):
                break
        while self._flying:
            await self._tick(SLICE_SECONDS)

    async def _take_up(self, *, may_attempt: bool) -> None:
        records: list[Record] = []
        for number, item in enumerate(self._standing.items):
            if not item.is_open or (item.state == "planned" and may_attempt):
                continue
            step = recovered(number, item, self._clock.monotonic(), may_attempt=may_attempt)
            records += step.records
            self._schedule(number, step)
            if len(records) >= _RECORDS_A_COMMIT:
                await self._worker.commit(records)
                records = []
        self._checkpoint("in_recovery")
        await self._worker.commit(records)
        self._checkpoint("in_recovery")

    def _start(self, queued: deque[int], *, may_attempt: bool) -> None:
        now = self._clock.monotonic()
        if self._sender.gate.closed_for(now):
            return
        is_reading_controls = None in self._flying.values()
        needs_control = self._needs_control(now, is_idle=not (self._timed or queued))
        if needs_control and not is_reading_controls:
            self._fly(None, self._control_round())
        if not self._controls.is_good and not self._sender.is_heedless:
            return  # nothing else leaves before the account is known to be right
        while len(self._flying) < CONCURRENCY and self._sender.ending is None:
            if self._timed and self._timed[0][0] <= now:
                _, number, do = heapq.heappop(self._timed)
            elif queued:
                number, do = queued.popleft(), "check"
            else:
                return
            if do == "check" and not self._is_its_turn(number):
                continue
            self._count_towards_plan_check()
            progress = self._progress.pop(number, None) or self._new_progress(number, now)
            visit = (
                self._worker.attempt(number, progress)
                if do == "check"
                else self._worker.look(number, progress, may_attempt=may_attempt)
            )
            self._fly(number, visit)

    def _new_progress(self, number: int, now: float) -> CardProgress:
        """Return what is remembered of an item that is met first; an older delete counts as new."""
        return CardProgress(attempted_at=now if self._standing.items[number].doubtful else None)

    def _is_its_turn(self, number: int) -> bool:
        """Whether no other card of its customer is being attempted; it stands in line else."""
        reason = self._monitor.may_go_on()
        if reason is not None:
            self._sender.stop(StopReason("pause", reason))
            return False
        customer = self._plan.cards[number].customer_id
        if customer in self._behind:
            self._behind[customer].append(number)
            return False
        self._behind[customer] = []
        self._attempting.add(number)
        return True

    def _let_next(self, number: int) -> None:
        """Let the cards that stood behind one that was attempted have their turn."""
        if number not in self._attempting:
            return
        self._attempting.discard(number)
        now = self._clock.monotonic()
        for behind in self._behind.pop(self._plan.cards[number].customer_id, ()):
            heapq.heappush(self._timed, (now, behind, "check"))

    def _needs_control(self, now: float, *, is_idle: bool) -> bool:
        if now < self._control_after:
            return False
        if not self._controls.is_good and not self._sender.is_heedless:
            return True
        due_in = self._controls.due_in(now)
        is_last = is_idle and not self._flying
        return due_in is not None and (is_last or due_in <= 0)

    async def _control_round(self) -> None:
        found = await self._worker.read_controls()
        if found in ("proven", "stopped"):
            self._controls_tried = 0
            return
        self._control_after = self._clock.monotonic() + _CONTROL_AGAIN_SECONDS
        wrong = self._worker.wrong_account
        if self._sender.is_heedless:
            self._controls_tried += 1
            if found == "wrong_account" or self._controls_tried >= _CONTROLS_WHEN_ENDING:
                reason = wrong if found == "wrong_account" else "no control card could be read"
                await self._worker.give_up_proof(reason)
        elif found == "wrong_account":
            self._sender.stop(StopReason("pause", wrong))

    def _fly(self, number: int | None, work: Coroutine[Any, Any, Decision | None]) -> None:
        self._flying[asyncio.create_task(work)] = number

    async def _tick(self, seconds: float) -> None:
        """Wait until something lands, is due, or so many seconds have passed."""
        now = self._clock.monotonic()
        if self._timed and not self._flying:
            gate = self._sender.gate.closed_for(now)
            seconds = min(seconds, max(_SHORTEST_SECONDS, gate, self._timed[0][0] - now))
        sleep = asyncio.ensure_future(self._clock.sleep(min(seconds, SLICE_SECONDS)))
        landed, _ = await asyncio.wait((*self._flying, sleep), return_when=asyncio.FIRST_COMPLETED)
        sleep.cancel()
        for task in landed - {sleep}:
            number = self._flying.pop(task)
            if number is not None:
                self._let_next(number)
            step: Decision | None = task.result()
            if number is not None and step is not None:
                self._schedule(number, step)
        match self._monitor.asked_for():
            case "pause":
                self._sender.stop(StopReason("pause", "somebody asked for it"))
            case "abort" if self._standing.state != "aborted":
                self._sender.stop(StopReason("abort", "somebody asked for it"))
        # Asked of those under way as well: they may have waited for their slots for a while.
        reason = self._monitor.may_go_on() if self._attempting else None
        if reason is not None:
            self._sender.stop(StopReason("pause", reason))
        self._monitor.changed()

    def _schedule(self, number: int, step: Decision) -> None:
        do, wait_seconds = step.next
        now = self._clock.monotonic()
        if do == "check" and wait_seconds > _LONG_WAIT_SECONDS:
            self._monitor.waits_for_caps(wait_seconds)
        if do == "nothing":
            return
        self._progress[number] = step.progress
        if do == "await_control" and step.progress.spell != self._controls.spell:
            do = "look"  # the account was found to be wrong while this was written down
        if do == "await_control":
            self._controls.wait_for(number, now)
        elif do in ("check_at_end", "look_at_end"):
            self._later.append((number, do))
        else:
            heapq.heappush(self._timed, (now + wait_seconds, number, do))

    def _release_late(self, *, ends: bool) -> bool:
        """Let items that were put off have their turn; False when there are none."""
        now = self._clock.monotonic()
        kept: list[tuple[int, str]] = []
        for number, do in self._later:
            if do == "look_at_end" and not ends:
                kept.append((number, do))
                continue
            progress = self._progress.get(number, CardProgress())
            self._progress[number] = progress.afresh(is_last=True)
            heapq.heappush(self._timed, (now, number, do.removesuffix("_at_end")))
        self._later = kept
        return bool(self._timed)

    def _count_towards_plan_check(self) -> None:
        self._until_plan_check -= 1
        if self._until_plan_check:
            return
        self._until_plan_check = _CHECK_PLAN_EVERY_ITEMS
        try:
            self._monitor.check_plan()
        except TokenVaultError as error:
            self._sender.stop(StopReason("halt", str(error)))
