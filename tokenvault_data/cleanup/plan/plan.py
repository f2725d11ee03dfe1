"""What a plan holds, and the one way in which a given plan is written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from tokenvault_data.cleanup.plan.checks import check_cards, check_header
from tokenvault_data.redaction import mask_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tokenvault_data.cleanup.plan.limits import Limits
    from tokenvault_data.cleanup.selection.rules import Rule
    from tokenvault_data.dataset.tables import ResultTable

FORMAT: Final = "tokenvault-plan"
"""Value of ``format`` in every plan."""

FORMAT_VERSION: Final = 2
ID_DIGITS: Final = 12
PHRASE_DIGITS: Final = 6

_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
).encode


@dataclass(frozen=True, slots=True)
class PlannedCard:
    """One card that a plan names, as the snapshot had it; days and instants are ISO 8601 text.

    Attributes
    ----------
    number : int
        0-based place in the plan.
    customer_id, instrument_id : str
        What the request is made of.
    instrument_uid, par, last_four : str or None
        What tells this card from another.
    card_network, card_bank, bank, card_type, instrument_status : str or None
        `bank` is the canonical name of `card_bank`.
    expires_on : str or None
        Last day on which the card is valid.
    created_at : str or None
        When the card was saved, in UTC. A card saved anew under the same id has another.
    afa_reference : str or None
        The payment that saved it.
    fetched_at : str
        When the vault said all this, in UTC.
    keeper : str or None
        Of a duplicate, the instrument id of the same customer's card that is kept in its place.
    """

    number: int
    customer_id: str
    instrument_id: str
    instrument_uid: str | None
    par: str | None
    last_four: str | None
    card_network: str | None
    card_bank: str | None
    bank: str | None
    card_type: str | None
    instrument_status: str | None
    expires_on: str | None
    created_at: str | None
    afa_reference: str | None
    fetched_at: str
    keeper: str | None = None

    def __repr__(self) -> str:
        return f"<PlannedCard {self.number}: {mask_id(self.instrument_id)}>"


@dataclass(frozen=True, slots=True)
class ControlCard:
    """A usable card outside the plan, which shows that the vault still answers for this account."""

    customer_id: str
    instrument_id: str

    def __repr__(self) -> str:
        return f"<ControlCard {mask_id(self.instrument_id)}>"


@dataclass(frozen=True, slots=True)
class BankTotal:
    """How many distinct cards of one bank the snapshot had; `bank` is None where it is missing."""

    bank: str | None
    cards: int


@dataclass(frozen=True, slots=True)
class HoldUsed:
    """A list of cards never to be deleted that was in force when a plan was made.

    Attributes
    ----------
    name : str
        The file's name, without its folder.
    sha256 : str
        Of its content, in hexadecimal digits.
    entries : int
        Customers and cards on it.
    """

    name: str
    sha256: str
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A cleanup, frozen: made by `plan_cleanup`, read by `read_plan`.

    Days and instants are ISO 8601 text, instants in UTC.

    Attributes
    ----------
    created_at, expires_at : str
        When it was made, and until when it may be acted upon.
    planner : str
        Who made it; somebody else has to approve.
    note : str or None
        What the planner wants the approver to know.
    environment : str
    merchant : str or None
        Short keyed digest of the account, never a credential.
    api_version : str
    snapshot, snapshot_digest, snapshot_created_at : str
        Id, digest and time of the snapshot the cards were chosen from.
    oldest_fetched_at : str
        When the oldest row of that snapshot was fetched.
    as_of : str
        The day on which expiry was judged.
    rule : Rule
    limits : Limits
    windows : tuple of str
        Hours of the day in which deletes may leave; this version knows none but always, ``()``.
    holds : tuple of HoldUsed
        The hold lists that were in force when it was made.
    vault_cards, vault_customers : int
        Distinct cards of the snapshot, and the customers who have them.
    bank_totals : tuple of BankTotal
        Of each bank of which a card is planned: what the cap on a single bank is a share of.
    left_out : mapping of str to int
        Cards that the rule selects and that are not in the plan, by reason.
    controls : tuple of ControlCard
    canary : tuple of int
        Numbers of the cards that come first.
    cards : tuple of PlannedCard
        In order of their number, from 0.
    digest : str
        SHA-256 over all of the above, in hexadecimal digits; computed, never given.

    Raises
    ------
    PlanDamaged
        What is given cannot be a plan: cards repeated, misnumbered or with ids that no request can
        be made of, controls or keepers that are to be deleted themselves, and the like.
    """

    created_at: str
    expires_at: str
    planner: str
    note: str | None
    environment: str
    merchant: str | None
    api_version: str
    snapshot: str
    snapshot_digest: str
    snapshot_created_at: str
    oldest_fetched_at: str
    as_of: str
    rule: Rule
    limits: Limits
    windows: tuple[str, ...] = ()
    holds: tuple[HoldUsed, ...] = ()
    vault_cards: int
    vault_customers: int
    bank_totals: tuple[BankTotal, ...]
    left_out: Mapping[str, int]
    controls: tuple[ControlCard, ...]
    canary: tuple[int, ...]
    cards: tuple[PlannedCard, ...]
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        check_header(self)
        check_cards(self)
        object.__setattr__(self, "left_out", MappingProxyType(dict(self.left_out)))
        running = hashlib.sha256()
        for line in plan_lines(self):
            running.update(line)
        object.__setattr__(self, "digest", running.hexdigest())

    @property
    def id(self) -> str:
        """The first digits of the digest, which also name the campaign's folder."""
        return self.digest[:ID_DIGITS]

    @property
    def phrase(self) -> str:
        """What somebody has to type to start this deletion, e.g. ``delete 412 production 9f3ac1``.

        It names how many cards, where, and of which plan.
        """
        return f"delete {len(self.cards)} {self.environment} {self.digest[:PHRASE_DIGITS]}"

    def counts(self, by: str) -> ResultTable:
        """Return the planned cards by ``card_network``, ``bank`` or another column of the cards.

        Returns
        -------
        ResultTable
            The column, ``cards``, ``customers`` and ``share``; months where it is ``expires_on``.
        """
        from tokenvault_data.cleanup.plan.summary import counts

        return counts(self, by)

    def sample(self, cards: int = 10) -> ResultTable:
        """Return some cards of the plan, spread evenly over it; a screen shows ids masked."""
        from tokenvault_data.cleanup.plan.summary import sample

        return sample(self, cards)

    def __repr__(self) -> str:
        from tokenvault_data.cleanup.plan.summary import headline

        return f"<Plan {self.id}: {headline(self)}>"

    def __str__(self) -> str:
        from tokenvault_data.cleanup.plan.summary import plan_text

        return plan_text(self)


HEADER_FIELDS: Final = tuple(
    one.name for one in fields(Plan) if one.name not in {"cards", "digest"}
)
CARD_FIELDS: Final = tuple(one.name for one in fields(PlannedCard))

_card_values = attrgetter(*CARD_FIELDS)


def canonical(content: object) -> bytes:
    """Return the one line that a JSON value is written as in plans and approvals.

    >>> canonical({"b": None, "a": 1.0}).decode().rstrip()
    '{"a":1.0,"b":null}'
    """
    return f"{_encode(content)}\n".encode("ascii")


def plan_lines(plan: Plan) -> Iterator[bytes]:
    """Write a plan line by line, all but the last line, over which there is no digest."""
    header = {name: getattr(plan, name) for name in HEADER_FIELDS}
    yield canonical(
        header
        | {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "rule": plan.rule.to_dict(),
            "limits": plan.limits.to_dict(),
            "windows": list(plan.windows),
            "holds": [asdict(one) for one in plan.holds],
            "bank_totals": [{"bank": one.bank, "cards": one.cards} for one in plan.bank_totals],
            "left_out": dict(plan.left_out),
            "controls": [
                {"customer_id": one.customer_id, "instrument_id": one.instrument_id}
                for one in plan.controls
            ],
        }
    )
    for card in plan.cards:
        yield canonical(dict(zip(CARD_FIELDS, _card_values(card), strict=True)))


def last_line(plan: Plan) -> bytes:
    """Return the line that closes a plan: its digest and the number of its cards."""
    return canonical({"digest": plan.digest, "rows": len(plan.cards)})


def plan_bytes(plan: Plan) -> bytes:
    """Return the whole plan as its file holds it."""
    return b"".join((*plan_lines(plan), last_line(plan)))
