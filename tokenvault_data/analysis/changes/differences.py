"""Which cards differ between two lists: a grouping finds them, a join says what differs.

A card of millions is unchanged if it stands exactly once in each list, with everything that is
compared equal. One pass over both lists groups their rows by a 64-bit hash of the key and compares
64-bit hashes of the rows, so no id has to be held in memory; what is not unchanged by it, say
because keys share a hash, is read whole and joined on the real keys and values. So a hash that two
keys share costs time and changes no figure. DuckDB spills where its memory ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from tokenvault_data.analysis.changes.sources import DETAILS, KEY, SIDES

if TYPE_CHECKING:
    import duckdb

    from tokenvault_data.analysis.changes.sources import Banks, TwoLists

SHOWN: Final = ("card_network", "card_bank", "bank", "card_type", "last_four")
"""What an event shows of its card besides status and expiry."""

# Nothing but list order is left to tell rows that are equal up to list_position.
_MOST_USABLE_FIRST: Final = """
(instrument_status = 'ACTIVE') IS TRUE DESC, expires_on DESC NULLS LAST, list_position NULLS LAST,
fetched_at DESC NULLS LAST, created_at NULLS LAST, instrument_status NULLS LAST,
instrument_uid NULLS LAST, par NULLS LAST, last_four NULLS LAST, card_bank NULLS LAST,
card_network NULLS LAST, card_type NULLS LAST, card_sub_type NULLS LAST, card_country NULLS LAST
"""

_KEY: Final = ", ".join(KEY)
_KEY_HASH: Final = f"hash({_KEY})"


def find_customers_apart(connection: duckdb.DuckDBPyConnection) -> None:
    """Put the customers who were not fetched on both sides into the table ``customers_apart``.

    Columns: ``customer_id``, ``in_old`` and ``in_new`` (asked for on that side).

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Of `TwoLists.connection`.
    """
    connection.execute("""
    CREATE TEMP TABLE customers_apart AS
    SELECT customer_id, bool_or(is_old) AS in_old, bool_or(NOT is_old) AS in_new
    FROM (
        SELECT customer_id, fetched, true AS is_old FROM old_asked
        UNION ALL
        SELECT customer_id, fetched, false AS is_old FROM new_asked
    )
    GROUP BY customer_id
    HAVING NOT (bool_or(fetched AND is_old) AND bool_or(fetched AND NOT is_old))
    """)


def find_differences(connection: duckdb.DuckDBPyConnection, lists: TwoLists, banks: Banks) -> None:
    """Make the table ``pairs``, one row a card of either list that may differ.

    It has what is shown of the card, the status and expiry of both sides, where the card is
    (``in_old``, ``in_new``, ``in_both``), whether its customer is ``apart``, and for cards in both
    what differs (``status_changed``, ``renewed``, ``expiry_changed``, ``details_changed``): nothing
    for two spellings of one bank. ``old_copies`` and ``new_copies`` say how many rows a list has
    for it. A card that is not there stands once in each list, unchanged.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Of `TwoLists.connection`, after `find_customers_apart`.
    lists : TwoLists
    banks : Banks
    """
    compared = ", ".join((*KEY, "instrument_status", "expires_on", *lists.details()))
    rows = " UNION ALL ".join(
        f"SELECT {_KEY_HASH} AS key, hash('row', {compared}) AS content, "  # noqa: S608  names are ours
        f"{place}::UTINYINT AS side FROM {side}_cards"
        for place, side in enumerate(SIDES)
    )
    # Unchanged are two rows, one of each side, whose contents cancel out.
    connection.execute(
        f"CREATE TEMP TABLE odd_keys AS SELECT key FROM ({rows}) GROUP BY key "  # noqa: S608  names are ours
        "HAVING NOT (count(*) = 2 AND bit_xor(side) = 1 AND bit_xor(content) = 0)"
    )
    for side in SIDES:
        connection.execute(_chosen(side))
    _name_banks(connection, banks)
    connection.execute(_pairs())
    for side in SIDES:
        connection.execute(f"DROP TABLE {side}_chosen")


def _chosen(side: str) -> str:
    """Return the query that takes one row for each card, the most usable."""
    return f"""
    CREATE TEMP TABLE {side}_chosen AS
    SELECT *, count(*) OVER (PARTITION BY {_KEY}) AS copies
    FROM {side}_cards SEMI JOIN odd_keys ON {_KEY_HASH} = odd_keys.key
    QUALIFY row_number() OVER (PARTITION BY {_KEY} ORDER BY {_MOST_USABLE_FIRST}) = 1
    """  # noqa: S608  names are ours


def _name_banks(connection: duckdb.DuckDBPyConnection, banks: Banks) -> None:
    """Put the canonical name of every ``card_bank`` of the chosen rows into ``bank_names``."""
    found = connection.execute(
        "SELECT DISTINCT card_bank FROM (FROM old_chosen UNION ALL FROM new_chosen) "
        "WHERE card_bank IS NOT NULL"
    ).fetchall()
    spellings = [spelling for (spelling,) in found]
    names = [banks.canonical(spelling) for spelling in spellings]
    columns = {"card_bank": pa.array(spellings, pa.string()), "bank": pa.array(names, pa.string())}
    connection.register("bank_names", pa.table(columns))


def _pairs() -> str:
    # A comparison with null is null and adds no name: a missing value is no change of details.
    names = ", ".join(f"CASE WHEN o.{name} != n.{name} THEN '{name}' END" for name in DETAILS)
    newest = ", ".join(f"coalesce(n.{name}, o.{name}) AS {name}" for name in (*KEY, *SHOWN))
    # Only cards of one side are matched with others, and these columns are long.
    to_match = ", ".join(
        f"CASE WHEN o.customer_id IS NULL THEN n.{name} "
        f"WHEN n.customer_id IS NULL THEN o.{name} END AS {name}"
        for name in ("par", "instrument_uid", "created_at")
    )
    differ = " OR ".join(f"o.{name} != n.{name}" for name in DETAILS)
    both = "o.customer_id IS NOT NULL AND n.customer_id IS NOT NULL"
    return f"""
    CREATE TEMP TABLE pairs AS
    WITH apart AS (SELECT customer_id FROM customers_apart)
    SELECT *, in_both AND old_status IS DISTINCT FROM new_status AS status_changed,
        in_both AND (new_expires_on > old_expires_on) IS TRUE AS renewed,
        in_both AND old_expires_on IS DISTINCT FROM new_expires_on
            AND (new_expires_on > old_expires_on) IS NOT TRUE AS expiry_changed,
        in_both AND changed IS NOT NULL AS details_changed
    FROM (
        SELECT {newest}, {to_match},
            coalesce(n.customer_id, o.customer_id) IN (FROM apart) AS apart,
            o.customer_id IS NOT NULL AS in_old, n.customer_id IS NOT NULL AS in_new,
            {both} AS in_both, o.copies AS old_copies, n.copies AS new_copies,
            o.instrument_status AS old_status, n.instrument_status AS new_status,
            o.expires_on AS old_expires_on, n.expires_on AS new_expires_on,
            CASE WHEN {differ} THEN concat_ws(', ', {names}) END AS changed,
            o.fetched_at AS old_fetched_at, n.fetched_at AS new_fetched_at
        FROM (FROM old_chosen LEFT JOIN bank_names USING (card_bank)) AS o
        FULL JOIN (FROM new_chosen LEFT JOIN bank_names USING (card_bank)) AS n
            ON o.customer_id = n.customer_id AND o.instrument_id = n.instrument_id
    )
    """  # noqa: S608  names are ours
