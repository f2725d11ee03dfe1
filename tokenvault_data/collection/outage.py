"""Telling an outage from a customer that fails. No I/O.

A failure that may have to do with the vault as a whole makes its customer a suspect, until the
vault answers somebody. When suspects pile up with no answer in between, or no connection could be
made at all, the vault is taken for out of reach and is probed. A probe that fails as well proves an
outage, and then the suspects were innocent. Without that proof the customer was asked while the
vault answered others: it gets one more try, and is blamed when that one fails, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SUSPECTS = 8  # so many failed customers in a row, each after its own retries, are no coincidence
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 30.0


class Unconfirmed(NamedTuple, Generic[T]):
    """Customers that failed before the vault answered again, and whether an outage explains it."""

    customers: list[T]
    innocent: bool


@dataclass(slots=True)
class OutageDetector(Generic[T]):
    """Failures in a row, and what they mean.

    Attributes
    ----------
    clock : callable
        Seconds, monotonic.
    suspects : list
        Customers that failed since the vault last answered anybody.
    out_since : float or None
        When the vault was last heard of before it fell silent, by the clock; None while it answers.
    ever_answered : bool
        Whether the vault has answered anybody at all.
    """

    clock: Callable[[], float]
    suspects: list[T] = field(default_factory=list)
    out_since: float | None = None
    ever_answered: bool = False
    _first_suspect_at: float = 0.0
    _failed_probes: int = 0

    def failed(self, customer: T, *, never_sent: bool) -> None:
        """Note a customer that failed as an outage would make it fail.

        `never_sent` says that there was not even a connection, which is no customer's fault.
        """
        if not self.suspects:
            self._first_suspect_at = self.clock()
        self.suspects.append(customer)
        if never_sent or len(self.suspects) >= SUSPECTS:
            self.take_for_out()

    def take_for_out(self) -> None:
        """Take the vault for out of reach until it answers a probe, or anybody."""
        if self.out_since is None:
            self.out_since = self._first_suspect_at if self.suspects else self.clock()
            self._failed_probes = 0

    def probe_failed(self) -> None:
        """Note that not even a probe was answered."""
        self._failed_probes += 1

    def answered(self) -> Unconfirmed[T]:
        """Note that the vault answered; gives up the suspects, to be tried again or blamed."""
        taken = Unconfirmed(self.suspects, innocent=self._failed_probes > 0)
        self.suspects = []
        self.out_since = None
        self.ever_answered = True
        self._failed_probes = 0
        return taken

    def out_for_seconds(self) -> float:
        """How long the vault has been taken for out of reach; 0 while it is not."""
        return 0.0 if self.out_since is None else self.clock() - self.out_since

    def wait_before_probe_seconds(self) -> float:
        """How long to wait before the next probe: not at all before the first, then longer."""
        if not self._failed_probes:
            return 0.0
        return min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (self._failed_probes - 1))
