"""The two pinned Arrow schemas: instruments and outcomes of every snapshot, column by column.

Every part and every snapshot file is written with exactly these schemas and checked against them
when read. A change of a name, a type or a meaning is a new :data:`SCHEMA_VERSION`.

Low-cardinality columns are Arrow dictionaries, so that they are small in memory and arrive in
pandas as categories. A ``*_received`` column holds the vault's own spelling of the column whose
name it carries; it is null where the vault sent nothing, or something that is not text.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

SCHEMA_VERSION = 1
"""Version of both schemas together, written into every file and every manifest."""

VERSION_KEY = b"tokenvault_schema_version"
"""Key of the schema metadata that holds :data:`SCHEMA_VERSION`."""

TABLE_KEY = b"tokenvault_table"
"""Key of the schema metadata that names the table, ``instruments`` or ``outcomes``."""

WRITTEN_KEY = b"tokenvault_export"
"""Key of the schema metadata that an export of ours has."""

CATEGORY = pa.dictionary(pa.int32(), pa.string())
"""Type of low-cardinality text."""

INSTANT = pa.timestamp("us", tz="UTC")
"""Type of every instant."""

OUTCOME_NAMES = ("fetched", "empty", "failed", "not_attempted")
"""What may become of a requested customer, in the order in which reports list it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a pinned schema.

    Attributes
    ----------
    name : str
    type : pyarrow.DataType
    description : str
        Meaning, unit, and what null says; stored as metadata of the field.
    nullable : bool
    """

    name: str
    type: pa.DataType
    description: str
    nullable: bool = True

    def field(self) -> pa.Field:
        """Return the Arrow field, its description in the metadata."""
        return pa.field(
            self.name,
            self.type,
            nullable=self.nullable,
            metadata={b"description": self.description.encode()},
        )


def _received(name: str, field: str, column_type: pa.DataType = CATEGORY) -> Column:
    return Column(
        f"{name}_received", column_type, f"`{field}` as the vault sent it, without payment data."
    )


_TEXT = pa.string()
_META = "instrument_meta."
_TOKEN = "instrument_meta.card_token_details."  # noqa: S105 - a path of field names

INSTRUMENT_COLUMNS: tuple[Column, ...] = (
    Column("customer_id", _TEXT, "The customer as requested, never null.", nullable=False),
    Column(
        "list_position",
        pa.int32(),
        "0-based place in the customer's list, counted over all its pages.",
        nullable=False,
    ),
    Column("instrument_id", _TEXT, "The vault's id of this saved card; a list may repeat one."),
    Column("instrument_uid", _TEXT, "The same for one card saved by several customers."),
    Column("instrument_type", CATEGORY, "Kind of instrument: `card`."),
    Column("instrument_status", CATEGORY, "ACTIVE, INACTIVE, EXPIRED or FAILED."),
    Column("instrument_display", _TEXT, "The masked number as sent; digits before the last four "
           "of a number sent in full are replaced by X."),
    Column("last_four", _TEXT, "Last four digits of the card: the last four signs of "
           "instrument_display where these are digits."),
    Column("afa_reference", _TEXT, "Id of the payment that saved the card (`cf_payment_id`)."),
    Column("created_at", INSTANT, "When the card was saved; a value without an offset is India "
           "time, an offset is +hh:mm, +hhmm, +hh or Z, from -12:00 to +14:00."),
    Column("card_network", CATEGORY, "visa, mastercard, rupay, amex or diners."),
    Column("card_bank", CATEGORY, "Issuing bank: the received spelling, white space "
           "collapsed; null for `N/A`, `null`, `-`, `none`, `unknown` and the like."),
    Column("card_country", CATEGORY, "Country of issue, ISO 3166-1 alpha-2, upper case: "
           "`IN` is read from `IN`, `IND` and `India`, other countries from their two letters; "
           "capitals do not matter."),
    Column("card_type", CATEGORY, "credit, debit or prepaid."),
    Column("card_sub_type", CATEGORY, "retail, premium or corporate; newer API versions only."),
    Column("par", _TEXT, "Payment account reference: links the cards of one account."),
    Column("expiry_month", pa.int8(), "Month of expiry, 1 to 12, from one or two digits."),
    Column("expiry_year", pa.int16(), "Year of expiry, 2000 to 2099: four digits as they are, "
           "two as of this century (`23` is 2023, `99` is 2099)."),
    Column("expires_on", pa.date32(), "Last day on which the card is valid: the last day of its "
           "month of expiry."),
    Column("fetched_at", INSTANT, "When the answer that holds this row arrived.", nullable=False),
    Column("api_version", CATEGORY, "`x-api-version` the answer was asked for with.",
           nullable=False),
    Column("anomalies", _TEXT, "What could not be read in this row, as `field:kind` codes in "
           "alphabetical order joined by `;`; null when all could."),
    Column("extra", _TEXT, "JSON object of what was sent and has no column here, nested as "
           "received, without payment data; null when there is none."),
    Column("customer_id_received", _TEXT, "`customer_id` of the body where it names another "
           "customer than the one requested; null where they agree."),
    _received("instrument_type", "instrument_type"),
    _received("instrument_status", "instrument_status"),
    _received("created_at", "created_at", _TEXT),
    _received("card_network", _META + "card_network"),
    _received("card_bank", _META + "card_bank_name"),
    _received("card_country", _META + "card_country"),
    _received("card_type", _META + "card_type"),
    _received("card_sub_type", _META + "card_sub_type"),
    _received("expiry_month", _TOKEN + "expiry_month"),
    _received("expiry_year", _TOKEN + "expiry_year"),
)  # fmt: skip

OUTCOME_COLUMNS: tuple[Column, ...] = (
    Column("customer_id", _TEXT, "The customer as requested.", nullable=False),
    Column("position", pa.int64(), "0-based place in the requested list.", nullable=False),
    Column("outcome", CATEGORY, "fetched, empty, failed or not_attempted.", nullable=False),
    Column("cause", CATEGORY, "Short code of the failure; null unless failed."),
    Column(
        "detail",
        _TEXT,
        "What happened, in words; null when there is nothing to say. Of a customer who "
        "did not fail: the vault answered `null`, or nothing, in place of a list.",
    ),
    Column("http_status", pa.int16(), "Status of the last answer; null when there was none."),
    Column("instruments", pa.int32(), "Rows this customer has in instruments.", nullable=False),
    Column("requests", pa.int32(), "Requests sent for this customer.", nullable=False),
    Column("finished_at", INSTANT, "When the outcome was known; null when not attempted."),
)


def _schema(table: str, columns: tuple[Column, ...]) -> pa.Schema:
    metadata = {TABLE_KEY: table.encode(), VERSION_KEY: str(SCHEMA_VERSION).encode()}
    return pa.schema([column.field() for column in columns], metadata=metadata)


INSTRUMENTS: pa.Schema = _schema("instruments", INSTRUMENT_COLUMNS)
"""One row per instrument as listed; key ``(customer_id, list_position)``."""

OUTCOMES: pa.Schema = _schema("outcomes", OUTCOME_COLUMNS)
"""One row per requested customer; key ``position``."""

CATEGORIES: tuple[str, ...] = tuple(c.name for c in INSTRUMENT_COLUMNS if c.type == CATEGORY)
"""The low-cardinality columns of :data:`INSTRUMENTS`."""
