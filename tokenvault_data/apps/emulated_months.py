"""A store with months of history, made up: what notebooks show where no vault is at hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tokenvault_data.analysis.cards.dates import months_later
from tokenvault_data.client.blocking import connect
from tokenvault_data.collection.collect import collect
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.dataset.flattening.canonical import INDIA
from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter
from tokenvault_data.dataset.today import today_in_india
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.dataset.snapshots import Snapshot


def emulated_months(store: str | Path, *, months: int = 6, customers: int = 800) -> list[Snapshot]:
    """Collect a made-up vault once for each of its months, and publish as of the day it stood so.

    Every state of the vault is collected over HTTP from an emulator of its own, on this machine.
    The snapshots are dated back: months apart, the last one now.

    Parameters
    ----------
    store : str or path
    months : int
        How many months lie between the first and the last snapshot.
    customers : int

    Returns
    -------
    list of Snapshot
        From the first month to the last, one more than `months`.
    """
    today = today_in_india()
    first = EmulatorSettings(
        customers=customers,
        as_of=months_later(today, -months),
        rate_limit_per_minute=600_000,
    )
    return [
        _published(store, replace(first, aged_months=aged), _moment(months - aged))
        for aged in range(months + 1)
    ]


def _moment(months_ago: int) -> datetime:
    if not months_ago:
        return datetime.now(UTC)
    day = months_later(today_in_india(), -months_ago)
    return datetime.combine(day, time(9), INDIA)


def _published(store: str | Path, settings: EmulatorSettings, moment: datetime) -> Snapshot:
    customers = [f"cust_{number:07d}" for number in range(settings.customers)]
    with (
        TemporaryDirectory() as scratch,
        Emulator(settings) as emulator,
        connect(emulator_profile(emulator.base_url)) as vault,
        SnapshotWriter(store, now=moment) as writer,
    ):
        collected = collect(vault, customers, store=scratch, fresh=True, progress=False)
        facts = collected.manifest
        writer.add(collected.to_arrow(), collected.outcomes().to_table())
        return writer.publish(
            CollectionFacts(
                facts.requested,
                facts.environment,
                facts.api_version,
                moment,
                moment,
                facts.merchant,
                vault=facts.vault,
            )
        )
