"""From customer ids to Parquet, end to end against the emulator: customers a second, CPU, memory.

Peers: httpx with a semaphore and `json_normalize`, the official SDK in threads, dlt, and aiohttp by
hand with everything in memory. Ours does more meanwhile: pacing, retries, durable parts, typed
columns, hashes. Before anything is timed, what ours publishes is checked cell by cell.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass
from pathlib import Path

from benchmarks.children import run_child
from benchmarks.results import Goal, conclude, machine, table
from tokenvault_data.emulator.process import emulator_process
from tokenvault_data.emulator.settings import EmulatorSettings


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many customers each of them fetches."""

    httpx: int = 2_000
    peers: int = 4_000
    few: int = 100_000
    many: int = 1_000_000
    rounds: int = 3


QUICK = Sizes(httpx=500, peers=2_000, few=5_000, many=20_000, rounds=1)

Figures = dict[str, dict[int, dict[str, float]]]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--customers", type=int, help="of ours and by hand (100,000)")
    parser.add_argument("--many-customers", type=int, help="of ours, once, for memory (1,000,000)")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    given = parser.parse_args(argv)
    standard = QUICK if given.quick else Sizes()
    sizes = Sizes(
        standard.httpx,
        standard.peers,
        given.customers or standard.few,
        given.many_customers or standard.many,
        given.rounds or standard.rounds,
    )

    facts = machine()
    check = run_child("benchmarks.collect_check")
    print(
        f"reference: {check['rows']:,} rows, {check['rows_missing_or_extra']:,} too many"
        f" or too few; {check['cells']:,} cells, {check['cells_differing']:,} differ"
    )
    figures = measure(sizes)
    print(show(figures))
    ratios = compare(figures, sizes)
    conclude(
        "collect",
        settings={"few": sizes.few, "many": sizes.many, "rounds": sizes.rounds},
        figures={"check": check, **figures},
        ratios=ratios,
        goals=judge(ratios, check, figures["ours"][sizes.many]["peak_mb"]),
        facts=facts,
        path=given.json,
    )


def measure(sizes: Sizes) -> Figures:
    """Give everyone a turn in every round, and take medians; the largest run comes once, last."""
    turns = [
        ("plain_httpx", sizes.httpx),
        ("official_sdk", sizes.peers),
        ("dlt_rest_client", sizes.peers),
        ("by_hand", sizes.few),
        ("ours", sizes.peers),
        ("ours", sizes.few),
    ]
    taken: dict[tuple[str, int], list[dict[str, float]]] = {}
    settings = EmulatorSettings(customers=max(sizes.few, sizes.many), wire_log_entries=0)
    with emulator_process(settings) as url:
        for turn in [*turns * sizes.rounds, ("ours", sizes.many)]:
            name, customers = turn
            result = run_child(
                "benchmarks.collect_peers", name, f"--url={url}", f"--customers={customers}"
            )
            taken.setdefault(turn, []).append(result)
    figures: Figures = {}
    for (name, customers), results in taken.items():
        if len({result["cards"] for result in results}) > 1:
            raise SystemExit(f"{name} found different numbers of cards in the same population")
        figures.setdefault(name, {})[customers] = {
            key: round(statistics.median(result[key] for result in results), 1)
            for key in results[0]
        }
    _check_all_found_the_same(figures)
    return figures


def _check_all_found_the_same(figures: Figures) -> None:
    cards: dict[int, set[float]] = {}
    for by_size in figures.values():
        for customers, at in by_size.items():
            cards.setdefault(customers, set()).add(at["cards"])
    if any(len(found) > 1 for found in cards.values()):
        raise SystemExit(f"the clients found different numbers of cards: {cards}")


def show(figures: Figures) -> str:
    rows = [
        (
            name,
            customers,
            at["customers_per_second"],
            at["cpu_us_per_customer"],
            at["peak_mb"],
        )
        for name, by_size in figures.items()
        for customers, at in by_size.items()
    ]
    return table(("", "customers", "customers/s", "CPU us a customer", "peak MB"), rows)


def compare(figures: Figures, sizes: Sizes) -> dict[str, float]:
    ours, largest = figures["ours"][sizes.few], figures["ours"][sizes.many]

    def faster_than(name: str, customers: int) -> float:
        return ours["customers_per_second"] / figures[name][customers]["customers_per_second"]

    def cheaper_than(name: str, customers: int) -> float:
        return figures[name][customers]["cpu_us_per_customer"] / ours["cpu_us_per_customer"]

    peers = {
        "plain_httpx": sizes.httpx,
        "official_sdk": sizes.peers,
        "dlt_rest_client": sizes.peers,
        "by_hand": sizes.few,
    }
    ratios = {f"rate_over_{name}": faster_than(name, size) for name, size in peers.items()}
    ratios |= {f"cpu_of_{name}_over_ours": cheaper_than(name, n) for name, n in peers.items()}
    ratios["cpu_over_by_hand"] = 1 / cheaper_than("by_hand", sizes.few)
    ratios["peak_many_over_few"] = largest["peak_mb"] / ours["peak_mb"]
    return {name: round(ratio, 3) for name, ratio in ratios.items()}


def judge(ratios: dict[str, float], check: dict[str, float], largest_peak_mb: float) -> list[Goal]:
    wrong = check["cells_differing"] + check["rows_missing_or_extra"]
    return [
        Goal("cells and rows that differ from the reference", wrong, 0, at_most=True),
        Goal("customers/s over the official SDK", ratios["rate_over_official_sdk"], 3.0),
        Goal("customers/s over dlt", ratios["rate_over_dlt_rest_client"], 5.0),
        Goal("customers/s over plain httpx", ratios["rate_over_plain_httpx"], 10.0),
        Goal("CPU over aiohttp by hand", ratios["cpu_over_by_hand"], 1.6, at_most=True),
        Goal("peak of many over few customers", ratios["peak_many_over_few"], 1.2, at_most=True),
        Goal("peak of many customers, MB", largest_peak_mb, 500.0, at_most=True),
    ]


if __name__ == "__main__":
    main()
