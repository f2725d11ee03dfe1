"""What an emulator is told before it starts. Cheap to import: nothing here loads the server."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass
from datetime import date
from pathlib import Path  # noqa: TC003  (dataclass fields are read at run time by callers)
from typing import Literal, get_args

Window = Literal["fixed", "log", "counter", "bucket"]
Paging = Literal["array", "cursor", "link"]
AfterDelete = Literal["gone", "inactive"]

LIMIT_HEADER_DIALECTS = frozenset({"limit", "remaining", "retry", "type", "reset", "retry-after"})
DEFAULT_PAGE_SIZE = 10
LARGEST_PORT = 65_535
MOST_AGED_MONTHS = 600
# Years that API versions with two digits leave no doubt about.
FIRST_AS_OF, LAST_AS_OF = date(2000, 1, 1), date(2099, 12, 31)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorSettings:
    """The whole configuration of one emulator.

    Parameters
    ----------
    customers
        Size of the population. It costs no memory: every customer is computed when asked for.
    seed
        Two emulators with the same seed and `as_of` hold the same cards.
    as_of
        The day the population is made relative to (expiry and creation dates). None is today, UTC.
    aged_months
        How many months later the vault stands: cards renewed, replaced, deleted, blocked and added
        since `as_of`.
    ledger
        A file to write to at the start, as JSON lines: what a comparison of the vault as it was at
        `as_of` with the aged one must find. Only for an aged vault.
    rate_limit_per_minute
        Calls one account may make in a window. None is no limit and no limit headers.
    window
        How they are counted: `fixed` window, sliding `log`, sliding `counter`, token `bucket`.
    window_seconds
        Length of the window. 60 is the real thing; tests shorten it.
    burst
        Size of the token bucket; None leaves it to the limiter.
    rejected_count
        Whether a call answered 429 spends from the budget too.
    limit_header_dialects
        Which of the limit headers are sent: a subset of `LIMIT_HEADER_DIALECTS`.
    latency_ms, latency_jitter_ms
        Time an answer takes, and how much longer at most, evenly spread.
    page_size
        Instruments a page. None is the documented behaviour, everything at once.
    paging
        Shape of a list answer: a bare `array`, a `cursor` envelope, or an array with a `link`
        header (RFC 8288). None is `cursor` when a page size is given, otherwise `array`.
    after_delete
        What later reads show of a deleted instrument: nothing at all (`gone`), or the instrument as
        `inactive`. A second delete is answered 404 in the first case and 409 in the second.
    faults
        What goes wrong, in the language of `tokenvault_data.emulator.faults.faults`.
    record
        A file that every request is logged to, as JSON lines.
    wire_log_entries
        How many requests the log in memory keeps; 0 keeps none and is faster.
    demand_client_id, demand_client_secret
        The credentials to insist on. None takes any that are not empty.
    host
        A loopback address or `localhost`; anything else is refused.
    port
        0 is any free port.

    Raises
    ------
    ValueError
        A value out of range, or two that contradict each other.
    """

    customers: int = 5000
    seed: int = 7
    as_of: date | None = None
    aged_months: int = 0
    ledger: Path | str | None = None
    rate_limit_per_minute: int | None = None
    window: Window = "fixed"
    window_seconds: float = 60.0
    burst: int | None = None
    rejected_count: bool = False
    limit_header_dialects: frozenset[str] = LIMIT_HEADER_DIALECTS
    latency_ms: float = 0.0
    latency_jitter_ms: float = 0.0
    page_size: int | None = None
    paging: Paging | None = None
    after_delete: AfterDelete = "gone"
    faults: str = ""
    record: Path | str | None = None
    wire_log_entries: int = 100_000
    demand_client_id: str | None = None
    demand_client_secret: str | None = None
    host: str = "127.0.0.1"
    port: int = 0

    def __post_init__(self) -> None:
        self._refuse_an_age_out_of_reach()
        for name, lowest, highest in (
            ("customers", 0, math.inf),
            ("latency_ms", 0, math.inf),
            ("latency_jitter_ms", 0, math.inf),
            ("wire_log_entries", 0, math.inf),
            ("port", 0, LARGEST_PORT),
        ):
            value = getattr(self, name)
            if not value >= lowest:
                raise ValueError(f"{name} is {value!r}; it has to be {lowest} or more")
            if value > highest:
                raise ValueError(f"{name} is {value!r}; it has to be at most {highest}")
        for name in ("latency_ms", "latency_jitter_ms", "window_seconds"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} is {getattr(self, name)!r}; it has to be finite")
        for name in ("rate_limit_per_minute", "page_size", "burst", "window_seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value!r}; leave it out or make it more than 0")
        for name, allowed in (
            ("window", get_args(Window)),
            ("after_delete", get_args(AfterDelete)),
            ("paging", (None, *get_args(Paging))),
        ):
            if getattr(self, name) not in allowed:
                known = ", ".join(str(value) for value in allowed if value is not None)
                raise ValueError(f"{name} is {getattr(self, name)!r}; it can be: {known}")
        if self.paging == "array" and self.page_size is not None:
            raise ValueError(
                "a bare array has no pages; leave out page_size, or choose cursor or link"
            )
        unknown = self.limit_header_dialects - LIMIT_HEADER_DIALECTS
        if unknown:
            raise ValueError(
                f"unknown limit header {min(unknown)!r}; "
                f"known: {', '.join(sorted(LIMIT_HEADER_DIALECTS))}"
            )
        refuse_other_than_loopback(self.host)

    def _refuse_an_age_out_of_reach(self) -> None:
        if not 0 <= self.aged_months <= MOST_AGED_MONTHS:
            raise ValueError(
                f"aged_months is {self.aged_months!r}; it can be 0 to {MOST_AGED_MONTHS}"
            )
        if self.as_of is not None and not FIRST_AS_OF <= self.as_of <= LAST_AS_OF:
            raise ValueError(f"as_of is {self.as_of}; it can be {FIRST_AS_OF} to {LAST_AS_OF}")
        if self.ledger is not None and not self.aged_months:
            raise ValueError(
                "a ledger tells what months did to the cards, and here none pass; "
                "say how many with --aged, or leave the ledger out"
            )

    @property
    def paging_shape(self) -> Paging:
        """The shape list answers take, once the defaults are settled."""
        return self.paging or ("array" if self.page_size is None else "cursor")

    @property
    def instruments_per_page(self) -> int:
        """Page size for a shape that has pages."""
        return self.page_size or DEFAULT_PAGE_SIZE


def refuse_other_than_loopback(host: str) -> None:
    """Raise ValueError unless `host` can only be reached from this machine."""
    if host == "localhost":
        return
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ValueError(
            f"the emulator was not started: {host!r} is not a loopback address, and it accepts "
            "anybody's credentials; use 127.0.0.1"
        )
