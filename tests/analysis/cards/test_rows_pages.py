"""Pages of rows: all of them together are the rows, each read from no more than it needs."""

from __future__ import annotations

import pyarrow as pa
import pytest
from analysis_cases import card, publish
from cube_cases import rows_of_cards, table_of_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.cards import rows
from tokenvault_data.analysis.cards.rows import RowPages, SelectedRows
from tokenvault_data.analysis.filters.filters import where


class Watched:
    """Selected rows that remember which row groups were looked at."""

    def __init__(self, selected):
        self._selected = selected
        self.counted, self.read = [], []

    def __getattr__(self, name):
        return getattr(self._selected, name)

    def count(self, group):
        self.counted.append(group)
        return self._selected.count(group)

    def rows(self, group):
        self.read.append(group)
        return self._selected.rows(group)


@pytest.fixture(params=[1, 3, 1000])
def group_rows(request, monkeypatch):
    """Row groups of so many rows."""
    monkeypatch.setattr(rows, "ROW_GROUP_ROWS", request.param)
    return request.param


@settings(max_examples=30, deadline=None)
@given(rows_of_cards(), st.integers(1, 9), st.booleans(), st.data())
def test_pages_in_any_order_are_slices_of_the_rows(rows, page_rows, filtered, data):
    """Whichever page is turned to first, it holds the rows that belong on it."""
    condition = where(card_network=["visa"]) if filtered else None
    selected = SelectedRows(table_of_rows(rows, 4), condition)
    everything = pa.table(selected).to_pylist()
    pages = RowPages(selected, page_rows=page_rows)
    count = len(everything) // page_rows + 2
    for number in data.draw(st.permutations(range(count))):
        wanted = everything[number * page_rows : (number + 1) * page_rows]
        assert pages.page(number).to_pylist() == wanted


def test_pages_cross_row_groups(group_rows):
    """A page that begins in one row group and ends in another holds the rows of both."""
    table = pa.table({"customer_id": [f"c{number}" for number in range(10)]})
    pages = RowPages(SelectedRows(table), page_rows=4)
    found = [pages.page(number)["customer_id"].to_pylist() for number in range(4)]
    assert [len(page) for page in found] == [4, 4, 2, 0]
    assert [one for page in found for one in page] == table["customer_id"].to_pylist()


def test_the_first_page_reads_one_row_group(monkeypatch):
    """Rows behind the page are not looked at, and what was counted once is not counted again."""
    monkeypatch.setattr(rows, "ROW_GROUP_ROWS", 5)
    table = pa.table({"customer_id": [str(n) for n in range(50)], "card_network": ["visa"] * 50})
    watched = Watched(SelectedRows(table, where(card_network=["visa"])))
    pages = RowPages(watched, page_rows=5)
    pages.page(0)
    assert (watched.counted, watched.read) == ([0], [0])
    pages.page(4)
    assert watched.counted == [0, 1, 2, 3, 4]
    assert watched.read == [0, 4]


def test_an_overtaken_page_is_given_up(monkeypatch):
    """Between two row groups it is asked whether anybody still waits."""
    monkeypatch.setattr(rows, "ROW_GROUP_ROWS", 1)
    table = pa.table({"customer_id": ["a", "b", "c"], "card_network": ["visa"] * 3})
    watched = Watched(SelectedRows(table, where(card_network=["rupay"])))
    answers = iter([False, True])
    assert RowPages(watched).page(0, is_overtaken=lambda: next(answers)) is None
    assert watched.counted == [0]


def test_a_snapshot_is_paged_in_the_order_of_its_files(tmp_path):
    """The pages of a snapshot are its rows."""
    snapshot = publish(tmp_path, {f"c{n}": [card(f"i{n}")] for n in range(7)})
    pages = RowPages(SelectedRows(snapshot, columns=["instrument_id"]), page_rows=3)
    found = [pages.page(number)["instrument_id"].to_pylist() for number in range(3)]
    assert found == [["i0", "i1", "i2"], ["i3", "i4", "i5"], ["i6"]]
