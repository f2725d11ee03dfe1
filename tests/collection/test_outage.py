"""An outage is told from a customer that fails, by what else was answered meanwhile."""

import pytest

from tokenvault_data.collection.outage import LONGEST_WAIT_SECONDS, SUSPECTS, OutageDetector


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watch(clock):
    return OutageDetector(clock)


def test_a_failure_amid_answers_is_a_suspect_who_is_not_innocent(watch):
    """A customer that failed while others were answered cannot put it on an outage."""
    watch.answered()
    watch.failed("anna", never_sent=False)
    assert watch.out_since is None
    assert watch.answered() == (["anna"], False)
    assert watch.suspects == []


def test_failures_in_a_row_make_an_outage(watch, clock):
    """The vault is taken for out of reach since the first of several failures in a row."""
    for number in range(SUSPECTS):
        assert watch.out_since is None
        clock.now += 1
        watch.failed(number, never_sent=False)
    clock.now += 10
    assert watch.out_for_seconds() == 10 + SUSPECTS - 1


def test_an_answer_in_between_starts_the_count_again(watch):
    """Failures that are not in a row do not add up to an outage."""
    for number in range(3 * SUSPECTS):
        watch.failed(number, never_sent=False)
        if number % (SUSPECTS - 1) == 0:
            watch.answered()
        assert watch.out_since is None


def test_no_connection_is_an_outage_at_once(watch):
    """One customer to whom not even a connection could be made is enough."""
    watch.failed("anna", never_sent=True)
    assert watch.out_since is not None


def test_only_a_failed_probe_proves_innocence(watch):
    """Many failures prove nothing yet: they may be many bad customers one after the other."""
    for number in range(SUSPECTS):
        watch.failed(number, never_sent=False)
    assert not watch.answered().innocent
    for number in range(SUSPECTS):
        watch.failed(number, never_sent=False)
    watch.probe_failed()
    assert watch.answered() == (list(range(SUSPECTS)), True)


def test_what_was_proved_of_one_outage_does_not_hold_for_the_next(watch):
    """After an answer, innocence has to be proved anew."""
    watch.failed("anna", never_sent=True)
    watch.probe_failed()
    watch.answered()
    watch.failed("bela", never_sent=True)
    assert watch.answered() == (["bela"], False)


def test_probes_come_at_once_and_then_more_and_more_rarely(watch):
    """The first probe does not wait; later ones wait twice as long each, up to a limit."""
    watch.failed("anna", never_sent=True)
    waits = []
    for _ in range(9):
        waits.append(watch.wait_before_probe_seconds())
        watch.probe_failed()
    assert waits[:5] == [0.0, 2.0, 4.0, 8.0, 16.0]
    assert set(waits[5:]) == {LONGEST_WAIT_SECONDS}
    assert LONGEST_WAIT_SECONDS == 30.0


def test_the_length_of_an_outage_is_nothing_without_one(watch, clock):
    """While the vault answers it is out for 0 seconds, whatever the clock says."""
    clock.now += 500
    assert watch.out_for_seconds() == 0.0
    watch.failed("anna", never_sent=True)
    clock.now += 5
    assert watch.out_for_seconds() == 5.0
    watch.answered()
    assert watch.out_for_seconds() == 0.0
    assert watch.ever_answered
