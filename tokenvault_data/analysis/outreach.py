"""Customers, not cards: who can still pay with a saved card, who soon cannot, who already cannot.

A card is usable on a day if it is ACTIVE and the day is not after its ``expires_on``. Where status
or expiry is missing and what is there does not rule it out, it *may be* usable: neither is claimed.
That is SQL's three-valued ``instrument_status = 'ACTIVE' AND expires_on >= day``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from tokenvault_data.analysis.cards.card_view import card_view, day_sql
from tokenvault_data.analysis.cards.dates import Within, last_day_within
from tokenvault_data.analysis.cards.notes import VALID_THROUGH
from tokenvault_data.analysis.cards.partial import finding_table
from tokenvault_data.analysis.cards.source import Source, open_source
from tokenvault_data.dataset.today import day_of
from tokenvault_data.text import counted, long_day

if TYPE_CHECKING:
    from datetime import date, datetime

    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.frames import ArrowStream
    from tokenvault_data.dataset.tables import ResultTable

_JUDGED: Final = ("customer_id", "instrument_status", "expires_on")
_NEEDS: Final = (*_JUDGED, "list_position", "card_network", "card_bank", "last_four")

REASONS: Final = ("expired", "inactive", "expired and inactive", "unknown")
"""Why a customer has no usable card, in the order of tables; each customer has exactly one."""

OUTLOOKS: Final = ("usable", "may be usable", "none usable", "no cards", "not fetched")
"""What may be said of a customer, each customer falling under exactly one."""


def customers_at_risk(
    source: ArrowStream | Source,
    within: Within = "90D",
    *,
    as_of: date | datetime | str | None = None,
    banks: BankNames | None = None,
) -> ResultTable:
    """List the customers who have a usable card today and will have none within some time.

    A customer is listed if at least one card is usable and every usable one expires within the
    horizon: those to ask for a new card while the old one still works.

    Parameters
    ----------
    source : Snapshot, or object with ``__arrow_c_stream__``
    within : str, int or timedelta
        ``"90D"`` or 90 for days, ``"3M"`` for calendar months; the last day counts.
    as_of : date, datetime or str, optional
        Today in India when not given.
    banks : BankNames, optional
        Names of banks; those in the package when not given.

    Returns
    -------
    ResultTable
        One row a customer, soonest first: ``customer_id``; ``cards_expiring``, the usable cards;
        ``last_usable_on``, the latest `expires_on` of these; ``days_left`` until then, 0 on the day
        itself; ``card_network``, ``bank`` and ``last_four`` of the card that lasts longest (of
        several, the first in the list); ``certainty``: ``unknown expiry on another card`` where a
        further card, of which no expiry is known, may be usable for longer; otherwise ``unknown
        status on another card`` where one that expires after ``last_usable_on`` may be; otherwise
        ``certain``. A card of unknown status that does not outlast the others leaves no doubt.

    Raises
    ------
    UsageError
        `within` or `as_of` cannot be read, or the source lacks a column.
    """
    day = day_of(as_of)
    last = last_day_within(within, day)
    opened = open_source(source, _NEEDS)
    with card_view(opened, as_of=day, banks=banks) as connection:
        connection.execute(
            "CREATE TEMP TABLE at_risk AS SELECT customer_id,"  # noqa: S608  days are ours
            " count(*) FILTER (WHERE usable) AS cards_expiring,"
            " max(expires_on) FILTER (WHERE usable) AS last_usable_on,"
            " bool_or(usable IS NULL AND expires_on IS NULL) AS expiry_open,"
            " max(expires_on) FILTER (WHERE usable IS NULL) > last_usable_on AS status_open"
            f" FROM ({_judged(day)}) GROUP BY customer_id HAVING last_usable_on <= {day_sql(last)}"
        )
        rows = connection.sql(
            "SELECT customer_id, cards_expiring, last_usable_on,"  # noqa: S608  days are ours
            f" (last_usable_on - {day_sql(day)})::BIGINT AS days_left,"
            " card_network, bank, last_four,"
            " CASE WHEN expiry_open THEN 'unknown expiry on another card'"
            "      WHEN status_open THEN 'unknown status on another card'"
            "      ELSE 'certain' END AS certainty"
            " FROM at_risk JOIN cards USING (customer_id)"
            " WHERE instrument_status = 'ACTIVE' AND expires_on = last_usable_on"
            " QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY list_position) = 1"
            " ORDER BY last_usable_on, customer_id"
        ).to_arrow_table()
    uncertain = len(rows) - rows.column("certainty").to_pylist().count("certain")
    verb = "loses its" if len(rows) == 1 else "lose their"
    title = f"{counted(len(rows), 'customer')} {verb} last usable card by {long_day(last)}"
    notes = [
        f"Judged on {long_day(day)}. {VALID_THROUGH}",
        f"For {uncertain:,} of them another card may be usable for longer: see certainty.",
    ]
    return finding_table(rows, opened, title=title, notes=notes)


def customers_without_usable_card(
    source: ArrowStream | Source, *, as_of: date | datetime | str | None = None
) -> ResultTable:
    """List the customers who have saved cards, none of which is known to be usable.

    Parameters
    ----------
    source, as_of
        As `customers_at_risk`.

    Returns
    -------
    ResultTable
        One row a customer: ``customer_id``; ``reason``; ``cards``; and ``last_expired_on``, the
        latest day on which a card of theirs expired, null when none did. In the order of the
        reasons, the most recently expired first.

        A customer has one reason, the first of these that holds, so the customers of all reasons
        add up to the rows:

        1. ``unknown``: a card may be usable, since its status or expiry is not known.
        2. ``expired``: every card has expired, whatever its status.
        3. ``inactive``: no card has expired, and none is ACTIVE.
        4. ``expired and inactive``: some cards have expired, the others are not ACTIVE.

        A card has expired if its last day is over, or its status is EXPIRED.

    Raises
    ------
    UsageError
        `as_of` cannot be read, or the source lacks a column.
    """
    day = day_of(as_of)
    opened = open_source(source, _JUDGED)
    past = f"expires_on < {day_sql(day)}"
    with card_view(opened, as_of=day) as connection:
        rows = connection.sql(
            "SELECT customer_id, CASE WHEN bool_or(usable IS NULL) THEN 'unknown'"  # noqa: S608  days are ours
            "  WHEN bool_and(expired) THEN 'expired'"
            "  WHEN bool_or(expired) THEN 'expired and inactive' ELSE 'inactive' END AS reason,"
            f" count(*) AS cards, max(expires_on) FILTER (WHERE {past}) AS last_expired_on"
            f" FROM (SELECT *, coalesce({past}, false)"
            "   OR coalesce(instrument_status = 'EXPIRED', false) AS expired"
            f"  FROM ({_judged(day)}))"
            " GROUP BY customer_id HAVING NOT coalesce(bool_or(usable), false)"
            f" ORDER BY list_position([{', '.join(map(repr, REASONS))}], reason),"
            "  last_expired_on DESC NULLS LAST, customer_id"
        ).to_arrow_table()
    reasons = Counter(rows.column("reason").to_pylist())
    verb = "has" if len(rows) == 1 else "have"
    title = (
        f"{counted(len(rows), 'customer')} {verb} saved cards and none known to be usable on"
        f" {long_day(day)}"
    )
    counts = ", ".join(f"{reasons[one]:,} {one}" for one in REASONS)
    notes = [
        VALID_THROUGH,
        f"Each customer has one reason: {counts}. Where it is unknown, a card may be usable.",
    ]
    return finding_table(rows, opened, title=title, notes=notes)


def customer_outlook(
    source: ArrowStream | Source, *, as_of: date | datetime | str | None = None
) -> ResultTable:
    """Count the customers by whether they have a usable card; each falls into exactly one row.

    Parameters
    ----------
    source, as_of
        As `customers_at_risk`.

    Returns
    -------
    ResultTable
        One row for each of `OUTLOOKS`: ``outlook``; ``customers``, distinct; ``share`` of the
        customers counted. A table of cards does not tell of customers who have none or were not
        fetched: ``customers`` and ``share`` are null in these rows then.

    Raises
    ------
    UsageError
        `as_of` cannot be read, or the source lacks a column.
    """
    day = day_of(as_of)
    opened = open_source(source, _JUDGED)
    with card_view(opened, as_of=day) as connection:
        counts = dict(
            connection.execute(
                "SELECT CASE WHEN any_usable THEN 'usable' WHEN any_open THEN 'may be usable'"  # noqa: S608  days are ours
                "  ELSE 'none usable' END, count(*) FROM"
                " (SELECT bool_or(usable) AS any_usable, bool_or(usable IS NULL) AS any_open"
                f"  FROM ({_judged(day)}) GROUP BY customer_id) GROUP BY 1"
            ).fetchall()
        )
        if opened.has_outcomes:
            counts |= dict(
                connection.execute(
                    "SELECT CASE WHEN fetched THEN 'no cards' ELSE 'not fetched' END, count(*) FROM"
                    " (SELECT bool_or(outcome IN ('fetched', 'empty')) AS fetched FROM outcomes"
                    "  ANTI JOIN instruments USING (customer_id) GROUP BY customer_id) GROUP BY 1"
                ).fetchall()
            )
    told = OUTLOOKS if opened.has_outcomes else OUTLOOKS[:3]
    customers = [counts.get(name, 0) if name in told else None for name in OUTLOOKS]
    total = sum(counts.values())
    rows = pa.table(
        {
            "outlook": pa.array(OUTLOOKS, pa.string()),
            "customers": pa.array(customers, pa.int64()),
            "share": pa.array(
                [None if n is None or not total else n / total for n in customers], pa.float64()
            ),
        }
    )
    usable = counts.get("usable", 0)
    title = (
        f"{usable:,} of {counted(total, 'customer')} {'has' if usable == 1 else 'have'} a usable"
        f" card on {long_day(day)}"
    )
    notes = [
        VALID_THROUGH,
        "A card may be usable where its expiry or status is not known and nothing rules it out.",
    ]
    if not opened.has_outcomes:
        notes.append("A table does not tell of customers without cards, or not fetched.")
    return finding_table(rows, opened, title=title, notes=notes)


def _judged(day: date) -> str:
    return (
        f"SELECT *, instrument_status = 'ACTIVE' AND expires_on >= {day_sql(day)} AS usable"  # noqa: S608  days are ours
        " FROM cards"
    )
