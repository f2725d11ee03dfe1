"""How many tokens will lapse in each of the coming months, and how good such forecasts were."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa

from tokenvault_data.analysis.cards.dates import month_number, month_text, whole_number
from tokenvault_data.analysis.cards.partial import finding_table
from tokenvault_data.analysis.cards.source import Source
from tokenvault_data.analysis.lapse_model import (
    LapseHistory,
    LapseModel,
    LapseObservation,
    LapseStep,
    fit,
    history,
    looks_of,
)
from tokenvault_data.dataset.today import day_of
from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted, long_day, percent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from tokenvault_data.dataset.snapshots import Snapshot
    from tokenvault_data.dataset.tables import ResultTable

LONGEST_FORECAST: Final = 60
"""Months that can be forecast: few tokens are valid for longer."""

LATEST_LOOK_MONTHS: Final = 3
"""A month counts as observed if a snapshot was made at most so many months after it."""

_COUNTS_ONLY: Final = "scheduled expiries only"
_LEARNT: Final = "history"
_LAPSE: Final = (
    "A card lapses if it is still ACTIVE and listed when its month of expiry ends, so not renewed,"
    " replaced or deleted before."
)


def forecast(
    snapshots: Snapshot | Sequence[Snapshot],
    *,
    months: int = 12,
    as_of: date | datetime | str | None = None,
    interval: float = 0.8,
) -> ResultTable:
    """Forecast how many cards lapse in each of the coming months.

    A card lapses if it reaches the end of its month of expiry without having been renewed,
    replaced, deleted or made inactive. With one snapshot the scheduled expiries are all there is to
    count. With several, the share of scheduled cards that used to survive each month on the way,
    and the cards that used to be added, turn the schedule of the newest into an expectation with an
    interval; `lapse_model` says how.

    Parameters
    ----------
    snapshots : Snapshot or sequence of Snapshot
        Of one environment and merchant, in any order. The newest is the starting point. Of several
        made within less than 20 days, or one calendar month, the newest is used.
    months : int
        How many, the month of `as_of` being the first.
    as_of : date, datetime or str, optional
        Today in India when not given; not before the month of the newest snapshot.
    interval : float
        Share of futures that lie between ``low`` and ``high``, e.g. 0.8.

    Returns
    -------
    ResultTable
        One row a month: ``month`` (``YYYY-MM``); ``scheduled``, the ACTIVE cards of the newest
        snapshot whose `expires_on` lies in it; ``expected`` lapses; ``low`` and ``high``, null
        without a history; ``basis``: ``history`` or ``scheduled expiries only``.

    Raises
    ------
    UsageError
        An argument cannot be used, or the snapshots are of several environments or merchants.
    """
    _check_numbers(months, interval)
    looks, passed_over = looks_of(snapshots)
    newest = looks[-1]
    first = month_number(day_of(as_of))
    if first < newest.month:
        raise UsageError(
            f"The newest snapshot is of {month_text(newest.month)}, after the month to begin with;"
            " nothing was counted; leave it out, or give a later as_of."
        )
    leads = first - newest.month + months
    with history(looks) as past:
        counts = past.scheduled(len(looks) - 1)
        steps = [step for place in range(len(looks) - 1) for step in past.steps(place, leads)]
    wanted = range(first, first + months)
    schedule = [(month - newest.month, counts.get(month, 0)) for month in wanted]
    model = fit(steps, leads)
    notes = [
        _LAPSE,
        f"Scheduled as of {long_day(newest.day)}, the day of the newest snapshot.",
        _basis_note(looks, model, interval),
        *_passed_over_note(passed_over),
    ]
    scheduled = [cards for _, cards in schedule]
    foreseen = None if model is None else _foresee(model, schedule, interval)
    nothing = [None] * months
    rows = pa.table(
        {
            "month": pa.array([month_text(month) for month in wanted], pa.string()),
            "scheduled": pa.array(scheduled, pa.int64()),
            "expected": pa.array(foreseen.expected if foreseen else scheduled, pa.float64()),
            "low": pa.array(foreseen.low if foreseen else nothing, pa.int64()),
            "high": pa.array(foreseen.high if foreseen else nothing, pa.int64()),
            "basis": pa.array([_LEARNT if foreseen else _COUNTS_ONLY] * months, pa.string()),
        }
    )
    span = f"{month_text(first)} to {month_text(first + months - 1)}"
    if foreseen is None:
        title = f"{counted(sum(scheduled), 'card')} scheduled to lapse, {span}"
    else:
        low, high = foreseen.total
        title = (
            f"About {counted(round(sum(foreseen.expected)), 'card')} will lapse, {span}"
            f" ({percent(interval)} interval: {low:,} to {high:,})"
        )
    return finding_table(rows, *_sources(looks), title=title, notes=notes)


def backtest(
    snapshots: Sequence[Snapshot], *, months: int = 12, interval: float = 0.8
) -> ResultTable:
    """Make the forecasts that could have been made in the past, and compare them with what came.

    Every snapshot with at least one before and one after it is a cut: what was known by then
    forecasts the months that later snapshots have seen the end of. What came is the number of
    cards that are ACTIVE and of that month in the first snapshot after it. Only customers fetched
    in every snapshot count, so that nobody's failure looks like a lapse that did not happen.

    Parameters
    ----------
    snapshots, interval
        As `forecast`; at least three are needed for a row.
    months : int
        How far each forecast looks ahead.

    Returns
    -------
    ResultTable
        One row a cut and month: ``cut`` (day of the snapshot), ``month``, ``lead_months``,
        ``scheduled``, ``predicted``, ``low``, ``high``, ``actual``, and ``inside``, whether
        `actual` lies from `low` through `high`. Notes give the mean absolute error, beside that of
        counting scheduled expiries only.

    Raises
    ------
    UsageError
        As `forecast`.
    """
    _check_numbers(months, interval)
    looks, passed_over = looks_of(snapshots)
    rows: list[dict[str, object]] = []
    with history(looks) as past:
        everywhere = range(len(looks))
        seen = [past.scheduled(place, everywhere) for place in everywhere]
        steps: list[LapseStep] = []
        for cut in range(1, len(looks) - 1):
            steps += past.steps(cut - 1, months, everywhere)
            model = fit(steps, months)
            rows += _backtest_of(past, cut, seen, model, months=months, interval=interval)
    table = pa.Table.from_pylist(
        rows,
        schema=pa.schema(
            [
                ("cut", pa.date32()),
                ("month", pa.string()),
                ("lead_months", pa.int64()),
                ("scheduled", pa.int64()),
                ("predicted", pa.float64()),
                ("low", pa.int64()),
                ("high", pa.int64()),
                ("actual", pa.int64()),
                ("inside", pa.bool_()),
            ]
        ),
    )
    return finding_table(
        table,
        *_sources(looks),
        title=_backtest_title(rows, interval),
        notes=[*_backtest_notes(rows), _LAPSE, *_passed_over_note(passed_over)],
    )


def _backtest_of(
    past: LapseHistory,
    cut: int,
    seen: Sequence[dict[int, int]],
    model: LapseModel | None,
    *,
    months: int,
    interval: float,
) -> list[dict[str, object]]:
    if model is None:
        return []
    look = past.looks[cut]
    rows: list[dict[str, object]] = []
    schedule, actual = [], []
    for month in range(look.month, look.month + months):
        after = next((i for i, one in enumerate(past.looks) if one.month > month), None)
        if after is not None and past.looks[after].month - month <= LATEST_LOOK_MONTHS:
            schedule.append((month - look.month, seen[cut].get(month, 0)))
            actual.append(seen[after].get(month, 0))
    foreseen = _foresee(model, schedule, interval)
    for (lead, cards), came, predicted, low, high in zip(
        schedule, actual, foreseen.expected, foreseen.low, foreseen.high, strict=True
    ):
        rows.append(
            {
                "cut": look.day,
                "month": month_text(look.month + lead),
                "lead_months": lead,
                "scheduled": cards,
                "predicted": predicted,
                "low": low,
                "high": high,
                "actual": came,
                "inside": low <= came <= high,
            }
        )
    return rows


class _Foreseen(NamedTuple):
    """Mean and interval of each month, and the interval of their sum."""

    expected: list[float]
    low: list[int]
    high: list[int]
    total: tuple[int, int]


def _foresee(model: LapseModel, schedule: Sequence[tuple[int, int]], interval: float) -> _Foreseen:
    expected = [model.expected(lead, cards) for lead, cards in schedule]
    draws = model.draws(schedule)
    ends = [(1 - interval) / 2, (1 + interval) / 2]
    lowest, highest = np.quantile(draws, ends, axis=0) if schedule else ([], [])
    low, high = np.quantile(draws.sum(axis=1), ends)
    # Whole cards outward, and never past the mean, which lies beyond them where few are expected.
    return _Foreseen(
        expected,
        [math.floor(min(pair)) for pair in zip(lowest, expected, strict=True)],
        [math.ceil(max(pair)) for pair in zip(highest, expected, strict=True)],
        (math.floor(min(low, sum(expected))), math.ceil(max(high, sum(expected)))),
    )


def _basis_note(
    looks: Sequence[LapseObservation], model: LapseModel | None, interval: float
) -> str:
    if model is None:
        reason = "one snapshot has no history" if len(looks) == 1 else "no card was ever scheduled"
        return (
            f"This only counts scheduled expiries, since {reason}: renewals, deletions and new"
            " cards will change them, and there is no interval."
        )
    return (
        f"Learnt from {len(looks)} snapshots since {long_day(looks[0].day)}. If the coming months"
        f" are like these, each month lies between low and high in {percent(interval)} of cases;"
        " backtest() shows how such forecasts fared."
    )


def _sources(looks: Sequence[LapseObservation]) -> list[Source]:
    return [Source(look.snapshot, None) for look in looks]


def _passed_over_note(passed_over: int) -> list[str]:
    if not passed_over:
        return []
    return [f"{counted(passed_over, 'snapshot')} passed over: too close to a later one."]


def _backtest_title(rows: Sequence[dict[str, object]], interval: float) -> str:
    if not rows:
        return "Nothing to test: a backtest needs snapshots of three months or more"
    inside = sum(bool(row["inside"]) for row in rows)
    return (
        f"{inside} of {counted(len(rows), 'forecast')} ({percent(inside / len(rows))}) were right"
        f" within their {percent(interval)} interval"
    )


def _backtest_notes(rows: Sequence[dict[str, object]]) -> list[str]:
    if not rows:
        return []
    error, naive = (
        sum(abs(float(str(row[guess])) - float(str(row["actual"]))) for row in rows) / len(rows)
        for guess in ("predicted", "scheduled")
    )
    errors = (
        f"Mean absolute error: {error:,.1f} cards a month; of counting scheduled expiries only:"
        f" {naive:,.1f}."
    )
    return [
        errors,
        "Forecasts of one cut, and of one month, are not independent of each other.",
        "Customers not fetched in every one of the snapshots are left out.",
    ]


def _check_numbers(months: int, interval: float) -> None:
    if not 1 <= whole_number(months) <= LONGEST_FORECAST:
        raise UsageError(
            f"{months!r} is no number of months to forecast; nothing was counted; give 1 to"
            f" {LONGEST_FORECAST}."
        )
    if not 0 < interval < 1:
        raise UsageError(
            f"{interval!r} is no share of cases; nothing was counted; give a number between 0 and"
            " 1, e.g. 0.8."
        )
