"""Compare what the vault saw with plan, journal and ledger, and name each broken promise.

The vault's log is believed, the campaign's files are not. Each violation starts with the number of
the promise that it breaks, P1 to P13 of the contract of cleanup campaigns. P6, P11, P12 and what a
command prints are checked by the tests themselves.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from campaign_files import (
    Journal,
    PlanFile,
    Row,
    ledger_breaks,
    read_journal,
    read_ledger,
    read_plan,
)
from small_vault import Card, Change, Request, SmallVault, is_usable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

GONE = {"deleted", "gone_after_attempt", "already_gone", "gone_unattributed"}
NEVER_SENT = {"already_gone", "gone_unattributed", "skipped_drift", "not_attempted"}
ENDED = {"completed", "completed_with_exceptions", "aborted"}
DAY = 86_400
# Between the last look at the clock and the byte that the vault reads, on a busy machine.
ON_THE_WAY = 1.0


@dataclass
class Campaign:
    """One campaign's files, read by our own code."""

    plan: PlanFile
    journal: Journal

    @classmethod
    def read(cls, folder: Path) -> Campaign:
        """Read a campaign's folder."""
        return cls(read_plan(folder / "plan.json"), read_journal(folder / "journal.sqlite"))

    @property
    def keys(self) -> dict[str, Row]:
        """Each intent by its idempotency key."""
        return {row["idempotency_key"]: row for row in self.journal.attempts.values()}


@dataclass
class Evidence:
    """All that can be known from outside of some campaigns on one vault."""

    vault: SmallVault
    campaigns: list[Campaign]
    ledgers: list[list[Row]] = field(default_factory=list)
    clocks: bool = True  # whether the commands ran under the same wall clock as the vault
    spacing: float = 0.0  # seconds between two requests at the share of the limit that is used
    from_request: int = 0  # what the log holds before this number is of no interest

    def deletes(self) -> list[Request]:
        """The deletes that the vault saw."""
        return [r for r in self.vault.deletes() if r.number > self.from_request]


def read_evidence(
    vault: SmallVault, folders: Iterable[Path], *, settings: Path, store: Path, **more: object
) -> Evidence:
    """Read what lies around the campaigns of one store."""
    ledgers = [
        read_ledger(path)
        for folder in (settings / "ledger", store / "ledger")
        for path in sorted(folder.glob("*.jsonl"))
    ]
    return Evidence(vault, [Campaign.read(folder) for folder in folders], ledgers, **more)


def violations(evidence: Evidence, *, ended: bool = True) -> list[str]:
    """Name everything that breaks a promise; nothing is the wanted answer.

    Parameters
    ----------
    ended
        Whether each campaign should have come to its end.
    """
    return [
        *_unplanned(evidence),
        *_without_intent(evidence),
        *_after_drift(evidence),
        *untrue_finals(evidence),
        *_unproven(evidence),
        *_over_caps(evidence),
        *_old_evidence(evidence),
        *_last_usable(evidence),
        *_ledger(evidence),
        *(_unfinished(evidence) if ended else []),
    ]


def _name(request: Request) -> str:
    return f"delete {request.number} of {request.instrument}"


def _row(evidence: Evidence, request: Request) -> tuple[Campaign, Row] | None:
    """Find the campaign whose intent a delete was, and its row; else any campaign that plans it."""
    found = None
    for campaign in evidence.campaigns:
        for row in campaign.plan.rows:
            if (row["customer_id"], row["instrument_id"]) == (request.customer, request.instrument):
                if request.key in campaign.keys:
                    return campaign, row
                found = campaign, row
    return found


def _unplanned(evidence: Evidence) -> list[str]:
    return [
        f"P1 {_name(request)}: no plan names it"
        for request in evidence.deletes()
        if _row(evidence, request) is None
    ]


def _without_intent(evidence: Evidence) -> list[str]:
    found = []
    keys = Counter(request.key for request in evidence.deletes())
    for request in evidence.deletes():
        intents = [c.keys[request.key] for c in evidence.campaigns if request.key in c.keys]
        if not intents:
            found.append(f"P2 {_name(request)}: no journal has an intent with its key")
        elif evidence.clocks and _wall(intents[0]["intended_at"]) > request.wall + 0.05:
            found.append(f"P2 {_name(request)}: its intent is younger than the delete")
        if keys[request.key] > 1:
            found.append(f"P2 {_name(request)}: its key was sent {keys[request.key]} times")
    return found


def _wall(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def differs(row: Row, card: Card) -> str | None:
    """Say in what a card is not the one that a row of a plan means; None when it is the one."""
    meta = card["instrument_meta"]
    details = meta["card_token_details"]
    year, month = int(details["expiry_year"]), int(details["expiry_month"])
    last_day = (datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC) - timedelta(1)).date()
    saved_at = datetime.fromisoformat(card["created_at"]).astimezone(UTC)
    seen = {
        "expires_on": last_day.isoformat(),
        "instrument_status": card["instrument_status"],
        "instrument_uid": card["instrument_uid"],
        "card_network": meta["card_network"].lower(),
        "par": details["par"],
        "afa_reference": card["afa_reference"],
        "created_at": saved_at.isoformat(),
    }
    for name, value in seen.items():
        if row.get(name) is not None and str(row[name]) != value:
            return name
    return None


def _bound(evidence: Evidence, campaign: Campaign, deletes: int = 1) -> float:
    seconds = float(campaign.plan.header["limits"].get("evidence_seconds", 2.0))
    return min(seconds, 2.0) + deletes * evidence.spacing + ON_THE_WAY


def _after_drift(evidence: Evidence) -> list[str]:
    found = []
    for request in evidence.deletes():
        known = _row(evidence, request)
        if known is None or request.card_before is None:
            continue
        campaign, row = known
        what = differs(row, request.card_before)
        if what is None:
            continue
        since = [
            change.monotonic
            for change in evidence.vault.changes
            if change.instrument == request.instrument
            and change.what != "back"
            and change.monotonic <= request.monotonic
        ]
        age = request.monotonic - max(since, default=0.0)
        if age > _bound(evidence, campaign):
            found.append(f"P3 {_name(request)}: its {what} had been another for {age:.1f} s before")
    return found


def _history(evidence: Evidence, instrument: str) -> list[Request | Change]:
    """What became of a card, in order: deletes that were carried out, and changes."""
    events = [
        *(r for r in evidence.vault.deletes() if r.instrument == instrument and r.applied),
        *(c for c in evidence.vault.changes if c.instrument == instrument),
    ]
    return sorted(events, key=lambda event: event.monotonic)


def untrue_finals(evidence: Evidence) -> list[str]:
    found = []
    every = [request for request in evidence.vault.deletes() if request.applied]
    for campaign in evidence.campaigns:
        for number, final in sorted(campaign.journal.finals.items()):
            row = campaign.plan.rows[number]
            card = row["instrument_id"]
            name = f"row {number} ({card}) is called {final}, but"
            sent = [r for r in evidence.vault.deletes() if r.instrument == card]
            ours = [r for r in sent if r.key in campaign.keys]
            if final == "deleted" and not any(r.applied for r in sent):
                found.append(f"P5 {name} no delete of it was carried out")
            if final in GONE and evidence.vault.has(card):
                found.append(f"P5 {name} the vault has it")
            if final == "already_gone" and any(r.instrument == card for r in every):
                found.append(f"P10 {name} it was deleted by {_name(sent[0])}")
            if final in NEVER_SENT and ours:
                found.append(f"P4 {name} {_name(ours[0])} was sent")
            if final == "skipped_drift" and sent and any(r.applied for r in sent):
                found.append(f"P10 {name} it was deleted by {_name(sent[0])}")
    return found


def _unproven(evidence: Evidence) -> list[str]:
    """Whatever is called deleted has to have been seen gone late enough after its delete."""
    found = []
    for campaign in evidence.campaigns:
        settle = float(campaign.plan.header["limits"].get("settle_seconds", 60.0))
        for number, final in sorted(campaign.journal.finals.items()):
            if final not in {"deleted", "gone_after_attempt"}:
                continue
            row = campaign.plan.rows[number]
            card, customer = row["instrument_id"], row["customer_id"]
            sent = [r for r in evidence.vault.deletes() if r.instrument == card]
            if not sent:
                continue
            looks = [
                r
                for r in evidence.vault.log
                if r.customer == customer
                and (
                    (r.operation == "fetch" and r.instrument == card and r.status == 404)
                    or (r.operation == "list" and r.listed is not None and card not in r.listed)
                )
                and r.monotonic > sent[-1].monotonic
            ]
            latest = max((r.monotonic for r in looks), default=None)
            if latest is None:
                found.append(f"P5 row {number} ({card}) is called {final}, but was never seen gone")
            elif latest - sent[-1].monotonic < settle - 0.5:
                after = latest - sent[-1].monotonic
                found.append(
                    f"P5 row {number} ({card}) is called {final}, but was last looked at"
                    f" {after:.1f} s after its delete"
                )
    return found


def _over_caps(evidence: Evidence) -> list[str]:
    found = []
    for campaign in evidence.campaigns:
        limits = campaign.plan.header["limits"]
        sent = [r for r in evidence.deletes() if r.key in campaign.keys]
        cards = {r.instrument for r in sent}
        if len(cards) > limits["rows"]:
            found.append(f"P7 {len(cards)} cards of a campaign of at most {limits['rows']}")
        for customer, count in Counter({r.instrument: r.customer for r in sent}.values()).items():
            if count > limits["per_customer"]:
                found.append(f"P7 {count} cards of {customer}, at most {limits['per_customer']}")
        per_day = limits.get("per_day")
        if per_day is None:
            continue
        everything = evidence.vault.deletes()
        for request in sent:
            before = [r for r in everything if 0 <= request.wall - r.wall < DAY]
            if len(before) > per_day:
                found.append(
                    f"P7 {_name(request)} was number {len(before)} of a day that allows {per_day}"
                )
                break
    return found


def _old_evidence(evidence: Evidence) -> list[str]:
    """Before each delete its customer's list has to have been read, and not long before."""
    found = []
    for request in evidence.deletes():
        known = _row(evidence, request)
        if known is None:
            continue
        campaign, _ = known
        reads = [
            r
            for r in evidence.vault.log
            if r.operation == "list"
            and r.customer == request.customer
            and r.status == 200
            and r.number < request.number
            and r.number > evidence.from_request
        ]
        if not reads:
            found.append(f"P9 {_name(request)}: its customer's list was not read before")
            continue
        question = reads[-1]
        since = sum(
            r.customer == request.customer and question.number < r.number <= request.number
            for r in evidence.deletes()
        )
        age = request.monotonic - question.monotonic
        if age > _bound(evidence, campaign, since) and not _confessed(campaign, request):
            found.append(f"P8 {_name(request)}: what was known of it was {age:.1f} s old")
    return found


def _confessed(campaign: Campaign, request: Request) -> bool:
    """Whether the journal itself says that a delete left late."""
    attempt = campaign.keys.get(request.key or "", {}).get("id")
    return any(
        record.detail.get("attempt") == attempt and record.detail.get("late_seconds")
        for record in campaign.journal.of_kind("outcome")
    )


def _last_usable(evidence: Evidence) -> list[str]:
    found = []
    for request in evidence.deletes():
        known = _row(evidence, request)
        if known is None or not request.applied:
            continue
        campaign, _ = known
        if not campaign.plan.header["limits"].get("keep_last_usable", True):
            continue
        if not (request.usable_before and request.usable_after == 0):
            continue
        recent = [
            change
            for change in evidence.vault.changes
            if change.customer == request.customer
            and 0 <= request.monotonic - change.monotonic < _bound(evidence, campaign)
        ]
        if not recent:
            found.append(f"P9 {_name(request)} left {request.customer} without a usable card")
    return found


def _ledger(evidence: Evidence) -> list[str]:
    if not evidence.deletes():
        return []
    if not evidence.ledgers:
        return [f"P10 {len(evidence.deletes())} deletes were sent and there is no ledger"]
    found = [f"P10 {text}" for lines in evidence.ledgers for text in ledger_breaks(lines)]
    for request in evidence.deletes():
        known = _row(evidence, request)
        attempt = known and known[0].keys.get(request.key or "", {}).get("id")
        if attempt is None:
            continue  # said by P1 or P2
        for lines in evidence.ledgers:
            intents = [x for x in lines if x["event"] == "intent" and x["attempt"] == attempt]
            if not intents:
                found.append(f"P10 {_name(request)}: a ledger has no intent of it")
            elif evidence.clocks and _wall(intents[0]["at"]) > request.wall + 0.05:
                found.append(f"P10 {_name(request)}: a ledger had its intent after it was sent")
    for campaign in evidence.campaigns:
        if not campaign.journal.records:
            continue
        hashes = {record.seq: record.hash for record in campaign.journal.records}
        for lines in evidence.ledgers:
            own = [x for x in lines if x["campaign"] == campaign.plan.id]
            anew = max((n for n, x in enumerate(own) if x["event"] == "recovered"), default=-1)
            found += [
                f"P10 the journal of {campaign.plan.id} does not extend mark {x['seq']}"
                for x in own[anew + 1 :]
                if x["journal_seq"] and hashes.get(x["journal_seq"]) != x["journal_hash"]
            ]
    return found


def _unfinished(evidence: Evidence) -> list[str]:
    found = []
    for campaign in evidence.campaigns:
        state = campaign.journal.campaign.get("state", "none")
        open_rows = len(campaign.plan.rows) - len(campaign.journal.finals)
        if state == "halted":
            reason = campaign.journal.campaign.get("reason")
            found.append(f"P13 campaign {campaign.plan.id} is halted: {reason}")
        elif state not in ENDED or open_rows:
            found.append(f"P4 campaign {campaign.plan.id} is {state}, {open_rows} rows are open")
    return found


def left_without(vault: SmallVault, customers: Iterable[str]) -> list[str]:
    """Name the customers who have no usable card."""
    return [c for c in customers if not any(is_usable(card) for card in vault.cards(c))]
