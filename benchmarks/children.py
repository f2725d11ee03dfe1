"""Every measurement is taken in a fresh process, which prints one line of JSON when it is done."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def run_child(module: str, *arguments: object) -> dict[str, Any]:
    """Run ``python -m module arguments`` and read the last line it prints."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        shown = " ".join(command[1:])
        raise SystemExit(f"{shown} ended with {done.returncode}:\n{done.stderr.strip()}")
    result: dict[str, Any] = json.loads(lines[-1])
    return result


class Stopwatch:
    """Wall and processor time since it was made, all threads of this process together."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


def peak_memory_mb() -> float:
    """The most memory this process ever had resident, in millions of bytes.

    On Linux the figure of `getrusage` includes what the parent had before the child's program was
    loaded, so the kernel's own mark of this address space is read where there is one.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6
