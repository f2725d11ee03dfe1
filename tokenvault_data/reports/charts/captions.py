"""What a table of counts finds, in a sentence: the titles of charts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.dataset.labels import ALL_GROUPS, value_text
from tokenvault_data.dataset.masked_ids import is_identifying
from tokenvault_data.errors import UsageError
from tokenvault_data.reports.labels import (
    count,
    is_missing,
    is_summed_up,
    month_name,
    name_of,
    one_line,
    percent,
)
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from tokenvault_data.reports.charts.drawing import DrawnBar


_LEADING: Final = {
    "card_network": "{name} is the network of {share} of the cards",
    "bank": "{name} issued {share} of the cards, more than any other bank",
    "card_bank": "{name} is written as the bank of {share} of the cards",
    "card_type": "{share} of the cards are {name} cards",
    "card_sub_type": "{share} of the cards are of sub-type {name}",
    "card_country": "{share} of the cards were issued in {name}",
    "instrument_status": "The vault lists {share} of the cards as {name}",
}
_THINGS: Final = {
    "card_network": "networks",
    "bank": "banks",
    "card_bank": "banks",
    "card_type": "types",
    "card_country": "countries",
    "instrument_status": "statuses",
}


def rank(value: Any) -> int:
    """Order groups: names first, then what is summed up, then what is missing."""
    return 2 if is_missing(value) else 1 if is_summed_up(value) else 0


def subtitle_of(what: str, about: str) -> str:
    """Join what is counted with where it was counted."""
    return f"{what} \N{MIDDLE DOT} {one_line(about, 160)}" if about else what


def leading(groups: Sequence[Mapping[str, Any]], column: str) -> str:
    """Say which group has most cards.

    Parameters
    ----------
    groups : sequence of mapping
        With `column`, ``cards`` (None where hidden) and ``share``.
    column : str
    """
    open_groups = [group for group in groups if group["cards"]]
    named = [group for group in open_groups if rank(group[column]) == 0]
    things = _THINGS.get(column, f"values of {column}")
    if not open_groups:
        return f"How the cards divide by {things}"
    if not named:
        return f"How the cards divide by {things}"
    top = max(named, key=lambda group: group["cards"])
    if sum(group["cards"] == top["cards"] for group in named) > 1:
        ties = [name_of(column, one[column]) for one in named if one["cards"] == top["cards"]]
        shown = " and ".join(ties[:2]) if len(ties) == 2 else f"{len(ties)} {things}"
        return f"{shown} have {percent(top['share'])} of the cards each"
    form = _LEADING.get(column, "{name} is on {share} of the cards")
    if _hides(groups):
        form = form.removesuffix(", more than any other bank")
    # Filled by replacement: a name may hold braces.
    said = form.replace("{share}", percent(top["share"]))
    return _capital(said.replace("{name}", name_of(column, top[column])))


def outlook(groups: Sequence[Mapping[str, Any]]) -> str:
    """Say how many cards have expired and how many will within the buckets that have an end."""
    by_bucket = {group["bucket"]: group["cards"] for group in groups}
    expired = by_bucket.get("expired", 0)
    soon = [
        group["cards"]
        for group in groups
        if isinstance(group["bucket"], str) and group["bucket"].endswith("days")
    ]
    ends = [
        str(group["bucket"]).removesuffix(" days").rpartition("-")[2]
        for group in groups
        if str(group["bucket"]).endswith("days")
    ]
    if expired is None or not soon or any(cards is None for cards in soon):
        return "How long the cards are still valid"
    verb = "card has" if expired == 1 else "cards have"
    return (
        f"{count(expired)} {verb} expired; {count(sum(soon))} more"
        f" {'does' if sum(soon) == 1 else 'do'} within {ends[-1]} days"
    )


def calendar(months: Mapping[str, Mapping[str, Any]], current: str | None) -> str:
    """Say in which month most cards expire, among those to come where `current` is known."""
    known = {
        month: group["cards"]
        for month, group in months.items()
        if group["cards"] and (current is None or month >= current)
    }
    if not known:
        return "How many cards expire in each month"
    most = max(known, key=lambda month: (known[month], month))
    these = "the months shown" if _hides(months.values()) else "these months"
    return f"Most cards of {these} expire in {month_name(most)}: {count(known[most])}"


def heat_map(lines: Sequence[Mapping[str, Any]]) -> str:
    """Say which bank has most cards expiring in one month."""
    known = [line for line in lines if line["cards"] and rank(line["bank"]) == 0]
    if not known:
        return "How many cards of each bank expire in each month"
    most = max(known, key=lambda line: (line["cards"], str(line["expiry"])))
    largest = "largest batch shown" if _hides(lines) else "largest batch"
    return (
        f"The {largest} of one bank: {count(most['cards'])} cards of"
        f" {name_of('bank', most['bank'])} in {month_name(most['expiry'])}"
    )


def changes(groups: Sequence[Mapping[str, Any]]) -> str:
    """Say how many cards came and went."""
    cards = {group["what"]: group["cards"] for group in groups}
    added, gone = cards.get("added"), cards.get("gone")
    if added is None or gone is None:
        return "What became of the cards"
    return f"{count(added)} cards were added and {count(gone)} are gone"


def changes_of_banks(lines: Sequence[Mapping[str, Any]]) -> str:
    """Say of which bank most cards changed in one way."""
    known = [line for line in lines if line["cards"] and rank(line["bank"]) == 0]
    if not known:
        return "What became of the cards of each bank"
    most = max(known, key=lambda line: (line["cards"], str(line["bank"])))
    most_of = "Most that are shown" if _hides(lines) else "Most"
    return (
        f"{most_of} of one kind: {count(most['cards'])} cards of {name_of('bank', most['bank'])},"
        f" {name_of('kind', most['kind'])}"
    )


def heaviest_first(lines: Sequence[Mapping[str, Any]], column: str) -> list[Any]:
    """Return the values of a column, most cards first, the missing last."""
    weight: dict[Any, int] = {}
    for line in lines:
        value = None if is_missing(line[column]) else line[column]
        weight[value] = weight.get(value, 0) + (line["cards"] or 0)
    return sorted(weight, key=lambda value: (rank(value), -weight[value], str(value)))


def _hides(groups: Iterable[Mapping[str, Any]]) -> bool:
    """Say whether a figure is hidden: a superlative would be a bound of it, or untrue."""
    return any(group["cards"] is None for group in groups)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


MOST_GROUPS: Final = 40
"""Bars, or rows or columns of a grid, that one chart holds."""

_FIGURES: Final = frozenset({"cards", "customers", "active_cards"})


_GRIDS: Final = frozenset({"expiry", "kind"})
"""Columns of tables with a line for each cell of a grid, whose size is checked as it is drawn."""


def checked_lines(table: pd.DataFrame, *needed: str) -> list[dict[str, Any]]:
    """Return the lines of a table of aggregates, figures as int or None."""
    ids = [str(name) for name in table.columns if is_identifying(str(name))]
    if ids:
        raise UsageError(
            f"A chart shows aggregates only, and the table holds {', '.join(ids)}; nothing was"
            " drawn; count it first, for instance with breakdown()."
        )
    missing = [name for name in (*needed, "cards") if name not in table.columns]
    if missing:
        raise UsageError(
            f"The table has no column {', '.join(missing)}; nothing was drawn; give a table of"
            " counts by one of the columns of a snapshot."
        )
    if not _GRIDS & set(needed) and len(table) > MOST_GROUPS:
        raise UsageError(
            f"A chart shows at most {MOST_GROUPS} groups and the table has {len(table):,}; nothing"
            " was drawn; ask for the top ones only."
        )
    lines: list[dict[str, Any]] = []
    has_labels = not table.attrs.get(ALL_GROUPS)
    for values in table.to_dict("records"):
        line: dict[str, Any] = {}
        for name, value in values.items():
            if name in _FIGURES:
                line[str(name)] = None if is_missing(value) else int(value)
            else:
                line[str(name)] = None if is_missing(value) else value
                if isinstance(value, str) and not has_labels:
                    line[str(name)] = value_text(value)
        lines.append(line)
    return lines


def length(group: Mapping[str, Any]) -> int:
    """Return the length of a group's bar: none where its figure is hidden."""
    return int(group["cards"] or 0)


HIDDEN_LABEL: Final = "\N{EN DASH}"
"""What a chart writes in place of a hidden figure."""


def bar_label(group: Mapping[str, Any]) -> str:
    """Return what is written at the end of a group's bar."""
    if group["cards"] is None:
        return HIDDEN_LABEL
    if is_missing(group["share"]):
        return count(group["cards"])
    return f"{count(group['cards'])} \N{MIDDLE DOT} {percent(group['share'])}"


def cards_said(group: Mapping[str, Any]) -> str:
    """Return the number of cards in words, or that it is hidden."""
    if group["cards"] is None:
        return "hidden"
    return f"{count(group['cards'])} {'card' if group['cards'] == 1 else 'cards'}"


def said(name: str, group: Mapping[str, Any]) -> str:
    """Return all figures of a group in words."""
    parts = [cards_said(group)]
    if group["cards"] is not None:
        share = group["share"]
        parts.append("share hidden" if is_missing(share) else percent(share))
    if group.get("customers") is not None:
        parts.append(counted(group["customers"], "customer"))
    if group.get("active_cards") is not None:
        parts.append(f"{count(group['active_cards'])} of them ACTIVE")
    return f"{name}: {', '.join(parts)}"


def month_label(month: str, place: int) -> str:
    """Return the month in three letters, and the year below where it begins."""
    name, _, year = month_name(month).partition(" ")
    return f"{name}\n{year}" if place == 0 or month.endswith("-01") else f"{name}\n "


def alt_text(title: str, drawn: Sequence[DrawnBar]) -> str:
    """Return a chart of bars in words."""
    return f"{title}. {'; '.join(bar.said for bar in drawn[:12])}."
