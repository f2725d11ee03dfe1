"""How long `import tokenvault_data` and `tokenvault --help` take, beside bare Python."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.children import ROOT
from benchmarks.results import Goal, conclude, machine, table

# The console script that pip makes does just this.
_RUN = "from tokenvault_data.cli.main import run; run()"
_HEAVY = ("pandas", "httpx")

BARE = "bare Python"
IMPORT = "import tokenvault_data"
HELP = "tokenvault --help"
COMMANDS = {
    BARE: ["-c", "pass"],
    IMPORT: ["-c", "import tokenvault_data"],
    HELP: ["-c", _RUN, "--help"],
    "import pandas": ["-c", "import pandas"],
    "import httpx": ["-c", "import httpx"],
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--json", type=Path, help="write the result to this file")
    given = parser.parse_args(argv)
    rounds = 5 if given.quick else given.rounds

    facts = machine()
    figures = measure(rounds)
    loaded = heavy_modules_of_help()
    rows = [(name, at["median_ms"], at["fastest_ms"]) for name, at in figures.items()]
    print(table(("start of a process", "median ms", "fastest ms"), rows))
    print(f"--help loads of {', '.join(_HEAVY)}: {', '.join(loaded) or 'none'}")
    ratio = figures[IMPORT]["median_ms"] / figures[BARE]["median_ms"]
    conclude(
        "startup",
        settings={"rounds": rounds},
        figures={**figures, "heavy_modules_loaded_by_help": loaded},
        ratios={"import_over_bare_python": round(ratio, 2)},
        goals=[
            Goal("import tokenvault_data / bare Python", ratio, 5.0, at_most=True),
            Goal("tokenvault --help, ms", figures[HELP]["median_ms"], 300.0, at_most=True),
            Goal("heavy modules that --help loads", len(loaded), 0, at_most=True),
        ],
        facts=facts,
        path=given.json,
    )


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Start every command once a round; the first round only fills caches."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(1 + rounds):
        for name, arguments in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=True
            )
            taken[name].append((time.perf_counter() - began) * 1000)
    return {
        name: {
            "median_ms": round(statistics.median(times[1:]), 1),
            "fastest_ms": round(min(times[1:]), 1),
        }
        for name, times in taken.items()
    }


def heavy_modules_of_help() -> list[str]:
    """Which of the heavy modules the interpreter reports to have loaded for ``--help``."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", _RUN, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    if "tokenvault_data" not in loaded:
        raise SystemExit("the interpreter did not report what it loads")
    return [name for name in _HEAVY if name in loaded]


if __name__ == "__main__":
    main()
