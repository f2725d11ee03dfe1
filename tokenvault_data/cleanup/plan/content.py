"""What a plan holds, and the one way in which a given plan is written."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.analysis.filters.columns import ARROW_TYPES, kind_of
from tokenvault_data.analysis.filters.filters import All, AnyOf, IsIn, Not, Predicate
from tokenvault_data.cleanup.plan.guard_rails import CLOCK_TOLERANCE
from tokenvault_data.cleanup.selection.cards import (
    CARD_FIELDS,
    BankTotal,
    ControlCard,
    HoldUsed,
    PlannedCard,
)
from tokenvault_data.cleanup.selection.exclusions import LEFT_OUT
from tokenvault_data.cleanup.selection.limits import LARGEST, Limits
from tokenvault_data.cleanup.selection.rules import Rule
from tokenvault_data.cleanup.selection.sampling import canary_of
from tokenvault_data.config.credentials import ENVIRONMENTS
from tokenvault_data.dataset.derived_dimensions import expires_in, expiry_month_text
from tokenvault_data.dataset.flattening.canonical import INDIA
from tokenvault_data.errors import PlanDamaged
from tokenvault_data.identifiers import judge_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


_TEXTS: Final = (
    *("customer_id", "instrument_id", "instrument_uid", "par", "last_four", "card_network"),
    *("card_bank", "bank", "card_type", "instrument_status", "afa_reference"),
)
_INSTANTS: Final = ("created_at", "fetched_at")
_OF_EXPIRY: Final = ("expires_on", "expiry", "expires_in")
_SEALED: Final = frozenset((*_TEXTS, *_INSTANTS, *_OF_EXPIRY))


def contradicting(plan: PlanContent) -> int | None:
    """Return the number of the first card that the plan's rule cannot have selected.

    What the rule asks of columns that no plan holds is not known, and contradicts nothing; the
    snapshot answers that, see `snapshot`.
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


def _column(plan: PlanContent, name: str) -> Any:
    if name not in _SEALED:
        return pa.nulls(len(plan.cards), ARROW_TYPES[kind_of(name)])
    return pa.array(_values(plan, name), ARROW_TYPES[kind_of(name)])


def _values(plan: PlanContent, name: str) -> Iterator[Any]:
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


def check_header(plan: PlanContent) -> None:
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


def _check_dates(plan: PlanContent) -> None:
    made, ends = map(datetime.fromisoformat, (plan.created_at, plan.expires_at))
    valid = timedelta(hours=plan.limits.plan_hours)
    _check("its expires_at is not plan_hours after its created_at", ends == made + valid)
    today = made.astimezone(INDIA).date()
    _check("its as_of is after the day on which it was made", _day(plan.as_of) <= today)
    oldest = datetime.fromisoformat(plan.oldest_fetched_at)
    _check("its oldest_fetched_at is after its created_at", oldest <= made + CLOCK_TOLERANCE)


def check_cards(plan: PlanContent) -> None:
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


def _check_counts(plan: PlanContent, customers: set[str]) -> None:
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


FORMAT: Final = "tokenvault-plan"
"""Value of ``format`` in every plan."""

FORMAT_VERSION: Final = 2
ID_DIGITS: Final = 12
PHRASE_DIGITS: Final = 6

_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanContent:
    """What a plan says, held to its rules; see `Plan`.

    Days and instants are ISO 8601 text, instants in UTC.

    Attributes
    ----------
    created_at, expires_at : str
        When it was made, and until when it may be acted upon.
    planner : str
        Who made it; somebody else has to approve.
    note : str or None
        What the planner wants the approver to know.
    environment : str
    merchant : str or None
        Short keyed digest of the account, never a credential.
    api_version : str
    snapshot, snapshot_digest, snapshot_created_at : str
        Id, digest and time of the snapshot the cards were chosen from.
    oldest_fetched_at : str
        When the oldest row of that snapshot was fetched.
    as_of : str
        The day on which expiry was judged.
    rule : Rule
    limits : Limits
    windows : tuple of str
        Hours of the day in which deletes may leave; this version knows none but always, ``()``.
    holds : tuple of HoldUsed
        The hold lists that were in force when it was made.
    vault_cards, vault_customers : int
        Distinct cards of the snapshot, and the customers who have them.
    bank_totals : tuple of BankTotal
        Of each bank of which a card is planned: what the cap on a single bank is a share of.
    left_out : mapping of str to int
        Cards that the rule selects and that are not in the plan, by reason.
    controls : tuple of ControlCard
    canary : tuple of int
        Numbers of the cards that come first.
    cards : tuple of PlannedCard
        In order of their number, from 0.
    digest : str
        SHA-256 over all of the above, in hexadecimal digits; computed, never given.

    Raises
    ------
    PlanDamaged
        What is given cannot be a plan: cards repeated, misnumbered or with ids that no request can
        be made of, controls or keepers that are to be deleted themselves, and the like.
    """

    created_at: str
    expires_at: str
    planner: str
    note: str | None
    environment: str
    merchant: str | None
    api_version: str
    snapshot: str
    snapshot_digest: str
    snapshot_created_at: str
    oldest_fetched_at: str
    as_of: str
    rule: Rule
    limits: Limits
    windows: tuple[str, ...] = ()
    holds: tuple[HoldUsed, ...] = ()
    vault_cards: int
    vault_customers: int
    bank_totals: tuple[BankTotal, ...]
    left_out: Mapping[str, int]
    controls: tuple[ControlCard, ...]
    canary: tuple[int, ...]
    cards: tuple[PlannedCard, ...]
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        check_header(self)
        check_cards(self)
        object.__setattr__(self, "left_out", MappingProxyType(dict(self.left_out)))
        running = hashlib.sha256()
        for line in plan_lines(self):
            running.update(line)
        object.__setattr__(self, "digest", running.hexdigest())

    @property
    def id(self) -> str:
        """The first digits of the digest, which also name the campaign's folder."""
        return self.digest[:ID_DIGITS]

    @property
    def phrase(self) -> str:
        """What somebody has to type to start this deletion, e.g. ``delete 412 production 9f3ac1``.

        It names how many cards, where, and of which plan.
        """
        return f"delete {len(self.cards)} {self.environment} {self.digest[:PHRASE_DIGITS]}"


HEADER_FIELDS: Final = tuple(
    one.name for one in fields(PlanContent) if one.name not in {"cards", "digest"}
)

_card_values = attrgetter(*CARD_FIELDS)


def canonical(content: object) -> bytes:
    """Return the one line that a JSON value is written as in plans and approvals.

    >>> canonical({"b": None, "a": 1.0}).decode().rstrip()
    '{"a":1.0,"b":null}'
    """
    return f"{_encode(content)}\n".encode("ascii")


def plan_lines(plan: PlanContent) -> Iterator[bytes]:
    """Write a plan line by line, all but the last line, over which there is no digest."""
    header = {name: getattr(plan, name) for name in HEADER_FIELDS}
    yield canonical(
        header
        | {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "rule": plan.rule.to_dict(),
            "limits": plan.limits.to_dict(),
            "windows": list(plan.windows),
            "holds": [asdict(one) for one in plan.holds],
            "bank_totals": [{"bank": one.bank, "cards": one.cards} for one in plan.bank_totals],
            "left_out": dict(plan.left_out),
            "controls": [
                {"customer_id": one.customer_id, "instrument_id": one.instrument_id}
                for one in plan.controls
            ],
        }
    )
    for card in plan.cards:
        yield canonical(dict(zip(CARD_FIELDS, _card_values(card), strict=True)))


def last_line(plan: PlanContent) -> bytes:
    """Return the line that closes a plan: its digest and the number of its cards."""
    return canonical({"digest": plan.digest, "rows": len(plan.cards)})


def plan_bytes(plan: PlanContent) -> bytes:
    """Return the whole plan as its file holds it."""
    return b"".join((*plan_lines(plan), last_line(plan)))
