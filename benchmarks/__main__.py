"""`python -m benchmarks [names...] [--quick] [--json DIR]`: run benchmarks and keep their results.

Each runs in a fresh process with ``python -m benchmarks.NAME --json DIR/NAME.json``. A goal that is
missed is shown and is no failure; a benchmark that breaks is one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.children import ROOT
from benchmarks.results import Goal, machine, table

# By name: options that make it quick.
BENCHMARKS: dict[str, list[str]] = {
    "startup": ["--quick"],
    "flatten": ["--cards", "40000", "--rounds", "1"],
    "changes": ["--quick"],
    "wire": ["--quick"],
    "collect": ["--quick"],
    "pacing": ["--quick"],
    "pacing_blind": ["--quick"],
    "pacing_real": ["--quick"],
    "breakdowns": ["--quick"],
    "cleanup": ["--quick"],
    "explorer": ["--quick"],
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure against peers, each in turn in the same run.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all")
    parser.add_argument("--quick", action="store_true", help="small sizes; figures are rough")
    parser.add_argument("--json", type=Path, metavar="DIR", default=ROOT / "benchmarks" / "results")
    given = parser.parse_args()
    unknown = set(given.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {min(unknown)!r}; there are {', '.join(BENCHMARKS)}")
    folder: Path = given.json.absolute()
    folder.mkdir(parents=True, exist_ok=True)

    rows: list[tuple[str, ...]] = []
    broken: list[str] = []
    for name in given.names or BENCHMARKS:
        result = run(name, folder / f"{name}.json", quick=given.quick)
        if result is None:
            broken.append(name)
        else:
            rows += [(name, *row) for row in goal_rows(result)]
    print(f"\n{table(('benchmark', 'goal', 'wanted', 'measured', 'reached'), rows)}")
    print(f"results are in {folder}")
    if broken:
        print(f"broken: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


def run(name: str, path: Path, *, quick: bool) -> dict[str, Any] | None:
    """Run one benchmark; None when it broke, and then no older result is left behind."""
    print(f"\n== {name} ==", flush=True)
    path.unlink(missing_ok=True)
    facts = machine()
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(path)]
    done = subprocess.run(command + (BENCHMARKS[name] if quick else []), cwd=ROOT, check=False)
    if done.returncode or not path.is_file():
        return None
    result: dict[str, Any] = json.loads(path.read_bytes())
    result = {"machine": facts, "quick": quick, **_with_goals(result)}
    path.write_text(json.dumps(result, indent=2) + "\n")
    return result


def goal_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    goals = [
        Goal(goal["name"], goal["measured"], goal["wanted"], at_most=goal["at_most"])
        for goal in result["goals"]
    ]
    return [goal.as_row() for goal in goals]


def _with_goals(result: dict[str, Any]) -> dict[str, Any]:
    """A benchmark of one ratio and one goal may say just that."""
    if "goals" in result:
        return result
    goal = Goal("rate of ours over the peer", result["ratio"], result["goal"])
    return {**result, "goals": [goal.as_json()]}


if __name__ == "__main__":
    sys.exit(main())
