"""Which of millions of cards may have changed, found without holding one of them in memory.

Both lists are read for one number a row, a *mark*: a hash of the key in its upper bits, and one of
everything that is compared below. The marks of a snapshot are kept beside it. A key hash that
stands exactly once on each side, with equal row hashes, is an unchanged card. All rows of every
other key hash are *suspect*: they are read whole, and decided on their real keys and values. So
rows of different keys that share a key hash are told apart: they cost time and change no figure.

That no changed card went for an unchanged one, because few bits of its hashes agree by chance, is
verified: the whole 64-bit row hashes of the cards not read again have to add up to the same sum on
both sides. Where they do not, all is hashed anew, and what is suspect now is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

import duckdb
import numpy as np
import pyarrow as pa

from tokenvault_data.analysis.changes.events import SIDES, ChangedCandidates
from tokenvault_data.analysis.changes.marks import (
    HASH_VALUES,
    Marks,
    keep_marks,
    odd_keys,
    read_marks,
    take_marks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tokenvault_data.analysis.changes.sources import TwoLists


_MOST_PARTS: Final = 64
_SAMPLE: Final = 8_192


@dataclass(frozen=True, slots=True)
class Hashing:
    """How rows are hashed.

    Attributes
    ----------
    card_key : str
        DuckDB expression over ``customer_id`` and ``instrument_id`` that gives a UBIGINT.
    customer_key : str
        The same over ``customer_id``.
    row_bits : int
        How many bits of a mark are of the row's hash, that of the side included (2 to 62). With 30
        some thousands of 10 million cards share a key hash and are read again for nothing, and one
        comparison in a thousand has to hash a second time.
    keys_at_once : int
        Of about how many key hashes suspects are decided together, in memory.
    """

    card_key: str = "hash(customer_id, instrument_id)"
    customer_key: str = "hash(customer_id)"
    row_bits: int = 30
    keys_at_once: int = 250_000


HAS_KEY = "customer_id IS NOT NULL AND instrument_id IS NOT NULL"

SUSPECT_COLUMNS = (
    *("customer_id", "instrument_id", "list_position", "instrument_status", "expires_on"),
    *("card_bank", "card_network", "card_type", "card_sub_type", "card_country"),
    *("last_four", "par", "instrument_uid", "created_at", "fetched_at"),
)
"""Columns of the views of suspects."""


def find_suspect_cards(
    connection: duckdb.DuckDBPyConnection, lists: TwoLists, hashing: Hashing, folder: Path
) -> ChangedCandidates:
    """Return all rows that may be a change, in the views ``old_suspects`` and ``new_suspects``.

    Of the rows that are in neither, each of the old list has exactly one of the same key and
    content in the new list. Rows without a key are left out. The views have `SUSPECT_COLUMNS`, and
    ``key``, the whole hash of the key.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Of `TwoLists.connection`.
    lists : TwoLists
        Compared are status, expiry and their details. Two spellings of one bank make a suspect,
        which turns out to be unchanged.
    hashing : Hashing
    folder : pathlib.Path
        For temporary files.
    """
    compared = ("customer_id", "instrument_id", "instrument_status", "expires_on")
    content = ", ".join((*compared, *lists.details()))
    cards = _Hashed("cards", HAS_KEY, hashing.card_key, dict.fromkeys(SIDES, content))

    def marks(side: str, seed: int) -> Marks:
        snapshot = lists.sides[side].snapshot
        if snapshot is None or seed:
            return cards.marks(connection, side, seed, hashing.row_bits)
        recipe = {
            "hashes": cards.query(side, seed),
            "row_bits": hashing.row_bits,
            "hashed_by": f"duckdb {duckdb.__version__}",
        }
        kept = read_marks(snapshot, recipe)
        if kept is None:
            kept = cards.marks(connection, side, seed, hashing.row_bits)
            keep_marks(snapshot, recipe, kept)
        return kept

    suspects = ChangedCandidates(connection, "suspects", folder)
    _find_suspects(connection, cards, SUSPECT_COLUMNS, marks, hashing, suspects=suspects)
    return suspects


def find_customers_apart(
    connection: duckdb.DuckDBPyConnection, hashing: Hashing, folder: Path
) -> None:
    """Put the customers who were not fetched on both sides into the table ``customers_apart``.

    Columns: ``customer_id``, ``in_old`` and ``in_new`` (asked for on that side). Parameters as for
    `find_suspect_cards`.
    """
    # A customer that was not fetched on a side gets a row hash that nothing on the other side has.
    contents = {
        side: f"customer_id, CASE WHEN fetched THEN '' ELSE 'not fetched, {side}' END"
        for side in SIDES
    }
    customers = _Hashed("asked", "true", hashing.customer_key, contents)

    def marks(side: str, seed: int) -> Marks:
        return customers.marks(connection, side, seed, hashing.row_bits)

    suspects = ChangedCandidates(connection, "suspect_customers", folder)
    columns = ("customer_id", "fetched")
    _find_suspects(connection, customers, columns, marks, hashing, suspects=suspects)
    connection.execute(
        "CREATE TEMP TABLE customers_apart (customer_id VARCHAR, in_old BOOLEAN, in_new BOOLEAN)"
    )
    for _ in suspects.parts():
        connection.execute(
            "INSERT INTO customers_apart "
            "SELECT customer_id, bool_or(side = 'old') AS in_old, bool_or(side = 'new') AS in_new "
            "FROM (SELECT *, 'old' AS side FROM old_suspect_customers "
            "UNION ALL SELECT *, 'new' AS side FROM new_suspect_customers) GROUP BY customer_id "
            "HAVING NOT (bool_or(fetched AND side = 'old') AND bool_or(fetched AND side = 'new'))"
        )


@dataclass(frozen=True, slots=True)
class _Hashed:
    """Rows of ``old_VIEW`` and ``new_VIEW`` for which a condition holds, and their hashes.

    ``content`` has for each side the expressions that are hashed besides the key.
    """

    view: str
    condition: str
    key: str
    content: dict[str, str]

    def row_hash(self, side: str, seed: int) -> str:
        return f"hash({seed}, {self.content[side]})"

    def query(self, side: str, seed: int) -> str:
        return (
            f"SELECT {self.key}, {self.row_hash(side, seed)} FROM {side}_{self.view} "  # noqa: S608  names are ours
            f"WHERE {self.condition}"
        )

    def marks(
        self, connection: duckdb.DuckDBPyConnection, side: str, seed: int, row_bits: int
    ) -> Marks:
        return take_marks(connection.sql(self.query(side, seed)), row_bits)

    def among(self, keys: str, columns: Sequence[str], side: str, seed: int, row_bits: int) -> str:
        """Return the query for rows whose key hash is in a table; for `ChangedCandidates.fetch`."""
        return (
            f"SELECT {', '.join(columns)}, {self.key} AS key, "  # noqa: S608  names are ours
            f"{self.row_hash(side, seed)} AS row_hash FROM {side}_{self.view} "
            f"WHERE {self.condition} AND {self.key} >> {row_bits} IN (SELECT key FROM {keys})"
        )


def _find_suspects(
    connection: duckdb.DuckDBPyConnection,
    hashed: _Hashed,
    columns: Sequence[str],
    marks: Callable[[str, int], Marks],
    hashing: Hashing,
    *,
    suspects: ChangedCandidates,
) -> None:
    """Fetch the rows whose key hash is odd; ``marks`` gives those of a side for a seed."""
    keys = np.empty(0, np.uint64)
    for seed in count():
        old, new = (marks(side, seed) for side in SIDES)
        apart = old.total - new.total
        number, longer = max((len(old.values), "old"), (len(new.values), "new"))
        keys = odd_keys(old, new, hashing.row_bits, keys)
        del old, new
        parts = -(-len(keys) // hashing.keys_at_once)
        suspects.divide(_bounds(connection, f"{longer}_{hashed.view}", number, parts))
        connection.register("odd_keys", pa.table({"key": keys}))
        for sign, side in ((-1, "old"), (1, "new")):
            query = hashed.among("odd_keys", columns, side, seed, hashing.row_bits)
            apart += sign * suspects.fetch(side, query)
        connection.unregister("odd_keys")
        if apart % HASH_VALUES == 0:
            return


def _bounds(connection: duckdb.DuckDBPyConnection, view: str, number: int, parts: int) -> list[str]:
    """Return customers that divide so many rows into parts of about equal size, by a sample."""
    parts = min(parts, _MOST_PARTS)
    if parts < 2:
        return []
    found = connection.sql(
        f"SELECT customer_id FROM {view} WHERE customer_id IS NOT NULL "  # noqa: S608  names are ours
        f"AND hash(customer_id) % {number // _SAMPLE + 1} = 0 ORDER BY customer_id"
    ).fetchall()
    places = {len(found) * part // parts for part in range(1, parts)}
    return sorted({found[place][0] for place in places if found})
