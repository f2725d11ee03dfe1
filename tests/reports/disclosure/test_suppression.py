"""The rule of small groups, judged by exhaustion: every vault that gives the same page is tried."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.errors import UsageError
from tokenvault_data.reports.disclosure.suppression import (
    NEVER_BEFORE,
    Figures,
    check_smallest_cell,
)

CELLS = st.lists(st.sampled_from([0, 1, 2, 3, 4, 7]), min_size=9, max_size=9)


def table(cells, smallest, *, people=None):
    """Return the register of a three by three table with totals; a card is a customer."""
    figures = Figures(smallest)
    keys = list(itertools.product("ABC", "abc"))
    for key, cards in zip(keys, cells, strict=True):
        figures.add(key, cards, None if people is None else min(cards, people), shown=1)
    lines = [[key for key in keys if one in key] for one in "ABCabc"]
    for name, parts in zip("ABCabc", lines, strict=True):
        figures.add(name, sum(map(figures.value, parts)), shown=10)
        figures.total(name, parts)
    figures.add("all", sum(cells), shown=NEVER_BEFORE)
    figures.total("all", "ABC")
    figures.total("all", "abc")
    return figures, keys


def same_pages(figures, keys, most=9):
    """Return the hidden cells of all tables with cells up to `most` that give the same page."""
    published = figures.all_published
    hidden = [key for key in keys if key not in published]
    if not hidden:
        return {}
    choices = np.indices((most,) * len(hidden)).reshape(len(hidden), -1) + 1
    fits = np.ones(choices.shape[1], bool)
    for name in (*"ABCabc", "all"):
        if name in published:
            inside = [at for at, key in enumerate(hidden) if name == "all" or name in key]
            known = sum(n for key, n in published.items() if key in keys
                        and (name == "all" or name in key))  # fmt: skip
            fits &= choices[inside].sum(axis=0) + known == published[name]
    return {key: set(values[fits].tolist()) for key, values in zip(hidden, choices, strict=True)}


@settings(deadline=None, max_examples=40)
@given(CELLS, st.integers(2, 3))
def test_every_small_cell_could_be_another_number(cells, smallest):
    """Of all tables with the same page, a small cell has `smallest` values, one not small."""
    figures, keys = table(cells, smallest)
    figures.protect()
    if sum(key not in figures.all_published for key in keys) > 6:
        return
    possible = same_pages(figures, keys)
    for key in keys:
        if 0 < figures.value(key) < smallest:
            assert len(possible[key]) >= smallest
            assert max(possible[key]) >= smallest


@settings(deadline=None, max_examples=60)
@given(CELLS)
def test_nothing_is_hidden_where_nothing_is_small(cells):
    """A table without small cells is published whole."""
    figures, _ = table([cards and cards + 5 for cards in cells], 5)
    figures.protect()
    assert figures.hidden_count == 0


def test_a_cell_of_few_customers_with_many_cards_is_small():
    """Thirty cards of two customers are hidden, and so is a cell in its row and its column."""
    figures = Figures(5)
    for key in itertools.product("AB", "ab"):
        figures.add(key, 30, 2 if key == ("A", "a") else 30, shown=1)
    for one in "ABab":
        parts = [key for key in itertools.product("AB", "ab") if one in key]
        figures.add(one, 60, 30, shown=10)
        figures.total(one, parts)
    figures.protect()
    assert all(figures.published(key) is None for key in itertools.product("AB", "ab"))
    assert figures.published("A") == 60


def test_hidden_parts_of_a_total_are_about_enough_customers():
    """Two parts of two customers each, sixty cards together, take a larger part with them."""
    figures = Figures(5)
    for name, cards, people in (("a", 30, 2), ("b", 30, 2), ("c", 40, 40), ("d", 90, 90)):
        figures.add(name, cards, people, shown=1)
    figures.add("all", 190, 134, shown=NEVER_BEFORE)
    figures.total("all", "abcd")
    figures.protect()
    assert figures.published("c") is None
    assert figures.published("d") == 90


def test_a_number_that_is_not_shown_is_protected_too():
    """Expired less expired ACTIVE cards are few: one of both figures is hidden."""
    figures = Figures(5)
    figures.add("expired", 20, shown=1)
    figures.add("expired ACTIVE", 18, shown=2)
    figures.rest("expired", ["expired ACTIVE"])
    figures.protect()
    assert figures.published("expired") is None
    assert figures.published("expired ACTIVE") == 18


def test_bounds_tell_as_much_as_sums():
    """Three of which none is more than one are exactly one each, and so they are not shown."""
    figures = Figures(5)
    figures.add("customers", 8, shown=2)
    figures.add("cards", 9, 8, shown=3)
    figures.add("seconds", 1)
    figures.total("cards", ["customers", "seconds"])
    figures.protect()
    assert figures.published("customers") is None
    assert figures.published("cards") == 9


def test_a_figure_is_not_shown_without_the_one_it_belongs_to():
    """Customers of a group go with its cards."""
    figures = Figures(5)
    figures.add("cards", 9, 3, shown=1)
    figures.add("customers", 7, shown=1, beside="cards")
    figures.protect()
    assert figures.published("customers") is None


@settings(deadline=None, max_examples=60)
@given(CELLS, st.integers(1, 9))
def test_no_figure_that_is_0_is_hidden(cells, smallest):
    """Not even the customers, none of whom is known, of a group whose cards are hidden."""
    figures, keys = table(cells, smallest)
    for key in keys:
        figures.add(("customers of", key), 0, shown=1, beside=key)
    figures.protect()
    for key in (*keys, *(("customers of", one) for one in keys), *"ABCabc"):
        assert figures.value(key) or figures.published(key) == 0


def test_what_the_page_says_of_a_hidden_figure_is_a_bound():
    """Of nine cards of at least five customers, fewer than five are second ones."""
    figures = Figures(5)
    figures.add("customers", 6, shown=1, least=5)
    figures.add("cards", 9, 6, shown=9)
    figures.rest("cards", ["customers"])
    figures.protect()
    assert figures.published("customers") == 6
    assert figures.published("cards") is None


def test_a_number_that_is_no_figure_cannot_be_published():
    """Neither what only follows, nor anything before it is decided."""
    figures = Figures(5)
    figures.add("shown", 9, shown=1)
    figures.add("follows", 9)
    with pytest.raises(KeyError):
        figures.published("shown")
    figures.protect()
    assert figures.published("shown") == 9
    with pytest.raises(KeyError):
        figures.published("follows")


def test_what_is_not_so_is_no_relation():
    """Parts that do not make up a total are noted, and nothing is worked out by them."""
    figures = Figures(5)
    figures.add("all", 20, shown=1)
    figures.add("part", 3, shown=1)
    figures.total("all", ["part"])
    figures.protect()
    assert len(figures.untrue) == 1
    assert figures.published("all") == 20


def test_large_vaults_are_as_exact_as_small_ones():
    """A cell of three among millions of cards is found out by sums as any other."""
    draw = random.Random(5)
    cells = [draw.randrange(10_000_000, 50_000_000) for _ in range(9)]
    cells[4] = 3
    figures, keys = table(cells, 5)
    figures.protect()
    hidden = [key for key in keys if figures.published(key) is None]
    assert keys[4] in hidden
    assert len(hidden) == 4


def test_nothing_is_said_on_the_screen(capfd):
    """The solver's greeting would spoil the one JSON document that a command prints."""
    figures, _ = table([1, 2, 3, 4, 5, 6, 7, 8, 9], 5)
    figures.protect()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "5", None])
def test_a_smallest_cell_is_a_whole_number_from_one(size):
    """Anything else is refused before a figure is shown."""
    with pytest.raises(UsageError, match="not a valid smallest cell"):
        check_smallest_cell(size)
