"""How much a cleanup may do at most: caps that are all in force together, and what breaks them.

Zero means zero: a cap of 0 lets nothing pass. There is no value for "no cap"; a missing one, NaN,
a negative number or a truth value is refused, because each of them reads like a slip.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from math import floor, isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHARES: Final = frozenset(
    {
        "vault_share",
        "bank_share",
        "rate_share",
        "window_reserve",
        "drift_share",
        "failure_share",
    }
)
_AT_LEAST_ONE: Final = frozenset({"canary", "drift_window", "failure_window"})

LARGEST: Final = MappingProxyType(
    {
        "rows": 1_000_000_000,
        "per_customer": 1_000_000_000,
        "per_day": 1_000_000_000,
        "plan_hours": 720.0,
        "snapshot_hours": 8760.0,
        "approval_hours": 720.0,
        "canary": 1000,
        "drift_canary": 1000,
        "drift_window": 10_000,
        "failures_in_row": 1000,
        "failure_window": 10_000,
        "attempts": 10,
        "evidence_seconds": 2.0,
        "settle_seconds": 3600.0,
    }
)
"""The largest value of each limit that is no share; a plan is good for 30 days at most."""

OPTIONS: Final = MappingProxyType(
    {
        "rows": "--max-cards",
        "vault_share": "--max-vault-share",
        "bank_share": "--max-bank-share",
        "per_customer": "--max-per-customer",
        "per_day": "--max-per-day",
        "keep_last_usable": "--allow-last-usable",
        "snapshot_hours": "--max-age",
    }
)
"""What a limit is called on the command line, where it can be set there."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Guard rails of one campaign, sealed into its plan; all of them hold together.

    Attributes
    ----------
    rows : int
        Cards of the whole campaign.
    vault_share : float
        Share of the vault's cards, 0 to 1.
    bank_share : float
        Share of the cards of each single bank, 0 to 1.
    per_customer : int
        Cards of one customer.
    keep_last_usable : bool
        Whether a customer's last usable card is left out of plans.
    plan_hours, snapshot_hours, approval_hours : float
        How long after it was made a plan, a fetched row, an approval may be acted upon.
    rate_share : float
        Share of the account's rate limit that the campaign takes, 0 to 1.
    window_reserve : float
        Share of the limit's window that is left to others, 0 to 1.
    canary : int
        Cards, at most, that are deleted before a person looks; 1 at least.
    drift_canary : int
        Changed cards within the canary that stop the campaign.
    drift_share, drift_window : float, int
        Share of changed cards among so many last ones above which the campaign stops.
    failures_in_row : int
        Failures without a success between them that pause the campaign.
    failure_share, failure_window : float, int
        Share of failures among so many last calls that pauses the campaign.
    attempts : int
        Deletions sent for one card.
    per_day : int
        Deletes sent for the account in the last 24 hours, those of other campaigns and those of
        unknown result included, at which this campaign waits. The cards they were sent for may not
        be more than `vault_share` of the vault either.
    evidence_seconds : float
        How old, beyond the time between two requests, the vault's word about a card may be when its
        delete leaves; 2 at most.
    settle_seconds : float
        How long after a delete a card has to be seen gone to count as deleted.

    Raises
    ------
    UsageError
        A value is missing, no number, NaN, infinite, negative, a truth value, a share over 1, or
        larger than `LARGEST` allows.
    """

    rows: int = 1000
    vault_share: float = 0.01
    bank_share: float = 0.05
    per_customer: int = 3
    keep_last_usable: bool = True
    plan_hours: float = 24.0
    snapshot_hours: float = 24.0
    approval_hours: float = 24.0
    rate_share: float = 0.5
    window_reserve: float = 0.30
    canary: int = 10
    drift_canary: int = 3
    drift_share: float = 0.02
    drift_window: int = 200
    failures_in_row: int = 5
    failure_share: float = 0.2
    failure_window: int = 50
    attempts: int = 4
    per_day: int = 1000
    evidence_seconds: float = 2.0
    settle_seconds: float = 60.0

    def __post_init__(self) -> None:
        for field in fields(self):
            checked = _CHECKS[str(field.type)](field.name, getattr(self, field.name))
            object.__setattr__(self, field.name, checked)

    def to_dict(self) -> dict[str, Any]:
        """Return all limits by name, as JSON can hold them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, form: object) -> Limits:
        """Read what `to_dict` makes; every limit has to be there.

        Raises
        ------
        UsageError
            A limit is missing, unknown or wrong.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(form, dict) or set(form) != names:
            raise UsageError(
                "The limits are not complete, or hold something else; nothing was done; give each "
                "limit once."
            )
        return cls(**form)


@dataclass(frozen=True, slots=True)
class VaultFigures:
    """What the caps that are shares are shares of.

    Attributes
    ----------
    cards : int
        Distinct cards of the snapshot.
    customers : int
        Customers who have a card in it.
    banks : mapping of str or None to int
        Cards by canonical bank, None where it is missing.
    """

    cards: int
    customers: int
    banks: Mapping[str | None, int]


@dataclass(frozen=True, slots=True)
class PlannedFigures:
    """What the caps are put to.

    Attributes
    ----------
    cards : int
        Cards that would be deleted.
    banks : mapping of str or None to int
        Of these, by canonical bank, None where it is missing.
    most_of_one_customer : int
        Cards of the customer who has most of them.
    left_without_usable : int
        Customers who would be worse off afterwards: no usable card where they had one.
    """

    cards: int
    banks: Mapping[str | None, int]
    most_of_one_customer: int
    left_without_usable: int


@dataclass(frozen=True, slots=True)
class Violation:
    """A cap that would be broken.

    Attributes
    ----------
    cap : str
        Name of the limit.
    sentence : str
        What would happen, the cap, and the figure.
    """

    cap: str
    sentence: str


def check_caps(planned: PlannedFigures, vault: VaultFigures, limits: Limits) -> list[Violation]:
    """Return every cap that a deletion of so many cards would break, in the order of `Limits`.

    Shares are compared as the decimal fractions they are written as, so that exactly 1 % of a
    vault is not over 1 %.
    """
    found: list[Violation] = []

    def broken(cap: str, sentence: str) -> None:
        found.append(Violation(cap, sentence))

    cards, verb = counted(planned.cards, "card"), _verb(planned.cards)
    if planned.cards > limits.rows:
        broken("rows", f"{cards} would be deleted, and {cap_named('rows')} is {limits.rows:,}")
    allowed = allowed_of(limits.vault_share, vault.cards)
    if planned.cards > allowed:
        broken(
            "vault_share",
            f"{cards} {verb} {_portion(planned.cards, vault.cards)} of the vault's "
            f"{vault.cards:,}, and {cap_named('vault_share')}, {percent(limits.vault_share)}, "
            f"allows {allowed:,}",
        )
    over = [
        (number, name)
        for name, number in planned.banks.items()
        if number > allowed_of(limits.bank_share, vault.banks.get(name, 0))
    ]
    if over:
        number, name = max(over, key=lambda one: (one[0], one[1] is not None, one[1] or ""))
        of_bank = vault.banks.get(name, 0)
        others = f"; so with {counted(len(over) - 1, 'other bank')}" * (len(over) > 1)
        broken(
            "bank_share",
            f"{counted(number, 'card')} of {name or 'those whose bank is missing'} "
            f"{_verb(number)} {_portion(number, of_bank)} of {of_bank:,}, and "
            f"{cap_named('bank_share')}, {percent(limits.bank_share)}, allows "
            f"{allowed_of(limits.bank_share, of_bank):,}{others}",
        )
    if planned.most_of_one_customer > limits.per_customer:
        broken(
            "per_customer",
            f"one customer would lose {counted(planned.most_of_one_customer, 'card')}, and "
            f"{cap_named('per_customer')} is {limits.per_customer:,}",
        )
    if limits.keep_last_usable and planned.left_without_usable:
        broken(
            "keep_last_usable",
            f"{counted(planned.left_without_usable, 'customer')} would be left without a usable "
            "card, and keep_last_usable (off with --allow-last-usable) allows none",
        )
    return found


def cap_named(limit: str) -> str:
    """Name a cap as Python and the command line do.

    >>> cap_named("rows")
    'the cap on rows (--max-cards)'
    """
    return f"the cap on {limit} ({OPTIONS[limit]})"


def _verb(number: int) -> str:
    return "is" if number == 1 else "are"


def allowed_of(share: float, total: int) -> int:
    """Return how many of a total a cap that is a share allows."""
    return floor(Fraction(str(share)) * total)


def _portion(number: int, total: int) -> str:
    return percent(number / total) if total else "more than all"


def _refused(name: str, wanted: str) -> UsageError:
    return UsageError(
        f"The limit {name} is not {wanted}; nothing was done; give a number, 0 where nothing is "
        "allowed."
    )


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < (name in _AT_LEAST_ONE):
        least = 1 if name in _AT_LEAST_ONE else 0
        raise _refused(name, f"a whole number of {least} or more")
    if value > LARGEST[name]:
        raise _refused(name, f"{LARGEST[name]:,} or less")
    return int(value)


def _amount(name: str, value: object) -> float:
    wanted = "a share from 0 to 1" if name in _SHARES else "a finite number of 0 or more"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused(name, wanted)
    if isinstance(value, float) and not isfinite(value):
        raise _refused(name, wanted)
    if value < 0 or (name in _SHARES and value > 1):
        raise _refused(name, wanted)
    if name in LARGEST and value > LARGEST[name]:
        raise _refused(name, f"{LARGEST[name]:g} or less")
    return float(value) + 0.0  # of the two zeros the one that is written without a sign


def _truth(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"The limit {name} is neither True nor False; nothing was done; give one.")
    return value


_CHECKS: Final = {"int": _whole, "float": _amount, "bool": _truth}
