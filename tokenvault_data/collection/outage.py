"""Telling an outage from a customer that fails. No I/O.

A failure that may have to do with the vault as a whole is blamed on its customer only once the vault
has answered somebody else since. Until then the customer is a suspect. When suspects pile up with
no answer in between, or no connection could be made at all, the vault is out of reach and the
suspects were innocent: they are tried again afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

SUSPECTS = 8  # so many failed customers in a row, each after its own retries, are no coincidence
FIRST_PROBE_SECONDS = 2.0
LONGEST_PROBE_SECONDS = 30.0


@dataclass(slots=True)
class OutageWatch(Generic[T]):
    """Failures in a row, and what they mean.

    Attributes
    ----------
    clock : callable
        Seconds, monotonic.
    suspects : list
        Customers that failed since the vault last answered anybody.
    out_since : float or None
        When the present outage began, by the clock; None while there is none.
    ever_answered : bool
        Whether the vault has answered anybody at all.
    """

    clock: Callable[[], float]
    suspects: list[T] = field(default_factory=list)
    out_since: float | None = None
    ever_answered: bool = False
    _first_suspect_at: float = 0.0
    _probes: int = 0

    def failed(self, customer: T, *, never_sent: bool) -> None:
        """Note a customer that failed as an outage would make it fail.

        `never_sent` says that there was not even a connection, which is no customer's fault.
        """
        if not self.suspects:
            self._first_suspect_at = self.clock()
        self.suspects.append(customer)
        if self.out_since is None and (never_sent or len(self.suspects) >= SUSPECTS):
            self.out_since = self._first_suspect_at
            self._probes = 0

    def answered(self) -> list[T]:
        """Note that the vault answered; gives the suspects, which are now known to have failed."""
        self.out_since = None
        self.ever_answered = True
        return self.take_suspects()

    def take_suspects(self) -> list[T]:
        """Give up the suspects: to be tried again, or to be blamed."""
        taken, self.suspects = self.suspects, []
        return taken

    def out_for_seconds(self) -> float:
        """How long the present outage has lasted; 0 while there is none."""
        return 0.0 if self.out_since is None else self.clock() - self.out_since

    def next_probe_seconds(self) -> float:
        """How long to wait before trying one customer again; longer each time."""
        wait = min(LONGEST_PROBE_SECONDS, FIRST_PROBE_SECONDS * 2**self._probes)
        self._probes += 1
        return wait
