"""Which cards expire when, as of a day in India.

A card is valid through ``expires_on``, the last day of its month of expiry. One whose expiry is not
known is never called expired: it is counted apart.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from tokenvault_data.analysis.card_view import (
    HORIZONS,
    Where,
    bucket_names,
    bucket_sql,
    card_view,
    day_sql,
    read_where,
)
from tokenvault_data.analysis.horizon import Within, days_later, last_day_within, whole_number
from tokenvault_data.analysis.source import ArrowStream, Source, open_source
from tokenvault_data.analysis.usual_notes import VALID_THROUGH, filter_note, not_fetched_note
from tokenvault_data.analysis.wording import counted, long_day, percent
from tokenvault_data.dataset.result_table import ResultTable, result_table
from tokenvault_data.dataset.today import day_of
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    import duckdb

    from tokenvault_data.dataset.bank_names import BankNames

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
_COUNTED: Final = ("customer_id", "instrument_status", "expires_on")
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
        *not_fetched_note(opened),
    ]
    title = f"{counted(len(rows), 'card')} {verb} from {long_day(day)} through {long_day(last)}"
    return result_table(rows, title=title, notes=notes)


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
        *not_fetched_note(opened),
    ]
    return result_table(rows, title=title, notes=notes)


def expiry_outlook(
    source: ArrowStream | Source,
    *,
    as_of: date | datetime | str | None = None,
    horizons: Sequence[int] = HORIZONS,
    where: Where = None,
) -> ResultTable:
    """Count the cards by how soon they expire; the counts add up to all cards.

    Parameters
    ----------
    source, as_of, where
        As `expiring`.
    horizons : sequence of int
        Days ahead at which the buckets end, increasing, 1 or more.

    Returns
    -------
    ResultTable
        One row for each of ``expired``, the horizons, ``later`` and ``unknown``, also where it has
        no card: ``bucket``, ``first_day`` and ``last_day`` (null where open or unknown), ``cards``,
        ``active_cards`` (of those, ACTIVE), ``customers`` (distinct within the bucket; one may be
        in several), ``share`` of all cards, null when there are none.

    Raises
    ------
    UsageError
        `as_of`, `horizons` or `where` cannot be read, or the source lacks a column.
    """
    day = day_of(as_of)
    ends = _checked_horizons(horizons)
    condition = read_where(where)
    opened = open_source(source, _COUNTED)
    with card_view(opened, as_of=day, where=condition) as connection:
        found = connection.sql(
            f"SELECT coalesce({bucket_sql(day, ends)}, 'unknown'), count(*),"  # noqa: S608  built of numbers and days
            " count(*) FILTER (WHERE instrument_status = 'ACTIVE'), count(DISTINCT customer_id)"
            " FROM cards GROUP BY 1"
        ).fetchall()
    counts = {row[0]: row[1:] for row in found}
    names = [*bucket_names(ends), "unknown"]
    cards = [counts.get(name, (0, 0, 0))[0] for name in names]
    total = sum(cards)
    first_days = [None, day, *(days_later(day, end + 1) for end in ends), None]
    last_days = [days_later(day, -1), *(days_later(day, end) for end in ends), None, None]
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
        f"{soon:,} of {counted(total, 'card')}{share} expire within {counted(ends[-1], 'day')} of"
        f" {long_day(day)}; {cards[0]:,} have expired"
    )
    notes = [
        VALID_THROUGH,
        "A customer with cards in several buckets is counted in each.",
        *filter_note(condition),
        *not_fetched_note(opened),
    ]
    return result_table(rows, title=title, notes=notes)


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
