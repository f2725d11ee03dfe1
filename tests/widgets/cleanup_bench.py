"""Panels of a cleanup on an emulated vault over HTTP, and what the emulator saw of it."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import tokenvault_data as tv
from tokenvault_data.cleanup.engine import decisions
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings
from tokenvault_data.widgets.cleanup.panel import CleanupPanel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WIDE = {
    "vault_share": 1.0,
    "bank_share": 1.0,
    "per_customer": 100,
    "rate_share": 1.0,
    "window_reserve": 0.0,
    "settle_seconds": 0.0,
    "keep_last_usable": False,
}


@dataclass
class CleanupBench:
    """An emulator, a store, a snapshot, and the panels made for it."""

    emulator: Emulator
    store: Path
    vault: tv.Vault
    snapshot: tv.Snapshot
    customers: int
    panels: list[CleanupPanel] = field(default_factory=list)

    def panel(self, rule: Any = None, **settings: Any) -> CleanupPanel:
        """Make a panel on the bench's vault."""
        settings = {
            "vault": self.vault,
            "store": self.store,
            "limits": WIDE,
            "planner": "Asha",
            "config_dir": self.store / "config",
        } | settings
        chosen = {"choice": "expired_for", "days": 1} if rule is None else rule
        made = CleanupPanel(self.snapshot, chosen, **settings)
        self.panels.append(made)
        return made

    def sealed(self, **settings: Any) -> CleanupPanel:
        """Make a panel that shows a sealed plan."""
        if settings:
            return self.sealed_by_hand(**settings)
        prepared, plan_id = _prepared_plan(self.customers)
        shutil.copytree(prepared, self.store, dirs_exist_ok=True)
        made = self.panel(plan=plan_id)
        assert made.plan is not None, made.static_html()
        return made

    def sealed_by_hand(self, rule: Any = None, **settings: Any) -> CleanupPanel:
        """Make a panel, and go with it as far as the sealed plan."""
        made = self.panel(rule, **settings)
        press(made, "simulate", "seal")
        assert made.plan is not None, made.static_html()
        return made

    def deletes(self) -> list[tuple[str, str]]:
        """Ids of every delete that the server saw."""
        log = self.emulator.wire_log.entries("delete")
        return [(entry.customer_id, entry.instrument_id) for entry in log]

    def methods(self) -> set[str]:
        return {entry.method for entry in self.emulator.wire_log.entries()}


def press(panel: CleanupPanel, *names: str) -> None:
    """Press buttons one after the other, each when the one before has had its effect."""
    for name in names:
        getattr(panel, name).click()
        assert panel.join(60)


def type_and_run(panel: CleanupPanel) -> None:
    """Type the plan's phrase, and press the button that deletes."""
    panel.phrase.value = panel.plan.phrase
    press(panel, "run")


def planned(panel: CleanupPanel) -> list[tuple[str, str]]:
    return sorted((card.customer_id, card.instrument_id) for card in panel.plan.cards)


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "it did not come"
        time.sleep(0.02)


def _ids(customers: int) -> list[str]:
    return [f"cust_{number:07d}" for number in range(customers)]


@functools.cache
def _collected(customers: int) -> Path:
    """Collect once in each process of tests what every emulator of this size holds."""
    store = _place()
    with (
        Emulator(EmulatorSettings(customers=customers)) as emulator,
        tv.connect(emulator_profile(emulator.base_url), share=1.0) as vault,
    ):
        tv.collect(vault, _ids(customers), store=store, progress=False)
    return store


@functools.cache
def _prepared_plan(customers: int) -> tuple[Path, str]:
    """Seal a plan for that once; return a store with it, and its id."""
    store = _place()
    shutil.copytree(_collected(customers), store, dirs_exist_ok=True)
    with (
        Emulator(EmulatorSettings(customers=customers)) as emulator,
        tv.connect(emulator_profile(emulator.base_url), share=1.0) as vault,
    ):
        bench = CleanupBench(emulator, store, vault, tv.open_snapshot(store), customers)
        panel = bench.sealed_by_hand()
        panel.close()
        return store, panel.plan.id


def _place() -> Path:
    place = Path(tempfile.mkdtemp(prefix="tokenvault-test-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place


@contextmanager
def cleanup_bench(store: Path, *, customers: int = 60, **settings: Any) -> Iterator[CleanupBench]:
    shutil.copytree(_collected(customers), store, dirs_exist_ok=True)
    with (
        Emulator(EmulatorSettings(customers=customers, **settings)) as emulator,
        tv.connect(emulator_profile(emulator.base_url), share=1.0) as vault,
        patch.object(decisions, "SETTLE_SECONDS", (0.1, 0.5, 3.0)),
    ):
        bench = CleanupBench(emulator, store, vault, tv.open_snapshot(store), customers)
        try:
            yield bench
        finally:
            for panel in bench.panels:
                if panel.pause.disabled is False:
                    panel.pause.click()
                panel.join(30)
                panel.close()
