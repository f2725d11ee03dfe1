"""A process whose children apply plans and die: at a named moment, at a time, or of a full disk.

It loads everything once and forks for every order, one JSON object a line on standard input; what
became of the child comes back as one line. Orders may replace a place in the source of the toolkit
before the child loads it, to see whether somebody finds out.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import time
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

PACKAGE = "tokenvault_data"
LOADED_BY_ALL = (
    "anyio._backends._asyncio",
    "duckdb",
    "pandas",
    "platformdirs",
    "pyarrow.dataset",
    "pyarrow.json",
    "pyarrow.pandas_compat",
    "pyarrow.parquet",
)
"""What the first request, plan and card would load, in each child anew."""
ROOT = Path(__file__).parents[2]


class _Altered(importlib.machinery.SourceFileLoader):
    """Loads a module with some places of its source replaced."""

    changes: Sequence[tuple[str, str]] = ()

    def get_code(self, fullname: str) -> Any:
        source = Path(self.path).read_text(encoding="utf-8")
        for old, new in self.changes:
            if source.count(old) != 1:
                raise LookupError(f"{old!r} is {source.count(old)} times in {fullname}")
            source = source.replace(old, new)
        return compile(source, self.path, "exec")


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutants: dict[str, list[tuple[str, str]]]) -> None:
        self._mutants = mutants

    def find_spec(
        self, fullname: str, path: Any, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._mutants:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        assert found is not None
        assert found.origin is not None
        loader = _Altered(fullname, found.origin)
        loader.changes = self._mutants[fullname]
        return importlib.util.spec_from_loader(fullname, loader)


def _mutate(mutants: list[dict[str, str]]) -> None:
    changes: dict[str, list[tuple[str, str]]] = {}
    for one in mutants:
        changes.setdefault(one["module"], []).append((one["old"], one["new"]))
    sys.meta_path.insert(0, _Finder(changes))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


class _Fate:
    """What happens at which checkpoint."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        self._left = order.get("nth", 1)
        self.wall_ahead = 0.0

    def __call__(self, name: str) -> None:
        if name != self._order.get("at"):
            return
        self._left -= 1
        if self._left != 0:
            return
        if "wall_step_seconds" in self._order:
            self.wall_ahead = self._order["wall_step_seconds"]
        elif "stop_seconds" in self._order:
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            os.kill(os.getpid(), signal.SIGKILL)


def _let_checks_hold(seconds: float) -> None:
    """Where the clock goes faster than a busy machine can, let evidence hold so much longer."""
    evidence = importlib.import_module("tokenvault_data.cleanup.engine.freshness")
    vars(evidence)["LONGEST_GAP_SECONDS"] = seconds
    ask = evidence.Evidence.about_to_ask.__func__
    evidence.Evidence.about_to_ask = classmethod(
        lambda cls, heartbeat, bound: ask(cls, heartbeat, bound + seconds)
    )


def _fill_disk_at(nth: int, free_bytes: int) -> None:
    """From the nth write of the journal on, let no file grow beyond so many bytes."""
    from tokenvault_data.cleanup.journal.journal import Journal

    commit = Journal.commit
    writes = 0

    def counted(self: Any, records: Any) -> None:
        nonlocal writes
        writes += 1
        if writes == nth:
            resource.setrlimit(resource.RLIMIT_FSIZE, (free_bytes, free_bytes))
        commit(self, records)

    Journal.commit = counted  # type: ignore[method-assign]


def _clock(order: dict[str, Any], fate: _Fate) -> Any:
    from tokenvault_data.cleanup.clock import Clock

    speed = order.get("speed", 1.0)
    return Clock(
        now=lambda: datetime.now(UTC) + timedelta(seconds=fate.wall_ahead),
        monotonic=lambda: speed * time.monotonic(),
        sleep=lambda seconds: asyncio.sleep(seconds / speed),
        boot=time.monotonic,
    )


async def _apply(order: dict[str, Any]) -> dict[str, Any]:
    from tokenvault_data.cleanup.campaign.campaign import Campaign
    from tokenvault_data.client.client import AsyncVault
    from tokenvault_data.client.transport import TransportSettings
    from tokenvault_data.config.loading import emulator_profile

    fate, store = _Fate(order), Path(order["store"])
    wire = TransportSettings(total_seconds=order.get("timeout_seconds", 30.0))
    profile = emulator_profile(order["url"])
    async with AsyncVault(profile, share=1.0, rate_per_minute=120_000, wire=wire) as vault:
        campaign = Campaign.open(
            Path(order["plan"]),
            store,
            vault,
            clock=_clock(order, fate),
            config_dir=Path(order.get("config", store / "config")),
        )
        if order.get("abort"):
            work: Any = campaign._work
            vars(campaign)["_work"] = lambda *given: work(*given[:-1], fate)
            status = await campaign.abort()
        elif order.get("recover"):
            status = await campaign.recover()
        else:
            phrase = campaign.plan.phrase
            status = await campaign.apply(confirm=phrase, checkpoint=fate)
            if status.state == "held" and order.get("through", True):
                status = await campaign.apply(confirm=phrase, checkpoint=fate)
    return {"state": status.state, "finals": dict(status.finals), "is_over": status.is_over}


class _Reports:
    """What became of tests: how many passed, and what the others said."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed[f"{report.nodeid} ({report.when})"] = report.longreprtext[-2000:]
        self.passed += report.when == "call" and report.passed

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failed[f"{report.nodeid} (collect)"] = report.longreprtext[-2000:]


def _try(tests: list[str]) -> dict[str, Any]:
    """Run tests of the toolkit as it is loaded now."""
    import pytest

    reports = _Reports()
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)  # where answers go
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plain = [f"{name}=" for name in ("addopts", "filterwarnings", "timeout")]
    options = [part for one in plain for part in ("-o", one)]
    pytest.main(["-q", "-x", "-p", "no:cacheprovider", *options, *tests], plugins=[reports])
    return {"passed": reports.passed, "failed": reports.failed}


def _carry_out(order: dict[str, Any]) -> dict[str, Any]:
    if order.get("mutants"):
        _mutate(order["mutants"])
    if "tests" in order:
        signal.alarm(order["at_most_seconds"])
        return _try(order["tests"])
    if "concurrency" in order:
        engine = importlib.import_module("tokenvault_data.cleanup.engine.engine")
        vars(engine)["CONCURRENCY"] = order["concurrency"]
    if "check_holds_seconds" in order:
        _let_checks_hold(order["check_holds_seconds"])
    if "full_at" in order:
        _fill_disk_at(order["full_at"], order.get("free_bytes", 0))
    errors = importlib.import_module("tokenvault_data.errors")
    try:
        return asyncio.run(asyncio.wait_for(_apply(order), order.get("at_most_seconds", 60)))
    except errors.TokenVaultError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except BaseException as error:  # noqa: BLE001  whatever it is, the test has to hear of it
        return {"error": type(error).__name__, "message": traceback.format_exc()}


def _fork(order: dict[str, Any]) -> dict[str, Any]:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        os.write(write, json.dumps(_carry_out(order)).encode()[:60_000])
        os.kill(os.getpid(), signal.SIGKILL) if order.get("dies_anyhow") else os._exit(0)
    os.close(write)
    until = time.monotonic() + order.get("kill_after_seconds", 1e9)
    status = _wait(pid, until, order.get("stop_seconds", 0.0))
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    if os.WIFSIGNALED(status):
        return {"killed": os.WTERMSIG(status)}
    return dict(json.loads(said)) if said else {"error": "silence", "message": str(status)}


def _wait(pid: int, until: float, stop_seconds: float) -> int:
    """Wait for a child; kill it when its time has come, and wake it when it was stopped."""
    may_die_by_us = until < 1e9
    while True:
        found, status = os.waitpid(pid, os.WUNTRACED | (os.WNOHANG if may_die_by_us else 0))
        if found == 0:
            if time.monotonic() >= until:
                os.kill(pid, signal.SIGKILL)
                until, may_die_by_us = 1e18, False
            else:
                time.sleep(0.001)
        elif os.WIFSTOPPED(status):
            print(json.dumps({"stopped": True}), flush=True)
            time.sleep(stop_seconds)
            os.kill(pid, signal.SIGCONT)
        else:
            return status


def main(warm: Callable[[str], object] = importlib.import_module) -> None:
    for name in (
        "cleanup.campaign.campaign",
        "client.client",
        "config.loading",
        "dataset.flattening.flatten",
    ):
        warm(f"{PACKAGE}.{name}")
    for name in LOADED_BY_ALL:
        warm(name)
    importlib.import_module(f"{PACKAGE}.dataset.bank_names").load_bank_names()
    gc.collect()
    gc.freeze()  # or a child's collector would write on, and so copy, all of this
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        for name in order.get("warm", ()):
            warm(name)
        print(json.dumps(_fork(order)), flush=True)


if __name__ == "__main__":
    main()
