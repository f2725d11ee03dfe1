"""Snapshots for browser tests: an emulated vault, or one whose bank names are an attack."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

import tokenvault_data as tv
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.dataset.schema import CATEGORY
from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.dataset.snapshots import Snapshot

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(2)</script>",
    '"><svg onload=alert(3)>',
    "javascript:alert(4)",
    "{{constructor.constructor('alert(5)')()}}",
)


def collected(store: Path, customers: int = 300) -> Snapshot:
    """Collect an emulated vault over HTTP."""
    settings = EmulatorSettings(customers=customers, rate_limit_per_minute=600_000)
    ids = [f"cust_{number:07d}" for number in range(customers)]
    with Emulator(settings) as emulator, tv.connect(emulator_profile(emulator.base_url)) as vault:
        return tv.collect(vault, ids, store=store, progress=False)


def with_hostile_banks(store: Path, snapshot: Snapshot) -> Snapshot:
    """Publish a snapshot again whose cards are all of banks with hostile names."""
    cards = snapshot.to_arrow()
    names = [HOSTILE[number % len(HOSTILE)] for number in range(cards.num_rows)]
    place = cards.schema.get_field_index("card_bank")
    cards = cards.set_column(place, cards.schema.field("card_bank"), pa.array(names).cast(CATEGORY))
    facts = snapshot.manifest
    began, ended = (datetime.fromisoformat(at) for at in (facts.started_at, facts.finished_at))
    with SnapshotWriter(store) as writer:
        writer.add(cards, snapshot.outcomes().to_table())
        return writer.publish(
            CollectionFacts(facts.requested, "emulator", facts.api_version, began, ended, "abcdef")
        )
