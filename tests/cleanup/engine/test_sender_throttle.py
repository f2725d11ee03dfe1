"""How long the limit headers of an answer keep the campaign from sending."""

import pytest

from tokenvault_data.cleanup.engine.sender import Throttle


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "30"}, 30.0),
        ({"x-ratelimit-retry": "7"}, 7.0),
        ({"x-ratelimit-reset": "12"}, 12.0),
        ({"retry-after": "3600"}, 900.0),
        ({"retry-after": "0.01"}, 1.0),
        ({"retry-after": "0"}, 1.0),
        ({"retry-after": "-5"}, 1.0),
        ({"retry-after": "1e30"}, 1.0),
        ({"retry-after": "NaN"}, 1.0),
        ({"retry-after": "soon"}, 1.0),
        ({}, 1.0),
        (
            {
                "retry-after": "Sun, 22 Nov 2026 10:00:40 GMT",
                "date": "Sun, 22 Nov 2026 10:00:00 GMT",
            },
            40.0,
        ),
    ],
)
def test_a_refusal_closes_it_for_as_long_as_asked(headers, seconds):
    """Clamped to 1 to 900 seconds, whatever the headers say or leave out."""
    gate = Throttle(0.0)
    gate.observe(429, headers, 100.0)
    assert gate.closed_for(100.0) == pytest.approx(seconds)
    assert gate.closed_for(100.0 + seconds) == 0


def test_refusals_in_a_row_without_a_word_wait_longer_and_longer():
    """One second, two, four, and at the most a minute; a good answer begins afresh."""
    gate, waits = Throttle(0.0), []
    for _ in range(9):
        gate.observe(429, {}, 0.0)
        waits.append(gate.closed_for(0.0))
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    gate.observe(200, {}, 100.0)
    gate.observe(429, {}, 100.0)
    assert gate.closed_for(100.0) == 1


def test_it_tells_how_long_nothing_was_answered_but_refusals():
    """From the first 429 on, whatever did not answer at all, until another answer."""
    gate = Throttle(0.0)
    assert gate.refused_seconds(5.0) == 0
    for status, now in ((200, 10.0), (429, 20.0), (429, 50.0), (None, 60.0)):
        gate.observe(status, {}, now)
    assert gate.refused_seconds(70.0) == 50.0
    gate.observe(503, {}, 80.0)
    assert gate.refused_seconds(90.0) == 0


def test_time_in_which_nothing_was_asked_is_no_time_of_refusals():
    """Two refusals an hour apart are a minute of them; a wait that was obeyed is one wait."""
    gate = Throttle(0.0)
    gate.observe(429, {"retry-after": "1"}, 0.0)
    gate.observe(429, {"retry-after": "1"}, 3600.0)
    assert gate.refused_seconds(3600.0) == 60.0
    gate = Throttle(0.0)
    for number, told in enumerate((0.0, 900.0, 1800.0)):
        gate.observe(429, {"retry-after": "900"}, 900.5 * number)
        assert gate.refused_seconds(900.5 * number) == told


@pytest.mark.parametrize(("remaining", "closed"), [("30", 0.0), ("29", 25.0), ("0", 25.0)])
def test_a_reserve_is_left_to_others(remaining, closed):
    """Below 30 % of the window nothing is sent until it starts anew."""
    gate = Throttle(0.30)
    headers = {"x-ratelimit-limit": "100", "x-ratelimit-remaining": remaining}
    gate.observe(200, headers | {"x-ratelimit-reset": "25"}, 0.0)
    assert gate.closed_for(0.0) == closed


def test_without_headers_or_reserve_it_stays_open():
    """Nothing said, nothing to wait for; and no reserve keeps nothing back."""
    gate = Throttle(0.30)
    gate.observe(200, {}, 0.0)
    gate.observe(None, {}, 0.0)
    assert gate.closed_for(0.0) == 0
    none = Throttle(0.0)
    none.observe(200, {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "0"}, 0.0)
    assert none.closed_for(0.0) == 0


def test_a_shorter_wait_never_opens_it_early():
    """The longest of the waits asked for holds."""
    gate = Throttle(0.0)
    gate.observe(429, {"retry-after": "30"}, 0.0)
    gate.observe(429, {"retry-after": "2"}, 1.0)
    assert gate.closed_for(1.0) == 29


def told(remaining, limit="100", reset="25"):
    return {
        "x-ratelimit-limit": limit,
        "x-ratelimit-remaining": remaining,
        "x-ratelimit-reset": reset,
    }


@pytest.mark.parametrize(
    ("remaining", "one", "two"), [("31", 0, 0), ("30", 0, 25), ("29", 25, 25), ("0", 25, 25)]
)
def test_a_question_is_not_asked_where_its_answer_would_close_the_gate(remaining, one, two):
    """One request may still leave where two that belong together may not."""
    gate = Throttle(0.30)
    gate.observe(200, told(remaining), 0.0)
    assert [gate.closed_for(0.0, requests) for requests in (1, 2, 3)] == [one, two, two]
    assert gate.closed_for(25.0, 2) == 0


def test_a_later_answer_with_more_room_lets_two_pass_again():
    """The narrow gate is as the last answer says; a wait that was asked for stays."""
    gate = Throttle(0.30)
    gate.observe(200, told("30"), 0.0)
    gate.observe(200, told("80"), 1.0)
    assert gate.closed_for(1.0, 2) == 0
    gate.observe(429, {"retry-after": "30"}, 2.0)
    gate.observe(200, told("80"), 3.0)
    assert [gate.closed_for(3.0, requests) for requests in (1, 2)] == [29, 29]


def test_looking_one_request_ahead_counts_no_refusal():
    """A refusal without a word is counted once, however often it is looked at."""
    gate = Throttle(0.30)
    waits = []
    for _ in range(3):
        gate.observe(429, {}, 0.0)
        waits.append((gate.closed_for(0.0), gate.closed_for(0.0, 2)))
    assert waits == [(1, 1), (2, 2), (4, 4)]


def test_no_answer_changes_nothing():
    """What was lost says neither that there is room nor that there is none."""
    gate = Throttle(0.30)
    gate.observe(200, told("30"), 0.0)
    gate.observe(None, {}, 1.0)
    assert [gate.closed_for(1.0, requests) for requests in (1, 2)] == [0, 24]
