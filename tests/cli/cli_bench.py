"""The real command in a process of its own, and small stores for it to look at.

`Shell.run` forks a process that has loaded the toolkit, see `cli_zygote`. With variables of its
own for Python, and by `Shell.start`, a command is loaded from nothing as a user's is.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import tokenvault_data

ROOT = Path(tokenvault_data.__file__).resolve().parents[1]
COMMAND = (sys.executable, "-c", "from tokenvault_data.cli.main import run; run()")
NOW = datetime(2026, 11, 22, 10, 48, tzinfo=UTC)


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        """The one JSON document that stdout is."""
        return json.loads(self.out)


class Forked:
    """A command that was forked, with streams that its caller made and closes."""

    def __init__(self, orders, arguments, *, cwd, env, streams):
        order = {"arguments": [str(one) for one in arguments], "cwd": str(cwd), "env": env}
        near, far = socket.socketpair()
        with near, far:
            socket.send_fds(orders, [json.dumps(order).encode()], [*streams, far.fileno()])
            self._answers = near.makefile("r")
        self.pid = int(self._answers.readline())

    def wait(self, timeout=60):
        """Wait for its exit code; kill it when it takes too long."""
        killer = functools.partial(os.kill, self.pid, signal.SIGKILL)
        try:
            with _Alarm(timeout, killer), self._answers:
                return int(self._answers.readline())
        except BaseException:  # a test that is cut off leaves no command behind
            with suppress(ProcessLookupError):
                killer()
            raise


class _Alarm:
    """Does something unless it is left in time."""

    def __init__(self, seconds, act):
        self._timer = threading.Timer(seconds, act)

    def __enter__(self):
        self._timer.start()

    def __exit__(self, *_):
        self._timer.cancel()
        self._timer.join()


@functools.cache
def _zygote():
    """Start the process that commands are forked from, once in each process of tests."""
    ours, theirs = socket.socketpair()
    environ = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environ |= {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("cli_zygote.py")), str(theirs.fileno())],
        pass_fds=(theirs.fileno(),),
        env=environ,
        stdin=subprocess.DEVNULL,
    )
    theirs.close()

    def end():
        ours.close()
        process.wait(10)

    atexit.register(end)
    return ours


def forked(arguments, *, cwd, env, streams):
    """Fork a command with the descriptors of its stdin, stdout and stderr."""
    return Forked(_zygote(), arguments, cwd=cwd, env=env, streams=streams)


def typed(shell, answer, *arguments, out=None):
    """Run a command on a terminal and type an answer; give what was shown and the exit code.

    Its stdout is the terminal as well, or the file `out`.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 120))
    streams = [theirs, theirs if out is None else out.fileno(), theirs]
    child = forked(arguments, cwd=shell.folder, env=shell.environ, streams=streams)
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    shown = b""
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # what a terminal says when nobody holds its other end
            break
        if not part:
            break
        shown += part
    code = child.wait()
    os.close(ours)
    return shown.decode(), code


class Shell:
    """A folder to run commands in, and the environment variables they see."""

    def __init__(self, folder, base_url=None):
        self.folder = folder
        kept = ("PATH", "HOME", "LANG", "SYSTEMROOT", "TMPDIR")
        self.environ = {name: os.environ[name] for name in kept if name in os.environ}
        self.environ |= {
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            "TOKENVAULT_CONFIG": str(folder / "config"),
        }
        if base_url is not None:
            self.environ["TOKENVAULT_BASE_URL"] = base_url

    def run(self, *arguments, stdin="", environ=None):
        """Run a command to its end."""
        if environ is None and self.environ["PYTHONPATH"] == str(ROOT):
            return self._run_forked(arguments, stdin)
        ended = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environ | (environ or {}),
            input=stdin.encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Result(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def _run_forked(self, arguments, stdin):
        with ExitStack() as files:
            given, out, err = (files.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            given.write(stdin.encode())
            given.seek(0)
            streams = [given.fileno(), out.fileno(), err.fileno()]
            code = forked(arguments, cwd=self.folder, env=self.environ, streams=streams).wait()
            for stream in (out, err):
                stream.seek(0)
            return Result(code, out.read().decode(), err.read().decode())

    def start(self, *arguments, **settings):
        """Start a command and give its process."""
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **settings,
        )

    def write_list(self, name, ids):
        """Write a list of customers, one a line."""
        path = self.folder / name
        path.write_text("".join(f"{one}\n" for one in ids), encoding="utf-8")
        return path


def documented_fields(command):
    """The JSON fields that the page on the command line names in the section of a command."""
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    section = page.split(f"## {command}\n")[1].split("\n## ")[0]
    tables = re.findall(r"\| field[^|]*\| meaning \|\n\|[-|]+\|\n((?:\|.*\n)+)", section)
    return [re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) for table in tables]


def publish(store, *banks, environment="emulator", failed=0, now=NOW):
    """Publish a snapshot: a customer with one card for each bank, and failed ones after them."""
    import pyarrow as pa

    from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten
    from tokenvault_data.dataset.schema import OUTCOMES
    from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter

    fetched_at_us = int(now.timestamp()) * 1_000_000
    bodies = [
        ReceivedBody(
            f"cust_{place}", json.dumps([_card(place, bank)]).encode(), fetched_at_us, "2025-01-01"
        )
        for place, bank in enumerate(banks)
    ]
    requested = len(banks) + failed
    outcomes = [
        {
            "customer_id": f"cust_{place}",
            "position": place,
            "outcome": "fetched" if place < len(banks) else "failed",
            "cause": None if place < len(banks) else "vault_unavailable",
            "instruments": int(place < len(banks)),
            "requests": 1,
            "finished_at": now,
        }
        for place in range(requested)
    ]
    with SnapshotWriter(store, now=now) as writer:
        writer.add(flatten(bodies).table, pa.Table.from_pylist(outcomes, schema=OUTCOMES))
        facts = CollectionFacts(requested, environment, "2025-01-01", now, now, "abcdef012345")
        return writer.publish(facts)


def _card(place, bank):
    return {
        "customer_id": f"cust_{place}",
        "instrument_id": f"card_{place}",
        "instrument_type": "card",
        "instrument_display": "XXXXXXXXXXXX4375",
        "instrument_status": "ACTIVE",
        "created_at": "2023-11-01T04:55:07.000+00:00",
        "instrument_meta": {
            "card_network": "visa",
            "card_bank_name": bank,
            "card_type": "debit_card",
            "card_token_details": {"expiry_month": "05", "expiry_year": "2020"},
        },
    }
