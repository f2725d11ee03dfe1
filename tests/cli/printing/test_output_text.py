"""Foreign text on a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.cli.printing.output import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("HDFC BANK", "HDFC BANK"),
        ("बैंक ऑफ़ इंडिया", "बैंक ऑफ़ इंडिया"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("[bold]x[/]", "[bold]x[/]"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31mred", "\\x9b31mred"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("abc\u202edcba", "abc\\u202edcba"),
        ("HDFC\u200b BANK", "HDFC\\u200b BANK"),
        ("HDFC\xa0BANK", "HDFC BANK"),
        ("क्\u200dष", "क्\u200dष"),
        ("half \ud83d", "half \\ud83d"),
        ("\u2028", "\\u2028"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_acts_or_hides_becomes_an_escape(text, shown):
    """Escape sequences, line breaks, bidi and invisible characters show; letters stay."""
    assert visible(text) == shown


@given(st.text())
def test_nothing_shown_steers_a_terminal(text):
    """Whatever the text, no control, format or line-breaking character is left of it."""
    shown = visible(text)
    bad = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    left = {sign for sign in shown if unicodedata.category(sign) in bad}
    assert left <= {"\u200c", "\u200d"}
    assert visible(shown) == shown
