"""What of a card may leave: named policies, applied batch by batch while exporting.

================ ===================================================================================
``full``         everything, ids in clear
``masked``       ids as keyed hashes, so that rows can still be joined and counted, and nobody
                 without this installation's key can tell whose they are; free-form JSON left out
``minimal``      last four digits, network and issuing bank
================ ===================================================================================

``minimal`` is what India's rules on card-on-file let a merchant keep of a card for tracking and
reconciliation: the last four digits and the name of the issuer (Reserve Bank of India, circular
CO.DPSS.POLC.No.S-516/02-14-003/2021-22 of 7 September 2021); the network identifies nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

import pyarrow as pa

from tokenvault_data.dataset.masked_ids import is_identifying
from tokenvault_data.errors import UsageError
from tokenvault_data.redaction import keyed_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

Policy = Literal["full", "masked", "minimal"]
POLICIES: Final[tuple[Policy, ...]] = get_args(Policy)

MINIMAL_COLUMNS: Final = ("last_four", "card_network", "card_bank")
_FREE_FORM: Final = ("extra",)
"""JSON of whatever was sent: it may hold ids that no rule finds."""

_PREFIXES: Final = {"customer_id": "cust", "instrument_id": "inst", "instrument_uid": "card"}


@dataclass(frozen=True, slots=True)
class ExportPolicy:
    """Which columns of a table leave, and how.

    Attributes
    ----------
    name : {"full", "masked", "minimal"}
    """

    name: Policy

    def columns(self, schema: pa.Schema) -> list[str]:
        """Return the columns that leave, in their order.

        Raises
        ------
        UsageError
            None of the columns may.
        """
        names: list[str] = list(schema.names)
        if self.name == "masked":
            names = [name for name in names if name not in _FREE_FORM]
        elif self.name == "minimal":
            names = [name for name in MINIMAL_COLUMNS if name in names]
        if not names:
            raise UsageError(
                f"Nothing was written: policy {self.name} leaves no column of this table; it"
                f" keeps {', '.join(MINIMAL_COLUMNS)} only."
            )
        return names

    def check(self, columns: Sequence[str]) -> None:
        """Refuse columns that the policy does not let out.

        Raises
        ------
        UsageError
            One of them must not leave.
        """
        refused = {
            "full": [],
            "masked": [name for name in columns if name in _FREE_FORM],
            "minimal": [name for name in columns if name not in MINIMAL_COLUMNS],
        }[self.name]
        if refused:
            raise UsageError(
                f"Nothing was written: policy {self.name} does not let out {', '.join(refused)};"
                " leave them out, or choose another policy."
            )

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """Return the schema of what leaves: hashes are text."""
        if self.name != "masked":
            return schema
        for place, field in enumerate(schema):
            if _is_hashed(field):
                schema = schema.set(place, field.with_type(pa.string()))
        return schema

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch as it leaves."""
        if self.name != "masked":
            return batch
        columns = [
            _hashed(column, field.name) if _is_hashed(field) else column
            for column, field in zip(batch.columns, batch.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema(batch.schema))


def export_policy(name: str) -> ExportPolicy:
    """Return the policy of that name.

    Raises
    ------
    UsageError
        There is none.
    """
    for known in POLICIES:
        if name == known:
            return ExportPolicy(known)
    raise UsageError(
        f"Nothing was written: there is no policy {name!r}; known are {', '.join(POLICIES)}."
    )


def _is_hashed(field: pa.Field) -> bool:
    return is_identifying(field.name) and not pa.types.is_boolean(field.type)


def _hashed(column: pa.Array, name: str) -> pa.StringArray:
    """Hash each distinct id once; a missing one stays missing."""
    encoded = column.cast(pa.string()).dictionary_encode()
    # One prefix a kind of id, so that old and new columns of one kind can be joined.
    kind = next((p for suffix, p in _PREFIXES.items() if suffix in name), name)
    hashes = [keyed_hash(text, kind) for text in encoded.dictionary.to_pylist()]
    return pa.array(hashes, pa.string()).take(encoded.indices)
