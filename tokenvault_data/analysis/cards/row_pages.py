"""The rows that pass a condition, a page at a time, in the order in which they were fetched.

A page goes through the row groups up to the one it ends in; of those that earlier pages went
through, the number of rows that pass is known already. So the first page of ten million cards
costs what one row group does, and no page holds more than two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenvault_data.analysis.cards.rows import SelectedRows

PAGE_ROWS: Final = 20
"""Rows of a page when nothing else is asked for."""


class RowPages:
    """Pages of selected rows.

    Parameters
    ----------
    selected : SelectedRows
    page_rows : int
        Rows of a page.
    """

    def __init__(self, selected: SelectedRows, *, page_rows: int = PAGE_ROWS) -> None:
        self._selected = selected
        self._page_rows = page_rows
        self._passing: list[int] = []  # by row group gone through, the rows that pass

    def page(
        self, number: int, *, is_overtaken: Callable[[], bool] = lambda: False
    ) -> pa.Table | None:
        """Return one page, with fewer rows at the end and none behind it.

        Parameters
        ----------
        number : int
            From 0 on.
        is_overtaken : callable, optional
            Asked between two row groups: whether nobody waits for the page any more.

        Returns
        -------
        pyarrow.Table or None
            None if the page was overtaken.
        """
        first, behind = number * self._page_rows, (number + 1) * self._page_rows
        found: list[pa.Table] = []
        before = 0  # rows that pass in the row groups before this one
        for group in range(self._selected.groups):
            if before >= behind:
                break
            if is_overtaken():
                return None
            if group == len(self._passing):
                self._passing.append(self._selected.count(group))
            after = before + self._passing[group]
            if after > max(first, before):
                start = max(first - before, 0)
                found.append(self._selected.rows(group).slice(start, behind - before - start))
            before = after
        return pa.concat_tables([self._selected.schema.empty_table(), *found]).unify_dictionaries()
