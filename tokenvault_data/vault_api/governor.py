"""Decides when a request may leave so that the account's budget is used and not overrun.

Pure: it is told the time and what happened, and answers with a time. See `pacing` for the
waiting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenvault_data.vault_api.credit import Credit, Refill
from tokenvault_data.vault_api.limit_reading import LimitReading, read_limits
from tokenvault_data.vault_api.rate_search import RateSearch
from tokenvault_data.vault_api.send_log import SendLog

if TYPE_CHECKING:
    from collections.abc import Mapping

# Even spacing at the full limit would let jitter push a request over it.
_OPEN_LOOP = 0.996
# With `remaining` to steer by, what was missed may be made up for.
_STEERED = 1.05
_CATCH_UP_SECONDS = 0.15
_PROBE_TIMEOUT_SECONDS = 3.0
_STEP_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Budget:
    """The state of the budget, for progress displays.

    Attributes
    ----------
    limit_per_minute : int or None
        The account's limit as last told, None while unknown.
    share : float
        The part of it that is ours to use.
    rate_per_minute : float or None
        At what rate requests leave now, None when nothing holds them back.
    sent_last_minute : int
        Requests that left in the last 60 seconds.
    refusals : int
        Answers with status 429 so far.
    waiting_for : str or None
        Why no request leaves at the moment, None when one may.
    waiting_seconds : float
        For how long, as far as is known.
    """

    limit_per_minute: int | None
    share: float
    rate_per_minute: float | None
    sent_last_minute: int
    refusals: int
    waiting_for: str | None
    waiting_seconds: float


class Governor:
    """The rules of pacing."""

    def __init__(self, *, share: float, rate_per_minute: float | None) -> None:
        self._share = share
        self._rate_ceiling = math.inf if rate_per_minute is None else rate_per_minute / 60.0
        self._sends = SendLog()
        self._credit = Credit(self._sends)
        self._search = RateSearch(ventures=share >= 1.0)
        self._limit: int | None = None
        self._paced_at = -math.inf
        self._now = -math.inf
        self._probed_at: float | None = None
        self._open = not math.isinf(self._rate_ceiling)
        self._free = False
        self._blocked_until = -math.inf
        self._backoff_seconds = 0.0
        self._refused_at: list[float] = []
        self._refusals = 0
        self._caution = 0.0

    # -- sending ------------------------------------------------------------------------------

    def due(self, now: float) -> float:
        """Time from which the next request may leave; ask again then, or after an answer."""
        if self._free:
            return now
        if now < self._now:
            self._turn_back(now)
        self._now = now
        if now < self._blocked_until:
            return self._blocked_until
        if not self._open:
            if self._probed_at is None:
                return now
            return self._probed_at + _PROBE_TIMEOUT_SECONDS
        rate = self._rate(now)
        if math.isinf(rate):
            return now
        slowest = 0.1 * self._nominal_or_seen()
        if self._credit.known_at(now):
            wait = self._credit.wait(now)
            if wait > 0:
                # Nothing left as far as is known; a request now and then finds out.
                return min(now + wait, self._paced_at + 2.0 / slowest)
        return self._paced_at + 1.0 / max(rate, slowest)

    def _nominal_or_seen(self) -> float:
        return self._share * self._credit.reference / 60.0

    def sent(self, now: float) -> None:
        """Take note that a request leaves now."""
        self._sends.add(now)
        if self._free:
            return
        if not self._open:
            self._probed_at = now
            if self._sends.total == 1:
                self._search.begin(now)
        rate = self._rate(now)
        ideal = self._paced_at + (0.0 if math.isinf(rate) or rate <= 0 else 1.0 / rate)
        self._paced_at = max(min(ideal, now), now - _CATCH_UP_SECONDS)

    def _nominal(self) -> float:
        """The rate our share of the limit comes to, requests a second; infinite if unknown."""
        if self._limit is not None:
            return self._share * self._limit / 60.0
        if self._share < 1.0 and self._credit.known_at(self._now):
            return self._share * self._credit.capacity_per_minute / 60.0
        return math.inf

    def _rate(self, now: float) -> float:
        nominal = self._nominal()
        searched = self._search.rate_at(now)
        if self._limit is None:
            searched *= self._share if self._search.found else 1.0
        ceiling = min(self._rate_ceiling, searched)
        if not self._credit.known_at(now):
            return min(ceiling, nominal * (_OPEN_LOOP if self._share > _OPEN_LOOP else 1.0))
        steered = self._credit.rate(now, self._reserve())
        if self._share >= 1.0:
            nominal *= _STEERED if self._credit.refill is not Refill.UNSEEN else _OPEN_LOOP
        return min(ceiling, nominal, steered)

    def _reserve(self) -> float:
        kept = self._caution
        if self._share < 1.0:
            # The others have the first claim: room for their fluctuations, and for what they
            # take beyond what comes back.
            kept += 0.8 * math.sqrt(self._credit.reference)
            room_seconds = 3.0 if self._credit.refill is Refill.LEAP else 20.0
            kept += room_seconds * max(0.0, -self._credit.net_rate)
            return min(kept, 0.5 * self._credit.highest)
        return min(kept, 0.5 * self._credit.highest)

    def _turn_back(self, now: float) -> None:
        self._sends.clear()
        self._paced_at = min(self._paced_at, now)
        self._blocked_until = min(self._blocked_until, now + 1.0)

    # -- answers ------------------------------------------------------------------------------

    def observe(
        self, status: int | None, headers: Mapping[str, str], *, sent_at: float, now: float
    ) -> None:
        """Take in an answer, or, with status None, that none came."""
        if status is None:
            if self._probed_at is not None and sent_at >= self._probed_at:
                self._probed_at = None
            return
        reading = read_limits(headers)
        if reading.limit_per_minute is not None:
            self._limit = reading.limit_per_minute
            self._credit.set_limit(reading.limit_per_minute)
        if not self._open and self._probed_at is not None and sent_at >= self._probed_at:
            self._open = True
            self._paced_at = self._probed_at
        refused = status == 429
        self._credit.learn(reading, sent_at, now, refused=refused)
        if refused:
            self._take_refusal(reading, sent_at, now)
        else:
            self._take_success(reading, sent_at, now)
        self._free = (
            self._limit is None
            and math.isinf(self._rate_ceiling)
            and math.isinf(self._search.rate)
            and not self._search.is_blocked
            and not self._credit.known_at(now)
        )

    def _take_refusal(self, reading: LimitReading, sent_at: float, now: float) -> None:
        self._refusals += 1
        self._refused_at.append(sent_at)
        if len(self._refused_at) > 4096:
            del self._refused_at[:2048]
        fresh = sent_at > self._blocked_since
        if not fresh:
            return
        self._blocked_since = now
        steered = reading.remaining == 0
        if steered:
            most = 0.25 * math.sqrt(self._credit.reference)
            self._caution = min(self._caution + 1.0, most)
        else:
            self._search.refused(
                now,
                self._admitted(now - 60.0, now),
                min(self._nominal(), self._rate_ceiling),
            )
            self._open, self._probed_at = False, None
        if reading.wait_seconds:
            self._blocked_until = max(self._blocked_until, now + reading.wait_seconds)
            return
        first = max(0.25, 2.0 / min(self._nominal(), 100.0))
        self._backoff_seconds = min(8.0, max(first, 2.0 * self._backoff_seconds))
        wait = self._backoff_seconds
        if reading.reset_after_seconds:
            wait = min(wait, reading.reset_after_seconds)
        self._blocked_until = max(self._blocked_until, now + wait)

    _blocked_since = -math.inf

    def _take_success(self, reading: LimitReading, sent_at: float, now: float) -> None:
        self._caution = max(0.0, self._caution - 0.002)
        if sent_at >= self._blocked_until:
            self._backoff_seconds = 0.0
            if self._search.is_blocked:
                self._search.lifted(
                    sent_at,
                    self._admitted(sent_at - 60.0, sent_at),
                    self._admitted(self._search.lifted_at, sent_at),
                )

    def _admitted(self, start: float, end: float) -> int:
        refused = sum(1 for sent_at in self._refused_at if start <= sent_at < end)
        return self._sends.between(start, end) - refused

    # -- looking ------------------------------------------------------------------------------

    def budget(self, now: float) -> Budget:
        """Show the state of the budget."""
        rate = self._rate(now) if self._open else self._rate_ceiling
        due = self.due(now)
        waiting_for = None
        if now < self._blocked_until:
            waiting_for = "the limit was met"
        elif due > now and not self._open:
            waiting_for = "the first answer"
        elif due - now > 1.0:
            waiting_for = "the budget of this minute is spent"
        return Budget(
            limit_per_minute=self._limit,
            share=self._share,
            rate_per_minute=None if math.isinf(rate) else rate * 60.0,
            sent_last_minute=self._sends.since(now - 60.0),
            refusals=self._refusals,
            waiting_for=waiting_for,
            waiting_seconds=max(0.0, due - now) if waiting_for else 0.0,
        )
