"""What ageing did to the cards, event by event, and what of it two lists can show."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EventKind = Literal["added", "deleted", "renewed", "replaced", "status_changed"]
YearMonth = tuple[int, int]


class Event(NamedTuple):
    """One thing that happened to one card.

    Attributes
    ----------
    month
        When, counted from 1: the first month after the day of birth.
    kind
        ``added`` (a new card), ``deleted`` (gone from the list), ``renewed`` (a later expiry under
        the same id), ``replaced`` (gone, and back under a new id) or ``status_changed``.
    customer_id, instrument_id
        Whose card, and which: for ``replaced`` the old id, otherwise the only one.
    new_instrument_id
        The id after ``replaced``; otherwise None.
    old_status, new_status
        For ``status_changed`` and ``replaced``; otherwise None.
    old_expiry, new_expiry
        Year and month, for ``renewed`` and ``replaced``; otherwise None.
    """

    month: int
    kind: EventKind
    customer_id: str
    instrument_id: str
    new_instrument_id: str | None = None
    old_status: str | None = None
    new_status: str | None = None
    old_expiry: YearMonth | None = None
    new_expiry: YearMonth | None = None


class _Life:
    """One card from its first event to its last, through all its ids."""

    def __init__(self, first: Event) -> None:
        self.first = first
        self.instrument_id = first.instrument_id
        self.months: dict[EventKind, int] = {}
        self.statuses: list[str] = []
        self.expiries: list[YearMonth] = []

    def go_on(self, event: Event) -> None:
        self.months[event.kind] = event.month
        self.instrument_id = event.new_instrument_id or event.instrument_id
        self.statuses += [s for s in (event.old_status, event.new_status) if s is not None]
        self.expiries += [e for e in (event.old_expiry, event.new_expiry) if e is not None]

    def net(self) -> Iterator[Event]:
        customer_id, first_id = self.first.customer_id, self.first.instrument_id
        was_there, is_there = self.first.kind != "added", "deleted" not in self.months
        if not was_there:
            if is_there:
                month = self.months.get("replaced", self.first.month)
                yield Event(month, "added", customer_id, self.instrument_id)
            return
        if not is_there:
            yield Event(self.months["deleted"], "deleted", customer_id, first_id)
            return
        statuses: dict[str, Any] = {}
        expiries: dict[str, Any] = {}
        if self.statuses:
            statuses = {"old_status": self.statuses[0], "new_status": self.statuses[-1]}
        if self.expiries:
            expiries = {"old_expiry": self.expiries[0], "new_expiry": self.expiries[-1]}
        if "replaced" in self.months:
            yield Event(
                self.months["replaced"],
                "replaced",
                customer_id,
                first_id,
                self.instrument_id,
                **statuses,
                **expiries,
            )
            return
        if self.expiries and self.expiries[0] != self.expiries[-1]:
            yield Event(self.months["renewed"], "renewed", customer_id, first_id, **expiries)
        if self.statuses and self.statuses[0] != self.statuses[-1]:
            month = self.months["status_changed"]
            yield Event(month, "status_changed", customer_id, first_id, **statuses)


def net_events_of(events: Iterable[Event]) -> Iterator[Event]:
    """Reduce one customer's events to what a comparison of the first list with the last must find.

    Added and deleted in between is nothing, and so is a status there and back; several renewals
    are one; a chain of replacements leads from the first id to the last; replaced and then deleted
    is the first id deleted; added and then replaced is the last id added. A card that was renewed
    and whose status changed too has two events; a replacement holds both in one. The month is that
    of the last event that the net one is made of.

    Parameters
    ----------
    events
        Of one customer, as they happened.
    """
    lives: dict[str, _Life] = {}
    for event in events:
        life = lives.pop(event.instrument_id, None) or _Life(event)
        life.go_on(event)
        lives[life.instrument_id] = life
    for life in lives.values():
        yield from life.net()


def write_ledger(path: Path | str, events: Iterable[Event]) -> None:
    """Write events as JSON lines, expiries as ``2029-05``; an existing file is replaced as a whole.

    Raises
    ------
    OSError
        The file cannot be written, or is something else than a file.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        message = "the ledger was not written: this is not a file; name another one"
        raise OSError(errno.EINVAL, message, str(path))
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with beside.open("w", encoding="utf-8") as lines:
            lines.writelines(f"{_line(event)}\n" for event in events)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _line(event: Event) -> str:
    values = event._asdict()
    for name in ("old_expiry", "new_expiry"):
        if values[name] is not None:
            year, month = values[name]
            values[name] = f"{year:04d}-{month:02d}"
    return json.dumps(values)
