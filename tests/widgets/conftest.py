"""Snapshots that widgets are tried on: an emulated vault over HTTP, now and a month ago."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tokenvault_data as tv
from tokenvault_data.analysis.cards.dates import months_later
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.dataset.today import today_in_india
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings

CUSTOMERS = 400


@pytest.fixture(scope="session")
def store_of_two(tmp_path_factory):
    """A store with two snapshots, a month of the vault's life apart; not to be written to."""
    store = tmp_path_factory.mktemp("store")
    a_month_ago = EmulatorSettings(
        customers=CUSTOMERS,
        rate_limit_per_minute=600_000,
        as_of=months_later(today_in_india(), -1),
    )
    customers = [f"cust_{number:07d}" for number in range(CUSTOMERS)]
    for settings in (a_month_ago, replace(a_month_ago, aged_months=1)):
        with (
            Emulator(settings) as emulator,
            tv.connect(emulator_profile(emulator.base_url)) as vault,
        ):
            tv.collect(vault, customers, store=store, fresh=True, progress=False)
    return store


@pytest.fixture(scope="session")
def snapshot(store_of_two):
    """The later of the two."""
    return tv.open_snapshot(store_of_two)


@pytest.fixture(scope="session")
def older(store_of_two):
    """The earlier of the two."""
    return tv.open_snapshot(tv.list_snapshots(store_of_two)[-1].path)
