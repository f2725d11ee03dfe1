"""Where verdicts change, and how that is said."""

import pytest

from tokenvault_data.analysis.quality.settings import Threshold


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (None, "unknown"),
        (0.0, "pass"),
        (0.1, "pass"),
        (0.11, "warn"),
        (0.5, "warn"),
        (0.51, "fail"),
    ],
)
def test_a_border_itself_is_on_the_better_side(measured, verdict):
    """Exactly as much as the border passes, or warns; nothing measured is unknown."""
    assert Threshold(0.1, 0.5, "").verdict(measured) == verdict


@pytest.mark.parametrize(
    ("threshold", "sentence"),
    [
        (Threshold(0, 0.05, ""), "warn above 0%, fail above 5%"),
        (Threshold(0, 0, ""), "fail above 0%"),
        (Threshold(0.5, None, ""), "warn above 50%"),
        (Threshold(None, 0.125, ""), "fail above 12.5%"),
        (Threshold(24, 168, "", unit="hours"), "warn above 24 hours, fail above 7 days"),
        (Threshold(None, None, ""), "-"),
    ],
)
def test_a_threshold_says_what_it_does(threshold, sentence):
    """The sentence names every border there is, in its unit, and none that is not."""
    assert threshold.sentence() == sentence
