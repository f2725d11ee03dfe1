"""What became of each customer, as rows of the pinned schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.collection.fan_out import Failed, Fetched
from tokenvault_data.dataset.schema import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tokenvault_data.dataset.flattening.flatten import Flattened
    from tokenvault_data.errors import VaultError


_SILENT = "the vault answered null, or without content, in place of a list; read as no saved cards"


def outcomes_of(results: Sequence[Fetched | Failed], flattened: Flattened) -> pa.Table:
    """Give one row of `OUTCOMES` for every result, in order.

    The cards of a customer are counted in the rows that `flattened` has for it, so that outcomes
    and instruments agree whatever a body was.
    """
    counts = pc.value_counts(flattened.table.column("customer_id"))
    cards = dict(
        zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    )
    rows = [
        _failed(result, result.error)
        if isinstance(result, Failed)
        else _fetched(result, cards, flattened)
        for result in results
    ]
    return pa.Table.from_pylist(rows, schema=OUTCOMES)


def cause_of(error: VaultError) -> str:
    """Name the cause of a failure, as outcomes group by it: ``not_found``, ``answer_lost``, ..."""
    name = type(error).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _failed(result: Failed, error: VaultError) -> dict[str, object]:
    return _row(result) | {
        "outcome": "failed",
        "cause": cause_of(error),
        "detail": str(error),
        "http_status": error.status,
    }


def _fetched(result: Fetched, cards: Mapping[str, int], flattened: Flattened) -> dict[str, object]:
    customer_id = result.customer.customer_id
    row = _row(result) | {"http_status": result.status}
    if customer_id in flattened.unreadable:
        reason = flattened.unreadable[customer_id]
        return row | {"outcome": "failed", "cause": "unusable_answer", "detail": reason}
    if customer_id in flattened.silent:
        row |= {"detail": _SILENT}
    if customer_id in cards:
        return row | {"outcome": "fetched", "instruments": cards[customer_id]}
    return row | {"outcome": "empty"}


def _row(result: Fetched | Failed) -> dict[str, object]:
    return {
        "customer_id": result.customer.customer_id,
        "position": result.customer.position,
        "instruments": 0,
        "requests": result.requests,
        "finished_at": result.finished_at_us,
    }
