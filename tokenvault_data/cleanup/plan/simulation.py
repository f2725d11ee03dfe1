"""What a cleanup would do, before anybody plans it: counted from the snapshot, no request sent."""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from tokenvault_data.arguments import needed
from tokenvault_data.cleanup.plan.guard_rails import guard_rails_met
from tokenvault_data.cleanup.plan.planning import day_for
from tokenvault_data.cleanup.plan.summary import shown_sentence
from tokenvault_data.cleanup.selection.holds import holds_beside
from tokenvault_data.cleanup.selection.limits import Limits, Violation
from tokenvault_data.cleanup.selection.rules import Rule, as_rule
from tokenvault_data.cleanup.selection.selection import DIMENSIONS, Selection, select_cards
from tokenvault_data.dataset.snapshots import Snapshot
from tokenvault_data.dataset.tables import ResultTable, result_table
from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted, long_day, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenvault_data.analysis.filters.filters import Predicate
    from tokenvault_data.cleanup.selection.holds import Holds
    from tokenvault_data.dataset.bank_names import BankNames

CALLS_PER_CARD: Final = 4
"""The customer's list before, which shows a card to keep as well; the delete; two fetches after."""

CARDS_PER_CONTROL: Final = 50
"""One control read for so many cards, and one at either end."""

SLACK_SHARE: Final = 50
"""One call in so many comes on top, for what has to be asked again."""


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """What a rule would do to a vault. Counts of cards are of distinct ones.

    Attributes
    ----------
    sentence : str
        The rule in English, ids in it masked.
    snapshot : str
        Id of the snapshot.
    environment : str
    as_of : date
        The day on which cards were judged usable.
    cards, customers : int
        Cards that would be deleted, and how many customers have them.
    vault_cards : int
        Cards of the snapshot.
    left_out : mapping of str to int
        Selected cards that would stay, by reason.
    left_without_usable : int
        Customers who would lose their last usable card.
    by_network, by_bank, by_expiry : ResultTable
        ``card_network``, ``bank`` or ``expiry``; ``cards_before``, ``cards_planned`` and
        ``cards_after``; ``planned_share`` of those before. Missing is a row of its own.
    requests : int
        Calls the campaign would make if nothing goes wrong, with a little slack.
    limit_per_minute : int or None
        The account's limit that was reckoned with.
    minutes : float or None
        How long the calls take at the campaign's share of the limit; None where the limit is not
        known, infinite where the share is 0.
    violations : tuple of Violation
        Guard rails that would refuse the plan; empty when it could be made.
    held_unknown : int
        Entries of hold lists about customers or cards that the snapshot does not hold.
    """

    sentence: str
    snapshot: str
    environment: str
    as_of: date
    cards: int
    customers: int
    vault_cards: int
    left_out: Mapping[str, int]
    left_without_usable: int
    by_network: ResultTable
    by_bank: ResultTable
    by_expiry: ResultTable
    requests: int
    limit_per_minute: int | None
    minutes: float | None
    violations: tuple[Violation, ...]
    held_unknown: int = 0

    @property
    def headline(self) -> str:
        """The whole of it in one sentence."""
        share = f" ({percent(self.cards / self.vault_cards)} of the vault)" * bool(self.vault_cards)
        return (
            f"{counted(self.cards, 'card')} of {counted(self.customers, 'customer')} would be "
            f"deleted in {self.environment}{share}: {self.sentence}."
        )

    @property
    def findings(self) -> list[str]:
        """What else has to be known, a sentence each."""
        found = [
            f"Judged on {long_day(self.as_of)}, from snapshot {self.snapshot}; nothing was sent.",
            f"{counted(self.left_without_usable, 'customer')} would be left without a usable card.",
            *(f"Left out: {number:,} {reason}." for reason, number in self.left_out.items()),
            f"It takes {counted(self.requests, 'request')}{self._duration}.",
            *unknown_on_hold(self.held_unknown),
        ]
        if not self.cards:
            return [*found, "There is nothing to plan."]
        if not self.violations:
            return [*found, "No guard rail would refuse the plan."]
        return [*found, *(f"Would be refused: {one.sentence}." for one in self.violations)]

    @property
    def tables(self) -> tuple[ResultTable, ResultTable, ResultTable]:
        """By network, by bank, by expiry."""
        return self.by_network, self.by_bank, self.by_expiry

    @property
    def _duration(self) -> str:
        if self.minutes is None:
            return ""
        if self.minutes == float("inf"):
            return ", and its share of the rate limit is 0: it would never end"
        return (
            f", about {self.minutes:,.0f} minutes at a limit of {self.limit_per_minute:,} a minute"
        )

    def __repr__(self) -> str:
        return "\n\n".join(
            [self.headline, "\n".join(self.findings), *(repr(table) for table in self.tables)]
        )

    def _repr_html_(self) -> str:
        points = "".join(f"<li>{html.escape(text)}</li>" for text in self.findings)
        tables = "".join(table.html() for table in self.tables)
        return f"<p><strong>{html.escape(self.headline)}</strong></p><ul>{points}</ul>{tables}"


def simulate_cleanup(
    snapshot: Snapshot,
    rule: Rule | Predicate,
    limits: Limits | None = None,
    as_of: date | datetime | str | None = None,
    *,
    limit_per_minute: int | None = None,
    banks: BankNames | None = None,
    holds: Holds | None = None,
    now: datetime | None = None,
) -> Simulation:
    """Say what a cleanup would do, from the snapshot alone; nothing is sent, written or refused.

    Parameters
    ----------
    snapshot : Snapshot
    rule : Rule or Predicate
    limits : Limits, optional
    as_of : date, datetime or str, optional
        The day on which cards are judged usable; today in India when not given, never later.
    limit_per_minute : int, optional
        The account's rate limit, 1 or more, to reckon the time with.
    banks : BankNames, optional
        Names of banks; those of the package when not given.
    holds : Holds, optional
        Hold lists, whose cards are left out; those of the store and of the machine when not given.
    now : datetime, optional
        With a zone.

    Raises
    ------
    UsageError
        Something given is wrong.
    """
    needed(snapshot, Snapshot, "A snapshot, as tv.open_snapshot(...) gives it,")
    rule = as_rule(rule)
    limits = Limits() if limits is None else needed(limits, Limits, "tv.Limits(...)")
    moment = datetime.now(UTC) if now is None else now
    day = day_for(as_of, moment)
    given: object = limit_per_minute
    if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 1):
        raise UsageError(
            "The rate limit is no whole number of 1 or more; nothing was counted; give requests a "
            "minute."
        )
    holds = holds_beside(snapshot) if holds is None else holds
    selection = select_cards(
        snapshot,
        rule,
        as_of=day,
        keep_last_usable=limits.keep_last_usable,
        banks=banks,
        holds=holds,
    )
    calls = requests_needed(selection.planned.cards)
    tables = [_before_and_after(selection, name) for name in DIMENSIONS]
    return Simulation(
        sentence=shown_sentence(rule),
        snapshot=snapshot.id,
        environment=snapshot.manifest.environment,
        as_of=day,
        cards=selection.planned.cards,
        customers=len(selection.cards.column("customer_id").unique()),
        vault_cards=selection.vault.cards,
        left_out=selection.left_out,
        left_without_usable=selection.planned.left_without_usable,
        by_network=tables[0],
        by_bank=tables[1],
        by_expiry=tables[2],
        requests=calls,
        limit_per_minute=limit_per_minute,
        minutes=minutes_needed(calls, limit_per_minute, limits.rate_share),
        violations=tuple(guard_rails_met(selection, limits, moment)),
        held_unknown=sum(one.entries_not_in(snapshot) for one in holds.lists),
    )


def unknown_on_hold(entries: int) -> list[str]:
    """Say that hold lists have entries that a snapshot does not know; nothing where they do not."""
    if not entries:
        return []
    these, verb = counted(entries, "entry", "entries"), "is" if entries == 1 else "are"
    check = "check that the ids are written as the vault writes them"
    return [f"{these} of the hold lists {verb} not in the snapshot; {check}."]


def requests_needed(cards: int) -> int:
    """Return how many calls so many cards take.

    >>> requests_needed(100), requests_needed(0)
    (413, 0)
    """
    if not cards:
        return 0
    calls = cards * CALLS_PER_CARD + 2 + -(-cards // CARDS_PER_CONTROL)
    return calls + -(-calls // SLACK_SHARE)


def minutes_needed(calls: int, limit_per_minute: int | None, rate_share: float) -> float | None:
    """Return how long calls take at a share of a rate limit, None where that is not known.

    >>> minutes_needed(311, 100, 0.5)
    6.22
    """
    if limit_per_minute is None:
        return None
    if not calls:
        return 0.0
    return calls / (limit_per_minute * rate_share) if rate_share else float("inf")


def _before_and_after(selection: Selection, dimension: str) -> ResultTable:
    before = selection.before[dimension]
    planned = _planned(selection, dimension)
    of_time = dimension == "expiry"
    order = sorted(
        before, key=lambda value: (value is None, 0 if of_time else -before[value], value or "")
    )
    cards = [(before[value], planned.get(value, 0)) for value in order]
    table = pa.table(
        {
            dimension: pa.array(order, pa.string()),
            "cards_before": pa.array([all_ for all_, _ in cards], pa.int64()),
            "cards_planned": pa.array([gone for _, gone in cards], pa.int64()),
            "cards_after": pa.array([all_ - gone for all_, gone in cards], pa.int64()),
            "planned_share": pa.array([gone / all_ for all_, gone in cards], pa.float64()),
        }
    )
    return result_table(table, title=f"Before and after, by {dimension}")


def _planned(selection: Selection, dimension: str) -> dict[str | None, int]:
    if dimension == "bank":
        return dict(selection.planned.banks)
    column = selection.cards.column("expires_on" if dimension == "expiry" else dimension)
    found: dict[str | None, int] = {}
    for entry in column.value_counts().to_pylist():
        value = entry["values"]
        key = f"{value:%Y-%m}" if isinstance(value, date) else value
        found[key] = found.get(key, 0) + entry["counts"]
    return found
