"""What has to be true of a plan for it to be one, whoever made it."""

from __future__ import annotations

from datetime import date, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

from tokenvault_data.cleanup.limits import Limits
from tokenvault_data.cleanup.rules import Rule
from tokenvault_data.errors import PlanDamaged
from tokenvault_data.identifiers import judge_id

if TYPE_CHECKING:
    from tokenvault_data.cleanup.plan_content import Plan

_texts = attrgetter(
    "instrument_uid",
    "par",
    "last_four",
    "card_network",
    "card_bank",
    "bank",
    "card_type",
    "instrument_status",
    "created_at",
    "afa_reference",
    "keeper",
)


def check_header(plan: Plan) -> None:
    """Check that everything but the cards is of its kind.

    Raises
    ------
    PlanDamaged
        Something is not.
    """
    _check("the rule", isinstance(plan.rule, Rule))
    _check("the limits", isinstance(plan.limits, Limits))
    for name in ("created_at", "expires_at", "snapshot_created_at", "oldest_fetched_at"):
        _check(name, _is_instant(getattr(plan, name)))
    _check("as_of", _is_day(plan.as_of))
    for name in (
        "planner",
        "environment",
        "api_version",
        "snapshot",
        "snapshot_digest",
    ):
        _check(name, _is_line(getattr(plan, name)))
    for name in ("merchant", "note"):
        _check(name, getattr(plan, name) is None or _is_line(getattr(plan, name)))
    _check("windows", plan.windows == ())
    _check(
        "a hold list",
        all(
            _is_line(one.name) and _is_line(one.sha256) and type(one.entries) is int
            for one in plan.holds
        ),
    )
    counts = (plan.vault_cards, plan.vault_customers, *plan.left_out.values())
    _check("a count", all(type(count) is int and count >= 0 for count in counts))
    totals = plan.bank_totals
    _check("a bank's total", len({one.bank for one in totals}) == len(totals))
    _check(
        "a bank's total",
        all(_is_text(one.bank) and type(one.cards) is int and one.cards >= 0 for one in totals),
    )
    _check("the canary", len(set(plan.canary)) == len(plan.canary) > 0)
    _check(
        "the canary",
        all(type(number) is int and 0 <= number < len(plan.cards) for number in plan.canary),
    )


def check_cards(plan: Plan) -> None:
    """Check that each card can be asked for, is there once, and leaves controls and keepers alone.

    Raises
    ------
    PlanDamaged
        A card cannot be planned so.
    """
    pairs = set()
    days: set[str | None] = {None}  # known to be sound: there are few, and many cards
    moments: set[str] = set()
    for number, card in enumerate(plan.cards):
        if card.expires_on not in days and _is_day(card.expires_on):
            days.add(card.expires_on)
        if card.fetched_at not in moments and _is_instant(card.fetched_at):
            moments.add(card.fetched_at)
        sound = (
            type(card.number) is int
            and card.number == number
            and _is_id(card.customer_id)
            and _is_id(card.instrument_id)
            and all(map(_is_text, _texts(card)))
            and card.expires_on in days
            and card.fetched_at in moments
        )
        if not sound:
            _refuse(f"card {number}")
        pairs.add((card.customer_id, card.instrument_id))
    _check("the cards, of which one is there twice", len(pairs) == len(plan.cards))
    customers = {card.customer_id for card in plan.cards}
    for one in plan.controls:
        _check("a control card", _is_id(one.customer_id) and _is_id(one.instrument_id))
        _check("a control card", one.customer_id not in customers)
    for card in plan.cards:
        if card.keeper is not None:
            _check("a card to keep", _is_id(card.keeper))
            _check("a card to keep", (card.customer_id, card.keeper) not in pairs)


def _check(what: str, sound: bool) -> None:
    if not sound:
        _refuse(what)


def _refuse(what: str) -> NoReturn:
    raise PlanDamaged(
        f"{what[0].upper()}{what[1:]} of the plan cannot be so; nothing was sent; take the plan "
        "from its planner again, or make a new one."
    )


def _is_line(value: Any) -> bool:
    # A terminal obeys control characters, so what a plan says of itself must not hold any.
    return isinstance(value, str) and value.isprintable() and value.strip() == value != ""


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and judge_id(value) == value


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_instant(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
