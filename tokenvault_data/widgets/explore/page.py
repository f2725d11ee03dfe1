"""An exploration as words and as a page without script, for the panel and for its static twin."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

from tokenvault_data.text import counted, percent
from tokenvault_data.widgets.explore.state import TITLES
from tokenvault_data.widgets.parts.text import as_html

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenvault_data.widgets.explore.state import Exploration
    from tokenvault_data.widgets.parts.text import Block

_MOST: Final = 12
"""Bars of a dimension on a static page."""


def figures(shown: Exploration, customers: int | None, against: str | None) -> list[Block]:
    """Return what the filter leaves, in figures and as a sentence.

    Parameters
    ----------
    shown : Exploration
    customers : int or None
        Distinct customers of the cards; None while they are being counted.
    against : str or None
        Name of the snapshot beside.
    """
    share = percent(shown.total / shown.cards) if shown.cards else "0%"
    pairs = [
        (f"{shown.total:,}", f"cards, {share} of {shown.cards:,}"),
        ("…" if customers is None else f"{customers:,}", "customers who have them"),
    ]
    if shown.total_before is not None:
        difference = f"{shown.total - shown.total_before:+,}".replace("-", "\N{MINUS SIGN}")
        pairs.append((difference, f"cards since {against}, whose {shown.total_before:,} are ticks"))
    said: Block = ("text", f"Shown: {shown.sentence}.")
    if not shown.filters:
        said = ("note", "All cards are shown. Choose a bar to see only what it stands for.")
    return [("figures", pairs), said]


def code_of(conditions: Sequence[str], first_dimension: str = "bank") -> str:
    """Return Python that asks for the same cards."""
    if not conditions:
        return f'tv.breakdown(snapshot, "{first_dimension}")'
    listed = ", ".join(map(repr, conditions))
    return f'where = [{listed}]\ntv.breakdown(snapshot, "{first_dimension}", where=where)'


def rule_code(conditions: Sequence[str]) -> str:
    """Return Python that makes a cleanup rule of the same condition and opens its panel."""
    listed = ", ".join(map(repr, conditions))
    return (
        "from tokenvault_data.analysis.filters.parsing import parse_conditions\n"
        "from tokenvault_data.widgets import CleanupPanel\n\n"
        f"rule = parse_conditions([{listed}])\n"
        "CleanupPanel(snapshot, rule)"
    )


def static_page(
    shown: Exploration, heading: Sequence[Block], customers: int | None, against: str | None
) -> str:
    """Return the exploration as HTML without script: figures, filter, and a table a dimension."""
    counts, before = shown.counts(), shown.counts_before()
    tables = "".join(
        _table(name, [bar.label for bar in shown.bars[name]], counts[name], before[name])
        for name in shown.dimensions
    )
    words = as_html([*heading, *figures(shown, customers, against)])
    return f"<div>{words}{tables}</div>"


def _table(name: str, labels: Sequence[str], counts: Sequence[int], before: Sequence[int]) -> str:
    title = TITLES.get(name, name)
    total = sum(counts)
    places = [place for place, cards in enumerate(counts) if cards or (before and before[place])]
    if name != "expiry":
        places.sort(key=lambda place: -counts[place])
    shown = places[:_MOST] if name != "expiry" else places
    head = "".join(
        f"<th scope='col' style='text-align:{side}'>{text}</th>"
        for side, text in (
            ("left", html.escape(title)),
            ("right", "cards"),
            ("right", "share"),
            *([("right", "before")] if before else []),
        )
    )
    rows = "".join(
        f"<tr><td style='text-align:left'>{html.escape(labels[place])}</td>"
        f"<td style='text-align:right'>{counts[place]:,}</td>"
        f"<td style='text-align:right'>{percent(counts[place] / total) if total else '0%'}</td>"
        + (f"<td style='text-align:right'>{before[place]:,}</td>" if before else "")
        + "</tr>"
        for place in shown
    )
    left_out = sum(counts[place] for place in places[len(shown) :])
    if left_out:
        others = counted(len(places) - len(shown), "other value")
        rows += (
            f"<tr><td style='text-align:left'>{others}</td>"
            f"<td style='text-align:right'>{left_out:,}</td>"
            f"<td style='text-align:right'>{percent(left_out / total)}</td></tr>"
        )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
