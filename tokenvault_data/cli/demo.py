"""`tokenvault demo`: the whole job on the emulator, in under a minute."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import TYPE_CHECKING

from tokenvault_data.cli import exit_codes, options
from tokenvault_data.cli.hints import command_line
from tokenvault_data.cli.printing.output import print_json, print_line, print_paragraph
from tokenvault_data.cli.printing.summary import print_summary, summary_document
from tokenvault_data.errors import CollectionInterrupted

if TYPE_CHECKING:
    from tokenvault_data.dataset.snapshots import Snapshot
    from tokenvault_data.emulator.settings import EmulatorSettings

CUSTOMERS = 3_000
LIMIT_PER_MINUTE = 18_000
FAULTS = "503:0.005"  # an outage now and then, so that the demo shows the real thing


def demo(
    profile: options.EmulatorProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> int:
    """Do the whole job on a local emulator, in a minute.

    Collects the cards of three thousand made-up customers over real HTTP under a rate limit, twice:
    as they were a month ago and as they are today. Publishes a snapshot of each, sums up the later
    one, and says what to try next.
    """
    options.refuse_other_than_emulator(profile, "demo")
    from tokenvault_data.analysis.cards.dates import months_later
    from tokenvault_data.dataset.today import today_in_india
    from tokenvault_data.emulator.settings import EmulatorSettings

    a_month_ago = EmulatorSettings(
        customers=CUSTOMERS,
        as_of=months_later(today_in_india(), -1),
        rate_limit_per_minute=LIMIT_PER_MINUTE,
        faults=FAULTS,
        latency_ms=20,
    )
    customers = _write_customers(store / "demo-customers.csv")
    if not as_json:
        print_paragraph(
            f"{CUSTOMERS:,} customers of an emulated vault, {LIMIT_PER_MINUTE:,} requests a minute;"
            " half of these are left to the shop's checkout, so each collection takes some twenty"
            " seconds."
        )
    old = _collect(a_month_ago, "as it was a month ago", customers, store, as_json=as_json)
    today = replace(a_month_ago, aged_months=1)
    new = _collect(today, "as it is today", customers, store, as_json=as_json)
    if as_json:
        print_json(summary_document(new))
    else:
        print_summary(new, store=store)
        _print_next_steps(old, new, customers, store, today)
    return exit_codes.DONE if old.complete and new.complete else exit_codes.DONE_IN_PART


def _write_customers(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = (f"cust_{number:07d}" for number in range(CUSTOMERS))
    path.write_text("\n".join(["customer_id", *ids, ""]), encoding="utf-8")
    return path


def _collect(
    settings: EmulatorSettings, when: str, customers: Path, store: Path, *, as_json: bool
) -> Snapshot:
    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.collection.collect import collect
    from tokenvault_data.config.loading import emulator_profile
    from tokenvault_data.emulator.server import Emulator

    with Emulator(settings) as emulator:
        if not as_json:
            print_line(f"Collecting the vault {when}, at {emulator.base_url}")
        try:
            with Vault(emulator_profile(emulator.base_url)) as vault:
                return collect(vault, customers, store=store, fresh=True)
        except (CollectionInterrupted, KeyboardInterrupt):
            # Its vault is gone, so going on with the run, which other collections offer, is not.
            raise CollectionInterrupted("the demo was interrupted; run it again") from None


def _print_next_steps(
    old: Snapshot, new: Snapshot, customers: Path, store: Path, vault: EmulatorSettings
) -> None:
    # With its cards and its age, or what is collected from it is of another vault.
    emulator = (
        *("emulator", "--customers", str(vault.customers), "--as-of", str(vault.as_of)),
        *("--aged", str(vault.aged_months), "--rate-limit", "6000"),
    )
    steps = (
        ("cards by bank and network", ("breakdown", "latest", "--by", "bank,card_network")),
        ("what expires soon, and whose", ("expiring", "latest", "--within", "90d")),
        ("what a month has changed", ("changes", old.id, new.id)),
        ("cards saved by several", ("identity", "latest")),
        ("can the figures be trusted", ("quality", "latest", "--against", old.id)),
        ("a report to send", ("report", "latest", "--against", old.id, "--to", "cards.html")),
        ("open it in a spreadsheet", ("export", "latest", "--to", "cards.csv")),
        ("keep this vault running, and", emulator),
        ("  collect from it yourself", ("collect", str(customers))),
        ("check your own credentials", ("doctor", "--profile", "sandbox")),
    )
    print_line()
    print_line("What to try next", style="bold")
    for meaning, words in steps:
        in_store = options.DEFAULT_STORE if words[0] in {"emulator", "doctor"} else store
        print_line(f"  {meaning:<28}  {command_line(*words, store=in_store)}")
