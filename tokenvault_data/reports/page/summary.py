"""The words of a report around its figures: key figures, findings, checks, where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from tokenvault_data.dataset.flattening.canonical import INDIA
from tokenvault_data.reports.disclosure.counted_groups import ALL, cards_of, customers_of, share_of
from tokenvault_data.reports.disclosure.published_quality import not_fetched_of
from tokenvault_data.reports.disclosure.small_groups import HIDDEN
from tokenvault_data.reports.labels import count, day, is_missing, name_of
from tokenvault_data.text import counted, percent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tokenvault_data.dataset.manifest import Manifest
    from tokenvault_data.reports.disclosure.published_expiry import PublishedExpiry
    from tokenvault_data.reports.disclosure.published_quality import CheckShown
    from tokenvault_data.reports.disclosure.suppression import Figures
    from tokenvault_data.reports.page.facts import ReportFacts
    from tokenvault_data.reports.page.sections import Section

_NOT_SHOWN: Final = "\N{EN DASH}"
_HIDDEN: Final = "hidden"


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


def key_figures(facts: ReportFacts) -> list[KeyFigure]:
    """Return the numbers at the top of the report."""
    if facts.figures is None or facts.expiry is None:
        few = f"Too few to be shown: fewer than {facts.smallest_cell} customers."
        return [KeyFigure(_NOT_SHOWN, "saved cards", few)]
    cards = facts.figures.published(cards_of(ALL))
    customers = facts.figures.published(customers_of(ALL))
    active, unknown = facts.expiry.expired_active, facts.expiry.unknown
    share = share_of(active, cards)
    figures = [
        KeyFigure(
            _number(cards),
            "saved cards",
            _HIDDEN if customers is None else f"of {counted(customers, 'customer')}",
        ),
        KeyFigure(
            _number(active),
            "expired, still listed ACTIVE",
            _HIDDEN if share is None else f"{percent(share)} of all cards",
            is_alarming=bool(active),
        ),
    ]
    within = _within(facts)
    if within is not None:
        figures.append(
            KeyFigure(
                count(within[90]),
                "expire within 90 days",
                f"{count(within[30])} within 30, {count(within[60])} within 60 days",
            )
        )
    figures += _this_month(facts.expiry)
    figures.append(
        KeyFigure(_number(unknown), "of unknown expiry", "counted apart, never as expired")
    )
    if facts.about is not None:
        figures.append(_coverage(facts.about, facts.figures, facts.as_of))
    return figures


def hidden_note(facts: ReportFacts) -> str:
    """Say how many figures are hidden; empty when none is."""
    hidden = 0 if facts.figures is None else facts.figures.hidden_count
    if not hidden:
        return ""
    return f"{counted(hidden, 'figure is', 'figures are')} hidden to protect small groups"


def findings(facts: ReportFacts, sections: Sequence[Section]) -> list[str]:
    """Return what stands out, a sentence each, without full stops at the end."""
    doubt = None if facts.changes is None else facts.changes.another_vault
    said = [*([] if doubt is None else [doubt.removesuffix(".")]), *facts.partial]
    said += [figure.chart.title for section in sections for figure in section.figures]
    fail, warn, hidden = (
        sum(check.verdict == verdict for check in facts.checks)
        for verdict in ("fail", "warn", "hidden")
    )
    if facts.checks:
        verdicts = [counted(fail, "fails", "fail"), counted(warn, "calls for", "call for")]
        verdicts[1] += " a look"
        if hidden:
            verdicts.append(f"{counted(hidden, 'has', 'have')} a hidden figure")
        last = verdicts.pop()
        checks = counted(len(facts.checks), "check")
        said.append(f"Of {checks} of the data, {', '.join(verdicts)} and {last}")
    return said


def check_groups(facts: ReportFacts) -> list[tuple[str, list[CheckShown]]]:
    """Return the checks of the data, with a caption, those that call for attention first."""
    kinds = {
        "Checks that fail or call for a look": ("fail", "warn"),
        "Checks that pass": ("pass",),
        "Checks whose figure is hidden": ("hidden",),
        "Checks that cannot be told": ("unknown",),
    }
    groups = []
    for caption, verdicts in kinds.items():
        checks = [check for check in facts.checks if check.verdict in verdicts]
        if checks:
            groups.append((f"{caption} ({len(checks)})", checks))
    return groups


def collection_lines(
    facts: ReportFacts, generated_at: datetime, version: str
) -> list[tuple[str, str]]:
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
        ]
    if facts.about is not None and facts.figures is not None:
        asked = {
            "Customers asked for": "requested",
            **{
                f"Customers {name_of('outcome', outcome)}".replace("_", " "): ("asked", outcome)
                for outcome in sorted(facts.about.outcomes)
            },
        }
        for name, group in asked.items():
            customers = facts.figures.published(customers_of(group))
            lines.append((name, _HIDDEN if customers is None else count(customers)))
    lines += [
        ("Expiry judged on", f"{day(facts.as_of)} (India)"),
        ("Smallest cell", counted(facts.smallest_cell, "customer")),
        ("Written", f"{_moment(generated_at.astimezone(INDIA))} (India time)"),
        ("Written by", f"tokenvault-data {version}"),
    ]
    return lines


def about_line(facts: ReportFacts) -> str:
    """Return what was counted and as of when, for subtitles."""
    what = "a table of cards" if facts.about is None else f"snapshot {facts.about.id}"
    return f"{what}, as of {day(facts.as_of)}"


def _this_month(expiry: PublishedExpiry) -> list[KeyFigure]:
    """Return what expires this month and the next, as far as it is published."""
    now, then = (
        None if is_missing(cards) else count(cards) for cards in expiry.calendar["cards"].head(2)
    )
    if now is None:
        return []
    return [KeyFigure(now, "expire this month", f"{then or _NOT_SHOWN} next month")]


def _within(facts: ReportFacts) -> dict[int, int] | None:
    """Return cards that expire within 30, 60 and 90 days, if all of it is published."""
    if facts.expiry is None:
        return None
    cards = dict(zip(facts.expiry.outlook["bucket"], facts.expiry.outlook["cards"], strict=True))
    soon = [cards[name] for name in ("0-30 days", "31-60 days", "61-90 days")]
    if facts.expiry.outlook[HIDDEN].iloc[1:4].any():
        return None
    return {30: int(soon[0]), 60: int(soon[0] + soon[1]), 90: int(sum(soon))}


def _coverage(about: Manifest, figures: Figures, as_of: date) -> KeyFigure:
    missing = figures.published(not_fetched_of(about))
    answered = figures.published(customers_of("answered"))
    requested = figures.published(customers_of("requested"))
    age_days = (as_of - datetime.fromisoformat(about.finished_at).astimezone(INDIA).date()).days
    age = "today" if age_days == 0 else f"{counted(age_days, 'day')} before" if age_days > 0 else ""
    fresh = f"collected {age}" if age else "collected after the day of judgement"
    lacking = share_of(missing, None if answered is None else requested)
    if missing is None or lacking is None:
        return KeyFigure(_NOT_SHOWN, "of customers answered for", f"{_HIDDEN}; {fresh}")
    return KeyFigure(
        percent(1 - lacking),
        "of customers answered for",
        f"{counted(missing, 'customer')} not known; {fresh}",
        is_alarming=missing > 0,
    )


def _number(value: int | None) -> str:
    return _NOT_SHOWN if value is None else count(value)


def _moment(when: datetime) -> str:
    return f"{day(when.date())}, {when:%H:%M}"
