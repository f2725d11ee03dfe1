"""Only an answer to somebody asked later clears a refusal up."""

from tokenvault_data.collection.refused_credentials import (
    MOST_IN_ROW,
    MOST_IN_ROW_AT_BEST,
    RefusedCredentials,
)


def test_an_answer_to_a_question_asked_before_proves_nothing():
    """It may have been answered before the credentials were revoked, and come late."""
    refusals = RefusedCredentials()
    refusals.refused("a", asked=5)
    assert refusals.answered(5).customers == []
    assert refusals.in_row == 1
    assert refusals.answered(6).customers == ["a"]
    assert (refusals.in_row, refusals.is_due) == (0, False)


def test_each_is_cleared_up_once_and_by_itself():
    """What was refused later waits for a later answer."""
    refusals = RefusedCredentials()
    refusals.refused("a", asked=1)
    refusals.refused("b", asked=4)
    assert refusals.answered(3).customers == ["a"]
    assert refusals.answered(5).customers == ["b"]
    assert refusals.answered(9).customers == []


def test_the_first_is_asked_about_at_once_and_later_ones_in_bundles():
    """Controls grow rarer with every one that finds the account in order, down to one in eight."""
    refusals, controls, asked = RefusedCredentials(), 0, 0
    for number in range(1000):
        asked += 1
        refusals.refused(number, asked)
        if refusals.is_due:
            controls += 1
            asked += 1
            refusals.answered(asked)
    assert controls <= 3 + 1000 // MOST_IN_ROW


def test_refused_controls_count_until_somebody_is_answered():
    """Customers answered before, and refused now, speak against the account."""
    refusals = RefusedCredentials()
    refusals.refused("a", asked=1)
    refusals.control_refused()
    refusals.control_refused()
    assert refusals.in_row == 3
    assert refusals.answered(4) == (["a"], True), "nobody was answered, so it is innocent"
    assert refusals.in_row == 0


def test_more_are_borne_in_a_row_only_until_somebody_is_answered():
    """What the question for nobody's cards allowed does not hold for the rest of the session."""
    refusals = RefusedCredentials()
    refusals.refused("a", asked=1)
    refusals.most_in_row = MOST_IN_ROW_AT_BEST
    assert refusals.answered(2) == (["a"], False)
    assert refusals.most_in_row == MOST_IN_ROW


def test_what_is_left_at_the_end_is_asked_about():
    """Fewer than a bundle are due, too, when nobody is left who could clear them up."""
    refusals = RefusedCredentials()
    for asked in (1, 3, 5):
        refusals.refused(asked, asked)
        refusals.answered(asked + 1)
    refusals.refused("last", 7)
    assert not refusals.is_due
    refusals.press()
    assert refusals.is_due
    assert refusals.answered(8).customers == ["last"]
    refusals.press()
    assert not refusals.is_due
