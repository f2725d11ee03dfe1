"""Which plan is meant, and what a plan says of itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tokenvault_data.cli.printing.output import (
    INDENT,
    PrintedRow,
    print_grid,
    print_line,
    print_paragraph,
)
from tokenvault_data.folders import named
from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.cleanup.approval.approvals import ApprovalState
    from tokenvault_data.cleanup.ledger.day_room import DayRoom
    from tokenvault_data.cleanup.plan.plan import Plan

PlanReference = Annotated[
    str,
    typer.Argument(
        metavar="PLAN",
        help="Id of a plan in the store, its first four digits or more, or path of its file.",
    ),
]
PLAN_NAME: Final = "plan.json"
SHOWN_BANKS = 10
SHOWN_CARDS = 5

_FIRST_DIGITS: Final = re.compile(r"[0-9a-f]{4,}")
_APART: Final = frozenset({"plan", "phrase"})
"""Facts that a screen shows by themselves."""


def plan_at(reference: str, store: Path, *, against_snapshot: bool = True) -> Plan:
    """Open the plan that the user named.

    Parameters
    ----------
    reference : str
        Id of a plan in the store, its first digits where no other plan has the same, or a path.
    store : Path
    against_snapshot : bool
        Whether the plan has to match its snapshot, if the store has it. False for commands that
        have to work on a campaign that has started, such as `pause`.

    Raises
    ------
    UsageError
        There is none, or more than one.
    PlanDamaged
        It is not, byte for byte, the one that was sealed, or does not match its snapshot.
    RefusedByGuardRail
        The folder of a campaign contains the plan of another one.
    """
    from tokenvault_data.cleanup.plan.plan_file import CAMPAIGNS_FOLDER, read_plan
    from tokenvault_data.cleanup.plan.snapshot import check_against_snapshot
    from tokenvault_data.errors import RefusedByGuardRail, UsageError

    place = folder_named(reference, store / CAMPAIGNS_FOLDER) or local_path(reference)
    if not reference or not place.exists():
        raise UsageError(_no_such_plan(reference, store / CAMPAIGNS_FOLDER))
    plan = read_plan(place)
    folder = (place if place.is_dir() else place.parent).resolve()
    if folder.parent.name == CAMPAIGNS_FOLDER and folder.name != plan.id:
        raise RefusedByGuardRail(
            f"the folder {folder.name} contains plan {plan.id}, not its own plan; nothing was done."
            f" Name the plan you mean by its id, or move it to a folder {plan.id}"
        )
    if against_snapshot:
        check_against_snapshot(plan, store)
    return plan


def _no_such_plan(reference: str, campaigns: Path) -> str:
    from tokenvault_data.cleanup.plan.plan_file import plan_folders

    there = [folder.name for folder in plan_folders(campaigns.parent)]
    known = f"there: {', '.join(there[:5])}" if there else "there is none"
    return (
        f"No plan in {campaigns} is called {reference or 'nothing'}, and no file is ({known});"
        " nothing was done; give the id, its first four digits or more, or name another --store"
    )


def campaign_folder(plan: Plan, store: Path) -> Path:
    """Return where the campaign of a plan is kept."""
    from tokenvault_data.cleanup.plan.plan_file import CAMPAIGNS_FOLDER

    return store / CAMPAIGNS_FOLDER / plan.id


def print_plan(plan: Plan) -> None:
    """Print a plan for a reviewer."""
    from tokenvault_data.cleanup.plan.summary import describe

    described = describe(plan)
    print_line()
    print_line(f"Plan {plan.id}", style="bold")
    print_paragraph(described.headline, indent=INDENT, first=INDENT)
    if described.warnings:
        print_line()
        print_line("Switched off, or looser than the defaults:", style="bold red")
        for warning in described.warnings:
            print_paragraph(warning, indent=f"{INDENT}  ", first=f"{INDENT}! ")
    print_line()
    print_facts([(one.label, one.text) for one in described.facts if one.key not in _APART])
    print_line()
    rows = [
        PrintedRow((one.bank or "(none)", f"{one.cards:,}", f"{one.vault_cards:,}"))
        for one in described.banks[:SHOWN_BANKS]
    ]
    rest = described.banks[SHOWN_BANKS:]
    if rest:
        cards, of_vault = (
            f"{sum(n):,}" for n in zip(*((o.cards, o.vault_cards) for o in rest), strict=True)
        )
        rows.append(PrintedRow((f"{len(rest):,} others", cards, of_vault)))
    print_grid([PrintedRow(("bank", "cards", "of the vault's"), "bold"), *rows], right=(1, 2))
    _print_sample(plan)


def print_facts(facts: list[tuple[str, str]]) -> None:
    """Print labels and texts, whole: a text is broken between words and never cut."""
    width = max(len(label) for label, _ in facts)
    for label, text in facts:
        print_paragraph(text, indent=" " * (width + 2), first=f"{label.ljust(width)}  ")


def room_of(plan: Plan, store: Path) -> DayRoom:
    """Return what is left today of the caps per day, as a plan has them."""
    from tokenvault_data.cleanup.ledger.day_room import day_room

    account = (plan.environment, plan.merchant)
    return day_room(*account, plan.limits, plan.vault_cards, store=store)


def approval_sentence(state: ApprovalState) -> str:
    """Say who has approved a plan, and whether that counts."""
    from tokenvault_data.text import utc_minute

    if not state.counts:
        return f"An approval by {state.approver} does not count, because {state.why}."
    given = f"{state.approver} on {utc_minute(state.approved_at)}"
    return f"Approved by {given}, key {state.fingerprint[:12]}."


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return what a plan says, as JSON content; nobody's id."""
    from tokenvault_data.cleanup.plan.summary import describe, names_somebody, shown_sentence

    described = describe(plan)
    rule = {"kind": plan.rule.kind} if names_somebody(plan.rule) else plan.rule.to_dict()
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
        "rule": rule,
        "sentence": shown_sentence(plan.rule),
        "cards": len(plan.cards),
        "customers": len({card.customer_id for card in plan.cards}),
        "canary": len(plan.canary),
        "left_out": dict(plan.left_out),
        "limits": plan.limits.to_dict(),
        "headline": described.headline,
        "warnings": list(described.warnings),
        "facts": {one.key: one.text for one in described.facts},
        "banks": [
            {"bank": one.bank, "cards": one.cards, "vault_cards": one.vault_cards}
            for one in described.banks
        ],
        "holds": [
            {"name": one.name, "sha256": one.sha256, "entries": one.entries} for one in plan.holds
        ],
        "vault_cards": plan.vault_cards,
        "vault_customers": plan.vault_customers,
        "note": plan.note,
    }


def folder_named(reference: str, campaigns: Path) -> Path | None:
    """Return the folder in the store that a reference names by its id, or by its first digits."""
    from tokenvault_data.errors import UsageError

    if (campaigns / reference).is_dir():
        return campaigns / reference
    if _FIRST_DIGITS.fullmatch(reference) is None or local_path(reference).exists():
        return None
    found = [path for path in named(campaigns, _FIRST_DIGITS) if path.name.startswith(reference)]
    if len(found) > 1:
        raise UsageError(
            f"{len(found):,} plans of the store begin with {reference}; nothing was done; give more"
            " digits of the one you mean"
        )
    return found[0] if found else None


def _print_sample(plan: Plan) -> None:
    from tokenvault_data.redaction import mask_id

    rows = [
        PrintedRow(
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
    print_grid([PrintedRow(headings, "bold"), *rows], shrinks=3)
