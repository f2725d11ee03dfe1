"""Callbacks of a panel: guarded, one at a time, and deaf to what the panel sets itself."""

from __future__ import annotations

import threading

import pytest

from tokenvault_data.widgets.parts.threads import Clicks


def test_what_is_raised_is_said():
    """A callback that fails ends nothing; its error goes to the panel."""
    said = []
    clicks = Clicks(said.append)
    clicks.guarded(lambda _: 1 / 0)(None)
    assert [type(error) for error in said] == [ZeroDivisionError]


def set_and_fail(clicks, act):
    with clicks.setting():
        act("own")
        raise ZeroDivisionError


def test_what_the_panel_sets_is_no_click():
    """Inside the block nothing acts, behind it everything does, also after an error."""
    acted = []
    clicks = Clicks(acted.append)
    act = clicks.guarded(acted.append)
    with pytest.raises(ZeroDivisionError):
        set_and_fail(clicks, act)
    act("click")
    assert acted == ["click"]


def test_two_threads_take_turns():
    """A second callback waits for the first, whichever threads they come on."""
    clicks, inside, most = Clicks(print), [], []

    def act(_):
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.02)
        inside.pop()

    threads = [threading.Thread(target=clicks.guarded(act), args=(None,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5
