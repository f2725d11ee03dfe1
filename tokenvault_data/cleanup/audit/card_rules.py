"""What records about one planned card may say, each in the light of those before it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from tokenvault_data.cleanup.audit.card_evidence import AttemptTrail, Sight, fault_of_end
from tokenvault_data.cleanup.audit.rules import CLOCKS_MAY_DIFFER, FINALS, ITEM_MOVES, moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenvault_data.cleanup.audit.card_evidence import CardTrail
    from tokenvault_data.cleanup.audit.control_evidence import ControlTrail
    from tokenvault_data.cleanup.audit.rules import Entry
    from tokenvault_data.cleanup.plan.plan_file import Plan

_SHOWN: Final = {"holds": "present", "present": "present", "drift": "drift", "gone": "gone"}
# Reads that show nothing a delete or an end may rest on, with the statuses they come from: a card
# missing from a list is not proven gone, and a customer's last usable card is to be left alone.
_SHOW_NOTHING: Final = {"absent": (200, 404), "last_usable": (200,)}
_TAKES_A_CARD: Final = ("holds", "drift", "last_usable")

_COMMIT_SECONDS: Final = 1.0
"""What the time of a record may add to the age that the process measured."""


class CardLaw:
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
        self, plan: Plan, controls: ControlTrail, add: Callable[[Entry, str], None]
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

    def take(self, entry: Entry, card: CardTrail, state: str) -> None:
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

    def _see(self, entry: Entry, card: CardTrail) -> None:
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
        card.sight = Sight(
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

    def _intend(self, entry: Entry, card: CardTrail, state: str) -> None:
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

    def _settle(self, entry: Entry, card: CardTrail) -> None:
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

    def _weigh_evidence(self, entry: Entry, attempt: AttemptTrail) -> None:
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

    def _remember(self, entry: Entry, card: CardTrail) -> None:
        if not self.is_recovered:
            self._add(entry, "remembers an attempt though the campaign was not recovered")
        if entry.detail["attempt"] in self._ids:
            self._add(entry, "remembers an attempt that the records hold")
        self._ids.add(entry.detail["attempt"])
        card.remembered.append(entry.detail["attempt"])

    def _move_item(self, entry: Entry, card: CardTrail) -> None:
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
