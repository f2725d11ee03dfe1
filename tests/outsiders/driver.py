"""The command line as a user runs it: in a terminal, with a folder of settings and a store.

Nothing here imports the toolkit. What a plan is called and what has to be typed is read from what
the commands print.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from campaign_files import read_journal, read_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from small_vault import SmallVault

TOKENVAULT = str(Path(sys.executable).parent / "tokenvault")
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# Open the terminal that is there already, so that it is the one that prompts open.
IN_A_TERMINAL = (
    "import os, sys; os.open(os.ttyname(0), os.O_RDWR); os.execv(sys.argv[1], sys.argv[1:])"
)
PHRASE = re.compile(
    r"\b([a-z-]+ (?:\d+ )?(?:emulator|sandbox|production) [0-9a-f]{6}(?: self-administered)?)\b"
)
GOES_ON = {"held", "paused", "canary", "running", "verifying"}
NO_CAPS = (
    *("--max-cards", "1000", "--max-vault-share", "1", "--max-bank-share", "1"),
    *("--max-per-customer", "9"),
)


class Turns:
    """So many commands start or reckon at once; the main thread's, which are short, come last."""

    def __init__(self, places: int) -> None:
        self._changed = threading.Condition()
        self._free = places
        self._tickets = itertools.count()
        self._waiting: list[tuple[bool, int]] = []

    def __enter__(self) -> None:
        """Wait for a turn."""
        with self._changed:
            last = threading.current_thread() is threading.main_thread()
            ticket = (last, next(self._tickets))
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: self._free and ticket == min(self._waiting))
            self._waiting.remove(ticket)
            self._free -= 1
            self._changed.notify_all()

    def __exit__(self, *_: object) -> None:
        """Give the turn on."""
        with self._changed:
            self._free += 1
            self._changed.notify_all()


BUSY = Turns(2)


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that it said."""
        return self.out + self.err

    def json(self) -> dict[str, Any]:
        """The document it printed."""
        return json.loads(self.out)


class Typed:
    """A command in a terminal of its own, while it runs."""

    def __init__(self, argv: list[str], env: dict[str, str], cwd: Path) -> None:
        ours, theirs = pty.openpty()
        self._terminal = ours
        self._read = bytearray()
        self._heard = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-c", IN_A_TERMINAL, *argv],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
        os.close(theirs)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        while True:
            try:
                chunk = os.read(self._terminal, 65536)
            except OSError:  # Linux says so when the other side is closed
                chunk = b""
            with self._heard:
                self._read += chunk
                self._heard.notify_all()
            if not chunk:
                return

    @property
    def text(self) -> str:
        """All that is on its screen so far."""
        return ANSI.sub("", bytes(self._read).decode(errors="replace")).replace("\r\n", "\n")

    def saw(self, pattern: str, timeout: float = 60) -> bool:
        """Wait until its screen shows something, or the command has ended without."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            over = not self.running
            if re.search(pattern, self.text):
                return True
            if over:
                self._listener.join(5)
                return re.search(pattern, self.text) is not None
            with self._heard:
                self._heard.wait(0.1)
        return False

    def type(self, line: str) -> None:
        """Type a line."""
        with contextlib.suppress(OSError):  # it has ended meanwhile
            os.write(self._terminal, line.encode() + b"\n")

    def answer_with(self, answer: Callable[[str], str]) -> None:
        """Type an answer as soon as a phrase is asked for; once."""

        def wait() -> None:
            if self.saw(PHRASE.pattern, 300) and self.running:
                self.type(answer(PHRASE.findall(self.text)[-1]))

        threading.Thread(target=wait, daemon=True).start()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Let it stand still, as a closed lid does; nothing happens to one that has ended."""
        if not self.running:
            return
        os.killpg(self._process.pid, signal.SIGSTOP)
        # The signal is on its way until the kernel says that the process is stopped.
        status = Path(f"/proc/{self._process.pid}/stat")
        end = time.monotonic() + 10
        while status.read_text().rpartition(")")[2].split()[0] not in "TZX":
            if time.monotonic() > end:
                raise TimeoutError("the process does not stop")
            time.sleep(0.005)

    def go_on(self) -> None:
        """Let it run again."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGCONT)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        with contextlib.suppress(OSError):
            os.write(self._terminal, b"\x03")

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self, timeout: float) -> int:
        """Wait for its end, and give its exit code; it is killed when that takes too long."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait(10)
            message = f"a command did not end in {timeout:.0f} s; its screen:\n{self.text}"
            raise TimeoutError(message) from None
        finally:
            self._listener.join(10)
        with contextlib.suppress(OSError):
            os.close(self._terminal)
        return code

    def ended(self, timeout: float) -> Ran:
        """Wait for its end, and give all that it said."""
        return Ran(self.wait(timeout), self.text, "")


@dataclass(frozen=True)
class Plan:
    """What `cleanup plan` said of a plan."""

    id: str
    phrase: str
    path: Path
    digest: str
    facts: dict[str, Any] = field(repr=False)

    @property
    def folder(self) -> Path:
        """Of the campaign."""
        return self.path.parent

    @property
    def journal(self) -> Path:
        """The campaign's database, once there is one."""
        return self.folder / "journal.sqlite"

    @property
    def instruments(self) -> list[str]:
        """The planned cards."""
        return [row["instrument_id"] for row in read_plan(self.path).rows]


class World:
    """A folder with a store and settings of its own, and the vault that its commands talk to."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.url = folder, url
        self.store, self.config = folder / "vault-data", folder / "config"
        self.config.mkdir(exist_ok=True)
        self.clock = folder / "clock"  # what libfaketime reads, where it is used
        self.runs: list[Ran] = []
        self.collected = 0  # requests that the vault had seen when its snapshot was published

    def copy(self, folder: Path) -> World:
        """Copy store and settings, as a backup or another machine has them."""
        shutil.copytree(self.folder, folder)
        return World(folder, self.url)

    def env(self, *, config: Path | None = None, faked: bool = False) -> dict[str, str]:
        """The environment of a command."""
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("CASHFREE_", "TOKENVAULT"))
        }
        env = kept | {
            "CASHFREE_ENVIRONMENT": "emulator",
            "TOKENVAULT_BASE_URL": self.url,
            # Each vault is another account, so that none waits for another one's campaign.
            "CASHFREE_CLIENT_ID": "outsider-" + "".join(filter(str.isdigit, self.url)),
            "CASHFREE_CLIENT_SECRET": "not-a-secret",
            "TOKENVAULT_CONFIG": str(config or self.config),
            "COLUMNS": "200",
            "TERM": "xterm",
            "NO_COLOR": "1",
        }
        if faked:
            if not self.clock.exists():
                self.clock.write_text("+0\n")
            env |= {
                "LD_PRELOAD": str(FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(self.clock),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "NO_FAKE_STAT": "1",
            }
        return env

    def run(
        self,
        *args: str | Path,
        config: Path | None = None,
        timeout: float = 120,
        store: bool = True,
        stdin: str | None = None,
    ) -> Ran:
        """Run a command without a terminal, as a script does."""
        where = ("--store", str(self.store)) if store else ()
        with BUSY:
            done = subprocess.run(
                [TOKENVAULT, *map(str, args), *where],
                env=self.env(config=config),
                cwd=self.folder,
                input=stdin or "",
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        ran = Ran(done.returncode, done.stdout, done.stderr)
        self.runs.append(ran)
        return ran

    def start(
        self,
        *args: str | Path,
        config: Path | None = None,
        store: Path | None = None,
        faked: bool = False,
    ) -> Typed:
        """Start a command in a terminal."""
        argv = [TOKENVAULT, *map(str, args), "--store", str(store or self.store)]
        return Typed(argv, self.env(config=config, faked=faked), self.folder)

    # The steps of a campaign

    def collect(self, customers: list[str], *, timeout: float = 120) -> str:
        """Collect a list of customers, and give the snapshot's id."""
        (self.folder / "customers.txt").write_text("\n".join(customers) + "\n")
        ran = self.run("collect", "customers.txt", "--share", "1", "--json", timeout=timeout)
        assert ran.code == 0, ran.text
        return str(ran.json()["snapshot"])

    def plan(self, *rule: str, caps: tuple[str, ...] = NO_CAPS, planner: str = "ravi") -> Plan:
        """Make a plan."""
        ran = self.run("cleanup", "plan", "latest", *rule, *caps, "--planner", planner, "--json")
        assert ran.code == 0, ran.text
        facts = ran.json()
        return Plan(
            facts["plan"], facts["phrase"], Path(self.folder, facts["path"]), facts["digest"], facts
        )

    def keygen(self, name: str, *, config: Path | None = None) -> dict[str, Any]:
        """Make a key pair, and give its files."""
        ran = self.run("cleanup", "keygen", name, "--json", config=config)
        assert ran.code == 0, ran.text
        return ran.json()

    def trust(self, public_key: str | Path, *, config: Path | None = None) -> Ran:
        """Trust the owner of a key, with whatever has to be typed for it."""
        return self.typed("cleanup", "trust", public_key, config=config)

    def approve(self, plan: str | Path, key: str, *, config: Path | None = None) -> Ran:
        """Sign a plan, with the phrase typed that the command asks for."""
        return self.typed("cleanup", "approve", plan, "--key", key, config=config)

    def typed(
        self,
        *args: str | Path,
        config: Path | None = None,
        timeout: float = 120,
        faked: bool = False,
    ) -> Ran:
        """Run a command in a terminal, type what it asks for, and wait for its end."""
        typed = self.begin(*args, config=config, faked=faked)
        ran = typed.ended(timeout)
        self.runs.append(ran)
        return ran

    def begin(
        self,
        *args: str | Path,
        config: Path | None = None,
        store: Path | None = None,
        faked: bool = False,
        answer: bool = True,
    ) -> Typed:
        """Start a command in a terminal, and type the phrase where it asks for one.

        Without `answer` something else is typed, as by somebody who does not agree.
        """
        with BUSY:
            typed = self.start(*args, config=config, store=store, faked=faked)
            typed.answer_with(lambda phrase: phrase if answer else "no")
            typed.saw(PHRASE.pattern, 10)  # the slow part is over, or it asks for nothing
        return typed

    def apply(self, plan: Plan, *, config: Path | None = None, faked: bool = False) -> Typed:
        """Start to apply a plan, with the phrase typed."""
        return self.begin("cleanup", "apply", plan.path, config=config, faked=faked)

    def carry_out(self, plan: Plan, *, times: int = 12, timeout: float = 400) -> Ran:
        """Apply a plan, as often as it is held or paused, until it has ended or is refused."""
        for _ in range(times):
            ran = self.apply(plan).ended(timeout)
            self.runs.append(ran)
            if ran.code not in {3, 130} or not self.can_go_on(plan):
                break
        return ran

    def canary(self, plan: Plan) -> Ran:
        """Apply a plan until it is held after its canary."""
        ran = self.apply(plan).ended(300)
        self.runs.append(ran)
        assert state_of(plan) == "held", ran.text
        return ran

    def can_go_on(self, plan: Plan) -> bool:
        """Whether a campaign can be resumed."""
        return state_of(plan) in GOES_ON

    def status(self, plan: Plan) -> dict[str, Any]:
        """Give what `cleanup status` says."""
        ran = self.run("cleanup", "status", plan.id, "--json")
        try:
            return ran.json()
        except json.JSONDecodeError:
            return {"error": ran.text}

    def audit(self, plan: Plan | str | Path, *more: str, config: Path | None = None) -> Ran:
        """Audit a campaign."""
        name = plan.id if isinstance(plan, Plan) else plan
        return self.run("cleanup", "audit", name, *more, config=config)


def state_of(plan: Plan) -> str | None:
    """Give the state of a campaign, by its journal; None where there is none."""
    return read_journal(plan.journal).campaign.get("state")


def new_world(folder: Path, vault: SmallVault) -> World:
    """Make a world for a vault and collect all of its customers."""
    world = World(folder, vault.url)
    world.collect(vault.customers())
    world.collected = len(vault.log)
    return world
