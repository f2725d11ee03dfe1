"""The view ``cards``: the instruments somebody asks about, with columns derived from them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

import pyarrow as pa

from tokenvault_data.analysis.cards.dates import month_number
from tokenvault_data.analysis.filters.filters import Predicate, predicate_from_dict
from tokenvault_data.analysis.filters.parsing import parse_condition, parse_conditions
from tokenvault_data.dataset.derived_dimensions import DERIVED, derived_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    import duckdb

    from tokenvault_data.analysis.cards.source import Source
    from tokenvault_data.dataset.bank_names import BankNames

MEMORY_LIMIT_MB: Final = 2048
"""Where DuckDB begins to spill to disk: small beside a laptop's memory, ample for ten million."""

HORIZONS: Final = (30, 60, 90)
"""Days ahead at which the buckets of ``expires_in`` end."""

MONTHS: Final = 4
"""Whole months of an outlook, that of the day being the first: they hold the longest horizon."""

Where: TypeAlias = "Predicate | Mapping[str, object] | str | Sequence[str] | None"
"""A condition, its dictionary form, or one or several as they are typed."""


def read_where(condition: Where) -> Predicate | None:
    """Read a condition in any of the forms of `Where`.

    Raises
    ------
    UsageError
        It is none.
    """
    if condition is None or isinstance(condition, Predicate):
        return condition
    if isinstance(condition, str):
        return parse_condition(condition)
    if isinstance(condition, list | tuple) and all(isinstance(text, str) for text in condition):
        return parse_conditions(condition)
    return predicate_from_dict(condition)


def bucket_names(horizons: Sequence[int]) -> list[str]:
    """Return the names of the buckets that some horizons make, from the first on.

    >>> bucket_names((30, 60))
    ['expired', '0-30 days', '31-60 days', 'later']
    """
    firsts = [0, *(days + 1 for days in horizons[:-1])]
    spans = [
        f"{first}-{last} days" if first < last else f"{last} {'day' if last == 1 else 'days'}"
        for first, last in zip(firsts, horizons, strict=True)
    ]
    return ["expired", *spans, "later"]


def bucket_sql(as_of: date, horizons: Sequence[int]) -> str:
    """Return the DuckDB expression of a card's bucket; null where its expiry is unknown."""
    days = f"(expires_on - {day_sql(as_of)})"
    names = bucket_names(horizons)
    borders = [f"{days} < 0", *(f"{days} <= {last}" for last in horizons), f"{days} IS NOT NULL"]
    whens = (f"WHEN {test} THEN '{name}'" for test, name in zip(borders, names, strict=True))
    return f"CASE {' '.join(whens)} END"


def month_bucket_names(months: int) -> list[str]:
    """Return the names of the buckets of whole months, that of the day being the first month.

    >>> month_bucket_names(3)
    ['expired', 'this month', 'next month', 'in 2 months', 'later']
    """
    ahead = [f"in {number} months" for number in range(2, months)]
    return ["expired", *["this month", "next month"][:months], *ahead, "later"]


def month_bucket_sql(as_of: date, months: int) -> str:
    """Return the DuckDB expression of a card's bucket of months; null where expiry is unknown."""
    ahead = f"(year(expires_on) * 12 + month(expires_on) - 1 - {month_number(as_of)})"
    expired, *names, later = month_bucket_names(months)
    whens = [f"WHEN expires_on < {day_sql(as_of)} THEN '{expired}'"]
    whens += [f"WHEN {ahead} = {number} THEN '{name}'" for number, name in enumerate(names)]
    return f"CASE {' '.join(whens)} WHEN expires_on IS NOT NULL THEN '{later}' END"


def day_sql(day: date) -> str:
    """Return a day as a literal of DuckDB's."""
    return f"DATE '{day.isoformat()}'"


@contextmanager
def card_view(
    source: Source,
    *,
    as_of: date,
    where: Predicate | None = None,
    banks: BankNames | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB with the view ``cards`` over a source.

    It has the columns of ``instruments`` and `DERIVED`: ``bank`` is the canonical name of
    ``card_bank``, ``expiry`` the month of ``expires_on`` as ``YYYY-MM``, ``expires_in`` its bucket
    as of a day; each is null where what it comes from is.

    Parameters
    ----------
    source : Source
    as_of : date
        Day 0 of ``expires_in``.
    where : Predicate, optional
        Only rows for which this is true.
    banks : BankNames, optional
        The names in the package when not given.

    Raises
    ------
    UsageError
        The source lacks a column of the condition.
    """
    if where is not None:
        derived = [pa.field(name, pa.string()) for name in DERIVED]
        where.check_against(pa.schema([*source.schema, *derived]))
    with source.connection(memory_limit_mb=MEMORY_LIMIT_MB) as connection:
        kept = "TRUE" if where is None else where.sql()
        derived_view(connection, "cards", source.schema.names, banks=banks, as_of=as_of, kept=kept)
        yield connection
