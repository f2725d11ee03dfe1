"""The two state machines as data."""

import pytest

from tokenvault_data.cleanup.journal.states import (
    AS_WANTED,
    CAMPAIGN_TRANSITIONS,
    ENDED,
    EXCEPTIONS,
    FINALS,
    ITEM_TRANSITIONS,
    check_campaign_move,
    check_item_move,
)
from tokenvault_data.errors import CampaignHalted


def reachable(transitions, start):
    found, new = set(), {start}
    while new:
        found |= new
        new = {after for before in new for after in transitions[before]} - found
    return found


@pytest.mark.parametrize(
    ("transitions", "start"), [(CAMPAIGN_TRANSITIONS, "sealed"), (ITEM_TRANSITIONS, "planned")]
)
def test_every_state_is_reachable_and_known(transitions, start):
    """No transition leads out of the table, and no state is there for nothing."""
    assert reachable(transitions, start) == set(transitions)


def test_an_end_is_reachable_from_everywhere():
    """No campaign and no item can be caught in a state without a way out."""
    for before in CAMPAIGN_TRANSITIONS:
        assert reachable(CAMPAIGN_TRANSITIONS, before) & ENDED
    for before in ITEM_TRANSITIONS:
        assert "final" in reachable(ITEM_TRANSITIONS, before)


def test_ends_lead_nowhere_and_halted_only_where_nothing_is_deleted():
    """What has ended does not move, and what has halted never deletes again."""
    assert not any(CAMPAIGN_TRANSITIONS[end] for end in ENDED)
    assert CAMPAIGN_TRANSITIONS["halted"] == {"aborted", "verifying"}
    assert not ITEM_TRANSITIONS["final"]


def test_every_campaign_that_works_can_halt():
    """An integrity fault can be met in any state that has not ended."""
    for before, after in CAMPAIGN_TRANSITIONS.items():
        assert ("halted" in after) == (before not in ENDED | {"halted"})


def test_finals_are_either_wanted_or_exceptions():
    """Unresolved, above all, is never counted as success."""
    assert AS_WANTED | EXCEPTIONS == FINALS
    assert not AS_WANTED & EXCEPTIONS
    assert {"deleted", "gone_after_attempt", "already_gone", "gone_unattributed"} == AS_WANTED
    assert "unresolved" in EXCEPTIONS
    assert len(FINALS) == 9


def test_no_item_is_intended_without_a_check():
    """The only way to an intent is from a check."""
    assert [s for s, after in ITEM_TRANSITIONS.items() if "intended" in after] == ["checked"]


def test_illegal_moves_halt():
    """Whatever would leave the tables is refused, a final without an end included."""
    check_campaign_move("held", "running")
    check_item_move(0, "verifying", "final", "deleted")
    with pytest.raises(CampaignHalted):
        check_campaign_move("completed", "running")
    for move in [
        ("planned", "intended", None),
        ("verifying", "final", None),
        ("verifying", "final", "vanished"),
        ("verifying", "planned", "deleted"),
        ("final", "planned", None),
    ]:
        with pytest.raises(CampaignHalted):
            check_item_move(0, *move)
