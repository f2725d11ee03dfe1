"""What is left of an account's caps per day, as simulations, plans and reviews say it."""

from types import SimpleNamespace

import pytest

from tokenvault_data.cleanup.ledger import ledger
from tokenvault_data.cleanup.ledger.day_room import DayRoom, day_room
from tokenvault_data.cleanup.selection.limits import Limits


def test_both_caps_are_reckoned_from_the_ledger(monkeypatch, tmp_path):
    """Sends against per_day, different cards against the share of the vault, rounded down."""
    asked = []

    def used_today(*account, **places):
        asked.append((account, places))
        return SimpleNamespace(sends=12, cards=10)

    monkeypatch.setattr(ledger, "used_today", used_today)
    room = day_room("sandbox", "abc", Limits(), 4_599, store=tmp_path, config_dir=tmp_path / "c")
    assert room == DayRoom(12, 1000, 10, 45)
    assert asked == [(("sandbox", "abc"), {"store": tmp_path, "config_dir": tmp_path / "c"})]


def test_an_account_that_nothing_was_sent_for_has_all(tmp_path):
    """Without a ledger the whole day is left."""
    room = day_room("emulator", None, Limits(), 10_000, store=tmp_path, config_dir=tmp_path)
    assert room == DayRoom(0, 1000, 0, 100)


@pytest.mark.parametrize(
    ("room", "planned", "left", "said"),
    [
        (DayRoom(12, 1000, 10, 452), 40, 442, "988 of 1,000 deletes, and 442 of 452 different"),
        (DayRoom(0, 1000, 0, 452), 452, 452, "452 different cards."),
        (DayRoom(0, 1000, 0, 452), 453, 452, "453 cards will take longer than a day"),
        (DayRoom(1001, 1000, 460, 452), 1, 0, "0 of 1,000 deletes, and 0 of 452"),
        (DayRoom(0, 0, 0, 452), 1, 0, "A cap of 0 allows nothing"),
    ],
)
def test_what_is_left_is_said(room, planned, left, said):
    """Never less than nothing; and whether the cards fit into today."""
    assert room.left == left
    assert said in room.sentence(planned)
