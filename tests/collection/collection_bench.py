"""Collections from an emulator over real HTTP, and the truth to hold their snapshots against."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tokenvault_data as tv
from tokenvault_data.client.retries import RetryPolicy
from tokenvault_data.collection.progress import Progress
from tokenvault_data.collection.run import list_runs
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.collection.run import Run
    from tokenvault_data.dataset.snapshots import Snapshot
    from tokenvault_data.emulator.population.population import Population

AS_OF = date(2026, 11, 22)
QUICK = RetryPolicy(attempts=2, first_wait_seconds=0.01, longest_wait_seconds=0.02)
AT_START = Progress(
    phase="collecting",
    run_id="20261122T104800Z-3f9a1c",
    requested=100,
    resumed=20,
    fetched=0,
    empty=0,
    failed=0,
    cards=0,
    requests=0,
    elapsed_seconds=0.0,
    customers_per_minute=0.0,
    requests_per_minute=0.0,
    out_for_seconds=0.0,
    budget=None,
)
ROOT = Path(__file__).parents[2]


def ids_of(count: int) -> list[str]:
    return [f"cust_{number:07d}" for number in range(count)]


@contextmanager
def running(**settings: Any) -> Iterator[Emulator]:
    with Emulator(EmulatorSettings(**{"customers": 3000, "as_of": AS_OF} | settings)) as emulator:
        yield emulator


def connect(emulator: Emulator | str, *, api_version: str = "2023-08-01", **settings: Any) -> Vault:
    """A vault that gives up quickly; `emulator` may be a base URL."""
    base_url = emulator if isinstance(emulator, str) else emulator.base_url
    profile = emulator_profile(base_url, api_version=api_version)
    return tv.connect(profile, **{"share": 1.0, "retries": QUICK} | settings)


def outcomes_of(snapshot: Snapshot) -> list[dict[str, Any]]:
    """All outcomes, by position; checks that every requested customer has exactly one."""
    rows = sorted(snapshot.outcomes().to_table().to_pylist(), key=lambda row: row["position"])
    assert [row["position"] for row in rows] == list(range(snapshot.manifest.requested))
    assert Counter(row["outcome"] for row in rows) == Counter(
        {name: count for name, count in snapshot.manifest.outcomes.items() if count}
    )
    assert sum(snapshot.manifest.outcomes.values()) == snapshot.manifest.requested
    return rows


def assert_is_truth(
    snapshot: Snapshot,
    population: Population,
    ids: Sequence[str],
    *,
    failed: Sequence[str] = (),
) -> None:
    """The snapshot holds what the population says of `ids`, and has failures for `failed` only."""
    rows = outcomes_of(snapshot)
    assert [row["customer_id"] for row in rows] == list(ids)
    assert {row["customer_id"] for row in rows if row["outcome"] == "failed"} == set(failed)
    assert snapshot.complete == (not failed)
    wanted = {}
    for customer_id, row in zip(ids, rows, strict=True):
        cards = population.instruments(customer_id, snapshot.manifest.api_version)
        if row["outcome"] == "failed":
            assert row["instruments"] == 0
            assert row["cause"]
            continue
        assert row["outcome"] == ("fetched" if cards else "empty")
        assert row["instruments"] == len(cards)
        for position, card in enumerate(cards):
            wanted[customer_id, position] = tuple(map(card.get, _COMPARED))
    found = snapshot.to_arrow(["customer_id", "list_position", *_COMPARED]).to_pylist()
    assert len(found) == len(wanted) == snapshot.manifest.instruments
    assert {
        (row["customer_id"], row["list_position"]): tuple(map(row.get, _COMPARED)) for row in found
    } == wanted


_COMPARED = ("instrument_id", "instrument_uid", "afa_reference")


def asked_for(emulator: Emulator) -> Counter[str]:
    """How often the vault was asked for each customer, by the wire log."""
    return Counter(entry.customer_id for entry in emulator.wire_log.entries())


def only_run(store: Path) -> Run:
    (run,) = list_runs(store)
    return run


def saved_in(run: Run) -> set[str]:
    """Customers with an outcome on the disk."""
    numbers = run.part_numbers()
    return {
        customer_id
        for number in numbers
        for customer_id in run.read_outcomes(number).column("customer_id").to_pylist()
    }


def start(
    *command: object, base_url: str, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a Python process whose vault is the emulator at `base_url`."""
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        env={
            **{name: value for name, value in os.environ.items() if "CASHFREE" not in name},
            "CASHFREE_ENVIRONMENT": "emulator",
            "CASHFREE_CLIENT_ID": "emulator-client",
            "CASHFREE_CLIENT_SECRET": "emulator-made-up",
            "TOKENVAULT_BASE_URL": base_url,
            "PYTHONPATH": str(ROOT),
            **(environment or {}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_cli(*arguments: object, base_url: str, **options: Any) -> subprocess.Popen[str]:
    """Start the command line; Ctrl-C reaches it even where it is ignored, as in the background."""
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from tokenvault_data.cli.main import run; run()"
    )
    return start("-c", program, *arguments, base_url=base_url, **options)
