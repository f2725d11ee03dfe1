from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tokenvault_data.errors import Locked
from tokenvault_data.profiles import emulator_profile
from tokenvault_data.vault_api import account_shares
from tokenvault_data.vault_api.account_shares import (
    LEAST_SHARE,
    AccountShare,
    Holder,
    account_folder,
    divide,
)

PROFILE = emulator_profile("http://127.0.0.1:9/pg")

# A process of its own that takes a share, says so, and ends when its input does.
CHILD = """
import sys
from pathlib import Path
from tokenvault_data.profiles import emulator_profile
from tokenvault_data.vault_api.account_shares import AccountShare
named = float(sys.argv[2]) if sys.argv[2] != "none" else None
share = AccountShare(
    emulator_profile("http://127.0.0.1:9/pg"), named=named, folder=Path(sys.argv[1])
)
share.claim()
for line in iter(sys.stdin.readline, ""):
    print(share.division().share, flush=True)
"""


class Child:
    def __init__(self, folder, named="none"):
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder), str(named)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.share()

    def share(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self):
        with self.process:
            self.process.stdin.close()

    def kill(self):
        with self.process:
            self.process.kill()


def share(folder, named=None, **more):
    made = AccountShare(PROFILE, named=named, folder=folder, **more)
    made.claim()
    return made


def holder(named, at_most=0.5, process="p"):
    return Holder(named, at_most, "tokenvault collect", 1, 0.0, process)


@pytest.mark.parametrize(
    ("mine", "others", "own", "of_ours"),
    [
        (holder(None), [], 0.5, 0.5),
        (holder(None), [holder(None), holder(None)], 0.5 / 3, 0.5),
        (holder(0.8), [], 0.8, 0.8),
        (holder(0.3), [holder(None, process="q")], 0.3, 0.5),
        (holder(None), [holder(0.3, process="q")], 0.2, 0.5),
        (holder(None), [holder(0.3, process="q"), holder(None)], 0.1, 0.5),
        (holder(None, 0.1), [], 0.1, 0.1),
        (holder(None, 0.1), [holder(None)], 0.1, 0.5),
        (holder(None), [holder(0.5, process="q")], LEAST_SHARE, 0.5 + LEAST_SHARE),
        (holder(0.4), [holder(0.6)], 0.3, 0.6),
    ],
)
def test_one_share_is_divided(mine, others, own, of_ours):
    """What was asked for by name is kept, the rest of one share is divided evenly."""
    assert divide(mine, others) == pytest.approx((own, of_ours))


def test_processes_divide_one_share_and_follow_as_others_come_and_go(tmp_path):
    """Three of ours have a third each; who ends, or is killed, leaves his part to the others."""
    mine = share(tmp_path)
    assert mine.division().share == 0.5
    first, second = Child(tmp_path), Child(tmp_path)
    assert mine.division() == pytest.approx((0.5 / 3, 0.5))
    assert first.share() == second.share() == pytest.approx(0.5 / 3)
    first.end()
    assert mine.division().share == pytest.approx(0.25)
    second.kill()
    assert mine.division().share == 0.5
    assert len(list(account_folder(PROFILE, tmp_path).glob("*.json"))) == 1
    mine.leave()


def test_a_share_asked_for_by_name_has_to_fit(tmp_path):
    """What does not fit is refused, and who holds it since when is told."""
    child = Child(tmp_path, named=0.6)
    with pytest.raises(Locked) as refused:
        share(tmp_path, named=0.5)
    said = str(refused.value)
    assert f"0.6 by python (pid {child.process.pid}, since " in said
    assert "ask for 0.4 or less" in said
    fits = share(tmp_path, named=0.4)
    assert fits.division().share == 0.4
    assert child.share() == 0.6
    fits.leave()
    child.kill()
    share(tmp_path, named=1.0).leave()


def test_a_share_held_by_name_is_not_taken_by_those_without(tmp_path):
    """They divide what it leaves, and a trickle where it leaves nothing."""
    mine = share(tmp_path)
    child = Child(tmp_path, named=0.3)
    assert mine.division().share == pytest.approx(0.2)
    assert child.share() == 0.3
    child.end()
    child = Child(tmp_path, named=1.0)
    assert mine.division().share == LEAST_SHARE
    child.kill()
    assert mine.division().share == 0.5
    mine.leave()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_is_a_process_of_its_own(tmp_path):
    """A child made by fork keeps nothing of its parent's alive, and takes a part of its own."""
    code = f"""
import os, sys, time
from pathlib import Path
from tokenvault_data.profiles import emulator_profile
from tokenvault_data.vault_api.account_shares import AccountShare
share = AccountShare(
    emulator_profile("http://127.0.0.1:9/pg"), named=None, folder=Path({str(tmp_path)!r})
)
share.division()
if os.fork():
    os._exit(0) if len(sys.argv) > 1 else time.sleep(60)
print(share.division().share, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert float(parent.stdout.readline()) == 0.25
        parent.kill()
        parent.wait()
        mine = share(tmp_path)
        assert mine.division().share == 0.25  # the child and we
        mine.leave()
    finally:
        os.killpg(parent.pid, signal.SIGKILL)
        parent.stdout.close()


def test_who_sends_nothing_leaves_its_part_to_others(tmp_path, monkeypatch):
    """An open notebook that does nothing has no part, until it sends something again."""
    idle, busy = share(tmp_path), share(tmp_path)
    idle.division()
    assert busy.division().share == 0.25
    later = time.monotonic() + account_shares.IDLE_SECONDS + 1
    monkeypatch.setattr(account_shares.time, "monotonic", lambda: later)
    assert busy.division().share == 0.5
    assert idle.division().share == 0.25
    idle.leave()
    busy.leave()


def test_two_clients_of_one_process_hold_a_named_share_together(tmp_path):
    """A cell run again is not refused by the client it has made before."""
    first = share(tmp_path, named=0.8)
    second = share(tmp_path, named=0.8)
    assert first.division().share == second.division().share == 0.4
    first.leave()
    assert second.division().share == 0.8
    second.leave()


def test_emulators_at_different_ports_are_different_accounts(tmp_path):
    """So are different merchants; API versions are not."""
    other_port = emulator_profile("http://127.0.0.1:10/pg")
    other_version = emulator_profile("http://127.0.0.1:9/pg", api_version="2025-01-01")
    assert account_folder(PROFILE, tmp_path) != account_folder(other_port, tmp_path)
    assert account_folder(PROFILE, tmp_path) == account_folder(other_version, tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"pid": "x"}'])
def test_a_file_that_is_none_of_ours_is_no_holder(tmp_path, content):
    """What nobody holds locked is cleared away, whatever it holds."""
    folder = account_folder(PROFILE, tmp_path)
    folder.mkdir(parents=True)
    (folder / "1-x.json").write_bytes(content)
    mine = share(tmp_path)
    assert mine.division().share == 0.5
    assert [path.name for path in folder.glob("*.json")] != ["1-x.json"]
    mine.leave()


def test_what_is_written_down_is_private_and_holds_no_argument(tmp_path):
    """Only the user can read it, and the command's arguments are not in it."""
    child = Child(tmp_path)
    [path] = account_folder(PROFILE, tmp_path).glob("*.json")
    assert path.stat().st_mode & 0o077 == 0
    assert json.loads(path.read_bytes())["command"] == "python"
    assert str(tmp_path) not in path.read_text()
    child.kill()


def test_without_a_folder_it_is_alone(tmp_path, caplog):
    """Where nothing can be written, the whole share is used, and the log says so."""
    (tmp_path / "shares").write_text("in the way")
    mine = share(tmp_path)
    assert mine.division() == (0.5, 0.5)
    assert "not divided" in caplog.text
