"""Conditions as somebody types them: ``card_network=visa,mastercard`` or ``expires_on<2026-11-22``.

::

    COLUMN=VALUE,VALUE,...    one of the values
    COLUMN!=VALUE,VALUE,...   none of the values
    COLUMN<VALUE              before or less; also <=, > and >=

``(none)`` stands for a missing value. A value that holds a comma, a quotation mark or white space
at its ends, or is the text ``(none)``, is put into double quotes, in which ``""`` is one quote.

``card_bank!=X`` does not select cards whose bank is missing, as in SQL: what is not known is not
known to differ. ``card_bank!=X,(none)`` says so in words; to have the missing ones as well, ask for
them in a condition of their own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from tokenvault_data.analysis.filters.columns import Value, kind_of, value_from_text
from tokenvault_data.analysis.filters.filters import All, Compare, IsIn, Not, Predicate
from tokenvault_data.analysis.filters.literals import json_literal
from tokenvault_data.dataset.labels import MISSING
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenvault_data.analysis.filters.filters import Operator, Value


def typed(predicate: Predicate) -> list[str]:
    """Return texts that `parse_conditions` reads back as the same condition.

    Raises
    ------
    UsageError
        It cannot be typed: it holds an alternative, the negation of more than a list of values, or
        a list of no values.
    """
    parts = predicate.parts if isinstance(predicate, All) else (predicate,)
    return [text for part in parts for text in _typed(part)]


def _typed(part: Predicate) -> list[str]:
    if isinstance(part, All):
        return typed(part)
    if isinstance(part, Compare):
        return [f"{part.column}{part.operator}{_value(part.value)}"]
    if isinstance(part, IsIn) and part.values:
        return [f"{part.column}={','.join(map(_value, part.values))}"]
    if isinstance(part, Not) and isinstance(part.part, IsIn) and part.part.values:
        return [f"{part.part.column}!={','.join(map(_value, part.part.values))}"]
    raise UsageError(
        f"The condition {part.sentence()!r} has no form that can be typed; nothing was written;"
        " keep it as JSON, with to_dict."
    )


def _value(value: Value | None) -> str:
    if value is None:
        return MISSING
    text = str(json_literal(value))
    plain = text and text == text.strip() and text != MISSING and text[0] not in "=<>!"
    if plain and not set(text) & set(',"\r\n'):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


_head = re.compile(r"\s*([A-Za-z0-9_]+)\s*(!=|<=|>=|=|<|>)").match
_quoted_value = re.compile(r'\s*"((?:[^"]|"")*)"\s*').match
_bare_value = re.compile(r"[^,]*").match

_HOW: Final = "write e.g. card_network=visa,mastercard or expires_on<2026-11-22"


def parse_condition(text: str) -> Predicate:
    """Read one condition.

    Parameters
    ----------
    text : str
        As described at the top of this module.

    Returns
    -------
    Predicate
        `IsIn` for ``=``, ``Not(IsIn)`` for ``!=`` (which selects no card whose value is missing),
        `Compare` for the others.

    Raises
    ------
    UsageError
        It is no condition, or one that its column cannot have.

    Examples
    --------
    >>> parse_condition("card_network=visa,(none)").sentence()
    'network is visa or missing'
    """
    head = _head(text)
    if head is None:
        raise UsageError(
            f"A condition does not begin with a column and one of =, !=, <, <=, > and >=; nothing "
            f"was selected; {_HOW}."
        )
    column, operator = head.groups()
    kind_of(column)
    typed = _values(column, text[head.end() :])
    values = [None if value is None else value_from_text(column, value) for value in typed]
    if operator == "=":
        return IsIn(column, tuple(values))
    if operator == "!=":
        return Not(IsIn(column, tuple(values)))
    if len(values) != 1:
        raise UsageError(
            f"The condition compares {column} by {operator} with {len(values)} values; nothing was "
            "selected; give one value, and put it into double quotes if it holds a comma."
        )
    # The comparison itself refuses a missing value.
    return Compare(column, cast("Operator", operator), cast("Value", values[0]))


def parse_conditions(texts: Sequence[str]) -> Predicate | None:
    """Read several conditions that all have to be true; None when there are none.

    Raises
    ------
    UsageError
        As `parse_condition`, for the first that cannot be read.
    """
    parts = tuple(parse_condition(text) for text in texts)
    if len(parts) < 2:
        return parts[0] if parts else None
    return All(parts)


def _values(column: str, typed: str) -> list[str | None]:
    values: list[str | None] = []
    place = 0
    while True:
        quoted = _quoted_value(typed, place)
        if quoted is not None:
            values.append(quoted[1].replace('""', '"'))
            place = quoted.end()
        else:
            bare = cast("re.Match[str]", _bare_value(typed, place))
            values.append(_bare(column, bare[0].strip()))
            place = bare.end()
        if place == len(typed):
            return values
        if typed[place] != ",":
            raise UsageError(
                f"In the condition on {column} something follows a closing quotation mark; nothing "
                'was selected; separate values by commas, and write "" for a quote inside quotes.'
            )
        place += 1


def _bare(column: str, value: str) -> str | None:
    if not value:
        raise UsageError(
            f"The condition on {column} has an empty value; nothing was selected; write {MISSING} "
            'for a missing value, or "" for an empty text.'
        )
    if '"' in value:
        raise UsageError(
            f"In the condition on {column} a quotation mark is not closed or stands inside a "
            'value; nothing was selected; put the whole value into quotes, with "" for each quote '
            "in it."
        )
    if value[0] in "=<>!":
        raise UsageError(
            f"The condition on {column} has two operators in a row; nothing was selected; use one "
            "of =, !=, <, <=, > and >=, or put the value into double quotes."
        )
    return None if value == MISSING else value
