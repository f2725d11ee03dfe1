"""Which of millions of cards may have changed, found without holding one of them in memory.

Both lists are read once for one number a row, a *mark*: a hash of the key in its upper bits, one of
everything that is compared below, and the side in the lowest bit. The marks are sorted. A key hash
that stands exactly once on each side, with equal row hashes, is an unchanged card. All rows of
every other key hash are *suspect*: they are read again whole, and decided on their real keys and
values. So rows of different keys that share a key hash are told apart: they cost time and change no
figure.

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

from tokenvault_data.analysis.change_marks import HASH_VALUES, Marks, odd_keys, take_marks
from tokenvault_data.analysis.change_marks_file import keep_marks, read_marks
from tokenvault_data.analysis.change_suspects import SIDES, Suspects

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tokenvault_data.analysis.change_sources import TwoLists


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
) -> Suspects:
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
    compared = ", ".join(
        ("customer_id", "instrument_id", "instrument_status", "expires_on", *lists.details())
    )
    key = hashing.card_key
    rows = {side: f"{side}_cards WHERE {HAS_KEY}" for side in SIDES}

    def row(_: str, seed: int) -> str:
        return f"hash({seed}, {compared})"

    def marks(side: str, seed: int) -> Marks:
        snapshot = lists.sides[side].snapshot
        hashes = f"SELECT {key}, {row(side, seed)} FROM {rows[side]}"  # noqa: S608  names are ours
        if snapshot is None or seed:
            return take_marks(connection.sql(hashes), hashing.row_bits)
        recipe = {"key": key, "row": row(side, seed), "row_bits": hashing.row_bits}
        recipe["hashed_by"] = f"duckdb {duckdb.__version__}"
        kept = read_marks(snapshot, recipe)
        if kept is None:
            kept = take_marks(connection.sql(hashes), hashing.row_bits)
            keep_marks(snapshot, recipe, kept)
        return kept

    return _find_suspects(
        connection,
        rows=rows,
        columns=SUSPECT_COLUMNS,
        key=key,
        row=row,
        marks=marks,
        hashing=hashing,
        name="suspects",
        folder=folder,
    )


def find_customers_apart(
    connection: duckdb.DuckDBPyConnection, hashing: Hashing, folder: Path
) -> None:
    """Put the customers who were not fetched on both sides into the table ``customers_apart``.

    Columns: ``customer_id``, ``in_old`` and ``in_new`` (asked for on that side). Parameters as for
    `find_suspect_cards`.
    """
    rows = {side: f"{side}_asked" for side in SIDES}

    # A customer that was not fetched on a side gets a row hash that nothing on the other side has.
    def row(side: str, seed: int) -> str:
        content = f"CASE WHEN fetched THEN '' ELSE 'not fetched, {side}' END"
        return f"hash({seed}, customer_id, {content})"

    def marks(side: str, seed: int) -> Marks:
        hashes = f"SELECT {hashing.customer_key}, {row(side, seed)} FROM {rows[side]}"  # noqa: S608  names are ours
        return take_marks(connection.sql(hashes), hashing.row_bits)

    suspects = _find_suspects(
        connection,
        rows={side: f"{rows[side]} WHERE true" for side in SIDES},
        columns=("customer_id", "fetched"),
        key=hashing.customer_key,
        row=row,
        marks=marks,
        hashing=hashing,
        name="suspect_customers",
        folder=folder,
    )
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


def _find_suspects(
    connection: duckdb.DuckDBPyConnection,
    *,
    rows: dict[str, str],
    columns: Sequence[str],
    key: str,
    row: Callable[[str, int], str],
    marks: Callable[[str, int], Marks],
    hashing: Hashing,
    name: str,
    folder: Path,
) -> Suspects:
    """Return the rows whose key hash is odd.

    ``rows`` says for each side where rows come from. For a side and a seed, ``row`` gives the
    expression of a row hash, and ``marks`` the marks with these.
    """
    keys = np.empty(0, np.uint64)
    for seed in count():
        old, new = (marks(side, seed) for side in SIDES)
        apart = old.total - new.total
        number, longer = max((len(old.values), "old"), (len(new.values), "new"))
        keys = odd_keys(old, new, hashing.row_bits, keys)
        del old, new
        parts = -(-len(keys) // hashing.keys_at_once)
        bounds = _bounds(connection, rows[longer], number, parts)
        suspects = Suspects(connection, name, bounds, folder)
        connection.register("odd_keys", pa.table({"key": keys}))
        for sign, side in ((-1, "old"), (1, "new")):
            query = (
                f"SELECT {', '.join(columns)}, {key} AS key, {row(side, seed)} AS row_hash "  # noqa: S608  names are ours
                f"FROM {rows[side]} AND {key} >> {hashing.row_bits} IN (SELECT key FROM odd_keys)"
            )
            apart += sign * suspects.fetch(side, query)
        connection.unregister("odd_keys")
        if apart % HASH_VALUES == 0:
            break
    return suspects


def _bounds(connection: duckdb.DuckDBPyConnection, rows: str, number: int, parts: int) -> list[str]:
    """Return customers that divide so many rows into parts of about equal size, by a sample."""
    parts = min(parts, _MOST_PARTS)
    if parts < 2:
        return []
    one_in = number // _SAMPLE + 1
    found = connection.sql(
        f"SELECT customer_id FROM {rows} AND hash(customer_id) % {one_in} = 0 ORDER BY customer_id"  # noqa: S608  names are ours
    ).fetchall()
    places = {len(found) * part // parts for part in range(1, parts)}
    return sorted({found[place][0] for place in places if found})
