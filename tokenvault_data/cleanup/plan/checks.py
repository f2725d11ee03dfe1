"""What has to be true of a plan for it to be one, whoever made it.

A plan is not believed about itself: what follows from something else in it, such as the end of its
validity, the canary or the rule's word about each card, is worked out again.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NoReturn

from tokenvault_data.cleanup.plan.guard_rails import CLOCK_TOLERANCE
from tokenvault_data.cleanup.plan.limits import LARGEST, Limits
from tokenvault_data.cleanup.plan.sealed_columns import contradicting
from tokenvault_data.cleanup.selection.exclusions import LEFT_OUT
from tokenvault_data.cleanup.selection.rules import Rule
from tokenvault_data.cleanup.selection.sampling import canary_of
from tokenvault_data.config.hosts import ENVIRONMENTS
from tokenvault_data.dataset.flattening.instants import INDIA
from tokenvault_data.errors import PlanDamaged
from tokenvault_data.identifiers import judge_id

if TYPE_CHECKING:
    from tokenvault_data.cleanup.plan.plan import Plan

LONGEST_NAME: Final = 100
LONGEST_NOTE: Final = 500

_MOST: Final = LARGEST["rows"]
_YEARS: Final = range(2000, 2200)
"""Years in which a plan can be made, and its cards fetched; far from where dates overflow."""

_texts = attrgetter(
    "instrument_uid",
    "par",
    "last_four",
    "card_network",
    "card_bank",
    "bank",
    "card_type",
    "instrument_status",
    "afa_reference",
    "keeper",
)


def check_header(plan: Plan) -> None:
    """Check that everything but the cards is of its kind, and that the dates follow each other.

    Raises
    ------
    PlanDamaged
        Something is not.
    """
    _check("its rule is not valid", isinstance(plan.rule, Rule))
    _check("its limits are not valid", isinstance(plan.limits, Limits))
    for name in ("created_at", "expires_at", "snapshot_created_at", "oldest_fetched_at"):
        _check(f"its {name} is not a time between 2000 and 2199", _is_instant(getattr(plan, name)))
    _check("its as_of is not a date", _is_day(plan.as_of))
    _check("its environment is unknown", plan.environment in ENVIRONMENTS)
    for name in ("planner", "api_version", "snapshot", "snapshot_digest"):
        _check(f"its {name} is not valid", _is_line(getattr(plan, name), LONGEST_NAME))
    _check(
        "its snapshot is not valid",
        not plan.snapshot.startswith(".") and not set(plan.snapshot) & set("/\\:"),
    )
    _check(
        "its merchant is not valid", plan.merchant is None or _is_line(plan.merchant, LONGEST_NAME)
    )
    _check("its note is not valid", plan.note is None or _is_line(plan.note, LONGEST_NOTE))
    _check("its windows are unknown to this version", plan.windows == ())
    for one in plan.holds:
        named = _is_line(one.name, LONGEST_NOTE) and _is_line(one.sha256, LONGEST_NAME)
        _check("one of its hold lists is not valid", named and _is_count(one.entries, at_least=1))
    counts = (plan.vault_cards, plan.vault_customers)
    _check("its counts of the vault are not valid", all(map(_is_count, counts)))
    _check(
        "its counts of cards left out are not valid", all(map(_is_count, plan.left_out.values()))
    )
    _check("it leaves cards out for an unknown reason", set(plan.left_out) <= set(LEFT_OUT))
    for total in plan.bank_totals:
        _check("its total of a bank is not valid", _is_text(total.bank) and _is_count(total.cards))
    _check_dates(plan)


def _check_dates(plan: Plan) -> None:
    made, ends = map(datetime.fromisoformat, (plan.created_at, plan.expires_at))
    valid = timedelta(hours=plan.limits.plan_hours)
    _check("its expires_at is not plan_hours after its created_at", ends == made + valid)
    today = made.astimezone(INDIA).date()
    _check("its as_of is after the day on which it was made", _day(plan.as_of) <= today)
    oldest = datetime.fromisoformat(plan.oldest_fetched_at)
    _check("its oldest_fetched_at is after its created_at", oldest <= made + CLOCK_TOLERANCE)


def check_cards(plan: Plan) -> None:
    """Check that each card can be asked for, is there once, and is one that the rule selects.

    Raises
    ------
    PlanDamaged
        A card cannot be planned so, or the header says of the cards what is not so.
    """
    pairs = set()
    days: set[str | None] = {None}  # known to be sound: there are few, and many cards
    fetched: set[str] = set()
    saved: set[str | None] = {None}
    oldest = datetime.fromisoformat(plan.oldest_fetched_at)
    newest = datetime.fromisoformat(plan.created_at) + CLOCK_TOLERANCE
    for number, card in enumerate(plan.cards):
        if card.expires_on not in days and _is_day(card.expires_on):
            days.add(card.expires_on)
        if card.created_at not in saved and _is_moment(card.created_at):
            saved.add(card.created_at)
        if card.fetched_at not in fetched and _is_instant(card.fetched_at):
            _check(
                f"card {number} was fetched before its oldest_fetched_at, or after it was made",
                oldest <= datetime.fromisoformat(card.fetched_at) <= newest,
            )
            fetched.add(card.fetched_at)
        sound = (
            type(card.number) is int
            and card.number == number
            and _is_id(card.customer_id)
            and _is_id(card.instrument_id)
            and all(map(_is_text, _texts(card)))
            and card.expires_on in days
            and card.created_at in saved
            and card.fetched_at in fetched
        )
        if not sound:
            _refuse(f"card {number} is not valid")
        pairs.add((card.customer_id, card.instrument_id))
    _check("a card is listed twice", len(pairs) == len(plan.cards))
    customers = {card.customer_id for card in plan.cards}
    for one in plan.controls:
        _check("a control card is not valid", _is_id(one.customer_id) and _is_id(one.instrument_id))
        _check("a control card's customer would lose a card", one.customer_id not in customers)
    _check("a control card is listed twice", len(set(plan.controls)) == len(plan.controls))
    for card in plan.cards:
        if card.keeper is not None:
            _check("a card to keep is not valid", _is_id(card.keeper))
            _check(
                "a card to keep would be deleted as well",
                (card.customer_id, card.keeper) not in pairs,
            )
    _check_counts(plan, customers)
    _check(
        "its canary is not the one that follows from its cards",
        all(type(number) is int for number in plan.canary),
    )
    _check(
        "it names no control card, so that a deleted card looks like a wrong account",
        bool(plan.controls),
    )
    canary = canary_of(plan.cards, plan.limits.canary)
    _check(
        "its canary is not the one that follows from its cards",
        bool(canary) and plan.canary == canary,
    )
    wrong = contradicting(plan)
    if wrong is not None:
        _refuse(f"its rule does not select card {wrong}")


def _check_counts(plan: Plan, customers: set[str]) -> None:
    cards, among = len(plan.cards), plan.vault_cards
    _check("its vault_cards are fewer than its cards", cards <= among)
    others = plan.vault_customers - len(customers)  # each of whom has a card
    _check("its vault_customers do not fit its cards", 0 <= others <= among - cards)
    totals = {one.bank: one.cards for one in plan.bank_totals}
    planned = Counter(card.bank for card in plan.cards)
    _check("its total of a bank is not valid", len(totals) == len(plan.bank_totals))
    _check("its total of a bank is not valid", totals.keys() == planned.keys())
    _check(
        "its total of a bank is not valid",
        all(planned[bank] <= total for bank, total in totals.items()),
    )
    _check("its totals of banks are more than its vault_cards", sum(totals.values()) <= among)


def _check(problem: str, sound: bool) -> None:
    if not sound:
        _refuse(problem)


def _refuse(problem: str) -> NoReturn:
    raise PlanDamaged(
        f"The plan is not valid: {problem}; nothing was sent; get it from its planner again, or"
        " make a new one."
    )


def _is_line(value: Any, longest: int) -> bool:
    # A terminal obeys control characters, so what a plan says of itself must not hold any.
    return (
        isinstance(value, str)
        and value.isprintable()
        and value.strip() == value != ""
        and len(value) <= longest
    )


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_count(value: Any, at_least: int = 0) -> bool:
    return type(value) is int and at_least <= value <= _MOST


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and judge_id(value) == value


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _day(value: str) -> date:
    return date.fromisoformat(value)


def _is_moment(value: Any) -> bool:
    """Whether a text is an instant that can be reckoned with."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.tzinfo is not None and moment.astimezone(UTC).tzinfo is not None
    except (TypeError, ValueError, OverflowError):
        return False


def _is_instant(value: Any) -> bool:
    """Whether a text is an instant of our time."""
    return _is_moment(value) and datetime.fromisoformat(value).year in _YEARS
