from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.client.pacing.account_shares import (
    IDLE_SECONDS,
    LEAST_SHARE,
    AccountShare,
    Holder,
    account_folder,
    divide,
)
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.errors import Locked

PROFILE = emulator_profile("http://127.0.0.1:9/pg")

# A process of its own that takes a share, says so, and ends when its input does.
CHILD = """
import sys
from pathlib import Path
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.client.pacing.account_shares import AccountShare
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
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.client.pacing.account_shares import AccountShare
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


def folder_of(folder):
    return account_folder(PROFILE, folder)


def shift(path, seconds):
    """Set the time at which a file was last touched."""
    told = path.stat()
    os.utime(path, (told.st_atime, told.st_mtime + seconds))


@pytest.mark.parametrize("seconds", [-IDLE_SECONDS - 1, IDLE_SECONDS + 3600])
def test_who_sends_nothing_leaves_its_part_to_others(tmp_path, seconds):
    """An open notebook of any process that does nothing has no part, until it sends something.

    Nor has one that was idle when the clock was put back: its time is yet to come.
    """
    idle = Child(tmp_path)
    busy = share(tmp_path)
    assert busy.division().share == 0.25
    [path] = (path for path in folder_of(tmp_path).glob(f"{idle.process.pid}-*.json"))
    shift(path, seconds)
    assert busy.division().share == 0.5
    assert idle.share() == 0.25
    assert busy.division().share == 0.25
    idle.kill()
    busy.leave()


def test_a_named_share_stays_held_while_nothing_is_sent(tmp_path):
    """Idle as it is, it is not free for others; a second client of its process has all of it."""
    child = Child(tmp_path, named=0.6)
    for path in folder_of(tmp_path).glob("*.json"):
        shift(path, -3600)
    with pytest.raises(Locked):
        share(tmp_path, named=0.5)
    first = share(tmp_path, named=0.4)
    [own] = folder_of(tmp_path).glob(f"{os.getpid()}-*.json")
    shift(own, -3600)
    second = share(tmp_path, named=0.4)
    assert second.division().share == 0.4
    assert first.division().share == second.division().share == 0.2
    for each in (first, second):
        each.leave()
    child.kill()


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


SOUND = {
    "named": None,
    "at_most": 0.5,
    "command": "x",
    "pid": 1,
    "since": 0.0,
    "process": "q",
}


def test_what_a_file_says_of_its_command_cannot_steer_a_terminal(tmp_path):
    """A holder with control characters in its name is none."""
    for command in ("x", "x\x1b[31m", ["x"]):
        content = json.dumps(SOUND | {"named": 0.6, "command": command}).encode()
        with held_file(folder_of(tmp_path) / "1-x.json", content):
            if command == "x":
                with pytest.raises(Locked, match=r"0\.6 by x "):
                    share(tmp_path, named=0.5)
            else:
                share(tmp_path, named=0.5).leave()


@contextmanager
def held_file(path, content):
    """A file of some other program's making, locked as a living process locks its own."""
    fcntl = pytest.importorskip("fcntl")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(content)
        file.flush()
        yield path


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.none()),
    st.just(10**400), st.just("0.3"), st.just("\x1b[31m"), st.just("\ud800"),
)  # fmt: skip


@given(st.fixed_dictionaries(dict.fromkeys(SOUND, ODD)), st.sampled_from(list(SOUND)))
def test_a_living_file_with_anything_in_it_raises_nothing(tmp_path_factory, odd, field):
    """Whatever one field, or all, may hold: neither dividing nor claiming ends in an accident."""
    tmp_path = tmp_path_factory.mktemp("shares")
    for content in (odd, SOUND | {field: odd[field]}):
        with held_file(folder_of(tmp_path) / "1-x.json", json.dumps(content).encode()):
            mine = share(tmp_path)
            assert 0 < mine.division().share <= 0.5
            mine.leave()
            with suppress(Locked):
                share(tmp_path, named=1.0).leave()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * 4000,
        b"\xff",
        b"{}",
        b'{"named":"x"}',
        b" " * 9_000_000,
        b'{"pid":1,"named":NaN}',
    ],
)
def test_a_living_file_that_cannot_be_read_is_no_holder(tmp_path, content):
    """Deep, long, empty or foreign, it is passed over, and left to who holds it."""
    with held_file(folder_of(tmp_path) / "1-x.json", content) as path:
        mine = share(tmp_path)
        assert mine.division() == (0.5, 0.5)
        assert path.exists()
        mine.leave()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes among files")
def test_things_that_are_no_files_are_passed_over(tmp_path):
    """A folder, a pipe, a link to nowhere and a thousand dead files stop nothing."""
    folder = folder_of(tmp_path)
    (folder / "1-folder.json").mkdir(parents=True)
    (folder / "1-link.json").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "1-pipe.json")
    for number in range(1000):
        (folder / f"2-{number}.json").touch()
    mine = share(tmp_path)
    for _ in range(4):
        assert mine.division() == (0.5, 0.5)
    assert not list(folder.glob("2-*.json"))
    mine.leave()


def test_dividing_waits_for_no_lock(tmp_path):
    """Whoever blocks the folder's lock, those without a named share divide as ever."""
    mine = share(tmp_path)
    mine.division()
    with FileLock(folder_of(tmp_path) / ".lock"):
        child = Child(tmp_path)
        assert mine.division().share == child.share() == 0.25
    child.kill()
    mine.leave()


@pytest.mark.parametrize("in_the_way", ["a lock", "a folder"])
def test_a_named_share_that_cannot_be_checked_is_refused(tmp_path, in_the_way):
    """It says what is in the way; once that is gone, the share is held."""
    lock = folder_of(tmp_path) / ".lock"
    lock.parent.mkdir(parents=True)
    if in_the_way == "a folder":
        lock.mkdir()
        with pytest.raises(Locked, match="could not be found out"):
            share(tmp_path, named=0.9)
        lock.rmdir()
    else:
        with FileLock(lock), pytest.raises(Locked, match="could not be found out"):
            share(tmp_path, named=0.9)
    mine = share(tmp_path, named=0.9)
    assert mine.division().share == 0.9
    mine.leave()


def test_a_place_that_was_removed_is_taken_again(tmp_path):
    """Who cleans the folder up while we work divides us from nobody for longer than a second."""
    mine, child = share(tmp_path), Child(tmp_path)
    mine.division()
    shutil.rmtree(folder_of(tmp_path))
    assert mine.division().share == 0.5
    assert child.share() == mine.division().share == 0.25
    child.kill()
    mine.leave()


def test_what_cannot_be_divided_is_divided_once_it_can(tmp_path, caplog):
    """The log says so once, and not every second."""
    (tmp_path / "shares").write_text("in the way")
    mine = share(tmp_path)
    for _ in range(3):
        assert mine.division() == (0.5, 0.5)
    assert caplog.text.count("not divided") == 1
    (tmp_path / "shares").unlink()
    child = Child(tmp_path)
    assert mine.division().share == 0.25
    child.kill()
    mine.leave()
