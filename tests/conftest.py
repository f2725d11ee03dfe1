"""What all tests need, wherever they are started from."""

from __future__ import annotations

import atexit
import gc
import os
import random
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A busy machine is no fault of what is tested.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# What the toolkit writes down for the user's other processes is not to be this user's.
os.environ["TOKENVAULT_CONFIG"] = tempfile.mkdtemp(prefix="tokenvault-test-")
atexit.register(shutil.rmtree, os.environ["TOKENVAULT_CONFIG"], ignore_errors=True)

# A shell ignores Ctrl-C on behalf of what it runs in the background, and children inherit that;
# the tests interrupt theirs.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What JupyterLab brings along for one format of addresses builds a grammar for four seconds, in
# every process that draws a chart; where it is not installed, jsonschema does without.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

# Little of what collecting the tests makes is ever garbage, and it is looked at again and again.
gc.disable()

# All tests of these folders have this mark.
MARK_OF_FOLDER = {"browser": "browser", "gateways": "gateway", "outsiders": "outsider"}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a folder unread whose tests are all deselected: what it imports takes seconds."""
    if collection_path.parent != Path(__file__).parent:
        return None
    marks = re.fullmatch(r"not \(?(\w+(?: or \w+)*)\)?", config.option.markexpr)
    mark = MARK_OF_FOLDER.get(collection_path.name)
    return True if marks and mark in marks[1].split(" or ") else None


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Number cases of bytes: what is compressed holds the time, and workers have to agree."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over all that was loaded: it stays to the end."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def chaos_seed(pytestconfig: pytest.Config) -> int:
    """Give the seed of the run, which is told at its beginning and end and can be given again."""
    return int(pytestconfig.getoption("randomly_seed", random.randrange(2**32)))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Sum a run of `make chaos` up: what was tried how often, and what went wrong."""
    if not str(config.option.markexpr).startswith("chaos"):
        return
    totals: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            if report.when != "call" and outcome == "passed":
                continue
            scenario = report.nodeid.partition("::")[2].partition("[")[0].removeprefix("test_")
            figures = Counter({"runs": 1, "violations": int(outcome != "passed")})
            figures = Counter(dict(getattr(report, "user_properties", ())).get("chaos", figures))
            figures["violations"] = max(figures["violations"], int(outcome != "passed"))
            totals.setdefault(scenario.replace("_", " "), Counter()).update(
                figures, seconds=round(report.duration)
            )
    columns = ("runs", "kills", "deletes", "violations", "seconds")
    terminalreporter.section(f"chaos, seed {config.getoption('randomly_seed', 'none')}")
    terminalreporter.write_line(f"{'scenario':<64}" + "".join(f"{c:>12}" for c in columns))
    for scenario, figures in [*sorted(totals.items()), ("all", sum(totals.values(), Counter()))]:
        cells = "".join(
            f"{figures[c] or (0 if c in 'runs violations' else ''):>12}" for c in columns
        )
        terminalreporter.write_line(f"{scenario:<64}{cells}")
