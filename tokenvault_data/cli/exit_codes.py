"""Exit codes of every command; scripts depend on them."""

from __future__ import annotations

from tokenvault_data.errors import (
    CampaignPaused,
    CollectionInterrupted,
    Locked,
    PlanDamaged,
    RefusedByGuardRail,
    TokenVaultError,
    UsageError,
)

DONE = 0
FAILED = 1
USAGE = 2
DONE_IN_PART = 3  # some customers failed; the rest is there
REFUSED = 4  # by a guard rail
LOCKED = 75  # by another process
INTERRUPTED = 130  # and resumable

_BY_ERROR: tuple[tuple[type[TokenVaultError], int], ...] = (
    (PlanDamaged, REFUSED),  # before UsageError, which it is a kind of
    (UsageError, USAGE),
    (RefusedByGuardRail, REFUSED),
    (Locked, LOCKED),
    (CollectionInterrupted, INTERRUPTED),
    (CampaignPaused, INTERRUPTED),
)


def exit_code_of(error: TokenVaultError) -> int:
    """Give the exit code that reports `error`."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), FAILED)
