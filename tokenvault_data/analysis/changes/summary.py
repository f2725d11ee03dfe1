"""The account of a comparison: every row of both lists, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.analysis.changes.detection import HAS_KEY
from tokenvault_data.analysis.changes.events import KINDS
from tokenvault_data.analysis.changes.sources import null_count, row_count
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from tokenvault_data.analysis.cards.source import Source
    from tokenvault_data.analysis.changes.sources import TwoLists

_MEANINGS: Final = {
    "rows_old": "Rows of the old list.",
    "rows_new": "Rows of the new list.",
    "unchanged": "Cards in both lists, nothing compared differs.",
    "changed": "Cards in both lists whose status, expiry or details differ; each is counted once.",
    "added": "Cards in the new list only, whose customer was fetched both times.",
    "gone": "Cards in the old list only, whose customer was fetched both times.",
    "replaced": "Cards that came back under another id: gone and added, one card or account.",
    "status_changed": "Cards in both lists whose status differs.",
    "renewed": "Cards in both lists that now expire later.",
    "expiry_changed": "Cards in both lists whose expiry differs otherwise.",
    "details_changed": "Cards in both lists whose bank, network, account or the like differs.",
    "unknown_old": "Cards in the old list only, whose customer was not fetched both times.",
    "unknown_new": "Cards in the new list only, whose customer was not fetched both times.",
    "without_id_old": "Rows of the old list that have no id and cannot be compared.",
    "without_id_new": "Rows of the new list that have no id and cannot be compared.",
    "repeated_old": "Further rows of the old list for a card it has already.",
    "repeated_new": "Further rows of the new list for a card it has already.",
    "customers_only_old": "Customers that only the old list was asked for.",
    "customers_only_new": "Customers that only the new list was asked for.",
    "customers_not_fetched": "Customers asked for both times, but not fetched both times.",
}
"""What each line of a summary counts, in order."""

_OF_NEW: Final = frozenset({"added"} | {name for name in _MEANINGS if name.endswith("_new")})


def summarise(
    connection: duckdb.DuckDBPyConnection,
    lists: TwoLists,
    counts: Mapping[str, int],
    events: pa.Table,
) -> pa.Table:
    """Return the summary: what, cards, customers, share, meaning.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    lists : TwoLists
    counts : mapping of str to int
        The sums of `count_part` over all parts.
    events : pyarrow.Table
        All events.
    """
    cards, customers = _rows(connection, lists, counts), _customers_apart(connection, counts)
    cards |= dict.fromkeys(KINDS, 0) | _counts(events["kind"])
    customers |= dict.fromkeys(KINDS, 0) | _counts(
        events["kind"].filter(_first_of_customer(events))
    )

    def share(what: str) -> float | None:
        total = cards["rows_new" if what in _OF_NEW else "rows_old"]
        return cards[what] / total if what in cards and total else None

    return pa.table(
        {
            "what": pa.array(list(_MEANINGS), pa.string()),
            "cards": pa.array([cards.get(what) for what in _MEANINGS], pa.int64()),
            "customers": pa.array([customers.get(what) for what in _MEANINGS], pa.int64()),
            "share": pa.array([share(what) for what in _MEANINGS], pa.float64()),
            "meaning": pa.array(list(_MEANINGS.values()), pa.string()),
        }
    )


def _first_of_customer(events: pa.Table) -> pa.ChunkedArray:
    """Mark the first event of each kind and customer; events are sorted by these."""
    columns = [events["kind"].cast(pa.string()), events["customer_id"]]
    differ = [pc.not_equal(column[1:], column[:-1]) for column in columns]
    first = pa.array([True] * min(len(events), 1), pa.bool_())
    return pa.chunked_array([first, *pc.or_(*differ).chunks])


def _counts(kinds: pa.ChunkedArray) -> dict[str, int]:
    pairs = pc.value_counts(kinds.cast(pa.string())).to_pylist()
    return {pair["values"]: pair["counts"] for pair in pairs}


def apart_note(summary: pa.Table) -> list[str]:
    """Return the note on customers that could not be compared; empty when all could."""
    customers = dict(
        zip(summary["what"].to_pylist(), summary["customers"].to_pylist(), strict=True)
    )
    names = ("customers_only_old", "customers_only_new", "customers_not_fetched")
    apart = sum(customers[name] for name in names)
    if not apart:
        return []
    only_old, only_new, not_fetched = (f"{customers[name]:,}" for name in names)
    note = (
        f"{counted(apart, 'customer')} could not be compared: {not_fetched} not fetched both times,"
        f" {only_old} asked for in the old list only, {only_new} in the new list only; their cards"
        " are unknown, not gone."
    )
    return [note]


def count_part(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Count what `decide` found in a part and has no events; no customer is in two parts."""
    any_change = "(status_changed OR renewed OR expiry_changed OR details_changed)"
    names = (
        *("changed", "unchanged", "unknown_old", "unknown_new"),
        *("customers_unknown_old", "customers_unknown_new"),
        *("suspects_old", "repeated_old", "suspects_new", "repeated_new"),
    )
    of_pairs = _one(
        connection,
        f"SELECT count(*) FILTER (in_both AND {any_change}), "  # noqa: S608  names are ours
        f"count(*) FILTER (in_both AND NOT {any_change}), "
        "count(*) FILTER (apart AND NOT in_new), count(*) FILTER (apart AND NOT in_old), "
        "count(DISTINCT customer_id) FILTER (apart AND NOT in_new), "
        "count(DISTINCT customer_id) FILTER (apart AND NOT in_old) FROM pairs",
    )
    of_suspects = _one(
        connection, "SELECT old_rows, old_repeated, new_rows, new_repeated FROM suspect_counts"
    )
    return dict(zip(names, (*of_pairs, *of_suspects), strict=True))


def _rows(
    connection: duckdb.DuckDBPyConnection, lists: TwoLists, counts: Mapping[str, int]
) -> dict[str, int]:
    """Count what has no events: a row that is not suspect is one unchanged card."""
    cards = {name: counts[name] for name in ("changed", "unknown_old", "unknown_new")}
    for side, source in lists.sides.items():
        rows = row_count(source)
        without_id = _without_id(connection, side, source)
        cards[f"rows_{side}"] = rows
        cards[f"without_id_{side}"] = without_id
        cards[f"repeated_{side}"] = counts[f"repeated_{side}"]
        cards["unchanged"] = rows - without_id - counts[f"suspects_{side}"] + counts["unchanged"]
    return cards


def _without_id(connection: duckdb.DuckDBPyConnection, side: str, source: Source) -> int:
    if source.snapshot is not None:  # whose customer_id is never null
        nulls = null_count(source, "instrument_id")
        if nulls is not None:
            return nulls
    return _one(connection, f"SELECT count(*) FROM {side}_cards WHERE NOT ({HAS_KEY})")[0]  # noqa: S608  names are ours


def _customers_apart(
    connection: duckdb.DuckDBPyConnection, counts: Mapping[str, int]
) -> dict[str, int]:
    only_old, only_new, not_fetched = _one(
        connection,
        "SELECT count(*) FILTER (NOT in_new), count(*) FILTER (NOT in_old), "
        "count(*) FILTER (in_old AND in_new) FROM customers_apart",
    )
    return {
        "customers_only_old": only_old,
        "customers_only_new": only_new,
        "customers_not_fetched": not_fetched,
        "unknown_old": counts["customers_unknown_old"],
        "unknown_new": counts["customers_unknown_new"],
    }


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    [row] = connection.execute(query).fetchall()  # all of it, or the connection stays busy
    return tuple(row)
