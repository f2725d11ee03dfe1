"""Which customers failed, by their line in the list and not by their id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenvault_data.cli.printing.output import INDENT, print_paragraph
from tokenvault_data.redaction import mask_id

if TYPE_CHECKING:
    from tokenvault_data.collection.customer_list import CustomerList
    from tokenvault_data.dataset.snapshots import Snapshot

SHOWN = 10
LISTED = 100
"""How many a terminal names, and how many a JSON document."""


def print_failed(snapshot: Snapshot, listed: CustomerList | None) -> None:
    """Name the first failed customers; `listed` is the list they were read from, if it is known."""
    failed = _failed(snapshot, SHOWN)
    for row in failed:
        where = _where(row["position"], listed)
        said = f"{where} ({mask_id(row['customer_id'])}): {row['detail'] or row['cause']}"
        print_paragraph(said, indent=INDENT, first="  ! ")
    rest = snapshot.manifest.outcomes["failed"] - len(failed)
    if rest > 0:
        print_paragraph(f"and {rest:,} more; `outcomes` has them all", indent=INDENT, first="  ! ")


def failed_document(snapshot: Snapshot, listed: CustomerList | None) -> list[dict[str, Any]]:
    """Give the first failed customers as JSON content."""
    return [
        {
            "number": row["position"] + 1,
            "row": None if listed is None else listed.row_of(row["position"]),
            "cause": row["cause"],
            "detail": row["detail"],
            "http_status": row["http_status"],
        }
        for row in _failed(snapshot, LISTED)
    ]


def _where(position: int, listed: CustomerList | None) -> str:
    row = None if listed is None else listed.row_of(position)
    if listed is None or row is None:
        return f"customer {position + 1:,} of the list"
    return f"{listed.row_word} {row:,} of {listed.source}"


def _failed(snapshot: Snapshot, most: int) -> list[dict[str, Any]]:
    if not snapshot.manifest.outcomes["failed"]:
        return []
    import pyarrow.compute as pc

    columns = ["position", "customer_id", "cause", "detail", "http_status"]
    is_failed = pc.field("outcome").cast("string") == "failed"
    found = snapshot.outcomes().to_table(columns=columns, filter=is_failed)
    rows: list[dict[str, Any]] = found.sort_by("position").slice(0, most).to_pylist()
    return rows
