"""Vaults for reports: a group of customers with one card each, published as a snapshot."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pyarrow as pa

from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten
from tokenvault_data.dataset.schema import OUTCOMES
from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter

NOW = datetime(2026, 11, 22, 10, 48, tzinfo=UTC)
_NOW_US = int(NOW.timestamp()) * 1_000_000


def card(
    number, *, bank="HDFC BANK", network="visa", expires="2028-12", status="ACTIVE", **changes
):
    """Return a raw instrument; ``expires=None`` leaves the expiry out."""
    year, month = (None, None) if expires is None else expires.split("-")
    meta = {
        "card_network": network,
        "card_bank_name": bank,
        "card_country": changes.pop("country", "IN"),
        "card_type": changes.pop("kind", "debit_card"),
        "card_token_details": {
            "par": f"PAR{number:026d}",
            "expiry_month": month,
            "expiry_year": year,
        },
    }
    return {
        "instrument_id": f"secret-instrument-{number}",
        "instrument_uid": f"{number:064x}",
        "instrument_type": "card",
        "instrument_display": "XXXXXXXXXXXX4375",
        "instrument_status": status,
        "created_at": "2023-11-01T04:55:07.000+00:00",
        "afa_reference": f"77{number:08d}",
        "instrument_meta": meta,
    }


def vault_of(groups):
    """Return raw cards by customer, one each, from (how many customers, changes of the card)."""
    changes = [one for size, one in groups for _ in range(size)]
    return {
        f"secret.customer+{number}@example.in": [card(number, **one)]
        for number, one in enumerate(changes)
    }


def table_of(vault):
    """Flatten a vault to a table of instruments."""
    bodies = [
        ReceivedBody(customer, json.dumps(cards).encode(), _NOW_US, "2025-01-01")
        for customer, cards in vault.items()
        if cards
    ]
    return flatten(bodies).table


def publish(store, vault, *, now=NOW):
    """Publish a vault as a snapshot; a customer whose cards are None was not fetched."""
    rows = [
        {
            "customer_id": customer,
            "position": place,
            "outcome": "failed" if cards is None else "fetched" if cards else "empty",
            "cause": "timeout" if cards is None else None,
            "instruments": len(cards or ()),
            "requests": 1,
            "finished_at": now,
        }
        for place, (customer, cards) in enumerate(vault.items())
    ]
    with SnapshotWriter(store, now=now) as writer:
        writer.add(table_of(vault), pa.Table.from_pylist(rows, schema=OUTCOMES))
        return writer.publish(
            CollectionFacts(len(rows), "emulator", "2025-01-01", now, now, "abcdef")
        )
