"""Two snapshots of a vault some weeks apart, made from arithmetic: what the peers compare.

Of the cards in either, about 3 % are gone, 3 % added, 1 % replaced, 3 % renewed, 1 % of another
status and 0.5 % of another bank; one customer in a thousand failed in the new snapshot and one in
a thousand was not attempted in the old. Customers lie in another order in each.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOMES
from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.dataset.snapshots import Snapshot

CARDS_PER_CUSTOMER = 2.5
_CHUNK_CUSTOMERS = 80_000
_OLD = datetime(2026, 10, 22, 10, 48, tzinfo=UTC)
_VERSION = "2025-01-01"

_CARDS = """
WITH cards AS (
    SELECT range AS n, (range * 2) // 5 AS c, hash(range) % 1000 AS fate,
           hash((range * 2) // 5) % 1000 AS customer_fate
    FROM range(ceil($first * 2.5)::BIGINT, ceil($last * 2.5)::BIGINT)
),
listed AS (
    SELECT *, md5(n::VARCHAR || CASE WHEN $new AND fate BETWEEN 60 AND 69 THEN 'b' ELSE 'a' END)
           AS m, (hash(n + 7) % 1000000007)::BIGINT AS h,
           (DATE '2026-09-01' + to_months((hash(n + 3) % 48)::INTEGER)) AS expires
    FROM cards
    WHERE CASE WHEN $new THEN fate >= 30 AND customer_fate != 0
               ELSE fate NOT BETWEEN 30 AND 59 AND customer_fate != 1 END
)
SELECT 'customer_' || lpad(c::VARCHAR, 9, '0') AS customer_id,
       (row_number() OVER (PARTITION BY c ORDER BY n) - 1)::INTEGER AS list_position,
       m[1:8] || '-' || m[9:12] || '-' || m[13:16] || '-' || m[17:20] || '-' || m[21:32]
           AS instrument_id,
       md5('u' || n) || md5('v' || n) AS instrument_uid,
       'card' AS instrument_type,
       CASE WHEN $new AND fate BETWEEN 100 AND 109 THEN 'INACTIVE' ELSE 'ACTIVE' END
           AS instrument_status,
       'XXXXXXXXXXXX' || lpad((h % 10000)::VARCHAR, 4, '0') AS instrument_display,
       lpad((h % 10000)::VARCHAR, 4, '0') AS last_four,
       TIMESTAMPTZ '2021-01-01 00:00:00+00' + to_seconds(h % 150000000) AS created_at,
       ['visa', 'mastercard', 'rupay', 'amex'][1 + h % 4] AS card_network,
       'BANK NUMBER ' || CASE WHEN $new AND fate BETWEEN 110 AND 114 THEN 99 ELSE h % 60 END
           AS card_bank,
       'IN' AS card_country,
       ['credit', 'debit', 'prepaid'][1 + (h // 7) % 3] AS card_type,
       ['retail', 'premium', 'corporate'][1 + (h // 11) % 3] AS card_sub_type,
       CASE WHEN h % 5 != 0 THEN upper(md5('p' || n))[1:29] END AS par,
       last_day(CASE WHEN $new AND fate BETWEEN 70 AND 99 THEN expires + INTERVAL 3 YEAR
                     ELSE expires END) AS expires_on,
       $fetched_at::TIMESTAMPTZ AS fetched_at,
       '2025-01-01' AS api_version
FROM listed ORDER BY hash(c + $salt), n
"""

_CUSTOMERS = """
SELECT 'customer_' || lpad(range::VARCHAR, 9, '0') AS customer_id, range AS position,
       CASE WHEN $new AND hash(range) % 1000 = 0 THEN 'failed'
            WHEN NOT $new AND hash(range) % 1000 = 1 THEN 'not_attempted'
            WHEN coalesce(cards, 0) = 0 THEN 'empty' ELSE 'fetched' END AS outcome,
       coalesce(cards, 0)::INTEGER AS instruments, 1 AS requests, $fetched_at::TIMESTAMPTZ
           AS finished_at
FROM range($first, $last)
LEFT JOIN (SELECT customer_id, count(*) AS cards FROM rows_made GROUP BY 1)
    ON customer_id = 'customer_' || lpad(range::VARCHAR, 9, '0')
ORDER BY hash(range + $salt)
"""


def write_pair(store: Path, cards: int) -> tuple[Snapshot, Snapshot]:
    """Publish an old and a new snapshot of about so many cards each."""
    return _write(store, cards, new=False), _write(store, cards, new=True)


def write_one(store: Path, cards: int) -> Snapshot:
    """Publish one snapshot of about so many cards."""
    return _write(store, cards, new=True)


def _write(store: Path, cards: int, *, new: bool) -> Snapshot:
    customers = int(cards / CARDS_PER_CUSTOMER)
    now = _OLD + timedelta(days=31) if new else _OLD
    with duckdb.connect() as connection, SnapshotWriter(store, now=now) as writer:
        connection.execute("SET TimeZone = 'UTC'")
        for first in range(0, customers, _CHUNK_CUSTOMERS):
            values = {
                "first": first,
                "last": min(first + _CHUNK_CUSTOMERS, customers),
                "new": new,
                "fetched_at": now.isoformat(),
                "salt": int(new),
            }
            rows = connection.sql(_CARDS, params=values).to_arrow_table()
            connection.register("rows_made", rows)
            outcomes = connection.sql(_CUSTOMERS, params=values).to_arrow_table()
            writer.add(_typed(rows, INSTRUMENTS), _typed(outcomes, OUTCOMES))
        return writer.publish(CollectionFacts(customers, "emulator", _VERSION, now, now))


def _typed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table.column(field.name).cast(pa.string()).combine_chunks().dictionary_encode()
        if field.name in table.column_names and pa.types.is_dictionary(field.type)
        else table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
