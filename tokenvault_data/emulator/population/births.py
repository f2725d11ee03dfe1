"""The cards as they were on the day the population was made, and the making of later ones.

Everything about customer `i` follows from the seed, the day and `i` alone. Three hashes feed a
card, one for each thing that has an identity of its own:

* the *account* at the bank (bank, network, kind, payment account reference, expiry): what a
  re-issued card shares with the one before it;
* the *card* itself (its `instrument_uid` and last four digits): what two customers share who
  have saved the same card;
* the *save* of that card by one customer (instrument id, creation, status, spelling, flaws).

Numbers of cards never appear; where a cryptogram needs a card number, its prefix is one
that no issuer holds.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, get_args

from tokenvault_data.emulator.dialects import API_VERSIONS, Flaw, SavedCard

if TYPE_CHECKING:
    from collections.abc import Mapping


T = TypeVar("T")


class DrawTable(Generic[T]):
    """A weighted choice, unrolled: every option stands in a list as often as it weighs.

    Parameters
    ----------
    weights
        Whole numbers, shares of their own sum.
    """

    __slots__ = ("_options",)

    def __init__(self, weights: Mapping[T, int]) -> None:
        self._options = [option for option, weight in weights.items() for _ in range(weight)]

    def pick(self, draw: int) -> T:
        """Take the option that `draw`, a large whole number spread evenly, falls on."""
        return self._options[draw % len(self._options)]


class Bank(NamedTuple):
    """An issuer: its weight, the spellings of its name (commonest first), country and networks."""

    weight: int
    spellings: tuple[str, ...]
    country: str = "IN"
    networks: str = "india"


BANKS = (
    Bank(200, ("HDFC BANK", "HDFC Bank Limited", "HDFC BANK LTD", "HDFC Bank"), networks="diners"),
    Bank(150, ("STATE BANK OF INDIA", "SBI", "State Bank of India", "STATE BANK OF INDIA (SBI)")),
    Bank(140, ("ICICI BANK", "ICICI Bank Limited", "ICICI BANK LTD")),
    Bank(100, ("AXIS BANK", "Axis Bank Limited", "AXIS BANK LTD")),
    Bank(70, ("SBI CARDS AND PAYMENT SERVICES", "SBI Card", "SBI CARDS & PAYMENT SERVICES LTD")),
    Bank(60, ("KOTAK MAHINDRA BANK", "Kotak Mahindra Bank Limited", "KOTAK BANK")),
    Bank(40, ("PUNJAB NATIONAL BANK", "PNB", "Punjab National Bank")),
    Bank(35, ("BANK OF BARODA", "Bank Of Baroda", "BOB")),
    Bank(30, ("CANARA BANK", "Canara Bank")),
    Bank(25, ("UNION BANK OF INDIA", "Union Bank of India", "UBI")),
    Bank(20, ("INDUSIND BANK", "IndusInd Bank Limited", "INDUS IND BANK")),
    Bank(18, ("IDFC FIRST BANK", "IDFC First Bank Limited", "IDFC BANK")),
    Bank(16, ("YES BANK", "Yes Bank Limited", "YES BANK LTD.")),
    Bank(14, ("RBL BANK", "RBL Bank Limited", "RATNAKAR BANK")),
    Bank(12, ("THE FEDERAL BANK", "Federal Bank", "FEDERAL BANK LTD")),
    Bank(12, ("AU SMALL FINANCE BANK", "AU Small Finance Bank Limited")),
    Bank(10, ("INDIAN BANK", "Indian Bank")),
    Bank(9, ("BANK OF INDIA", "Bank Of India", "BOI")),
    Bank(
        8,
        ("AMERICAN EXPRESS BANKING CORP", "American Express", "AMEX BANKING CORP."),
        networks="amex",
    ),
    Bank(7, ("SOUTH INDIAN BANK", "South Indian Bank Ltd")),
    Bank(6, ("HSBC", "Hongkong & Shanghai Banking Corporation")),
    Bank(5, ("STANDARD CHARTERED BANK", "Standard Chartered")),
    Bank(5, ("PAYTM PAYMENTS BANK", "Paytm Payments Bank Limited"), networks="rupay"),
    Bank(4, ("CHASE BANK USA N.A.", "JPMORGAN CHASE BANK"), country="US", networks="abroad"),
    Bank(3, ("DBS BANK LTD", "DBS Bank"), country="SG", networks="abroad"),
    Bank(3, ("EMIRATES NBD BANK", "Emirates NBD"), country="AE", networks="abroad"),
    Bank(2, ("BARCLAYS BANK UK PLC", "Barclays"), country="GB", networks="abroad"),
)

NETWORK_WEIGHTS: dict[str, dict[str, int]] = {
    "india": {"visa": 48, "mastercard": 29, "rupay": 23},
    "diners": {"visa": 52, "mastercard": 28, "rupay": 12, "diners": 8},
    "amex": {"amex": 1},
    "rupay": {"rupay": 4, "visa": 1},
    "abroad": {"visa": 60, "mastercard": 40},
}

CARD_TYPE_WEIGHTS: dict[str, dict[str, int]] = {
    "visa": {"debit": 52, "credit": 44, "prepaid": 4},
    "mastercard": {"debit": 50, "credit": 46, "prepaid": 4},
    "rupay": {"debit": 84, "credit": 10, "prepaid": 6},
    "amex": {"credit": 98, "prepaid": 2},
    "diners": {"credit": 1},
}

CARD_SUB_TYPE_WEIGHTS: dict[str, dict[str, int]] = {
    "credit": {"R": 62, "P": 30, "C": 8},
    "debit": {"R": 90, "P": 8, "C": 2},
    "prepaid": {"R": 70, "C": 30},
}

# Customers by how many cards they have saved: many with none, most with one or two, a thin tail.
CARD_COUNT_WEIGHTS: dict[int, int] = {
    0: 220,
    1: 400,
    2: 210,
    3: 90,
    4: 40,
    5: 20,
    6: 10,
    7: 6,
    8: 4,
}


_DAY_SECONDS = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_TOKEN_LIFE_MONTHS = 60
# Far above the numbers of the accounts and rows that a customer is born with.
_FIRST_LATER_ACCOUNT = 1000
_EIGHT_NUMBERS = Struct("<8Q")
_FOUR_NUMBERS = Struct("<4Q")
_FLAWS: tuple[Flaw, ...] = get_args(Flaw)
_KNOWN_FLAW_SHARES = {"null instrument_meta": 7, "null card_token_details": 14}

_CARD_COUNTS = DrawTable(CARD_COUNT_WEIGHTS)
_BANKS = DrawTable({bank: bank.weight for bank in BANKS})
_NETWORKS = {name: DrawTable(weights) for name, weights in NETWORK_WEIGHTS.items()}
_CARD_TYPES = {name: DrawTable(weights) for name, weights in CARD_TYPE_WEIGHTS.items()}
_SUB_TYPES = {name: DrawTable(weights) for name, weights in CARD_SUB_TYPE_WEIGHTS.items()}
_SPELLINGS = {
    bank: DrawTable({name: 6 if place == 0 else 2 for place, name in enumerate(bank.spellings)})
    for bank in BANKS
}
# Flaws in a thousand rows.
_FLAW_DRAWS: DrawTable[Flaw | None] = DrawTable(
    {None: 967, **{flaw: _KNOWN_FLAW_SHARES.get(flaw, 1) for flaw in _FLAWS}}
)


class _Account(NamedTuple):
    owner: int
    number: int
    bank: Bank
    network: str
    card_type: str
    card_sub_type: str
    par: str
    first_expiry: int
    was_reissued: bool
    months_between_issues: int


class Births:
    """Makes the cards a customer begins with, and the accounts opened later.

    Parameters
    ----------
    seed
        Another seed gives other cards.
    as_of
        The day of birth: expiry and creation dates are relative to it.

    Attributes
    ----------
    month
        The month of birth, counted from year 0.
    """

    def __init__(self, seed: int, as_of: date) -> None:
        self._seed = seed
        self.month = as_of.year * 12 + as_of.month - 1
        self._now_seconds = (as_of.toordinal() - _EPOCH_ORDINAL) * _DAY_SECONDS

    def cards(self, customer_id: str, index: int) -> tuple[SavedCard, ...]:
        """Compute the rows of customer number `index`, in the order the vault lists them."""
        draws = _EIGHT_NUMBERS.unpack(self.digest("customer", index))
        count = _CARD_COUNTS.pick(draws[0])
        if count == 0:
            return ()
        issues = self._issues(index, count, draws[1])
        cards = [
            self._save(customer_id, index, slot, account, issue)
            for slot, (account, issue) in enumerate(issues)
        ]
        if draws[2] % 250 == 0:
            cards.append(self._second_row_of_one_save(cards[0], draws[3]))
        return tuple(cards)

    def later_card(
        self, customer_id: str, index: int, months_later: int, created_at_seconds: int
    ) -> SavedCard:
        """Make an active card on an account opened so many months after birth, one a month."""
        number = _FIRST_LATER_ACCOUNT + months_later
        account = self._account(index, number)
        # The life drawn for a re-issue is the life of this first issue.
        expiry = self.month + months_later + account.months_between_issues
        card = self._save(customer_id, index, number, account._replace(first_expiry=expiry), 0)
        return card._replace(created_at_seconds=created_at_seconds, status="ACTIVE")

    def _issues(self, index: int, count: int, draw: int) -> list[tuple[_Account, int]]:
        """Choose a customer's cards: (account, how many times re-issued before)."""
        issues: list[tuple[_Account, int]] = []
        number = 0
        while len(issues) < count:
            account = self._account(index, number)
            issues.append((account, 0))
            if account.was_reissued and len(issues) < count:
                issues.append((account, 1))
            number += 1
        # A household's card: odd customers borrow the first card of an even one near them, which
        # never borrows itself, so that both answers agree whoever is asked first.
        if index % 2 and draw % 100 < 4:
            lender = index - 1 - 2 * (draw // 100 % 25)
            if lender >= 0:
                issues[-1] = (self._account(lender, 0), 0)
        return issues

    def _account(self, owner: int, number: int) -> _Account:
        digest = self.digest("account", owner, number)
        draws = _EIGHT_NUMBERS.unpack(digest)
        bank = _BANKS.pick(draws[0])
        network = _NETWORKS[bank.networks].pick(draws[1])
        card_type = _CARD_TYPES[network].pick(draws[2])
        was_reissued = draws[3] % 100 < 12
        months_between_issues = 36 + draws[4] % 25
        if was_reissued:
            # The second issue is good for some months yet; the first has run out, or will soon.
            offset = draws[5] % 58 + 2 - months_between_issues
        elif draws[5] % 100 < 18:
            offset = -1 - draws[5] // 100 % 36
        else:
            offset = draws[5] // 100 % 60
        return _Account(
            owner,
            number,
            bank,
            network,
            card_type,
            _SUB_TYPES[card_type].pick(draws[6]),
            f"{'V0' if network == 'visa' else '50'}01{digest.hex()[:25].upper()}",
            self.month + offset,
            was_reissued,
            months_between_issues,
        )

    def _save(
        self, customer_id: str, index: int, slot: int, account: _Account, issue: int
    ) -> SavedCard:
        uid = self.digest("card", account.owner, account.number, issue)[:32]
        digest = self.digest("save", index, slot)
        draws = _EIGHT_NUMBERS.unpack(digest)
        expiry = account.first_expiry + issue * account.months_between_issues
        year, month = divmod(expiry, 12)
        kept_in = API_VERSIONS[draws[3] // 100 % 4] if draws[3] % 100 < 12 else None
        status = "INACTIVE" if draws[4] % 100 < 6 else "ACTIVE"
        if expiry < self.month and kept_in == "2022-09-01" and draws[4] // 100 % 3 == 0:
            status = "EXPIRED"  # only the oldest version's pages know this status
        return SavedCard(
            customer_id,
            instrument_id_of(digest.hex()),
            afa_reference_of(draws[5]),
            uid.hex(),
            last_four_of(uid),
            account.network,
            _SPELLINGS[account.bank].pick(draws[6]),
            account.bank.country,
            account.card_type,
            account.card_sub_type,
            account.par,
            year,
            month + 1,
            self._created_at(expiry, draws[7]),
            status,
            kept_in,
            _FLAW_DRAWS.pick(draws[2]),
        )

    def _second_row_of_one_save(self, card: SavedCard, draw: int) -> SavedCard:
        """Repeat an instrument id: in the same row, or in another that contradicts it."""
        if draw % 3:
            return card
        return card._replace(
            status="ACTIVE" if card.status == "INACTIVE" else "INACTIVE",
            kept_in=API_VERSIONS[draw // 3 % 4],
        )

    def _created_at(self, expiry: int, draw: int) -> int:
        """Choose a second in the life of the token, and before today."""
        earliest = _first_day(expiry - _TOKEN_LIFE_MONTHS) * _DAY_SECONDS
        latest = min(self._now_seconds, _first_day(expiry) * _DAY_SECONDS)
        return latest - 1 - draw % max(1, latest - earliest)

    def digest(self, thing: str, first: int, second: int = 0, third: int = 0) -> bytes:
        """Give 64 bytes that follow from the seed, the name of a thing and its numbers."""
        return blake2b(f"{self._seed}|{thing}|{first}|{second}|{third}".encode()).digest()


@lru_cache(maxsize=1024)
def _first_day(month: int) -> int:
    """Count the days from 1970 to the first day of a month counted from year 0."""
    return date(month // 12, month % 12 + 1, 1).toordinal() - _EPOCH_ORDINAL


def instrument_id_of(hex_digits: str) -> str:
    """Make a version 4 UUID, or in one case of fifty the odd kind that the documentation shows."""
    text = hex_digits[-32:]
    uuid = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
    if int(hex_digits[32:36], 16) % 50 == 0:
        return f"{text[:12]}-{text[12:16]}-{text[16:20]}-{text[20:24]}-{text[20:32]}"
    return uuid


def last_four_of(uid: bytes) -> str:
    """Read the last four digits of a card off its identity."""
    return f"{_FOUR_NUMBERS.unpack(uid)[0] % 10_000:04d}"


def afa_reference_of(draw: int) -> str:
    """Make a reference to the approval of a save."""
    return str(740_000_000 + draw % 4_260_000_000)
