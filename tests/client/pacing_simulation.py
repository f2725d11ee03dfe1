"""Hours of pacing in seconds: the real pacer and limiters on an event loop of virtual time.

The loop has no selector and no wall clock. When nothing is ready to run, its time jumps to the
next timer, late by a drawn event-loop lag. Client and server are on it together: a request
reaches the limiter half a round trip after it left, and its answer comes back half a round
trip later, both with jitter, so answers overtake each other.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import random
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from tokenvault_data.client.pacing.pacer import Pacer
from tokenvault_data.emulator.limiter import Limiter, Verdict, limit_headers, make_limiter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

ALL_DIALECTS = frozenset({"limit", "remaining", "retry", "type", "reset", "retry-after"})


class VirtualLoop(asyncio.AbstractEventLoop):
    """The part of an event loop that tasks, futures and sleeps need, in virtual time."""

    def __init__(self, lag: Callable[[], float] = lambda: 0.0) -> None:
        self.now = 1000.0
        self._lag = lag
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._order = count()
        self.errors: list[dict[str, Any]] = []

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], **kwargs: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, **kwargs)

    def call_soon(self, callback, *args, context=None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(self, when, callback, *args, context=None) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def call_later(self, delay, callback, *args, context=None) -> asyncio.TimerHandle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are skipped when their time comes."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def run(self, until: float | asyncio.Future[Any]) -> None:
        """Run to a point of virtual time, or until a future is done."""
        previous = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            end = until if isinstance(until, float) else float("inf")
            future = until if isinstance(until, asyncio.Future) else None
            ready, timers = self._ready, self._timers
            while future is None or not future.done():
                while ready:
                    handle = ready.popleft()
                    if not handle._cancelled:
                        handle._run()
                if future is not None and future.done():
                    break
                if not timers:
                    if future is None:
                        break
                    raise RuntimeError("nothing left that could ever happen")
                when = timers[0][0]
                if when > end:
                    self.now = end
                    break
                self.now = max(self.now, when + self._lag())
                while timers and timers[0][0] <= self.now:
                    handle = heapq.heappop(timers)[2]
                    if not handle._cancelled:
                        ready.append(handle)
        finally:
            asyncio._set_running_loop(previous)


def run_virtual(main: Callable[[VirtualLoop], Awaitable[Any]], **kwargs: Any) -> Any:
    """Run one coroutine function, given its loop, to its end in virtual time."""
    loop = VirtualLoop(**kwargs)
    task = loop.create_task(main(loop))
    loop.run(task)
    if loop.errors:
        raise AssertionError(loop.errors)
    return task.result()


@dataclass
class Tally:
    """What became of one client's requests."""

    allowed: int = 0
    refused: int = 0
    refused_at: list[float] = field(default_factory=list)
    allowed_at: list[float] = field(default_factory=list)

    @property
    def refused_percent(self) -> float:
        return 100.0 * self.refused / max(1, self.allowed + self.refused)


class StrictSpacing:
    """No request sooner after the last allowed one than the limit has them on average.

    As nginx's ``limit_req`` without ``burst``.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._last_at = float("-inf")

    def admit(self, now: float) -> Verdict:
        allowed = now - self._last_at >= 60.0 / self._per_minute
        self._last_at = now if allowed else self._last_at
        return Verdict(allowed, self._per_minute, 0, 60.0 / self._per_minute, 0.0)


DRAFTS = frozenset({"draft-6", "draft-7", "draft-8"})


def draft_headers(verdict: Verdict, draft: str) -> dict[str, str]:
    """What a gateway says in the ``RateLimit`` fields of an IETF draft."""
    limit, left = verdict.limit, verdict.remaining
    reset = math.ceil(verdict.reset_after_seconds)
    match draft:
        case "draft-6":
            return {
                "ratelimit-limit": f"{limit}",
                "ratelimit-policy": f"{limit};w=60",
                "ratelimit-remaining": f"{left}",
                "ratelimit-reset": f"{reset}",
            }
        case "draft-7":
            return {
                "ratelimit": f"limit={limit}, remaining={left}, reset={reset}",
                "ratelimit-policy": f"{limit};w=60",
            }
    return {
        "ratelimit": f'"default";r={left};t={reset}',
        "ratelimit-policy": f'"default";q={limit};w=60',
    }


class Account:
    """One budget at the service: judges arrivals and makes the headers of the answers."""

    def __init__(self, limiter: Limiter, dialects: frozenset[str]) -> None:
        self.limiter = limiter
        self.dialects = dialects

    def judge(self, now: float, tally: Tally) -> tuple[int, dict[str, str]]:
        verdict = self.limiter.admit(now)
        if verdict.allowed:
            tally.allowed += 1
            tally.allowed_at.append(now)
        else:
            tally.refused += 1
            tally.refused_at.append(now)
        headers = {
            name.decode(): value.decode()
            for name, value in limit_headers(verdict, self.dialects - DRAFTS)
        }
        for draft in self.dialects & DRAFTS:
            headers |= draft_headers(verdict, draft)
        return (200 if verdict.allowed else 429), headers


class Line:
    """Sends one request to the account and gives back its answer, a round trip later."""

    def __init__(
        self,
        loop: VirtualLoop,
        account: Account,
        tally: Tally,
        latency: float,
        rng: random.Random,
        *,
        jitter: float = 0.25,
    ) -> None:
        self._jitter = jitter
        self._loop = loop
        self._account = account
        self._tally = tally
        self._latency = latency
        self._rng = rng

    def _half(self) -> float:
        # Mostly near the mean, now and then a straggler.
        low, high = 1.0 - self._jitter, 1.0 + self._jitter
        straggler = (self._rng.random() < 0.01) * self._rng.random() * 4.0 * self._jitter
        spread = self._rng.uniform(low, high) + straggler
        return self._latency / 2 * spread

    def send(self) -> asyncio.Future[tuple[int, dict[str, str]]]:
        answer = self._loop.create_future()
        self._loop.call_later(self._half(), self._arrive, answer)
        return answer

    def _arrive(self, answer: asyncio.Future[tuple[int, dict[str, str]]]) -> None:
        judged = self._account.judge(self._loop.now, self._tally)
        self._loop.call_later(self._half(), self._answered, answer, judged)

    @staticmethod
    def _answered(answer, judged) -> None:
        if not answer.done():
            answer.set_result(judged)


async def paced_worker(pacer: Any, line: Line) -> None:
    while True:
        sent_at = await pacer.slot()
        status, headers = await line.send()
        pacer.observe(status, headers, sent_at=sent_at)


async def random_client(line: Line, per_second: float, rng: random.Random):
    """Another program on the account, that takes no heed of anything."""
    while True:
        await asyncio.sleep(rng.expovariate(per_second))
        line.send()


@dataclass(frozen=True)
class Outcome:
    """Figures of one run."""

    used_percent: float  # of the limit, by everyone
    own_percent: float  # of the limit, by the paced client
    own_refused_percent: float
    other_refused_percent: float
    own: Tally
    other: Tally
    minutes: float


def lag_of(rng: random.Random) -> Callable[[], float]:
    """Event-loop lag: mostly a millisecond, one time in a hundred up to sixty."""

    def lag() -> float:
        return rng.random() * (0.060 if rng.random() < 0.01 else 0.001)

    return lag


def simulate(
    *,
    window: str,
    per_minute: int,
    minutes: float,
    seed: int,
    dialects: frozenset[str] = ALL_DIALECTS,
    share: float = 1.0,
    rate_per_minute: float | None = None,
    contention: str = "alone",
    other_share: float = 0.3,
    rejected_count: bool = False,
    latency: float = 0.080,
    jitter: float = 0.25,
    workers: int = 48,
    make_pacer: Callable[..., Any] = Pacer,
    with_us: bool = True,
) -> Outcome:
    """Run one client (and perhaps another) against one limiter, and count.

    Parameters
    ----------
    contention : str
        ``alone``, ``random`` (a Poisson stream of `other_share` of the limit) or ``twin``
        (a second client like ours).
    """
    rng = random.Random(f"{window} {per_minute} {seed} {contention}")
    loop = VirtualLoop(lag_of(rng))
    if window == "strict":
        limiter: Limiter = StrictSpacing(per_minute)
    else:
        limiter = make_limiter(window, per_minute, rejected_count=rejected_count, seed=seed)
    account = Account(limiter, dialects)
    own, other = Tally(), Tally()
    keep: list[Any] = []

    def start_paced(tally: Tally) -> None:
        pacer = make_pacer(
            share=share, rate_per_minute=rate_per_minute, clock=loop.time, sleep=asyncio.sleep
        )
        for _ in range(workers):
            line = Line(loop, account, tally, latency, rng, jitter=jitter)
            keep.append(loop.create_task(paced_worker(pacer, line)))

    if with_us:
        start_paced(own)
    if contention == "random":
        # Draws of its own: it sends at the same moments with us and without us.
        theirs = random.Random(f"other {per_minute} {seed}")
        line = Line(loop, account, other, latency, theirs)
        keep.append(loop.create_task(random_client(line, other_share * per_minute / 60, theirs)))
    elif contention == "twin":
        start_paced(other)
    loop.run(loop.now + minutes * 60.0)
    if loop.errors:
        raise AssertionError(loop.errors)
    for task in keep:
        if task.done():
            task.result()
        task._log_destroy_pending = False
    budget = per_minute * minutes
    return Outcome(
        used_percent=100.0 * (own.allowed + other.allowed) / budget,
        own_percent=100.0 * own.allowed / budget,
        own_refused_percent=own.refused_percent,
        other_refused_percent=other.refused_percent,
        own=own,
        other=other,
        minutes=minutes,
    )
