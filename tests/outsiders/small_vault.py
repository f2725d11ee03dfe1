"""A small vault on loopback, written from the pages of the API and from nothing else.

It lists, fetches and deletes saved cards, keeps the log that the checker believes, and can be told
to misbehave. It shares no code and no assumption with the toolkit or with the toolkit's emulator.
"""

from __future__ import annotations

import copy
import itertools
import json
import random
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Card = dict[str, Any]
INDIA = timedelta(hours=5, minutes=30)


def card(
    customer: str,
    instrument: str,
    *,
    network: str = "visa",
    bank: str = "HDFC Bank",
    month: int = 5,
    year: int = 2031,
    status: str = "ACTIVE",
) -> Card:
    """Make one saved card as version 2023-08-01 shows it."""
    number = random.Random(instrument)  # the same card is the same in every run
    return {
        "customer_id": customer,
        "afa_reference": str(number.randrange(10**8, 10**9)),
        "instrument_id": instrument,
        "instrument_type": "card",
        "instrument_uid": f"{number.getrandbits(256):064x}",
        "instrument_display": f"xxxxxxxxxxxx{number.randrange(10**4):04d}",
        "instrument_status": status,
        "created_at": "2024-04-14T10:42:59+05:30",
        "instrument_meta": {
            "card_network": network,
            "card_bank_name": bank,
            "card_country": "IN",
            "card_type": "debit_card",
            "card_token_details": {
                "par": f"{number.getrandbits(116):029X}",
                "expiry_month": f"{month:02d}",
                "expiry_year": str(year),
            },
        },
    }


def shop(
    customers: int, networks: tuple[str, ...] = ("visa", "mastercard"), others: int = 4
) -> list[Card]:
    """Make customers with a card of each network, and others to check the account by.

    Each network has a bank of its own. A card is called by its network and its customer.
    """
    names = [f"cust_{number:02d}" for number in range(customers)]
    planned = [
        card(name, f"{network}-{name}", network=network, bank=f"{network.title()} Bank")
        for name in names
        for network in networks
    ]
    rest = [f"other_{number:02d}" for number in range(others)]
    return planned + [card(name, f"diners-{name}", network="diners") for name in rest]


def is_usable(card: Card) -> bool:
    """Whether a shop can charge it today: active, and valid through the end of its month."""
    details = (card.get("instrument_meta") or {}).get("card_token_details") or {}
    try:
        expiry = (int(details["expiry_year"]), int(details["expiry_month"]))
    except (KeyError, TypeError, ValueError):
        return False
    today = datetime.now(UTC) + INDIA
    return card.get("instrument_status") == "ACTIVE" and expiry >= (today.year, today.month)


@dataclass
class Request:
    """What the vault saw of one request, and what it did."""

    number: int
    operation: str  # list, fetch, delete or other
    customer: str
    instrument: str | None
    wall: float
    monotonic: float
    key: str | None = None
    request_id: str | None = None
    card_before: Card | None = None  # of a delete: the card at the moment it arrived
    usable_before: int | None = None  # of a delete: the customer's usable cards at that moment
    usable_after: int | None = None
    applied: bool = False
    status: int | None = None  # null where no answer was written
    answered: float | None = None  # monotonic
    listed: list[str] | None = None  # of a list: the ids that were answered


@dataclass
class Change:
    """Something that happened to a card other than by a delete of the caller."""

    what: str  # renewed, saved anew, removed, inactive, expired, back
    customer: str
    instrument: str
    wall: float
    monotonic: float


@dataclass
class Answer:
    """What is sent back: a status, a body, and extra headers."""

    status: int
    body: bytes | None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Rule:
    """From when to when, on which requests, something goes another way."""

    act: Callable[[Request, Answer], Answer | None]
    operations: frozenset[str]
    customers: frozenset[str] | None
    instruments: frozenset[str] | None
    since: float
    until: float
    times: int | None
    chosen: Callable[[Request], bool] | None
    after: int = 0
    instead: bool = False
    met: int = 0
    struck: int = 0

    def strikes(self, request: Request) -> bool:
        """Whether this request is meant, and not yet too many were."""
        if (
            request.operation not in self.operations
            or (self.customers is not None and request.customer not in self.customers)
            or (self.instruments is not None and request.instrument not in self.instruments)
            or not self.since <= request.monotonic < self.until
            or (self.times is not None and self.struck >= self.times)
            or (self.chosen is not None and not self.chosen(request))
        ):
            return False
        self.met += 1
        if self.met <= self.after:
            return False
        self.struck += 1
        return True


class Gate:
    """Answers that are ready and held back until somebody lets them go."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open = False
        self.held: list[Request] = []

    def hold(self, request: Request) -> None:
        """Keep one answer until the gate opens."""
        with self._changed:
            self.held.append(request)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._open, timeout=600)

    def wait_for(self, count: int, timeout: float) -> bool:
        """Wait until so many answers are held."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.held) >= count, timeout)

    def open(self) -> None:
        """Let all answers go, those to come as well."""
        with self._changed:
            self._open = True
            self._changed.notify_all()


class SmallVault:
    """Cards of some customers behind HTTP, with a log of all that was asked and done.

    Parameters
    ----------
    cards
        As they are in the beginning.
    per_minute
        The account's rate limit; None for no limit.
    strict
        Answer 429 to a request that comes sooner than 60 / `per_minute` seconds after the last one.
    headers
        Whether answers carry the limit headers.
    announced
        The limit that the headers tell where none is enforced.
    """

    def __init__(
        self,
        cards: Iterable[Card],
        *,
        per_minute: int | None = None,
        strict: bool = False,
        headers: bool = True,
        announced: int = 12_000,
    ) -> None:
        self._lock = threading.RLock()
        self._cards: dict[str, list[Card]] = {}
        for one in cards:
            self._cards.setdefault(one["customer_id"], []).append(copy.deepcopy(one))
        self._returning: list[tuple[float, Card]] = []
        self._come_back: dict[str, tuple[float, int | None]] = {}
        self._rules: list[Rule] = []
        self._per_minute, self._strict, self._headers = per_minute, strict, headers
        self._announced = per_minute or announced
        self._recent: deque[float] = deque()
        self.log: list[Request] = []
        self.changes: list[Change] = []
        vault = self

        class Handler(_Handler):
            pass

        Handler.vault = vault
        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/pg"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # What it holds

    def cards(self, customer: str | None = None) -> list[Card]:
        """Give a copy of the cards, of one customer or of all."""
        with self._lock:
            self._bring_back()
            owners = [customer] if customer is not None else list(self._cards)
            return copy.deepcopy([c for owner in owners for c in self._cards.get(owner, [])])

    def customers(self) -> list[str]:
        """List all customers, those without a card too."""
        with self._lock:
            return list(self._cards)

    def usable(self, customer: str) -> int:
        """Count the usable cards of one customer."""
        return sum(is_usable(c) for c in self.cards(customer))

    def has(self, instrument: str) -> bool:
        """Whether the card is there and not INACTIVE."""
        return any(
            c["instrument_id"] == instrument and c["instrument_status"] != "INACTIVE"
            for c in self.cards()
        )

    # What happens to cards meanwhile

    def renew(self, instrument: str) -> None:
        """Give a card another expiry: the bank has re-issued it."""
        self._change(instrument, "renewed", _renewed)

    def save_anew(self, instrument: str) -> None:
        """Keep the id, but as saved by another payment at another time."""
        self._change(instrument, "saved anew", _saved_anew)

    def deactivate(self, instrument: str) -> None:
        """Set a card INACTIVE."""
        self._change(instrument, "inactive", lambda c: c | {"instrument_status": "INACTIVE"})

    def expire(self, instrument: str) -> None:
        """Let a card have expired years ago."""
        self._change(instrument, "expired", _expired)

    def remove(self, instrument: str) -> None:
        """Take a card away, as a customer does in the shop."""
        self._change(instrument, "removed", lambda _: None)

    def comes_back(self, instrument: str, after: float, *, times: int | None = None) -> None:
        """Let a card be there again so many seconds after each delete, or after the first ones."""
        with self._lock:
            self._come_back[instrument] = (after, times)

    def _change(self, instrument: str, what: str, change: Callable[[Card], Card | None]) -> None:
        with self._lock:
            for customer, cards in self._cards.items():
                for place, one in enumerate(cards):
                    if one["instrument_id"] == instrument:
                        changed = change(one)
                        cards[place : place + 1] = [changed] if changed is not None else []
                        self._note(what, customer, instrument)
                        return

    def _note(self, what: str, customer: str, instrument: str) -> None:
        self.changes.append(Change(what, customer, instrument, time.time(), time.monotonic()))

    def _bring_back(self) -> None:
        now = time.monotonic()
        due = [(at, one) for at, one in self._returning if at <= now]
        self._returning = [(at, one) for at, one in self._returning if at > now]
        for _, one in due:
            self._cards[one["customer_id"]].append(one)
            self._note("back", one["customer_id"], one["instrument_id"])

    # How it misbehaves

    def on(
        self,
        *operations: str,
        act: Callable[[Request, Answer], Answer | None],
        customers: Iterable[str] | None = None,
        instruments: Iterable[str] | None = None,
        seconds: float | None = None,
        after: int = 0,
        instead: bool = False,
        times: int | None = None,
        chosen: Callable[[Request], bool] | None = None,
    ) -> Rule:
        """Let something happen to answers from now on; None as an answer closes the connection.

        Only to those of some operations, customers or instruments, for some `seconds`, `after`
        so many that it could have happened to, and so many `times`. With `instead` nothing is done
        of what was asked.
        """
        now = time.monotonic()
        rule = Rule(
            act,
            frozenset(operations or ("list", "fetch", "delete")),
            frozenset(customers) if customers is not None else None,
            frozenset(instruments) if instruments is not None else None,
            now,
            now + seconds if seconds is not None else float("inf"),
            times,
            chosen,
            after,
            instead,
        )
        with self._lock:
            self._rules.append(rule)
        return rule

    def hold(self, *operations: str, **where: Any) -> Gate:
        """Hold answers, made up when the question came, until the gate opens."""
        gate = Gate()

        def act(request: Request, answer: Answer) -> Answer:
            gate.hold(request)
            return answer

        self.on(*operations, act=act, **where)
        return gate

    def forget_rules(self) -> None:
        """Behave from now on."""
        with self._lock:
            self._rules.clear()

    def wait_until(self, true: Callable[[], bool], timeout: float) -> bool:
        """Wait until something is true of this vault."""
        end = time.monotonic() + timeout
        while not true():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def deletes(self) -> list[Request]:
        """List the deletes that came, in order."""
        return [r for r in list(self.log) if r.operation == "delete"]

    def write_log(self, path: Path) -> None:
        """Write the log as lines of JSON."""
        with path.open("w", encoding="utf-8") as file:
            for request in list(self.log):
                file.write(json.dumps(asdict(request)) + "\n")

    # One request

    def answer(
        self, method: str, path: str, headers: dict[str, str]
    ) -> tuple[Request, Answer | None]:
        """Answer one request, and log it."""
        with self._lock:
            self._bring_back()
            request = self._logged(method, path, headers)
            limited = self._over_limit(request)
            rules = [] if limited else [rule for rule in self._rules if rule.strikes(request)]
            answer = limited or (
                _error(503, "api_error", "api_error")
                if any(rule.instead for rule in rules)
                else self._plain_answer(request, headers)
            )
            answer.headers |= self._limit_headers(limited is not None)
        result: Answer | None = answer
        for rule in rules:
            if result is None:
                break
            result = rule.act(request, result)
        return request, result

    def _logged(self, method: str, path: str, headers: dict[str, str]) -> Request:
        parts = [unquote(part) for part in urlsplit(path).path.split("/")]
        operation, customer, instrument = "other", "", None
        match method, parts:
            case "GET", ["", "pg", "customers", owner, "instruments"]:
                operation, customer = "list", owner
            case "GET", ["", "pg", "customers", owner, "instruments", one]:
                operation, customer, instrument = "fetch", owner, one
            case "DELETE", ["", "pg", "customers", owner, "instruments", one]:
                operation, customer, instrument = "delete", owner, one
        request = Request(
            len(self.log) + 1,
            operation,
            customer,
            instrument,
            time.time(),
            time.monotonic(),
            headers.get("x-idempotency-key"),
            headers.get("x-request-id"),
        )
        self.log.append(request)
        return request

    def _over_limit(self, request: Request) -> Answer | None:
        if self._per_minute is None:
            return None
        now, spacing = request.monotonic, 60 / self._per_minute
        while self._recent and self._recent[0] < now - 60:
            self._recent.popleft()
        last = self._recent[-1] if self._recent else None
        self._recent.append(now)
        if self._strict and last is not None and now - last < spacing:
            return _error(429, "rate_limit_error", "too_many_requests")
        if len(self._recent) > self._per_minute:
            return _error(429, "rate_limit_error", "too_many_requests")
        return None

    def _limit_headers(self, limited: bool) -> dict[str, str]:
        if not self._headers:
            return {}
        used = len(self._recent) if self._per_minute else 1
        return {
            "x-ratelimit-limit": str(self._announced),
            "x-ratelimit-remaining": str(max(self._announced - used, 0)),
            "x-ratelimit-retry": str(round(60 / self._announced) + 1) if limited else "0",
            "x-ratelimit-type": "app_id",
        }

    def _plain_answer(self, request: Request, headers: dict[str, str]) -> Answer:
        if "x-api-version" not in headers:
            return _error(400, "invalid_request_error", "version_missing")
        cards = self._cards.get(request.customer, [])
        if request.operation == "list":
            request.listed = [c["instrument_id"] for c in cards]
            return Answer(200, _json(cards))
        if request.operation == "other":
            return _error(404, "invalid_request_error", "not_found")
        found = next((c for c in cards if c["instrument_id"] == request.instrument), None)
        if request.operation == "delete":
            request.card_before = copy.deepcopy(found)
            request.usable_before = request.usable_after = sum(is_usable(c) for c in cards)
        if found is None:
            return _error(404, "invalid_request_error", "instrument_not_found")
        if request.operation == "delete":
            self._delete(request, found)
            return Answer(200, _json(found | {"instrument_status": "INACTIVE"}))
        return Answer(200, _json(found))

    def _delete(self, request: Request, found: Card) -> None:
        cards = self._cards[request.customer]
        cards.remove(found)
        request.applied = True
        request.usable_after = sum(is_usable(c) for c in cards)
        after, times = self._come_back.get(found["instrument_id"], (0.0, 0))
        if times is None or times > 0:
            self._returning.append((time.monotonic() + after, found))
            left = None if times is None else times - 1
            self._come_back[found["instrument_id"]] = (after, left)


# Ways to misbehave, for `SmallVault.on`


def failing(share: float, seed: int, status: int = 503) -> Callable[[Request, Answer], Answer]:
    """Fail a share of the answers, drawn by a seed."""
    draw, lock = random.Random(seed), threading.Lock()

    def act(_: Request, answer: Answer) -> Answer:
        with lock:
            fails = draw.random() < share
        return _error(status, "api_error", "api_error") if fails else answer

    return act


def lost(_: Request, __: Answer) -> None:
    """Close the connection without an answer."""


def some(share: float, seed: int) -> Callable[[Request], bool]:
    """Choose a share of the requests, drawn by a seed."""
    draw = random.Random(seed)
    return lambda _: draw.random() < share


def slow(least: float, most: float) -> Callable[[Request, Answer], Answer]:
    """Answer late, by one of 16 delays in turn."""
    turns = itertools.cycle(range(16))

    def act(_: Request, answer: Answer) -> Answer:
        time.sleep(least + (most - least) * next(turns) / 15)
        return answer

    return act


def body(content: bytes | None, status: int = 200) -> Callable[[Request, Answer], Answer]:
    """Answer something else altogether."""
    return lambda _, answer: Answer(status, content, answer.headers)


def rows(change: Callable[[list[Card]], list[Card]]) -> Callable[[Request, Answer], Answer]:
    """Answer a list of other rows."""

    def act(_: Request, answer: Answer) -> Answer:
        if answer.status != 200:
            return answer
        return Answer(200, _json(change(json.loads(answer.body or b"[]"))), answer.headers)

    return act


def _renewed(card: Card) -> Card:
    changed = copy.deepcopy(card)
    details = changed["instrument_meta"]["card_token_details"]
    details["expiry_year"] = str(int(details["expiry_year"]) + 4)
    return changed


def _expired(card: Card) -> Card:
    changed = copy.deepcopy(card)
    changed["instrument_meta"]["card_token_details"]["expiry_year"] = "2021"
    return changed


def _saved_anew(card: Card) -> Card:
    reference = str(int(card["afa_reference"]) + 1)
    return card | {"created_at": "2026-08-01T09:00:00+05:30", "afa_reference": reference}


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


def _error(status: int, kind: str, code: str) -> Answer:
    return Answer(status, _json({"message": code, "code": code, "type": kind, "help": ""}))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of callers that were killed."""


class _Handler(BaseHTTPRequestHandler):
    vault: SmallVault
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves in one piece

    def do_GET(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.rfile.read(int(headers.get("content-length", 0)))
        request, answer = self.vault.answer(self.command, self.path, headers)
        if answer is None:
            self.close_connection = True
            return
        request.status = answer.status
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.body is None:
            if answer.status != 204:
                self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
        self.wfile.flush()
        request.answered = time.monotonic()

    def log_message(self, *_: Any) -> None:
        """Keep quiet: the log is the vault's own."""
