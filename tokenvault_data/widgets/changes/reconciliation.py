"""The account of a comparison: every row of both lists once, and whether that adds up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from tokenvault_data.dataset.tables import result_table
from tokenvault_data.text import counted, percent

if TYPE_CHECKING:
    from tokenvault_data.analysis.changes.compare import Comparison
    from tokenvault_data.dataset.tables import ResultTable
    from tokenvault_data.widgets.parts.text import Block

_LINES: Final = (
    ("unchanged", "unchanged", "unchanged"),
    ("changed", "changed", "changed"),
    ("replaced by another id", "replaced", "replaced"),
    ("gone", "gone", None),
    ("added", None, "added"),
    ("unknown, not fetched twice", "unknown_old", "unknown_new"),
    ("without an id", "without_id_old", "without_id_new"),
    ("further rows of an id", "repeated_old", "repeated_new"),
)
_APART: Final = ("customers_only_old", "customers_only_new", "customers_not_fetched")


class ChangeAccount:
    """What became of every row of both lists.

    Parameters
    ----------
    comparison : Comparison
    """

    def __init__(self, comparison: Comparison) -> None:
        summary = comparison.summary
        self._doubt = comparison.another_vault
        self._title = comparison.summary.title.removeprefix(f"{self._doubt} ")
        self._cards = _by_line(summary, "cards")
        self._customers = _by_line(summary, "customers")

    @property
    def adds_up(self) -> bool:
        """Whether the lines are all rows, on either side."""
        sides = {
            "rows_old": [old for _, old, _ in _LINES if old is not None],
            "rows_new": [new for *_, new in _LINES if new is not None],
        }
        return all(
            sum(self._cards[line] for line in lines) == self._cards[rows]
            for rows, lines in sides.items()
        )

    def table(self) -> ResultTable:
        """Return a row a line with its rows in the old and in the new list, and their sum."""
        lines = [
            (name, *(None if one is None else self._cards[one] for one in (old, new)))
            for name, old, new in _LINES
        ]
        lines.append(("all rows", self._cards["rows_old"], self._cards["rows_new"]))
        frame = pd.DataFrame(lines, columns=["what became of it", "old list", "new list"])
        frame = frame.astype({"old list": "Int64", "new list": "Int64"})
        return result_table(frame, title="Every row of both lists, once")

    def blocks(self) -> list[Block]:
        """Return the finding, the figures, and of whom nothing can be said."""
        cards = self._cards
        before = cards["rows_old"]
        kept = f" ({percent(cards['unchanged'] / before)})" if before else ""
        lead = (
            f"{cards['unchanged']:,} of {counted(before, 'card')}{kept} are as they were;"
            f" {cards['changed']:,} changed, {cards['replaced']:,} came back under another id,"
            f" {cards['gone']:,} went and {cards['added']:,} came."
        )
        kinds = ("added", "gone", "replaced", "status_changed", "renewed")
        figures = [(f"{cards[kind]:,}", kind.replace("_", " ")) for kind in kinds]
        figures += [
            (f"{cards['expiry_changed']:,}", "expiry changed"),
            (f"{cards['details_changed']:,}", "details changed"),
            (f"{cards['unknown_old'] + cards['unknown_new']:,}", "unknown"),
        ]
        blocks: list[Block] = [("heading", self._title)]
        if self._doubt is not None:
            blocks.append(("warning", self._doubt))
        blocks += [("lead", lead), ("figures", figures)]
        apart = sum(self._customers[line] for line in _APART)
        if apart:
            cards_apart = cards["unknown_old"] + cards["unknown_new"]
            said = (
                f"{counted(apart, 'customer')} {'was' if apart == 1 else 'were'} not fetched both"
                f" times. What became of their {counted(cards_apart, 'card')} is unknown: none of"
                " these counts as gone or added."
            )
            blocks.append(("note", said))
        if not self.adds_up:
            wrong = (
                "The account does not add up, which is a mistake in the toolkit; rely on none of"
                " these figures, and report it."
            )
            blocks.append(("warning", wrong))
        return blocks


def _by_line(summary: ResultTable, figure: str) -> dict[str, int]:
    pairs = zip(summary["what"], summary[figure], strict=True)
    return {str(what): 0 if pd.isna(value) else int(value) for what, value in pairs}
