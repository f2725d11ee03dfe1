"""A fan-out ends, blames nobody who is answered and loses nobody, whatever a vault answers when."""

import asyncio
import random
from collections import Counter
from types import SimpleNamespace

import pytest

from tokenvault_data.client.client import CustomerCards
from tokenvault_data.collection import fan_out, outage
from tokenvault_data.collection.fan_out import Customer, Failed, FanOut, Fetched
from tokenvault_data.errors import (
    AccessDenied,
    CallAbandoned,
    NotFound,
    RateLimited,
    RequestRejected,
    UnusableAnswer,
    VaultUnavailable,
)
from tokenvault_data.identifiers import clean_customer_id

GOOD = ("200", "204")
KINDS = {
    "302": (UnusableAnswer, 302),
    "400": (RequestRejected, 400),
    "401": (AccessDenied, 401),
    "403": (AccessDenied, 403),
    "404": (NotFound, 404),
    "429": (RateLimited, 429),
    "500": (VaultUnavailable, 500),
    "garbage": (UnusableAnswer, 200),
}


class SimulatedVault:
    """Answers each customer as it is told to, after a random while; `during` overrules all."""

    def __init__(self, answers, chance, *, most_requests, latency=0.002):
        self.answers, self.chance, self.latency = answers, chance, latency
        self.most_requests = most_requests
        self.asked = Counter()
        self.answered, self.spoken = [], 0
        self.during = lambda: None
        self.budget = SimpleNamespace(refusals=0)
        self._holds, self._is_held = 0, False

    def hold(self):
        self._holds, self._is_held = self._holds + 1, True

    def release(self):
        self._is_held = False

    async def fetch_cards(self, customer_id, *, patience_seconds=0.3):
        clean_customer_id(customer_id)
        holds = self._holds
        await asyncio.sleep(self.latency * self.chance.choice((0, 0, 1)))
        if self._is_held or holds != self._holds:
            raise CallAbandoned("held", attempts=0)
        self.asked[customer_id] += 1
        assert self.asked.total() <= self.most_requests, "it asks and asks"
        answer = self.during() or self.answers.get(customer_id, "404")
        await asyncio.sleep(self.latency * self.chance.choice((0, 1, 1, 2, 20)))
        if answer == "429":
            raise await self._refused_again_and_again(patience_seconds)
        self.spoken += 1
        if answer in GOOD:
            self.answered.append(customer_id)
            return CustomerCards([b"[]"], 0, 1, int(answer))
        kind, status = KINDS[answer]
        raise kind(answer, status=status)

    async def _refused_again_and_again(self, patience_seconds):
        error = RateLimited("429", status=429)
        clock = asyncio.get_running_loop().time
        spoken, began = self.spoken, clock()
        while clock() < began + patience_seconds and not error.others_answered:
            self.budget.refusals += 1
            await asyncio.sleep(0.005)
            error.others_answered = self.spoken > spoken
        return error


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(outage, "FIRST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(fan_out, "VOUCH_SECONDS", 0.01, raising=False)


def simulate(answers, seed=0, *, concurrency=8, during=None, known=None, patience_seconds=1.0):
    """The vault, the results by customer id, and the error that ended it."""
    vault = SimulatedVault(answers, random.Random(seed), most_requests=6 * len(answers) + 80)
    if during is not None:
        vault.during = during
    results = []

    async def take(result):
        await asyncio.sleep(0)
        results.append(result)

    async def go():
        fan = FanOut(
            vault, take, concurrency=concurrency, patience_seconds=patience_seconds, known=known
        )
        await fan.run(Customer(*one) for one in enumerate(answers))

    error = None
    try:
        asyncio.run(go())
    except Exception as raised:  # noqa: BLE001  handed to the test
        error = raised
    by_id = {result.customer.customer_id: result for result in results}
    assert len(by_id) == len(results), "a customer has two results"
    return vault, by_id, error


def names_of(results, kind):
    return {name for name, result in results.items() if isinstance(result, kind)}


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_answered_it_ends_and_each_has_its_own(seed):
    """Random lists of all kinds of answers, mostly good or mostly bad, short or long."""
    chance = random.Random(seed)
    good_part = chance.choice((0.0, 0.1, 0.5, 0.9))
    answers = {
        f"c{n}": chance.choice(GOOD) if chance.random() < good_part else chance.choice([*KINDS])
        for n in range(chance.choice((1, 2, 3, 5, 12, 40, 120)))
    }
    vault, results, error = simulate(answers, seed, concurrency=chance.choice((1, 3, 16, 64)))
    good = {name for name, answer in answers.items() if answer in GOOD}
    assert not names_of(results, Failed) & good
    assert names_of(results, Fetched) <= good
    if error is None:
        assert set(results) == set(answers)
    else:  # nobody speaks for the vault, and what is said of it was met
        assert not vault.answered
        met = {KINDS[answers[name]][0] for name in vault.asked if name in answers}
        assert type(error) in met, repr(error)


@pytest.mark.parametrize(
    "kinds",
    [("302", "403"), ("500", "401"), ("302", "302", "403", "403"), ("garbage", "403", "500")],
)
@pytest.mark.parametrize("concurrency", [1, 16])
def test_nobody_left_to_ask_is_an_end(kinds, concurrency):
    """Refusals and outages in one short list, and nobody who was ever answered."""
    answers = {f"c{n}": kind for n, kind in enumerate(kinds)}
    vault, results, error = simulate(answers, concurrency=concurrency)
    assert isinstance(error, tuple(KINDS[kind][0] for kind in kinds))
    assert results == {}
    assert vault.asked.total() <= 2 * len(kinds) + 2


@pytest.mark.parametrize("status", ["401", "403"])
@pytest.mark.parametrize("seed", range(5))
def test_a_refused_customer_among_good_ones_fails_alone(status, seed):
    """Also where the good ones are slow, and the list is handed out before one is answered."""
    chance = random.Random(seed)
    answers = {f"c{n}": "200" for n in range(chance.choice((2, 4, 60)))}
    bad = chance.choice([*answers])
    vault, results, error = simulate(answers | {bad: status}, seed, concurrency=64)
    assert error is None
    assert set(results) == set(answers)
    assert names_of(results, Failed) == {bad}
    assert vault.asked[bad] == results[bad].requests == 2


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("begin", [20, 100, 390])
def test_a_hiccup_of_refusals_fails_nobody(seed, begin):
    """Everybody is answered 401 for 20 ms, once: all are fetched."""
    asked, since = 0, None

    def hiccup():
        nonlocal asked, since
        asked += 1
        now = asyncio.get_running_loop().time()
        if asked == begin:
            since = now
        return "401" if since is not None and now < since + 0.02 else None

    answers = dict.fromkeys((f"c{n}" for n in range(400)), "200")
    _, results, error = simulate(answers, seed, concurrency=64, during=hiccup)
    assert error is None
    assert names_of(results, Fetched) == set(answers)


@pytest.mark.parametrize("seed", range(3))
def test_refusals_at_random_hit_nobody_much_and_stop_nothing(seed):
    """One in ten at random: controls are refused, too, and no fault of ours ends it."""
    chance = random.Random(seed)
    answers = dict.fromkeys((f"c{n}" for n in range(400)), "200")
    _, results, error = simulate(
        answers,
        seed,
        concurrency=32,
        during=lambda: "403" if chance.random() < 0.1 else None,
    )
    assert error is None
    assert set(results) == set(answers)
    assert len(names_of(results, Failed)) <= 20


@pytest.mark.parametrize("concurrency", [1, 64])
def test_everybody_refused_stops_with_few_requests(concurrency):
    """Wrong credentials are no hiccup."""
    answers = dict.fromkeys((f"c{n}" for n in range(400)), "401")
    vault, results, error = simulate(answers, concurrency=concurrency, during=lambda: "401")
    assert isinstance(error, AccessDenied)
    assert results == {}
    assert vault.asked.total() <= max(8, concurrency) + 2  # those under way, and two once more


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_customer_met_with_429_is_told_apart_when_nobody_else_is_left(concurrency):
    """A control is asked beside it, so that it does not cost the patience, nor stop the others."""
    answers = dict.fromkeys((f"c{n}" for n in range(20)), "200") | {"c19": "429"}
    _, results, error = simulate(answers, concurrency=concurrency, patience_seconds=60)
    assert error is None
    assert names_of(results, Failed) == {"c19"}


def test_an_id_that_no_request_can_be_made_of_fails_alone():
    """Nothing is asked for it, and it says nothing of the vault."""
    answers = {"c0": "200", "a/b": "200", "c1": "200"}
    vault, results, error = simulate(answers)
    assert error is None
    assert names_of(results, Failed) == {"a/b"}
    assert results["a/b"].requests == vault.asked["a/b"] == 0
    assert "a/b" not in repr(results["a/b"].customer)


def test_a_fault_of_ours_stops_in_order():
    """Whatever `take` raises, what is under way is still taken, and the fault itself is raised."""
    answers = dict.fromkeys((f"c{n}" for n in range(100)), "200")
    vault = SimulatedVault(answers, random.Random(1), most_requests=200)
    taken = []

    async def take(result):
        taken.append(result.customer.customer_id)
        if len(taken) == 10:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(FanOut(vault, take).run(Customer(*one) for one in enumerate(answers)))
    assert sorted(taken) == sorted(vault.asked)
