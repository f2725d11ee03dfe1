"""A vault, a clock and a process that can die, for the engine to be driven without waiting."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import math
import random
import selectors
import sqlite3
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from math import floor
from unittest.mock import patch

from tokenvault_data.cleanup.campaign.recovery import (
    begin_memory,
    catch_up,
    opened_for_recovery,
    problem_of,
    problem_of_journal,
    vouch_for,
    write_recovery,
)
from tokenvault_data.cleanup.clock import Clock
from tokenvault_data.cleanup.engine.card_worker import FetchedCard, as_rows
from tokenvault_data.cleanup.engine.engine import Engine
from tokenvault_data.cleanup.engine.memory import Memory
from tokenvault_data.cleanup.journal.journal import FILE_NAME, Journal, JournalHead
from tokenvault_data.cleanup.journal.records import Record, state
from tokenvault_data.cleanup.journal.states import ENDED
from tokenvault_data.cleanup.ledger.ledger import Ledger
from tokenvault_data.cleanup.ledger.machine import machine_id
from tokenvault_data.cleanup.plan.plan import Plan
from tokenvault_data.cleanup.selection.cards import BankTotal, ControlCard, PlannedCard
from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.cleanup.selection.rules import networks
from tokenvault_data.client.retries import Attempt
from tokenvault_data.errors import CallAbandoned, CampaignHalted, CampaignPaused

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
AS_OF = date(2026, 11, 22)
VERSION = "2025-01-01"
DAY_SECONDS = 86_400.0


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
        if timeout:
            self.loop.now += timeout
        return []  # nothing here has sockets or threads


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


def make_plan(
    *, cards=6, controls=2, canary=1, per_customer=1, spares=0, expires="2025-03", **limits
):
    """A plan, and the vault it is for: raw cards by their ids.

    Some customers have a card to spare: one that can be paid with and is not planned.
    """
    raws = [raw_card(f"c{n // per_customer}", f"card-{n}", expires) for n in range(cards)]
    customers = len({raw["customer_id"] for raw in raws})
    spare = [raw_card(f"c{n}", f"spare-{n}", "2030-01") for n in range(min(spares, customers))]
    in_vault = cards + len(spare) + controls
    kept = [raw_card(f"k{n}", f"kept-{n}", expires="2030-01") for n in range(controls)]
    at = START.isoformat()
    rule = networks("visa")
    # A canary of any size makes short trials; a plan of its own may not choose it.
    first = tuple(range(canary))
    with patch("tokenvault_data.cleanup.plan.content.canary_of", lambda *_: first):
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
            vault_cards=in_vault,
            vault_customers=customers + controls,
            bank_totals=(BankTotal(None, in_vault),),
            left_out={},
            controls=tuple(ControlCard(r["customer_id"], r["instrument_id"]) for r in kept),
            canary=first,
            cards=tuple(planned_card(n, raw) for n, raw in enumerate(raws)),
        )
    vault = {(raw["customer_id"], raw["instrument_id"]): raw for raw in (*raws, *spare, *kept)}
    return plan, vault


OPEN = {
    "rate_share": 1.0,
    "window_reserve": 0.0,
    "vault_share": 1.0,
    "bank_share": 1.0,
    "per_customer": 100,
}
JSON = {"content-type": "application/json"}
FAULTS = ("500", "lost", "429", "garbage", "not_sent", "401", "403")
FETCH_FAULTS = (*FAULTS, "404")
LIST_FAULTS = (
    *FAULTS,
    "null",
    "204",
    "empty",
    "lacks_one",
    "lags",
    "other_customer",
    "says_two_things",
)
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

    def __init__(self, plan, vault, folder, remembered=None):
        self.plan = plan
        self.cards = vault
        self.path = folder / FILE_NAME
        self.loop = VirtualLoop()
        self.wall_ahead = 0.0
        self.remembered, self.holds = remembered or _Lines(), NoHolds()
        self.takes_seconds = 0.02
        self.slot_seconds, self.next_slot = 0.0, 0.0  # between two pairs of question and delete
        self.slept = 0.0
        self.plots = []
        self.listed = {}  # by customer: cards that the last list showed
        self.landed_at = {}  # by customer: when a delete of one of its cards was last answered
        self.in_flight = Counter()  # deletes by customer
        self.removed = {}  # by ids: what we deleted
        self.held_at = {}  # by ids: since when a card is on hold
        self.sent = []  # when, and of which card, all but those without a connection
        self.keys = set()  # idempotency keys of these
        self.copies = {}
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
        self.list_faults = None  # those of fetches
        self.crash_in = None
        self.wrong_in = None
        self.full_in = None
        self.dead = False
        self.held = False
        self.violations = []
        begin_memory(folder, plan, self.ledger())

    # What happens to it

    def plot(self, steps, what):
        """Let something happen after so many steps of the process at work."""
        self.plots.append([steps, what])

    def stop(self, seconds):
        """Stop the process, whatever waits in its sockets: all clocks go on."""
        self.loop.now += seconds

    def sleep(self, seconds):
        """Close the laptop: its wall clock and the boot clock go on, and no other."""
        self.loop.now += seconds
        self.slept += seconds

    def hold_card(self, ids):
        self.holds.cards.add(ids)
        self.held_at.setdefault(ids, self.loop.now)

    def change(self, ids, **changes):
        """Let somebody else change or remove a card."""
        if ids in self.cards and not self.is_gone(ids):
            if changes:
                card = self.cards[ids]
                given = {"expires": expiry_of(card), "status": card["instrument_status"]}
                self.cards[ids] = raw_card(*ids, **given | changes)
            else:
                del self.cards[ids]

    def copy_journal(self):
        if self.path.exists() and not self.path.with_name(f"{FILE_NAME}-journal").exists():
            self.copies[FILE_NAME] = self.path.read_bytes()

    def lose_journal(self, how):
        """Remove it, empty it, or put an older copy in its place."""
        self.path.with_name(f"{FILE_NAME}-journal").unlink(missing_ok=True)
        if how == "removed":
            self.path.unlink(missing_ok=True)
        elif how == "emptied":
            self.path.write_bytes(b"")
        elif FILE_NAME in self.copies:
            self.path.write_bytes(self.copies[FILE_NAME])

    # A process

    def clock(self):
        return Clock(
            lambda: START + timedelta(seconds=self.loop.now + self.wall_ahead),
            lambda: self.loop.now - self.slept,
            asyncio.sleep,
            self.loop.time,
        )

    def ledger(self):
        return Ledger([self.remembered], self.clock())

    def head(self):
        plan = self.plan
        return JournalHead(
            plan.id, plan.digest, "emulator", None, len(plan.cards), "x", machine_id()
        )

    def journal(self):
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

        return Mortal.open(self.path, self.head(), clock=self.clock().now, synchronous="OFF")

    def live(self, _name=None):
        """Die here, if it is time to, or let happen what is due."""
        for plot in self.plots:
            plot[0] -= 1
        due = [what for steps, what in self.plots if steps <= 0]
        self.plots = [plot for plot in self.plots if plot[0] > 0]
        for what in due:
            what()
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
        self.in_flight.clear()
        if self.problem() is not None:
            return "unfit"
        with self.journal() as journal:
            self.look_for_lost_sends(journal)
            memory = Memory(self.ledger(), lambda: self.holds)
            catch_up(journal, self.plan, memory._ledger, "")
            now = journal.standing.state
            after = {"sealed": "canary", "held": "running"}.get(now)
            if now == "paused":
                after = "running" if journal.standing.is_released else "canary"
                after = "verifying" if journal.standing.is_recovered else after
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
                        memory=memory,
                        api_version=VERSION,
                        clock=self.clock(),
                        new_id=lambda: f"{self.plan.id}-{next(self.ids)}",
                        checkpoint=self.live,
                    )
                    self.loop.run_until_complete(engine.run())
                    memory.close(self.plan, journal.mark)
            except Crash:
                self.drop_tasks()
            except CampaignPaused:
                assert self.full_in is not None
            self.crash_in = self.full_in = None
        self.dead = False
        self.plots.clear()
        if self.standing().is_sealed:
            vouch_for(self.path.parent, self.plan, self.ledger())
        return self.standing().state

    def problem(self):
        """Why the journal is not the one that the ledger remembers, as a process finds it out."""
        ledger = self.ledger()
        found = problem_of(self.path.parent, self.plan, ledger)
        if found is None:
            try:
                with self.journal() as journal:
                    found = problem_of_journal(journal, self.plan, ledger)
            except CampaignHalted as error:
                found = str(error)
        return found

    def look_for_lost_sends(self, journal):
        rows = journal._connection.execute("SELECT idempotency_key FROM attempts").fetchall()
        if self.keys - {key for (key,) in rows} and not journal.standing.is_recovered:
            self.violations.append("P10: it goes on with a journal that lacks what was sent")

    def recover(self):
        """Write the recovery, where there is anything to recover."""
        folder, ledger = self.path.parent, self.ledger()
        journal, problem = opened_for_recovery(
            folder, self.plan, self.head(), ledger, self.clock().now
        )
        with journal:
            if problem is not None and journal.standing.state not in ENDED:
                write_recovery(journal, self.plan, ledger, folder, problem=problem, by="Asha")

    def drop_tasks(self):
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))

    def standing(self):
        with self.journal() as journal:
            return journal.standing

    # The vault

    async def reserve(self, count):
        self.next_slot = max(self.loop.now, self.next_slot) + self.slot_seconds
        mine = self.next_slot
        while self.loop.now < mine and not self.held:  # noqa: ASYNC110  in no real time
            await asyncio.sleep(0.1)
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
            self.sent.pop()
            self.keys.discard(idempotency_key)
        await asyncio.sleep(self.takes_seconds)
        self.live()
        if call.method == "DELETE":
            self.in_flight[call.customer_id] -= 1
            self.landed_at[call.customer_id] = self.loop.now
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
        self.look_at_customer(ids)
        self.deletes[ids] += 1
        self.sent.append((self.loop.now, ids))
        self.keys.add(key)
        self.look_at_caps()
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
        limits = self.plan.limits
        if not was_sealed or self.loop.now - at > limits.evidence_seconds + 0.001:
            self.violations.append(f"P3: {ids} was sent after drift, or unchecked, or too late")
        if found == [(None,)] and key not in self.known_keys():
            self.violations.append(f"P10: {ids} was sent and no ledger knows")
        if self.loop.now - self.held_at.get(ids, math.inf) > limits.evidence_seconds:
            self.violations.append(f"{ids} was sent though it is on hold")

    def look_at_customer(self, ids):
        """Hold a delete against the customer's other cards, before it is counted."""
        customer = ids[0]
        asked_at, _ = self.shown.get(ids, (-1e9, False))
        if self.in_flight[customer] or self.landed_at.get(customer, -1e9) > asked_at:
            self.violations.append(f"P9: {ids} was not decided on alone")
        self.in_flight[customer] += 1
        if self.plan.limits.keep_last_usable and self.would_be_missed(ids):
            self.violations.append(f"P9: {ids} is the last usable card of its customer")

    def look_at_caps(self):
        limits = self.plan.limits
        today = [ids for at, ids in self.sent if at > self.loop.now - DAY_SECONDS]
        if len(today) > limits.per_day:
            self.violations.append(f"P7: {len(today)} deletes in a day")
        if len(set(today)) > floor(limits.vault_share * self.plan.vault_cards):
            self.violations.append(f"P7: {len(set(today))} cards of the vault in a day")
        if len({ids for _, ids in self.sent}) > limits.rows:
            self.violations.append("P7: more cards than the cap")

    def known_keys(self):
        """Idempotency keys of the attempts that the ledger knows."""
        connection = sqlite3.connect(self.path)
        rows = connection.execute("SELECT idempotency_key,id FROM attempts").fetchall()
        connection.close()
        known = {line.attempt for line in self.remembered.lines if line.event == "intent"}
        return {key for key, attempt in rows if attempt in known}

    def would_be_missed(self, ids):
        """Whether its customer can pay with this card and with no other, by the last list."""
        usable = {
            other
            for other, card in self.listed.get(ids[0], {}).items()
            if is_usable(card) and (other == ids or not self.deletes[other])
        }
        return usable == {ids}

    def apply_late(self):
        for at, ids in self.late:
            if at <= self.loop.now:
                self.remove(ids)
        self.late = [one for one in self.late if one[0] > self.loop.now]

    def remove(self, ids):
        if ids in self.cards:
            self.removed[ids] = self.cards[ids]
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
            fault = self.draws.choice(self.list_faults or self.fetch_faults)
        made = _faulty(fault, self.draws)
        if made is not None:
            return made
        theirs = (
            {}
            if self.is_wrong_account
            else {ids: card for ids, card in self.cards.items() if ids[0] == customer}
        )
        if fault == "lags":
            theirs |= {ids: card for ids, card in self.removed.items() if ids[0] == customer}
        for ids in [ids for ids in self.planned if ids[0] == customer]:
            card = theirs.get(ids)
            self.shown[ids] = (self.loop.now, card is not None and self.is_as_sealed(ids, card))
        self.listed[customer] = theirs
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


def expiry_of(card):
    token = card["instrument_meta"]["card_token_details"]
    return f"{token['expiry_year']}-{token['expiry_month']}"


def is_usable(card):
    """Whether a raw card can be paid with on the plan's day, by the vault's own word."""
    return card["instrument_status"] == "ACTIVE" and expiry_of(card) >= f"{AS_OF:%Y-%m}"


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
    """Let faults cease, and somebody go on day after day, or recover what has to be.

    A campaign that is halted is ended.
    """
    world.fault_rate, world.is_wrong_account, world.wrong_in = 0.0, False, None
    world.crash_in = None
    for _ in range(8 + len(world.plan.cards)):
        if world.problem() is not None:
            world.recover()
        standing = world.standing()
        if standing.is_sealed:
            return standing
        wants = "abort" if standing.state == "halted" else None
        world.run(patience=1000.0, wants=wants)
        world.loop.now += DAY_SECONDS
    raise AssertionError(f"P6: it never ended: {world.standing().state}, {world.standing().reason}")


def check(world):
    """Hold the journal against what the vault saw; for any moment between two processes."""
    assert not world.violations, world.violations
    if world.problem() is not None:
        return  # nobody goes on with it, and what it says of its items counts for nothing
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
