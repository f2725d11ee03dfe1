"""One filter change, six breakdowns: linked bars from a cube against pandas on the rows.

The same 60 changes of filters for everybody, the figures being those of one change with all six
bars after it. All counts of all contestants are compared at every step. Vaults are drawn with
independent columns, which makes the most cells, and with columns that hang together as those of
real vaults do.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.children import run_child
from benchmarks.results import Goal, conclude, machine, table

SIZES = (1_000_000, 10_000_000)
LARGEST = 50_000_000
QUICK = (200_000,)
KINDS = ("independent", "correlated")

TIMES_FASTER_P50 = 15.0
TIMES_FASTER_P95 = 8.0
P95_MS = 50.0
BUILD_S = 10.0
CUBE_MB = 300.0
TIMES_LARGER = 3.0  # what 50 M cards may take of what 10 M may

Run = dict[str, Any]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200,000 cards; figures are rough")
    parser.add_argument(
        "--largest", action="store_true", help="50,000,000 cards too, in some 10 GB of memory"
    )
    parser.add_argument("--json", type=Path, help="write the result to this file")
    given = parser.parse_args(argv)

    facts = machine()
    sizes = QUICK if given.quick else SIZES
    runs = [measured(size, kind) for size in sizes for kind in KINDS]
    largest = measured(LARGEST, KINDS[0]) if given.largest else None
    conclude(
        "breakdowns",
        settings={"sizes": sizes, "largest": given.largest},
        figures=[*runs, *([largest] if largest else [])],
        ratios={f"{run['cards']} {run['kind']}": ratios(run) for run in runs},
        goals=goals([run for run in runs if run["cards"] == sizes[-1]], largest),
        facts=facts,
        path=given.json,
    )


def measured(cards: int, kind: str) -> Run:
    """Measure one vault in a process of its own and print what was found."""
    run = run_child("benchmarks.breakdowns_run", cards, kind)
    rows = [
        (name, figures["p50_ms"], figures["p95_ms"]) for name, figures in run["timings"].items()
    ]
    print(
        f"\n{cards:,} cards, {kind} columns: {run['cells']:,} cells, built in {run['build_s']} s"
        f" ({run['build_cpu_s']} s of processor, peak {run['build_peak_mb']} MB more),"
        f" cells {run['cells_mb']} MB, distinct customers by bank"
        f" in {run['customers_ms']} ms\n"
        f"{table(('contestant', 'p50 ms', 'p95 ms'), rows)}",
        flush=True,
    )
    return run


def ratios(run: Run) -> dict[str, float]:
    """Return how many times as long as ours pandas takes."""
    ours, pandas = run["timings"]["ours"], run["timings"]["pandas"]
    return {name: round(pandas[name] / ours[name], 1) for name in ("p50_ms", "p95_ms")}


def goals(runs: list[Run], largest: Run | None) -> list[Goal]:
    """Return the goals, each for the kind of vault that comes off worse."""
    megabytes = max(_megabytes(run) for run in runs)
    at = f"{runs[0]['cards'] / 1e6:g} M cards"
    found = [
        Goal(f"times pandas, p50, {at}", min(ratios(r)["p50_ms"] for r in runs), TIMES_FASTER_P50),
        Goal(f"times pandas, p95, {at}", min(ratios(r)["p95_ms"] for r in runs), TIMES_FASTER_P95),
        Goal(
            f"ms a change, p95, {at}",
            max(run["timings"]["ours"]["p95_ms"] for run in runs),
            P95_MS,
            at_most=True,
        ),
        Goal(f"s to build, {at}", max(run["build_s"] for run in runs), BUILD_S, at_most=True),
        Goal(f"MB of the cube, {at}", megabytes, CUBE_MB, at_most=True),
    ]
    if largest is not None:
        at = f"{largest['cards'] / 1e6:g} M cards"
        bounds = (
            ("ms a change, p95", largest["timings"]["ours"]["p95_ms"], P95_MS),
            ("s to build", largest["build_s"], BUILD_S),
            ("MB of the cube", _megabytes(largest), CUBE_MB),
        )
        found += [
            Goal(f"{name}, {at}", measured, TIMES_LARGER * bound, at_most=True)
            for name, measured, bound in bounds
        ]
    return found


def _megabytes(run: Run) -> float:
    return float(run["cells_mb"])


if __name__ == "__main__":
    main()
