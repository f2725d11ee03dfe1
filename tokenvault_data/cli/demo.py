"""`tokenvault demo`: the whole job on the emulator, in under a minute."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tokenvault_data.cli import options
from tokenvault_data.cli.output import print_json, print_line
from tokenvault_data.cli.summary import print_summary, summary_document

if TYPE_CHECKING:
    from tokenvault_data.dataset.snapshots import Snapshot

CUSTOMERS = 3_000
LIMIT_PER_MINUTE = 12_000
FAULTS = "503:0.005"  # an outage now and then, so that the demo shows the real thing


def demo(store: options.Store = options.DEFAULT_STORE, as_json: options.Json = False) -> None:
    """Run the whole job on a local emulator: collect, publish, summarise."""
    from tokenvault_data.emulator.server import Emulator
    from tokenvault_data.emulator.settings import EmulatorSettings

    settings = EmulatorSettings(
        customers=CUSTOMERS, rate_limit_per_minute=LIMIT_PER_MINUTE, faults=FAULTS, latency_ms=20
    )
    with Emulator(settings) as emulator:
        if not as_json:
            print_line(
                f"Emulated vault at {emulator.base_url}: {CUSTOMERS:,} customers,"
                f" {LIMIT_PER_MINUTE:,} requests a minute."
            )
            print_line("Half of that is left to the shop's checkout, so this takes half a minute.")
        customers = _write_customers(store / "demo-customers.csv")
        snapshot = _collect(emulator.base_url, customers, store)
    if as_json:
        print_json(summary_document(snapshot))
    else:
        print_summary(snapshot)
        _print_next_steps(customers, store)


def _write_customers(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = (f"cust_{number:07d}" for number in range(CUSTOMERS))
    path.write_text("\n".join(["customer_id", *ids, ""]), encoding="utf-8")
    return path


def _collect(base_url: str, customers: Path, store: Path) -> Snapshot:
    from tokenvault_data.collection.collect import collect
    from tokenvault_data.profiles import emulator_profile
    from tokenvault_data.vault_api.blocking import Vault

    with Vault(emulator_profile(base_url)) as vault:
        return collect(vault, customers, store=store, fresh=True)


def _print_next_steps(customers: Path, store: Path) -> None:
    where = "" if store == options.DEFAULT_STORE else f" --store {store}"
    print_line("What to try next")
    for command, meaning in (
        (f"tokenvault snapshots{where}", "list what was collected"),
        (f"tokenvault export latest{where} --to cards.csv", "every card as a row, for a spreadsheet"),
        ("tokenvault emulator --rate-limit 6000", "keep a vault running, and in another terminal:"),
        (f"tokenvault collect {customers}{where}", "collect from it; kill it, run it again"),
        ("tokenvault doctor --profile sandbox", "check your own credentials (see README)"),
    ):
        print_line(f"  {command:<58} {meaning}")
