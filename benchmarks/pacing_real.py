"""Pacing over real HTTP in real minutes, judged by what the emulator's wire record shows.

The limit is not known at the start, an answer takes 80 ms, and where the account is contended, a
second program in its own process spends 30 % of the limit at random moments. Figures are percent:
of the account's budget for as long as the run lasts, and 429s of the requests each has sent.
`benchmarks.pacing` has the peers, and hours of it in virtual time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.children import ROOT
from benchmarks.pacing_clients import OTHERS_REQUEST_ID
from benchmarks.results import Goal, conclude, machine, table
from tokenvault_data.emulator.process import emulator_process
from tokenvault_data.emulator.settings import EmulatorSettings, Window

LATENCY_MS = 80.0
OTHERS_PART = 0.3
WINDOWS: tuple[Window, ...] = ("fixed", "log", "counter", "bucket")


@dataclass(frozen=True, slots=True)
class Kind:
    """Who is on the account: ours with a share of the limit, the other, or both."""

    name: str
    share: float | None
    has_other: bool


ALONE = Kind("alone", 1.0, has_other=False)
CONTENDED = Kind("contended", 1.0, has_other=True)
HALF = Kind("half", 0.5, has_other=False)
HALF_BESIDE = Kind("half beside other", 0.5, has_other=True)
OTHER_ALONE = Kind("other alone", None, has_other=True)
KINDS = (ALONE, CONTENDED, HALF, HALF_BESIDE, OTHER_ALONE)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One account for some minutes."""

    kind: Kind
    window: Window
    limit_per_minute: int


@dataclass(frozen=True, slots=True)
class Observed:
    """What the record of one scenario shows, in percent."""

    scenario: Scenario
    account_used: float
    own_used: float
    own_refused: float
    other_refused: float
    own_requests: int

    def as_json(self) -> dict[str, Any]:
        scenario = self.scenario
        figures = {key: value for key, value in asdict(self).items() if key != "scenario"}
        return {
            "kind": scenario.kind.name,
            "window": scenario.window,
            "limit_per_minute": scenario.limit_per_minute,
            **{key: round(value, 3) for key, value in figures.items()},
        }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one limit, one minute")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--limits", type=int, nargs="+", default=[600, 1200])
    parser.add_argument("--windows", nargs="+", choices=WINDOWS, default=WINDOWS)
    parser.add_argument("--at-once", type=int, default=8, help="scenarios that run in parallel")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    given = parser.parse_args(argv)
    limits, minutes = ([600], 1.0) if given.quick else (given.limits, given.minutes)

    facts = machine()
    scenarios = [Scenario(*each) for each in product(KINDS, given.windows, limits)]
    observed: list[Observed] = []
    for first in range(0, len(scenarios), given.at_once):
        observed += run_at_once(scenarios[first : first + given.at_once], minutes * 60)
    print(show(observed))
    conclude(
        "pacing_real",
        settings={"minutes": minutes, "limits": limits, "latency_ms": LATENCY_MS},
        figures=[each.as_json() for each in observed],
        ratios={},
        goals=judge(observed),
        facts=facts,
        path=given.json,
    )


def run_at_once(scenarios: list[Scenario], seconds: float) -> list[Observed]:
    """Run scenarios side by side: at some twenty requests a second each they are nearly idle."""
    # All programs load before any of them sends, so that none is paced while another loads.
    start_at = time.time() + 4.0 + 2.5 * len(scenarios)
    with ThreadPoolExecutor(len(scenarios)) as pool:
        return list(pool.map(lambda scenario: run(scenario, start_at, seconds), scenarios))


def run(scenario: Scenario, start_at: float, seconds: float) -> Observed:
    kind, limit = scenario.kind, scenario.limit_per_minute
    with tempfile.TemporaryDirectory(prefix="tokenvault-bench-") as folder:
        record = Path(folder) / "wire.jsonl"
        settings = EmulatorSettings(
            customers=1_000_000,
            rate_limit_per_minute=limit,
            window=scenario.window,
            latency_ms=LATENCY_MS,
            record=record,
            wire_log_entries=0,
        )
        with emulator_process(settings) as url:
            times = [f"--url={url}", f"--start-at={start_at}", f"--seconds={seconds}"]
            clients = []
            if kind.share is not None:
                clients.append(_client("ours", *times, f"--share={kind.share}"))
            if kind.has_other:
                clients.append(_client("other", *times, f"--per-minute={OTHERS_PART * limit}"))
            for client in clients:
                _, said = client.communicate()
                if client.returncode:
                    raise SystemExit(f"a client of {scenario} failed:\n{said}")
        entries = [json.loads(line) for line in record.read_text().splitlines()]
    return observe(scenario, entries, seconds)


def _client(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.pacing_clients", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def observe(scenario: Scenario, entries: list[dict[str, Any]], seconds: float) -> Observed:
    """Count by who sent and what the service answered, from the first request to arrive."""
    began = min(entry["received_monotonic_seconds"] for entry in entries)
    allowed, refused = {True: 0, False: 0}, {True: 0, False: 0}
    for entry in entries:
        if entry["received_monotonic_seconds"] - began < seconds:
            is_other = entry["request_id"] == OTHERS_REQUEST_ID
            counts = refused if entry["status"] == 429 else allowed
            counts[is_other] += 1
    budget = scenario.limit_per_minute * seconds / 60
    sent = {who: allowed[who] + refused[who] for who in (True, False)}
    return Observed(
        scenario,
        account_used=100 * sum(allowed.values()) / budget,
        own_used=100 * allowed[False] / budget,
        own_refused=100 * refused[False] / max(1, sent[False]),
        other_refused=100 * refused[True] / max(1, sent[True]),
        own_requests=sent[False],
    )


def show(observed: list[Observed]) -> str:
    rows = [
        (
            each.scenario.kind.name,
            each.scenario.window,
            each.scenario.limit_per_minute,
            f"{each.account_used:.2f}",
            f"{each.own_used:.2f}",
            f"{each.own_refused:.2f}",
            f"{each.other_refused:.2f}",
        )
        for each in observed
    ]
    heading = ("who", "window", "limit", "account %", "own %", "own 429 %", "other 429 %")
    return table(heading, rows)


def judge(observed: list[Observed]) -> list[Goal]:
    goals = []
    for window in dict.fromkeys(each.scenario.window for each in observed):
        of = {
            kind: [
                each
                for each in observed
                if each.scenario.kind == kind and each.scenario.window == window
            ]
            for kind in KINDS
        }
        least = 99.5 if window == "fixed" else 99.0
        refused = [each.own_refused for each in of[ALONE]]
        contended, beside = of[CONTENDED], of[HALF_BESIDE]
        off_half = [abs(each.own_used - 50) / 50 * 100 for each in of[HALF] + beside]
        others_loss = [
            with_us.other_refused - without_us.other_refused
            for with_us, without_us in zip(beside, of[OTHER_ALONE], strict=True)
        ]
        most = {"at_most": True}
        goals += [
            Goal(f"{window}, alone: budget used", min(e.own_used for e in of[ALONE]), least),
            Goal(f"{window}, alone: 429s, median", statistics.median(refused), 0.0, **most),
            Goal(f"{window}, alone: 429s, worst", max(refused), 0.2, **most),
            Goal(f"{window}, contended: account", min(e.account_used for e in contended), 99.0),
            Goal(
                f"{window}, contended: own 429s", max(e.own_refused for e in contended), 0.5, **most
            ),
            Goal(f"{window}, half: off by % of it", max(off_half), 2.0, **most),
            Goal(f"{window}, half: other's 429s more by", max(others_loss), 0.0, **most),
        ]
    return goals


if __name__ == "__main__":
    main()
