"""A card as a plan names it, and what stands beside it: controls, totals of banks, hold lists."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from tokenvault_data.redaction import mask_id


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


CARD_FIELDS: Final = tuple(one.name for one in fields(PlannedCard))
