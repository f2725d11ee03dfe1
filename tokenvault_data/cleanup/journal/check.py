"""Opening a journal: its chain is followed link by link, and its tables are held against it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tokenvault_data.cleanup.journal.records import Record, canonical, link
from tokenvault_data.cleanup.journal.state import Standing
from tokenvault_data.errors import CampaignHalted

if TYPE_CHECKING:
    import sqlite3

    from tokenvault_data.cleanup.journal.journal import JournalHead


def replayed(connection: sqlite3.Connection, head: JournalHead) -> tuple[Standing, int, str]:
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
    standing = Standing()
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
            standing.take(record)
        except (KeyError, TypeError):
            raise _damaged(f"record {seq} of its audit lacks what it should hold") from None
        wanted.take(record, at)
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

    def take(self, record: Record, at: str) -> None:
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


def _compare_items(connection: sqlite3.Connection, standing: Standing) -> None:
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
