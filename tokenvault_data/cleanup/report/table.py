"""What became of every planned card, and what proves it, as one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from tokenvault_data.cleanup.audit.rules import FINALS, GONE

if TYPE_CHECKING:
    from tokenvault_data.cleanup.audit.card_evidence import CardTrail
    from tokenvault_data.cleanup.audit.replay import Replay
    from tokenvault_data.cleanup.plan.plan_file import Plan


def _field(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


COMPLETION: Final = pa.schema(
    [
        _field("number", pa.int64(), "Number of the card in the plan, from 0."),
        _field("customer_id", pa.string(), "Whose card it is."),
        _field("instrument_id", pa.string(), "Which card of that customer."),
        _field("last_four", pa.string(), "Last four digits, as planned."),
        _field("card_network", pa.string(), "Network, as planned."),
        _field("bank", pa.string(), "Canonical name of the bank, as planned."),
        _field("expires_on", pa.string(), "Last day on which it is valid, as planned; ISO 8601."),
        _field("final", pa.string(), f"How it ended: {', '.join(FINALS)}; missing while open."),
        _field("reason", pa.string(), "In words, where there is a reason."),
        _field("attempts", pa.int64(), "Deletes that left, or may have left."),
        _field("intents", pa.string(), "Ids of all intents, with a space between them."),
        _field("first_intended_at", pa.string(), "Time of the first intent; ISO 8601, UTC."),
        _field("last_answered_at", pa.string(), "When the last attempt was answered, or lost."),
        _field("last_outcome", pa.string(), "What the last attempt has come to."),
        _field("last_status", pa.int64(), "HTTP status of that, missing where no answer came."),
        _field("evidence", pa.string(), "What the deciding fetch showed, in words."),
        _field("evidence_at", pa.string(), "When that was written down; ISO 8601, UTC."),
        _field("evidence_status", pa.int64(), "HTTP status of the deciding fetch."),
        _field("evidence_request", pa.string(), "x-request-id of the deciding fetch."),
        _field("audit_record", pa.int64(), "Record of the journal that ends the card."),
    ]
)
"""Columns of the completion report; one row for every planned card."""


def completion_table(plan: Plan, replay: Replay) -> pa.Table:
    """Return one row for every planned card, in the order of the plan.

    Parameters
    ----------
    plan : Plan
    replay : Replay
        Of its journal.

    Returns
    -------
    pyarrow.Table
        With the columns of `COMPLETION`.
    """
    rows = [
        {name: getattr(planned, name) for name in COMPLETION.names[:7]} | _became(trail)
        for planned, trail in zip(plan.cards, replay.cards, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=COMPLETION)


def _became(trail: CardTrail) -> dict[str, Any]:
    sight = trail.sight
    last = trail.attempts[-1] if trail.attempts else None
    return {
        "final": trail.final,
        "reason": trail.reason,
        "attempts": trail.sends,
        "intents": " ".join(one.attempt for one in trail.attempts) or None,
        "first_intended_at": trail.attempts[0].intended_at if last else None,
        "last_answered_at": last.ended_at if last else None,
        "last_outcome": last.outcome if last else None,
        "last_status": last.status if last else None,
        "evidence": evidence(trail),
        "evidence_at": sight.at if sight else None,
        "evidence_status": sight.status if sight else None,
        "evidence_request": sight.request_id if sight else None,
        "audit_record": trail.ended_seq,
    }


def evidence(trail: CardTrail) -> str | None:
    """Say what the deciding fetch of a card showed, None where there was none."""
    sight = trail.sight
    if sight is None:
        return None
    if sight.shown != "gone":
        return f"{'changed' if sight.shown == 'drift' else 'there'} (record {sight.seq})"
    if sight.status == 200:
        return f"INACTIVE (record {sight.seq})"
    if trail.final not in GONE:
        return f"404, not confirmed (record {sight.seq})"
    return (
        f"404 {sight.absences} times in a row (record {sight.seq}) between good control reads"
        f" (records {sight.control_before} and {trail.control_after})"
    )
