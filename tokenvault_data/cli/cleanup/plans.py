"""Which plan is meant, and what a plan says of itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenvault_data.cli.grid import Row
from tokenvault_data.cli.output import INDENT, print_grid, print_line, print_paragraph

if TYPE_CHECKING:
    from tokenvault_data.cleanup.plan import Plan

PlanReference = Annotated[
    str, typer.Argument(metavar="PLAN", help="Id of a plan in the store, or path of its file.")
]
SHOWN_BANKS = 10
SHOWN_CARDS = 5


def plan_at(reference: str, store: Path) -> Plan:
    """Open the plan that somebody has named.

    Raises
    ------
    UsageError
        There is none.
    PlanDamaged
        It is not, byte for byte, the one that was sealed.
    """
    from tokenvault_data.cleanup.plan import CAMPAIGNS_FOLDER, read_plan

    in_store = store / CAMPAIGNS_FOLDER / reference
    return read_plan(in_store if in_store.is_dir() else Path(reference))


def campaign_folder(plan: Plan, store: Path) -> Path:
    """Return where the campaign of a plan is kept."""
    from tokenvault_data.cleanup.plan import CAMPAIGNS_FOLDER

    return store / CAMPAIGNS_FOLDER / plan.id


def print_plan(plan: Plan) -> None:
    """Print a plan for somebody who has to decide about it."""
    from tokenvault_data.analysis.wording import utc_minute

    print_line()
    print_line(f"Plan {plan.id}: {len(plan.cards):,} cards, {plan.environment}", style="bold")
    print_paragraph(plan.rule.sentence(), indent=INDENT, first=INDENT)
    if plan.note:
        print_paragraph(f"Note: {plan.note}", indent=INDENT, first=INDENT)
    print_line()
    customers = len({card.customer_id for card in plan.cards})
    facts = (
        ("planned by", plan.planner),
        ("made", f"{utc_minute(plan.created_at)}, good until {utc_minute(plan.expires_at)}"),
        ("from snapshot", f"{plan.snapshot}, {plan.vault_cards:,} cards"),
        ("merchant", plan.merchant or "not known"),
        ("customers", f"{customers:,}"),
        ("canary", f"{len(plan.canary):,} cards first, then a person looks"),
        ("left out", _left_out(plan)),
        ("digest", plan.digest),
    )
    print_grid([Row(fact) for fact in facts], shrinks=1)
    print_line()
    banks = Counter(card.bank or "(none)" for card in plan.cards).most_common()
    rows = [Row((bank, f"{cards:,}")) for bank, cards in banks[:SHOWN_BANKS]]
    rest = sum(cards for _, cards in banks[SHOWN_BANKS:])
    if rest:
        rows.append(Row((f"{len(banks) - SHOWN_BANKS:,} others", f"{rest:,}")))
    print_grid([Row(("bank", "cards"), "bold"), *rows], right=(1,))
    _print_sample(plan)


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return what a plan says, as JSON content; nobody's id."""
    return {
        "plan": plan.id,
        "digest": plan.digest,
        "phrase": plan.phrase,
        "environment": plan.environment,
        "merchant": plan.merchant,
        "snapshot": plan.snapshot,
        "planner": plan.planner,
        "created_at": plan.created_at,
        "expires_at": plan.expires_at,
        "rule": plan.rule.to_dict() if plan.rule.kind != "listed" else {"kind": "listed"},
        "sentence": plan.rule.sentence(),
        "cards": len(plan.cards),
        "customers": len({card.customer_id for card in plan.cards}),
        "canary": len(plan.canary),
        "left_out": dict(plan.left_out),
        "limits": plan.limits.to_dict(),
    }


def _left_out(plan: Plan) -> str:
    reasons = [f"{count:,} {reason}" for reason, count in plan.left_out.items() if count]
    return "; ".join(reasons) or "nothing"


def _print_sample(plan: Plan) -> None:
    from tokenvault_data.redaction import mask_id

    rows = [
        Row(
            (
                mask_id(card.customer_id),
                mask_id(card.instrument_id),
                card.card_network or "-",
                card.bank or "-",
                card.last_four or "-",
                card.instrument_status or "-",
                card.expires_on or "-",
            )
        )
        for card in (plan.cards[number] for number in plan.canary[:SHOWN_CARDS])
    ]
    headings = ("customer", "card", "network", "bank", "last four", "status", "expires on")
    print_line()
    print_line("A sample: the first of the canary")
    print_grid([Row(headings, "bold"), *rows], shrinks=3)
