"""A card as it was just fetched, in the columns that rules speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class FetchedCard(NamedTuple):
    """One card as the vault answered it.

    Attributes
    ----------
    customer_id : str
        As asked for.
    card : dict
        As the vault wrote it, decoded.
    fetched_at_us : int
        Microseconds since 1970 UTC.
    api_version : str
        ``x-api-version`` of the request.
    """

    customer_id: str
    card: Mapping[str, Any]
    fetched_at_us: int
    api_version: str

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.fetched_at_us}>"


def as_rows(fetched: Sequence[FetchedCard]) -> list[dict[str, object] | None]:
    """Turn fetched cards into rows of the pinned schema ``INSTRUMENTS``.

    Returns
    -------
    list of (dict or None)
        One for each, in order; None for a card that cannot be read.
    """
    from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten

    bodies = [
        ReceivedBody(one.customer_id, orjson.dumps(one.card), one.fetched_at_us, one.api_version)
        for one in fetched
    ]
    flat = flatten(bodies)
    if flat.table.num_rows == len(bodies) and not flat.unreadable:
        return list(flat.table.to_pylist())
    if len(bodies) == 1:
        return [None]
    return [row for one in fetched for row in as_rows([one])]  # one of them spoils its neighbours
