"""Conditions written as they are typed, the way back from `condition_text`.

>>> from tokenvault_data.analysis.filters.filters import between, where
>>> typed(where(card_network=["visa", None], expires_on=between("2026-12-01", "2027-03-31")))
['card_network=visa,(none)', 'expires_on>=2026-12-01', 'expires_on<=2027-03-31']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenvault_data.analysis.filters.filters import All, Compare, IsIn, Not
from tokenvault_data.analysis.filters.literals import json_literal
from tokenvault_data.dataset.labels import MISSING
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from tokenvault_data.analysis.filters.filters import Predicate, Value


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
