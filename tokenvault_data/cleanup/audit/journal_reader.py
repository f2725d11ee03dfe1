"""The journal as the audit reads it: the file itself is never written to, not even by SQLite.

A campaign that is over is read where it lies, as a file that nobody changes. One that is not may be
at work, or may have been killed in the middle of a transaction; it is copied while SQLite's own
lock keeps writers out for that moment, together with the rollback journal where a crash left one,
and the copy is read.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing, contextmanager
from itertools import zip_longest
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.cleanup.audit.rules import JournalEntry
from tokenvault_data.dataset.readers import open_sqlite
from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tokenvault_data.cleanup.audit.findings import Findings
    from tokenvault_data.cleanup.audit.replay import Replay
    from tokenvault_data.cleanup.plan.plan import Plan


def check_tables(
    connection: sqlite3.Connection, plan: Plan, replay: Replay, findings: Findings
) -> None:
    """Find every row that says something else than the records.

    Raises
    ------
    sqlite3.Error
        A table cannot be read.
    """
    _check_campaign(connection, plan, replay, findings)
    _check_items(connection, replay, findings)
    _check_attempts(connection, replay, findings)


def _differs(findings: Findings, table: str, row: str, what: str) -> None:
    findings.add(
        f"rows of table {table} that differ",
        f"journal.sqlite: table {table}, row {row}: {what} is not what the records say",
    )


def _check_campaign(
    connection: sqlite3.Connection, plan: Plan, replay: Replay, findings: Findings
) -> None:
    wanted: dict[str, str | None] = {
        "format": "tokenvault-journal",
        "format_version": "2",
        "plan_id": plan.id,
        "plan_digest": plan.digest,
        "environment": plan.environment,
        "merchant": plan.merchant or "",
        "rows": str(len(plan.cards)),
        "machine": next(iter(replay.machines), None),
        "state": replay.state,
        "reason": replay.reason or "",
        "created_at": replay.opened_at,
    }
    found = dict(connection.execute("SELECT key,value FROM campaign").fetchall())
    found.pop("started_by", None)  # in no record; the seal covers it
    for key in sorted(wanted.keys() | found.keys(), key=str):
        if wanted.get(key) != found.get(key):
            _differs(findings, "campaign", str(key), "its value")


def _check_items(connection: sqlite3.Connection, replay: Replay, findings: Findings) -> None:
    names = ("number", "state", "final", "attempts", "reason", "changed_at")
    rows = connection.execute(
        "SELECT number,state,final,attempts,reason,changed_at FROM items ORDER BY number"
    )
    wanted: dict[int, tuple[Any, ...]] = {
        number: (number, card.state, card.final, len(card.attempts), card.reason, card.changed_at)
        for number, card in enumerate(replay.cards)
    }
    _compare("items", names, rows, wanted, findings)


def _check_attempts(connection: sqlite3.Connection, replay: Replay, findings: Findings) -> None:
    names = (
        "id",
        "number",
        "ordinal",
        "idempotency_key",
        "intended_at",
        "deadline",
        "outcome",
        "status",
        "code",
        "request_id",
        "ended_at",
    )
    rows = connection.execute(
        "SELECT id,number,ordinal,idempotency_key,intended_at,deadline,outcome,status,code,"
        "request_id,ended_at FROM attempts"
    )
    wanted: dict[str, tuple[Any, ...]] = {
        one.attempt: (
            one.attempt,
            number,
            one.ordinal,
            one.idempotency_key,
            one.intended_at,
            one.deadline,
            one.outcome,
            one.status,
            one.code,
            one.request_id,
            one.ended_at,
        )
        for number, card in enumerate(replay.cards)
        for one in card.attempts
    }
    _compare("attempts", names, rows, wanted, findings)


def _compare(
    table: str,
    names: tuple[str, ...],
    rows: sqlite3.Cursor,
    wanted: dict[Any, tuple[Any, ...]],
    findings: Findings,
) -> None:
    for row in rows:
        expected = wanted.pop(row[0], None)
        if expected is None:
            findings.add(
                f"rows of table {table} that no record explains",
                f"journal.sqlite: table {table} has a row {row[0]} that no record explains",
            )
            continue
        for name, value, right in zip_longest(names, row, expected):
            if value != right:
                _differs(findings, table, str(row[0]), name)
    for key in wanted:
        findings.add(
            f"rows missing in table {table}",
            f"journal.sqlite: table {table} has no row {key}, and the records say there was one",
        )


JOURNAL_NAME: Final = "journal.sqlite"
ROLLBACK_NAME: Final = "journal.sqlite-journal"
"""Where SQLite keeps what a transaction overwrites, until it is committed."""

_TABLES: Final = {
    "campaign": ("key", "value"),
    "items": ("number", "state", "final", "attempts", "reason", "changed_at"),
    "attempts": (
        "id",
        "number",
        "ordinal",
        "idempotency_key",
        "intended_at",
        "deadline",
        "outcome",
        "status",
        "code",
        "request_id",
        "ended_at",
    ),
    "audit": ("seq", "at", "kind", "number", "detail", "previous", "hash"),
}
_WRITER_SECONDS: Final = 5.0


@contextmanager
def opened_journal(folder: Path, *, is_over: bool) -> Iterator[sqlite3.Connection]:
    """Open the journal of a campaign's folder for reading.

    Parameters
    ----------
    folder : Path
    is_over : bool
        Whether the journal is sealed, so that nobody writes to it any more.

    Raises
    ------
    sqlite3.Error, OSError
        It cannot be read.
    """
    path = folder / JOURNAL_NAME
    if is_over:
        with closing(_connect(path, "mode=ro&immutable=1")) as connection:
            yield connection
        return
    with TemporaryDirectory(prefix="tokenvault-audit-") as place:
        copy = local_path(place) / JOURNAL_NAME
        _copy(path, copy)
        with closing(_connect(copy, "mode=rw")) as connection:
            yield connection


def _connect(path: Path, how: str) -> sqlite3.Connection:
    connection = open_sqlite(path, how, timeout=_WRITER_SECONDS, isolation_level=None)
    # Text that is no UTF-8 is a fault to be told, not one to stop at.
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    return connection


def _copy(path: Path, copy: Path) -> None:
    with closing(_connect(path, "mode=ro")) as connection:
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            # Damaged, or left by a crash in the middle of a transaction, which SQLite takes back
            # in the copy.
            beside = path.with_name(ROLLBACK_NAME)
            if beside.exists():
                shutil.copyfile(beside, copy.with_name(ROLLBACK_NAME))
        shutil.copyfile(path, copy)


def check_structure(connection: sqlite3.Connection, findings: Findings) -> bool:
    """Find what SQLite itself finds wrong, and what is in the file that no journal has.

    Returns
    -------
    bool
        Whether the tables of a journal are there.
    """
    for (line,) in connection.execute("PRAGMA integrity_check(20)").fetchall():
        if line != "ok":
            findings.add(
                "faults that SQLite finds", f"journal.sqlite: SQLite finds it damaged: {line}"
            )
    for kind, name in connection.execute(
        "SELECT type,name FROM sqlite_schema WHERE substr(name,1,17)<>'sqlite_autoindex_'"
    ).fetchall():
        if kind != "table" or name not in _TABLES:
            findings.add(
                "things that no journal holds",
                f"journal.sqlite: it holds a {kind} {name}, which no journal has",
            )
    is_whole = True
    for table, columns in _TABLES.items():
        found = tuple(
            row[1] for row in connection.execute(f"PRAGMA table_info({table})").fetchall()
        )
        if found != columns:
            is_whole = False
            findings.add("tables that are not there", f"journal.sqlite: it has no table {table}")
    return is_whole


def read_entries(
    connection: sqlite3.Connection, first_link: str, findings: Findings
) -> Iterator[tuple[JournalEntry, str]]:
    """Give the records in their order with their hashes, and find every broken link.

    Parameters
    ----------
    connection : sqlite3.Connection
    first_link : str
        What the first record has to be linked to: the plan's digest.
    findings : Findings
    """

    def broken(sentence: str) -> None:
        findings.add("broken links of its audit", f"journal.sqlite: {sentence}")

    previous, expected = first_link, 1
    for seq, at, kind, number, text, linked_to, stored in connection.execute(
        "SELECT seq,at,kind,number,detail,previous,hash FROM audit ORDER BY seq"
    ):
        if seq != expected:
            broken(f"record {expected} of the audit is missing; record {seq} is in its place")
        if linked_to != previous:
            broken(f"record {seq} of the audit is not linked to the one before it")
        detail = _object(text)
        kinds = (at, kind, linked_to, stored)
        is_odd = not all(isinstance(value, str) for value in kinds)
        if detail is None or is_odd or not isinstance(number, int | None):
            broken(f"record {seq} of the audit holds text that no campaign writes")
        else:
            link = hashlib.sha256(
                f"{linked_to}\n{_canonical([seq, at, kind, number, detail])}".encode(
                    "utf-8", "replace"
                )
            ).hexdigest()
            if link != stored:
                broken(f"record {seq} of the audit ({kind}) was changed: its hash is not its own")
            yield JournalEntry(seq, at, kind, number, detail), stored
        previous, expected = stored, seq + 1


def _object(text: Any) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
        is_canonical = isinstance(value, dict) and _canonical(value) == text
    except (ValueError, TypeError, RecursionError):
        return None
    return value if is_canonical else None


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
