"""The heat map's shades: told apart by lightness, and numbers can be read on every one of them."""

import re

import pytest

from tokenvault_data.reports.charts.style import contrast
from tokenvault_data.widgets.parts.bars import HeatMap, style

STEPS = range(1, 9)
STEP = re.compile(r"\.tv-heat-(\d) \{ --step: (#[0-9a-f]{6}); --on-step: (#[0-9a-f]{6}); \}")


def steps(theme):
    """Return the shade and the ink of every step, the palest or darkest first."""
    lines = style("heat_map").splitlines()
    chosen = [line for line in lines if ("theme-light" in line) == (theme == "dark")]
    found = {int(step): (shade, ink) for step, shade, ink in STEP.findall("\n".join(chosen))}
    assert list(found) == list(STEPS)
    return list(found.values())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_numbers_can_be_read_on_every_shade(theme):
    """Ink on shade has the contrast of WCAG AA for text."""
    assert min(contrast(shade, ink) for shade, ink in steps(theme)) >= 4.5


@pytest.mark.parametrize(("theme", "paper"), [("light", "#ffffff"), ("dark", "#212121")])
def test_numbers_can_be_read_where_others_are_chosen(theme, paper):
    """The paler shades of cells that were not chosen carry the ink of the page."""
    ink = {"light": "#1b2530", "dark": "#e8edf2"}[theme]
    for shade, _ in steps(theme):
        mixed = "#" + "".join(
            f"{round(0.35 * int(shade[at : at + 2], 16) + 0.65 * int(paper[at : at + 2], 16)):02x}"
            for at in (1, 3, 5)
        )
        assert contrast(mixed, ink) >= 4.5


@pytest.mark.parametrize(("theme", "paper"), [("light", "#ffffff"), ("dark", "#212121")])
def test_more_cards_stand_out_more(theme, paper):
    """From step to step the shade is further from the paper in lightness, without any hue."""
    apart = [contrast(shade, paper) for shade, _ in steps(theme)]
    assert apart[-1] > 5
    if theme == "light":
        assert apart == sorted(apart)
    else:
        assert apart[1:] == sorted(apart[1:])


def test_a_choice_is_plain_data():
    """What the browser sets are two lists of places, and nothing is chosen to begin with."""
    made = HeatMap(rows=["A", "B"], columns=["x"], counts=[[1], [2]])
    assert made.chosen == {"rows": [], "columns": []}
    made.chosen = {"rows": [1], "columns": [0]}
    assert made.get_state("chosen") == {"chosen": {"rows": [1], "columns": [0]}}
