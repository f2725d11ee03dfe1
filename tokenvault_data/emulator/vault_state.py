"""What changes while the emulator runs: deletions, and answers kept under idempotency keys.

Nothing else is state, so memory grows with what was deleted and not with the population.
"""

from __future__ import annotations

from typing import NamedTuple


class StoredAnswer(NamedTuple):
    """The first answer to an idempotency key, and what was asked then."""

    request: str
    status: int
    body: bytes


class VaultState:
    """Deletions and idempotency records of one vault. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._deletions: dict[str, dict[str, float]] = {}
        self._answers: dict[tuple[bytes, bytes], StoredAnswer] = {}

    def delete(self, customer_id: str, instrument_id: str, at: float) -> None:
        """Let an instrument be deleted from `at` on, or from an earlier time already set."""
        instruments = self._deletions.setdefault(customer_id, {})
        instruments[instrument_id] = min(at, instruments.get(instrument_id, at))

    def has_deletions(self, customer_id: str) -> bool:
        """Say whether any instrument of the customer was deleted."""
        return customer_id in self._deletions

    def is_deleted(self, customer_id: str, instrument_id: str, now: float) -> bool:
        """Say whether an instrument's deletion has taken effect by `now`."""
        instruments = self._deletions.get(customer_id)
        return instruments is not None and instruments.get(instrument_id, now + 1) <= now

    def stored_answer(self, account: bytes, idempotency_key: bytes) -> StoredAnswer | None:
        """Look up what was answered under this key before."""
        return self._answers.get((account, idempotency_key))

    def store_answer(self, account: bytes, idempotency_key: bytes, answer: StoredAnswer) -> None:
        """Keep the first answer under a key; later ones change nothing."""
        self._answers.setdefault((account, idempotency_key), answer)
