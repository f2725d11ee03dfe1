"""When control cards are read, and what they prove."""

from tokenvault_data.cleanup.engine.control_reads import AT_MOST_ITEMS, AT_MOST_SECONDS, Controls


def test_a_read_is_due_after_fifty_items_or_twenty_seconds():
    """And never while nothing waits for one."""
    controls = Controls(2)
    assert controls.due_in(0.0) is None
    controls.wait_for(7, 0.0)
    assert controls.due_in(5.0) == AT_MOST_SECONDS - 5
    assert controls.due_in(AT_MOST_SECONDS) == 0
    for number in range(100, 100 + AT_MOST_ITEMS - 1):
        controls.wait_for(number, 1.0)
    assert controls.due_in(1.0) == 0


def test_a_good_read_proves_and_passes_the_turn_on():
    """The next read is of the next card, so that no card is asked all the time."""
    controls = Controls(3)
    seen = []
    for _ in range(4):
        seen.append(controls.index)
        assert controls.record("good") == "proven"
    assert seen == [0, 1, 2, 0]
    assert controls.is_good


def test_only_when_no_card_is_there_the_account_is_wrong():
    """A control card may be gone for a reason of its own, all of them at once may not."""
    controls = Controls(3)
    assert controls.record("bad") == "next"
    assert controls.record("bad") == "next"
    assert controls.record("good") == "proven"
    for _ in range(2):
        assert controls.record("bad") == "next"
    assert controls.record("bad") == "wrong_account"
    assert not controls.is_good


def test_an_unclear_read_says_nothing():
    """Neither good nor bad, and the same card is read again."""
    controls = Controls(2)
    assert controls.record("unclear") == "later"
    assert controls.index == 0
    assert not controls.is_good


def test_items_leave_when_they_are_taken():
    """What was proven waits no more, what came later does."""
    controls = Controls(1)
    controls.wait_for(1, 0.0)
    before = controls.waiting
    controls.wait_for(2, 1.0)
    controls.settle(before)
    assert controls.waiting == (2,)


def test_each_time_the_account_is_found_wrong_is_told_apart():
    """So that what was seen before it is not counted together with what is seen after."""
    controls = Controls(2)
    spells = [controls.spell]
    for sign in ("bad", "bad", "good", "bad", "unclear", "bad", "good"):
        controls.record(sign)
        spells.append(controls.spell)
    assert spells == [0, 0, 1, 1, 1, 1, 2, 2]
