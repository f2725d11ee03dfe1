"""A plan as somebody reviews it: its head in sentences, its counts, and a sample, ids masked."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import astuple
from datetime import date
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from tokenvault_data.analysis.wording import counted, long_day, percent, utc_minute
from tokenvault_data.cleanup.plan_content import CARD_FIELDS
from tokenvault_data.dataset.result_table import ResultTable, result_table
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from tokenvault_data.cleanup.plan_content import Plan

COUNTED_BY: Final = ("card_network", "bank", "expires_on")
"""What a plan's text counts its cards by."""

_SAMPLED: Final = 10


def headline(plan: Plan) -> str:
    """Return in one sentence how many cards of whom the plan deletes, where and why.

    Why is said by the rule itself, whatever sentence the plan was written with.
    """
    customers = len({card.customer_id for card in plan.cards})
    cards = counted(len(plan.cards), "card")
    share = f" ({percent(len(plan.cards) / plan.vault_cards)} of the vault)" * (
        plan.vault_cards > 0
    )
    return (
        f"delete {cards} of {counted(customers, 'customer')} in {plan.environment}{share}: "
        f"{plan.rule.sentence()}"
    )


def facts(plan: Plan) -> list[tuple[str, str]]:
    """Return what a reviewer has to know, as labels and texts in the order of a page."""
    left_out = "; ".join(f"{number:,} {reason}" for reason, number in plan.left_out.items())
    limits = plan.limits
    return [
        ("plan", plan.id),
        ("digest", plan.digest),
        ("made by", f"{plan.planner} on {utc_minute(plan.created_at)}"),
        ("may be applied until", utc_minute(plan.expires_at)),
        ("environment", plan.environment),
        ("account", plan.merchant or "not known"),
        ("snapshot", f"{plan.snapshot}, oldest row fetched {utc_minute(plan.oldest_fetched_at)}"),
        ("expiry judged on", long_day(date.fromisoformat(plan.as_of))),
        ("left out", left_out or "nothing"),
        (
            "caps",
            f"{limits.rows:,} cards, {percent(limits.vault_share)} of the vault, "
            f"{percent(limits.bank_share)} of a bank, {limits.per_customer:,} of a customer, "
            + ("last usable card kept" if limits.keep_last_usable else "LAST USABLE CARDS TOO"),
        ),
        ("begins with", counted(len(plan.canary), "card")),
        ("note", plan.note or "none"),
        ("to apply, type", plan.phrase),
    ]


def plan_text(plan: Plan) -> str:
    """Return a plan as a terminal shows it: headline, facts, counts and a masked sample."""
    sentence = headline(plan)
    known = facts(plan)
    width = max(len(label) for label, _ in known)
    lines = [f"{label.ljust(width)}  {text}" for label, text in known]
    tables = [repr(counts(plan, by)) for by in COUNTED_BY]
    return "\n\n".join(
        [
            f"{sentence[0].upper()}{sentence[1:]}.",
            "\n".join(lines),
            *tables,
            repr(sample(plan, _SAMPLED)),
        ]
    )


def counts(plan: Plan, by: str) -> ResultTable:
    """Count the planned cards by a column; the counts add up to the plan.

    Parameters
    ----------
    plan : Plan
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


def sample(plan: Plan, cards: int) -> ResultTable:
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
