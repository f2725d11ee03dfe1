"""The tables of a journal, row by row, against what its records add up to."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

    from tokenvault_data.cleanup.audit.findings import Findings
    from tokenvault_data.cleanup.audit.replay import Replay
    from tokenvault_data.cleanup.plan.plan_file import Plan


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
