"""Campaigns against an emulator over real HTTP: a vault, a plan of its expired cards, a client."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import tokenvault_data as tv
from tokenvault_data.cleanup.campaign.applying import apply_cleanup
from tokenvault_data.cleanup.engine import decisions
from tokenvault_data.cleanup.plan.planning import plan_cleanup
from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.cleanup.selection.rules import expired
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenvault_data.cleanup.campaign.status import CampaignStatus
    from tokenvault_data.cleanup.plan.plan import Plan

AS_OF = date(2026, 11, 22)
WIDE = {
    "rows": 100_000,
    "vault_share": 1.0,
    "bank_share": 1.0,
    "per_customer": 100,
    "keep_last_usable": False,
    "rate_share": 1.0,
    "window_reserve": 0.0,
    "settle_seconds": 0.1,
}


@dataclass(frozen=True)
class Bench:
    """An emulator, a store, and a plan for it."""

    emulator: Emulator
    store: Path
    plan: Plan

    def connect(self, **settings: Any) -> tv.Vault:
        return tv.connect(emulator_profile(self.emulator.base_url), **{"share": 1.0} | settings)

    def apply(self, **more: Any) -> CampaignStatus:
        """Apply the plan from a client of its own."""
        with self.connect() as vault:
            return apply_cleanup(
                vault,
                self.plan,
                **{
                    "store": self.store,
                    "confirm": self.plan.phrase,
                    "config_dir": self.store / "config",
                }
                | more,
            )

    def deletes(self) -> list[tuple[str, str]]:
        """Ids of every delete that the server saw."""
        log = self.emulator.wire_log.entries("delete")
        return [(entry.customer_id, entry.instrument_id) for entry in log]

    def planned(self) -> set[tuple[str, str]]:
        return {(card.customer_id, card.instrument_id) for card in self.plan.cards}


def in_haste() -> Any:
    """Let questions about one card follow each other more quickly than in the world."""
    waits = {"SETTLE_SECONDS": (0.04, 0.2, 1.2), "UNCLEAR_SECONDS": (0.02, 0.04, 0.2, 1.2)}
    return patch.multiple(decisions, **waits)


def planned_for(
    store: Path, chosen: EmulatorSettings, limits: Limits, *, has_snapshot: bool
) -> Plan:
    """Plan for the expired cards of a vault: a plan of its own, with its snapshot or without.

    A plan is held against its snapshot each time that it is applied, where the snapshot is in the
    store; on another machine it is not, and most tests are none of that comparison.
    """
    if has_snapshot:
        shutil.copytree(_collected(chosen), store, dirs_exist_ok=True)
    return replace(_planned(chosen, limits), note=store.name)


@functools.cache
def _planned(chosen: EmulatorSettings, limits: Limits) -> Plan:
    snapshot = tv.open_snapshot(_collected(chosen))
    return plan_cleanup(snapshot, expired(AS_OF), limits=limits, planner="Asha")


@functools.cache
def _collected(chosen: EmulatorSettings) -> Path:
    """Collect a vault once; all that is as it says has the same cards."""
    store = Path(tempfile.mkdtemp(prefix="tokenvault-collected-"))
    atexit.register(shutil.rmtree, store, ignore_errors=True)
    with (
        Emulator(chosen) as emulator,
        tv.connect(emulator_profile(emulator.base_url), share=1.0) as vault,
    ):
        ids = [f"cust_{number:07d}" for number in range(chosen.customers)]
        tv.collect(vault, ids, store=store)
    return store


@contextmanager
def bench(
    store: Path,
    *,
    customers: int = 40,
    limits: Any = (),
    has_snapshot: bool = False,
    **settings: Any,
) -> Iterator[Bench]:
    chosen = EmulatorSettings(**{"customers": customers, "as_of": AS_OF} | settings)
    with Emulator(chosen) as emulator, in_haste():
        wide = Limits(**WIDE | dict(limits))
        plan = planned_for(store, chosen, wide, has_snapshot=has_snapshot)
        yield Bench(emulator, store, plan)
