"""On the disk before it is sent, with system calls as the proof; full disks and wrong clocks."""

import re
import time
from typing import NamedTuple

import pytest
from cleanup_mortals import mortal, zygote

JOURNAL = "tokenvault_data.cleanup.journal.journal"


@pytest.fixture(scope="module")
def forked_from():
    with zygote() as made:
        yield made


# -- durable before sent --------------------------------------------------------------------------


class Call(NamedTuple):
    """A system call: where in the record it began and ended, and its whole text."""

    began: int
    ended: int
    text: str


_LINE = re.compile(r"(?P<pid>\d+)\s+(?P<text>.*)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>")


def read_calls(path):
    """Read what strace wrote; a call that others interrupted is put together again."""
    calls, begun = [], {}
    for place, line in enumerate(path.read_text(errors="replace").splitlines()):
        found = _LINE.match(line)
        pid, text = found["pid"], found["text"]
        if text.endswith("<unfinished ...>"):
            begun[pid] = (place, text.removesuffix("<unfinished ...>"))
        elif _RESUMED.match(text) and pid in begun:
            began, first = begun.pop(pid)
            calls.append(Call(began, place, first + _RESUMED.sub("", text)))
        else:
            calls.append(Call(place, place, text))
    return calls


_DELETE = re.compile(
    r'(?:sendto|write|writev|sendmsg)\(.*?"DELETE .*?x-idempotency-key: ([0-9a-f-]+)', re.IGNORECASE
)
_STEPS = (
    ("synced its rollback journal", re.compile(r"^f(?:data)?sync\(.*journal\.sqlite-journal>\)")),
    ("wrote", re.compile(r"^pwrite64\(\d+<.*journal\.sqlite>")),
    ("synced it", re.compile(r"^f(?:data)?sync\(.*journal\.sqlite>\)")),
    ("committed it", re.compile(r"^unlink(?:at)?\(.*journal\.sqlite-journal")),
    ("synced its folder", re.compile(r"^f(?:data)?sync\(\d+<[^>]*/campaigns/[0-9a-f]+>\)")),
    ("was followed by a line of the ledger", re.compile(r"^write\(\d+<[^>]*\.jsonl>")),
    ("was followed by a sync of the ledger", re.compile(r"^f(?:data)?sync\(\d+<[^>]*\.jsonl>\)")),
)


def not_durable(calls):
    """Say which deletes were sent before which step of their intent was on the disk."""
    deletes = [(call, found[1]) for call in calls if (found := _DELETE.match(call.text))]
    missing = []
    for sent, key in deletes:
        earlier = [call for call in calls if call.ended < sent.began]
        (_, sync_first), (_, wrote), *after = _STEPS
        written = [c for c in earlier if wrote.match(c.text) and key in c.text]
        if not written:
            missing.append(f"{key}: never written")
            continue
        if not any(sync_first.match(c.text) and c.ended < written[0].began for c in earlier):
            missing.append(f"{key}: no rollback journal was synced")
        place = written[0].ended
        for name, pattern in after:
            found = [c for c in earlier if c.began > place and pattern.match(c.text)]
            if not found:
                missing.append(f"{key}: sent before the journal {name}")
                break
            place = found[0].ended
    return len(deletes), missing


def traced(tmp_path, **order):
    """Apply a plan under strace; how many deletes it sent, and which of them too early."""
    record = tmp_path / "calls"
    watch = "trace=pwrite64,write,writev,sendto,sendmsg,fsync,fdatasync,unlink,unlinkat"
    command = ("strace", "-f", "-y", "-s", "20000", "-e", watch, "-o", str(record))
    with (
        zygote(*command) as forked_from,
        mortal(forked_from, tmp_path / "store", customers=9) as one,
    ):
        answer = one.run(concurrency=4, **order)
        assert answer.get("is_over"), answer
        sent = len(one.deletes())
    count, missing = not_durable(read_calls(record))
    assert count == sent, "the record lacks deletes that the server saw"
    return count, missing


@pytest.mark.chaos
def test_every_intent_is_on_the_disk_before_its_delete_is_sent(tmp_path):
    """Write, sync, commit, the folder's sync and the ledger's all end before the delete leaves."""
    count, missing = traced(tmp_path)
    assert count >= 5
    assert missing == []


@pytest.mark.chaos
@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL", "FULL"])
def test_a_lesser_synchronous_is_found_out(tmp_path, synchronous):
    """With less than EXTRA something is not on the disk yet, which no kill could ever show."""
    old = 'synchronous: str = "EXTRA",\n    ) -> Self:'
    wrong = {"module": JOURNAL, "old": old, "new": old.replace("EXTRA", synchronous)}
    _, missing = traced(tmp_path, mutants=[wrong])
    assert missing


# -- a full disk ----------------------------------------------------------------------------------


def filled(forked_from, place, nth, free_bytes):
    """Let the disk be full from the nth commit on, then make room; was it ever met?"""
    with mortal(forked_from, place, customers=9) as one:
        one.emulator.set_faults("applied-then-500:0.3@delete")
        answer = one.run(full_at=nth, free_bytes=free_bytes)
        assert not one.found()
        if answer.get("is_over"):
            return False
        assert answer["error"] == "CampaignPaused", answer
        one.finish()
        assert not one.found(is_over=True)
        return True


@pytest.mark.parametrize(("nth", "free_bytes"), [(1, 0), (4, 600), (9, 30_000)])
def test_a_full_disk_pauses_and_loses_nothing(forked_from, tmp_path, nth, free_bytes):
    """A write of the journal that fails, whole or half done: nothing is sent, all is kept."""
    assert filled(forked_from, tmp_path, nth, free_bytes)


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_a_full_disk_at_every_write(forked_from, tmp_path):
    """The same for every commit of a campaign, and for how much of it still fits."""
    for free_bytes in (0, 600, 20_000):
        nth = 1
        while filled(forked_from, tmp_path / f"{free_bytes}-{nth}", nth, free_bytes):
            nth += 1
        assert nth > 10


# -- clocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_while_it_runs(forked_from, tmp_path, hours):
    """Set forward or back by an hour between check and delete: slower perhaps, never wrong."""
    with mortal(forked_from, tmp_path, customers=9) as one:
        one.emulator.set_faults("500@delete#1-20")
        one.run(  # set back by an hour, going on after the canary is refused, and rightly so
            may_fail=True,
            at="after_intent_commit",
            nth=2,
            wall_step_seconds=3600 * hours,
            check_holds_seconds=60.0,
            speed=100.0,
        )
        assert not one.found(clock_is_right=False)
        one.finish()
        assert not one.found(is_over=True, clock_is_right=False)


def test_stopped_between_intent_and_send(forked_from, tmp_path):
    """A process that stood still for longer than its check holds takes the intent back."""
    limits = (("settle_seconds", 0.1),)
    with mortal(forked_from, tmp_path, customers=9, limits=limits) as one:
        began = time.time()
        one.run(at="after_intent_commit", speed=1.0, check_holds_seconds=0.5, stop_seconds=1.2)
        assert not one.found()
        first = min(entry.received_at_seconds for entry in one.emulator.wire_log.entries("delete"))
        assert first > began + 1.2
        one.finish()
        assert not one.found(is_over=True)
