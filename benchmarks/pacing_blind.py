"""Accounts that tell no limit: what a client beside us bears, and what is used once it is found.

Limiters as gateways have them: nginx's strict spacing, HAProxy's sliding counter that counts
refused requests, too, a sliding log, a token bucket and a fixed window. Time is virtual, as in
`benchmarks.pacing`; figures of use are those of the last twenty minutes.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.children import ROOT
from benchmarks.pacing import RetryOn429
from benchmarks.results import Goal, conclude, machine, table
from tokenvault_data.client.pacing.pacer import Pacer

sys.path.insert(0, str(ROOT / "tests" / "client"))

from pacing_simulation import simulate

BEGAN_AT = 1000.0
LAST_SECONDS = 20 * 60.0
LIMITERS = {
    "nginx strict": ("strict", False),
    "HAProxy counter": ("counter", True),
    "sliding log": ("log", False),
    "token bucket": ("bucket", False),
    "fixed window": ("fixed", False),
}


@dataclass(frozen=True)
class Scene:
    """One run: who, behind which limiter, with which share, alone or beside another's 30 %."""

    strategy: str
    limiter: str
    share: float
    contention: str


def scenes() -> list[Scene]:
    found = []
    for limiter in LIMITERS:
        found += [Scene("pacer", limiter, share, "alone") for share in (1.0, 0.5)]
        if limiter != "nginx strict":  # there the other's own randomness is refused already
            found.append(Scene("pacer", limiter, 0.5, "random"))
            found.append(Scene("retry on 429", limiter, 0.5, "random"))
    return found


def play(scene: Scene, per_minute: int, seed: int) -> dict[str, float]:
    window, rejected_count = LIMITERS[scene.limiter]
    minutes = 20.0 if scene.strategy != "pacer" else 80.0
    run = simulate(
        window=window,
        per_minute=per_minute,
        minutes=minutes,
        seed=seed,
        dialects=frozenset(),
        share=scene.share,
        contention=scene.contention,
        rejected_count=rejected_count,
        workers=8,
        # What strict spacing bears is a matter of the way there: here 2 ms, as in one data centre.
        jitter=0.025 if window == "strict" else 0.25,
        make_pacer=Pacer if scene.strategy == "pacer" else RetryOn429,
    )
    last_from = BEGAN_AT + minutes * 60.0 - LAST_SECONDS
    used = sum(at > last_from for at in run.own.allowed_at)
    minute = sum(at < BEGAN_AT + 60.0 for at in run.own.allowed_at)
    return {
        "own_used_percent": 100.0 * used / (per_minute * LAST_SECONDS / 60.0),
        "first_minute": float(minute),
        "own_refused": float(run.own.refused),
        "other_refused": float(run.other.refused),
        "other_refused_late": float(sum(at > last_from for at in run.other.refused_at)),
        "other_sent": float(run.other.allowed + run.other.refused),
    }


def goals(rows: list[dict[str, Any]]) -> list[Goal]:
    found = []
    for row in rows:
        if row["strategy"] != "pacer":
            continue
        name = f"{row['limiter']}, share {row['share']:g}, {row['contention']}"
        if row["contention"] == "random":
            found.append(
                Goal(f"{name}: other's 429s", row["worst_other_refused"], 3.0, at_most=True)
            )
            late = row["worst_other_refused_late"]
            found.append(Goal(f"{name}: other's 429s, later", late, 0.0, at_most=True))
        elif row["share"] == 1.0:
            found.append(Goal(f"{name}: used, percent", row["own_used_percent"], 85.0))
        else:
            found.append(Goal(f"{name}: used at most", row["own_used_percent"], 51.0, at_most=True))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument("--limit", type=int, default=600, help="requests a minute")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each scene")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--quick", action="store_true", help="two runs of each, 240 a minute")
    given = parser.parse_args()
    limit, seeds = (240, 2) if given.quick else (given.limit, given.seeds)
    facts = machine()
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(given.jobs) as pool:
        pending = [
            (scene, [pool.submit(play, scene, limit, seed) for seed in range(seeds)])
            for scene in scenes()
        ]
        for scene, futures in pending:
            runs = [future.result() for future in futures]
            means = {key: sum(run[key] for run in runs) / seeds for key in runs[0]}
            worst = {f"worst_{key}": max(run[key] for run in runs) for key in runs[0]}
            rows.append(asdict(scene) | means | worst)
    shown = ("own_used_percent", "first_minute", "own_refused", "other_refused")
    shown += ("worst_other_refused", "worst_other_refused_late")
    cells = [
        (
            *(row["strategy"], row["limiter"], f"{row['share']:g}", row["contention"]),
            *(f"{row[key]:.1f}" for key in shown),
        )
        for row in rows
    ]
    heading = ("strategy", "limiter", "share", "beside", "own %", "1st minute", "own 429s")
    print(table((*heading, "other's 429s", "worst", "worst, later"), cells))

    def burden(strategy: str) -> float:
        of = [r for r in rows if r["strategy"] == strategy and r["contention"] == "random"]
        return 100.0 * sum(r["other_refused"] for r in of) / sum(r["other_sent"] for r in of)

    conclude(
        "pacing_blind",
        settings={"limit": limit, "seeds": seeds, "time": "virtual"},
        figures=rows,
        ratios={
            "429s of the other's requests, percent, beside the pacer": burden("pacer"),
            "429s of the other's requests, percent, beside retry on 429": burden("retry on 429"),
        },
        goals=goals(rows),
        facts=facts,
        path=given.json,
    )


if __name__ == "__main__":
    main()
