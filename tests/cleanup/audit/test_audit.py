"""The audit: whole campaigns pass, and whatever was touched is found and named."""

import hashlib
import shutil
import sqlite3
from collections import Counter
from contextlib import closing

import pytest
from campaign_bench import bench
from cleanup_journals import (
    campaign_folder,
    canonical,
    every_final,
    findings,
    found,
    proof,
    small,
    unsealed,
)

from tokenvault_data.cleanup.audit import rules
from tokenvault_data.cleanup.journal import states
from tokenvault_data.errors import UsageError


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A campaign that is over and in which every final occurs; not to be changed."""
    return campaign_folder(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / whole.name)


def test_a_whole_campaign_passes(whole):
    """Every final is accounted for, the sum is told, and files are as they were."""
    before = {path.name: path.read_bytes() for path in whole.iterdir()}
    result = proof(whole)
    assert (result.ok, result.complete, result.findings) == (True, True, ())
    assert result.finals == dict.fromkeys(rules.FINALS, 1)
    assert (result.planned, result.open) == (9, 0)
    assert result.sentence.startswith("9 planned = 1 deleted + 1 gone_after_attempt + ")
    assert [one.is_known for one in result.approvals] == [True]
    assert {path.name: path.read_bytes() for path in whole.iterdir()} == before


def test_its_law_is_that_of_the_engine():
    """Two tables of moves, written apart, say the same."""
    moves = states.ITEM_TRANSITIONS
    assert {(a, b) for a in moves for b in moves[a]} == rules.ITEM_MOVES
    moves = states.CAMPAIGN_TRANSITIONS
    assert {(a, b) for a in moves for b in moves[a]} == rules.CAMPAIGN_MOVES
    assert set(rules.FINALS) == states.FINALS
    assert set(rules.GONE) == states.AS_WANTED
    assert rules.OVER == states.ENDED


def test_a_campaign_of_the_engine_passes(tmp_path):
    """What a real campaign wrote, held after its canary and then over, holds."""
    with bench(tmp_path, customers=20) as made:
        made.apply()
        folder = tmp_path / "campaigns" / made.plan.id
        held = proof(folder, config_dir=tmp_path / "config")
        assert (held.ok, held.complete, held.state) == (True, False, "held")
        made.apply()
        result = proof(folder, config_dir=tmp_path / "config")
        assert (result.findings, result.complete, result.proven) == ((), True, True)
        assert result.anchors == ("ledger",)
        assert result.finals == {"deleted": len(made.plan.cards)}


def own_hash(line, detail):
    text = canonical([*line[:4], detail])
    return hashlib.sha256(f"{line[5]}\n{text}".encode()).hexdigest()


def edited(folder, book, *, chain="whole", tables=False):
    """Write the changed records of a book into the journal of its campaign.

    `chain`: none of the hashes made anew, only each record's own, or the whole chain.
    """
    was = every_final(book.plan).linked()
    lines = book.linked()
    if chain != "whole":
        known = {line[0]: line for line in was}
        for at, line in enumerate(lines):
            kept = known.get(line[0], line)
            changed = (*line[:5], *kept[5:])
            lines[at] = changed
            if chain == "own":
                lines[at] = (*changed[:6], own_hash(changed, book.rows[at][4]))
    with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
        connection.execute("DELETE FROM audit")
        connection.executemany("INSERT INTO audit VALUES (?,?,?,?,?,?,?)", lines)
        if tables:
            campaign, items, attempts = book.tables()
            for table in ("attempts", "items"):
                connection.execute(f"DELETE FROM {table}")
            for table, rows in (("items", items), ("attempts", attempts)):
                marks = ",".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
            connection.execute("DELETE FROM campaign")
            connection.executemany("INSERT INTO campaign VALUES (?,?)", campaign.items())
        connection.commit()


def _delete(rows):
    del rows[30]


def _delete_and_close_the_gap(rows):
    del rows[30]
    for seq, row in enumerate(rows, start=1):
        row[0] = seq


def _edit(rows):
    at = next(n for n, row in enumerate(rows) if row[4].get("outcome") == "in_doubt")
    rows[at][4] = rows[at][4] | {"outcome": "accepted", "status": 200}


def _edit_a_name(rows):
    at = next(n for n, row in enumerate(rows) if row[2] == "confirmed")
    rows[at][4] = rows[at][4] | {"by": "Deepa"}


def _reorder(rows):
    rows[20][1:], rows[21][1:] = rows[21][1:], rows[20][1:]


def _cut(rows):
    del rows[-3:]


def _insert(rows):
    rows.insert(40, [41, *rows[39][1:]])
    for seq, row in enumerate(rows, start=1):
        row[0] = seq


@pytest.mark.parametrize("is_sealed", [True, False], ids=["seal", "no seal"])
@pytest.mark.parametrize("tables", [False, True], ids=["records", "records and tables"])
@pytest.mark.parametrize("chain", ["none", "own", "whole"])
@pytest.mark.parametrize(
    "change",
    [_delete, _delete_and_close_the_gap, _edit, _edit_a_name, _reorder, _cut, _insert],
    ids=lambda change: change.__name__.strip("_"),
)
def test_touched_records_are_found(copy, change, chain, tables, is_sealed):
    """Deleted, edited, reordered, cut, inserted; with or without hashes and tables made anew.

    Records cut off at the end with all that follows from them, the seal removed: not over.
    """
    book = every_final()
    change(book.rows)
    edited(copy, book, chain=chain, tables=tables)
    if not is_sealed:
        (copy / "seal.json").unlink()
    result = proof(copy)
    if change is _cut and tables and not is_sealed:
        assert not result.complete  # it cannot be told from a campaign that is not over yet
    else:
        assert any(one.startswith(("journal.sqlite", "seal.json")) for one in result.findings)


def test_a_changed_record_is_named_by_its_number(copy):
    """The first broken link is that of the record that was edited, and only one is."""
    with closing(sqlite3.connect(copy / "journal.sqlite")) as connection:
        connection.execute(
            "UPDATE audit SET detail=replace(detail,'503','200') WHERE kind='outcome'"
        )
        ((seq,),) = connection.execute(
            "SELECT seq FROM audit WHERE number=1 AND kind='outcome'"
        ).fetchall()
        connection.commit()
    assert found(copy, f"record {seq} of the audit (outcome) was changed")
    assert Counter("its hash is not its own" in one for one in findings(copy))[True] == 1


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE items SET final='deleted' WHERE number=7", ("table items, row 7", "final")),
        ("UPDATE items SET changed_at='x' WHERE number=2", ("table items, row 2", "changed_at")),
        ("DELETE FROM items WHERE number=8", ("table items has no row 8",)),
        ("INSERT INTO items VALUES (9,'final','deleted',1,NULL,'x')", ("has a row 9",)),
        ("UPDATE attempts SET status=404 WHERE number=0", ("table attempts", "status")),
        ("UPDATE attempts SET idempotency_key='k' WHERE number=0", ("idempotency_key",)),
        ("DELETE FROM attempts WHERE number=6", ("table attempts has no row",)),
        ("UPDATE campaign SET value='completed' WHERE key='state'", ("row state",)),
        ("UPDATE campaign SET value='3' WHERE key='rows'", ("row rows",)),
        ("INSERT INTO campaign VALUES ('note','x')", ("row note",)),
        ("CREATE TABLE other(x)", ("it holds a table other",)),
        ("CREATE VIEW seen AS SELECT 1", ("it holds a view seen",)),
        ("DROP TABLE attempts", ("no table attempts",)),
        ("DELETE FROM audit", ("its audit is empty",)),
    ],
)
def test_a_touched_table_is_found(copy, statement, words):
    """Without a seal as well: the tables are held against the records, row by row."""
    (copy / "seal.json").unlink()
    with closing(sqlite3.connect(copy / "journal.sqlite")) as connection:
        connection.execute(statement)
        connection.commit()
    assert found(copy, "journal.sqlite", *words)


def test_an_open_campaign_is_fine_so_far(tmp_path):
    """What is not over is no fault; how much is open is said, and that it is not complete."""
    book = small().delete(0).release().until_gone(1)
    result = proof(unsealed(tmp_path, book))
    assert (result.ok, result.complete, result.open) == (True, False, 2)
    assert result.sentence == "3 planned = 1 deleted + 2 open"


def test_a_plan_never_applied_is_open(tmp_path):
    """A folder with a plan only holds no fault, and nothing that is done."""
    folder = unsealed(tmp_path, small())
    (folder / "journal.sqlite").unlink()
    result = proof(folder)
    assert (result.ok, result.complete, result.open, result.state) == (True, False, 3, "sealed")


def test_a_transaction_cut_by_a_crash_is_taken_back(tmp_path):
    """A rollback journal left by a crash is played back in a copy; the files stay as they are."""
    folder = unsealed(tmp_path, small().delete(0))
    path = folder / "journal.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size=1")
        connection.execute("BEGIN")
        connection.execute("UPDATE items SET final='deleted', reason=hex(zeroblob(5000))")
        connection.execute("UPDATE audit SET at='x'")
        torn = tmp_path / "torn" / folder.name
        shutil.copytree(folder, torn)
        connection.execute("ROLLBACK")
    assert (torn / "journal.sqlite-journal").stat().st_size > 0
    before = {one.name: one.read_bytes() for one in torn.iterdir()}
    assert before["journal.sqlite"] != path.read_bytes()
    assert proof(torn).ok
    assert {one.name: one.read_bytes() for one in torn.iterdir()} == before


def test_it_does_not_wait_for_a_campaign_at_work(tmp_path):
    """While another process writes, what is committed is audited."""
    folder = unsealed(tmp_path, small().delete(0))
    with closing(sqlite3.connect(folder / "journal.sqlite", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE items SET reason='at work'")
        assert proof(folder).ok
        connection.execute("ROLLBACK")


def test_a_noted_digest_vouches_or_is_found(whole):
    """The digest that was noted when it ended; another one is found, and half of one refused."""
    digest = proof(whole).seal_digest
    result = proof(whole, noted_seal=digest)
    assert (result.anchors, result.proven) == (("noted seal",), True)
    assert result.verdict.startswith(
        "Everything holds, and the noted seal vouches for it: 9 planned"
    )
    assert found(whole, "seal.json", "not the one that was noted", noted_seal="0" * 64)
    for odd in ("", digest[:12], digest.upper(), f"{digest}0"):
        with pytest.raises(UsageError, match="64 hexadecimal digits"):
            proof(whole, noted_seal=odd)


def test_a_noted_digest_of_a_campaign_that_is_not_over_is_found(tmp_path):
    """It cannot have been noted yet."""
    assert found(unsealed(tmp_path, small().delete(0)), "seal.json", noted_seal="0" * 64)


def test_without_an_anchor_it_does_not_say_that_everything_holds(whole):
    """It says what is not proven, and what would prove it."""
    result = proof(whole)
    assert (result.ok, result.complete, result.anchors, result.proven) == (True, True, (), False)
    assert "Everything holds" not in result.verdict
    for words in ("were not rewritten as a whole", "`--seal DIGEST`", "cleanup countersign"):
        assert words in result.verdict
