"""What a campaign knows beside its journal."""

import pytest
from cleanup_plans import make_plan

from tokenvault_data.cleanup.engine import memory as memory_module
from tokenvault_data.cleanup.engine.memory import Memory
from tokenvault_data.cleanup.journal.records import Record, moved
from tokenvault_data.cleanup.ledger.ledger import DayUse, Ledger, Mark
from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.errors import UsageError

PLAN = make_plan(limits=Limits(vault_share=1.0, bank_share=1.0, per_day=2))
CARD, OTHER, THIRD = PLAN.cards
MARK = Mark(9, "h")


class Lists:
    """Hold lists that can be changed."""

    def __init__(self, *held):
        self.held = set(held)
        self.is_changed = False
        self.looked = 0

    def covers(self, customer, instrument):
        return instrument in self.held

    def changed(self):
        self.looked += 1
        return self.is_changed


@pytest.fixture
def ledger(tmp_path):
    places = {"store": tmp_path / "store", "config_dir": tmp_path}
    with Ledger.open("emulator", None, **places) as opened:
        yield opened


def memory_of(ledger, *lists):
    loads = iter(lists or (Lists(),))
    return Memory(ledger, lambda: next(loads), "http://vault")


def intended(number, attempt):
    return Record("intended", number, {"attempt": attempt})


def outcome(number, attempt, outcome="accepted", status=200):
    detail = {"attempt": attempt, "outcome": outcome, "status": status}
    return Record("outcome", number, detail)


def test_intents_are_remembered_with_their_cards(ledger):
    """All of one transaction, of the emulator that answered, or else of the address."""
    memory = memory_of(ledger)
    records = [intended(0, "a"), moved(0, "checked", "intended"), intended(2, "b")]
    memory.remember(PLAN, records, MARK, None)
    assert ledger.use("http://vault") == DayUse(2, 2)
    assert ledger.mark(PLAN.id) == MARK
    assert memory.attempted_by(CARD.customer_id, CARD.instrument_id, None) == PLAN.id
    assert memory.attempted_by(OTHER.customer_id, OTHER.instrument_id, None) is None
    memory.remember(PLAN, [intended(1, "c")], MARK, "instance-1")
    assert ledger.use("instance-1") == DayUse(1, 1)
    assert memory.was_attempted_lately(OTHER.customer_id, OTHER.instrument_id, "instance-1")
    assert not memory.was_attempted_lately(OTHER.customer_id, OTHER.instrument_id, None)


@pytest.mark.parametrize(
    ("record", "left"),
    [
        (Record("withdrawn", 0, {"attempt": "a", "reason": "too old"}), 0),
        (outcome(0, "a", "not_executed", None), 0),
        (outcome(0, "a", "not_executed", 429), 1),
        (outcome(0, "a", "not_executed", 401), 1),
        (outcome(0, "a", "in_doubt", None), 1),
        (outcome(0, "a", "rejected", 400), 1),
        (outcome(0, "a"), 1),
    ],
)
def test_only_what_surely_never_left_is_taken_back(ledger, record, left):
    """Withdrawn, or without a connection; whatever was answered, or may have been, stays."""
    memory = memory_of(ledger)
    memory.remember(PLAN, [intended(0, "a")], MARK, "")
    memory.remember(PLAN, [record], MARK, "")
    assert ledger.use("") == DayUse(left, left)
    by = memory.attempted_by(CARD.customer_id, CARD.instrument_id, "")
    assert by == (PLAN.id if left else None)


def test_room_is_taken_before_it_is_written_down(ledger):
    """Two of three at once fit a cap of two; the third waits, and no day for it."""
    memory = memory_of(ledger)
    assert memory.seconds_until_room(PLAN, CARD, "") == 0
    assert memory.reserve(PLAN, CARD, "")
    assert memory.reserve(PLAN, OTHER, "")
    assert not memory.reserve(PLAN, THIRD, "")
    assert memory.seconds_until_room(PLAN, THIRD, "") == 1.0
    memory.remember(PLAN, [intended(0, "a")], MARK, "")
    memory.release(CARD)
    assert not memory.reserve(PLAN, THIRD, "")
    memory.release(OTHER)
    assert memory.reserve(PLAN, THIRD, "")


def test_a_card_on_hold_is_held_from_when_its_list_changes(ledger, monkeypatch):
    """Lists are looked at every two seconds, and read again once one has changed."""
    now = [100.0]
    monkeypatch.setattr(memory_module.time, "monotonic", lambda: now[0])
    first, second = Lists(CARD.instrument_id), Lists(OTHER.instrument_id)
    memory = memory_of(ledger, first, second)

    def held():
        memory.look_at_holds()
        return [memory.is_held(c.customer_id, c.instrument_id) for c in (CARD, OTHER)]

    assert held() == [True, False]
    now[0] += 5.0
    assert held() == [True, False]
    assert first.looked == 1
    first.is_changed = True
    assert held() == [True, False]
    now[0] += 2.0
    assert held() == [False, True]


def test_a_list_that_cannot_be_read_any_more_is_no_empty_one(ledger, monkeypatch):
    """Nothing is sent while nobody knows what is on hold."""
    now = [100.0]
    monkeypatch.setattr(memory_module.time, "monotonic", lambda: now[0])
    first = Lists()

    def load():
        if first.is_changed:
            raise UsageError("a hold list cannot be read")
        return first

    memory = Memory(ledger, load)
    first.is_changed, now[0] = True, 110.0
    for _ in range(2):
        with pytest.raises(UsageError):
            memory.look_at_holds()
