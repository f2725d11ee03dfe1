"""Vaults in miniature for the tests of plans: cards, snapshots published from them, and plans."""

from __future__ import annotations

import functools
import json
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from unittest.mock import patch

import pyarrow as pa

from tokenvault_data.cleanup.selection.cards import PlannedCard
from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.cleanup.selection.selection import select_cards
from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten
from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOMES
from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter

FETCHED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
NOW = FETCHED + timedelta(hours=1)
DAY = date(2026, 11, 22)
ALL_OPEN = Limits(vault_share=1.0, bank_share=1.0, per_customer=100)
"""Limits under which a vault of a few cards can be planned for."""


def raw_card(instrument_id, expires="2028-12", **changes):
    """Return a card as the API sends it; ``expires`` None for an unknown expiry."""
    year, month = (None, None) if expires is None else expires.split("-")
    card = {
        "instrument_id": instrument_id,
        "instrument_type": "card",
        "instrument_uid": changes.pop("uid", None),
        "instrument_display": changes.pop("display", "XXXXXXXXXXXX4375"),
        "instrument_status": changes.pop("status", "ACTIVE"),
        "created_at": changes.pop("created_at", "2023-11-01T04:55:07.000+00:00"),
        "instrument_meta": {
            "card_network": changes.pop("network", "visa"),
            "card_bank_name": changes.pop("bank", "HDFC BANK"),
            "card_country": "IN",
            "card_type": changes.pop("card_type", "debit_card"),
            "card_token_details": {
                "par": changes.pop("par", None),
                "expiry_month": month,
                "expiry_year": year,
            },
        },
    }
    return card | changes


def table_of(vault, fetched=FETCHED):
    """Flatten a vault, a dict of customer id to cards, to a table of instruments."""
    bodies = [
        ReceivedBody(
            customer,
            json.dumps([{"customer_id": customer} | card for card in cards]).encode(),
            int(fetched.timestamp()) * 1_000_000,
            "2025-01-01",
        )
        for customer, cards in vault.items()
        if cards
    ]
    return flatten(bodies).table if bodies else INSTRUMENTS.empty_table()


def publish_vault(store, vault, *, fetched=FETCHED, failed=(), environment="emulator"):
    """Publish a vault as a snapshot; `failed` customers were asked for and not fetched."""
    outcomes = [(c, "fetched" if cards else "empty", len(cards)) for c, cards in vault.items()]
    outcomes += [(customer, "failed", 0) for customer in failed]
    rows = [
        {
            "customer_id": customer,
            "position": place,
            "outcome": outcome,
            "cause": "vault_unavailable" if outcome == "failed" else None,
            "instruments": count,
            "requests": 1,
            "finished_at": fetched,
        }
        for place, (customer, outcome, count) in enumerate(outcomes)
    ]
    with SnapshotWriter(store, now=fetched) as writer:
        writer.add(table_of(vault, fetched), pa.Table.from_pylist(rows, schema=OUTCOMES))
        return writer.publish(
            CollectionFacts(len(rows), environment, "2025-01-01", fetched, fetched, "abcdef012345")
        )


@contextmanager
def selecting_once():
    """Let plans and simulations share selections of equal cards: where caps are what is tested."""

    def select(snapshot, rule, *, as_of, keep_last_usable, banks, holds):
        assert banks is None
        assert not holds.cards
        assert not holds.customers
        key = (snapshot.path, repr(rule), as_of, keep_last_usable)
        if key not in _SELECTED:
            _SELECTED[key] = select_cards(
                snapshot, rule, as_of=as_of, keep_last_usable=keep_last_usable, holds=holds
            )
        return _SELECTED[key]

    with (
        patch("tokenvault_data.cleanup.plan.planning.select_cards", select),
        patch("tokenvault_data.cleanup.plan.simulation.select_cards", select),
    ):
        yield


_SELECTED = {}


def fetched_row(customer="c1", card=None):
    """Return the row that one card becomes when it is fetched."""
    return dict(_fetched_row(customer, json.dumps(card or raw_card("i1"))))


@functools.cache
def _fetched_row(customer, text):
    return table_of({customer: [json.loads(text)]}).to_pylist()[0]


def as_planned(row, bank="HDFC Bank", number=0, keeper=None):
    """Return a row as a plan would hold it."""
    expires_on = row["expires_on"]
    return PlannedCard(
        number=number,
        bank=bank,
        keeper=keeper,
        expires_on=None if expires_on is None else expires_on.isoformat(),
        created_at=row["created_at"] and row["created_at"].isoformat(),
        fetched_at=row["fetched_at"].isoformat(),
        **{
            name: row[name]
            for name in (
                "customer_id",
                "instrument_id",
                "instrument_uid",
                "par",
                "last_four",
                "card_network",
                "card_bank",
                "card_type",
                "instrument_status",
                "afa_reference",
            )
        },
    )


def expired_vault(expired=4, banks=("HDFC BANK", "ICICI BANK")):
    """Return a vault of customers with an expired card each, and as many with a usable one."""
    vault = {}
    for at in range(expired):
        bank = banks[at % len(banks)]
        vault[f"cust_{at:04d}"] = [raw_card(f"old-{at:04d}", "2025-06", bank=bank)]
        vault[f"live_{at:04d}"] = [raw_card(f"new-{at:04d}", "2029-06", bank=bank)]
    return vault
