"""Whether the sealed columns of planned cards contradict the rule of their plan."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.analysis.filters.columns import ARROW_TYPES, kind_of
from tokenvault_data.analysis.filters.filters import All, AnyOf, IsIn, Not, Predicate
from tokenvault_data.dataset.derived_dimensions import expires_in, expiry_month_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenvault_data.cleanup.plan.plan import Plan

_TEXTS: Final = (
    *("customer_id", "instrument_id", "instrument_uid", "par", "last_four", "card_network"),
    *("card_bank", "bank", "card_type", "instrument_status", "afa_reference"),
)
_INSTANTS: Final = ("created_at", "fetched_at")
_OF_EXPIRY: Final = ("expires_on", "expiry", "expires_in")
_SEALED: Final = frozenset((*_TEXTS, *_INSTANTS, *_OF_EXPIRY))


def contradicting(plan: Plan) -> int | None:
    """Return the number of the first card that the plan's rule cannot have selected.

    What the rule asks of columns that no plan holds is not known, and contradicts nothing; the
    snapshot answers that, see `plan_snapshot`.
    """
    rule = plan.rule
    if rule.kind == "listed":
        listed = set(rule.pairs)
        for card in plan.cards:
            if (card.customer_id, card.instrument_id) not in listed:
                return card.number
    for card in plan.cards:
        if (card.keeper is None) == (rule.kind == "duplicates"):
            return card.number
    condition = _sealed_part(rule.condition)
    if not condition.columns:
        return None if condition.holds_for({}) else 0
    table = pa.table({name: _column(plan, name) for name in sorted(condition.columns)})
    # A condition on sealed columns only has to be true; with an unknown part, not to be false.
    is_whole = rule.condition.columns <= _SEALED
    fine = pc.fill_null(condition.mask(table), not is_whole)
    wrong = pc.index(fine, value=False).as_py()
    return None if wrong < 0 else wrong


def _sealed_part(condition: Predicate) -> Predicate:
    """Return a condition in which every comparison of a column that is not sealed is unknown."""
    if isinstance(condition, Not):
        return Not(_sealed_part(condition.part))
    if isinstance(condition, All | AnyOf):
        return type(condition)(tuple(_sealed_part(part) for part in condition.parts))
    (column,) = condition.columns
    return condition if column in _SEALED else IsIn(column, ())


def _column(plan: Plan, name: str) -> Any:
    if name not in _SEALED:
        return pa.nulls(len(plan.cards), ARROW_TYPES[kind_of(name)])
    return pa.array(_values(plan, name), ARROW_TYPES[kind_of(name)])


def _values(plan: Plan, name: str) -> Iterator[Any]:
    if name in _TEXTS:
        return (getattr(card, name) for card in plan.cards)
    if name in _INSTANTS:
        moments = (getattr(card, name) for card in plan.cards)
        return (None if one is None else datetime.fromisoformat(one) for one in moments)
    as_of = date.fromisoformat(plan.as_of)
    found: dict[str | None, Any] = {None: None}  # there are few days, and many cards
    for card in plan.cards:
        if card.expires_on not in found:
            day = date.fromisoformat(str(card.expires_on))
            found[card.expires_on] = {
                "expires_on": day,
                "expiry": expiry_month_text(day),
                "expires_in": expires_in(day, as_of),
            }[name]
    return (found[card.expires_on] for card in plan.cards)
