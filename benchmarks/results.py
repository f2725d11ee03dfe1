"""What every benchmark hands over: figures, ratios, goals, and the machine they were taken on."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PACKAGES = (
    "aiohttp",
    "cashfree_pg",
    "dlt",
    "httpx",
    "orjson",
    "pandas",
    "pyarrow",
    "pyreqwest",
    "sniffio",
    "tokenvault-data",
    "uvicorn",
    "uvloop",
)


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure to be reached; `wanted` is the least, or with `at_most` the most it may be."""

    name: str
    measured: float
    wanted: float
    at_most: bool = False

    @property
    def reached(self) -> bool:
        if self.at_most:
            return self.measured <= self.wanted
        return self.measured >= self.wanted

    def as_json(self) -> dict[str, Any]:
        measured = round(self.measured, 4)
        return {**asdict(self), "measured": measured, "reached": self.reached}

    def as_row(self) -> tuple[str, ...]:
        bound = f"{'at most' if self.at_most else 'at least'} {self.wanted:g}"
        return self.name, bound, f"{self.measured:.4g}", "yes" if self.reached else "NO"


def machine() -> dict[str, Any]:
    """What the figures depend on and cannot be read from the code."""
    return {
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def table(heading: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out rows under a heading: text to the left, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heading, *cells, strict=True)]
    lines = ["  ".join(name.ljust(width) for name, width in zip(heading, widths, strict=True))]
    lines.append("  ".join("-" * width for width in widths))
    for row, shown in zip(rows, cells, strict=True):
        lines.append(
            "  ".join(
                text.ljust(width) if isinstance(value, str) else text.rjust(width)
                for value, text, width in zip(row, shown, widths, strict=True)
            ).rstrip()
        )
    return "\n".join(lines)


def conclude(
    name: str,
    *,
    settings: dict[str, Any],
    figures: Any,
    ratios: dict[str, Any],
    goals: Sequence[Goal],
    facts: dict[str, Any],
    path: Path | None,
) -> None:
    """Print which goals are reached and write everything to `path`, if there is one."""
    print(f"\n{table(('goal', 'wanted', 'measured', 'reached'), [g.as_row() for g in goals])}\n")
    if path is None:
        return
    result = {
        "benchmark": name,
        "machine": facts,
        "settings": settings,
        "figures": figures,
        "ratios": ratios,
        "goals": [goal.as_json() for goal in goals],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
