"""How many cards expire in which month, by network, bank or other columns."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from tokenvault_data.analysis.cards.card_view import Where, card_view, read_where
from tokenvault_data.analysis.cards.dates import (
    LONGEST_CALENDAR,
    month_number,
    month_text,
    whole_number,
)
from tokenvault_data.analysis.cards.notes import VALID_THROUGH, filter_note
from tokenvault_data.analysis.cards.partial import finding_table
from tokenvault_data.analysis.cards.source import ArrowStream, Source, open_source
from tokenvault_data.dataset.schema import CATEGORIES
from tokenvault_data.dataset.today import day_of
from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from tokenvault_data.dataset.bank_names import BankNames
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
