"""The only way to the vault: what may leave, on which evidence, and what stops everything."""

import asyncio
import json
from collections import deque
from datetime import UTC, datetime, timedelta

import pytest
from cleanup_vaults import raw_card

from tokenvault_data.cleanup.clock import Clock
from tokenvault_data.cleanup.engine.freshness import Evidence, Heartbeat
from tokenvault_data.cleanup.engine.sender import SendCancelled, Sender, StopReason
from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.client.calls import delete_call, fetch_call
from tokenvault_data.client.retries import Attempt
from tokenvault_data.errors import CallAbandoned

START = datetime(2026, 11, 22, 9, tzinfo=UTC)
FETCH, DELETE = fetch_call("c1", "i1"), delete_call("c1", "i1")


class Slots:
    """A reservation that notes whether it was given back."""

    spacing_seconds = 0.0

    def __init__(self):
        self.is_given_back = False

    def give_back(self):
        self.is_given_back = True


class Scripted:
    """A vault that answers what it was told to, and the clocks around it."""

    def __init__(self, *answers, **limits):
        self.answers = deque(answers)
        self.asked, self.reserved = [], []
        self.seconds, self.is_held = 100.0, False
        self.before_ready = self.while_sent = lambda: None
        settings = {"window_reserve": 0.0} | limits
        self.sender = Sender(self, Limits(**settings), self.clock())
        self.heart = Heartbeat(self.clock())

    def clock(self):
        return Clock(
            lambda: START + timedelta(seconds=self.seconds),
            lambda: self.seconds,
            self.sleep,
            lambda: self.seconds,
        )

    async def sleep(self, seconds):
        self.seconds += seconds
        self.heart.beat()
        await asyncio.sleep(0)

    async def attempt(
        self, call, *, idempotency_key=None, before_send=None, reservation=None, url=None
    ):
        if self.is_held:
            raise CallAbandoned("held")
        self.before_ready()
        if before_send is not None:
            before_send()
        self.asked.append((call.operation, idempotency_key, url))
        self.while_sent()
        return self.answers.popleft()

    async def reserve(self, count):
        if self.is_held:
            raise CallAbandoned("held")
        self.reserved.append(Slots())
        return self.reserved[-1]

    def url_of(self, call):
        return f"https://vault{call.target}"

    def hold(self):
        self.is_held = True

    def release(self):
        self.is_held = False

    def evidence(self, bound=2.0):
        return Evidence.about_to_ask(self.heart, bound)

    def list(self):
        return asyncio.run(self.sender.read_list("c1", Slots()))

    def delete(self, evidence=None):
        return asyncio.run(self.sender.delete(DELETE, "key", evidence or self.evidence(), Slots()))


def card(instrument="i1"):
    return raw_card(instrument) | {"customer_id": "c1"}


def answered(status, body=b"", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Attempt("answered", status, headers, content, f"r-{status}", None, str(status))


LOST = Attempt("lost", None, {}, b"", "r-lost", None, "no answer came")


# Lists


def test_a_list_is_read_page_by_page():
    """Each page is asked for where the one before says; together they are the list."""
    vault = Scripted(
        answered(200, {"data": [card("i1")], "cursor": "next"}),
        answered(200, {"data": [card("i2")], "cursor": None}),
    )
    found = vault.list()
    assert [one["instrument_id"] for one in found.elements] == ["i1", "i2"]
    assert (found.pages, found.problem, found.status) == (2, None, 200)
    urls = [url for _, _, url in vault.asked]
    assert urls[1] == f"{urls[0]}&cursor=next"


@pytest.mark.parametrize(
    ("answer", "is_absent", "counts", "kind"),
    [
        (answered(404), True, True, None),
        (answered(429), False, False, None),
        (answered(500), False, True, None),
        (answered(204), False, True, None),
        (answered(401), False, True, "pause"),
        (answered(302), False, True, "halt"),
        (answered(422), False, True, "halt"),
        (LOST, False, True, None),
        (answered(200, b"null"), False, True, None),
        (answered(200, b"<html>"), False, True, None),
        (answered(200, b"[{]"), False, True, None),
    ],
)
def test_what_is_no_whole_list_is_none(answer, is_absent, counts, kind):
    """Whatever came instead, with why; some of it stops the campaign."""
    vault = Scripted(answer)
    found = vault.list()
    assert found.elements is None
    assert found.problem
    assert (found.is_absent, found.counts) == (is_absent, counts)
    assert (found.status, found.request_id) == (answer.status, answer.request_id)
    assert (None if vault.sender.ending is None else vault.sender.ending.kind) == kind


@pytest.mark.parametrize("answer", [answered(404), answered(500), LOST, answered(200, [card()])])
def test_a_list_of_which_a_further_page_is_missing_is_none(answer):
    """Above all no list of the pages that came, and no customer who is not there."""
    vault = Scripted(answered(200, {"data": [card("i1")], "cursor": "next"}), answer)
    found = vault.list()
    assert (found.elements, found.is_absent) == (None, False)
    assert len(found.bodies) == 1


def test_three_lists_of_garbage_pause_and_failures_rest():
    """They count as answers to fetches do."""
    vault = Scripted(*[answered(200, b"<html>")] * 3)
    for _ in range(3):
        vault.list()
    assert vault.sender.ending.kind == "pause"
    vault = Scripted(*[answered(503)] * 5)
    for _ in range(5):
        vault.list()
    assert vault.sender.ending.kind == "rest"


def test_nothing_of_a_list_is_asked_for_once_the_gate_is_closed():
    """A page in between may close it; then the list is given up, and it is nobody's fault."""
    vault = Scripted(answered(200, {"data": [], "cursor": "next"}, **{"retry-after": "9"}))
    vault.while_sent = lambda: vault.sender.gate.observe(429, {"retry-after": "30"}, vault.seconds)
    assert vault.list() is None
    assert len(vault.asked) == 1
    assert vault.sender.ending is None


# Reservations


def test_slots_are_booked_where_both_may_leave():
    """While question and delete together would meet the reserve, it waits."""
    vault = Scripted(window_reserve=0.3)
    headers = {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "30"}
    vault.sender.gate.observe(200, headers | {"x-ratelimit-reset": "20"}, vault.seconds)
    began = vault.seconds
    assert asyncio.run(vault.sender.reserve(1)) is not None
    assert vault.seconds == began
    assert asyncio.run(vault.sender.reserve(2)) is not None
    assert vault.seconds >= began + 20


def test_slots_that_came_too_late_are_given_back():
    """The gate may have closed while they were waited for."""
    vault = Scripted()

    async def reserve(count):
        if not vault.reserved:
            vault.sender.gate.observe(429, {"retry-after": "5"}, vault.seconds)
        vault.reserved.append(Slots())
        return vault.reserved[-1]

    vault.reserve = reserve
    found = asyncio.run(vault.sender.reserve(2))
    assert [one.is_given_back for one in vault.reserved] == [True, False]
    assert found is vault.reserved[1]


def test_nothing_is_booked_once_the_campaign_stops():
    """Before it waits, and while."""
    vault = Scripted()
    vault.is_held = True
    assert asyncio.run(vault.sender.reserve(2)) is None
    vault.sender.stop(StopReason("pause", "enough"))
    assert asyncio.run(vault.sender.reserve(2)) is None
    assert vault.reserved == []


# Deletes


def test_a_delete_leaves_with_the_age_of_its_evidence():
    """As it was at the last look, and with the key of its intent."""
    vault = Scripted(answered(200, card()))
    evidence = vault.evidence()
    vault.before_ready = lambda: vault.asyncio_sleep(0.7)
    vault.asyncio_sleep = lambda seconds: setattr(vault, "seconds", vault.seconds + seconds)
    reading, sent = vault.delete(evidence)
    assert reading.row.delete == "accepted"
    assert (sent.evidence_seconds, sent.late_seconds) == (0.7, None)
    assert vault.asked == [("delete", "key", None)]


def steps(vault, seconds):
    """Let time pass without the process noticing a stop."""
    for _ in range(round(seconds * 10)):
        vault.seconds += 0.1
        vault.heart.beat()


@pytest.mark.parametrize(
    ("happens", "counts", "words"),
    [
        (lambda vault: steps(vault, 2.2), True, "2.2 s old"),
        (lambda vault: setattr(vault, "seconds", vault.seconds + 1.5), True, "was stopped"),
        (
            lambda vault: vault.sender.gate.observe(429, {"retry-after": "9"}, vault.seconds),
            False,
            "rate limit",
        ),
        (lambda vault: vault.sender.stop(StopReason("pause", "enough")), False, "stopped"),
    ],
)
def test_a_delete_is_taken_back_in_the_last_moment(happens, counts, words):
    """What happens while it waits for its slot is looked at before anything leaves."""
    vault = Scripted(answered(200, card()))
    evidence = vault.evidence()
    vault.before_ready = lambda: happens(vault)
    with pytest.raises(SendCancelled, match=words) as caught:
        vault.delete(evidence)
    assert caught.value.counts is counts
    assert vault.asked == []


def test_a_delete_that_is_abandoned_in_the_line_is_taken_back():
    """Nobody else's fault, and nothing has left."""
    vault = Scripted(answered(200, card()))
    vault.is_held = True
    with pytest.raises(SendCancelled, match="stopped") as caught:
        vault.delete()
    assert caught.value.counts is False
    assert vault.asked == []


def test_a_process_stopped_while_a_delete_was_on_its_way_says_so():
    """It may have left so much later than the last look."""
    vault = Scripted(answered(200, card()))
    evidence = vault.evidence()
    vault.while_sent = lambda: setattr(vault, "seconds", vault.seconds + 8.0)
    _, sent = vault.delete(evidence)
    assert sent.evidence_seconds == 0.0
    assert sent.late_seconds == 8.0


def test_a_slow_answer_leaves_open_when_the_delete_left():
    """A connection may have been opened first: past the bound it counts as late."""
    vault = Scripted(answered(200, card()))
    evidence = vault.evidence()
    vault.while_sent = lambda: steps(vault, 8.0)
    _, sent = vault.delete(evidence)
    assert sent.late_seconds == 8.0


# Fetches and what stops


def test_a_fetch_waits_for_the_gate_and_tells_when_it_leaves():
    """Also where the gate closes while it waits for its slot."""
    vault = Scripted(answered(404))
    closed = []

    def close_once():
        if not closed:
            closed.append(vault.sender.gate.observe(429, {"retry-after": "5"}, vault.seconds))

    vault.before_ready = close_once
    left = []
    reading = asyncio.run(vault.sender.fetch(FETCH, lambda: left.append(vault.seconds)))
    assert reading.row.fetch == "absent"
    assert left == [pytest.approx(105.0)]


def test_the_emulator_says_which_one_it_is():
    """The last one that did; an account without an emulator never does."""
    vault = Scripted(answered(404), answered(404, **{"x-emulator-instance": "e1"}), answered(404))
    found = []
    for _ in range(3):
        asyncio.run(vault.sender.fetch(FETCH))
        found.append(vault.sender.instance)
    assert found == [None, "e1", "e1"]


def test_the_graver_reason_stays():
    """A halt is not made a pause by what comes later, and `go_on` begins anew."""
    vault = Scripted()
    for kind, stays in [("rest", "rest"), ("halt", "halt"), ("pause", "halt"), ("abort", "halt")]:
        vault.sender.stop(StopReason(kind, kind))
        assert vault.sender.ending == (stays, stays)
    assert vault.is_held
    vault.sender.go_on()
    assert vault.sender.ending is None
    assert not vault.is_held
