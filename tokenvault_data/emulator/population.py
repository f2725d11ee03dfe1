"""The made-up customers and cards: any number of them, computed when asked for, never kept.

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

import json
from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from tokenvault_data.emulator.banks import (
    BANKS,
    CARD_COUNT_WEIGHTS,
    CARD_SUB_TYPE_WEIGHTS,
    CARD_TYPE_WEIGHTS,
    NETWORK_WEIGHTS,
    Bank,
)
from tokenvault_data.emulator.cards import Flaw, SavedCard
from tokenvault_data.emulator.dialects import API_VERSIONS, instrument_json
from tokenvault_data.emulator.draws import DrawTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenvault_data.emulator.settings import EmulatorSettings

_CUSTOMER_PREFIX = "cust_"
_DIGITS = 7
_DAY_SECONDS = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_TOKEN_LIFE_MONTHS = 60
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


class Population:
    """The truth the emulator answers from.

    Parameters
    ----------
    settings
        `customers`, `seed` and `as_of` are used.

    Examples
    --------
    >>> from datetime import date
    >>> from tokenvault_data.emulator.settings import EmulatorSettings
    >>> population = Population(EmulatorSettings(customers=3, as_of=date(2026, 1, 1)))
    >>> list(population.customer_ids())
    ['cust_0000000', 'cust_0000001', 'cust_0000002']
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self.size = settings.customers
        self.as_of = settings.as_of or datetime.now(UTC).date()
        self._seed = settings.seed
        self._this_month = self.as_of.year * 12 + self.as_of.month - 1
        self._now_seconds = (self.as_of.toordinal() - _EPOCH_ORDINAL) * _DAY_SECONDS
        # Enough for the fetches that follow a list; it does not grow with the population.
        self.saved_cards = lru_cache(maxsize=512)(self._saved_cards)
        self.list_body = lru_cache(maxsize=512)(self._list_body)

    def customer_ids(self) -> Iterator[str]:
        """Go through every customer id, in order."""
        return (customer_id_of(index) for index in range(self.size))

    def index_of(self, customer_id: str) -> int | None:
        """Find the number of a customer; None for an id the vault has never seen."""
        digits = customer_id[len(_CUSTOMER_PREFIX) :]
        if not (
            customer_id.startswith(_CUSTOMER_PREFIX) and digits.isascii() and digits.isdecimal()
        ):
            return None
        index = int(digits) if len(digits) < 19 else self.size
        return index if index < self.size and customer_id_of(index) == customer_id else None

    def instruments(self, customer_id: str, api_version: str) -> list[dict[str, Any]]:
        """List a customer's instruments as a call under `api_version` does, before any delete.

        Raises
        ------
        ValueError
            The version is not one of `API_VERSIONS`.
        """
        if api_version not in API_VERSIONS:
            raise ValueError(f"no API version {api_version!r}; known: {', '.join(API_VERSIONS)}")
        index = self.index_of(customer_id)
        if index is None:
            return []
        instruments: list[dict[str, Any]] = json.loads(self.list_body(index, api_version))
        return instruments

    def _list_body(self, index: int, api_version: str) -> bytes:
        """Write a customer's instruments as a JSON array."""
        cards = self.saved_cards(index)
        return f"[{','.join([instrument_json(card, api_version) for card in cards])}]".encode()

    def _saved_cards(self, index: int) -> tuple[SavedCard, ...]:
        """Compute the rows of one customer, in the order the vault lists them."""
        draws = _EIGHT_NUMBERS.unpack(self._hash("customer", index))
        count = _CARD_COUNTS.pick(draws[0])
        if count == 0:
            return ()
        issues = self._issues(index, count, draws[1])
        customer_id = customer_id_of(index)
        cards = [
            self._save(customer_id, index, slot, account, issue)
            for slot, (account, issue) in enumerate(issues)
        ]
        if draws[2] % 250 == 0:
            cards.append(self._second_row_of_one_save(cards[0], draws[3]))
        return tuple(cards)

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
        digest = self._hash("account", owner, number)
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
            self._this_month + offset,
            was_reissued,
            months_between_issues,
        )

    def _save(
        self, customer_id: str, index: int, slot: int, account: _Account, issue: int
    ) -> SavedCard:
        uid = self._hash("card", account.owner, account.number, issue)[:32]
        digest = self._hash("save", index, slot)
        draws = _EIGHT_NUMBERS.unpack(digest)
        expiry = account.first_expiry + issue * account.months_between_issues
        year, month = divmod(expiry, 12)
        kept_in = API_VERSIONS[draws[3] // 100 % 4] if draws[3] % 100 < 12 else None
        status = "INACTIVE" if draws[4] % 100 < 6 else "ACTIVE"
        if expiry < self._this_month and kept_in == "2022-09-01" and draws[4] // 100 % 3 == 0:
            status = "EXPIRED"  # only the oldest version's pages know this status
        return SavedCard(
            customer_id,
            _instrument_id(digest.hex()),
            str(740_000_000 + draws[5] % 4_260_000_000),
            uid.hex(),
            f"{_FOUR_NUMBERS.unpack(uid)[0] % 10_000:04d}",
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

    def _hash(self, thing: str, first: int, second: int = 0, third: int = 0) -> bytes:
        return blake2b(f"{self._seed}|{thing}|{first}|{second}|{third}".encode()).digest()


def customer_id_of(index: int) -> str:
    """Write the id of customer number `index`, counted from 0."""
    return f"{_CUSTOMER_PREFIX}{index:0{_DIGITS}d}"


@lru_cache(maxsize=1024)
def _first_day(month: int) -> int:
    """Count the days from 1970 to the first day of a month counted from year 0."""
    return date(month // 12, month % 12 + 1, 1).toordinal() - _EPOCH_ORDINAL


def _instrument_id(hex_digits: str) -> str:
    """Make a version 4 UUID, or in one case of fifty the odd kind that the documentation shows."""
    text = hex_digits[-32:]
    uuid = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
    if int(hex_digits[32:36], 16) % 50 == 0:
        return f"{text[:12]}-{text[12:16]}-{text[16:20]}-{text[20:24]}-{text[20:32]}"
    return uuid
