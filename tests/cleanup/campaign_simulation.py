"""A vault, a clock and a process that can die, for the engine to be driven without waiting."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import random
import selectors
import sqlite3
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from unittest.mock import patch

from tokenvault_data.cleanup.clock import Clock
from tokenvault_data.cleanup.engine import Engine
from tokenvault_data.cleanup.fetched_cards import FetchedCard, as_rows
from tokenvault_data.cleanup.journal import FILE_NAME, Journal, JournalHead
from tokenvault_data.cleanup.ledger import Ledger
from tokenvault_data.cleanup.limits import Limits
from tokenvault_data.cleanup.memory import Memory
from tokenvault_data.cleanup.plan import BankTotal, ControlCard, Plan, PlannedCard
from tokenvault_data.cleanup.records import Record, state
from tokenvault_data.cleanup.rules import expired
from tokenvault_data.errors import CallAbandoned, CampaignHalted, CampaignPaused
from tokenvault_data.vault_api.attempts import Attempt

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
AS_OF = date(2026, 11, 22)
VERSION = "2025-01-01"


class Crash(BaseException):
    """The process died here."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on which waiting takes no time."""

    def __init__(self):
        self.now = 0.0
        super().__init__(_NoWaiting(self))

    def time(self):
        return self.now


class _NoWaiting(selectors.SelectSelector):
    def __init__(self, loop):
        super().__init__()
        self.loop = loop

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout:
            self.loop.now += timeout
        return ready


def raw_card(customer, instrument, expires="2025-03", status="ACTIVE", uid=None):
    year, month = expires.split("-")
    token = {"par": None, "expiry_month": month, "expiry_year": year}
    return {
        "customer_id": customer,
        "instrument_id": instrument,
        "instrument_type": "card",
        "instrument_uid": uid or f"{instrument:0>64}"[-64:],
        "instrument_display": "XXXXXXXXXXXX4375",
        "instrument_status": status,
        "instrument_meta": {
            "card_network": "visa",
            "card_bank_name": "HDFC BANK",
            "card_token_details": token,
        },
    }


def planned_card(number, raw):
    return _planned_card(number, json.dumps(raw))


@functools.cache
def _planned_card(number, text):
    raw = json.loads(text)
    (row,) = as_rows([FetchedCard(raw["customer_id"], raw, 0, VERSION)])
    return PlannedCard(
        number,
        raw["customer_id"],
        raw["instrument_id"],
        row["instrument_uid"],
        row["par"],
        row["last_four"],
        row["card_network"],
        row["card_bank"],
        None,
        row["card_type"],
        row["instrument_status"],
        row["expires_on"].isoformat(),
        row["created_at"] and row["created_at"].isoformat(),
        row["afa_reference"],
        START.isoformat(),
    )


def make_plan(cards=6, controls=2, canary=1, per_customer=1, **limits):
    """A plan, and the vault it is for: raw cards by their ids."""
    raws = [raw_card(f"c{n // per_customer}", f"card-{n}") for n in range(cards)]
    kept = [raw_card(f"k{n}", f"kept-{n}", expires="2030-01") for n in range(controls)]
    at = START.isoformat()
    rule = expired(AS_OF)
    # A canary of any size makes short trials; a plan of its own may not choose it.
    first = tuple(range(canary))
    with patch("tokenvault_data.cleanup.plan_checks.canary_of", lambda *_: first):
        plan = Plan(
            created_at=at,
            expires_at=(START + timedelta(days=1)).isoformat(),
            planner="Asha",
            note=None,
            environment="emulator",
            merchant=None,
            api_version=VERSION,
            snapshot="s",
            snapshot_digest="d",
            snapshot_created_at=at,
            oldest_fetched_at=at,
            as_of=AS_OF.isoformat(),
            rule=rule,
            limits=Limits(**OPEN | limits),
            vault_cards=cards + controls,
            vault_customers=cards + controls,
            bank_totals=(BankTotal(None, cards + controls),),
            left_out={},
            controls=tuple(ControlCard(r["customer_id"], r["instrument_id"]) for r in kept),
            canary=first,
            cards=tuple(planned_card(n, raw) for n, raw in enumerate(raws)),
        )
    vault = {(raw["customer_id"], raw["instrument_id"]): raw for raw in (*raws, *kept)}
    return plan, vault


OPEN = {
    "rate_share": 1.0,
    "window_reserve": 0.0,
    "vault_share": 1.0,
    "bank_share": 1.0,
    "per_customer": 100,
}
JSON = {"content-type": "application/json"}
FAULTS = ("500", "lost", "429", "garbage", "not_sent", "401")
FETCH_FAULTS = (*FAULTS, "404")
LIST_FAULTS = (*FAULTS, "null", "204", "empty", "lacks_one", "other_customer", "says_two_things")
DELETE_FAULTS = (
    *FAULTS,
    "404",
    "lied",
    "applied_then_500",
    "applied_then_lost",
    "applied_then_garbage",
    "late",
    "204",
    "400",
    "409",
    "409_gone",
    "other_id",
    "302",
    "422",
)


class _Lines:
    """A file of a ledger that outlives a process and costs no disk."""

    def __init__(self):
        self.lines, self.key = [], b"k"

    def card(self, customer, instrument):
        return f"{customer} {instrument}"

    def add(self, lines, *, is_durable):
        self.lines += lines

    def close(self):
        pass


class NoHolds:
    """No card is on hold, until one is."""

    def __init__(self):
        self.cards = set()

    def covers(self, customer, instrument):
        return (customer, instrument) in self.cards

    def changed(self):
        return False


class Slots:
    """Slots without any spacing."""

    spacing_seconds = 0.0

    def give_back(self):
        pass


class World:
    """The vault's side of the truth, and everything that outlives a process."""

    def __init__(self, plan, vault, folder):
        self.plan = plan
        self.cards = vault
        self.path = folder / FILE_NAME
        self.loop = VirtualLoop()
        self.wall_ahead = 0.0
        self.remembered, self.holds = _Lines(), NoHolds()
        self.takes_seconds = 0.02
        self.late = []
        self.wire = []
        self.shown = {}  # by ids: when a fetch last answered, and whether it showed the sealed card
        self.gone_at = {}  # by ids: when a fetch last showed the card gone
        self.lied_of = set()  # ids of which the last fetch was answered with an untrue 404
        self.deletes = Counter()
        self.is_wrong_account = False
        self.hides_deleted = True
        self.planned = {(c.customer_id, c.instrument_id): c for c in plan.cards}
        self.ids = itertools.count()
        self.draws = random.Random(0)
        self.fault_rate = 0.0
        self.fetch_faults, self.delete_faults = FETCH_FAULTS, DELETE_FAULTS
        self.crash_in = None
        self.wrong_in = None
        self.full_in = None
        self.dead = False
        self.held = False
        self.violations = []

    # A process

    def clock(self):
        return Clock(
            lambda: START + timedelta(seconds=self.loop.now + self.wall_ahead),
            self.loop.time,
            asyncio.sleep,
            self.loop.time,
        )

    def ledger(self):
        return Ledger([self.remembered], self.clock())

    def journal(self):
        head = JournalHead(
            self.plan.id, self.plan.digest, "emulator", None, len(self.plan.cards), "x", "m"
        )
        world = self

        class Mortal(Journal):
            def commit(self, records):
                world.live()
                if world.full_in is not None:
                    world.full_in -= 1
                    if world.full_in <= 0:
                        self._connection.execute("PRAGMA max_page_count=1")
                        records = [*records, Record("confirmed", None, {"phrase": "x" * 99_999})]
                super().commit(records)
                world.live()

        return Mortal.open(self.path, head, clock=self.clock().now, synchronous="OFF")

    def live(self, _name=None):
        """Die here, if it is time to."""
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in <= 0:
                self.dead = True
        if self.dead:
            raise Crash

    def run(self, *, patience=600.0, wants=None):
        """Apply the plan in a new process until it ends, or dies; gives the campaign's state.

        A person pauses it after `patience` seconds; `wants` is abort to end it for good.
        """
        self.dead = self.held = False
        with self.journal() as journal:
            now = journal.standing.state
            after = {"sealed": "canary", "held": "running"}.get(now)
            if now == "paused":
                after = "running" if journal.standing.is_released else "canary"
            if wants == "abort" and now not in (
                "aborted",
                "completed",
                "completed_with_exceptions",
            ):
                after = "aborted"
            try:
                if after:
                    journal.commit([state(now, after, None)])
                if journal.standing.state != "halted" and not journal.standing.is_sealed:
                    engine = Engine(
                        self.plan,
                        journal,
                        self,
                        Watching(self, patience),
                        memory=Memory(self.ledger(), lambda: self.holds),
                        api_version=VERSION,
                        clock=self.clock(),
                        new_id=lambda: f"id-{next(self.ids)}",
                        checkpoint=self.live,
                    )
                    self.loop.run_until_complete(engine.run())
            except Crash:
                self.drop_tasks()
            except CampaignPaused:
                assert self.full_in is not None
            self.crash_in = self.full_in = None
        self.dead = False
        return self.standing().state

    def drop_tasks(self):
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))

    def standing(self):
        with self.journal() as journal:
            return journal.standing

    # The vault

    async def reserve(self, count):
        if self.draws.random() < 0.5:
            await asyncio.sleep(0.001)
        if self.held:
            raise CallAbandoned("held")
        return Slots()

    def url_of(self, call):
        return f"http://vault{call.target}"

    async def attempt(
        self, call, *, idempotency_key=None, before_send=None, reservation=None, url=None
    ):
        self.live()
        if self.draws.random() < 0.5:  # there may be a slot at once, or later
            await asyncio.sleep(0.001)
        if self.held:
            raise CallAbandoned("held")
        self.live()
        if before_send is not None:
            before_send()
        self.note_send(call, idempotency_key)
        self.live()
        answer = self.answer(call)
        if answer.kind == "not_sent" and call.method == "DELETE":
            self.deletes[call.customer_id, call.instrument_id] -= 1  # there was no connection
        await asyncio.sleep(self.takes_seconds)
        self.live()
        return answer

    def hold(self):
        self.held = True

    def release(self):
        self.held = False

    def note_send(self, call, key):
        ids = (call.customer_id, call.instrument_id)
        self.wire.append((self.loop.now, call.method, ids))
        if self.wrong_in is not None:
            self.wrong_in -= 1
            self.is_wrong_account = self.is_wrong_account or self.wrong_in <= 0
        if call.method != "DELETE":
            return
        self.deletes[ids] += 1
        if ids not in self.planned:
            self.violations.append(f"P1: {ids} was not planned")
        connection = sqlite3.connect(self.path)
        found = connection.execute(
            "SELECT outcome FROM attempts WHERE idempotency_key=?", (key,)
        ).fetchall()
        connection.close()
        if found != [(None,)]:
            self.violations.append(f"P2: {ids} was sent without an intent: {found}")
        at, was_sealed = self.shown.get(ids, (-1e9, False))
        if not was_sealed or self.loop.now - at > self.plan.limits.evidence_seconds + 0.001:
            self.violations.append(f"P3: {ids} was sent after drift, or unchecked, or too late")
        if found == [(None,)] and key not in self.known_keys():
            self.violations.append(f"P10: {ids} was sent and no ledger knows")
        if self.plan.limits.keep_last_usable and self.would_be_missed(ids):
            self.violations.append(f"P9: {ids} is the last usable card of its customer")

    def known_keys(self):
        """Idempotency keys of the attempts that the ledger knows."""
        connection = sqlite3.connect(self.path)
        rows = connection.execute("SELECT idempotency_key,id FROM attempts").fetchall()
        connection.close()
        known = {line.attempt for line in self.remembered.lines if line.event == "intent"}
        return {key for key, attempt in rows if attempt in known}

    def would_be_missed(self, ids):
        """Whether its customer can pay with this card and will be able to with no other."""
        usable = {
            other
            for other, card in self.cards.items()
            if other[0] == ids[0] and is_usable(card) and (other == ids or not self.deletes[other])
        }
        return usable == {ids}

    def apply_late(self):
        for at, ids in self.late:
            if at <= self.loop.now:
                self.remove(ids)
        self.late = [one for one in self.late if one[0] > self.loop.now]

    def remove(self, ids):
        if self.hides_deleted:
            self.cards.pop(ids, None)
        elif ids in self.cards:
            self.cards[ids] = self.cards[ids] | {"instrument_status": "INACTIVE"}

    def is_gone(self, ids):
        card = self.cards.get(ids)
        return card is None or card["instrument_status"] == "INACTIVE"

    def answer(self, call):  # noqa: PLR0912  one branch a fault
        self.apply_late()
        ids = (call.customer_id, call.instrument_id)
        if call.operation == "list":
            return self.answer_list(call.customer_id)
        deletes = call.method == "DELETE"
        fault = ""
        if self.draws.random() < self.fault_rate:
            fault = self.draws.choice(self.delete_faults if deletes else self.fetch_faults)
        if fault == "404" and not deletes:  # of one card never twice in a row: all it has to bear
            if ids not in self.lied_of:
                self.lied_of.add(ids)
                self.shown[ids] = (self.loop.now, False)
                if self.is_gone(ids):
                    self.gone_at[ids] = self.loop.now  # no lie, as it happens
                return _answered(404, {"code": "instrument_not_found"})
            fault = ""
        if not deletes:
            self.lied_of.discard(ids)
        if fault.startswith("applied_then"):
            self.remove(ids)
        made = _faulty(fault.removeprefix("applied_then_"), self.draws)
        if made is not None:
            return made
        card = None if self.is_wrong_account else self.cards.get(ids)
        if card is None or (deletes and self.is_gone(ids)):
            if not deletes:
                self.shown[ids] = (self.loop.now, False)
                self.gone_at[ids] = self.loop.now
            return _answered(404, {"code": "instrument_not_found"})
        if not deletes:
            self.shown[ids] = (self.loop.now, self.is_as_sealed(ids, card))
            if card["instrument_status"] == "INACTIVE":
                self.gone_at[ids] = self.loop.now
        elif fault == "late":
            self.late.append((self.loop.now + 30, ids))
        elif fault != "lied":
            self.remove(ids)
        return _answered(200, card)

    def answer_list(self, customer):
        fault = ""
        if self.draws.random() < self.fault_rate:
            usual = self.fetch_faults is FETCH_FAULTS
            fault = self.draws.choice(LIST_FAULTS if usual else self.fetch_faults)
        made = _faulty(fault, self.draws)
        if made is not None:
            return made
        theirs = (
            {}
            if self.is_wrong_account
            else {ids: card for ids, card in self.cards.items() if ids[0] == customer}
        )
        for ids in [ids for ids in self.planned if ids[0] == customer]:
            card = theirs.get(ids)
            self.shown[ids] = (self.loop.now, card is not None and self.is_as_sealed(ids, card))
        body = list(theirs.values())
        if fault == "null":
            return _answered(200, None)
        if fault == "204":
            return _answered(204, b"")
        if fault == "empty":
            body = []
        elif fault == "lacks_one":
            body = body[1:]
        elif fault == "other_customer":
            body = [*body, raw_card("somebody", "card-x")]
        elif fault == "says_two_things" and body:
            body = [*body, body[0] | {"instrument_status": "FAILED"}]
        return _answered(200, body)

    def is_as_sealed(self, ids, card):
        planned = self.planned.get(ids)
        return planned is not None and planned == planned_card(planned.number, card)


class Watching:
    """A person who pauses a campaign when it takes too long."""

    def __init__(self, world, patience):
        self.world = world
        self.until = world.loop.now + patience

    def asked_for(self):
        return "pause" if self.world.loop.now > self.until else None

    def check_plan(self):
        pass

    def may_go_on(self):
        return None

    def waits_for_caps(self, seconds):
        self.world.waited_for_caps = seconds

    def changed(self):
        pass


def is_usable(card):
    """Whether a raw card can be paid with on the plan's day, by the vault's own word."""
    token = card["instrument_meta"]["card_token_details"]
    month = (int(token["expiry_year"]), int(token["expiry_month"]))
    return card["instrument_status"] == "ACTIVE" and month >= (AS_OF.year, AS_OF.month)


def _answered(status, body, headers=None):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    code = body.get("code") if isinstance(body, dict) and status != 200 else None
    return Attempt("answered", status, JSON | (headers or {}), content, "r", code, str(status))


def _faulty(fault, draws):
    if fault in ("lost", "not_sent"):
        return Attempt(fault, None, {}, b"", "r", None, fault)
    if fault == "garbage":
        return _answered(200, b"<html>")
    if fault == "429":
        asked = draws.choice(["", "NaN", "-4", "3", "1e30"])
        return _answered(429, {}, {"retry-after": asked} if asked else {})
    if fault == "409_gone":
        return _answered(409, {"code": "instrument_already_deleted"})
    if fault == "other_id":
        return _answered(200, raw_card("someone", "else"))
    return _answered(int(fault), {}) if fault.isdigit() else None


def finish(world):
    """Let faults cease and somebody apply the plan again, or end it if it is halted."""
    world.fault_rate, world.is_wrong_account, world.wrong_in = 0.0, False, None
    world.crash_in = None
    for _ in range(8):
        standing = world.standing()
        if standing.is_sealed:
            return standing
        world.run(patience=1e9, wants="abort" if standing.state == "halted" else None)
    raise AssertionError(f"P6: it never ended: {world.standing().state}, {world.standing().reason}")


def check(world):
    """Hold the journal against what the vault saw; for any moment between two processes."""
    assert not world.violations, world.violations
    try:
        standing = world.standing()
    except CampaignHalted as error:
        raise AssertionError(f"the journal does not add up: {error}") from error
    limits = world.plan.limits
    assert standing.attempted <= limits.rows, "P7: more cards than the cap"
    assert all(n <= limits.attempts for n in world.deletes.values()), "P7: more attempts than that"
    assert sum(standing.states.values()) == len(world.plan.cards), "P4"
    assert sum(standing.finals.values()) == standing.states["final"], "P4"
    last_delete = {ids: at for at, method, ids in world.wire if method == "DELETE"}
    for number, item in enumerate(standing.items):
        card = world.plan.cards[number]
        ids = (card.customer_id, card.instrument_id)
        assert (item.state == "final") == (item.final is not None), "P4"
        if item.final == "already_gone":
            assert not world.deletes[ids], f"P10: {number} was deleted by us"
        if item.final in ("deleted", "gone_after_attempt", "already_gone", "gone_unattributed"):
            seen = world.gone_at.get(ids)
            assert seen is not None, f"P5: {number} was never seen gone"
            sent = last_delete.get(ids, -1e9)
            assert seen > sent, f"P5: {number} was not seen gone afterwards"
            if item.doubtful:
                assert seen >= sent + limits.settle_seconds, (
                    f"P5: {number} was called gone too soon"
                )
            assert world.is_gone(ids), f"P5: {number} is there"
        if item.final in ("already_gone", "skipped_drift"):
            assert item.doubtful == 0
