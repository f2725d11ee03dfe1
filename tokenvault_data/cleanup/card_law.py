"""What records about one planned card may say, each in the light of those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tokenvault_data.cleanup.audit_law import FINALS, ITEM_MOVES
from tokenvault_data.cleanup.audit_trail import AttemptTrail, Sight, fault_of_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenvault_data.cleanup.audit_law import Entry
    from tokenvault_data.cleanup.audit_trail import CardTrail
    from tokenvault_data.cleanup.control_trail import ControlTrail
    from tokenvault_data.cleanup.plan import Plan

_SHOWN: Final = {
    "holds": "present",
    "present": "present",
    "drift": "drift",
    "absent": "gone",
    "gone": "gone",
}


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
        Fetches of planned cards.
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
            case "item":
                self._move_item(entry, card)

    def _see(self, entry: Entry, card: CardTrail) -> None:
        detail, status = entry.detail, entry.detail["status"]
        self.reads += 1
        if card.open_attempt is not None:
            self._add(entry, "shows a card of which an attempt is under way")
        shown = _SHOWN.get(detail["verdict"])
        if shown is None:
            return
        answers = {"gone": (404, 200), "present": (200,), "drift": (200,)}[shown]
        if status not in answers or (detail["verdict"] == "absent" and status != 404):
            self._add(entry, f"reads {detail['verdict']} from an answer of status {status}")
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
        )

    def _intend(self, entry: Entry, card: CardTrail, state: str) -> None:
        detail, sight = entry.detail, card.sight
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
        attempt.code, attempt.request_id = detail.get("code"), detail.get("request_id")
        if attempt.outcome == "accepted" and attempt.status != 200:
            self._add(entry, f"calls an answer of status {attempt.status} accepted")

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
            fault = fault_of_end(card, final, self._controls, sealed_status)
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
