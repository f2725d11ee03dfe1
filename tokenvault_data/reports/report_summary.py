"""The words of a report around its figures: key figures, findings, checks, where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from tokenvault_data.analysis.wording import counted, percent
from tokenvault_data.dataset.instants import INDIA
from tokenvault_data.reports.chart_text import count, day, name_of
from tokenvault_data.reports.small_cells import MARK
from tokenvault_data.reports.suppression import Mark

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tokenvault_data.dataset.manifest import Manifest
    from tokenvault_data.reports.published_quality import Check
    from tokenvault_data.reports.report_facts import Facts
    from tokenvault_data.reports.report_sections import Section

_NOT_SHOWN: Final = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number that a reader should take away.

    Attributes
    ----------
    number, label, detail : str
        The number, what it counts, and what belongs to it.
    is_alarming : bool
        Whether somebody should do something about it.
    """

    number: str
    label: str
    detail: str
    is_alarming: bool = False


def key_figures(facts: Facts) -> list[KeyFigure]:
    """Return the numbers at the top of the report."""
    few = f"fewer than {facts.smallest_cell} customers"
    if facts.cards is None or facts.customers is None or facts.expiry is None:
        return [KeyFigure(_NOT_SHOWN, "saved cards", f"Too few to be shown: {few}.")]
    figures = [
        KeyFigure(count(facts.cards), "saved cards", f"of {counted(facts.customers, 'customer')}")
    ]
    active = facts.expiry.expired_active
    share = "" if active is None else f"{percent(active / max(facts.cards, 1))} of all cards"
    figures.append(
        KeyFigure(
            _NOT_SHOWN if active is None else count(active),
            "expired, still listed ACTIVE",
            share or f"not shown: {few}",
            is_alarming=bool(active),
        )
    )
    within = _within(facts)
    if within is not None:
        figures.append(
            KeyFigure(
                count(within[90]),
                "expire within 90 days",
                f"{count(within[30])} within 30, {count(within[60])} within 60 days",
            )
        )
    unknown = facts.expiry.unknown
    figures.append(
        KeyFigure(
            _NOT_SHOWN if unknown is None else count(unknown),
            "of unknown expiry",
            "counted apart, never as expired",
        )
    )
    if facts.about is not None:
        figures.append(_coverage(facts.about, facts.as_of))
    return figures


def findings(facts: Facts, sections: Sequence[Section]) -> list[str]:
    """Return what stands out, a sentence each, without full stops at the end."""
    said = [figure.chart.title for section in sections for figure in section.figures]
    worst = [
        sum(check.verdict == verdict for check in facts.checks) for verdict in ("fail", "warn")
    ]
    if facts.checks:
        said.append(
            f"Of {counted(len(facts.checks), 'check')} of the data, {worst[0]} fail and"
            f" {worst[1]} call for a look"
        )
    return said


def check_groups(facts: Facts) -> list[tuple[str, list[Check]]]:
    """Return the checks of the data, with a caption, those that call for attention first."""
    kinds = {
        "Checks that fail or call for a look": ("fail", "warn"),
        "Checks that pass": ("pass",),
        "Checks that cannot be told": ("unknown",),
    }
    groups = []
    for caption, verdicts in kinds.items():
        checks = [check for check in facts.checks if check.verdict in verdicts]
        if checks:
            groups.append((f"{caption} ({len(checks)})", checks))
    return groups


def collection_lines(facts: Facts, generated_at: datetime, version: str) -> list[tuple[str, str]]:
    """Return where the figures come from, as names with what is to be said."""
    lines = []
    if facts.about is not None:
        about = facts.about
        started, finished = (
            datetime.fromisoformat(text).astimezone(INDIA)
            for text in (about.started_at, about.finished_at)
        )
        lines += [
            ("Snapshot", about.id),
            ("Environment", about.environment),
            ("Collected", f"{_moment(started)} to {_moment(finished)} (India time)"),
            ("Interface version", about.api_version),
            ("Customers asked for", count(about.requested)),
        ]
        lines += [
            (f"Customers {name_of('outcome', outcome)}".replace("_", " "), count(customers))
            for outcome, customers in sorted(about.outcomes.items())
        ]
    lines += [
        ("Expiry judged on", f"{day(facts.as_of)} (India)"),
        ("Smallest cell", counted(facts.smallest_cell, "customer")),
        ("Written", f"{_moment(generated_at.astimezone(INDIA))} (India time)"),
        ("Written by", f"tokenvault-data {version}"),
    ]
    return lines


def about_line(facts: Facts) -> str:
    """Return what was counted and as of when, for subtitles."""
    what = "a table of cards" if facts.about is None else f"snapshot {facts.about.id}"
    return f"{what}, as of {day(facts.as_of)}"


def _within(facts: Facts) -> dict[int, int] | None:
    """Return cards that expire within 30, 60 and 90 days, if all of it is published."""
    if facts.expiry is None:
        return None
    cards = dict(zip(facts.expiry.outlook["bucket"], facts.expiry.outlook["cards"], strict=True))
    soon = [cards[name] for name in ("0-30 days", "31-60 days", "61-90 days")]
    if any(mark != Mark.PUBLISHED for mark in facts.expiry.outlook[MARK].iloc[1:4]):
        return None
    return {30: int(soon[0]), 60: int(soon[0] + soon[1]), 90: int(sum(soon))}


def _coverage(about: Manifest, as_of: date) -> KeyFigure:
    answered = about.outcomes.get("fetched", 0) + about.outcomes.get("empty", 0)
    missing = about.requested - answered
    age_days = (as_of - datetime.fromisoformat(about.finished_at).astimezone(INDIA).date()).days
    age = "today" if age_days == 0 else f"{counted(age_days, 'day')} before" if age_days > 0 else ""
    fresh = f"collected {age}" if age else "collected after the day of judgement"
    return KeyFigure(
        percent(answered / about.requested) if about.requested else _NOT_SHOWN,
        "of customers answered for",
        f"{counted(missing, 'customer')} not known; {fresh}",
        is_alarming=missing > 0,
    )


def _moment(when: datetime) -> str:
    return f"{day(when.date())}, {when:%H:%M}"
