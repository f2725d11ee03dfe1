"""The journal: durable, chained, and never believed when its tables say something else."""

import hashlib
import json
import sqlite3
import stat
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tokenvault_data.cleanup.journal.journal import Journal, JournalHead
from tokenvault_data.cleanup.journal.records import Record, canonical, ended, moved, state
from tokenvault_data.cleanup.ledger.ledger import Mark
from tokenvault_data.errors import CampaignHalted, CampaignPaused

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
HEAD = JournalHead("abc", "abc" * 20, "emulator", None, 3, "asha", "m" * 16)
CHECKED = {"status": 200, "verdict": "holds", "reason": None, "request_id": "r"}
CHECKED |= {"asked_at": NOW.isoformat(), "listed": 2}

AGES = {"evidence_seconds": 0.5, "bound_seconds": 2.0}
SEEN = {"status": 404, "verdict": "gone", "request_id": "r", "after_seconds": 60.5}
SENT = {"evidence_seconds": 0.5, "late_seconds": None}


def open_journal(folder, head=HEAD):
    return Journal.open(folder / "journal.sqlite", head, clock=lambda: NOW)


def intend(number, attempt, ordinal=1):
    detail = {"attempt": attempt, "ordinal": ordinal, "idempotency_key": f"k{attempt}"}
    return [
        Record("checked", number, CHECKED),
        moved(number, "planned", "checked"),
        Record("intended", number, detail | {"deadline": "d"} | AGES),
        moved(number, "checked", "intended"),
    ]


def outcome(number, attempt, name="accepted"):
    detail = {"attempt": attempt, "outcome": name, "status": 200, "code": None, "request_id": "r"}
    return [Record("outcome", number, detail | SENT), moved(number, "intended", name)]


def filled(folder):
    with open_journal(folder) as journal:
        journal.commit([state("sealed", "canary", None)])
        journal.commit(intend(0, "a"))
        journal.commit(outcome(0, "a"))
        journal.commit(
            [
                Record("seen", 0, SEEN),
                moved(0, "accepted", "verifying"),
                ended(0, "verifying", "deleted", "404"),
            ]
        )
        journal.commit(intend(1, "b"))
    return folder / "journal.sqlite"


def test_what_was_committed_is_there_again(tmp_path):
    """A journal opened anew stands where it stood."""
    filled(tmp_path)
    with open_journal(tmp_path) as journal:
        standing = journal.standing
        assert standing.state == "canary"
        assert [item.state for item in standing.items] == ["final", "intended", "planned"]
        assert (standing.items[0].final, standing.items[1].attempt) == ("deleted", "b")
        assert (standing.attempted, standing.deletes, standing.requests) == (2, 2, 5)


def test_the_chain_can_be_followed_with_nothing_but_the_plan(tmp_path):
    """Every hash is that of its record and the one before, from the plan's digest on."""
    path = filled(tmp_path)
    previous = HEAD.plan_digest
    rows = sqlite3.connect(path).execute("SELECT * FROM audit ORDER BY seq").fetchall()
    for place, (seq, at, kind, number, detail, before, hash_) in enumerate(rows, start=1):
        assert seq == place
        assert before == previous
        text = canonical([seq, at, kind, number, json.loads(detail)])
        assert hash_ == hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()
        previous = hash_


def test_a_journal_extends_its_own_marks_and_no_others(tmp_path):
    """One ahead of a mark is sound; one behind it, or of another history, is not."""
    marks = []
    with open_journal(tmp_path) as journal:
        for records in ([state("sealed", "canary", None)], intend(0, "a"), outcome(0, "a")):
            journal.commit(records)
            marks.append(journal.mark)
    assert [mark.seq for mark in marks] == [2, 6, 8]
    with open_journal(tmp_path) as journal:
        assert journal.mark == marks[-1]
        assert all(journal.extends(mark) for mark in (Mark(0, ""), *marks))
        assert not journal.extends(Mark(9, marks[-1].hash))
        assert not journal.extends(Mark(6, marks[0].hash))
        assert journal.attempts() == [("a", 0)]
    (tmp_path / "other").mkdir()
    with open_journal(tmp_path / "other") as behind:
        assert behind.extends(Mark(0, ""))
        assert not any(behind.extends(mark) for mark in marks)
        assert behind.attempts() == []


def test_a_journal_begun_on_another_machine_can_be_read(tmp_path):
    """Which machine that was is in its first record; whether it may go on is not decided here."""
    filled(tmp_path)
    with open_journal(tmp_path, replace(HEAD, machine="elsewhere")) as journal:
        assert journal.standing.state == "canary"
    rows = sqlite3.connect(tmp_path / "journal.sqlite").execute("SELECT detail FROM audit")
    assert json.loads(rows.fetchone()[0])["machine"] == HEAD.machine


def recovered_from(folder):
    with open_journal(folder) as journal:
        journal.commit([state("canary", "halted", "the journal was lost")])
        journal.commit(
            [
                Record("recovered", None, {"by": "asha", "machine": "m", "reason": "lost"}),
                Record("remembered", 2, {"attempt": "x", "campaign": "abc", "at": "t"}),
                moved(2, "planned", "verifying"),
                state("halted", "verifying", None),
            ]
        )


@pytest.mark.parametrize(
    "records",
    [
        [state("verifying", "paused", None), state("paused", "running", None)],
        [Record("recovered", None, {"by": "asha", "machine": "m", "reason": "again"})],
    ],
)
def test_what_was_recovered_deletes_nothing_any_more(tmp_path, records):
    """No intent fits into it, and it goes back to no state in which one would."""
    filled(tmp_path)
    recovered_from(tmp_path)
    for wrong in (records, intend(2, "c")):
        with open_journal(tmp_path) as journal, pytest.raises(CampaignHalted):
            journal.commit(wrong)
    with open_journal(tmp_path) as journal:
        assert journal.standing.is_recovered
        assert [item.is_remembered for item in journal.standing.items] == [False, False, True]


@pytest.mark.parametrize(
    "records",
    [
        [Record("recovered", None, {"by": "asha", "machine": "m", "reason": "x"})],
        [Record("remembered", 2, {"attempt": "x", "campaign": "abc", "at": "t"})],
        [state("canary", "halted", "x"), state("halted", "verifying", None)],
    ],
)
def test_only_a_halted_campaign_is_recovered(tmp_path, records):
    """And only by saying so; nothing is remembered before that."""
    filled(tmp_path)
    with open_journal(tmp_path) as journal, pytest.raises(CampaignHalted):
        journal.commit(records)


def test_tables_say_what_the_contract_says(tmp_path):
    """Items, attempts and campaign hold the present state, readable with plain SQL."""
    connection = sqlite3.connect(filled(tmp_path))
    campaign = dict(connection.execute("SELECT key,value FROM campaign"))
    assert campaign["format"] == "tokenvault-journal"
    assert (campaign["format_version"], campaign["machine"]) == ("2", HEAD.machine)
    assert (campaign["state"], campaign["rows"], campaign["started_by"]) == ("canary", "3", "asha")
    assert connection.execute("SELECT state,final,attempts FROM items").fetchall() == [
        ("final", "deleted", 1),
        ("intended", None, 1),
        ("planned", None, 0),
    ]
    assert connection.execute("SELECT id,number,outcome,status FROM attempts").fetchall() == [
        ("a", 0, "accepted", 200),
        ("b", 1, None, None),
    ]


def test_it_is_durable_by_its_settings(tmp_path):
    """Rollback journal, EXTRA, foreign keys, and readable by its owner only."""
    with open_journal(tmp_path) as journal:
        ask = journal._connection.execute
        assert ask("PRAGMA journal_mode").fetchone() == ("delete",)
        assert ask("PRAGMA synchronous").fetchone() == (3,)
        assert ask("PRAGMA foreign_keys").fetchone() == (1,)
    assert stat.S_IMODE((tmp_path / "journal.sqlite").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE items SET final='unresolved' WHERE number=0",
        "UPDATE items SET state='planned' WHERE number=1",
        "UPDATE items SET attempts=0 WHERE number=0",
        "UPDATE items SET reason='x' WHERE number=0",
        "DELETE FROM items WHERE number=2",
        "INSERT INTO items VALUES (3,'planned',NULL,0,NULL,'x')",
        "UPDATE attempts SET outcome='rejected' WHERE id='a'",
        "UPDATE attempts SET outcome='accepted' WHERE id='b'",
        "UPDATE attempts SET idempotency_key='x' WHERE id='a'",
        "DELETE FROM attempts WHERE id='b'",
        "UPDATE campaign SET value='completed' WHERE key='state'",
        "UPDATE audit SET detail='{}' WHERE seq=3",
        "UPDATE audit SET at='x' WHERE seq=3",
        "UPDATE audit SET number=2 WHERE seq=3",
        "DELETE FROM audit WHERE seq=4",
        "DELETE FROM audit WHERE seq=(SELECT max(seq) FROM audit)",
        "DELETE FROM audit",
        "UPDATE audit SET detail=replace(detail,':',': ') WHERE seq=3",
    ],
)
def test_whatever_was_changed_behind_its_back_halts(tmp_path, change):
    """No table and no record can be edited so that the campaign goes on from it."""
    path = filled(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute(change)
    connection.commit()
    connection.close()
    with pytest.raises(CampaignHalted):
        open_journal(tmp_path)


def test_a_journal_of_another_plan_halts(tmp_path):
    """A copied journal cannot be put under another plan."""
    filled(tmp_path)
    other = JournalHead("abc", "def" * 20, "emulator", None, 3, "asha", "m" * 16)
    with pytest.raises(CampaignHalted):
        open_journal(tmp_path, other)


def test_bytes_that_are_no_database_halt(tmp_path):
    """A file of something else is a damaged journal, and no traceback."""
    (tmp_path / "journal.sqlite").write_bytes(b"no database " * 1000)
    with pytest.raises(CampaignHalted):
        open_journal(tmp_path)


@pytest.mark.parametrize(
    "records",
    [
        [moved(2, "verifying", "planned")],
        [moved(2, "planned", "intended")],
        [moved(7, "planned", "checked")],
        [state("held", "running", None)],
        [ended(2, "planned", "vanished", None)],
        outcome(1, "another"),
        intend(1, "c"),
        [Record("sealed", None, {"counts": {}})],
        [Record("gossip", None, {})],
        [HEAD.opened()],
    ],
)
def test_what_cannot_be_is_not_written(tmp_path, records):
    """A record that fits nothing halts, and the disk stays as it was."""
    path = filled(tmp_path)
    before = path.read_bytes()
    with open_journal(tmp_path) as journal, pytest.raises(CampaignHalted):
        journal.commit(records)
    assert path.read_bytes() == before


def test_a_transaction_is_whole_or_not_there(tmp_path):
    """When a later record of a transaction fails, none of it is there."""
    filled(tmp_path)
    with open_journal(tmp_path) as journal, pytest.raises(CampaignHalted):
        journal.commit([*outcome(1, "b"), moved(2, "intended", "accepted")])
    with open_journal(tmp_path) as journal:
        assert journal.standing.items[1].state == "intended"


def test_a_full_disk_pauses_and_loses_nothing(tmp_path):
    """What did not fit is not there, nothing more is taken, and what was there still is."""
    filled(tmp_path)
    journal = open_journal(tmp_path)
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count={pages}")
    big = [Record("confirmed", None, {"phrase": "x" * 100_000, "by": "asha"})]
    with pytest.raises(CampaignPaused, match="room"):
        journal.commit(big)
    with pytest.raises(CampaignPaused):
        journal.commit(outcome(1, "b"))
    journal.close()
    with open_journal(tmp_path) as again:
        assert again.standing.items[1].state == "intended"
        again.commit(outcome(1, "b"))
