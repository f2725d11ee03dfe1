"""Which cards expire when, as of a day in India.

A card is valid through ``expires_on``, the last day of its month of expiry. One whose expiry is not
known is never called expired: it is counted apart.
"""

from __future__ import annotations

import difflib
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa

from tokenvault_data.analysis.cards.card_view import (
    HORIZONS,
    Where,
    bucket_names,
    bucket_sql,
    card_view,
    day_sql,
    month_bucket_names,
    month_bucket_sql,
    read_where,
)
from tokenvault_data.analysis.cards.dates import (
    LONGEST_CALENDAR,
    Within,
    days_later,
    last_day_of_month,
    last_day_within,
    month_number,
    month_text,
    whole_number,
)
from tokenvault_data.analysis.cards.notes import VALID_THROUGH, filter_note
from tokenvault_data.analysis.cards.partial import finding_table
from tokenvault_data.analysis.cards.source import Source, open_source
from tokenvault_data.dataset.schema import CATEGORIES
from tokenvault_data.dataset.today import day_of
from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted, long_day, percent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    import duckdb

    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.frames import ArrowStream
    from tokenvault_data.dataset.tables import ResultTable


_COUNTED: Final = ("customer_id", "instrument_status", "expires_on")


def expiry_calendar(
    source: ArrowStream | Source,
    by: str | Sequence[str] = ("card_network", "bank"),
    *,
    months: int = 12,
    as_of: date | datetime | str | None = None,
    where: Where = None,
    banks: BankNames | None = None,
) -> ResultTable:
    """Count the cards that expire in each of the coming months.

    Parameters
    ----------
    source : Snapshot, or object with ``__arrow_c_stream__``
    by : str or sequence of str
        ``bank`` (canonical name), or low-cardinality columns; none for the months alone.
    months : int
        How many, the month of `as_of` being the first.
    as_of : date, datetime or str, optional
        Today in India when not given.
    where : Predicate, dict, str or list of str, optional
        Only cards for which this is true.
    banks : BankNames, optional
        Names of banks; those in the package when not given.

    Returns
    -------
    ResultTable
        ``expiry`` (``YYYY-MM``), the columns of `by` (null where missing), ``cards``,
        ``active_cards`` (of those, ACTIVE), ``customers`` (distinct within the row). In order of
        time, then the most cards first; a combination that has no card has no row. Notes count the
        cards of other months and those of unknown expiry.

    Raises
    ------
    UsageError
        `by`, `months`, `as_of` or `where` cannot be read, or the source lacks a column.
    """
    groups = _checked_groups(by)
    if not 1 <= whole_number(months) <= LONGEST_CALENDAR:
        raise UsageError(
            f"{months!r} is no number of months for a calendar; nothing was counted; give 1 to"
            f" {LONGEST_CALENDAR}."
        )
    first = month_number(day_of(as_of))
    condition = read_where(where)
    needs = (*_COUNTED, *("card_bank" if name == "bank" else name for name in groups))
    opened = open_source(source, needs)
    month = "(year(expires_on) * 12 + month(expires_on) - 1)"
    names = "".join(f'"{name}", ' for name in groups)
    order = "".join(f', "{name}" NULLS LAST' for name in groups)
    with card_view(opened, as_of=day_of(as_of), where=condition, banks=banks) as connection:
        rows = connection.sql(
            f"SELECT expiry, {names}count(*) AS cards,"  # noqa: S608  checked names and numbers
            " count(*) FILTER (WHERE instrument_status = 'ACTIVE') AS active_cards,"
            " count(DISTINCT customer_id) AS customers"
            f" FROM cards WHERE {month} BETWEEN {first} AND {first + months - 1}"
            f" GROUP BY ALL ORDER BY expiry, cards DESC{order}"
        ).to_arrow_table()
        others = connection.execute(
            f"SELECT count(*) FILTER (WHERE {month} < {first}),"  # noqa: S608  numbers
            f" count(*) FILTER (WHERE {month} >= {first + months}),"
            " count(*) FILTER (WHERE expires_on IS NULL) FROM cards"
        ).fetchone()
    before, after, unknown = others or (0, 0, 0)
    last = month_text(first + months - 1)
    in_all = sum(rows.column("cards").to_pylist())
    span = month_text(first) if months == 1 else f"{month_text(first)} to {last}"
    title = f"{counted(in_all, 'card')} {'expires' if in_all == 1 else 'expire'} in {span}"
    left_out = (
        f"Not in the table: {before:,} cards of earlier months, {after:,} of later ones, and"
        f" {unknown:,} of unknown expiry."
    )
    notes = [
        VALID_THROUGH,
        left_out,
        *filter_note(condition),
    ]
    return finding_table(rows, opened, title=title, notes=notes)


def _checked_groups(by: str | Sequence[str]) -> tuple[str, ...]:
    groups = (by,) if isinstance(by, str) else tuple(by)
    known = ("bank", *CATEGORIES)
    for name in groups:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"give some of {', '.join(known)}."
            raise UsageError(f"A calendar cannot be made by {name!r}; nothing was counted; {hint}")
    if len(set(groups)) < len(groups):
        raise UsageError("A column is named twice; nothing was counted; name each once.")
    return groups


_LISTED: Final = (
    "customer_id",
    "instrument_id",
    "card_network",
    "card_bank",
    "bank",
    "card_type",
    "last_four",
    "instrument_status",
    "expires_on",
)
_NEEDS: Final = tuple(name for name in _LISTED if name != "bank")
_IN_ORDER: Final = "expires_on, customer_id, instrument_id NULLS LAST, last_four NULLS LAST"


def expiring(
    source: ArrowStream | Source,
    within: Within = "90D",
    *,
    as_of: date | datetime | str | None = None,
    where: Where = None,
    banks: BankNames | None = None,
) -> ResultTable:
    """List the cards that expire within some time, soonest first, whatever their status.

    Parameters
    ----------
    source : Snapshot, or object with ``__arrow_c_stream__``
    within : str, int or timedelta
        How far ahead: ``"90D"`` or 90 for days, ``"3M"`` for calendar months; the last day counts.
    as_of : date, datetime or str, optional
        The day it is judged on; today in India when not given. Cards whose last day it is count.
    where : Predicate, dict, str or list of str, optional
        Only cards for which this is true.
    banks : BankNames, optional
        Names of banks; those in the package when not given.

    Returns
    -------
    ResultTable
        ``customer_id``, ``instrument_id``, ``card_network``, ``card_bank`` as received, ``bank``
        (its canonical name), ``card_type``, ``last_four``, ``instrument_status``, ``expires_on``,
        and ``days_left`` from `as_of`, 0 on the last day. Notes count the cards already expired and
        those of unknown expiry, which are not listed.

    Raises
    ------
    UsageError
        `within`, `as_of` or `where` cannot be read, or the source lacks a column.
    """
    day = day_of(as_of)
    last = last_day_within(within, day)
    condition = read_where(where)
    opened = open_source(source, _NEEDS)
    with card_view(opened, as_of=day, where=condition, banks=banks) as connection:
        rows = connection.sql(
            f"SELECT {', '.join(_LISTED)}, (expires_on - {day_sql(day)})::BIGINT AS days_left"  # noqa: S608  names and days are ours
            f" FROM cards WHERE expires_on BETWEEN {day_sql(day)} AND {day_sql(last)}"
            f" ORDER BY {_IN_ORDER}"
        ).to_arrow_table()
        expired, unknown, later = _one_row(
            connection,
            f"SELECT count(*) FILTER (WHERE expires_on < {day_sql(day)}),"  # noqa: S608  days are ours
            " count(*) FILTER (WHERE expires_on IS NULL),"
            f" count(*) FILTER (WHERE expires_on > {day_sql(last)}) FROM cards",
        )
    verb = "expires" if len(rows) == 1 else "expire"
    left_out = (
        f"Not listed: {counted(expired, 'card')} expired before {long_day(day)}, {later:,} that"
        f" expire later, and {unknown:,} of unknown expiry."
    )
    notes = [
        VALID_THROUGH,
        left_out,
        *filter_note(condition),
    ]
    title = f"{counted(len(rows), 'card')} {verb} from {long_day(day)} through {long_day(last)}"
    return finding_table(rows, opened, title=title, notes=notes)


def expired_but_active(
    source: ArrowStream | Source,
    *,
    as_of: date | datetime | str | None = None,
    where: Where = None,
    banks: BankNames | None = None,
) -> ResultTable:
    """List the cards that have expired and are still ACTIVE, those longest expired first.

    The vault does not change the status of a card that expires, so these are no error of the
    vault's; they are cards that look usable and are not.

    Parameters
    ----------
    source, as_of, where, banks
        As `expiring`.

    Returns
    -------
    ResultTable
        The columns of `expiring` with ``days_expired`` in place of ``days_left``: 1 on the day
        after the last one.

    Raises
    ------
    UsageError
        `as_of` or `where` cannot be read, or the source lacks a column.
    """
    day = day_of(as_of)
    condition = read_where(where)
    opened = open_source(source, _NEEDS)
    with card_view(opened, as_of=day, where=condition, banks=banks) as connection:
        rows = connection.sql(
            f"SELECT {', '.join(_LISTED)}, ({day_sql(day)} - expires_on)::BIGINT AS days_expired"  # noqa: S608  names and days are ours
            f" FROM cards WHERE expires_on < {day_sql(day)} AND instrument_status = 'ACTIVE'"
            f" ORDER BY {_IN_ORDER}"
        ).to_arrow_table()
        active, unknown = _one_row(
            connection,
            "SELECT count(*), count(*) FILTER (WHERE expires_on IS NULL) FROM cards"
            " WHERE instrument_status = 'ACTIVE'",
        )
    verb = "has" if len(rows) == 1 else "have"
    title = f"{counted(len(rows), 'ACTIVE card')} {verb} expired by {long_day(day)}"
    notes = [
        VALID_THROUGH,
        f"Of {counted(active, 'ACTIVE card')}, {unknown:,} are of unknown expiry and not listed.",
        *filter_note(condition),
    ]
    return finding_table(rows, opened, title=title, notes=notes)


def expiry_outlook(
    source: ArrowStream | Source,
    *,
    as_of: date | datetime | str | None = None,
    horizons: Sequence[int] = HORIZONS,
    months: int | None = None,
    where: Where = None,
) -> ResultTable:
    """Count the cards by how soon they expire; the counts add up to all cards.

    Cards expire at the ends of months, so buckets of days may be empty for no reason but the day
    of the month: on 1 December no card can expire in 31 to 60 days. Buckets of whole months, with
    `months`, have no such gaps.

    Parameters
    ----------
    source, as_of, where
        As `expiring`.
    horizons : sequence of int
        Days ahead at which the buckets end, increasing, 1 or more.
    months : int, optional
        Buckets of so many calendar months in place of `horizons`, the month of `as_of` the first.

    Returns
    -------
    ResultTable
        One row for each of ``expired``, the horizons (``0-30 days``) or months (``this month``,
        ``next month``, ``in 2 months``), ``later`` and ``unknown``, also where it has no card:
        ``bucket``, ``first_day`` and ``last_day`` (null where open or unknown), ``cards``,
        ``active_cards`` (of those, ACTIVE), ``customers`` (distinct within the bucket; one may be
        in several), ``share`` of all cards, null when there are none.

    Raises
    ------
    UsageError
        `as_of`, `horizons`, `months` or `where` cannot be read, or the source lacks a column.
    """
    day = day_of(as_of)
    buckets = _buckets(day, horizons) if months is None else _month_buckets(day, months)
    condition = read_where(where)
    opened = open_source(source, _COUNTED)
    with card_view(opened, as_of=day, where=condition) as connection:
        found = connection.sql(
            f"SELECT coalesce({buckets.sql}, 'unknown'), count(*),"  # noqa: S608  built of numbers and days
            " count(*) FILTER (WHERE instrument_status = 'ACTIVE'), count(DISTINCT customer_id)"
            " FROM cards GROUP BY 1"
        ).fetchall()
    counts = {row[0]: row[1:] for row in found}
    names = [*buckets.names, "unknown"]
    cards = [counts.get(name, (0, 0, 0))[0] for name in names]
    total = sum(cards)
    first_days = [None, day, *(_next_day(end) for end in buckets.ends), None]
    last_days = [days_later(day, -1), *buckets.ends, None, None]
    rows = pa.table(
        {
            "bucket": pa.array(names, pa.string()),
            "first_day": pa.array(first_days, pa.date32()),
            "last_day": pa.array(last_days, pa.date32()),
            "cards": pa.array(cards, pa.int64()),
            "active_cards": pa.array([counts.get(n, (0, 0, 0))[1] for n in names], pa.int64()),
            "customers": pa.array([counts.get(n, (0, 0, 0))[2] for n in names], pa.int64()),
            "share": pa.array([n / total if total else None for n in cards], pa.float64()),
        }
    )
    soon = sum(cards[1:-2])
    share = f" ({percent(soon / total)})" if total else ""
    title = (
        f"{soon:,} of {counted(total, 'card')}{share} expire {buckets.span}"
        f" {long_day(day)}; {cards[0]:,} have expired"
    )
    notes = [
        VALID_THROUGH,
        "A customer with cards in several buckets is counted in each.",
        *filter_note(condition),
    ]
    return finding_table(rows, opened, title=title, notes=notes)


class _Buckets(NamedTuple):
    """Names from the first to the last known expiry, the last days of all between, their SQL."""

    names: list[str]
    ends: list[date | None]
    sql: str
    span: str


def _buckets(day: date, horizons: Sequence[int]) -> _Buckets:
    ends = _checked_horizons(horizons)
    return _Buckets(
        bucket_names(ends),
        [days_later(day, end) for end in ends],
        bucket_sql(day, ends),
        f"within {counted(ends[-1], 'day')} of",
    )


def _month_buckets(day: date, months: int) -> _Buckets:
    if not 1 <= whole_number(months) <= LONGEST_CALENDAR:
        raise UsageError(
            f"{months!r} is not a number of months; nothing was counted; give 1 to"
            f" {LONGEST_CALENDAR}."
        )
    return _Buckets(
        month_bucket_names(months),
        [last_day_of_month(month_number(day) + number) for number in range(months)],
        month_bucket_sql(day, months),
        f"in {counted(months, 'month')}, this one included, from",
    )


def _next_day(day: date | None) -> date | None:
    return None if day is None else days_later(day, 1)


def _checked_horizons(horizons: Sequence[int]) -> tuple[int, ...]:
    ends = tuple(whole_number(end) for end in horizons)
    if not ends or ends[0] < 1 or any(end <= before for before, end in pairwise(ends)):
        raise UsageError(
            f"The horizons {horizons!r} are not numbers of days, increasing from 1 or more;"
            " nothing was counted; give some such as (30, 60, 90)."
        )
    return ends


def _one_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    row = connection.execute(query).fetchone()
    return tuple(int(value) for value in row or ())
