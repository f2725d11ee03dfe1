"""`tokenvault demo`: the whole job on the emulator, in under a minute."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import TYPE_CHECKING

from tokenvault_data.cli import exit_codes, options
from tokenvault_data.cli.invocation import command_line
from tokenvault_data.cli.output import print_json, print_line, print_paragraph
from tokenvault_data.cli.summary import print_summary, summary_document
from tokenvault_data.errors import CollectionInterrupted

if TYPE_CHECKING:
    from tokenvault_data.dataset.snapshots import Snapshot

CUSTOMERS = 3_000
LIMIT_PER_MINUTE = 12_000
FAULTS = "503:0.005"  # an outage now and then, so that the demo shows the real thing


def demo(
    profile: options.EmulatorProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> int:
    """Do the whole job on a local emulator, in a minute.

    Collects the cards of three thousand made-up customers over real HTTP under a rate limit,
    publishes a snapshot, sums it up, and says what to try next.
    """
    options.refuse_other_than_emulator(profile, "demo")
    from tokenvault_data.emulator.server import Emulator
    from tokenvault_data.emulator.settings import EmulatorSettings

    settings = EmulatorSettings(
        customers=CUSTOMERS, rate_limit_per_minute=LIMIT_PER_MINUTE, faults=FAULTS, latency_ms=20
    )
    with Emulator(settings) as emulator:
        if not as_json:
            print_line(f"Emulated vault at {emulator.base_url}")
            print_paragraph(
                f"{CUSTOMERS:,} customers, {LIMIT_PER_MINUTE:,} requests a minute; half of these"
                " are left to the shop's checkout, so this takes half a minute."
            )
        customers = _write_customers(store / "demo-customers.csv")
        snapshot = _collect(emulator.base_url, customers, store)
    if as_json:
        print_json(summary_document(snapshot))
    else:
        print_summary(snapshot, store=store)
        _print_next_steps(customers, store)
    return exit_codes.DONE if snapshot.complete else exit_codes.DONE_IN_PART


def _write_customers(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = (f"cust_{number:07d}" for number in range(CUSTOMERS))
    path.write_text("\n".join(["customer_id", *ids, ""]), encoding="utf-8")
    return path


def _collect(base_url: str, customers: Path, store: Path) -> Snapshot:
    from tokenvault_data.collection.collect import collect
    from tokenvault_data.profiles import emulator_profile
    from tokenvault_data.vault_api.blocking import Vault

    try:
        with Vault(emulator_profile(base_url)) as vault:
            return collect(vault, customers, store=store, fresh=True)
    except (CollectionInterrupted, KeyboardInterrupt):
        # Its vault is gone, so going on with the run, which other collections offer, is not.
        raise CollectionInterrupted("the demo was interrupted; run it again") from None


def _print_next_steps(customers: Path, store: Path) -> None:
    steps = (
        ("list what was collected", command_line("snapshots", store=store)),
        (
            "open it in a spreadsheet",
            command_line("export", "latest", "--to", "cards.csv", store=store),
        ),
        ("keep a vault running, and", command_line("emulator", "--rate-limit", "6000")),
        ("  collect from it yourself", command_line("collect", str(customers), store=store)),
        ("check your own credentials", command_line("doctor", "--profile", "sandbox")),
    )
    print_line()
    print_line("What to try next", style="bold")
    for meaning, command in steps:
        print_line(f"  {meaning:<26}  {command}")
