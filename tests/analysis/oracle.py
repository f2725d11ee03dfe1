"""The same questions answered by SQL over the raw JSON: nothing of ours is imported here.

A vault is written as JSON lines, one a customer: ``customer``, ``outcome``, ``fetched_at`` and
``cards``, the list as the API sent it. What a value means is said again in SQL, from the
documentation of the API and the descriptions of the columns.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import count

import duckdb

_NUMBERS = count()

_MACROS = r"""
CREATE MACRO text_at(v, p) AS CASE
    WHEN json_type(v, p) IN ('VARCHAR', 'BIGINT', 'UBIGINT') THEN json_extract_string(v, p) END;
CREATE MACRO filled(t) AS CASE WHEN trim(t) <> '' THEN t END;
CREATE MACRO squeezed(t) AS regexp_replace(lower(t), '[^a-z0-9]+', '', 'g');
CREATE MACRO the_network(t) AS CASE
    WHEN squeezed(t) IN ('visa', 'mastercard', 'rupay', 'amex', 'diners') THEN squeezed(t)
    WHEN squeezed(t) IN ('master', 'mc') THEN 'mastercard'
    WHEN squeezed(t) = 'americanexpress' THEN 'amex'
    WHEN squeezed(t) IN ('dinersclub', 'dinersclubinternational') THEN 'diners' END;
CREATE MACRO the_type(t) AS CASE regexp_replace(squeezed(t), 'card$', '')
    WHEN 'credit' THEN 'credit' WHEN 'debit' THEN 'debit' WHEN 'prepaid' THEN 'prepaid' END;
CREATE MACRO the_sub_type(t) AS CASE
    WHEN squeezed(t) IN ('r', 'retail') THEN 'retail'
    WHEN squeezed(t) IN ('p', 'premium') THEN 'premium'
    WHEN squeezed(t) IN ('c', 'corporate') THEN 'corporate' END;
CREATE MACRO the_status(t) AS CASE
    WHEN upper(trim(t)) IN ('ACTIVE', 'INACTIVE', 'EXPIRED', 'FAILED') THEN upper(trim(t)) END;
CREATE MACRO the_country(t) AS CASE
    WHEN upper(trim(t)) IN ('IND', 'INDIA') THEN 'IN'
    WHEN upper(trim(t)) IN ('IN', 'US', 'AE', 'SG', 'GB') THEN upper(trim(t)) END;
CREATE MACRO the_bank(t) AS CASE WHEN lower(trim(t)) NOT IN ('', 'n/a', 'null', '-', 'none')
    THEN regexp_replace(trim(t), ' +', ' ', 'g') END;
CREATE MACRO the_month(t) AS CASE
    WHEN regexp_full_match(trim(t), '[0-9]{1,2}') AND trim(t)::INT BETWEEN 1 AND 12
    THEN trim(t)::INT END;
CREATE MACRO the_year(t) AS CASE
    WHEN regexp_full_match(trim(t), '[0-9]{2}') THEN 2000 + trim(t)::INT
    WHEN regexp_full_match(trim(t), '20[0-9]{2}') THEN trim(t)::INT END;
CREATE MACRO the_instant(t) AS CASE
    WHEN regexp_full_match(t, '[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}')
    THEN try_cast(t AS TIMESTAMP) - INTERVAL 330 MINUTE
    WHEN regexp_full_match(t, '[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[+]05:30')
    THEN try_cast(t[:19] AS TIMESTAMP) - INTERVAL 330 MINUTE
    WHEN regexp_full_match(t, '[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[.]000[+]00:00')
    THEN try_cast(t[:19] AS TIMESTAMP) END;
CREATE MACRO the_last_four(t) AS CASE
    WHEN regexp_full_match(t, '[xX*]*[0-9]{4}') THEN right(t, 4) END;
"""

_CARDS = """
CREATE TABLE {name} AS
WITH elements AS (
    SELECT customer, v, place - 1 AS position
    FROM (SELECT customer, unnest(cards) AS v, generate_subscripts(cards, 1) AS place
          FROM {name}_raw)
), sent AS (
    SELECT customer, position, v,
        v->'$.instrument_meta' AS meta, v->'$.instrument_meta.card_token_details' AS token
    FROM elements
)
SELECT customer, position,
    filled(text_at(v, '$.instrument_id')) AS id,
    filled(text_at(v, '$.instrument_uid')) AS uid,
    the_status(text_at(v, '$.instrument_status')) AS instrument_status,
    the_last_four(text_at(v, '$.instrument_display')) AS last_four,
    the_instant(text_at(v, '$.created_at')) AS created_at,
    the_network(text_at(meta, '$.card_network')) AS card_network,
    the_bank(text_at(meta, '$.card_bank_name')) AS card_bank,
    the_country(text_at(meta, '$.card_country')) AS card_country,
    the_type(text_at(meta, '$.card_type')) AS card_type,
    the_sub_type(text_at(meta, '$.card_sub_type')) AS card_sub_type,
    filled(text_at(token, '$.par')) AS par,
    the_month(text_at(token, '$.expiry_month')) AS expiry_month,
    the_year(text_at(token, '$.expiry_year')) AS expiry_year,
    last_day(make_date(expiry_year, expiry_month, 1)) AS expires_on,
    strftime(expires_on, '%Y-%m') AS expiry
FROM sent
"""


@cache
def _database():
    """Open the one database of all oracles, in which a value means what the macros say."""
    connection = duckdb.connect()
    connection.execute(_MACROS)
    return connection


class Oracle:
    """One vault, or two of different times, and what is true of them, until it is closed.

    Parameters
    ----------
    folder : path
        Where the JSON lines go.
    vaults : dict
        By name, lists of ``(customer, outcome, cards)``.
    """

    def __init__(self, folder, **vaults):
        self._connection = _database().cursor()
        self._schema = f"vaults_{next(_NUMBERS)}"
        self._connection.execute(f"CREATE SCHEMA {self._schema}")
        self._connection.execute(f"SET search_path = '{self._schema},main'")
        self._connection.execute("SET TimeZone = 'UTC'")
        for name, customers in vaults.items():
            path = folder / f"{name}.jsonl"
            with path.open("w", encoding="utf-8") as file:
                for customer, outcome, cards in customers:
                    line = {"customer": customer, "outcome": outcome, "cards": cards}
                    file.write(json.dumps(line) + "\n")
            self._connection.execute(
                f"CREATE TABLE {name}_raw AS SELECT * FROM read_json('{path}',"
                " format = 'newline_delimited', maximum_object_size = 100000000, columns ="
                " {'customer': 'VARCHAR', 'outcome': 'VARCHAR', 'cards': 'JSON[]'})"
            )
            self._connection.execute(_CARDS.format(name=name))

    def rows(self, query, *parameters):
        """Answer one query, rows as tuples."""
        return self._connection.execute(query, list(parameters)).fetchall()

    def one(self, query, *parameters):
        """Answer a query that has one row."""
        (row,) = self.rows(query, *parameters)
        return row

    def close(self):
        """Forget the vaults, and every table that was made of them."""
        self._connection.execute("SET search_path = 'main'")
        self._connection.execute(f"DROP SCHEMA {self._schema} CASCADE")
        self._connection.close()
