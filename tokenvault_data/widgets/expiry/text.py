"""What an expiry radar says: its figures in words, the choice as a sentence and as code."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tokenvault_data.analysis.cards.dates import last_day_within, month_number, month_text
from tokenvault_data.analysis.filters.filters import where as condition_of
from tokenvault_data.dataset.labels import NOT_KNOWN, value_text
from tokenvault_data.errors import UsageError
from tokenvault_data.reports.labels import month_name, one_line
from tokenvault_data.text import counted, long_day, percent
from tokenvault_data.widgets.expiry.counts import HORIZONS, Chosen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from tokenvault_data.analysis.cards.dates import Within
    from tokenvault_data.analysis.filters.filters import Predicate
    from tokenvault_data.widgets.expiry.counts import ExpiryCounts, Headline
    from tokenvault_data.widgets.parts.text import Block

MONTHS_BACK: Final = 12
MONTHS_AHEAD: Final = 36
"""Months of the calendar before and from the month of the day on which expiry is judged."""

FEWEST_MONTHS: Final = 12
MOST_MONTHS: Final = 24
"""Columns of the heat map; within these, those of the horizon."""

MOST_BANKS: Final = 100
"""Rows of the heat map that can be chosen; the other banks are one row."""

LONGEST_SENTENCE_VALUES: Final = 4


def days_of(within: Within, as_of: date) -> int:
    """Return how many days a horizon has, counted from a day.

    Raises
    ------
    UsageError
        It is none.
    """
    return (last_day_within(within, as_of) - as_of).days


def within_data(within: Within) -> str | int:
    """Return a horizon as JSON can hold it."""
    return within.days if isinstance(within, timedelta) else within


def read_chosen(chosen: Mapping[str, Sequence[str | None]] | None) -> Chosen:
    """Read a choice from the form of `chosen_data`.

    Raises
    ------
    UsageError
        It is none.
    """
    given = dict(chosen or {})
    banks, months = given.pop("bank", ()), given.pop("expiry", ())
    if given or isinstance(banks, str) or isinstance(months, str):
        raise UsageError(
            "A choice of a radar holds lists of banks and of months; nothing was counted; give"
            ' some such as {"bank": ["HDFC Bank"], "expiry": ["2027-01"]}.'
        )
    for month in months:
        if month is None:
            raise UsageError("A choice of months holds no missing one; give months as YYYY-MM.")
    if banks:
        condition_of(bank=list(banks))
    if months:
        condition_of(expiry=list(months))
    # Each once; the banks as they are given, the months in order of time.
    return Chosen(tuple(dict.fromkeys(banks)), tuple(sorted({str(month) for month in months})))


def chosen_data(chosen: Chosen) -> dict[str, list[str | None]]:
    """Return a choice as plain data."""
    named = {"bank": list(chosen.banks), "expiry": list[str | None](chosen.months)}
    return {column: values for column, values in named.items() if values}


def calendar_span(as_of: date) -> tuple[int, int]:
    """Return the first month of the calendar, numbered, and how many it has."""
    return month_number(as_of) - MONTHS_BACK, MONTHS_BACK + MONTHS_AHEAD


def map_span(as_of: date, days: int) -> tuple[int, int, int]:
    """Return the heat map's first month, how many it has, and how many lie in the horizon."""
    first = month_number(as_of)
    inside = month_number(last_day_within(days, as_of)) - first + 1
    return first, min(max(inside, FEWEST_MONTHS), MOST_MONTHS), inside


def condition(where: Predicate | None, chosen: Chosen) -> Predicate | None:
    """Return the condition on the chosen cards; None for all cards."""
    data = chosen_data(chosen)
    if not data:
        return where
    narrowed = condition_of(**data)
    return narrowed if where is None else where & narrowed


def bank_name(bank: str | None) -> str:
    """Return how a bank is written."""
    return f"bank {NOT_KNOWN}" if bank is None else one_line(value_text(bank))


def chosen_words(chosen: Chosen) -> str:
    """Say which banks and months were chosen, in a few words; empty for all.

    >>> chosen_words(Chosen(("HDFC Bank",), ("2026-12", "2027-01")))
    'HDFC Bank, Dec 2026 to Jan 2027'
    """
    banks = _few([bank_name(bank) for bank in chosen.banks], "banks")
    months = chosen.months
    numbers = [int(text[:4]) * 12 + int(text[5:]) for text in months]
    if len(months) > 1 and numbers[-1] - numbers[0] == len(months) - 1:
        said = f"{month_name(months[0])} to {month_name(months[-1])}"
    else:
        said = _few([month_name(month) for month in months], "months")
    return ", ".join(filter(None, (banks, said)))


def headline_blocks(
    found: Headline, *, as_of: date, days: int, where: Predicate | None, chosen: Chosen
) -> list[Block]:
    """Return the finding, the figures, and how they add up."""
    about = chosen_words(chosen)
    cards = counted(found.cards, "card")
    share = f" ({percent(found.within / found.cards)})" if found.cards else ""
    finding = (
        f"{found.within:,} of {cards}{share} {_verb(found.within)} within"
        f" {counted(days, 'day')} of {long_day(as_of)}; {found.expired:,} have expired already,"
        f" {found.expired_active:,} of these are still ACTIVE."
    )
    horizons = sorted({*HORIZONS, days})
    soon = [
        (f"{found.by_horizon.get(horizon, found.within):,}", f"within {counted(horizon, 'day')}")
        for horizon in horizons
    ]
    figures = [
        (f"{found.expired:,}", "expired"),
        (f"{found.expired_active:,}", "expired but ACTIVE"),
        *soon,
        *((f"{cards:,}", f"expire {month}") for month, cards in found.by_month.items()),
        (f"{found.later:,}", f"after {counted(days, 'day')}"),
        (f"{found.unknown:,}", "unknown expiry"),
        (f"{found.cards:,}", "all cards" if not about else "chosen cards"),
    ]
    sums = (
        f"{found.expired:,} expired + {found.within:,} within {counted(days, 'day')} +"
        f" {found.later:,} later + {found.unknown:,} of unknown expiry = {cards}. A card is valid"
        " through its last day, judged by the day in India."
    )
    blocks: list[Block] = [("lead", finding), ("figures", figures), ("note", sums)]
    if where is not None:
        blocks.append(("note", f"Only cards of which this holds: {where.sentence()}."))
    return blocks


def choice_blocks(
    chosen: Chosen, *, as_of: date, within: Within, where: Predicate | None
) -> list[Block]:
    """Return the choice as a sentence, and as code that counts and lists the same cards."""
    rule = condition(where, chosen)
    sentence = "all cards" if rule is None else f"cards of which {rule.sentence()}"
    return [
        ("subheading", "The choice, to take along"),
        ("text", f"What is counted: {sentence}; judged on {long_day(as_of)}."),
        ("code", code(chosen, as_of=as_of, within=within, where=where)),
    ]


def code(chosen: Chosen, *, as_of: date, within: Within, where: Predicate | None) -> str:
    """Return Python that counts and lists what was chosen of ``snapshot``."""
    day, horizon = repr(as_of.isoformat()), repr(within_data(within))
    lines = ["import tokenvault_data as tv", ""]
    data = chosen_data(chosen)
    rule = condition(where, chosen)
    if rule is None:
        asked = ""
    elif where is None:
        asked = ", where=rule"
        lines.append(f"rule = tv.where({', '.join(f'{k}={v!r}' for k, v in data.items())})")
    else:
        asked = ", where=rule"
        lines.append(f"rule = {rule.to_dict()!r}")
    lines += [
        f'tv.breakdown(snapshot, ["bank", "expiry"]{asked}, as_of={day})',
        f"tv.expiring(snapshot, within={horizon}{asked}, as_of={day})",
    ]
    return "\n".join(lines)


def calendar_note(counts: ExpiryCounts, as_of: date, chosen: Chosen) -> str:
    """Say what is not in the calendar."""
    before, after, unknown = counts.outside(*calendar_span(as_of), chosen)
    return f"not shown: {before:,} earlier, {after:,} later, {unknown:,} unknown"


def map_title(months: int) -> str:
    """Return the title of the heat map."""
    return f"Cards by bank and month of expiry, {counted(months, 'month')}"


def border_label(days: int) -> str:
    """Say what the line in the heat map stands for."""
    return f"months that begin within {counted(days, 'day')} are before the line"


def months_from(first: int, months: int) -> list[str]:
    """Return months, numbered from `first`, as ``YYYY-MM``."""
    return [month_text(first + at) for at in range(months)]


def forecast_months(as_of: date, days: int) -> int:
    """Return how many months the forecast looks ahead: those of the horizon, 60 at most."""
    return min(month_number(last_day_within(days, as_of)) - month_number(as_of) + 1, 60)


def _few(names: list[str], plural: str) -> str:
    if len(names) > LONGEST_SENTENCE_VALUES:
        return f"{len(names):,} {plural}"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _verb(cards: int) -> str:
    return "expires" if cards == 1 else "expire"
