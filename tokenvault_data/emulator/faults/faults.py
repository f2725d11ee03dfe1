"""What goes wrong, when and for whom: a small language, and the decisions it leads to.

::

    faults = rule (";" rule)*
    rule   = kind ["=" value] [":" probability] ["*" run] ["@" operation] ("#" where)*
    where  = N | N "-" M | N "-"       request numbers, from 1 at the moment the faults are set
           | "t" S "-" S | "t" S "-"   seconds since that moment
           | "first=" N                the first N requests of each operation on each id
           | "customer=" ID            percent-encoded where it holds ; or #
           | "apart"                   never two requests in a row of one operation on one id

==============================  ===================================================================
``503:0.05``                    one answer in twenty is a 503
``429=30#100-150``              requests 100 to 150 are answered 429 with ``Retry-After: 30``
``503:0.01*20``                 one request in a hundred begins a storm of twenty 503s
``applied-then-500:0.1@delete`` one delete in ten is carried out and then answered 500
``reset-before@fetch#first=2``  the first two fetches of every instrument are reset
``down#t5-8``                   an outage of three seconds
``hang#customer=cust_0000004``  one customer whose requests are never answered
==============================  ===================================================================

Rules are tried in order; of those that strike, the first of each group counts (see `KINDS`).
The same specification with the same seed strikes the same request numbers.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from tokenvault_data.emulator.routing import OPERATIONS

if TYPE_CHECKING:
    from tokenvault_data.emulator.routing import Route


# What a fault touches. Of the faults that strike one request, the first of each group counts.
#   down     the connection, before anything is looked at
#   replace  the answer: something else is sent, and the operation is not carried out
#   damage   the answer: the operation is carried out, its answer arrives damaged
#   delete   what a delete does to the vault
#   paging   the way to the next page of a list
#   headers  the limit headers
#   lag      how far a list is behind the vault
Group = Literal["down", "replace", "damage", "delete", "paging", "headers", "lag"]


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault; `value_meaning` is empty for a kind that takes no value."""

    name: str
    group: Group
    effect: str
    value_meaning: str = ""
    default: str = ""
    choices: tuple[str, ...] = ()


APPLIED_THEN = "applied-then-"
STATUS_KIND = FaultKind(
    "any status from 200 to 599",
    "replace",
    "answers with that status; =SECONDS adds Retry-After",
    "seconds",
)

KINDS = {
    kind.name: kind
    for kind in (
        FaultKind("down", "down", "resets the connection of every request"),
        FaultKind(
            "reset-before", "replace", "resets the connection before the first byte of an answer"
        ),
        FaultKind("hang", "replace", "never answers"),
        FaultKind("garbage", "replace", "answers 200 with an HTML page"),
        FaultKind("empty", "replace", "answers 200 with no body"),
        FaultKind("huge", "replace", "answers 200 with a body of =MEGABYTES", "megabytes", "10"),
        FaultKind(
            "huge-chunked", "replace", "the same, its length not announced", "megabytes", "10"
        ),
        FaultKind(
            "deep", "replace", "answers 200 with arrays nested =LEVELS deep", "levels", "100000"
        ),
        *(
            FaultKind(f"redirect-{status}", "replace", "redirects to =URL, or to localhost", "url")
            for status in (301, 302, 303, 307, 308)
        ),
        FaultKind("reset-inside", "damage", "resets the connection in the middle of the body"),
        FaultKind("truncated", "damage", "announces the whole body, sends half, closes"),
        FaultKind("cut", "damage", "sends the first half of the JSON as if it were all"),
        FaultKind("drip", "damage", "sends the body in small pieces over =SECONDS", "seconds", "5"),
        FaultKind("wrong-id", "damage", "names another instrument and customer than was asked for"),
        FaultKind("unapplied", "delete", "a delete is answered 200 and does nothing"),
        FaultKind("late", "delete", "a delete takes effect =SECONDS later", "seconds", "30"),
        FaultKind("repeating-cursor", "paging", "every page names the first page as its next"),
        FaultKind("endless-chain", "paging", "every page has a next one, with a fresh cursor"),
        FaultKind(
            "foreign-link", "paging", "the next page is at another origin, =URL or localhost", "url"
        ),
        FaultKind(
            "limit-headers",
            "headers",
            "the limit headers are absent or hold nonsense",
            "what is wrong",
            "absent",
            ("absent", "negative", "huge", "malformed", "nan"),
        ),
        FaultKind(
            "lagging-list", "lag", "a list shows a deleted instrument for =SECONDS", "seconds", "5"
        ),
    )
}


def describe_kinds() -> str:
    """All kinds in one line, for a message to whoever mistyped one."""
    names = ", ".join(KINDS)
    return f"{STATUS_KIND.name}, {names}, and {APPLIED_THEN} before a status or an answer kind"


_HEAD = re.compile(
    r"(?P<kind>[a-z0-9-]+)(?:=(?P<value>[^:*@\s]+))?(?::(?P<probability>[0-9.]+))?"
    r"(?:\*(?P<run>[0-9]+))?(?:@(?P<operation>[a-z]+))?"
)
_NUMBERS = re.compile(r"(\d+)(-)?(\d+)?")
_SECONDS = re.compile(r"t(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)?")


@dataclass(frozen=True, slots=True)
class FaultRule:
    """One rule as written, read and checked.

    `status` is None unless the kind is a status.
    """

    text: str
    kind: FaultKind
    status: int | None
    applied_first: bool
    value: str
    probability: float
    run: int
    operation: str | None
    requests: tuple[int, float]
    seconds: tuple[float, float]
    first: int | None
    customer_id: str | None
    is_apart: bool

    @property
    def label(self) -> str:
        """The name of the fault in the wire log."""
        name = self.kind.name if self.status is None else str(self.status)
        return f"{APPLIED_THEN}{name}" if self.applied_first else name

    @property
    def number(self) -> float:
        """The value as a number: seconds, megabytes or levels."""
        return float(self.value)

    def concerns(self, route: Route, request: int, elapsed_seconds: float) -> bool:
        """Whether the request lies where the rule looks; chance and counts are not asked yet."""
        return (
            self.requests[0] <= request <= self.requests[1]
            and self.seconds[0] <= elapsed_seconds < self.seconds[1]
            and self.operation in (None, route.operation)
            and self.customer_id in (None, route.customer_id)
        )


Strikes = dict[Group, FaultRule]
NO_STRIKES: Strikes = {}


class FaultPlan:
    """Decides which faults strike a request. One plan lives from one `set_faults` to the next.

    Parameters
    ----------
    specification
        In the language above; empty for none.
    seed
        Of the draws.
    started_at
        Monotonic seconds that `t` is counted from.

    Raises
    ------
    ValueError
        The specification cannot be read; the message names the part.
    """

    def __init__(self, specification: str, seed: int, started_at: float) -> None:
        self.rules = read_faults(specification)
        self._seed = seed
        self._started_at = started_at
        self._requests = 0
        self._left_of_run = [0] * len(self.rules)
        self._seen: dict[tuple[int, str, str, str], int] = {}
        self._struck: set[tuple[int, str, str, str]] = set()

    def strikes(self, route: Route, now: float) -> Strikes:
        """Count a request and say what strikes it, by group."""
        if not self.rules:
            return NO_STRIKES
        self._requests += 1
        struck: Strikes = {}
        for place, rule in enumerate(self.rules):
            if self._strikes(place, rule, route, now):
                struck.setdefault(rule.kind.group, rule)
        return struck

    def _strikes(self, place: int, rule: FaultRule, route: Route, now: float) -> bool:
        if not rule.concerns(route, self._requests, now - self._started_at):
            return False
        key = (place, route.operation, route.customer_id, route.instrument_id)
        if rule.is_apart and key in self._struck:
            self._struck.remove(key)
            return False
        is_struck = self._is_struck(place, rule, key)
        if is_struck and rule.is_apart:
            self._struck.add(key)
        return is_struck

    def _is_struck(self, place: int, rule: FaultRule, key: tuple[int, str, str, str]) -> bool:
        if rule.first is not None:
            self._seen[key] = self._seen.get(key, 0) + 1
            if self._seen[key] > rule.first:
                return False
        if self._left_of_run[place]:
            self._left_of_run[place] -= 1
            return True
        if rule.probability < 1 and self._draw(place) >= rule.probability:
            return False
        self._left_of_run[place] = rule.run - 1
        return True

    def _draw(self, place: int) -> float:
        digest = blake2b(f"{self._seed}|{place}|{self._requests}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64


def read_faults(specification: str) -> tuple[FaultRule, ...]:
    """Read a specification; ValueError names the part that cannot be read."""
    parts = [part.strip() for part in specification.split(";")]
    return tuple(_read_rule(part) for part in parts if part)


def _read_rule(text: str) -> FaultRule:
    head, *wheres = text.split("#")
    match = _HEAD.fullmatch(head)
    if match is None:
        raise _unreadable(
            text, "expected kind[=value][:probability][*run][@operation][#where]", kinds=True
        )
    kind, status, applied_first = _read_kind(text, match["kind"])
    probability = _number(text, match["probability"] or "1")
    if not 0 <= probability <= 1:
        raise _unreadable(text, f"the probability {match['probability']} is not between 0 and 1")
    operation = match["operation"]
    if operation is not None and operation not in OPERATIONS:
        raise _unreadable(text, f"no operation {operation!r}; known: {', '.join(OPERATIONS)}")
    requests: tuple[int, float] = (1, math.inf)
    seconds = (0.0, math.inf)
    first: int | None = None
    customer_id: str | None = None
    is_apart = False
    for where in wheres:
        if where.startswith("customer="):
            customer_id = unquote(where.removeprefix("customer="))
        elif where.startswith("first=") and where.removeprefix("first=").isdecimal():
            first = int(where.removeprefix("first="))
        elif where == "apart":
            is_apart = True
        elif numbers := _NUMBERS.fullmatch(where):
            start, dash, end = numbers.groups()
            requests = (int(start), int(end) if end else math.inf if dash else int(start))
        elif times := _SECONDS.fullmatch(where):
            seconds = (float(times[1]), float(times[2]) if times[2] else math.inf)
        else:
            raise _unreadable(
                text,
                f"no place {where!r}; known: 5, 5-9, 5-, t1-2.5, t1-, first=2, customer=ID, apart",
            )
    return FaultRule(
        text,
        kind,
        status,
        applied_first,
        _read_value(text, kind, match["value"]),
        probability,
        max(1, int(match["run"] or 1)),
        operation,
        requests,
        seconds,
        first,
        customer_id,
        is_apart,
    )


def _read_kind(text: str, name: str) -> tuple[FaultKind, int | None, bool]:
    applied_first = name.startswith(APPLIED_THEN)
    name = name.removeprefix(APPLIED_THEN)
    if name.isdecimal() and 200 <= int(name) <= 599:
        return STATUS_KIND, int(name), applied_first
    kind = KINDS.get(name)
    if kind is None:
        raise _unreadable(text, f"no kind {name!r}", kinds=True)
    if applied_first and kind.group != "replace":
        raise _unreadable(text, f"{APPLIED_THEN} goes before a status or an answer kind only")
    return kind, None, applied_first


def _read_value(text: str, kind: FaultKind, value: str | None) -> str:
    if value is None:
        return kind.default
    if not kind.value_meaning:
        raise _unreadable(text, f"{kind.name} takes no value")
    if kind.choices and value not in kind.choices:
        raise _unreadable(text, f"no {value!r}; known: {', '.join(kind.choices)}")
    if kind.value_meaning in ("seconds", "megabytes", "levels"):
        _number(text, value)
    return unquote(value)


def _number(text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise _unreadable(text, f"{value!r} is not a number of 0 or more")
    return number


def _unreadable(text: str, why: str, *, kinds: bool = False) -> ValueError:
    known = f"; known kinds: {describe_kinds()}" if kinds else ""
    return ValueError(f"the fault {text!r} cannot be read: {why}{known}")
