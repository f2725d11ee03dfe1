"""Plans in miniature, and their bytes changed consistently, digest and all."""

from __future__ import annotations

import hashlib
import json

from cleanup_vaults import ALL_OPEN, DAY, as_planned, fetched_row, raw_card

from tokenvault_data.cleanup.plan.plan import Plan
from tokenvault_data.cleanup.plan.plan_file import plan_bytes
from tokenvault_data.cleanup.selection import exclusions, rules
from tokenvault_data.cleanup.selection.cards import BankTotal, ControlCard


def make_cards(count=3):
    cards = []
    for number in range(count):
        raw = raw_card(f"instrument-{number:02d}", "2025-06", uid=f"uid-{number}", par="P")
        row = fetched_row(f"customer-{number % 2}", raw)
        cards.append(as_planned(row, number=number))
    return tuple(cards)


def make_plan(**changes):
    rule = changes.pop("rule", rules.expired(DAY))
    given = {
        "created_at": "2026-11-22T11:00:00+00:00",
        "expires_at": "2026-11-23T11:00:00+00:00",
        "planner": "Asha Rao",
        "note": "nach Absprache, café",
        "environment": "production",
        "merchant": "abcdef012345",
        "api_version": "2025-01-01",
        "snapshot": "20261122T100000Z-abcdef",
        "snapshot_digest": "d" * 64,
        "snapshot_created_at": "2026-11-22T10:00:00+00:00",
        "oldest_fetched_at": "2026-11-22T10:00:00+00:00",
        "as_of": "2026-11-22",
        "rule": rule,
        "limits": ALL_OPEN,
        "vault_cards": 100,
        "vault_customers": 60,
        "bank_totals": (BankTotal("HDFC Bank", 50),),
        "left_out": {exclusions.SPARED: 2},
        "controls": (ControlCard("customer-9", "instrument-99"),),
        "canary": (0,),
        "cards": make_cards(),
    }
    return Plan(**given | changes)


PLAN = make_plan()
BYTES = plan_bytes(PLAN)


def resealed(lines):
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    closing = {"digest": digest, "rows": len(lines) - 1}
    text = json.dumps(closing, sort_keys=True, separators=(",", ":"))
    return b"".join(lines) + text.encode() + b"\n"


def with_card(place, **changes):
    lines = BYTES.splitlines(keepends=True)[:-1]
    card = json.loads(lines[place + 1]) | changes
    lines[place + 1] = json.dumps(card, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    return resealed(lines)


def with_header(**changes):
    lines = BYTES.splitlines(keepends=True)[:-1]
    header = json.loads(lines[0]) | changes
    lines[0] = json.dumps(header, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    return resealed(lines)
