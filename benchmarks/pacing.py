"""How much of a rate limit is used, and how many 429s that costs, against peers in the same world.

The pacer and the emulator's limiters are the real ones; time is virtual (see
tests/vault_api/pacing_simulation.py), so an hour of pacing takes about a second. A request takes
80 ms with jitter, 48 calls are under way at once, and the event loop lags now and then.

    python benchmarks/pacing.py [--json FILE] [--limits 600,1200] [--minutes 10] [--seeds 5]
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "vault_api")]

from pacing_simulation import ALL_DIALECTS, simulate  # noqa: E402 needs the path above

from tokenvault_data.vault_api.pacing import Pacer  # noqa: E402 as above

WINDOWS = ("fixed", "log", "counter", "bucket")
DIALECTS = {
    "all": ALL_DIALECTS,
    "limit+remaining": frozenset({"limit", "remaining"}),
    "remaining": frozenset({"remaining"}),
    "limit": frozenset({"limit"}),
    "limit+retry": frozenset({"limit", "retry", "retry-after"}),
    "retry-after": frozenset({"retry-after"}),
    "none": frozenset(),
}
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
        for dialects in ("all", "none"):
            yield Scene("pacer", window, contention, dialects, 1.0, per_minute, True)
        for strategy in ("retry on 429", "even at 0.99"):
            yield Scene(strategy, window, contention, "all", 1.0, per_minute)


def summary(values: list[float], worst: Any) -> dict[str, float]:
    return {"median": round(median(values), 3), "worst": round(worst(values), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limits", default="600,1200")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    scenes = list(matrix([int(limit) for limit in arguments.limits.split(",")]))
    seeds = range(arguments.seeds)
    print(
        f"{'strategy':13}{'window':8}{'beside':7}{'headers':16}{'share':>5}{'limit':>6} counted "
        f"| {'account %':>15} | {'own %':>15} | {'own 429 %':>15} | {'other 429 %':>15}\n"
        f"{'':63} | {'median  worst':>15} | {'median  worst':>15} | {'median  worst':>15} | "
        f"{'median  worst':>15}"
    )
    rows = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        pending = [
            [pool.submit(play, s, seed, arguments.minutes) for seed in seeds] for s in scenes
        ]
        for scene, futures in zip(scenes, pending, strict=True):
            used, own, refused, other = zip(*(f.result() for f in futures), strict=True)
            row = asdict(scene) | {
                "account_used_percent": summary(list(used), min),
                "own_used_percent": summary(list(own), min),
                "own_refused_percent": summary(list(refused), max),
                "other_refused_percent": summary(list(other), max),
            }
            rows.append(row)
            figures = [value for value in row.values() if isinstance(value, dict)]
            print(
                f"{scene.strategy:13}{scene.window:8}{scene.contention:7}{scene.dialects:16}"
                f"{scene.share:5}{scene.per_minute:6} {'429s too' if scene.rejected_count else '':8}| "
                + " | ".join(f"{f['median']:7.2f} {f['worst']:7.2f}" for f in figures),
                flush=True,
            )
    if arguments.json:
        result = {
            "benchmark": "pacing, in virtual time",
            "python": platform.python_version(),
            "minutes": arguments.minutes,
            "seeds": arguments.seeds,
            "rows": rows,
        }
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
