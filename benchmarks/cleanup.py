"""How fast a cleanup deletes beside what the account's budget allows, and what its journal costs.

The budget is the peer: a campaign takes four calls a card, so a limit of L a minute allows L / 4
cards a minute. The vault is the emulator in a process of its own, with a fixed window. The time
spent in the journal's commits is measured within the same campaigns, on the disk of `--store`.
At the end nothing is left to ask for until the last card has settled, two seconds; a campaign has
to last some minutes for that not to count.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import tokenvault_data as tv
from benchmarks.children import ROOT
from benchmarks.results import Goal, conclude, machine, table
from tokenvault_data.cleanup.journal.journal import Journal
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.emulator.process import emulator_process
from tokenvault_data.emulator.settings import EmulatorSettings

AS_OF = date(2026, 11, 22)
CALLS_A_CARD = 4
LATENCY_MS = 80

_HELD_PLAN = """
import sys
from dataclasses import replace
from tokenvault_data.cleanup.plan.plan_file import read_plan
plan = read_plan(sys.argv[1])
rows = int(sys.argv[2])
cards = tuple(replace(plan.cards[n % len(plan.cards)], number=n, instrument_id=f"card-{n:036d}")
              for n in range(rows))
wide = replace(plan, cards=cards, canary=(0,))
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(int(peak) / 1000)
"""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one limit, two minutes")
    parser.add_argument("--seconds", type=int, default=180, help="how long a campaign is to last")
    parser.add_argument("--store", type=Path, help="where journals are kept; a temporary folder")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    given = parser.parse_args(argv)
    seconds = 120 if given.quick else given.seconds
    limits = (1200,) if given.quick else (600, 1200, 6000)

    facts = machine()
    with tempfile.TemporaryDirectory(dir=given.store) as folder:
        campaigns = [campaign(limit, seconds, Path(folder) / str(limit)) for limit in limits]
        (plan, *_) = Path(folder).glob("*/campaigns/*/plan.json")
        few, many = 10_000, 100_000
        mb_a_row = (held_mb(plan, many) - held_mb(plan, few)) / (many - few)
    heading = (
        "limit a minute",
        "cards",
        "seconds",
        "requests",
        "share",
        "429s",
        "journal ms a card",
    )
    print(table(heading, [tuple(one.values()) for one in campaigns]))
    print(f"a plan of a million rows takes about {mb_a_row * 1000:.2f} GB (from {many:,})")
    conclude(
        "cleanup",
        settings={"seconds": seconds, "latency_ms": LATENCY_MS},
        figures={"campaigns": campaigns},
        ratios={"gb_of_a_plan_of_a_million_rows": round(mb_a_row * 1000, 2)},
        goals=[
            Goal(f"share of the budget used at {one['limit']} a minute", one["share"], 0.98)
            for one in campaigns
        ],
        facts=facts,
        path=given.json,
    )


def campaign(limit: int, seconds: int, store: Path) -> dict[str, float]:
    """Delete as many cards as the budget allows in that time, and see how long it takes."""
    cards = limit * seconds // 60 // CALLS_A_CARD
    settings = {"customers": cards, "as_of": AS_OF}
    ids = [f"cust_{number:07d}" for number in range(cards)]
    with (
        emulator_process(EmulatorSettings(**settings)) as url,
        tv.connect(emulator_profile(url), share=1.0) as vault,
    ):
        snapshot = tv.collect(vault, ids, store=store, progress=False)
    wide = tv.Limits(
        rows=cards * 10,
        vault_share=1.0,
        bank_share=1.0,
        per_customer=100,
        keep_last_usable=False,
        rate_share=1.0,
        window_reserve=0.0,
    )
    rule = tv.where(instrument_status="ACTIVE", card_network=["visa", "mastercard"])
    plan = tv.plan_cleanup(snapshot, rule, limits=wide)
    paced = EmulatorSettings(**settings, rate_limit_per_minute=limit, latency_ms=LATENCY_MS)
    with (
        emulator_process(paced) as url,
        tv.connect(emulator_profile(url), share=1.0) as vault,
    ):
        canary = tv.apply_cleanup(vault, plan, store=store, confirm=plan.phrase)
        spent = _watch_commits()
        began = time.monotonic()
        status = tv.apply_cleanup(vault, plan, store=store, confirm=plan.phrase)
        took = time.monotonic() - began
        refusals = vault.budget.refusals
    done, requests = status.planned - canary.done, status.requests - canary.requests
    return {
        "limit": limit,
        "cards": done,
        "seconds": round(took, 1),
        "requests": requests,
        "share": round(requests / took * 60 / limit, 4),
        "refusals": refusals,
        "journal_ms_a_card": round(sum(spent) / done * 1000, 1),
    }


def _watch_commits() -> list[float]:
    """Return a list that gets the seconds of every commit from now on."""
    spent: list[float] = []
    commit = Journal.commit

    def timed(journal, *arguments, **more):
        began = time.perf_counter()
        try:
            return commit(journal, *arguments, **more)
        finally:
            spent.append(time.perf_counter() - began)

    Journal.commit = timed
    return spent


def held_mb(plan: Path, rows: int) -> float:
    """Peak memory of a process that holds a plan of so many rows."""
    done = subprocess.run(
        [sys.executable, "-c", _HELD_PLAN, str(plan), str(rows)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
