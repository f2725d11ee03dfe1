"""Decides when a request may leave so that the account's budget is used and not overrun.

Pure: it is told the time and what happened, and answers with a time; `pacer` does the waiting.

The rate is the least of what is known: our share of the limit, the rate that what is left of the
budget bears (`credit`), the rate that refusals have shown to be borne (`rate_search`), and the
caller's own ceiling. Where no answer tells a limit, it is searched for (`blind_search`). Requests
leave evenly at that rate. The first one leaves alone, since its answer may tell the limit; so does
the first after a refusal that no header explains.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenvault_data.client.pacing.blind_search import BlindSearch, FixedRate, Learned
from tokenvault_data.client.pacing.credit import WINDOW_SECONDS, Credit, Refill, SendLog
from tokenvault_data.client.pacing.headers import LimitReading, RefusedTime, read_limits
from tokenvault_data.client.pacing.rate_search import RateSearch

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Budget:
    """The state of the budget, for progress displays.

    Attributes
    ----------
    limit_per_minute : int or None
        The account's limit as last told, None while unknown.
    share : float
        The part of it that is ours to use at most.
    rate_per_minute : float or None
        At what rate requests leave now, None when nothing holds them back.
    sent_last_minute : int
        Requests that left in the last 60 seconds.
    refusals : int
        Answers with status 429 so far.
    waiting_for : str or None
        Why no request leaves at the moment, None when one may, or will within a second.
    waiting_seconds : float
        For how long, as far as is known; 0 when `waiting_for` is None.
    share_now : float
        The part of it that is this client's now: less than `share` while other processes of this
        user work on the same account; 0 before anything was sent.
    is_searching : bool
        Whether the answers tell no limit and no refusal has shown it yet, so that the rate is
        raised slowly.
    found_per_minute : float or None
        The limit as refusals have shown it, where the answers tell none.
    refused_seconds : float
        For how long the account has answered with nothing but 429; 0 while it answers.
    """

    limit_per_minute: int | None
    share: float
    rate_per_minute: float | None
    sent_last_minute: int
    refusals: int
    waiting_for: str | None
    waiting_seconds: float
    share_now: float = 0.0
    is_searching: bool = False
    found_per_minute: float | None = None
    refused_seconds: float = 0.0


__all__ = ["UNLIMITED_HEADER", "Budget", "Governor", "Learned"]

UNLIMITED_HEADER = "x-emulator-unlimited"
"""An emulator without a limit sends its own port in it. A gateway in front has another port, and
perhaps a limit."""

# With no `remaining` to steer by: at the full limit, jitter would push a request over it.
_BLIND_PART = 0.996
# With `remaining` to steer by, what was missed may be made up for.
_STEERED_PART = 1.05
# Part of our share at which requests leave at least while any credit is left: only answers
# tell that there is more of it. Somewhat more often one leaves when none is left, and more and
# more often while each is let through with none left: then the header does not mean it.
_LEAST_PART = 0.1
_ASKING_PART = 0.2
_ASKING_GROWTH = 1.05
_ASKING_LARGEST_PART = 0.98
# Time lost to a busy event loop that is made up for; more would bunch requests.
_CATCH_UP_SECONDS = 0.15
_PROBE_TIMEOUT_SECONDS = 3.0
# Where refusals count, too, only a silence as long as the window ends them; it may be minutes long.
_LONGEST_BACKOFF_SECONDS = 300.0
_BLIND_BACKOFF_SECONDS = 1.0
# So many refusals in a row, and what the answers say of the wait is not believed any more.
_BELIEVED_REFUSALS = 2
# Refusals that are borne, as a part of the limit: these many keep the reserve where it is.
_BEARABLE_REFUSALS = 0.0015


class Governor:
    """The rules of pacing.

    Parameters
    ----------
    share : float
        The part of the account's limit to use, above 0 and at most 1.
    rate_per_minute : float or None
        A ceiling on top of that, None for none. Where no limit is told, it is the rate.
    unlimited_mark : str or None
        By which an emulator without a limit says so; see `UNLIMITED_HEADER`.
    """

    def __init__(
        self, *, share: float, rate_per_minute: float | None, unlimited_mark: str | None = None
    ) -> None:
        self._asked_share = share
        self._share = share
        self._share_of_ours = share  # of all processes of this user together
        self._unlimited_mark = unlimited_mark
        self._ceiling = math.inf if rate_per_minute is None else rate_per_minute / 60.0
        self._limit: int | None = None
        self._sends = SendLog()
        self._credit = Credit(self._sends)
        self._search = RateSearch(ventures=share >= 1.0)
        self._blind = (
            BlindSearch() if rate_per_minute is None else FixedRate(rate_per_minute / 60.0)
        )
        self._asking = _ASKING_PART
        self._caution = 0.0  # requests kept in reserve because of refusals
        self._eased_at = math.inf
        self._now = -math.inf
        self._paced_at = -math.inf  # when the last request would have left on an exact clock
        # A ceiling spaces requests out by itself; without one the first has to leave alone.
        self._open = rate_per_minute is not None
        self._free = False  # an emulator has said that it has no limit
        self._probed_at: float | None = None
        self._blocked_until = -math.inf
        self._blocked_at = -math.inf
        self._backoff_seconds = 0.0
        self._refused_at: list[float] = []
        self._refusals = 0
        self._refusals_in_row = 0
        self._refused_time = RefusedTime()
        self._began_at = -math.inf
        self.answers = 0  # other than refusals

    def follow_share(self, share: float, of_ours: float) -> None:
        """Use another part of the limit from now on.

        Parameters
        ----------
        share : float
            This client's part, above 0 and at most 1.
        of_ours : float
            The part of all processes of this user together, this one included.
        """
        if (share, of_ours) != (self._share, self._share_of_ours):
            self._share, self._share_of_ours = share, of_ours
            self._search.ventures = share >= 1.0
            self._blind.follow_share(of_ours)

    @property
    def is_free(self) -> bool:
        """Whether an emulator has said that it has no limit."""
        return self._free

    @property
    def learned(self) -> Learned | None:
        """What the search for a limit that no answer tells has come to; None where one is told."""
        if self._free or self._limit is not None or not self._sends.total:
            return None
        return self._blind.learned

    def adopt(self, learned: Learned, now: float) -> None:
        """Start from what was learned before."""
        self._blind.adopt(learned, now, self._share_of_ours)

    # Sending

    def due(self, now: float) -> float:
        """Time from which the next request may leave; ask again then, or after an answer."""
        if self._free:
            return now
        if now < self._now:
            self._follow_clock(now - self._now)
        self._now = now
        if self._limit is None and self._credit.is_stale(now):
            # After a long silence nothing at all is known, as at the start.
            self._credit.forget()
            self._close()
        if now < self._blocked_until:
            return self._blocked_until
        if not self._open:
            return now if self._probed_at is None else self._probed_at + _PROBE_TIMEOUT_SECONDS
        rate = self._rate(now)
        if math.isinf(rate):
            return now
        even = self._paced_at + 1.0 / rate
        wait = self._credit.wait(now) if self._credit.known_at(now) else 0.0
        if wait <= 0:
            return even
        asking = self._asking * self._share * self._credit.reference / 60.0
        earliest = self._paced_at + 1.0 / self._rate_allowed(now)
        return max(earliest, min(now + wait, self._paced_at + 1.0 / asking))

    def sent(self, now: float) -> None:
        """Take note that a request leaves now."""
        self._sends.add(now)
        if self._free:
            return
        if self._sends.total == 1:
            self._began_at = now
            self._search.begin(now)
        if not self._open:
            self._probed_at = now
        rate = self._rate(now)
        if not self._is_told(now):
            # Nothing is made up for: some limiters bear no two requests closer than the others.
            used = min(now - self._paced_at, 2.0 / rate)
            self._blind.sent(now, used, self._share_of_ours)
            self._paced_at = now
            return
        ideal = now if math.isinf(rate) else self._paced_at + 1.0 / rate
        self._paced_at = max(min(ideal, now), now - _CATCH_UP_SECONDS)

    def bears(self, now: float) -> bool:
        """Whether what was booked earlier may leave now: nothing was refused meanwhile."""
        return self._free or now >= self._blocked_until

    def spacing(self, now: float) -> float | None:
        """Seconds between two requests at the rate that may not be exceeded, None while unknown."""
        if self._free:
            return 0.0
        return 1.0 / self._rate_allowed(now) if self._open else None

    def _rate(self, now: float) -> float:
        """Requests a second at which to send, never 0, infinite when nothing is known."""
        allowed = self._rate_allowed(now)
        if not self._credit.known_at(now):
            return allowed
        least = _LEAST_PART * self._share * self._credit.reference / 60.0
        steered = self._credit.rate(now, self._reserve())
        if self._limit is None and self._credit.is_bucket:
            steered *= self._share  # how much flows into it, and so our share of that, is not known
        return min(allowed, max(least, steered))

    def _rate_allowed(self, now: float) -> float:
        """The rate that may not be exceeded however much is left of the budget."""
        if not self._is_told(now):
            part = 1.0 if math.isfinite(self._ceiling) else self._share / self._share_of_ours
            return min(self._ceiling, self._blind.rate * part)
        searched = self._search.rate_at(now)
        if self._limit is None and self._search.found:
            searched *= self._share
        return min(self._ceiling, searched, self._rate_shared(now))

    def _is_told(self, now: float) -> bool:
        """Whether the answers speak of a limit."""
        return self._limit is not None or self._credit.known_at(now)

    def _rate_shared(self, now: float) -> float:
        known = self._credit.known_at(now)
        if self._share < 1.0:
            if self._limit is not None:
                return self._share * self._limit / 60.0
            if not known or self._credit.is_on_trial or self._credit.is_bucket:
                return math.inf
            return self._share * self._credit.reference / 60.0
        if self._limit is None:
            return math.inf
        steered = known and self._credit.refill is not Refill.UNSEEN
        return (_STEERED_PART if steered else _BLIND_PART) * self._limit / 60.0

    def _reserve(self) -> float:
        credit = self._credit
        kept = self._caution
        if self._share < 1.0:
            # The others have the first claim: room for their fluctuations, and for a while of
            # what they take beyond what comes back.
            kept += 0.8 * math.sqrt(credit.reference)
            room_seconds = 3.0 if credit.refill is Refill.LEAP else 20.0
            kept += room_seconds * max(0.0, -credit.net_rate)
        return min(kept, 0.45 * credit.highest)

    def _close(self) -> None:
        self._open, self._probed_at = False, None

    def _follow_clock(self, jump: float) -> None:
        """Keep waits as long as they were though the clock was put back."""
        self._sends.clear()
        self._credit.forget()
        self._paced_at += jump
        self._blocked_at += jump
        self._blocked_until += jump
        self._began_at += jump
        self._blind.follow_clock(jump)
        self._refused_time.follow_clock(jump)
        if self._probed_at is not None:
            self._probed_at += jump

    # Answers

    def observe(
        self, status: int | None, headers: Mapping[str, str], *, sent_at: float, now: float
    ) -> None:
        """Take in an answer, or, with status None, that none came."""
        answers_probe = self._probed_at is not None and sent_at >= self._probed_at
        if status is None:
            if answers_probe:
                self._probed_at = None
            return
        reading = read_limits(headers)
        if reading.limit_per_minute is not None:
            limit = reading.limit_per_minute
            if reading.limit_is_guessed and self._limit is not None:
                limit = min(limit, self._limit)
            self._limit = limit
            self._credit.set_limit(limit)
        self._open = self._open or answers_probe
        refused = status == 429
        self._credit.learn(reading, sent_at, now, refused=refused)
        if refused:
            self._take_refusal(reading, sent_at, now)
        else:
            self._take_success(reading, sent_at, now)
        says_so = self._unlimited_mark is not None and (
            headers.get(UNLIMITED_HEADER) == self._unlimited_mark
        )
        self._free = (
            (says_so or self._free)
            and not refused
            and self._limit is None
            and math.isinf(self._ceiling)
        )

    def _take_refusal(self, reading: LimitReading, sent_at: float, now: float) -> None:
        self._refusals += 1
        self._refused_at.append(sent_at)
        if len(self._refused_at) > 4096:
            del self._refused_at[:2048]
        if sent_at <= self._blocked_at:
            return  # on its way when another was refused: no news
        self._blocked_at = now
        self._refusals_in_row += 1
        believed_rate = min(self._rate_shared(now), self._ceiling)
        if reading.remaining == 0:
            # The budget was spent, as the header says; the credit has it. A little more is
            # kept in reserve from now on.
            most = 0.25 * math.sqrt(self._credit.reference)
            self._caution = min(self._caution + 1.0, most)
            self._asking = _ASKING_PART
        else:
            admitted = self._admitted(now - WINDOW_SECONDS, now)
            if self._is_told(now):
                self._search.refused(now, admitted, believed_rate)
            else:
                # Before a whole minute has passed, there is nothing to go by but the rate.
                is_measured = now - self._began_at >= WINDOW_SECONDS
                own = admitted / WINDOW_SECONDS if is_measured else math.inf
                of_all = own * self._share_of_ours / self._share
                self._blind.refused(now, of_all, self._share_of_ours)
            self._close()
        self._blocked_until = max(
            self._blocked_until, now + self._wait_after_refusal(reading, believed_rate)
        )
        self._refused_time.refused(now, self._blocked_until)

    def _wait_after_refusal(self, reading: LimitReading, believed_rate: float) -> float:
        told = math.isfinite(believed_rate)
        first = max(0.25, 2.0 / min(believed_rate, 100.0)) if told else _BLIND_BACKOFF_SECONDS
        self._backoff_seconds = min(
            _LONGEST_BACKOFF_SECONDS, max(first, 2.0 * self._backoff_seconds)
        )
        if self._refusals_in_row > _BELIEVED_REFUSALS:
            return max(reading.wait_seconds or 0.0, self._backoff_seconds)
        if reading.wait_seconds:
            return reading.wait_seconds
        # Some services mean the time until all is back, so a reset only ever shortens the wait.
        return min(self._backoff_seconds, reading.reset_after_seconds or math.inf)

    def _take_success(self, reading: LimitReading, sent_at: float, now: float) -> None:
        if reading.remaining == 0:
            self._asking = min(_ASKING_LARGEST_PART, _ASKING_GROWTH * self._asking)
        elif reading.remaining is not None:
            self._asking = _ASKING_PART
        # By time and not by requests: else who gets less would stay cautious for longer, and
        # get still less.
        passed = now - self._eased_at
        eased = _BEARABLE_REFUSALS * self._credit.reference / 60.0 * max(0.0, passed)
        self._caution = max(0.0, self._caution - eased)
        self._eased_at = now
        self.answers += 1
        self._refused_time.answered()
        if sent_at < self._blocked_until:
            return
        self._backoff_seconds = 0.0
        self._refusals_in_row = 0
        self._blind.lifted(sent_at)
        if self._search.is_blocked:
            self._search.lifted(
                sent_at,
                self._admitted(sent_at - WINDOW_SECONDS, sent_at),
                self._admitted(self._search.lifted_at, sent_at),
            )

    def _admitted(self, start: float, end: float) -> int:
        refused = sum(1 for sent_at in self._refused_at if start <= sent_at < end)
        return self._sends.between(start, end) - refused

    # Looking

    def refused_seconds(self, now: float) -> float:
        """As `RefusedTime.seconds`."""
        return self._refused_time.seconds(now)

    def blocked_seconds(self, now: float) -> float:
        """How long nothing may leave because of a refusal."""
        return max(0.0, self._blocked_until - now)

    def budget(self, now: float) -> Budget:
        """Show the state of the budget."""
        wait = self.due(now) - now
        waiting_for = None
        if now < self._blocked_until:
            waiting_for = "the limit was met"
        elif wait > 0 and not self._open:
            waiting_for = "the first answer, which may tell the limit"
        elif wait > 1.0:
            waiting_for = "the budget to come back"
        rate = self._rate(now)
        is_told = self._free or self._is_told(now)
        return Budget(
            limit_per_minute=self._limit,
            share=self._asked_share,
            rate_per_minute=None if self._free or math.isinf(rate) else rate * 60.0,
            sent_last_minute=self._sends.since(now - 60.0),
            refusals=self._refusals,
            waiting_for=waiting_for,
            waiting_seconds=wait if waiting_for else 0.0,
            share_now=self._share,
            is_searching=not is_told and self._blind.is_searching and self.answers > 0,
            found_per_minute=None
            if is_told or self._blind.found is None
            else 60.0 * self._blind.found,
            refused_seconds=self.refused_seconds(now),
        )
