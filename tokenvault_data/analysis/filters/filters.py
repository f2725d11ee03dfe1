"""Conditions on cards as plain data: to filter with, to save, and to make cleanup rules of.

>>> rule = where(card_network=["visa", "mastercard"]) & expired("2026-11-22")
>>> rule.sentence()
'network is visa or mastercard and expires before 22 November 2026'
>>> predicate_from_dict(rule.to_dict()) == rule
True

The forms and their three-valued logic are described in `expressions`: a card whose value is
missing is selected by no condition and no negation, unless missing is asked for by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from tokenvault_data.analysis.filters.columns import Value, kind_of, shown, value_for
from tokenvault_data.analysis.filters.expressions import (
    MAX_DEPTH,
    OPERATORS,
    All,
    AnyOf,
    Compare,
    IsIn,
    Not,
    Operator,
    Predicate,
)
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MAX_DEPTH",
    "UTC",
    "All",
    "AnyOf",
    "Between",
    "Compare",
    "IsIn",
    "Not",
    "Operator",
    "Predicate",
    "Value",
    "between",
    "date",
    "datetime",
    "expired",
    "expiring_within",
    "predicate_from_dict",
    "where",
]

_Result = TypeVar("_Result")

_FORMS: Final = (
    '{"column": ..., "in": [...]}, {"column": ..., "<": ...}, {"all": [...]}, {"any": [...]} or '
    '{"not": {...}}'
)


@dataclass(frozen=True, slots=True)
class Between:
    """The values from `low` through `high`; made by `between`, read by `where`."""

    low: Value
    high: Value


def between(low: Value, high: Value) -> Between:
    """Return the values from `low` through `high`, both included, as `where` takes them.

    >>> where(expires_on=between("2026-11-01", "2026-11-30")).sentence()
    'expires on or after 1 November 2026 and expires on or before 30 November 2026'
    """
    return Between(low, high)


def where(**conditions: object) -> Predicate:
    """Return the condition that each named column holds what is given for it.

    Parameters
    ----------
    **conditions
        By column: a value, a list or set of values, None for missing (also inside a list), or
        `between` two values. Dates and instants may be ISO 8601 text. A bare tuple is refused: it
        could mean a list as well as a range.

    Returns
    -------
    Predicate
        One condition as it is, several as `All`; of no conditions, true of every card.

    Raises
    ------
    UsageError
        There is no such column, or it can never hold the value.
    """
    parts = [_condition(column, wanted) for column, wanted in conditions.items()]
    if len(parts) == 1:
        return parts[0]
    joined: Predicate = All(())
    for part in parts:
        joined = joined & part
    return joined


def expired(as_of: date | str) -> Predicate:
    """Return the condition that a card's last day lies before `as_of`; unknown expiry is not so."""
    return Compare("expires_on", "<", as_of)


def expiring_within(days: int, as_of: date | str) -> Predicate:
    """Return the condition that a card's last day is `as_of` or one of the `days` days after it.

    Raises
    ------
    UsageError
        `days` is no whole number of 0 or more, or leads past the end of the calendar.
    """
    first = value_for("expires_on", as_of)
    given: object = days
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise UsageError(
            f"{shown(days)} is no number of days; nothing was selected; give 0 or more."
        )
    try:
        last = date.fromisoformat(str(first)) + timedelta(days=days)
    except OverflowError:
        raise UsageError(
            f"{days} days lead past the year 9999; nothing was selected; give fewer."
        ) from None
    return where(expires_on=between(first, last))


def predicate_from_dict(form: object) -> Predicate:
    """Read a condition from what `Predicate.to_dict` makes, or somebody wrote in JSON.

    Parameters
    ----------
    form : object
        As `json.loads` gives it.

    Raises
    ------
    UsageError
        It is no condition; the message says at which place of `form`.
    """
    return _read(form, "", 1)


def _condition(column: str, wanted: object) -> Predicate:
    kind_of(column)
    if isinstance(wanted, Between):
        low, high = value_for(column, wanted.low), value_for(column, wanted.high)
        if low > high:  # type: ignore[operator]  # values of one column are of one type
            raise UsageError(
                f"The range of {column} begins behind its end; nothing was selected; exchange the "
                "two values."
            )
        return All((Compare(column, ">=", low), Compare(column, "<=", high)))
    if isinstance(wanted, tuple):
        raise UsageError(
            f"{column} was given a bare tuple; nothing was selected; give a list of values, or "
            "between(low, high)."
        )
    if isinstance(wanted, list | set | frozenset):
        return IsIn(column, tuple(wanted))
    return IsIn(column, (wanted,))  # type: ignore[arg-type]  # checked there


def _read(form: object, place: str, depth: int) -> Predicate:
    if depth > MAX_DEPTH:
        raise _unreadable(
            place, f"more than {MAX_DEPTH} conditions stand inside one another", "write it flatter"
        )
    if not isinstance(form, dict):
        hint = "" if place else "from Python, make one with tv.where(bank=...); as JSON, "
        raise _unreadable(place, "this is no JSON object", f"{hint}write {_FORMS}")
    keys = list(form)
    if keys == ["all"]:
        return All(_read_parts(form["all"], f"{place}.all", depth))
    if keys == ["any"]:
        return AnyOf(_read_parts(form["any"], f"{place}.any", depth))
    if keys == ["not"]:
        return Not(_read(form["not"], f"{place}.not", depth + 1))
    verbs = [key for key in keys if key != "column"]
    if len(keys) == 2 and len(verbs) == 1:
        column, verb = form["column"], verbs[0]
        _at(f"{place}.column", lambda: kind_of(column))
        if verb == "in":
            return _read_members(column, form["in"], f"{place}.in")
        if verb in OPERATORS:
            return _at(f"{place}.{verb}", lambda: Compare(column, verb, form[verb]))
    found = ", ".join(shown(key) for key in keys[:5]) or "none at all"
    raise _unreadable(place, f"its keys are {found}", f"write {_FORMS}")


def _read_parts(forms: object, place: str, depth: int) -> tuple[Predicate, ...]:
    if not isinstance(forms, list):
        raise _unreadable(place, "this is no list", "put its conditions into a list")
    return tuple(_read(form, f"{place}[{at}]", depth + 1) for at, form in enumerate(forms))


def _read_members(column: str, members: object, place: str) -> Predicate:
    if not isinstance(members, list):
        raise _unreadable(place, "this is no list", "put its values into a list")

    def read(at: int, member: object) -> Value | None:
        return None if member is None else _at(f"{place}[{at}]", lambda: value_for(column, member))

    return IsIn(column, tuple(read(at, member) for at, member in enumerate(members)))


def _at(place: str, make: Callable[[], _Result]) -> _Result:
    try:
        return make()
    except UsageError as error:
        raise UsageError(f"At {place.removeprefix('.')} of the condition: {error}") from None


def _unreadable(place: str, problem: str, remedy: str) -> UsageError:
    where_it_is = f"At {place.removeprefix('.')} of the condition" if place else "In the condition"
    return UsageError(f"{where_it_is} {problem}; nothing was selected; {remedy}.")
