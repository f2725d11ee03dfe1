"""What changed between two snapshots of ten million cards: seconds, CPU and peak memory.

Peers: pandas' merge, and DuckDB's own full join on the key. They count, over every column that we
compare, and DuckDB once more over status, expiry and bank only; `duckdb_join_rows` also gives the
differing rows with the columns of our events, sorted. Ours gives every event, pairs replaced cards
and tells what is gone from what was not fetched. All counts have to agree.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.changes_data import write_pair
from benchmarks.children import run_child
from benchmarks.results import Goal, conclude, machine, table

_CARDS = 10_000_000
_QUICK_CARDS = 500_000
_PEERS = ["ours", "duckdb_join", "duckdb_join_rows", "duckdb_join_few"]
_FIGURES = ("seconds", "cpu_seconds", "peak_mb")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="500,000 cards a side, one round")
    parser.add_argument("--cards", type=int, help="cards a side (10,000,000)")
    parser.add_argument("--rounds", type=int, help="of all but pandas, which has one turn (3)")
    parser.add_argument("--store", type=Path, help="keep the snapshots here, and use them again")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    given = parser.parse_args(argv)
    cards = given.cards or (_QUICK_CARDS if given.quick else _CARDS)
    rounds = given.rounds or (1 if given.quick else 3)

    facts = machine()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(given.store or Path(folder), cards, rounds)
    print(show(figures))
    ratios = compare(figures)
    conclude(
        "changes",
        settings={"cards": cards, "rounds": rounds},
        figures=figures,
        ratios=ratios,
        goals=judge(ratios),
        facts=facts,
        path=given.json,
    )


def measure(store: Path, cards: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Give everyone a turn in every round, and take medians; pandas comes once, last."""
    names = sorted(path.name for path in (store / "snapshots").glob("[!.]*"))
    old, new = names or [snapshot.id for snapshot in write_pair(store, cards)]
    taken: dict[str, list[dict[str, Any]]] = {}
    for name in [*_PEERS * rounds, "pandas_merge"]:
        result = run_child("benchmarks.changes_peers", name, store, old, new)
        taken.setdefault(name, []).append(result)
    counts = [result["counts"] for results in taken.values() for result in results]
    if any(count != counts[0] for count in counts):
        raise SystemExit(f"the counts differ: {counts}")
    return {
        name: {key: round(statistics.median(r[key] for r in results), 2) for key in _FIGURES}
        | {"counts": counts[0]}
        for name, results in taken.items()
    }


def show(figures: dict[str, dict[str, Any]]) -> str:
    rows = [(name, *(at[key] for key in _FIGURES)) for name, at in figures.items()]
    return table(("", "seconds", "CPU seconds", "peak MB"), rows)


def compare(figures: dict[str, dict[str, Any]]) -> dict[str, float]:
    return {
        f"{key}_of_{name}_over_ours": round(at[key] / figures["ours"][key], 3)
        for name, at in figures.items()
        if name != "ours"
        for key in _FIGURES
    }


def judge(ratios: dict[str, float]) -> list[Goal]:
    wanted = {
        "seconds_of_pandas_merge_over_ours": 10.0,
        "peak_mb_of_pandas_merge_over_ours": 10.0,
        "seconds_of_duckdb_join_over_ours": 1.0,
        "seconds_of_duckdb_join_rows_over_ours": 1.0,
    }
    return [Goal(name.replace("_", " "), ratios[name], least) for name, least in wanted.items()]


if __name__ == "__main__":
    main()
