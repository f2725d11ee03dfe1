"""`cleanup simulate`, `plan` and `show`: what would be deleted, frozen to be reviewed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenvault_data.cli import options
from tokenvault_data.cli.cleanup.plan_views import (
    PlanReference,
    approval_sentence,
    campaign_folder,
    plan_at,
    plan_document,
    print_plan,
    room_of,
)
from tokenvault_data.cli.hints import command_line
from tokenvault_data.cli.printing.output import INDENT, print_json, print_line, print_paragraph
from tokenvault_data.cli.printing.partial import print_figures_json, print_partial
from tokenvault_data.cli.printing.tables import print_table, table_document
from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from tokenvault_data.cleanup.plan.plan import Plan
    from tokenvault_data.cleanup.selection.limits import Limits
    from tokenvault_data.cleanup.selection.rules import Rule

Expired = Annotated[bool, typer.Option("--expired", help="Cards past their last day of validity.")]
ExpiredFor = Annotated[
    int | None, typer.Option(metavar="DAYS", min=0, help="Cards expired for so many days or more.")
]
Inactive = Annotated[bool, typer.Option("--inactive", help="Cards listed as INACTIVE.")]
Duplicates = Annotated[
    bool,
    typer.Option(
        "--duplicates", help="Of several cards of one account, all but the one that lasts longest."
    ),
]
Listed = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FILE",
        dir_okay=False,
        help="The cards of a CSV or Parquet file of customer_id and instrument_id, such as the"
        " exceptions of an earlier campaign.",
    ),
]
MaxCards = Annotated[int, typer.Option(metavar="N", help="Cap: cards of the campaign.")]
MaxVaultShare = Annotated[
    float, typer.Option(metavar="SHARE", help="Cap: share of the vault's cards, 0 to 1.")
]
MaxBankShare = Annotated[
    float, typer.Option(metavar="SHARE", help="Cap: share of each single bank's cards, 0 to 1.")
]
MaxPerCustomer = Annotated[int, typer.Option(metavar="N", help="Cap: cards of one customer.")]
MaxPerDay = Annotated[
    int,
    typer.Option(
        metavar="N", help="Cap: deletes sent for the account in 24 hours, by all campaigns."
    ),
]
Hold = Annotated[
    list[Path] | None,
    typer.Option(
        "--hold",
        metavar="FILE",
        dir_okay=False,
        help="Customers or cards never to be deleted, beside the lists of the store and of the"
        " machine: customer ids, one a line, or a CSV or Parquet file of customer_id and"
        " instrument_id. May be given several times.",
    ),
]
AllowLastUsable = Annotated[
    bool,
    typer.Option(
        "--allow-last-usable", help="Plan a customer's last usable card too; it is spared without."
    ),
]
MaxAge = Annotated[
    float,
    typer.Option(metavar="HOURS", help="Cap: age of the snapshot's oldest card, now and later."),
]
Share = Annotated[
    float, typer.Option(metavar="SHARE", help="Part of the account's rate limit to use.")
]
LimitPerMinute = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="The account's limit, to reckon how long it takes."),
]


def simulate(  # noqa: PLR0917  one parameter an option
    snapshot: options.Snapshot,
    expired: Expired = False,
    expired_for: ExpiredFor = None,
    inactive: Inactive = False,
    duplicates: Duplicates = False,
    listed: Listed = None,
    where: options.Where = None,
    as_of: options.AsOf = None,
    max_cards: MaxCards = 1000,
    max_vault_share: MaxVaultShare = 0.01,
    max_bank_share: MaxBankShare = 0.05,
    max_per_customer: MaxPerCustomer = 3,
    max_per_day: MaxPerDay = 1000,
    allow_last_usable: AllowLastUsable = False,
    hold: Hold = None,
    max_age: MaxAge = 24.0,
    share: Share = 0.5,
    limit_per_minute: LimitPerMinute = None,
    banks: options.Banks = None,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Count what a rule would delete; nothing is sent.

    The rule is all that is given together: `--expired --where card_network=visa` are expired visa
    cards.
    """
    from tokenvault_data.cleanup.ledger.day_room import day_room
    from tokenvault_data.cleanup.plan.simulation import simulate_cleanup
    from tokenvault_data.cleanup.selection.holds import load_holds
    from tokenvault_data.dataset.bank_names import load_bank_names
    from tokenvault_data.dataset.snapshots import open_snapshot

    names = load_bank_names(banks)
    opened = open_snapshot(store, snapshot, environment=options.environment_of_profile(profile))
    limits = _limits(
        rows=max_cards,
        vault_share=max_vault_share,
        bank_share=max_bank_share,
        per_customer=max_per_customer,
        per_day=max_per_day,
        keep_last_usable=not allow_last_usable,
        snapshot_hours=max_age,
        rate_share=share,
    )
    simulation = simulate_cleanup(
        opened,
        _rule(
            expired=expired,
            expired_for=expired_for,
            inactive=inactive,
            duplicates=duplicates,
            listed=listed,
            where=where,
            as_of=as_of,
        ),
        limits,
        as_of=as_of,
        banks=names,
        holds=load_holds(store, files=hold or ()),
        limit_per_minute=limit_per_minute,
    )
    manifest = opened.manifest
    room = day_room(
        manifest.environment, manifest.merchant, limits, simulation.vault_cards, store=store
    )
    if as_json:
        print_figures_json(
            {
                "snapshot": opened.id,
                "sentence": simulation.sentence,
                "cards": simulation.cards,
                "customers": simulation.customers,
                "left_without_usable": simulation.left_without_usable,
                "left_out": dict(simulation.left_out),
                "requests": simulation.requests,
                "minutes": simulation.minutes,
                "refusals": [violation.sentence for violation in simulation.violations],
                "today": asdict(room),
                "networks": table_document(simulation.by_network)["rows"],
                "banks": table_document(simulation.by_bank)["rows"],
                "months": table_document(simulation.by_expiry)["rows"],
            },
            opened,
        )
        return
    print_line()
    print_paragraph(simulation.headline)
    print_line()
    for finding in (*simulation.findings, room.sentence(simulation.cards)):
        print_paragraph(finding, indent=INDENT, first="* ")
    print_partial(opened)
    for table in simulation.tables:
        print_table(table.showing(table[table["cards_planned"] > 0]))


def plan(  # noqa: PLR0917  one parameter an option
    snapshot: options.Snapshot,
    expired: Expired = False,
    expired_for: ExpiredFor = None,
    inactive: Inactive = False,
    duplicates: Duplicates = False,
    listed: Listed = None,
    where: options.Where = None,
    as_of: options.AsOf = None,
    max_cards: MaxCards = 1000,
    max_vault_share: MaxVaultShare = 0.01,
    max_bank_share: MaxBankShare = 0.05,
    max_per_customer: MaxPerCustomer = 3,
    max_per_day: MaxPerDay = 1000,
    allow_last_usable: AllowLastUsable = False,
    hold: Hold = None,
    max_age: MaxAge = 24.0,
    share: Share = 0.5,
    planner: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who makes the plan; the user of the system without it."),
    ] = None,
    note: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What the approver should know, in a line.")
    ] = None,
    banks: options.Banks = None,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Freeze the cards that a rule selects into a sealed plan.

    The rule is all that is given together: `--expired --where card_network=visa` are expired visa
    cards. Nothing is sent. A single changed byte makes the plan worthless.
    """
    from tokenvault_data.cleanup.plan.plan_file import seal_plan
    from tokenvault_data.cleanup.plan.planning import plan_cleanup
    from tokenvault_data.cleanup.plan.simulation import unknown_on_hold
    from tokenvault_data.cleanup.selection.holds import keep_copies, load_holds
    from tokenvault_data.dataset.bank_names import load_bank_names
    from tokenvault_data.dataset.snapshots import open_snapshot

    names = load_bank_names(banks)
    opened = open_snapshot(store, snapshot, environment=options.environment_of_profile(profile))
    holds = load_holds(store, files=hold or ())
    made = plan_cleanup(
        opened,
        _rule(
            expired=expired,
            expired_for=expired_for,
            inactive=inactive,
            duplicates=duplicates,
            listed=listed,
            where=where,
            as_of=as_of,
        ),
        limits=_limits(
            rows=max_cards,
            vault_share=max_vault_share,
            bank_share=max_bank_share,
            per_customer=max_per_customer,
            per_day=max_per_day,
            keep_last_usable=not allow_last_usable,
            snapshot_hours=max_age,
            rate_share=share,
        ),
        as_of=as_of,
        planner=planner,
        banks=names,
        note=note,
        holds=holds,
    )
    keep_copies(hold or (), campaign_folder(made, store))
    path = seal_plan(made, store)
    room = room_of(made, store)
    if as_json:
        document = plan_document(made) | {"today": asdict(room), "path": str(path)}
        print_figures_json(document, opened)
        return
    print_plan(made)
    print_partial(opened)
    print_line()
    print_paragraph(room.sentence(len(made.cards)))
    for sentence in _also_planned(made, store):
        print_paragraph(sentence)
    for sentence in unknown_on_hold(sum(one.entries_not_in(opened) for one in holds.lists)):
        print_paragraph(sentence)
    print_line()
    print_line(f"Sealed in {path}; nothing was sent. What to do next:")
    for step, *more in (("show",), ("approve", "--key", "NAME"), ("apply",)):
        words = ("cleanup", step, made.id, *more)
        print_line(f"{INDENT}{command_line(*words, store=store, profile=profile)}")


def show(
    plan: PlanReference,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Show a plan for review: what, how many, at which banks, by whom.

    The plan has to match its snapshot, if the store has it.
    """
    from tokenvault_data.cleanup.approval.approvals import approval_states
    from tokenvault_data.cleanup.approval.approvers import load_trust, phrase_for

    del profile
    opened = plan_at(plan, store)
    folder, room = campaign_folder(opened, store), room_of(opened, store)
    trust = load_trust()
    states = approval_states(opened, folder, trust, now=datetime.now(UTC))
    phrase, obstacle = phrase_for(opened, trust), _obstacle(opened, store)
    if obstacle is None and states and not any(one.counts for one in states):
        obstacle = "none of its approvals counts; have it approved again"
    if as_json:
        more = {
            "phrase": phrase,
            "obstacle": obstacle,
            "today": asdict(room),
            "path": str(folder / "plan.json"),
            "approvals": [one._asdict() for one in states],
        }
        print_json(plan_document(opened) | more)
        return
    print_plan(opened)
    print_line()
    print_paragraph(room.sentence(_untouched(opened, store)))
    for one in states:
        print_paragraph(approval_sentence(one))
    if not states:
        print_paragraph("Not approved yet.")
    print_line()
    if obstacle is None:
        print_line(f"To apply it, type: {phrase}")
    else:
        print_paragraph(f"It cannot be applied now: {obstacle}.")


def _untouched(plan: Plan, store: Path) -> int:
    """Count the cards that the campaign has not attempted; all where its journal says nothing."""
    from tokenvault_data.cleanup.campaign.campaign import Campaign
    from tokenvault_data.errors import TokenVaultError

    try:
        return Campaign.open(plan, store).status().untouched
    except TokenVaultError:
        return len(plan.cards)


def _also_planned(plan: Plan, store: Path) -> list[str]:
    """Say which other plans of the store name the same cards and may still be applied."""
    from tokenvault_data.cleanup.campaign.campaign import Campaign
    from tokenvault_data.cleanup.plan.plan_file import plan_folders, read_plan
    from tokenvault_data.errors import TokenVaultError

    mine = {(card.customer_id, card.instrument_id) for card in plan.cards}
    now, said = datetime.now(UTC), []
    for folder in plan_folders(store):
        try:
            other = read_plan(folder)
            status = Campaign.open(other, store).status()
        except TokenVaultError:
            continue  # whoever applies it is told what is wrong with it
        is_open = status.state not in ("sealed", "approved") or now < datetime.fromisoformat(
            other.expires_at
        )
        if other.id == plan.id or status.is_over or not is_open:
            continue
        same = len(mine & {(card.customer_id, card.instrument_id) for card in other.cards})
        if same:
            said.append(
                f"Plan {other.id} of this store names {counted(same, 'card')} of these as well and"
                f" is not over. `tokenvault cleanup abort {other.id}` withdraws it."
            )
    return said


def _obstacle(plan: Plan, store: Path) -> str | None:
    """Say why a plan cannot be applied, as far as its own files and the clock tell."""
    from tokenvault_data.cleanup.selection.holds import load_holds, missing
    from tokenvault_data.text import utc_minute

    if datetime.now(UTC) >= datetime.fromisoformat(plan.expires_at):
        return f"it was good until {utc_minute(plan.expires_at)}; make a new plan"
    gone = missing(plan.holds, load_holds(store, folder=campaign_folder(plan, store)))
    if gone:
        return (
            f"the hold list {gone[0]} was in force when the plan was made and is missing now; put"
            " it back, name it with --hold when you apply the plan, or make a new plan"
        )
    return None


def _rule(
    *,
    expired: bool,
    expired_for: int | None,
    inactive: bool,
    duplicates: bool,
    listed: Path | None,
    where: list[str] | None,
    as_of: str | None,
) -> Rule:
    from tokenvault_data.analysis.filters.parsing import parse_conditions
    from tokenvault_data.cleanup.selection import rules
    from tokenvault_data.dataset.today import day_of

    day = day_of(as_of)
    parts: list[Rule] = []
    if duplicates:
        parts.append(rules.duplicates())
    if listed is not None:
        parts.append(rules.listed(listed))
    if expired:
        parts.append(rules.expired(day))
    if expired_for is not None:
        parts.append(rules.expired_for(expired_for, day))
    if inactive:
        parts.append(rules.inactive())
    condition = parse_conditions(where or [])
    if condition is not None:
        parts.append(rules.as_rule(condition))
    if not parts:
        raise UsageError(
            "No rule was given, so nothing was selected; say which cards, e.g. with --expired,"
            " --inactive, --duplicates, --where or --from"
        )
    rule = parts[0]
    for part in parts[1:]:
        rule = rule & part
    return rule


def _limits(**given: float) -> Limits:
    from tokenvault_data.cleanup.selection.limits import Limits

    return Limits(**given)  # type: ignore[arg-type]  # checked there
