"""How much of a rate limit is used, and how many 429s that costs, against peers in the same world.

The pacer and the emulator's limiters are the real ones; time is virtual (see
tests/client/pacing_simulation.py), so an hour of pacing takes about a second. A request takes
80 ms with jitter, 48 calls are under way at once, and the event loop lags now and then. Accounts
that tell no limit take longer to settle: see `benchmarks.pacing_blind`.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.children import ROOT
from benchmarks.results import Goal, conclude, machine
from tokenvault_data.client.pacing.pacer import Pacer

sys.path.insert(0, str(ROOT / "tests" / "client"))

from pacing_simulation import ALL_DIALECTS, simulate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WINDOWS = ("fixed", "log", "counter", "bucket")
DIALECTS = {
    "all": ALL_DIALECTS,
    "limit+remaining": frozenset({"limit", "remaining"}),
    "remaining": frozenset({"remaining"}),
    "IETF draft 6": frozenset({"draft-6"}),
    "IETF draft 7": frozenset({"draft-7"}),
    "IETF draft 8": frozenset({"draft-8"}),
    "limit": frozenset({"limit"}),
    "limit+retry": frozenset({"limit", "retry", "retry-after"}),
}
STRATEGIES = ("pacer", "retry on 429", "even at 0.99")
CONTENTIONS = ("alone", "random", "twin")


class RetryOn429:
    """The usual client: as many at once as there are calls; a refused one waits a second."""

    def __init__(self, *, clock, sleep, **_: Any) -> None:
        self._clock = clock
        self._sleep = sleep
        self._refused = False

    async def slot(self) -> float:
        if self._refused:  # the call that was refused is the one that comes back first
            self._refused = False
            await self._sleep(1.0)
        return self._clock()

    def observe(self, status, headers, *, sent_at) -> None:  # noqa: ARG002 the pacer's signature
        self._refused = status == 429


class EvenRate:
    """GCRA at 0.99 of a limit that it was told beforehand; it hears no answers."""

    def __init__(self, per_minute: int, *, clock, sleep, share: float = 1.0, **_: Any) -> None:
        self._interval = 60.0 / (0.99 * share * per_minute)
        self._clock = clock
        self._sleep = sleep
        self._next = 0.0

    async def slot(self) -> float:
        now = self._clock()
        self._next = max(self._next, now - 0.15) + self._interval
        await self._sleep(max(0.0, self._next - now))
        return self._clock()

    def observe(self, status, headers, *, sent_at) -> None:
        pass


@dataclass(frozen=True)
class Scene:
    """One cell of the matrix."""

    strategy: str
    window: str
    contention: str
    dialects: str
    share: float
    per_minute: int
    rejected_count: bool = False


def play(scene: Scene, seed: int, minutes: float) -> tuple[float, float, float, float]:
    makers = {
        "pacer": Pacer,
        "retry on 429": RetryOn429,
        "even at 0.99": partial(EvenRate, scene.per_minute),
    }
    run = simulate(
        window=scene.window,
        per_minute=scene.per_minute,
        minutes=minutes,
        seed=seed,
        dialects=DIALECTS[scene.dialects],
        share=scene.share,
        contention=scene.contention,
        rejected_count=scene.rejected_count,
        workers=32 if scene.strategy == "retry on 429" else 48,
        make_pacer=makers[scene.strategy],
    )
    return (run.used_percent, run.own_percent, run.own_refused_percent, run.other_refused_percent)


def matrix(limits: list[int]) -> Iterator[Scene]:
    for per_minute, contention, window in product(limits, CONTENTIONS, WINDOWS):
        for share, dialects in product((1.0, 0.5), DIALECTS):
            yield Scene("pacer", window, contention, dialects, share, per_minute)
        yield Scene("pacer", window, contention, "all", 1.0, per_minute, True)
        for strategy in ("retry on 429", "even at 0.99"):
            yield Scene(strategy, window, contention, "all", 1.0, per_minute)


def summary(values: list[float], worst: Any) -> dict[str, float]:
    return {"median": round(median(values), 3), "worst": round(worst(values), 3)}


def goals(rows: list[dict[str, Any]]) -> list[Goal]:
    """The aims for an account that tells limit and remaining, as the vault's pages say it does."""
    told = [row for row in rows if row["strategy"] == "pacer" and row["dialects"] == "all"]
    found = []
    for window, contention in product(WINDOWS, CONTENTIONS):
        cells = [r for r in told if (r["window"], r["contention"]) == (window, contention)]
        whole = [row for row in cells if row["share"] == 1.0]
        half = [row for row in cells if row["share"] == 0.5]
        least = 99.5 if (window, contention) == ("fixed", "alone") else 99.0
        used = min(row["account_used_percent"]["median"] for row in whole)
        refused = max(row["own_refused_percent"]["worst"] for row in whole)
        most = 0.2 if contention == "alone" else 0.5
        found.append(Goal(f"{window}, {contention}: account used, percent", used, least))
        found.append(
            Goal(f"{window}, {contention}: worst run's 429s, percent", refused, most, at_most=True)
        )
        if contention != "twin":
            own = min(row["own_used_percent"]["median"] for row in half)
            others = max(row["other_refused_percent"]["worst"] for row in half)
            found.append(Goal(f"{window}, {contention}, share 0.5: own part, percent", own, 49.0))
            found.append(
                Goal(
                    f"{window}, {contention}, share 0.5: others' 429s, percent",
                    others,
                    0.0,
                    at_most=True,
                )
            )
    return found


HEADING = ("strategy", "window", "beside", "headers", "share", "limit", "refusals")
LAYOUT = "{:13}{:8}{:7}{:16}{:>6}{:>6}  {:8}"


def show(cells: Sequence[object], figures: Sequence[dict[str, float]]) -> None:
    pairs = (f"{figure['median']:7.2f} {figure['worst']:7.2f}" for figure in figures)
    print(LAYOUT.format(*cells) + " | " + " | ".join(pairs), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument("--limits", default="600", help="a minute, with commas between")
    parser.add_argument("--minutes", type=float, default=10.0, help="of each run, virtual")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each scene")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--quick", action="store_true", help="one seed, four minutes")
    given = parser.parse_args()
    minutes, seeds = (4.0, 1) if given.quick else (given.minutes, given.seeds)
    facts = machine()
    scenes = list(matrix([int(limit) for limit in given.limits.split(",")]))
    print("percent: median and worst run; refusals: whether 429s count against the limit")
    columns = ("account used", "own part", "own 429s", "others' 429s")
    print(LAYOUT.format(*HEADING) + " | " + " | ".join(f"{name:>15}" for name in columns))
    rows = []
    with ProcessPoolExecutor(given.jobs) as pool:
        pending = [[pool.submit(play, s, seed, minutes) for seed in range(seeds)] for s in scenes]
        for scene, futures in zip(scenes, pending, strict=True):
            used, own, refused, other = zip(*(f.result() for f in futures), strict=True)
            figures = {
                "account_used_percent": summary(list(used), min),
                "own_used_percent": summary(list(own), min),
                "own_refused_percent": summary(list(refused), max),
                "other_refused_percent": summary(list(other), max),
            }
            rows.append(asdict(scene) | figures)
            *cells, counted = asdict(scene).values()
            show((*cells, "count" if counted else ""), list(figures.values()))

    def refused_by(strategy: str) -> float:
        cells = [r for r in rows if r["strategy"] == strategy and r["share"] == 1.0]
        told = [r for r in cells if r["dialects"] == "all" and not r["rejected_count"]]
        return median(r["own_refused_percent"]["median"] for r in told)

    conclude(
        "pacing",
        settings={"limits": given.limits, "minutes": minutes, "seeds": seeds, "time": "virtual"},
        figures=rows,
        ratios={f"429s of own requests, percent, {s}": refused_by(s) for s in STRATEGIES},
        goals=goals([row for row in rows if not row["rejected_count"]]),
        facts=facts,
        path=given.json,
    )


if __name__ == "__main__":
    main()
