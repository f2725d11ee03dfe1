"""Rows in aligned columns."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tokenvault_data.cli.printing.output import PrintedRow, lay_out

ROWS = [
    PrintedRow(("Bank", "cards"), "bold"),
    PrintedRow(("STATE BANK OF INDIA", "1,234")),
    PrintedRow(("銀行", "5")),
]


def lines(rows, **settings):
    return [line for line, _ in lay_out(rows, **settings)]


def test_numbers_end_where_numbers_end():
    """Columns are as wide as what is in them, wide characters included, on the asked side."""
    assert lines(ROWS, right=(1,)) == [
        "Bank                 cards",
        "STATE BANK OF INDIA  1,234",
        "銀行                     5",
    ]


def test_a_line_keeps_its_style_and_no_space_at_its_end():
    """A style belongs to its row, and nothing trails."""
    laid_out = list(lay_out([PrintedRow(("a", ""), "bold"), PrintedRow(("bbb", "c"))]))
    assert laid_out == [("a", "bold"), ("bbb  c", "")]


def test_one_column_gives_way():
    """Where the place is too narrow the named column is shortened, visibly, and no other one."""
    assert lines(ROWS, right=(1,), width=20) == [
        "Bank           cards",
        "STATE BANK O…  1,234",
        "銀行               5",
    ]


cells = st.text(st.characters(categories=["L", "N", "P"]), max_size=60)


@given(st.lists(st.tuples(cells, st.integers(0, 10**9)), min_size=1), st.integers(24, 100))
def test_a_line_fits_its_place(pairs, width):
    """No line is wider than the terminal, whatever the text."""
    rows = [PrintedRow((text, f"{number:,}"[:8])) for text, number in pairs]
    assert all(cell_len(line) <= width for line in lines(rows, right=(1,), width=width))
