"""Requests a second, and processor time of the client for each, against a server of fixed answers.

Peers: httpx as it comes, with and without `sniffio` installed (without it, httpx's pool tries the
import anew several times a request); the official SDK in threads; aiohttp by hand. Ours: the whole
client (pace, retries, reading), also where the answers name a limit, and its wire alone.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import NamedTuple

from benchmarks.canned_server import canned_server
from benchmarks.children import run_child
from benchmarks.results import Goal, conclude, machine, table


class Contestant(NamedTuple):
    """One line of the table."""

    name: str
    client: str
    without: str | None = None
    limit_named: bool = False


HTTPX = "httpx without sniffio"
HTTPX_SNIFFIO = "httpx with sniffio"
AIOHTTP = "aiohttp by hand"
OURS = "ours: fetch_cards"

CONTESTANTS = (
    Contestant(HTTPX, "plain_httpx", without="sniffio"),
    Contestant(HTTPX_SNIFFIO, "plain_httpx"),
    Contestant("official SDK, threads", "official_sdk"),
    Contestant(AIOHTTP, "aiohttp_by_hand"),
    Contestant("httpx over our wire", "httpx_on_our_wire"),
    Contestant("ours: bare exchange", "our_exchange"),
    Contestant("ours: list_instruments", "our_list_instruments"),
    Contestant(OURS, "our_fetch_cards"),
    Contestant("ours: fetch_cards, limit named", "our_fetch_cards", limit_named=True),
)
# The SDK opens ten connections however many threads ask, and half a thousand threads only wait.
SDK_THREADS = (1, 32)

Figures = dict[str, dict[int, dict[str, float]]]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32, 128, 512])
    parser.add_argument("--json", type=Path, help="write the result to this file")
    given = parser.parse_args(argv)
    rounds, seconds = (1, 1.0) if given.quick else (given.rounds, given.seconds)

    facts = machine()
    figures = measure(given.connections, rounds, seconds)
    print(show(figures, given.connections))
    ratios = compare(figures, given.connections)
    conclude(
        "wire",
        settings={"rounds": rounds, "seconds": seconds, "event_loop": "uvloop for all"},
        figures=figures,
        ratios=ratios,
        goals=judge(ratios),
        facts=facts,
        path=given.json,
    )


def measure(connections: list[int], rounds: int, seconds: float) -> Figures:
    """Take the median of all rounds; within a round everyone has a turn."""
    taken: dict[tuple[str, int], list[dict[str, float]]] = {}
    with canned_server() as url, canned_server(with_limit_headers=True) as limiting_url:
        for _ in range(rounds):
            for number in connections:
                for contestant in CONTESTANTS:
                    if contestant.client == "official_sdk" and number not in SDK_THREADS:
                        continue
                    options = ["--without", contestant.without] if contestant.without else []
                    result = run_child(
                        "benchmarks.wire_clients",
                        contestant.client,
                        f"--url={limiting_url if contestant.limit_named else url}",
                        f"--connections={number}",
                        f"--seconds={seconds}",
                        *options,
                    )
                    taken.setdefault((contestant.name, number), []).append(result)
    figures: Figures = {}
    for (name, number), results in taken.items():
        figures.setdefault(name, {})[number] = {
            key: round(statistics.median(result[key] for result in results), 1)
            for key in results[0]
        }
    return figures


def show(figures: Figures, connections: list[int]) -> str:
    rows = []
    for name, by_connections in figures.items():
        cells = []
        for number in connections:
            at = by_connections.get(number)
            cells.append(
                f"{at['requests_per_second']:,.0f} / {at['cpu_us_per_request']:,.0f}" if at else ""
            )
        rows.append((name, *cells))
    heading = ("requests/s / CPU us a request", *(f"{number} conn." for number in connections))
    return table(heading, rows)


def compare(figures: Figures, connections: list[int]) -> dict[str, dict[int, float]]:
    def ratio(key: str, above: str, below: str) -> dict[int, float]:
        return {
            number: round(figures[above][number][key] / figures[below][number][key], 2)
            for number in connections
        }

    rates = {
        number: figures[OURS][number]["requests_per_second"] / _rate_at_fewest(figures, connections)
        for number in connections
        if number > 1
    }
    return {
        "cpu_of_httpx_with_sniffio_over_ours": ratio("cpu_us_per_request", HTTPX_SNIFFIO, OURS),
        "cpu_of_httpx_without_sniffio_over_ours": ratio("cpu_us_per_request", HTTPX, OURS),
        "rate_of_ours_over_aiohttp": ratio("requests_per_second", OURS, AIOHTTP),
        "rate_of_ours_over_ours_at_fewest": {n: round(rate, 2) for n, rate in rates.items()},
    }


def _rate_at_fewest(figures: Figures, connections: list[int]) -> float:
    fewest = min((number for number in connections if number > 1), default=1)
    return figures[OURS][fewest]["requests_per_second"]


def judge(ratios: dict[str, dict[int, float]]) -> list[Goal]:
    """Goals are for 32 connections and more; one connection waits more than it works."""
    goals = []
    for number, ratio in ratios["cpu_of_httpx_with_sniffio_over_ours"].items():
        if number < 32:
            continue
        without = ratios["cpu_of_httpx_without_sniffio_over_ours"][number]
        by_hand = ratios["rate_of_ours_over_aiohttp"][number]
        goals += [
            Goal(f"{number} connections: CPU of httpx with sniffio / ours", ratio, 6.0),
            Goal(f"{number} connections: CPU of httpx without sniffio / ours", without, 10.0),
            Goal(f"{number} connections: rate of ours / aiohttp by hand", by_hand, 0.5),
        ]
    steadiness = ratios["rate_of_ours_over_ours_at_fewest"]
    if steadiness:
        most = max(steadiness)
        # No fall, within what two measurements of one thing differ by on a shared machine.
        goals.append(Goal(f"rate of ours at {most} connections / at fewest", steadiness[most], 0.9))
    return goals


if __name__ == "__main__":
    main()
