"""Text that a spreadsheet would run is made harmless, and comes back."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.dataset.formula_guard import guard, unguard

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://evil.example","x")',
        "+1",
        "-2+3",
        "@SUM(1)",
        "\t=1",
        "\rx",
        "\nx",
        "  =1",
        "\u00a0=1",
        "\ufeff=1",
        "\u200b+1",
        "\uff1d1",
        " \uff20x",
        "'x",
        "''",
    ],
)
def test_dangerous_text_begins_with_an_apostrophe(text):
    """Formulas in every disguise, and text that has the apostrophe already, get one more."""
    assert guard(pa.array([text])).to_pylist() == ["'" + text]


@pytest.mark.parametrize("text", ["", "HDFC Bank", "a=b", "x'", "1-2", "caf\u00e9", " plain"])
def test_harmless_text_stays_as_it_is(text):
    """Ordinary text is written as it is."""
    assert guard(pa.array([text])).to_pylist() == [text]


@settings(deadline=None)
@given(
    st.lists(
        st.none() | st.text() | st.text(alphabet=SIGNS + "' \t\r\n\"ax\ufeff\u200b", max_size=5)
    )
)
def test_guarding_can_be_undone_and_leaves_no_formula(texts):
    """Whatever the texts, none is a formula once guarded, and all come back."""
    array = pa.array(texts, pa.string())
    guarded = guard(array)
    assert unguard(guarded).equals(array)
    for text in guarded.to_pylist():
        if text is not None:
            assert text.lstrip(" \t\r\n\u00a0\ufeff\u200b")[:1] not in set(SIGNS)
