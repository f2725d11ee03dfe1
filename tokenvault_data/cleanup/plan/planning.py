"""From a snapshot and a rule to a plan, or to the sentence that says why there is none."""

from __future__ import annotations

import getpass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from tokenvault_data.arguments import needed
from tokenvault_data.cleanup.plan.content import LONGEST_NAME, LONGEST_NOTE
from tokenvault_data.cleanup.plan.guard_rails import guard_rails_met
from tokenvault_data.cleanup.plan.plan import Plan
from tokenvault_data.cleanup.selection.cards import BankTotal, PlannedCard
from tokenvault_data.cleanup.selection.holds import Holds, holds_beside
from tokenvault_data.cleanup.selection.limits import OPTIONS, Limits
from tokenvault_data.cleanup.selection.rules import Rule, as_rule
from tokenvault_data.cleanup.selection.sampling import canary_of
from tokenvault_data.cleanup.selection.selection import Selection, select_cards
from tokenvault_data.dataset.flattening.canonical import INDIA
from tokenvault_data.dataset.snapshots import Snapshot
from tokenvault_data.dataset.today import day_of
from tokenvault_data.errors import RefusedByGuardRail, UsageError
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from tokenvault_data.analysis.filters.filters import Predicate
    from tokenvault_data.dataset.bank_names import BankNames


def plan_cleanup(
    snapshot: Snapshot,
    rule: Rule | Predicate,
    *,
    limits: Limits | None = None,
    as_of: date | datetime | str | None = None,
    planner: str | None = None,
    banks: BankNames | None = None,
    note: str | None = None,
    holds: Holds | None = None,
    now: datetime | None = None,
) -> Plan:
    """Choose the cards that a rule selects, and freeze them in a plan; nothing is deleted or sent.

    Parameters
    ----------
    snapshot : Snapshot
        A partial one will do: a customer who was not fetched is not in it.
    rule : Rule or Predicate
    limits : Limits, optional
        Sealed into the plan.
    as_of : date, datetime or str, optional
        The day on which cards are judged usable; today in India when not given, never later.
    planner : str, optional
        Who makes the plan, which somebody else has to approve; the user of the system by default.
    banks : BankNames, optional
        Names of banks; those of the package when not given.
    note : str, optional
        What the approver should know, in a line.
    holds : Holds, optional
        Hold lists, whose cards are left out; those of the store and of the machine when not given.
    now : datetime, optional
        With a zone; the same snapshot, rule, settings and moment make the same plan.

    Returns
    -------
    Plan
        Not written anywhere yet: see `seal`.

    Raises
    ------
    RefusedByGuardRail
        Caps would be broken, the snapshot is stale, or there is no card to check the account by.
    UsageError
        The rule selects no card that can be deleted, or something given is wrong.
    """
    needed(snapshot, Snapshot, "A snapshot, as tv.open_snapshot(...) gives it,")
    rule = as_rule(rule)
    limits = Limits() if limits is None else needed(limits, Limits, "tv.Limits(...)")
    moment = _moment(now)
    day = day_for(as_of, moment)
    planner, note = _planner(planner), _note(note)
    holds = holds_beside(snapshot) if holds is None else needed(holds, Holds, "tv.load_holds(...)")
    selection = select_cards(
        snapshot,
        rule,
        as_of=day,
        keep_last_usable=limits.keep_last_usable,
        banks=banks,
        holds=holds,
    )
    if not selection.planned.cards:
        raise UsageError(_nothing_to_plan(selection))
    met = guard_rails_met(selection, limits, moment)
    if met:
        others = sorted({one.cap for one in met[1:]} - {met[0].cap})
        named = [f"{cap} ({OPTIONS[cap]})" if cap in OPTIONS else cap for cap in others]
        rest = f"{counted(len(others), 'other guard rail')}: {', '.join(named)}"
        more = f" (and it would meet {rest})" * bool(others)
        raise RefusedByGuardRail(
            f"No plan was made, because {met[0].sentence}{more}; narrow the rule, collect anew, or "
            "set the limit if this is what you mean."
        )
    manifest = snapshot.manifest
    cards = planned_cards(selection)
    return Plan(
        created_at=_text(moment),
        expires_at=_text(moment + timedelta(hours=limits.plan_hours)),
        planner=planner,
        note=note,
        environment=manifest.environment,
        merchant=manifest.merchant,
        api_version=manifest.api_version,
        snapshot=snapshot.id,
        snapshot_digest=snapshot.digest,
        snapshot_created_at=manifest.created_at,
        oldest_fetched_at=_text(selection.oldest_fetched_at or moment),
        as_of=day.isoformat(),
        rule=rule,
        limits=limits,
        holds=holds.used,
        vault_cards=selection.vault.cards,
        vault_customers=selection.vault.customers,
        bank_totals=bank_totals(selection),
        left_out=selection.left_out,
        controls=selection.controls,
        canary=canary_of(cards, limits.canary),
        cards=cards,
    )


def bank_totals(selection: Selection) -> tuple[BankTotal, ...]:
    """Return how many cards the vault has of each bank of which some are planned."""
    banks = sorted(selection.planned.banks, key=lambda bank: (bank is None, bank or ""))
    return tuple(BankTotal(bank, selection.vault.banks.get(bank, 0)) for bank in banks)


def planned_cards(selection: Selection) -> tuple[PlannedCard, ...]:
    """Return the selected cards as a plan holds them, numbered in order."""
    columns = {
        name: selection.cards.column(name).to_pylist() for name in selection.cards.schema.names
    }
    columns["expires_on"] = [day and day.isoformat() for day in columns["expires_on"]]
    columns["created_at"] = [moment and _text(moment) for moment in columns["created_at"]]
    columns["fetched_at"] = [_text(moment) for moment in columns["fetched_at"]]
    names = list(columns)
    return tuple(
        PlannedCard(number=number, **dict(zip(names, values, strict=True)))
        for number, values in enumerate(zip(*columns.values(), strict=True))
    )


def day_for(as_of: date | datetime | str | None, now: datetime) -> date:
    """Return the day on which cards are judged usable.

    Raises
    ------
    UsageError
        It is no day, or lies in the future, when cards that are usable today may not be.
    """
    today = now.astimezone(INDIA).date()
    day = today if as_of is None else day_of(as_of)
    if day > today:
        raise UsageError(
            f"{day.isoformat()} lies in the future, when cards that can be paid with today look "
            "unusable; nothing was planned; judge them as of today or earlier."
        )
    return day


def _moment(now: datetime | None) -> datetime:
    if now is None:
        return datetime.now(UTC)
    if now.tzinfo is None:
        raise UsageError("The time has no zone; nothing was planned; give one with a zone.")
    return now.astimezone(UTC)


def _planner(name: str | None) -> str:
    if name is None:
        try:
            name = getpass.getuser()
        except (OSError, KeyError):
            raise UsageError(
                "The system does not say who you are; nothing was planned; give the planner's name."
            ) from None
    return _line(name, "planner's name", LONGEST_NAME)


def _note(note: str | None) -> str | None:
    return None if note is None or not note.strip() else _line(note, "note", LONGEST_NOTE)


def _line(text: str, what: str, longest: int) -> str:
    line = " ".join(text.split())
    if not line or not line.isprintable() or len(line) > longest:
        raise UsageError(
            f"The {what} is empty, longer than {longest} signs, or holds a sign that cannot be "
            "shown; nothing was planned; write it in one line."
        )
    return line


def _nothing_to_plan(selection: Selection) -> str:
    reasons = "; ".join(f"{number:,} {reason}" for reason, number in selection.left_out.items())
    found = f"selects only cards that are left out ({reasons})" if reasons else "selects no card"
    return f"The rule {found}; nothing was planned; look at the rule and at the snapshot."


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
