"""Canonical spellings: closed vocabularies, and the readers that map what was sent to them.

Each reader takes one received text and returns its canonical value, or None when the text has no
meaning that is known. A reader is called once per distinct value of a batch, never once per row.
"""

from __future__ import annotations

import re
from functools import lru_cache

NETWORKS = ("visa", "mastercard", "rupay", "amex", "diners")
CARD_TYPES = ("credit", "debit", "prepaid")
CARD_SUB_TYPES = ("retail", "premium", "corporate")
STATUSES = ("ACTIVE", "INACTIVE", "EXPIRED", "FAILED")
INSTRUMENT_TYPES = ("card",)

CLOSED: dict[str, tuple[str, ...]] = {
    "instrument_type": INSTRUMENT_TYPES,
    "instrument_status": STATUSES,
    "card_network": NETWORKS,
    "card_type": CARD_TYPES,
    "card_sub_type": CARD_SUB_TYPES,
}
"""Every value the canonical columns of closed vocabulary can take, in the order of reports."""

_NETWORK_ALIASES = {name: name for name in NETWORKS} | {
    "master": "mastercard",
    "mc": "mastercard",
    "americanexpress": "amex",
    "dinersclub": "diners",
    "dinersclubinternational": "diners",
}
_SUB_TYPE_ALIASES = {name: name for name in CARD_SUB_TYPES} | {
    "r": "retail",
    "p": "premium",
    "c": "corporate",
}
_COUNTRY_ALIASES = {"IND": "IN", "INDIA": "IN"}

# ISO 3166-1 alpha-2, all officially assigned codes: second letters by the first.
_ASSIGNED = {
    "A": "DEFGILMOQRSTUWXZ",
    "B": "ABDEFGHIJLMNOQRSTVWYZ",
    "C": "ACDFGHIKLMNORUVWXYZ",
    "D": "EJKMOZ",
    "E": "CEGHRST",
    "F": "IJKMOR",
    "G": "ABDEFGHILMNPQRSTUWY",
    "H": "KMNRTU",
    "I": "DELMNOQRST",
    "J": "EMOP",
    "K": "EGHIMNPRWYZ",
    "L": "ABCIKRSTUVY",
    "M": "ACDEFGHKLMNOPQRSTUVWXYZ",
    "N": "ACEFGILOPRUZ",
    "O": "M",
    "P": "AEFGHKLMNRSTWY",
    "Q": "A",
    "R": "EOSUW",
    "S": "ABCDEGHIJKLMNORSTVXYZ",
    "T": "CDFGHJKLMNORTVWZ",
    "U": "AGMSYZ",
    "V": "ACEGINU",
    "W": "FS",
    "Y": "ET",
    "Z": "AMW",
}
COUNTRIES = frozenset(first + second for first, seconds in _ASSIGNED.items() for second in seconds)

_STANDS_FOR_NOTHING = frozenset(
    {"na", "nil", "nan", "null", "none", "undefined", "unknown", "unspecified", "missing", "blank"}
    | {"notavailable", "notapplicable", "notknown", "notspecified", "notprovided", "notset"}
    | {"nobank", "unknownbank", "bankunknown", "empty", "tbd"}
)
LONGEST_PLACEHOLDER = 24
"""Signs that a text which stands for nothing has at most, where it is to be looked for."""

_OUTSIDE_BRACKETS = re.compile(r"[^\w()\[\]]|_")

_NOT_LETTERS = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"[0-9]+")


def _letters(text: str) -> str:
    return _NOT_LETTERS.sub("", text).casefold()


def read_network(text: str) -> str | None:
    """Return the card network, e.g. ``mastercard`` for ``MASTER CARD``.

    >>> read_network("American Express"), read_network("RuPay"), read_network("abacus")
    ('amex', 'rupay', None)
    """
    return _NETWORK_ALIASES.get(_letters(text))


def read_card_type(text: str) -> str | None:
    """Return credit, debit or prepaid, for the long and the short form.

    >>> read_card_type("DEBIT_CARD"), read_card_type("credit"), read_card_type("charge")
    ('debit', 'credit', None)
    """
    name = _letters(text).removesuffix("card")
    return name if name in CARD_TYPES else None


def read_sub_type(text: str) -> str | None:
    """Return retail, premium or corporate, for the letter or the word."""
    return _SUB_TYPE_ALIASES.get(_letters(text))


def read_status(text: str) -> str | None:
    """Return the status in upper case."""
    name = text.strip().upper()
    return name if name in STATUSES else None


def read_instrument_type(text: str) -> str | None:
    """Return the kind of instrument in lower case."""
    name = text.strip().lower()
    return name if name in INSTRUMENT_TYPES else None


def read_country(text: str) -> str | None:
    """Return the ISO 3166-1 alpha-2 code in upper case, of the code or of ``IND`` or ``India``.

    Capitals and white space around it do not matter. Other names and three-letter codes, and codes
    that are not assigned, are not read.

    >>> read_country(" in "), read_country("Ind"), read_country("INDIA"), read_country("USA")
    ('IN', 'IN', 'IN', None)
    """
    name = text.strip().upper()
    name = _COUNTRY_ALIASES.get(name, name)
    return name if name in COUNTRIES else None


@lru_cache(maxsize=8192)
def read_bank(text: str) -> str | None:
    """Return the bank's received spelling, white space trimmed and collapsed.

    What stands for no bank is None: a text without a letter or digit, and words such as ``N/A``,
    ``null``, ``none`` or ``unknown``, whatever their capitals and punctuation. In brackets they may
    be anything, so ``(none)`` is kept as it is.

    >>> read_bank("  HDFC   BANK "), read_bank("N/A"), read_bank("-"), read_bank("(none)")
    ('HDFC BANK', None, None, '(none)')
    """
    return None if stands_for_nothing(text) else " ".join(text.split())


def stands_for_nothing(text: str) -> bool:
    """Return whether a text is written where there is no value, as ``N/A``, ``null`` or ``-`` are.

    >>> stands_for_nothing("N/A"), stands_for_nothing("--"), stands_for_nothing("0")
    (True, True, False)
    """
    return _OUTSIDE_BRACKETS.sub("", text).casefold() in _STANDS_FOR_NOTHING or not any(
        sign.isalnum() for sign in text
    )


def read_month(text: str) -> int | None:
    """Return a month of 1 to 12 from ``5``, ``05`` or ``12``."""
    digits = text.strip()
    if len(digits) > 2 or not _DIGITS.fullmatch(digits):
        return None
    return int(digits) if 1 <= int(digits) <= 12 else None


def read_year(text: str) -> int | None:
    """Return a year of 2000 to 2099 from ``23`` or ``2028``.

    Two digits are a year of this century: ``00`` is 2000 and ``99`` is 2099, never 1999. Four
    digits are read as they are. Anything else, such as ``026`` or ``1999``, is not read.

    >>> read_year("23"), read_year("2028"), read_year("1923")
    (2023, 2028, None)
    """
    digits = text.strip()
    if len(digits) not in {2, 4} or not _DIGITS.fullmatch(digits):
        return None
    year = int(digits) if len(digits) == 4 else 2000 + int(digits)
    return year if 2000 <= year <= 2099 else None
