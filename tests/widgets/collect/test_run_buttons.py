"""Which buttons there are in which phase."""

from typing import get_args

import pytest

from tokenvault_data.widgets.collect.run_buttons import Offer, Phase, RunButtons, labels


@pytest.mark.parametrize(
    ("offer", "names"),
    [
        (Offer("ready"), []),
        (Offer("ready", has_list=True), ["start"]),
        (Offer("ready", has_list=True, left=5), ["go_on", "start"]),
        (Offer("ready", left=5), ["go_on"]),
        (Offer("checking", has_list=True), []),
        (Offer("running", has_list=True), ["pause", "cancel"]),
        (Offer("stopping", has_list=True), []),
        (Offer("paused", has_list=True, left=5), ["go_on", "cancel"]),
        (Offer("cancelled", has_list=True, left=5, is_same_list=True), ["go_on", "start"]),
        (Offer("done", has_list=True), ["start"]),
        (Offer("done", has_list=True, failed=3), ["retry", "start"]),
        (Offer("failed", has_list=True, failed=3), ["retry", "start"]),
        (Offer("cancelled", has_list=True, failed=3), ["retry", "start"]),
        (Offer("elsewhere", has_list=True, left=5), []),
        (Offer("elsewhere", has_list=True, left=5, can_pause_elsewhere=True), ["pause"]),
    ],
)
def test_what_makes_sense_is_offered(offer, names):
    """And nothing else: what is hidden cannot be clicked either."""
    assert list(labels(offer)) == names
    buttons = RunButtons(dict.fromkeys(("start", "go_on", "retry", "pause", "cancel"), print))
    buttons.show(offer)
    shown = [
        name
        for name in ("retry", "go_on", "start", "pause", "cancel")
        if not buttons[name].disabled
    ]
    assert set(shown) == set(names)
    assert all((buttons[n].layout.display == "none") == (n not in names) for n in buttons)


def test_beginning_anew_is_called_that():
    """Where an unfinished collection of the same list would be left behind."""
    same = Offer("ready", has_list=True, left=5, is_same_list=True)
    assert labels(same)["start"] == "Collect anew"
    other = Offer("ready", has_list=True, left=5)
    assert labels(other)["start"] == "Start"
    assert labels(Offer("done", failed=12))["retry"] == "Retry 12 failed"


def test_one_main_button_at_most():
    """Stopping is never the main thing to do."""
    buttons = RunButtons(dict.fromkeys(("start", "go_on", "retry", "pause", "cancel"), print))
    for phase in get_args(Phase):
        buttons.show(Offer(phase, has_list=True, left=5, failed=1))
        main = [
            name
            for name in buttons
            if buttons[name].button_style == "primary" and not buttons[name].disabled
        ]
        assert len(main) <= 1
        assert not set(main) & {"pause", "cancel"}
