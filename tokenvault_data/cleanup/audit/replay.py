"""The audit's own reading of a journal: its records, taken one by one, held against the plan.

Nothing here is shared with the code that wrote them. A record that does not fit is a finding; it is
then taken as far as it can be, so that one fault is not told as a hundred.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tokenvault_data.cleanup.audit.card_evidence import (
    AttemptTrail,
    CardTrail,
    ControlTrail,
    Sighting,
    fault_of_end,
)
from tokenvault_data.cleanup.audit.rules import (
    CAMPAIGN_MOVES,
    CLOCKS_MAY_DIFFER,
    FINALS,
    GONE,
    ITEM_MOVES,
    OVER,
    fault_of_form,
    moment,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tokenvault_data.cleanup.audit.findings import Findings
    from tokenvault_data.cleanup.audit.rules import JournalEntry
    from tokenvault_data.cleanup.plan.plan import Plan


_SHOWN: Final = {"holds": "present", "present": "present", "drift": "drift", "gone": "gone"}
# Reads that show nothing a delete or an end may rest on, with the statuses they come from: a card
# missing from a list is not proven gone, and a customer's last usable card is to be left alone.
_SHOW_NOTHING: Final = {"absent": (200, 404), "last_usable": (200,)}
_TAKES_A_CARD: Final = ("holds", "drift", "last_usable")

_COMMIT_SECONDS: Final = 1.0
"""What the time of a record may add to the age that the process measured."""


class CardInvariants:
    """Takes records about cards, and tells those that do not fit.

    Parameters
    ----------
    plan : Plan
    controls : ControlTrail
        Kept up to date by the caller.
    add : callable
        Gets a record that does not fit, and why.

    Attributes
    ----------
    reads : int
        Reads of planned cards and of their customers' lists.
    is_recovered : bool
        Whether the campaign was recovered; set by the caller.
    oldest_evidence, largest_bound : float
        Seconds: the oldest word of the vault on which a delete left, and the largest bound.
    late : list of float
        Age of the evidence when a send returned, where the process was stopped meanwhile and the
        bound had passed.
    """

    def __init__(
        self, plan: Plan, controls: ControlTrail, add: Callable[[JournalEntry, str], None]
    ) -> None:
        self._plan = plan
        self._controls = controls
        self._add = add
        self._canary = frozenset(plan.canary)
        self._ids: set[str] = set()
        self.reads = 0
        self.is_recovered = False
        self.oldest_evidence = 0.0
        self.largest_bound = 0.0
        self.late: list[float] = []

    def check(self, entry: JournalEntry, card: CardTrail, state: str) -> None:
        """Add a record about a card, written while the campaign was in `state`."""
        if card.final is not None:
            self._add(entry, "comes after the card had ended")
        match entry.kind:
            case "checked" | "seen":
                self._see(entry, card)
            case "intended":
                self._intend(entry, card, state)
            case "withdrawn" | "outcome":
                self._settle(entry, card)
            case "remembered":
                self._remember(entry, card)
            case "item":
                self._move_item(entry, card)

    def _see(self, entry: JournalEntry, card: CardTrail) -> None:
        detail, status = entry.detail, entry.detail["status"]
        self.reads += 1
        if card.open_attempt is not None:
            self._add(entry, "shows a card of which an attempt is under way")
        verdict = detail["verdict"]
        if status not in _SHOW_NOTHING.get(verdict, (status,)):
            self._add(entry, f"reads {verdict} from an answer of status {status}")
        if verdict in _TAKES_A_CARD and entry.kind == "checked" and not detail["listed"]:
            self._add(entry, f"reads {verdict} from a list that holds no card")
        shown = _SHOWN.get(verdict)
        if shown is None:
            if verdict in _SHOW_NOTHING:
                card.sight = None
            return
        if status not in {"gone": (404, 200), "present": (200,), "drift": (200,)}[shown]:
            self._add(entry, f"reads {verdict} from an answer of status {status}")
        before = card.sight
        is_run = before is not None and before.spell == self._controls.spell
        absences = before.absences if before is not None and is_run else 0
        card.sight = Sighting(
            entry.seq,
            entry.at,
            entry.kind,
            shown,  # type: ignore[arg-type]  # the words of Sight.shown
            status,
            detail["request_id"],
            self._controls.spell,
            self._controls.last_good,
            absences + 1 if shown == "gone" and status == 404 else 0,
            detail.get("asked_at"),
            detail.get("after_seconds"),
        )

    def _intend(self, entry: JournalEntry, card: CardTrail, state: str) -> None:
        detail, sight = entry.detail, card.sight
        if self.is_recovered:
            self._add(entry, "intends a delete after the campaign was recovered")
        at, ends = moment(entry.at), datetime.fromisoformat(self._plan.expires_at)
        if at is not None and at > ends + CLOCKS_MAY_DIFFER:
            self._add(entry, "intends a delete when the plan had expired")
        if state not in ("canary", "running"):
            self._add(entry, f"intends a delete while the campaign was {state}")
        if state == "canary" and entry.number not in self._canary:
            self._add(entry, "intends a delete outside the canary before the canary was done")
        if card.open_attempt is not None:
            self._add(entry, "intends a delete while another one is under way")
        if detail["ordinal"] != len(card.attempts) + 1:
            self._add(entry, f"is numbered {detail['ordinal']}, not {len(card.attempts) + 1}")
        if card.state != "checked":
            self._add(entry, f"intends a delete of a card that is {card.state}, not checked")
        if sight is None or (sight.kind, sight.shown, sight.at) != ("checked", "present", entry.at):
            self._add(entry, "does not rest on a check, written with it, that the rule still held")
        if self._controls.good == 0:
            self._add(entry, "comes before any control card was read well")
        for key in ("attempt", "idempotency_key"):
            if detail[key] in self._ids:
                self._add(entry, f"repeats the {key} of an earlier record")
            self._ids.add(detail[key])
        if card.sends >= self._plan.limits.attempts:
            self._add(entry, f"is one more than {self._plan.limits.attempts} attempts")
        card.sight = None
        card.attempts.append(
            AttemptTrail(
                detail["attempt"],
                detail["ordinal"],
                detail["idempotency_key"],
                entry.at,
                detail["deadline"],
                None if sight is None else sight.asked_at,
                detail["bound_seconds"],
            )
        )

    def _settle(self, entry: JournalEntry, card: CardTrail) -> None:
        detail = entry.detail
        attempt = card.open_attempt
        if attempt is None or attempt.attempt != detail["attempt"]:
            self._add(entry, "tells the end of an attempt that no record before it intends")
            return
        attempt.ended_at = entry.at
        attempt.outcome = detail.get("outcome", "withdrawn")
        attempt.status = detail.get("status")
        attempt.evidence_seconds = detail.get("evidence_seconds")
        attempt.code, attempt.request_id = detail.get("code"), detail.get("request_id")
        if attempt.outcome == "accepted" and attempt.status != 200:
            self._add(entry, f"calls an answer of status {attempt.status} accepted")
        if attempt.was_sent:
            self._weigh_evidence(entry, attempt)

    def _weigh_evidence(self, entry: JournalEntry, attempt: AttemptTrail) -> None:
        """Find a delete that left on a word of the vault that was too old."""
        age, late = entry.detail["evidence_seconds"], entry.detail["late_seconds"]
        bound = attempt.bound_seconds
        if age is None:
            if attempt.status is not None:
                self._add(entry, "does not say how old the evidence was when the delete left")
        elif age > bound and late is None:
            self._add(
                entry,
                f"says that the evidence was {age:.1f} s old, and {bound:.1f} s was the bound",
            )
        asked, intended = moment(attempt.asked_at or ""), moment(attempt.intended_at)
        if asked is None or intended is None:
            self._add(entry, "ends an attempt of which nobody can say when the vault was asked")
        elif asked > intended + CLOCKS_MAY_DIFFER:
            self._add(entry, "ends an attempt that rests on an answer asked for after it")
        elif age is not None and (intended - asked).total_seconds() > bound + _COMMIT_SECONDS:
            # Of one whose process died nobody knows the age; the last look would have refused it.
            self._add(entry, f"ends an attempt intended more than {bound:.1f} s after the question")
        self.oldest_evidence = max(self.oldest_evidence, age or 0.0)
        self.largest_bound = max(self.largest_bound, bound)
        if late is not None and late > bound:
            self.late.append(late)

    def _remember(self, entry: JournalEntry, card: CardTrail) -> None:
        if not self.is_recovered:
            self._add(entry, "remembers an attempt though the campaign was not recovered")
        if entry.detail["attempt"] in self._ids:
            self._add(entry, "remembers an attempt that the records hold")
        self._ids.add(entry.detail["attempt"])
        card.remembered.append(entry.detail["attempt"])

    def _move_item(self, entry: JournalEntry, card: CardTrail) -> None:
        detail = entry.detail
        before, after, final = detail["from"], detail["to"], detail["final"]
        if before != card.state:
            self._add(entry, f"moves the card from {before}, and it was {card.state}")
        if (before, after) not in ITEM_MOVES:
            self._add(entry, f"moves the card from {before} to {after}, which none may")
        if (final in FINALS) != (after == "final"):
            self._add(entry, f"moves the card to {after} as {final or 'open'}, which none may")
        fault = self._fault_of_state(card, after)
        if fault is not None:
            self._add(entry, fault)
        if final in FINALS and after == "final":
            sealed_status = self._plan.cards[entry.number or 0].instrument_status
            fault = fault_of_end(
                card,
                final,
                self._controls,
                sealed_status=sealed_status,
                settle_seconds=self._plan.limits.settle_seconds,
            )
            if fault is not None:
                self._add(entry, f"ends the card as {final}, and {fault}")
            card.ended_seq = entry.seq
        card.state, card.final = after, final if final in FINALS else None
        card.reason, card.changed_at = detail["reason"], entry.at

    def _fault_of_state(self, card: CardTrail, after: str) -> str | None:
        last = card.attempts[-1] if card.attempts else None
        outcome = None if last is None else last.outcome
        if after == "intended" and (last is None or outcome is not None):
            return "moves the card to intended without an intent"
        if after in ("accepted", "not_executed", "absent") and outcome != after:
            return f"moves the card to {after}, and its attempt was {outcome or 'not answered'}"
        if after == "in_doubt" and outcome not in ("in_doubt", "unexpected"):
            return f"moves the card to in_doubt, and its attempt was {outcome or 'not answered'}"
        if after in ("planned", "final") and card.open_attempt is not None:
            return f"moves the card to {after} while an attempt is under way"
        return None


__all__ = ["Replay", "finals_of", "moment"]


class Replay:
    """What the records of one campaign add up to.

    Parameters
    ----------
    plan : Plan
    findings : Findings
        Gets every record that does not fit.
    revoked : mapping of str to datetime, optional
        When keys, by their fingerprints, took their approvals back.

    Attributes
    ----------
    cards : list of CardTrail
        By number in the plan.
    controls : ControlTrail
    state, reason : str, str or None
        Of the campaign.
    opened_at, last_at : str or None
        Times of the first record and of the last.
    approved : list of JournalEntry
    confirmed : list of JournalEntry
    moves : list of JournalEntry
        Of the campaign, from state to state.
    machines : list of str
        Where it was applied and recovered, in that order.
    recovered : list of JournalEntry
    is_sealed : bool
        Whether the closing record was written.
    """

    def __init__(
        self,
        plan: Plan,
        findings: Findings,
        revoked: Mapping[str, datetime] = MappingProxyType({}),
    ) -> None:
        self._plan = plan
        self._revoked = revoked
        self._findings = findings
        self._canary = frozenset(plan.canary)
        self._may_begin = False
        self.cards = [CardTrail("") for _ in plan.cards]
        self.controls = ControlTrail(len(plan.controls))
        self._law = CardInvariants(plan, self.controls, self._add)
        self.state = ""
        self.reason: str | None = None
        self.opened_at: str | None = None
        self.last_at: str | None = None
        self.approved: list[JournalEntry] = []
        self.confirmed: list[JournalEntry] = []
        self.moves: list[JournalEntry] = []
        self.recovered: list[JournalEntry] = []
        self.machines: list[str] = []
        self.is_sealed = False

    def apply(self, entry: JournalEntry) -> None:
        """Add one record."""
        fault = fault_of_form(entry.kind, entry.number, entry.detail)
        if fault is not None:
            self._add(entry, fault)
            return
        if self.is_sealed:
            self._add(entry, "was written after the campaign was closed")
        if (entry.kind == "opened") == bool(self.opened_at):
            self._add(entry, "opens it again" if self.opened_at else "comes before it was opened")
        self.last_at = entry.at
        if entry.number is None:
            self._take_of_campaign(entry)
        elif 0 <= entry.number < len(self.cards):
            if entry.kind == "intended" and self._is_revoked(entry):
                self._add(
                    entry,
                    "intends a delete after the plan's approval was revoked, unless the revocation"
                    " reached this folder later",
                )
            self._law.check(entry, self.cards[entry.number], self.state)
        else:
            self._add(entry, f"is about card {entry.number}, which the plan does not name")

    def _add(self, entry: JournalEntry, fault: str) -> None:
        about = "" if entry.number is None else f" about card {entry.number}"
        self._findings.add(
            "records that do not fit",
            f"journal.sqlite: record {entry.seq} ({entry.kind}{about}) {fault}",
        )

    # The campaign

    def _take_of_campaign(self, entry: JournalEntry) -> None:
        match entry.kind:
            case "opened":
                self._open(entry)
            case "approved":
                self.approved.append(entry)
            case "confirmed":
                self._confirm(entry)
            case "recovered":
                self._recover(entry)
            case "state":
                self._move(entry)
            case "control":
                self._read_control(entry)
            case "sealed":
                self._close(entry)

    def _open(self, entry: JournalEntry) -> None:
        plan = self._plan
        wanted = {
            "plan_id": plan.id,
            "plan_digest": plan.digest,
            "environment": plan.environment,
            "merchant": plan.merchant,
            "rows": len(plan.cards),
        }
        for key, value in wanted.items():
            if entry.detail[key] != value:
                self._add(entry, f"names another {key} than plan.json")
        for card in self.cards:
            card.changed_at = card.changed_at or entry.at
        self.state, self.opened_at = "sealed", entry.at
        self.machines.append(entry.detail["machine"])

    def _confirm(self, entry: JournalEntry) -> None:
        plan, at = self._plan, moment(entry.at)
        is_production, trust = plan.environment == "production", entry.detail["trust"]
        ends = " self-administered" if is_production and trust == "self" else ""
        if entry.detail["phrase"] != plan.phrase + ends:
            self._add(entry, "does not hold the phrase that had to be typed")
        if is_production and trust == "none":
            self._add(entry, "says that nobody's approval was asked for, in production")
        if at is None:
            self._add(entry, "does not say when it was written")
            return
        if at > datetime.fromisoformat(plan.expires_at) + CLOCKS_MAY_DIFFER:
            self._add(entry, "came when the plan had expired")
        if is_production and not any(self._counts(one, at) for one in self.approved):
            self._add(entry, "came without an approval that was valid then")
        self.confirmed.append(entry)
        self._may_begin = True

    def _counts(self, approved: JournalEntry, at: datetime) -> bool:
        given = moment(approved.detail["approved_at"])
        if given is None:
            return False
        revoked = self._revoked.get(approved.detail["fingerprint"])
        if revoked is not None and given <= revoked <= at - CLOCKS_MAY_DIFFER:
            return False
        longest = timedelta(hours=self._plan.limits.approval_hours) + CLOCKS_MAY_DIFFER
        return -CLOCKS_MAY_DIFFER <= at - given <= longest

    def _is_revoked(self, entry: JournalEntry) -> bool:
        """Return whether every approval had been revoked by then, some minutes apart."""
        if not self._revoked or not self.approved:
            return False
        at = moment(entry.at)
        for one in self.approved:
            given = moment(one.detail["approved_at"])
            revoked = self._revoked.get(one.detail["fingerprint"])
            if at is None or given is None or revoked is None or given > revoked:
                return False
            if at - revoked <= CLOCKS_MAY_DIFFER:
                return False
        return True

    def _recover(self, entry: JournalEntry) -> None:
        if self.state != "halted":
            self._add(entry, f"recovers a campaign that was {self.state}, not halted")
        self.recovered.append(entry)
        self.machines.append(entry.detail["machine"])
        self._law.is_recovered = True

    def _move(self, entry: JournalEntry) -> None:
        before, after = entry.detail["from"], entry.detail["to"]
        if before != self.state:
            self._add(entry, f"moves the campaign from {before}, and it was {self.state}")
        if (before, after) not in CAMPAIGN_MOVES:
            self._add(entry, f"moves the campaign from {before} to {after}, which none may")
        if (before, after) == ("halted", "verifying") and not self.recovered:
            self._add(entry, "lets a halted campaign go on that nobody had recovered")
        self.moves.append(entry)
        begins = before in ("sealed", "approved", "held") and after in ("canary", "running")
        if begins:
            if not self._may_begin:
                self._add(entry, "lets the campaign begin or go on, and nobody had confirmed it")
            self._may_begin = False
        finals = {card.final for card in self.cards}
        if after == "held" and any(self.cards[n].final is None for n in self._canary):
            self._add(entry, "ends the canary, and not all of it had ended")
        if after in ("completed", "completed_with_exceptions"):
            has_exceptions = bool(finals - set(GONE))
            if None in finals or has_exceptions != (after == "completed_with_exceptions"):
                self._add(entry, f"says {after}, which is not what became of the cards")
        self.state, self.reason = after, entry.detail["reason"]

    def _read_control(self, entry: JournalEntry) -> None:
        detail = entry.detail
        if not 0 <= detail["control"] < len(self._plan.controls):
            self._add(entry, "reads a control card that the plan does not name")
        is_good = detail["ok"] and detail["status"] == 200
        if detail["ok"] and not is_good:
            self._add(entry, f"calls an answer of status {detail['status']} good")
        self.controls.add(
            entry.seq, is_good=is_good, status=detail["status"], index=detail["control"]
        )

    def _close(self, entry: JournalEntry) -> None:
        if self.state not in OVER:
            self._add(entry, f"closes a campaign that was {self.state}")
        if entry.detail["counts"] != finals_of(self.cards):
            self._add(entry, "does not hold the totals that its records add up to")
        if any(card.final is None for card in self.cards):
            self._add(entry, "closes a campaign of which cards are open")
        self.is_sealed = True

    @property
    def requests(self) -> int:
        """Fetches, control reads, and deletes that left or may have."""
        return self._law.reads + self.controls.reads + self.deletes

    @property
    def deletes(self) -> int:
        """Deletes that left, or may have left."""
        return sum(card.sends for card in self.cards)

    @property
    def oldest_evidence(self) -> float:
        """Seconds: the oldest word of the vault on which a delete left."""
        return self._law.oldest_evidence

    @property
    def largest_bound(self) -> float:
        """Seconds: the largest bound on that age."""
        return self._law.largest_bound

    @property
    def late(self) -> list[float]:
        """Seconds: age of the evidence, over its bound, when a stopped process's sends returned."""
        return self._law.late


def finals_of(cards: list[CardTrail]) -> dict[str, int]:
    """Count the cards that have ended, by how; in the order of `FINALS`, none of them 0."""
    counts = dict.fromkeys(FINALS, 0)
    for card in cards:
        if card.final is not None:
            counts[card.final] += 1
    return {final: count for final, count in counts.items() if count}
