"""The journal of one campaign: an SQLite database that is on the disk before anything is sent.

Rollback journal and ``synchronous=EXTRA``: a transaction that was committed outlives a power cut,
the removal of the rollback journal included. Every change of a table is made in one transaction
with the records that say it, and the records are a hash chain that starts from the plan's digest;
so the tables can always be held against the records, and are when a journal is opened.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from tokenvault_data.cleanup.journal.records import Record, canonical, link
from tokenvault_data.cleanup.journal.state import JournalState
from tokenvault_data.cleanup.ledger.ledger import Mark
from tokenvault_data.dataset.readers import open_sqlite
from tokenvault_data.errors import CampaignHalted, CampaignPaused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path


def replayed(connection: sqlite3.Connection, head: JournalHead) -> tuple[JournalState, int, str]:
    """Add up all records of a journal.

    Returns
    -------
    tuple of (Standing, int, str)
        Where it stands, and number and hash of its last record.

    Raises
    ------
    CampaignHalted
        The chain is broken, a record does not fit, a table says something else than the records,
        or they are about another plan.
    sqlite3.Error
        The database cannot be read.
    """
    standing = JournalState()
    expected, previous, wanted = 0, head.plan_digest, _Tables()
    for row in connection.execute(
        "SELECT seq,at,kind,number,detail,previous,hash FROM audit ORDER BY seq"
    ):
        seq, at, kind, number, text, linked_to, hash_ = row
        expected += 1
        detail = _detail(text, seq)
        record = Record(kind, number, detail)
        if seq != expected or linked_to != previous or link(previous, seq, at, record) != hash_:
            raise _damaged(f"record {expected} of its audit is not the one that was written")
        if seq == 1 and not _is_opening_of(head, record):
            raise _damaged("it is about another plan")
        try:
            standing.apply(record)
        except (KeyError, TypeError):
            raise _damaged(f"record {seq} of its audit lacks what it should hold") from None
        wanted.apply(record, at)
        previous = hash_
    if not standing.state:
        raise _damaged("its audit is empty")
    found = _found(connection)
    if found[0] != (standing.state, standing.reason or ""):
        raise _damaged("its table campaign does not say what its audit says")
    _compare_items(connection, standing)
    if found[1:] != (wanted.intents, wanted.outcomes):
        raise _damaged("its table attempts does not say what its audit says")
    return standing, expected, previous


def _is_opening_of(head: JournalHead, record: Record) -> bool:
    """Whether a journal is about this plan, on whichever machine it was begun."""
    opened = head.opened()
    detail = {**record.detail, "machine": head.machine}
    return record._replace(detail=detail) == opened and "machine" in record.detail


class _Tables:
    """What the table of attempts has to hold, as sums over its rows, so that it needs no memory."""

    def __init__(self) -> None:
        self.intents = 0
        self.outcomes = 0

    def apply(self, record: Record, at: str) -> None:
        detail = record.detail
        if record.kind == "intended":
            names = ("attempt", "ordinal", "idempotency_key", "deadline")
            self.intents += hash((record.number, at, *map(detail.get, names)))
        elif record.kind == "withdrawn":
            self.outcomes += hash((detail["attempt"], at, "withdrawn", None, None, None))
        elif record.kind == "outcome":
            names = ("outcome", "status", "code", "request_id")
            self.outcomes += hash((detail["attempt"], at, *map(detail.get, names)))


def _found(connection: sqlite3.Connection) -> tuple[tuple[Any, Any], int, int]:
    intents = outcomes = 0
    for row in connection.execute(
        "SELECT number,intended_at,id,ordinal,idempotency_key,deadline,ended_at,outcome,status,"
        "code,request_id FROM attempts"
    ):
        intents += hash(row[:6])
        if row[7] is not None:
            outcomes += hash((row[2], *row[6:]))
    campaign = dict(connection.execute("SELECT key,value FROM campaign"))
    return (campaign.get("state"), campaign.get("reason")), intents, outcomes


def _compare_items(connection: sqlite3.Connection, standing: JournalState) -> None:
    rows = connection.execute(
        "SELECT number,state,final,attempts,reason FROM items ORDER BY number"
    )
    count = 0
    for place, row in enumerate(rows):
        if place >= len(standing.items):
            raise _damaged("its table items has more rows than the plan")
        item = standing.items[place]
        if row != (place, item.state, item.final, item.intents, item.reason):
            raise _damaged(f"its table items does not say of item {place} what its audit says")
        count += 1
    if count != len(standing.items):
        raise _damaged("its table items has fewer rows than the plan")


def _detail(text: str, seq: int) -> dict[str, Any]:
    try:
        detail = json.loads(text)
    except ValueError:
        detail = None
    if not isinstance(detail, dict) or canonical(detail) != text:
        raise _damaged(f"record {seq} of its audit is not the one that was written")
    return detail


def _damaged(what: str) -> CampaignHalted:
    return CampaignHalted(
        f"the journal was damaged or changed: {what}; nothing was sent. Run the audit, which names"
        " every place; then `tokenvault cleanup recover PLAN` finds out by reading what has become"
        " of the cards"
    )


FILE_NAME: Final = "journal.sqlite"
RECOVER: Final = "tokenvault cleanup recover PLAN"

_SCHEMA: Final = """
CREATE TABLE campaign(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE items(number INTEGER PRIMARY KEY, state TEXT NOT NULL, final TEXT,
    attempts INTEGER NOT NULL, reason TEXT, changed_at TEXT NOT NULL) STRICT;
CREATE TABLE attempts(id TEXT PRIMARY KEY, number INTEGER NOT NULL REFERENCES items,
    ordinal INTEGER NOT NULL, idempotency_key TEXT NOT NULL UNIQUE, intended_at TEXT NOT NULL,
    deadline TEXT NOT NULL, outcome TEXT, status INTEGER, code TEXT, request_id TEXT,
    ended_at TEXT) STRICT;
CREATE TABLE audit(seq INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL,
    number INTEGER, detail TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL) STRICT
"""


@dataclass(frozen=True, slots=True)
class JournalHead:
    """What a journal is about, written once.

    Attributes
    ----------
    plan_id, plan_digest : str
    environment : str
    merchant : str or None
        `Profile.merchant_digest` of the account, None where the snapshot did not say.
    rows : int
        Planned cards, numbered from 0.
    started_by : str
        Who applied the plan first.
    machine : str
        On which machine, see `machine_id`.
    """

    plan_id: str
    plan_digest: str
    environment: str
    merchant: str | None
    rows: int
    started_by: str
    machine: str

    def opened(self) -> Record:
        """Return the first record."""
        detail = {
            "plan_id": self.plan_id,
            "plan_digest": self.plan_digest,
            "environment": self.environment,
            "merchant": self.merchant,
            "rows": self.rows,
            "machine": self.machine,
        }
        return Record("opened", None, detail)


class Journal:
    """An open journal; one connection, used from one thread at a time.

    Use `Journal.open`. ``with journal`` closes it.

    Attributes
    ----------
    standing : JournalState
        What the records add up to, those just committed included.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        standing: JournalState,
        seq: int,
        head_hash: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._connection = connection
        self._seq = seq
        self._hash = head_hash
        self._clock = clock
        self._is_broken = False
        self.standing = standing

    @classmethod
    def open(
        cls,
        path: Path,
        head: JournalHead,
        *,
        clock: Callable[[], datetime],
        synchronous: str = "EXTRA",
    ) -> Self:
        """Open a journal, or make it.

        Parameters
        ----------
        path : Path
            The database; its folder has to exist.
        head : JournalHead
            What it has to be about.
        clock : callable
            The time, with a zone.
        synchronous : str, optional
            SQLite's ``PRAGMA synchronous``; anything but the default is for simulations only.

        Raises
        ------
        CampaignHalted
            It is damaged, was changed, or is about another plan.
        CampaignPaused
            It cannot be read or written now.
        """
        try:
            connection = _connect(path, synchronous)
        except OSError as error:
            raise _unwritable(error) from error
        try:
            if not connection.execute("SELECT name FROM sqlite_schema LIMIT 1").fetchall():
                _lay_out(connection, head, clock().isoformat(timespec="microseconds"))
            standing, seq, head_hash = replayed(connection, head)
        except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
            connection.close()
            raise _as_ours(error) from error
        except BaseException:
            connection.close()
            raise
        return cls(connection, standing, seq, head_hash, clock)

    @property
    def mark(self) -> Mark:
        """Number and hash of the last record."""
        return Mark(self._seq, self._hash)

    def extends(self, mark: Mark) -> bool:
        """Say whether it holds the record of a mark, or more."""
        if mark.seq == 0:
            return True
        row = self._connection.execute("SELECT hash FROM audit WHERE seq=?", (mark.seq,)).fetchone()
        return row is not None and row[0] == mark.hash

    def attempts(self) -> list[tuple[str, int]]:
        """Return id and row of every intent that was not withdrawn."""
        return self._connection.execute(
            "SELECT id,number FROM attempts WHERE outcome IS NOT 'withdrawn' ORDER BY rowid"
        ).fetchall()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; what was committed stays."""
        self._connection.close()

    def commit(self, records: Sequence[Record]) -> None:
        """Write records and what they change, all in one transaction, onto the disk.

        Raises
        ------
        CampaignHalted
            A record does not fit what was written before it; nothing was written.
        CampaignPaused
            The disk did not take it. Nothing more can be committed through this object, since what
            it knows is ahead of the disk; open the journal again.
        """
        if self._is_broken:
            raise CampaignPaused(
                "the journal could not be written before, so nothing more is; open it again"
            )
        self._is_broken = True  # until the disk has it
        for record in records:
            self.standing.apply(record)
        at = self._clock().isoformat(timespec="microseconds")
        seq, previous = self._seq, self._hash
        lines: list[tuple[object, ...]] = []
        for record in records:
            seq += 1
            hash_ = link(previous, seq, at, record)
            detail = canonical(dict(record.detail))
            lines.append((seq, at, record.kind, record.number, detail, previous, hash_))
            previous = hash_
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT INTO audit VALUES (?,?,?,?,?,?,?)", lines)
            for record in records:
                _change_tables(self._connection, record, at)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise _as_ours(error) from error
        self._seq, self._hash = seq, previous
        self._is_broken = False


def _connect(path: Path, synchronous: str) -> sqlite3.Connection:
    with suppress(FileExistsError):  # SQLite gives its rollback journal the same rights
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        connection = open_sqlite(
            path, "mode=rw", isolation_level=None, check_same_thread=False, timeout=5.0
        )
    except sqlite3.Error as error:
        raise _as_ours(error) from error
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")
    except sqlite3.Error as error:
        connection.close()
        raise _as_ours(error) from error
    return connection


def _lay_out(connection: sqlite3.Connection, head: JournalHead, at: str) -> None:
    opened = head.opened()
    facts = {
        "format": "tokenvault-journal",
        "format_version": "2",
        **{key: "" if value is None else str(value) for key, value in opened.detail.items()},
        "state": "sealed",
        "reason": "",
        "created_at": at,
        "started_by": head.started_by,
    }
    numbers: Iterable[tuple[Any, ...]] = ((number, at) for number in range(head.rows))
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.executemany("INSERT INTO campaign VALUES (?,?)", facts.items())
    connection.executemany("INSERT INTO items VALUES (?,'planned',NULL,0,NULL,?)", numbers)
    hash_ = link(head.plan_digest, 1, at, opened)
    line = (1, at, opened.kind, None, canonical(dict(opened.detail)), head.plan_digest, hash_)
    connection.execute("INSERT INTO audit VALUES (?,?,?,?,?,?,?)", line)
    connection.execute("COMMIT")


def _change_tables(connection: sqlite3.Connection, record: Record, at: str) -> None:
    detail = record.detail
    match record.kind:
        case "state":
            connection.executemany(
                "UPDATE campaign SET value=? WHERE key=?",
                [(detail["to"], "state"), (detail["reason"] or "", "reason")],
            )
        case "intended":
            connection.execute(
                "INSERT INTO attempts(id,number,ordinal,idempotency_key,intended_at,deadline)"
                " VALUES (?,?,?,?,?,?)",
                (
                    detail["attempt"],
                    record.number,
                    detail["ordinal"],
                    detail["idempotency_key"],
                    at,
                    detail["deadline"],
                ),
            )
            connection.execute(
                "UPDATE items SET attempts=? WHERE number=?", (detail["ordinal"], record.number)
            )
        case "withdrawn":
            connection.execute(
                "UPDATE attempts SET outcome='withdrawn',ended_at=? WHERE id=?",
                (at, detail["attempt"]),
            )
        case "outcome":
            connection.execute(
                "UPDATE attempts SET outcome=?,status=?,code=?,request_id=?,ended_at=? WHERE id=?",
                (
                    detail["outcome"],
                    detail["status"],
                    detail["code"],
                    detail["request_id"],
                    at,
                    detail["attempt"],
                ),
            )
        case "item":
            connection.execute(
                "UPDATE items SET state=?,final=?,reason=?,changed_at=? WHERE number=?",
                (detail["to"], detail["final"], detail["reason"], at, record.number),
            )


def _as_ours(error: sqlite3.Error) -> CampaignHalted | CampaignPaused:
    # A corrupt file is a DatabaseError itself; a full disk, a lock or a lost file one of its kinds.
    damaged = type(error) is sqlite3.DatabaseError or isinstance(error, sqlite3.IntegrityError)
    if damaged or "malformed" in str(error):
        return CampaignHalted(
            f"the journal is damaged ({error}); nothing more was sent. Run the audit, which says"
            f" where; then `{RECOVER}` finds out by reading what has become of the cards"
        )
    return _unwritable(error)


def _unwritable(error: Exception) -> CampaignPaused:
    return CampaignPaused(
        f"the journal could not be written ({error}), so nothing more was sent. Make room or check"
        " the disk, then apply the plan again: it goes on from what is on the disk"
    )
