"""What is true about one saved card, before any API version has written it down."""

from __future__ import annotations

from typing import Literal, NamedTuple

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
