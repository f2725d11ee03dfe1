"""How each version of the API writes one and the same card down.

The documentation of the four versions disagrees about letter case, dates, years and the display of
the number, and shows several of them under one version. Here each version gets one consistent way,
so that the four together cover every form that was seen:

=========== ======== ============== ================================= ======== ======
version     network  type           created_at                        year     month
=========== ======== ============== ================================= ======== ======
2022-09-01  ``VISA`` ``DEBIT_CARD`` ``2021-11-11 16:57:57`` (India)   ``23``   ``05``
2023-08-01  ``VISA`` ``debit_card`` ``2022-04-14T10:42:59+05:30``     ``23``   ``5``
2025-01-01  ``visa`` ``debit_card`` ``2023-11-01T04:55:07.000+00:00`` ``2028`` ``05``
2026-01-01  ``visa`` ``debit_card`` ``2023-11-01T04:55:07.000+00:00`` ``2028`` ``5``
=========== ======== ============== ================================= ======== ======

The number is displayed as ``xxxxxxxxxxxx4375``, in capitals from 2023-08-01 on, and as ``4375``
alone in 2026-01-01. `card_sub_type` appears from 2025-01-01 on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Literal, NamedTuple

Flaw = Literal[
    "null instrument_meta",
    "null card_token_details",
    "without afa_reference",
    "without instrument_uid",
    "without instrument_display",
    "without created_at",
    "without instrument_type",
    "without card_network",
    "without card_bank_name",
    "without card_country",
    "without card_type",
    "without par",
    "without expiry_month",
    "without expiry_year",
]


class SavedCard(NamedTuple):
    """One row of the vault.

    `network` and `card_type` are in lower case and without suffix, `created_at_seconds` counts from
    1970 in UTC. `kept_in` is the API version whose dialect the row stays in whatever version
    is asked for; None follows the request. `flaw` is what is missing from the row.
    """

    customer_id: str
    instrument_id: str
    afa_reference: str
    instrument_uid: str
    last_four: str
    network: str
    bank_name: str
    country: str
    card_type: str
    card_sub_type: str
    par: str
    expiry_year: int
    expiry_month: int
    created_at_seconds: int
    status: str
    kept_in: str | None
    flaw: Flaw | None


_INDIA_OFFSET_SECONDS = 19_800
_DAY_SECONDS = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
# Digits hidden before the last four: American Express numbers have 15 digits, Diners Club's 14.
_HIDDEN_DIGITS = {"amex": 11, "diners": 10}


@dataclass(frozen=True, slots=True)
class Dialect:
    """The writing habits of one API version."""

    version: str
    upper_case_network: bool
    upper_case_type: bool
    created_at: Literal["zoneless", "india", "utc"]
    four_digit_year: bool
    padded_month: bool
    has_sub_type: bool
    mask: str
    status_after_delete: str


DIALECTS = {
    dialect.version: dialect
    for dialect in (
        Dialect("2022-09-01", True, True, "zoneless", False, True, False, "x", "ACTIVE"),
        Dialect("2023-08-01", True, False, "india", False, False, False, "X", "INACTIVE"),
        Dialect("2025-01-01", False, False, "utc", True, True, True, "X", "INACTIVE"),
        Dialect("2026-01-01", False, False, "utc", True, False, True, "", "INACTIVE"),
    )
}
API_VERSIONS = tuple(DIALECTS)


def instrument_json(card: SavedCard, version: str, status: str | None = None) -> str:
    """Write one instrument as JSON text in the dialect of `version`.

    Parameters
    ----------
    card
        What is true about it. A row that is `kept_in` another version stays in that one's dialect.
    version
        One of `API_VERSIONS`.
    status
        The status to show in place of the card's own.
    """
    dialect = DIALECTS[card.kept_in or version]
    network = card.network.upper() if dialect.upper_case_network else card.network
    card_type = "DEBIT_CARD" if card.card_type == "debit" else f"{card.card_type.upper()}_CARD"
    if not dialect.upper_case_type:
        card_type = card_type.lower()
    sub_type = f'"card_sub_type":"{card.card_sub_type}",' if dialect.has_sub_type else ""
    month = f"{card.expiry_month:02d}" if dialect.padded_month else str(card.expiry_month)
    year = card.expiry_year if dialect.four_digit_year else f"{card.expiry_year % 100:02d}"
    hidden = dialect.mask * _HIDDEN_DIGITS.get(card.network, 12)
    text = (
        f'{{"customer_id":"{card.customer_id}","afa_reference":"{card.afa_reference}",'
        f'"instrument_id":"{card.instrument_id}","instrument_type":"card",'
        f'"instrument_uid":"{card.instrument_uid}",'
        f'"instrument_display":"{hidden}{card.last_four}",'
        f'"instrument_status":"{status or card.status}",'
        f'"created_at":"{_created_at(card.created_at_seconds, dialect)}",'
        f'"instrument_meta":{{"card_network":"{network}","card_bank_name":{_json_string(card.bank_name)},'
        f'"card_country":"{card.country}","card_type":"{card_type}",{sub_type}'
        f'"card_token_details":{{"par":"{card.par}","expiry_month":"{month}","expiry_year":"{year}"}}}}}}'
    )
    return text if card.flaw is None else _with_flaw(text, card.flaw)


def _created_at(seconds: int, dialect: Dialect) -> str:
    if dialect.created_at != "utc":
        seconds += _INDIA_OFFSET_SECONDS
    days, rest = divmod(seconds, _DAY_SECONDS)
    hours, rest = divmod(rest, 3600)
    clock = f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
    if dialect.created_at == "zoneless":
        return f"{_day(days)} {clock}"
    return f"{_day(days)}T{clock}{'+05:30' if dialect.created_at == 'india' else '.000+00:00'}"


@lru_cache(maxsize=8192)
def _day(days_since_epoch: int) -> str:
    return date.fromordinal(_EPOCH_ORDINAL + days_since_epoch).isoformat()


@lru_cache(maxsize=256)
def _json_string(text: str) -> str:
    return json.dumps(text)


def _with_flaw(text: str, flaw: Flaw) -> str:
    instrument: dict[str, Any] = json.loads(text)
    meta = instrument["instrument_meta"]
    kind, _, field = flaw.partition(" ")
    for holder in (instrument, meta, meta["card_token_details"]):
        if field in holder:
            if kind == "null":
                holder[field] = None
            else:
                del holder[field]
            break
    return json.dumps(instrument, separators=(",", ":"))
