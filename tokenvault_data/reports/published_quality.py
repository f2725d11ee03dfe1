"""Checks of the data as a report shows them: no examples, no small numbers of cards.

The checks count cards, not customers, so here the smallest cell is one of cards. Where a check
counts what another part of the report has hidden, it says no number either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.reports.chart_text import count, is_missing, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_OF_THE_COLLECTION: Final = frozenset({"coverage", "freshness", "counts"})
_LONGEST: Final = 220
VERDICT_WORDS: Final = {
    "fail": "fails",
    "warn": "look at it",
    "pass": "passes",
    "unknown": "cannot be told",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the data.

    Attributes
    ----------
    name : str
        Its code, readable.
    verdict : str
        ``fail``, ``warn``, ``pass`` or ``unknown``.
    finding : str
        What was found, in a sentence.
    threshold : str
        What makes it warn or fail.
    """

    name: str
    verdict: str
    finding: str
    threshold: str


def published_checks(
    found: pd.DataFrame, known: Mapping[str, int | None], smallest_cell: int
) -> tuple[Check, ...]:
    """Return the checks, worst first.

    Parameters
    ----------
    found : pandas.DataFrame
        What `quality` returns.
    known : mapping of str to int or None
        By code of a check, how many cards other parts of the report show for it; None where they
        hide it. Checks not named are nowhere else.
    smallest_cell : int
        Cards.
    """
    order = list(VERDICT_WORDS)
    lines = sorted(found.to_dict("records"), key=lambda line: order.index(line["verdict"]))
    return tuple(
        Check(
            one_line(str(line["check"]).replace("_", " ").replace(":", ": ")),
            str(line["verdict"]),
            one_line(_finding(line, known, smallest_cell), _LONGEST),
            "" if line["threshold"] == "-" else one_line(line["threshold"]),
        )
        for line in lines
    )


def _finding(line: Mapping[Any, Any], known: Mapping[str, int | None], smallest_cell: int) -> str:
    finding, check, rows = str(line["finding"]), str(line["check"]), line["rows"]
    if check in _OF_THE_COLLECTION or is_missing(rows) or rows == 0:
        return finding
    claim = finding.partition(":")[0]
    if known.get(check, rows) is None:
        return f"{claim}: some cards; the number is not shown."
    if rows < smallest_cell:
        return f"{claim}: fewer than {count(smallest_cell)} cards."
    # Examples name values that a single customer may have.
    return finding.partition(", e.g. ")[0].rstrip(".") + "."
