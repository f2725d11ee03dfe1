"""Failures, garbage and drift: one either side of every limit."""

import pytest

from tokenvault_data.cleanup.engine.sender import CircuitBreaker, DriftBreaker
from tokenvault_data.cleanup.selection.limits import Limits


def test_five_failures_in_a_row_trip_it_and_four_do_not():
    """A success in between begins the count afresh."""
    breaker = CircuitBreaker(Limits(failure_share=1.0))
    for _ in range(4):
        assert breaker.note_failure() is None
    breaker.note_success()
    for _ in range(4):
        assert breaker.note_failure() is None
    assert "5 calls" in breaker.note_failure()


def test_a_fifth_of_fifty_is_borne_and_more_is_not():
    """The share is of a full window, whatever the order."""
    breaker = CircuitBreaker(Limits())
    for turn in range(50):
        fails = turn >= 30 and turn % 2
        assert (breaker.note_failure() if fails else breaker.note_success()) is None
    assert "11 of the last 50" in breaker.note_failure()


def test_a_new_window_is_not_judged_before_it_is_full():
    """Two failures of the first three calls are no fifth of fifty."""
    breaker = CircuitBreaker(Limits())
    breaker.note_success()
    assert breaker.note_failure() is None
    assert breaker.note_failure() is None


@pytest.mark.parametrize("cap", [0, 1])
def test_no_failure_allowed_means_the_first_one_trips(cap):
    """Zero means zero."""
    assert CircuitBreaker(Limits(failures_in_row=cap)).note_failure()


def test_three_garbage_answers_in_a_row_trip_it():
    """Only a good answer begins that count afresh, another kind of failure does not."""
    breaker = CircuitBreaker(Limits())
    assert breaker.note_garbage() is None
    assert breaker.note_garbage() is None
    breaker.note_failure()
    assert "3 answers" in breaker.note_garbage()
    breaker.note_success()
    assert breaker.note_garbage() is None


def test_three_changed_cards_stop_a_canary_and_two_do_not():
    """Wherever they stand among the others."""
    stop = DriftBreaker(Limits())
    assert stop.record(drifted=True, in_canary=True) is None
    assert stop.record(drifted=False, in_canary=True) is None
    assert stop.record(drifted=True, in_canary=True) is None
    assert "canary" in stop.record(drifted=True, in_canary=True)


def test_two_percent_of_two_hundred_are_borne_and_more_are_not():
    """Four changed cards in the window pass, the fifth stops, and old ones are forgotten."""
    stop = DriftBreaker(Limits())
    for _ in range(4):
        assert stop.record(drifted=True, in_canary=False) is None
    for _ in range(196):
        stop.record(drifted=False, in_canary=False)
    assert stop.record(drifted=True, in_canary=False) is None
    for _ in range(2):
        stop.record(drifted=False, in_canary=False)
    assert stop.record(drifted=True, in_canary=False) is None
    assert stop.record(drifted=True, in_canary=False) is None
    assert stop.record(drifted=True, in_canary=False) is None
    assert "5 of the last 200" in stop.record(drifted=True, in_canary=False)


def test_no_drift_allowed_means_the_first_one_stops():
    """Zero means zero, in the canary and after."""
    assert DriftBreaker(Limits(drift_canary=0)).record(drifted=True, in_canary=True)
    assert DriftBreaker(Limits(drift_share=0.0)).record(drifted=True, in_canary=False)
