"""What both readers of JSON hand on: one row per element of a list, every value still as sent.

:mod:`.many_records` (Arrow, fast, refuses what is irregular) and :mod:`.one_record` (Python, reads
anything) fill the same columns; :mod:`.canonical` turns them into the pinned schema. So a record
becomes the same row whichever of the two read it.
"""

from __future__ import annotations

import pyarrow as pa

TOP_FIELDS = (
    "customer_id",
    "afa_reference",
    "instrument_id",
    "instrument_type",
    "instrument_uid",
    "instrument_display",
    "instrument_status",
    "created_at",
)
META = "instrument_meta"
META_FIELDS = ("card_network", "card_bank_name", "card_country", "card_type", "card_sub_type")
TOKEN = "card_token_details"  # noqa: S105 - the name of a field
TOKEN_FIELDS = ("par", "expiry_month", "expiry_year")

LEAVES: tuple[str, ...] = TOP_FIELDS + META_FIELDS + TOKEN_FIELDS
"""Every field of an instrument that has a column, by its name in the JSON; the names are unique."""

RECEIVED: pa.Schema = pa.schema(
    [
        ("body", pa.int32()),  # which of the bodies of the batch the record came in
        ("element", pa.int32()),  # 0-based place in the list of that body
        *[(leaf, pa.string()) for leaf in LEAVES],
        ("issues", pa.string()),  # `field:kind` codes found while taking the JSON apart
        ("extra", pa.string()),
    ]
)

COLUMN_OF_LEAF = {"card_bank_name": "card_bank"}
"""Columns whose name is not that of their field."""


def column_of(leaf: str) -> str:
    """Return the name of the column that a field of the JSON feeds."""
    return COLUMN_OF_LEAF.get(leaf, leaf)
