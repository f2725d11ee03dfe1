"""One file of what was sent: only added to, and never read as less than what was written."""

import json
import os
import resource
import stat
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tokenvault_data.cleanup.ledger.ledger_file import KEY_NAME, LedgerFile, Line
from tokenvault_data.errors import CampaignHalted, CampaignPaused, Locked

KEY = bytes(range(32))
LINE = Line(
    at="2026-11-22T09:00:00.000000+00:00",
    time=1.5,
    boot="b",
    boot_seconds=2.5,
    instance="",
    campaign="plan",
    card="c" * 32,
    attempt="a0",
    event="intent",
    journal_seq=5,
    journal_hash="h",
)
MANY = [replace(LINE, attempt=f"a{number}", time=float(number)) for number in range(8)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger" / "production-abc.jsonl"


@contextmanager
def opened(path):
    file = LedgerFile(path)
    file.open(KEY)
    try:
        yield file
    finally:
        file.close()


def write(path, lines):
    with opened(path) as file:
        file.add(lines, is_durable=True)
    return path.read_bytes()


def test_what_was_added_is_there_again(path):
    """Lines come back as they were, across openings, and a file that is not there holds none."""
    assert LedgerFile(path).lines == []
    write(path, MANY[:2])
    write(path, MANY[2:])
    assert LedgerFile(path).lines == MANY
    assert LedgerFile(path).key == KEY


@pytest.mark.parametrize(
    ("field", "value"),
    [("time", "x"), ("time", True), ("boot_seconds", None), ("event", ["x"]), ("card", 5)],
)
def test_a_line_of_another_form_is_damaged(path, field, value):
    """However well its hash fits: no key is needed for that."""
    write(path, [LINE, replace(LINE, **{field: value})])
    with pytest.raises(CampaignHalted, match="line 2"):
        LedgerFile(path)


def test_only_its_owner_can_read_it(path):
    """The file, its key, and the folder that was made for them."""
    write(path, MANY)
    modes = [path, path.with_name(KEY_NAME), path.parent]
    assert [stat.S_IMODE(one.stat().st_mode) for one in modes] == [0o600, 0o600, 0o700]


def test_no_id_of_a_card_is_in_it(path):
    """A card is a keyed hash: the same for the same card, another with another key."""
    with opened(path) as file:
        card = file.card("customer-1", "instrument-1")
        assert card == file.card("customer-1", "instrument-1")
        assert card != file.card("customer-1", "instrument-2")
        file.add([replace(LINE, card=card)], is_durable=True)
    assert b"customer-1" not in path.read_bytes()
    with opened(path.with_name("other") / "x.jsonl") as other:
        assert other.card("customer-1", "instrument-1") == card
        other.key = bytes(32)
        assert other.card("customer-1", "instrument-1") != card


def test_a_line_that_a_crash_cut_is_no_line(path):
    """Cut at any byte, the whole lines are there, and the next one takes its place."""
    whole = write(path, MANY[:3])
    start = whole.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        assert LedgerFile(path).lines == MANY[:2]
    write(path, [MANY[3]])
    assert LedgerFile(path).lines == [*MANY[:2], MANY[3]]


def test_any_other_damage_halts_and_names_the_line(path):
    """A flipped bit, wherever it leads, is never read as less than what was written."""
    whole = write(path, MANY[:3])
    lines = whole.splitlines(keepends=True)
    for place in range(0, len(whole) - 1, 7):
        number = whole.count(b"\n", 0, place) + 1
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(CampaignHalted, match=f"line {number} of"):
            LedgerFile(path)
    for damaged, number in (
        (lines[1:], 1),
        ([lines[0], lines[2]], 2),
        ([lines[0], lines[0], *lines[1:]], 2),
        ([lines[1], lines[0], lines[2]], 1),
        ([*lines[:2], b"\n", lines[2]], 3),
        ([*lines[:2], b"null\n"], 3),
        ([*lines[:2], b"[" * 100_000 + b"\n"], 3),
        ([*lines[:2], lines[2].replace(b",", b", ", 1)], 3),
        ([*lines[:2], lines[2].replace(b'{"at"', b'{"at":"x","at"', 1)], 3),
    ):
        path.write_bytes(b"".join(damaged))
        with pytest.raises(CampaignHalted, match=f"line {number} of"):
            LedgerFile(path)


def test_a_field_more_or_less_is_damage(path):
    """However well the hash fits."""
    from tokenvault_data.cleanup.ledger.ledger_file import _canonical, _link

    form = json.loads(write(path, [LINE]))
    del form["hash"]
    for other in (form | {"more": 1}, {k: v for k, v in form.items() if k != "instance"}):
        path.write_bytes(_canonical(other | {"hash": _link("", other)}))
        with pytest.raises(CampaignHalted, match="line 1 of"):
            LedgerFile(path)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"00ff", b"no key", b"\xff\xfe", b"0" * 66])
def test_without_its_key_it_halts(path, content):
    """Missing, cut or of something else, it hides what was deleted; so nothing is sent."""
    write(path, MANY)
    key = path.with_name(KEY_NAME)
    key.unlink() if content is None else key.write_bytes(content)
    with pytest.raises(CampaignHalted, match=r"card-key.*nothing was sent"):
        LedgerFile(path)


def test_the_key_of_the_folder_is_kept(path):
    """Accounts share one key; whoever makes it first makes it for all."""
    early = LedgerFile(path)
    write(path.with_name("sandbox-abc.jsonl"), MANY)
    early.open(bytes(32))
    early.close()
    assert early.key == KEY
    assert bytes.fromhex(path.with_name(KEY_NAME).read_text()) == KEY


_HOLD = """
import sys
from pathlib import Path
from tokenvault_data.cleanup.ledger.ledger_file import LedgerFile
file = LedgerFile(Path(sys.argv[1]))
file.open(bytes(32))
print("held", flush=True)
sys.stdin.read()
"""


def test_only_one_process_adds_to_it(path):
    """Another one is told so, and may still read; the lock ends with the process."""
    write(path, MANY)
    command = [sys.executable, "-c", _HOLD, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Locked, match="another process"), opened(path):
            pass
        assert LedgerFile(path).lines == MANY
        holder.kill()
        holder.wait()
    write(path, [LINE])
    assert LedgerFile(path).lines == [*MANY, LINE]


def test_what_another_process_added_before_it_was_locked_is_known(path):
    """Between reading and locking nothing is lost."""
    early = LedgerFile(path)
    write(path, MANY)
    early.open(KEY)
    early.add([LINE], is_durable=True)
    early.close()
    assert LedgerFile(path).lines == [*MANY, LINE] == early.lines


@contextmanager
def room_for(size):
    """Let no file of this process grow beyond a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_damages_nothing(path):
    """However much of several lines fits, nothing is added after them, and it opens again."""
    before = len(write(path, MANY[:2]))
    one = before // 2
    for room in (0, 1, one - 1, one, one + 1, 2 * one + 7, 3 * one - 1):
        file = LedgerFile(path)
        file.open(KEY)
        size = path.stat().st_size
        with room_for(size + room), pytest.raises(CampaignPaused, match="room"):
            file.add(MANY[2:5], is_durable=True)
        # There would be room for this one, on top of what is left of the others.
        with pytest.raises(CampaignPaused):
            file.add([replace(LINE, event="withdrawn", card=None)], is_durable=False)
        file.close()
        added = LedgerFile(path).lines
        assert added[:2] == MANY[:2]
        assert all(line in MANY[2:5] for line in added[2:])
    write(path, [LINE])
    assert LedgerFile(path).lines[-1] == LINE


def test_a_failed_flush_stops_it(path, monkeypatch):
    """What the disk may have lost is not built upon."""

    def fails(descriptor):
        raise OSError(5, "Input/output error")

    with opened(path) as file:
        file.add(MANY[:1], is_durable=True)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", fails)
            with pytest.raises(CampaignPaused, match="Input/output error"):
                file.add(MANY[1:2], is_durable=True)
        with pytest.raises(CampaignPaused, match="before"):
            file.add(MANY[2:3], is_durable=True)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    """In one sentence that says where."""
    (tmp_path / "ledger").write_text("a file")
    with pytest.raises(CampaignPaused, match="cannot be used"):
        write(tmp_path / "ledger" / "x.jsonl", MANY)
