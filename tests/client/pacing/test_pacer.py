from __future__ import annotations

import asyncio
import itertools
import random
from itertools import pairwise

import pytest
from pacing_simulation import ALL_DIALECTS, run_virtual, simulate

from tokenvault_data.client.pacing.blind_search import MOST_PER_MINUTE, BlindSearch, Learned
from tokenvault_data.client.pacing.pacer import Pacer
from tokenvault_data.errors import CallAbandoned, UsageError

LIMIT_AND_REMAINING = frozenset({"limit", "remaining"})
WINDOWS = ["fixed", "log", "counter", "bucket"]
UNLIMITED = {"x-emulator-unlimited": "8787"}
# What a kind of window allows at best, in percent of the limit, with the pacer alone.
ALONE = {"fixed": 99.5, "log": 99.0, "counter": 99.0, "bucket": 99.0}


def told(limit=None, remaining=None, **others):
    headers = {"x-ratelimit-limit": limit, "x-ratelimit-remaining": remaining, **others}
    return {name: str(value) for name, value in headers.items() if value is not None}


def virtual_pacer(loop, **settings):
    return Pacer(clock=loop.time, sleep=asyncio.sleep, **settings)


def each_with_each(windows_of):
    """Cases for each window and each kind of headers; `make chaos` has those not named here."""
    return [
        pytest.param(
            window,
            *kind.values,
            id=f"{kind.id}-{window}",
            marks=() if window in windows else pytest.mark.chaos,
        )
        for kind, windows in windows_of.items()
        for window in WINDOWS
    ]


@pytest.mark.parametrize(
    ("window", "dialects", "per_minute"),
    each_with_each(
        {
            pytest.param(ALL_DIALECTS, 600, id="all headers"): WINDOWS,
            pytest.param(LIMIT_AND_REMAINING, 1200, id="limit and remaining"): ["counter"],
            pytest.param(frozenset({"limit"}), 600, id="limit alone"): ["fixed", "log"],
            pytest.param(frozenset({"draft-6"}), 600, id="IETF draft 6"): ["bucket"],
            pytest.param(frozenset({"draft-7"}), 600, id="IETF draft 7"): ["fixed"],
            pytest.param(frozenset({"draft-8"}), 600, id="IETF draft 8"): ["log"],
        }
    ),
)
def test_alone_it_uses_the_whole_budget_and_meets_no_refusal(window, per_minute, dialects):
    """With share=1 and the limit told, 99 % (fixed: 99.5 %) is used and nothing refused."""
    run = simulate(window=window, per_minute=per_minute, minutes=4, seed=2, dialects=dialects)
    assert run.own_percent >= ALONE[window]
    assert run.own_refused_percent == 0


@pytest.mark.parametrize(
    "window", ["fixed", "log", *(pytest.param(n, marks=pytest.mark.chaos) for n in WINDOWS[2:])]
)
def test_for_hours_it_uses_the_whole_budget(window):
    """An hour at 100 a minute: 98 % is used and at most one request in 500 refused."""
    run = simulate(window=window, per_minute=100, minutes=60, seed=5, workers=16)
    assert run.own_percent >= 98.0
    assert run.own_refused_percent < 0.2


@pytest.mark.parametrize("window", WINDOWS)
def test_remaining_alone_is_enough(window):
    """Told only what remains, it uses 97 % with under 1 % refused."""
    run = simulate(
        window=window, per_minute=600, minutes=6, seed=0, dialects=frozenset({"remaining"})
    )
    assert run.own_percent >= 97.0
    assert run.own_refused_percent < 1.0


@pytest.mark.parametrize(
    ("window", "dialects", "rejected_count"),
    each_with_each(
        {
            pytest.param(frozenset(), False, id="no headers"): ["fixed", "counter"],
            pytest.param(frozenset({"retry-after"}), True, id="retry-after, refusals count"): [
                "log",
                "bucket",
            ],
        }
    ),
)
def test_without_a_limit_header_refusals_show_the_limit(window, dialects, rejected_count):
    """By refusals alone it finds the limit: later 90 % is used, with twenty refused in all."""
    run = simulate(
        window=window,
        per_minute=60,
        minutes=40,
        seed=1,
        dialects=dialects,
        rejected_count=rejected_count,
        workers=4,
    )
    last = [moment for moment in run.own.allowed_at if moment > 1000.0 + 1200.0]
    assert len(last) >= 0.9 * 20 * 60
    assert run.own.refused <= 20


@pytest.mark.parametrize("window", ["log", "counter", "bucket"])
@pytest.mark.parametrize("rejected_count", [False, True])
def test_without_a_limit_header_half_stays_half(window, rejected_count):
    """While it searches, a client that takes 30 % is refused three times at most, then never."""
    run = simulate(
        window=window,
        per_minute=120,
        minutes=30,
        seed=6,
        dialects=frozenset(),
        share=0.5,
        contention="random",
        rejected_count=rejected_count,
        workers=4,
    )
    assert run.other.refused <= 3
    found_at = min(run.own.refused_at)
    assert all(moment < found_at + 10.0 for moment in run.other.refused_at)
    last = [moment for moment in run.own.allowed_at if moment > 1000.0 + 1200.0]
    assert 0.25 <= len(last) / (10 * 120) <= 0.5


def test_without_a_limit_header_half_of_what_was_found_is_kept():
    """Alone on the account, just under half of the limit is used once one refusal has shown it."""
    run = simulate(
        window="counter", per_minute=120, minutes=30, seed=3, dialects=frozenset(), share=0.5
    )
    last = [moment for moment in run.own.allowed_at if moment > 1000.0 + 1200.0]
    assert len(last) / (10 * 120) == pytest.approx(0.49, rel=0.03)
    assert run.own.refused == 1


@pytest.mark.parametrize("workers", [1, 48])
def test_without_a_limit_header_the_rate_grows_from_thirty_by_a_tenth_a_minute(workers):
    """Nothing leaves in a burst, and no minute has over a tenth more than the one before."""
    run = simulate(
        window="log",
        per_minute=100_000,
        minutes=20,
        seed=1,
        dialects=frozenset(),
        share=0.5,
        workers=workers,
    )
    times = [moment - 1000.0 for moment in run.own.allowed_at]
    counts = [sum(60 * n <= at < 60 * n + 60 for at in times) for n in range(20)]
    assert 29 <= counts[0] <= 33
    assert all(b <= 1.1 * a + 1.5 for a, b in itertools.pairwise(counts))
    assert counts[-1] > 5 * counts[0]
    # Requests are never closer than the rate reached has them; the line and its jitter aside.
    assert min(b - a for a, b in itertools.pairwise(times)) > 0.2


def test_idle_time_raises_no_rate():
    """One request an hour for a day leaves the search where it began."""

    async def main(loop):
        pacer = virtual_pacer(loop)
        for _ in range(24):
            pacer.observe(200, {}, sent_at=await pacer.slot())
            await asyncio.sleep(3600.0)
        assert pacer.learned.rate_per_minute < 36.0

    run_virtual(main)


def test_a_rate_that_is_given_skips_the_search():
    """Six hundred a minute from the first; a refusal lowers it, and it never goes beyond."""

    async def main(loop):
        pacer = virtual_pacer(loop, rate_per_minute=600)

        async def send(seconds, status=200):
            began, sent = loop.time(), 0
            while loop.time() - began < seconds:
                pacer.observe(status, {}, sent_at=await pacer.slot())
                sent += 1
            return sent

        assert await send(60.0) == pytest.approx(600, rel=0.01)
        assert not pacer.budget.is_searching
        await send(0.05, status=429)
        assert await send(60.0) == pytest.approx(310, rel=0.05)
        await send(1200.0)
        assert await send(60.0) == pytest.approx(600, rel=0.01)

    run_virtual(main)


@pytest.mark.parametrize("refused_part", [0.05, 1.0])
def test_a_rate_that_is_given_comes_back_after_hours_of_refusals(refused_part):
    """Refused at random, or all, for two hours, it is back at the rate in half an hour."""

    async def main(loop):
        pacer = virtual_pacer(loop, rate_per_minute=100)
        rng, sent = random.Random(2), []
        while loop.time() < 3 * 3600.0:
            sent_at = await pacer.slot()
            sent.append(sent_at)
            bad = 60.0 < sent_at < 7200.0 and rng.random() < refused_part
            pacer.observe(429 if bad else 200, {}, sent_at=sent_at)
        counted = sum(9000.0 <= at < 9600.0 for at in sent)
        assert counted == pytest.approx(1000, rel=0.01)
        assert max(b - a for a, b in pairwise(sent) if a > 9000.0) < 0.7

    run_virtual(main)


def test_a_limit_that_was_found_is_believed_for_a_day_however_many_sessions_it_lasts():
    """Ten sessions of twenty-two hours each hand the finding on with its age."""
    learned, now = Learned(15.0, 30.0), 0.0
    told = []
    for _ in range(3):
        search = BlindSearch()
        search.adopt(learned, now, 0.5)
        now += 80_000.0
        search.sent(now, 1.0, 0.5)
        learned = search.learned
        told.append(learned.limit_per_minute)
    assert told == [30.0, None, None]


def test_without_a_limit_the_rate_has_an_end():
    """However long nothing is refused, and whatever was learned, it stays below 100 a second."""
    search = BlindSearch()
    search.adopt(Learned(1e9, None), 0.0, 1.0)
    for minute in range(20_000):
        search.sent(60.0 * minute, 60.0, 1.0)
    assert 60.0 * search.rate == MOST_PER_MINUTE
    assert search.learned.is_sound


def test_time_in_which_nothing_is_asked_is_no_time_of_refusals():
    """Two 429s an hour apart are a minute at the most, and a wait counts once it has passed."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=0.5)
        for _ in range(2):
            sent_at = await pacer.slot()
            pacer.observe(429, {"retry-after": "900"}, sent_at=sent_at)
            waited, wait = pacer.refused_seconds, pacer.blocked_seconds
            await asyncio.sleep(3600.0)
        assert (waited, wait) == (900.0, 900.0)
        pacer.observe(200, {}, sent_at=await pacer.slot())
        assert pacer.refused_seconds == 0.0

    run_virtual(main)


def test_what_was_learned_is_gone_on_from():
    """A search, and a limit that was found, go on in another client where they ended."""

    async def main(loop):
        before = virtual_pacer(loop, share=0.5)
        while before.learned is None or before.learned.rate_per_minute < 60.0:
            before.observe(200, {}, sent_at=await before.slot())
        after = virtual_pacer(loop, share=0.5)
        after.adopt(before.learned)
        after.observe(200, {}, sent_at=await after.slot())
        assert after.rate_per_minute == pytest.approx(60.0, rel=0.01)
        assert after.budget.is_searching
        after.observe(200, {}, sent_at=await after.slot())
        before.observe(429, {}, sent_at=await before.slot())
        assert before.budget.found_per_minute == pytest.approx(60.0, rel=0.1)
        last = virtual_pacer(loop, share=0.25)
        last.adopt(before.learned)
        last.observe(200, {}, sent_at=await last.slot())
        assert last.rate_per_minute == pytest.approx(15.0, rel=0.1)
        assert not last.budget.is_searching

    run_virtual(main)


def test_an_elastic_window_is_given_its_silence():
    """Where each refused call renews the window, a silence as long as the window ends it."""

    async def main(loop):
        pacer = virtual_pacer(loop, rate_per_minute=6000)
        times, allowed_at = [], []
        while len(allowed_at) < 400:
            sent_at = await pacer.slot()
            while times and times[0] <= sent_at - 60.0:
                times.pop(0)
            times.append(sent_at)  # refused or not
            if len(times) <= 300:
                allowed_at.append(sent_at)
            status = 200 if len(times) <= 300 else 429
            pacer.observe(status, {"retry-after": "1"} if status == 429 else {}, sent_at=sent_at)
        assert max(b - a for a, b in itertools.pairwise(allowed_at)) < 200.0
        assert pacer.budget.refusals < 20

    run_virtual(main)


@pytest.mark.parametrize("jitter_seconds", [0.0, 0.025])
def test_strict_spacing_is_used(jitter_seconds):
    """A limiter that bears no two requests closer than half a second: 85 % and more is used."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=1.0)
        draw = random.Random(2)
        began, last_at, allowed = loop.time(), -1.0, []
        while loop.time() - began < 3600.0:
            sent_at = await pacer.slot()
            arrived = sent_at + draw.random() * jitter_seconds
            passed = arrived - last_at >= 0.5
            if passed:
                last_at = arrived
                allowed.append(sent_at - began)
            pacer.observe(200 if passed else 429, {}, sent_at=sent_at)
        assert sum(at > 1800.0 for at in allowed) >= 0.85 * 3600

    run_virtual(main, lag=lambda: 0.0005)


@pytest.mark.parametrize("window", WINDOWS)
def test_refusals_that_count_do_no_harm(window):
    """Where refused requests count too, the budget is used just as well."""
    run = simulate(window=window, per_minute=600, minutes=4, seed=2, rejected_count=True)
    assert run.own_percent >= ALONE[window]
    assert run.own_refused_percent == 0


@pytest.mark.parametrize(
    ("window", "contention"),
    each_with_each(
        {
            pytest.param("random", id="random"): ["fixed", "counter"],
            pytest.param("twin", id="twin"): ["log", "bucket"],
        }
    ),
)
def test_with_another_client_the_account_is_used_up(window, contention):
    """Beside another client, the account is at 99 % and under 0.5 % of ours is refused."""
    run = simulate(window=window, per_minute=600, minutes=8, seed=3, contention=contention)
    assert run.used_percent >= 99.0
    assert run.own_refused_percent < 0.5


@pytest.mark.parametrize(
    ("window", "dialects"),
    each_with_each(
        {
            pytest.param(ALL_DIALECTS, id="all"): ["fixed", "counter"],
            pytest.param(frozenset({"limit"}), id="limit"): ["log", "bucket"],
        }
    ),
)
def test_half_the_budget_is_half_of_it(window, dialects):
    """With share=0.5, half of the limit is used, within 2 %, alone and beside another client."""
    for contention in ("alone", "random"):
        run = simulate(
            window=window,
            per_minute=600,
            minutes=3,
            seed=1,
            share=0.5,
            contention=contention,
            dialects=dialects,
        )
        assert run.own_percent == pytest.approx(50.0, rel=0.02)
        assert run.own_refused_percent == 0


@pytest.mark.parametrize("window", WINDOWS)
def test_the_other_client_meets_no_more_refusals_than_without_us(window):
    """A checkout that takes 30 % is refused nothing, with half of the budget used by us."""
    scene = {"window": window, "per_minute": 600, "minutes": 5, "seed": 4, "contention": "random"}
    without = simulate(**scene, with_us=False)
    beside = simulate(**scene, share=0.5)
    assert without.other.allowed > 800
    assert beside.other.refused <= without.other.refused


@pytest.mark.parametrize("window", WINDOWS)
def test_a_checkout_with_more_than_its_half_goes_first(window):
    """Where the others take 70 %, we make do with the rest, and they hardly notice."""
    run = simulate(
        window=window,
        per_minute=600,
        minutes=10,
        seed=0,
        share=0.5,
        contention="random",
        other_share=0.7,
    )
    assert 20 <= run.own_percent <= 33
    assert run.other_refused_percent < 1.0


def test_an_explicit_rate_is_a_ceiling_and_is_not_shared():
    """A rate of 200 a minute is kept exactly, whether or not the limit is ever told."""
    for dialects in (frozenset(), ALL_DIALECTS):
        run = simulate(
            window="log",
            per_minute=600,
            minutes=5,
            seed=0,
            share=0.5,
            rate_per_minute=200,
            dialects=dialects,
        )
        assert run.own.allowed == pytest.approx(1000, abs=5)
        assert run.own.refused == 0


def test_the_first_request_leaves_alone_until_the_limit_is_known():
    """Of 500 waiting calls one leaves; once its answer tells the limit, they leave at its pace."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=1.0)
        calls = [loop.create_task(pacer.slot()) for _ in range(500)]
        await asyncio.sleep(2.0)
        assert sum(call.done() for call in calls) == 1
        assert pacer.budget.waiting_for
        pacer.observe(200, told(limit=60, remaining=59), sent_at=calls[0].result())
        await asyncio.sleep(10.0)
        assert 10 <= sum(call.done() for call in calls) <= 12
        for call in calls:
            call.cancel()

    run_virtual(main)


def test_an_emulator_without_a_limit_lets_everything_leave_at_once():
    """If the first answer says that there is no limit, all of 500 waiting calls leave."""

    async def main(loop):
        pacer = virtual_pacer(loop, unlimited_mark="8787")
        calls = [loop.create_task(pacer.slot()) for _ in range(500)]
        await asyncio.sleep(0.08)
        pacer.observe(200, UNLIMITED, sent_at=calls[0].result())
        await asyncio.sleep(0.001)
        assert all(call.done() for call in calls)
        assert pacer.rate_per_minute is None

    run_virtual(main)


@pytest.mark.parametrize("mark", [None, "8788"])
def test_what_an_emulator_says_holds_for_itself_only(mark):
    """Behind a gateway, whose port is another one, and for other vaults the rate is searched."""

    async def main(loop):
        pacer = virtual_pacer(loop, unlimited_mark=mark)
        pacer.observe(200, UNLIMITED, sent_at=await pacer.slot())
        assert pacer.rate_per_minute == pytest.approx(30.0, rel=0.01)

    run_virtual(main)


def test_a_lost_first_answer_holds_nobody_up_for_long():
    """If the first request fails or its answer never comes, another one takes its place."""

    async def main(loop):
        pacer = virtual_pacer(loop)
        first = await pacer.slot()
        pacer.observe(None, {}, sent_at=first)
        second = await pacer.slot()
        assert second == first
        third = await pacer.slot()
        assert third - second == pytest.approx(3.0)

    run_virtual(main)


def test_calls_leave_in_the_order_in_which_they_came():
    """First come, first served, also while some of those waiting give up."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=1.0, rate_per_minute=600)
        left = []

        async def call(number):
            await pacer.slot()
            left.append(number)

        calls = []
        for number in range(300):
            calls.append(loop.create_task(call(number)))
            await asyncio.sleep(0)
        gone = set(random.Random(1).sample(range(300), 100))
        await asyncio.sleep(0.5)
        already = set(left)
        for number in gone:
            calls[number].cancel()
        await asyncio.sleep(60)
        assert left == [n for n in range(300) if n in already or n not in gone]

    run_virtual(main)


def test_what_is_begun_goes_ahead_of_the_line():
    """A caller that asks to go ahead gets the next slot, before all who came earlier."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=1.0, rate_per_minute=60)
        await pacer.slot()
        left = []

        async def call(name, *, ahead):
            await pacer.slot(ahead=ahead)
            left.append(name)

        for number in range(20):
            loop.create_task(call(number, ahead=False))
            await asyncio.sleep(0)
        loop.create_task(call("begun", ahead=True))
        await asyncio.sleep(30)
        # The first in line waits for the slot itself and is not overtaken any more.
        assert left == [0, "begun", *range(1, 20)]

    run_virtual(main)


def test_a_call_that_gives_up_costs_no_slot():
    """Cancelling 990 of 1,000 waiting calls leaves the other ten at their usual distance."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=1.0, rate_per_minute=60)
        await pacer.slot()
        calls = [loop.create_task(pacer.slot()) for _ in range(1000)]
        await asyncio.sleep(0.1)
        for call in calls[:990]:
            call.cancel()
        last = await asyncio.gather(*calls[990:])
        assert last[-1] - last[0] == pytest.approx(9.0, abs=0.2)
        assert pacer.budget.sent_last_minute == 11

    run_virtual(main)


def test_the_head_of_the_line_may_give_up_at_any_moment():
    """Whoever is at the front may be cancelled at any instant; the next one takes its place."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=1.0, rate_per_minute=600)
        draw = random.Random(3)
        for _ in range(50):
            calls = [loop.create_task(pacer.slot()) for _ in range(5)]
            for call in calls[:4]:
                await asyncio.sleep(draw.choice([0.0, 0.0, 0.05, 0.1]))
                call.cancel()
            await asyncio.wait_for(calls[4], 10.0)

    run_virtual(main)


def test_holding_sends_everybody_home():
    """`hold` ends every wait, and every later one, until `release`."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=1.0, rate_per_minute=6)
        began = await pacer.slot()
        calls = [loop.create_task(pacer.slot()) for _ in range(20)]
        await asyncio.sleep(1.0)
        pacer.hold()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(end, CallAbandoned) for end in ends)
        assert loop.time() < began + 1.001
        with pytest.raises(CallAbandoned):
            await pacer.slot()
        pacer.release()
        assert await pacer.slot() > 0

    run_virtual(main)


@pytest.mark.parametrize("remaining", [None, 0, 500])
def test_a_wait_told_by_the_vault_is_kept(remaining):
    """After a refusal with Retry-After nothing leaves before its end, whatever else is known."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=1.0)
        sent_at = await pacer.slot()
        pacer.observe(200, told(600, 500), sent_at=sent_at)
        sent_at = await pacer.slot()
        await asyncio.sleep(0.1)
        refusal = told(600, remaining, **{"retry-after": 30})
        pacer.observe(429, refusal, sent_at=sent_at)
        told_at = loop.time()
        budget = pacer.budget
        assert budget.waiting_for == "the limit was met"
        assert budget.waiting_seconds == pytest.approx(30.0)
        assert await pacer.slot() - told_at == pytest.approx(30.0, abs=0.01)

    run_virtual(main)


def test_a_limit_lowered_meanwhile_is_kept_from_the_next_answer_on():
    """A new limit in the headers takes effect at once, lower and higher."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=0.5)
        counts = []
        limit = 1200
        for limit in (1200, 120, 600):
            begin, count = loop.time(), 0
            while loop.time() - begin < 30.0:
                sent_at = await pacer.slot()
                pacer.observe(200, told(limit=limit), sent_at=sent_at)
                count += 1
            counts.append(count)
        assert counts == [pytest.approx(c, abs=5) for c in (300, 30, 150)]

    run_virtual(main)


def test_a_limit_raised_unseen_is_found_again():
    """Without headers, a limit doubled after half an hour is found within the hour after it."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=1.0)
        begin, times, counts = loop.time(), [], []
        while loop.time() - begin < 6000.0:
            sent_at = await pacer.slot()
            limit = 120 if loop.time() - begin < 1800 else 240
            while times and times[0] <= loop.time() - 60.0:
                times.pop(0)
            passed = len(times) < limit
            if passed:
                times.append(loop.time())
                counts.append(loop.time() - begin)
            await asyncio.sleep(0.05)
            pacer.observe(200 if passed else 429, {}, sent_at=sent_at)
        assert sum(1500 <= c < 1800 for c in counts) >= 0.85 * 600
        assert sum(c >= 5400 for c in counts) >= 0.85 * 2400

    run_virtual(main)


@pytest.mark.parametrize("jump", [-3600.0, -5.0, 30.0, 8 * 3600.0])
@pytest.mark.parametrize("waiting", [False, True])
def test_a_clock_that_jumps_causes_neither_burst_nor_standstill(jump, waiting):
    """After a laptop's sleep, or a clock put back, requests leave at the usual pace again."""

    async def main(loop):
        offset = 0.0
        pacer = Pacer(share=1.0, clock=lambda: loop.time() + offset, sleep=asyncio.sleep)

        async def send(count, seconds):
            begin, sent = loop.time(), 0
            while sent < count and loop.time() - begin < seconds:
                sent_at = await pacer.slot()
                await asyncio.sleep(0.02)
                sent += 1
                pacer.observe(200, told(limit=120, remaining=100), sent_at=sent_at)
            return sent

        assert await send(1000, 30.0) == pytest.approx(61, abs=4)
        waiter = loop.create_task(pacer.slot()) if waiting else None
        await asyncio.sleep(0)
        offset += jump
        assert await send(1000, 20.0) == pytest.approx(40, abs=6)
        assert waiter is None or waiter.done()

    run_virtual(main)


def test_answers_out_of_order_and_never_are_borne():
    """Answers that overtake each other, or never come, neither stall nor overrun the budget."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=1.0)
        draw = random.Random(9)
        window, allowed, refused = [], 0, 0

        def answer(remaining, passed, sent_at):
            status = 200 if passed else 429
            pacer.observe(status, told(300, remaining), sent_at=sent_at)

        begin = loop.time()
        while loop.time() - begin < 300.0:
            sent_at = await pacer.slot()
            now = loop.time()
            while window and window[0] <= now - 60.0:
                window.pop(0)
            passed = len(window) < 300
            if passed:
                window.append(now)
            allowed, refused = allowed + passed, refused + (not passed)
            if draw.random() < 0.95:
                delay = draw.choice([0.02, 0.05, 2.0])
                loop.call_later(delay, answer, 300 - len(window), passed, sent_at)
            else:
                loop.call_later(5.0, lambda at: pacer.observe(None, {}, sent_at=at), sent_at)
        assert allowed > 0.95 * 1500
        assert refused < 0.01 * allowed

    run_virtual(main)


def test_headers_that_lie_stop_nothing():
    """A `remaining` that is always 0 though all requests pass slows down, and stops nothing."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=1.0)
        begin, sent = loop.time(), 0
        while loop.time() - begin < 600.0:
            sent_at = await pacer.slot()
            await asyncio.sleep(0.02)
            pacer.observe(200, told(limit=600, remaining=0), sent_at=sent_at)
            sent += 1
        assert sent > 0.5 * 6000

    run_virtual(main)


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01, float("nan")])
def test_a_share_that_is_no_part_is_refused(share):
    """A share outside 0 to 1 raises UsageError and is named."""
    with pytest.raises(UsageError, match="share"):
        Pacer(share=share)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_a_rate_that_cannot_be_kept_is_refused(rate):
    """A rate that is not a positive number raises UsageError."""
    with pytest.raises(UsageError, match="rate"):
        Pacer(rate_per_minute=rate)


def test_the_budget_tells_what_a_progress_display_needs():
    """Limit, share, rate, requests of the last minute and refusals are told as they are."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=0.5)
        assert pacer.budget.limit_per_minute is None
        for _ in range(10):
            sent_at = await pacer.slot()
            pacer.observe(200, told(limit=400, remaining=300), sent_at=sent_at)
        sent_at = await pacer.slot()
        pacer.observe(429, told(limit=400, remaining=0), sent_at=sent_at)
        budget = pacer.budget
        assert (budget.limit_per_minute, budget.share, budget.refusals) == (400, 0.5, 1)
        assert budget.sent_last_minute == 11
        assert pacer.limit_per_minute == 400
        assert 0 < pacer.rate_per_minute <= 200

    run_virtual(main)


def test_a_client_that_was_idle_for_days_goes_on():
    """Whatever was found by refusals, a long silence and one more refusal stop nothing."""

    async def calls(loop):
        pacer = virtual_pacer(loop, share=1.0)
        for _ in range(40):
            sent_at = await pacer.slot()
            pacer.observe(429, {}, sent_at=sent_at)
            await asyncio.sleep(1.0)
            pacer.observe(200, {}, sent_at=await pacer.slot())
        await asyncio.sleep(3 * 86_400.0)
        for _ in range(3):
            sent_at = await pacer.slot()
            pacer.observe(429, {}, sent_at=sent_at)
        return pacer.budget.refusals

    assert run_virtual(calls) == 43


# Reservations


async def knowing_pacer(loop, per_minute=20, share=0.5, **more):
    """A pacer that has been told a limit; by default a request leaves every six seconds."""
    pacer = virtual_pacer(loop, share=share, **more)
    pacer.observe(200, told(limit=per_minute), sent_at=await pacer.slot())
    return pacer


class Wire:
    """Notes when requests left, by name."""

    def __init__(self, loop, pacer):
        self.loop, self.pacer, self.began, self.left = loop, pacer, loop.time(), []

    def note(self, name):
        self.left.append((round(self.loop.time() - self.began, 2), name))

    async def pair(self, name, *, pages=1, used=2, answer_seconds=0.1):
        """A question of so many pages and what hangs on it, of which so many are sent."""
        reservation = await self.pacer.reserve(pages + 1)
        for turn in range(used):
            sent_at = await reservation.acquire()
            self.note(f"{name}.{turn}")
            await asyncio.sleep(answer_seconds)
            self.pacer.observe(200, told(limit=20), sent_at=sent_at)
        reservation.give_back()

    async def single(self, name):
        sent_at = await self.pacer.slot()
        self.note(name)
        self.pacer.observe(200, told(limit=20), sent_at=sent_at)


@pytest.mark.parametrize("answer_seconds", [0.1, 5.9])
def test_what_is_reserved_together_leaves_one_after_the_other(answer_seconds):
    """At a slow rate nobody gets between question and delete, and all leave evenly."""

    async def main(loop):
        wire = Wire(loop, await knowing_pacer(loop))
        work = [wire.pair(f"p{n}", answer_seconds=answer_seconds) for n in range(4)]
        work[2:2] = [wire.single("look"), wire.single("look")]
        await asyncio.gather(*work)
        assert [name for _, name in wire.left] == (
            ["p0.0", "p0.1", "p1.0", "p1.1", "look", "look", "p2.0", "p2.1", "p3.0", "p3.1"]
        )
        times = [at for at, _ in wire.left]
        assert times == pytest.approx([6.0 * n for n in range(1, 11)], abs=0.2)

    run_virtual(main)


@pytest.mark.parametrize("per_minute", [20, 600, 6000])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_reservation_says_how_far_apart_its_slots_are(per_minute, count):
    """As many times the pace as there are steps, and the first may leave at once."""

    async def main(loop):
        pacer = await knowing_pacer(loop, per_minute)
        reservation = await pacer.reserve(count)
        began = loop.time()
        taken = [await reservation.acquire() for _ in range(count)]
        assert taken[0] == began
        assert taken[-1] - taken[0] == pytest.approx(reservation.spacing_seconds, abs=0.01)
        even = 60.0 / (0.5 * per_minute)
        assert reservation.spacing_seconds == pytest.approx(even * (count - 1), abs=0.26)

    run_virtual(main)


def test_a_strict_gateway_refuses_none_of_them():
    """Twenty a minute spaced strictly, and half of it used: no two are closer than six seconds."""

    async def main(loop):
        wire = Wire(loop, await knowing_pacer(loop))
        draw = random.Random(4)
        work = []
        for number in range(60):
            pages = draw.choice([1, 1, 2, 3])
            used = draw.randint(1, pages + 1)
            kind = wire.single(f"look {number}")
            if draw.random() < 0.6:
                kind.close()
                kind = wire.pair(
                    f"p{number}", pages=pages, used=used, answer_seconds=draw.choice([0.1, 2, 7])
                )
            work.append(loop.create_task(kind))
            await asyncio.sleep(draw.choice([0, 0, 1, 20]))
        await asyncio.gather(*work)
        times = sorted(at for at, _ in wire.left)
        # A slot that was given back late is used within a second of its time.
        assert min(b - a for a, b in itertools.pairwise(times)) >= 5.0
        minutes = [sum(at <= other < at + 60 for other in times) for at in times]
        assert max(minutes) <= 11

    run_virtual(main)


def test_a_slot_that_is_given_back_is_used_by_the_next_and_once():
    """What the first did not need goes to who waits longest, at its time; then the pace is kept."""

    async def main(loop):
        wire = Wire(loop, await knowing_pacer(loop))
        await asyncio.gather(
            wire.pair("p0", used=1), wire.single("look"), wire.pair("p1"), wire.single("last")
        )
        assert [name for _, name in wire.left] == ["p0.0", "look", "p1.0", "p1.1", "last"]
        assert [at for at, _ in wire.left] == pytest.approx([6, 12, 18, 24, 30], abs=0.3)

    run_virtual(main)


def test_slots_that_are_given_back_serve_a_reservation_as_well():
    """Two that are left of three are what the next two need, and nobody leaves beside them."""

    async def main(loop):
        wire = Wire(loop, await knowing_pacer(loop))
        await asyncio.gather(
            wire.pair("p0", pages=2, used=1),
            wire.pair("p1"),
            wire.single("look"),
            wire.single("look"),
        )
        assert [at for at, _ in wire.left] == pytest.approx([6, 12, 18, 24, 30], abs=0.3)

    run_virtual(main)


def test_a_slot_that_is_given_back_too_late_is_lost():
    """More than a second after its time it would come on top of others."""

    async def main(loop):
        pacer = await knowing_pacer(loop)
        reservation = await pacer.reserve(2)
        first = await reservation.acquire()
        await asyncio.sleep(7.1)
        reservation.give_back()
        assert await pacer.slot() - first == pytest.approx(12.0, abs=0.3)

    run_virtual(main)


def test_nothing_is_reserved_before_the_limit_is_known():
    """The first request leaves alone; what hangs on it goes to the front of the line."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=0.5)
        reservation = await pacer.reserve(2)
        assert reservation.spacing_seconds == 0.0
        wire = Wire(loop, pacer)
        others = [loop.create_task(wire.single("other")) for _ in range(5)]
        sent_at = await reservation.acquire()
        await asyncio.sleep(0.1)
        pacer.observe(200, told(limit=20), sent_at=sent_at)
        await reservation.acquire()
        wire.note("rest")
        await asyncio.gather(*others)
        assert wire.left[1][1] == "rest"  # the head of the line was already waiting for its slot

    run_virtual(main)


def test_an_account_without_a_limit_gives_what_is_asked_for():
    """All at once, and no spacing."""

    async def main(loop):
        pacer = virtual_pacer(loop, unlimited_mark="8787")
        pacer.observe(200, UNLIMITED, sent_at=await pacer.slot())
        began = loop.time()
        reservation = await pacer.reserve(3)
        for _ in range(4):
            await reservation.acquire()
        assert (loop.time(), reservation.spacing_seconds) == (began, 0.0)

    run_virtual(main)


def test_where_the_budget_is_spent_between_the_first_waits():
    """A question is asked only when what hangs on it can follow at the pace."""

    async def main(loop):
        pacer = virtual_pacer(loop, share=1.0)
        for remaining in (3, 2, 1):
            headers = told(limit=60, remaining=remaining, **{"x-ratelimit-reset": 40})
            pacer.observe(200, headers, sent_at=await pacer.slot())
        for _ in range(3):
            reservation = await pacer.reserve(2)
            began = loop.time()
            await reservation.acquire()
            assert loop.time() == began
            await reservation.acquire()
            assert loop.time() - began <= reservation.spacing_seconds + 0.01 <= 1.3

    run_virtual(main)


@pytest.mark.parametrize("at", ["reserve", "first", "second"])
def test_holding_abandons_a_reservation(at):
    """Whoever waits for one, or for a slot of one, goes home; after `release` it can be taken."""

    async def main(loop):
        pacer = await knowing_pacer(loop)
        if at == "reserve":
            waits = loop.create_task(pacer.reserve(2))
        else:
            reservation = await pacer.reserve(2)
            if at == "second":
                await reservation.acquire()
                waits = loop.create_task(reservation.acquire())
            else:
                pacer.hold()
                waits = loop.create_task(reservation.acquire())
        await asyncio.sleep(0.3)
        pacer.hold()
        with pytest.raises(CallAbandoned):
            await waits
        pacer.release()
        if at != "reserve":
            assert await reservation.acquire() > 0

    run_virtual(main)


def test_a_slot_given_back_while_nothing_may_leave_keeps_nobody_awake():
    """After a refusal who waits sleeps until its end, and does not look again and again."""

    async def main(loop):
        naps = []

        async def sleep(seconds):
            naps.append(seconds)
            assert len(naps) < 100
            await asyncio.sleep(seconds)

        pacer = Pacer(share=0.5, clock=loop.time, sleep=sleep)
        pacer.observe(200, told(limit=20), sent_at=await pacer.slot())
        reservation = await pacer.reserve(2)
        sent_at = await reservation.acquire()
        reservation.give_back()
        pacer.observe(429, told(limit=20, **{"retry-after": 30}), sent_at=sent_at)
        assert await pacer.slot() - sent_at >= 30.0

    run_virtual(main)


def test_reservations_use_the_budget_as_single_requests_do():
    """Half of six hundred a minute, in pairs and alone, with lag: within three percent."""

    async def main(loop):
        pacer = await knowing_pacer(loop, 600)
        began, sent = loop.time(), 0

        async def worker(pairs):
            nonlocal sent
            while loop.time() - began < 60.0:
                if not pairs:
                    takes = [pacer.slot]
                else:
                    reservation = await pacer.reserve(2)
                    takes = [reservation.acquire, reservation.acquire]
                for take in takes:
                    sent_at = await take()
                    sent += loop.time() - began < 60.0
                    await asyncio.sleep(0.08)
                    pacer.observe(200, told(limit=600, remaining=300), sent_at=sent_at)

        await asyncio.gather(*(worker(pairs=number % 3 > 0) for number in range(16)))
        assert sent == pytest.approx(300, rel=0.03)

    run_virtual(main)
