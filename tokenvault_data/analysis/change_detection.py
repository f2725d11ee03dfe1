"""Which of millions of cards may have changed, found without holding one of them in memory.

Both lists are read once for two 64-bit hashes a row: one of the key and one of everything that is
compared, the key included. A key hash that occurs exactly once on each side, with equal row hashes,
is an unchanged card. All rows of every other key hash are *suspect*: they are read again whole, and
decided on their real keys and values. So rows of different keys that share a key hash are always
told apart: they cost time and change no figure. An unread card could be taken for unchanged wrongly
only where two rows with different content agree in both hashes at once and no further row shares
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb


@dataclass(frozen=True, slots=True)
class Hashing:
    """How keys are hashed: DuckDB expressions that give a UBIGINT.

    Attributes
    ----------
    card_key : str
        Over ``customer_id`` and ``instrument_id``.
    customer_key : str
        Over ``customer_id``.
    """

    card_key: str = "hash(customer_id, instrument_id)"
    customer_key: str = "hash(customer_id)"


HAS_KEY = "customer_id IS NOT NULL AND instrument_id IS NOT NULL"

SUSPECT_COLUMNS = (
    *("customer_id", "instrument_id", "list_position", "instrument_status", "expires_on"),
    *("card_bank", "card_network", "card_type", "card_sub_type", "card_country"),
    *("last_four", "par", "instrument_uid", "created_at", "fetched_at"),
)
"""Columns of the tables of suspects."""


def find_suspect_cards(
    connection: duckdb.DuckDBPyConnection, details: Sequence[str], hashing: Hashing
) -> None:
    """Put all rows that may be a change into the tables ``old_suspects`` and ``new_suspects``.

    Of the rows that are in neither table, each of the old list has exactly one of the same key and
    content in the new list. Rows without a key are left out.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Of `TwoLists.connection`.
    details : sequence of str
        Columns that are compared besides status and expiry. Two spellings of one bank make a
        suspect, which turns out to be unchanged.
    hashing : Hashing
    """
    # A hash of the key's parts in another order does not follow from that of the key.
    compared = ", ".join(
        ("instrument_id", "customer_id", "instrument_status", "expires_on", *details)
    )
    _find_odd_hashes(
        connection,
        "card_hashes",
        {
            side: f"SELECT {hashing.card_key} AS key, hash({compared}) AS row "  # noqa: S608  names are ours
            f"FROM {side}_cards WHERE {HAS_KEY}"
            for side in ("old", "new")
        },
    )
    for side in ("old", "new"):
        connection.execute(
            f"CREATE TEMP TABLE {side}_suspects AS SELECT {', '.join(SUSPECT_COLUMNS)} "  # noqa: S608  names are ours
            f"FROM {side}_cards WHERE {HAS_KEY} "
            f"AND {hashing.card_key} IN (SELECT key FROM card_hashes)"
        )


def find_customers_apart(connection: duckdb.DuckDBPyConnection, hashing: Hashing) -> None:
    """Put the customers who were not fetched on both sides into the table ``customers_apart``.

    Columns: ``customer_id``, ``in_old`` and ``in_new`` (asked for on that side).
    """
    # A customer that was not fetched on a side gets a row hash that nothing on the other side has.
    _find_odd_hashes(
        connection,
        "customer_hashes",
        {
            side: f"SELECT {hashing.customer_key} AS key, CASE WHEN fetched "  # noqa: S608  names are ours
            f"THEN hash(reverse(customer_id)) ELSE hash('not fetched, {side}') END AS row "
            f"FROM {side}_asked"
            for side in ("old", "new")
        },
    )
    asked = " UNION ALL ".join(
        f"SELECT customer_id, fetched, '{side}' AS side FROM {side}_asked "  # noqa: S608  names are ours
        f"WHERE {hashing.customer_key} IN (SELECT key FROM customer_hashes)"
        for side in ("old", "new")
    )
    connection.execute(
        "CREATE TEMP TABLE customers_apart AS "  # noqa: S608  names are ours
        "SELECT customer_id, bool_or(side = 'old') AS in_old, bool_or(side = 'new') AS in_new "
        f"FROM ({asked}) GROUP BY customer_id "
        "HAVING NOT (bool_or(fetched AND side = 'old') AND bool_or(fetched AND side = 'new'))"
    )


def _find_odd_hashes(
    connection: duckdb.DuckDBPyConnection, table: str, hashes: dict[str, str]
) -> None:
    """Make a table of the key hashes that are not once on each side with equal row hashes.

    The lowest bit of a row hash is given to its side. So two rows whose exclusive or is 1 are one
    of each side and agree in the other 63 bits.
    """
    connection.execute(
        f"CREATE TEMP TABLE {table} AS SELECT key FROM ("  # noqa: S608  names are ours
        f"SELECT key, row & ~1::UBIGINT AS row FROM ({hashes['old']}) "
        f"UNION ALL SELECT key, row | 1::UBIGINT AS row FROM ({hashes['new']})) "
        "GROUP BY key HAVING count(*) != 2 OR bit_xor(row) != 1"
    )
