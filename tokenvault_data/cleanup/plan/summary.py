"""A plan in words: the one description that every screen, report and JSON document is made from.

What is said follows from the plan's rule, limits and cards, never from a text that its planner
wrote; the planner's own note is shown as such. Ids are masked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import astuple, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from tokenvault_data.analysis.filters.filters import All, AnyOf, Compare, IsIn, Not, Predicate
from tokenvault_data.cleanup.selection.cards import CARD_FIELDS
from tokenvault_data.cleanup.selection.limits import Limits, allowed_of
from tokenvault_data.cleanup.selection.rules import Rule
from tokenvault_data.dataset.masked_ids import is_identifying
from tokenvault_data.dataset.tables import ResultTable, result_table
from tokenvault_data.errors import UsageError
from tokenvault_data.redaction import mask_id
from tokenvault_data.text import counted, long_day, percent, utc_minute

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenvault_data.cleanup.plan.content import PlanContent

COUNTED_BY: Final = ("card_network", "bank", "expires_on")
"""What a plan's text counts its cards by."""

_SAMPLED: Final = 10


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that whoever decides about a plan has to know.

    Attributes
    ----------
    key : str
        Its name in JSON.
    label, text : str
        What a screen shows.
    """

    key: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class BankShare:
    """How many cards of a bank are planned, and of how many; `bank` is None where it is missing."""

    bank: str | None
    cards: int
    vault_cards: int

    @property
    def text(self) -> str:
        """The bank with its figures."""
        name = self.bank or "cards whose bank is missing"
        return f"{name}: {_of(self.cards, self.vault_cards)}"


@dataclass(frozen=True, slots=True)
class PlanDescription:
    """A plan in words.

    Attributes
    ----------
    headline : str
        How many cards of whom are deleted, where, and by which rule, as one sentence.
    facts : tuple of Fact
        In the order of a page.
    warnings : tuple of str
        What is switched off or looser than the defaults, a sentence each.
    banks : tuple of BankShare
        Every bank of a planned card, most cards first.
    """

    headline: str
    facts: tuple[Fact, ...]
    warnings: tuple[str, ...]
    banks: tuple[BankShare, ...]

    def fact(self, key: str) -> str:
        """Return the text of one fact."""
        return next(one.text for one in self.facts if one.key == key)


def describe(plan: PlanContent) -> PlanDescription:
    """Put a plan into words, all of it: rule, limits, shares, dates, holds, and what is off."""
    banks = _banks(plan)
    facts = (*_what(plan, banks), *_guards(plan), *_who_and_when(plan))
    return PlanDescription(
        f"{_capital(headline(plan))}.",
        facts,
        tuple(_warnings(plan)),
        banks,
    )


def headline(plan: PlanContent) -> str:
    """Return in half a sentence how many cards of whom the plan deletes, where and why."""
    customers = len({card.customer_id for card in plan.cards})
    share = percent(len(plan.cards) / plan.vault_cards)
    return (
        f"delete {counted(len(plan.cards), 'card')} of {counted(customers, 'customer')} in "
        f"{plan.environment} ({share} of the vault): {shown_sentence(plan.rule)}"
    )


def plan_text(plan: PlanContent) -> str:
    """Return a plan as a terminal shows it: its description, its counts, and a masked sample."""
    described = describe(plan)
    width = max(len(one.label) for one in described.facts)
    return "\n\n".join(
        [
            described.headline,
            *(
                ["\n".join(f"WARNING: {one}" for one in described.warnings)]
                if described.warnings
                else []
            ),
            "\n".join(f"{one.label.ljust(width)}  {one.text}" for one in described.facts),
            *(repr(counts(plan, by)) for by in COUNTED_BY),
            repr(sample(plan, _SAMPLED)),
        ]
    )


def names_somebody(rule: Rule) -> bool:
    """Say whether a rule holds ids of customers or cards, which no screen shows."""
    return rule.kind == "listed" or any(map(is_identifying, rule.condition.columns))


def shown_sentence(rule: Rule) -> str:
    """Return a rule in English with the ids in it masked; all else as the rule says it."""
    if not any(map(is_identifying, rule.condition.columns)):
        return rule.sentence()
    return Rule(_masked(rule.condition), rule.kind, rule.pairs).sentence()


def _masked(condition: Predicate) -> Predicate:
    if isinstance(condition, Not):
        return Not(_masked(condition.part))
    if isinstance(condition, All | AnyOf):
        return type(condition)(tuple(map(_masked, condition.parts)))
    if isinstance(condition, IsIn) and is_identifying(condition.column):
        known = [one for one in condition.values if one is not None]
        masks = [mask_id(str(one)) for one in known]
        several = Counter(masks)
        texts = [
            f"{mask} (id {at} of {len(known)})" if several[mask] > 1 else mask
            for at, mask in enumerate(masks, start=1)
        ]
        return IsIn(condition.column, (*texts, *condition.values[len(known) :]))
    if isinstance(condition, Compare) and is_identifying(condition.column):
        return Compare(condition.column, condition.operator, mask_id(str(condition.value)))
    return condition


def _banks(plan: PlanContent) -> tuple[BankShare, ...]:
    planned = Counter(card.bank for card in plan.cards)
    shares = [BankShare(one.bank, planned[one.bank], one.cards) for one in plan.bank_totals]
    return tuple(sorted(shares, key=lambda one: (-one.cards, one.bank is None, one.bank or "")))


def _what(plan: PlanContent, banks: tuple[BankShare, ...]) -> list[Fact]:
    """Say which cards are deleted, and which are not."""
    customers = len({card.customer_id for card in plan.cards})
    most = max(Counter(card.customer_id for card in plan.cards).values())
    densest = max(banks, key=lambda one: (one.cards / one.vault_cards, one.cards))
    biggest = banks[0].text
    if densest != banks[0]:
        biggest += f"; the highest share: {densest.text}"
    left_out = "; ".join(f"{number:,} {reason}" for reason, number in plan.left_out.items())
    holds = "; ".join(
        f"{one.name} ({counted(one.entries, 'entry', 'entries')}, sha256 {one.sha256})"
        for one in plan.holds
    )
    return [
        Fact("plan", "plan", plan.id),
        Fact("rule", "rule", _capital(shown_sentence(plan.rule))),
        Fact("environment", "environment", plan.environment),
        Fact("merchant", "account", plan.merchant or "not known"),
        Fact("api_version", "API version", plan.api_version),
        Fact("share", "cards", f"{_of(len(plan.cards), plan.vault_cards)} of the vault's cards"),
        Fact(
            "customers",
            "customers",
            f"{_of(customers, plan.vault_customers)} of the vault's customers; at most "
            f"{counted(most, 'card')} of one",
        ),
        Fact("biggest_bank", "biggest bank", biggest),
        Fact("left_out", "left out", left_out or "nothing"),
        Fact("holds", "hold lists in force", holds or "none"),
    ]


def _guards(plan: PlanContent) -> list[Fact]:
    """Say what keeps the campaign from doing more, or on wrong grounds."""
    limits = plan.limits
    per_day = allowed_of(limits.vault_share, plan.vault_cards)
    return [
        Fact(
            "caps",
            "caps",
            f"{limits.rows:,} cards; {_share(limits.vault_share)} of the vault; "
            f"{_share(limits.bank_share)} of each bank; {limits.per_customer:,} of a customer",
        ),
        Fact(
            "per_day",
            "cap per day",
            f"{counted(limits.per_day, 'delete')} sent for the account in 24 hours, those of "
            f"other campaigns included, for {counted(per_day, 'different card')} at most "
            f"({_share(limits.vault_share)} of the vault)",
        ),
        Fact(
            "last_usable",
            "last usable card",
            "kept: it is never deleted" if limits.keep_last_usable else "NOT kept",
        ),
        Fact(
            "canary",
            "canary",
            f"{counted(len(plan.canary), 'card')} first ({limits.canary:,} at most); then the "
            "campaign is held until a person has looked at it and types the phrase again",
        ),
        Fact(
            "controls",
            "control cards",
            f"{len(plan.controls):,}, of customers who lose no card; a 404 counts only while "
            "they still answer",
        ),
        Fact(
            "evidence",
            "evidence",
            f"what the vault says of a card is {_seconds(limits.evidence_seconds)} old at most, "
            "plus the time between two requests, when its delete is sent",
        ),
        Fact(
            "settle",
            "counts as deleted",
            f"when seen gone {_seconds(limits.settle_seconds)} after its delete or later",
        ),
        Fact(
            "attempts",
            "attempts",
            f"{counted(limits.attempts, 'delete')} sent for one card at most",
        ),
        Fact(
            "drift_stop",
            "drift stop",
            f"{counted(limits.drift_canary, 'changed card')} in the canary, or over "
            f"{_share(limits.drift_share)} of the last {limits.drift_window:,} cards",
        ),
        Fact(
            "failure_stop",
            "failure stop",
            f"{counted(limits.failures_in_row, 'failure')} in a row, or over "
            f"{_share(limits.failure_share)} of the last {limits.failure_window:,} calls",
        ),
        Fact(
            "rate",
            "rate limit",
            f"{_share(limits.rate_share)} of the account's at most; "
            f"{_share(limits.window_reserve)} of each window is left to others",
        ),
        Fact("windows", "hours", "; ".join(plan.windows) or "at any time of the day"),
    ]


def _who_and_when(plan: PlanContent) -> list[Fact]:
    limits = plan.limits
    made, fetched = map(datetime.fromisoformat, (plan.created_at, plan.oldest_fetched_at))
    age = max(0.0, (made - fetched).total_seconds()) / 3600
    needed = "needed" if plan.environment == "production" else "may be left out"
    return [
        Fact("planner", "planned by", f"{plan.planner} on {utc_minute(plan.created_at)}"),
        Fact(
            "validity",
            "may be applied until",
            f"{utc_minute(plan.expires_at)} ({_hours(limits.plan_hours)} after it was made)",
        ),
        Fact(
            "approval",
            "approval",
            f"by someone other than the planner: {needed}; valid for "
            f"{_hours(limits.approval_hours)}",
        ),
        Fact("as_of", "expiry judged on", long_day(date.fromisoformat(plan.as_of))),
        Fact(
            "snapshot",
            "snapshot",
            f"{plan.snapshot} of {utc_minute(plan.snapshot_created_at)}, sha256 "
            f"{plan.snapshot_digest}",
        ),
        Fact(
            "snapshot_age",
            "age of the snapshot",
            f"its oldest card was fetched {utc_minute(plan.oldest_fetched_at)}, {age:,.1f} "
            f"hours before the plan was made; {_hours(limits.snapshot_hours)} at most when "
            "applied",
        ),
        Fact(
            "note",
            "planner's note",
            "none"
            if plan.note is None
            else f'"{plan.note}" (the planner\'s own words, not verified)',
        ),
        Fact("digest", "digest", plan.digest),
        Fact("phrase", "to apply, type", plan.phrase),
    ]


def _warnings(plan: PlanContent) -> list[str]:
    """Say what is switched off, and what is looser than by default."""
    limits, found = plan.limits, []
    if not limits.keep_last_usable:
        found.append(
            "A customer's last usable card is NOT kept: customers may be left without a card to "
            "pay with."
        )
    if limits.window_reserve == 0:
        found.append(
            "No part of the rate limit's window is left to others (window_reserve 0): the checkout "
            "of the account may be slowed down."
        )
    if len(plan.canary) == len(plan.cards) > 1:
        found.append(
            "The canary is the whole plan: no one looks at it before all cards are deleted."
        )
    if plan.merchant is None:
        found.append("The account is not known: the plan fits every account of this environment.")
    default = Limits()
    for name, (label, show, is_tighter_above) in _DEFAULTS.items():
        value, usual = getattr(limits, name), getattr(default, name)
        looser = value < usual if is_tighter_above else value > usual
        if looser and (name, value) != ("window_reserve", 0):
            found.append(f"{label}: {show(value)}, by default {show(usual)} ({name}).")
    return found


def _share(share: float) -> str:
    """Return a share as a percentage, to its last digit."""
    shown = (Decimal(repr(share)) * 100).normalize()
    return f"{shown:f}%" if share == 0 or share >= 1e-6 else f"{shown}%"


def _exact(number: float) -> str:
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


def _seconds(number: float) -> str:
    return f"{_exact(number)} {'second' if number == 1 else 'seconds'}"


def _hours(number: float) -> str:
    return f"{_exact(number)} hours"


def _whole(number: int) -> str:
    return f"{number:,}"


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({percent(part / whole)})"


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


_DEFAULTS: Final[dict[str, tuple[str, Callable[[Any], str], bool]]] = {
    "rows": ("The cap on cards is raised", _whole, False),
    "vault_share": ("The cap on the share of the vault is raised", _share, False),
    "bank_share": ("The cap on the share of a bank is raised", _share, False),
    "per_customer": ("The cap on cards of one customer is raised", _whole, False),
    "per_day": ("The cap on deletes per day is raised", _whole, False),
    "canary": ("The canary may be larger", _whole, False),
    "plan_hours": ("The plan is valid for longer", _hours, False),
    "snapshot_hours": ("The snapshot may be older", _hours, False),
    "approval_hours": ("An approval counts for longer", _hours, False),
    "rate_share": ("The campaign takes more of the rate limit", _share, False),
    "window_reserve": ("Less of the rate limit's window is left to others", _share, True),
    "drift_canary": ("The drift stop is loosened in the canary", _whole, False),
    "drift_share": ("The drift stop is loosened", _share, False),
    "drift_window": ("The drift stop looks at more cards before it acts", _whole, False),
    "failures_in_row": ("The failure stop is loosened", _whole, False),
    "failure_share": ("The failure stop is loosened", _share, False),
    "failure_window": ("The failure stop looks at more calls before it acts", _whole, False),
    "attempts": ("More deletes may be sent for one card", _whole, False),
    "settle_seconds": ("A card counts as deleted sooner", _seconds, True),
}
"""What to say of each limit that is looser than by default; True where more of it is stricter."""


def counts(plan: PlanContent, by: str) -> ResultTable:
    """Count the planned cards by a column; the counts add up to the plan.

    Parameters
    ----------
    plan : PlanContent
    by : str
        A column of the cards; ``expires_on`` is counted by month, as ``expiry``.

    Returns
    -------
    ResultTable
        The column, ``cards``, ``customers`` (distinct) and ``share``; months in order of time,
        everything else by number of cards, missing last.

    Raises
    ------
    UsageError
        The cards have no such column.
    """
    if by not in CARD_FIELDS or by == "number":
        raise UsageError(
            f"The cards of a plan have no column {by}; nothing was counted; use one of "
            f"{', '.join(CARD_FIELDS[1:])}."
        )
    cards: Counter[str | None] = Counter()
    customers: defaultdict[str | None, set[str]] = defaultdict(set)
    for card in plan.cards:
        value = getattr(card, by)
        if by == "expires_on" and value is not None:
            value = value[:7]
        cards[value] += 1
        customers[value].add(card.customer_id)
    of_time = by == "expires_on"
    order = sorted(cards, key=lambda v: (v is None, 0 if of_time else -cards[v], v or ""))
    name = "expiry" if of_time else by
    table = pa.table(
        {
            name: pa.array(order, pa.string()),
            "cards": pa.array([cards[value] for value in order], pa.int64()),
            "customers": pa.array([len(customers[value]) for value in order], pa.int64()),
            "share": pa.array([cards[value] / len(plan.cards) for value in order], pa.float64()),
        }
    )
    return result_table(table, title=f"Planned cards by {name}")


def sample(plan: PlanContent, cards: int) -> ResultTable:
    """Return some cards of a plan, at even distances, the first among them.

    Raises
    ------
    UsageError
        `cards` is negative.
    """
    if cards < 0:
        raise UsageError("A sample cannot have less than no cards; nothing was shown; ask for 10.")
    total = len(plan.cards)
    wanted = min(cards, total)
    chosen = [plan.cards[at * total // wanted] for at in range(wanted)]
    columns = zip(*map(astuple, chosen), strict=True) if chosen else [()] * len(CARD_FIELDS)
    types = [pa.int64(), *[pa.string()] * (len(CARD_FIELDS) - 1)]
    table = pa.table(
        {
            name: pa.array(values, kind)
            for name, values, kind in zip(CARD_FIELDS, columns, types, strict=True)
        }
    )
    # Under a name that tells the display to mask it.
    shown = table.drop_columns(["fetched_at"]).rename_columns({"keeper": "keeper_instrument_id"})
    return result_table(shown, title=f"{wanted:,} of {counted(total, 'planned card')}")
