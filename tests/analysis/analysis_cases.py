"""Vaults in miniature: raw instruments as the API sends them, and snapshots published from them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pyarrow as pa

from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten
from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOMES
from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter

NOW = datetime(2026, 11, 22, 10, 48, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000

_CARD = {
    "customer_id": "c0",
    "afa_reference": "740324562",
    "instrument_id": "i0",
    "instrument_type": "card",
    "instrument_uid": None,
    "instrument_display": "XXXXXXXXXXXX4375",
    "instrument_status": "ACTIVE",
    "created_at": "2023-11-01T04:55:07.000+00:00",
    "instrument_meta": {
        "card_network": "visa",
        "card_bank_name": "HDFC BANK",
        "card_country": "IN",
        "card_type": "debit_card",
        "card_sub_type": "R",
        "card_token_details": {"par": None, "expiry_month": "12", "expiry_year": "2028"},
    },
}


def card(instrument_id="i0", **changes):
    """Return a raw instrument with fields changed, wherever they are nested.

    ``expires="2028-02"`` sets both parts of the expiry.
    """
    token = dict(_CARD["instrument_meta"]["card_token_details"])
    meta = _CARD["instrument_meta"] | {"card_token_details": token}
    made = _CARD | {"instrument_id": instrument_id, "instrument_meta": meta}
    expires = changes.pop("expires", None)
    if expires is not None:
        token["expiry_year"], token["expiry_month"] = expires.split("-")
    for name, value in changes.items():
        place = token if name in token else meta if name in meta else made
        place[name] = value
    return made


def table_of(vault, version="2025-01-01", fetched_at_us=NOW_US):
    """Flatten a vault, a dict of customer id to raw instruments, to a table of instruments."""
    bodies = [
        ReceivedBody(customer, json.dumps(cards).encode(), fetched_at_us, version)
        for customer, cards in vault.items()
        if cards
    ]
    return flatten(bodies).table if bodies else INSTRUMENTS.empty_table()


def table_of_one(number, first=0, **changes):
    """Flatten one card, and repeat its row under the ids ``i0``, ``i1`` and so on, for customer c.

    Parameters
    ----------
    number : int
        How many rows.
    first : int
        The number in the first id.
    **changes
        As for `card`.
    """
    table = table_of({"c": [card(**changes)]}).take([0] * number)
    for name, values in (
        ("instrument_id", [f"i{n}" for n in range(first, first + number)]),
        ("list_position", range(number)),
    ):
        place = table.schema.get_field_index(name)
        field = table.schema.field(name)
        table = table.set_column(place, field, pa.array(values, field.type))
    return table


def publish(store, vault, *, failed=(), not_attempted=(), now=NOW, version="2025-01-01"):
    """Publish a vault as a snapshot.

    Parameters
    ----------
    store : path
    vault : dict
        Raw instruments by customer id; a customer with none has the outcome ``empty``.
    failed, not_attempted : iterables of str
        Customers that were asked for and not fetched.
    """
    outcomes = [
        (customer, "fetched" if cards else "empty", len(cards)) for customer, cards in vault.items()
    ]
    outcomes += [(customer, "failed", 0) for customer in failed]
    outcomes += [(customer, "not_attempted", 0) for customer in not_attempted]
    rows = [
        {
            "customer_id": customer,
            "position": place,
            "outcome": outcome,
            "cause": "vault_unavailable" if outcome == "failed" else None,
            "instruments": count,
            "requests": int(outcome != "not_attempted"),
            "finished_at": None if outcome == "not_attempted" else now,
        }
        for place, (customer, outcome, count) in enumerate(outcomes)
    ]
    fetched_at_us = int(now.timestamp()) * 1_000_000
    with SnapshotWriter(store, now=now) as writer:
        writer.add(
            table_of(vault, version, fetched_at_us), pa.Table.from_pylist(rows, schema=OUTCOMES)
        )
        return writer.publish(CollectionFacts(len(rows), "emulator", version, now, now, "abcdef"))
