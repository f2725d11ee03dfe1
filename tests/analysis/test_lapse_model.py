"""What steps teach: survival by lead, additions, and how much months differ."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.lapse_model import ASSUMED_RHO, DRAWS, LapseStep, fit


def test_survival_is_learnt_for_every_lead():
    """With many cards the survival of each lead is what was seen, whatever the other leads show."""
    seen = {0: 0.5, 1: 0.7, 2: 0.98}
    steps = [
        LapseStep(lead, 1, 100_000, int(100_000 * share), 0) for lead, share in seen.items()
    ] * 30
    model = fit(steps, 3)
    assert model.survival == pytest.approx([0.5, 0.7, 0.98], abs=0.002)
    assert model.expected(2, 1000) == pytest.approx(1000 * 0.5 * 0.7 * 0.98, rel=0.01)


def test_a_long_step_counts_for_each_lead_it_passed():
    """Between looks two months apart the survival of a month is the root of what was seen."""
    steps = [LapseStep(lead, 2, 100_000, 81_000, 0) for lead in range(1, 5)] * 30
    model = fit(steps, 5)
    assert model.survival == pytest.approx([0.9] * 5, abs=0.002)


def test_a_step_past_the_month_of_expiry_passes_only_what_is_left():
    """A card that expires next month passes two leads, however far away the next look is."""
    steps = [LapseStep(1, 6, 100_000, 81_000, 0)] * 30
    model = fit(steps, 8)
    assert model.survival[:2] == pytest.approx([0.9, 0.9], abs=0.002)
    # Leads that nobody saw fare like the mean of those seen, with little certainty.
    assert model.survival[7] == pytest.approx(0.9, abs=0.01)
    assert model.survived[7] + model.lost[7] < 3 < model.survived[1] + model.lost[1]


def test_added_cards_survive_from_where_they_came():
    """Cards added on the way count in full at the end, less those that leave after that."""
    steps = [
        LapseStep(0, 1, 100_000, 50_000, 0),
        LapseStep(1, 1, 100_000, 100_000, 40),
        LapseStep(2, 1, 100_000, 100_000, 0),
    ] * 30
    model = fit(steps, 3)
    assert model.expected(2, 0) == pytest.approx(20, rel=0.1)


def test_nothing_scheduled_teaches_nothing():
    """Without a card at risk there is no model."""
    assert fit([], 12) is None
    assert fit([LapseStep(0, 1, 0, 0, 5), LapseStep(1, 1, 0, 0, 0)], 12) is None


def test_months_that_differ_widen_the_interval():
    """Survival that swings from month to month gives wider futures than the same mean in peace."""
    calm = fit([LapseStep(0, 1, 1000, 500, 0)] * 24, 1)
    wild = fit([LapseStep(0, 1, 1000, kept, 0) for kept in (200, 800)] * 12, 1)
    assert wild.survival == pytest.approx(calm.survival, abs=0.02)
    assert wild.rho > 5 * calm.rho
    assert np.std(wild.draws([(0, 1000)])) > 3 * np.std(calm.draws([(0, 1000)]))


def test_a_short_history_is_less_certain_than_a_long_one():
    """The same shares seen once and seen for two years: the interval narrows."""
    once, often = (
        fit([LapseStep(0, 1, 500, 250, 0)], 1),
        fit([LapseStep(0, 1, 500, 250, 0)] * 24, 1),
    )
    assert once.rho == pytest.approx(ASSUMED_RHO)
    assert np.std(once.draws([(0, 500)])) > 1.3 * np.std(often.draws([(0, 500)]))


def test_the_interval_covers_what_its_own_model_makes():
    """Histories drawn from known rates: about four in five outcomes lie in the 80% interval."""
    random = np.random.default_rng(7)
    inside = 0
    for _ in range(60):
        steps = [
            LapseStep(lead, 1, 300, int(random.binomial(300, share)), int(random.poisson(4)))
            for lead, share in ((0, 0.6), (1, 0.9))
            for _ in range(8)
        ]
        draws = fit(steps, 2).draws([(1, 300)])
        low, high = np.quantile(draws, [0.1, 0.9])
        left = random.binomial(random.binomial(300, 0.9) + random.poisson(4), 0.6)
        inside += low <= left + random.poisson(4) <= high
    assert 44 <= inside <= 60


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda lead, months, kept, lost, added: LapseStep(
                lead, months, kept + lost, kept, added
            ),
            st.integers(0, 5),
            st.integers(1, 4),
            st.integers(0, 50),
            st.integers(0, 50),
            st.integers(0, 9),
        ),
        max_size=20,
    ),
    st.integers(0, 200),
)
def test_whatever_was_seen_the_numbers_are_numbers(steps, scheduled):
    """No history gives a survival outside 0 to 1, a negative forecast, or other futures twice."""
    model = fit(steps, 6)
    if model is None:
        assert not any(step.scheduled for step in steps)
        return
    assert ((model.survival >= 0) & (model.survival <= 1)).all()
    assert 0 < model.rho <= 0.5
    assert model.expected(5, scheduled) >= 0
    draws = model.draws([(5, scheduled), (0, scheduled)])
    assert draws.shape == (DRAWS, 2)
    assert (draws >= 0).all()
    assert (draws == model.draws([(5, scheduled), (0, scheduled)])).all()
