"""Requests of which only the newest matters."""

from __future__ import annotations

import subprocess
import sys
import threading

from tokenvault_data.widgets.parts.threads import Latest


def test_overtaken_requests_are_dropped():
    """While the first is answered, only the last of the others waits."""
    answered, go, busy = [], threading.Event(), threading.Event()

    def answer(number):
        busy.set()
        go.wait(10)
        answered.append(number)

    latest = Latest(answer, answered.append)
    latest.ask(0)
    assert busy.wait(10)
    for number in range(1, 50):
        latest.ask(number)
    assert latest.is_overtaken
    go.set()
    assert latest.wait(10)
    assert answered == [0, 49]
    assert not latest.is_overtaken


def test_an_error_is_told_and_the_next_request_answered():
    """A request that fails does not end the service."""
    seen = []

    def answer(number):
        seen.append(10 // number)

    latest = Latest(answer, lambda error: seen.append(type(error)))
    latest.ask(0)
    assert latest.wait(10)
    latest.ask(5)
    assert latest.wait(10)
    assert seen == [ZeroDivisionError, 2]


EXITS = """
import time
from tokenvault_data.widgets.parts.threads import Latest

def answer(text):
    begun.append(text)
    time.sleep(1)  # stands for a query; what it is in the middle of must not be cut off
    print("answered", text, "and", latest.is_overtaken, flush=True)

begun = []
latest = Latest(answer, print)
latest.ask("one")
while not begun:
    time.sleep(0.01)
latest.ask("two")
print("end", flush=True)
"""


def test_a_program_that_ends_lets_the_present_answer_end():
    """The answer in the making is waited for and told to give up; what waits is dropped."""
    done = subprocess.run(
        [sys.executable, "-c", EXITS], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["end", "answered one and True"]


def test_nothing_asked_is_nothing_to_wait_for():
    """Waiting before the first request returns at once."""
    assert Latest(print, print).wait(0)
