"""The cards of a customer some months later: renewed, replaced, deleted, blocked, new ones added.

What happens to customer `i` in month `m` follows from the seed, the day of birth, `i` and `m`, so
that the history of the first months is the same however many come after, and nothing is kept.

Rates are invented and rough: about one card in a hundred a month for each kind of event, and two
in five of the cards about to expire renewed, month by month.
"""

from __future__ import annotations

import calendar
import errno
import json
import os
from collections import Counter
from datetime import date
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tokenvault_data.emulator.population.births import (
    afa_reference_of,
    instrument_id_of,
    last_four_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tokenvault_data.emulator.dialects import SavedCard
    from tokenvault_data.emulator.population.births import Births


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


_DAY_SECONDS = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DRAWS_A_DIGEST = 16
_DRAWS = Struct("<16I")
_EIGHT_NUMBERS = Struct("<8Q")

# How many customers or cards in ten thousand, in one month.
_ALL = 10_000
_ADDED = 150
_DELETED = 100
_BLOCKED = 90
_UNBLOCKED = 250
_REPLACED = 140
_RENEWED_IN_ITS_LAST_TWO_MONTHS = 4000
_RENEWED_EARLY = 20
_RENEWED_LATE = 100
_LATE_MONTHS = 6
_REISSUED_OF_100 = 55


class CardHistory(NamedTuple):
    """The rows of one customer after some months, and what led there."""

    cards: tuple[SavedCard, ...]
    events: tuple[Event, ...]


class _HistoryRow(NamedTuple):
    """A row of the list, and the number its fate is drawn under, which outlives its id."""

    slot: int
    card: SavedCard


class _Customer(NamedTuple):
    """Whose cards are ageing, and what was ambiguous about them from the beginning."""

    number: int
    repeated_ids: frozenset[str]
    shared_accounts: frozenset[str]


class Ageing:
    """Lets the customers' cards age.

    Parameters
    ----------
    births
        What the customers began with.
    as_of
        The day of birth. Month 1 ends on the same day of the month after it, and so on.
    months
        How many months pass.
    """

    def __init__(self, births: Births, as_of: date, months: int) -> None:
        self._births = births
        self._months = months
        days = [months_after(as_of, month) for month in range(months + 1)]
        self._midnights = [(day.toordinal() - _EPOCH_ORDINAL) * _DAY_SECONDS for day in days]

    def history(self, customer_id: str, index: int) -> CardHistory:
        """Compute what became of the cards of customer number `index`.

        The order of the list stays; a card with a new id stands at its end. Whatever comes under a
        new id was created in its month.

        In one month at most one thing happens to a card. To a row with a flaw nothing does but
        that it is deleted: what was not sent cannot be seen to change. The same goes for an
        instrument id that stands in two rows, which are deleted together or not at all. A card that
        shares its account with another card of its customer can get a new id but is never
        re-issued: nobody could tell which of the two the third had come from.
        """
        born = self._births.cards(customer_id, index)
        slots: dict[str, int] = {}
        for card in born:
            slots.setdefault(card.instrument_id, len(slots) + 1)
        customer = _Customer(
            index,
            _occurring_twice([card.instrument_id for card in born]),
            _occurring_twice(list({card.instrument_id: card.par for card in born}.values())),
        )
        rows = [_HistoryRow(slots[card.instrument_id], card) for card in born]
        last_slot = len(slots)
        events: list[Event] = []
        for month in range(1, self._months + 1):
            draws = self._draws(index, month, 0)
            rows = self._a_month_later(customer, rows, month, draws, events)
            if draws[0] % _ALL < _ADDED:
                created_at = self._second_of(month, draws[0] // _ALL)
                card = self._births.later_card(customer_id, index, month, created_at)
                last_slot += 1
                rows.append(_HistoryRow(last_slot, card))
                events.append(Event(month, "added", customer_id, card.instrument_id))
        return CardHistory(tuple(row.card for row in rows), tuple(events))

    def _a_month_later(
        self,
        customer: _Customer,
        rows: list[_HistoryRow],
        month: int,
        draws: tuple[int, ...],
        events: list[Event],
    ) -> list[_HistoryRow]:
        """Decide on each row; what happens is added to `events`."""
        kept: list[_HistoryRow] = []
        new: list[_HistoryRow] = []
        for row in rows:
            slot, card = row
            block, place = divmod(slot, _DRAWS_A_DIGEST)
            draw = (draws if block == 0 else self._draws(customer.number, month, block))[place]
            is_whole = card.flaw is None and card.instrument_id not in customer.repeated_ids
            months_left = _month_of(card) - self._births.month - month
            kind = _fate(card.status, months_left, draw % _ALL, is_whole=is_whole)
            if kind is None:
                kept.append(row)
                continue
            after = None
            if kind == "replaced":
                after = self._replacement(customer, row, month)
                new.append(_HistoryRow(slot, after))
            elif kind != "deleted":
                after = _changed(kind, card, draw // _ALL)
                kept.append(_HistoryRow(slot, after))
            event = _event(month, kind, card, after)
            if event not in events:  # the second row of one id is deleted with the first
                events.append(event)
        return kept + new

    def _replacement(self, customer: _Customer, row: _HistoryRow, month: int) -> SavedCard:
        """Give a card a new id: it was re-issued on the same account, or only tokenised anew."""
        card = row.card
        digest = self._births.digest("replacement", customer.number, row.slot, month)
        draws = _EIGHT_NUMBERS.unpack(digest)
        after = card._replace(
            instrument_id=instrument_id_of(digest.hex()),
            afa_reference=afa_reference_of(draws[0]),
            created_at_seconds=self._second_of(month, draws[1]),
        )
        if draws[2] % 100 >= _REISSUED_OF_100 or card.par in customer.shared_accounts:
            return after
        uid = self._births.digest("re-issued card", customer.number, row.slot, month)[:32]
        expiry = max(_month_of(card), self._births.month + month + _months_added(draws[3]))
        return after._replace(
            instrument_uid=uid.hex(),
            last_four=last_four_of(uid),
            expiry_year=expiry // 12,
            expiry_month=expiry % 12 + 1,
        )

    def _draws(self, index: int, month: int, block: int) -> tuple[int, ...]:
        """Draw for the customer (the first number of block 0), then for its rows by slot."""
        return _DRAWS.unpack(self._births.digest("month", index, month, block))

    def _second_of(self, month: int, draw: int) -> int:
        """Choose a second between two months' days."""
        first, end = self._midnights[month - 1 : month + 1]
        return first + draw % (end - first)


def months_after(day: date, months: int) -> date:
    """Give the same day of a later month, or that month's last.

    Examples
    --------
    >>> months_after(date(2027, 12, 31), 2)
    datetime.date(2028, 2, 29)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last_day))


def _fate(status: str, months_left: int, share: int, *, is_whole: bool) -> EventKind | None:
    """Decide what happens to a card in a month; `share` is evenly spread below `_ALL`."""
    chances: list[tuple[EventKind, int]] = [("deleted", _DELETED)]
    if is_whole and status == "ACTIVE":
        chances.append(("status_changed", _BLOCKED))
        if months_left >= 0:
            chances.append(("replaced", _REPLACED))
        chances.append(("renewed", _renewal_chance(months_left)))
    elif is_whole and status == "INACTIVE":
        chances.append(("status_changed", _UNBLOCKED))
    for kind, chance in chances:
        if share < chance:
            return kind
        share -= chance
    return None


def _renewal_chance(months_left: int) -> int:
    if months_left > 1:
        return _RENEWED_EARLY
    if months_left >= 0:
        return _RENEWED_IN_ITS_LAST_TWO_MONTHS
    return _RENEWED_LATE if months_left >= -_LATE_MONTHS else 0


def _changed(kind: EventKind, card: SavedCard, draw: int) -> SavedCard:
    """Renew a card, or turn its status."""
    if kind == "status_changed":
        return card._replace(status="INACTIVE" if card.status == "ACTIVE" else "ACTIVE")
    expiry = _month_of(card) + _months_added(draw)
    return card._replace(expiry_year=expiry // 12, expiry_month=expiry % 12 + 1)


def _event(month: int, kind: EventKind, before: SavedCard, after: SavedCard | None) -> Event:
    event = Event(month, kind, before.customer_id, before.instrument_id)
    if after is None:
        return event
    if kind == "replaced":
        event = event._replace(new_instrument_id=after.instrument_id)
    if kind != "renewed":
        event = event._replace(old_status=before.status, new_status=after.status)
    if kind != "status_changed":
        event = event._replace(
            old_expiry=(before.expiry_year, before.expiry_month),
            new_expiry=(after.expiry_year, after.expiry_month),
        )
    return event


def _month_of(card: SavedCard) -> int:
    """Count the month of expiry from year 0."""
    return card.expiry_year * 12 + card.expiry_month - 1


def _months_added(draw: int) -> int:
    """Choose by how much a new expiry lies ahead: three to five years."""
    return 36 + draw % 25


def _occurring_twice(values: Sequence[str]) -> frozenset[str]:
    if len(set(values)) == len(values):  # nearly always, and a count is slow
        return frozenset()
    return frozenset(value for value, count in Counter(values).items() if count > 1)
