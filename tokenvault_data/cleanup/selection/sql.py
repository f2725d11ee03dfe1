"""The queries behind a selection, one table after the other, over the view ``cards``.

``cards`` is made by `card_view`; ``refused_ids``, ``listed``, ``held_customers`` and ``held_cards``
are registered beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tokenvault_data.cleanup.selection.drift import usable_sql
from tokenvault_data.cleanup.selection.exclusions import (
    BAD_ID,
    CONTESTED,
    FOREIGN,
    NO_ID,
    NO_KEEPER,
)
from tokenvault_data.identifiers import DAMAGED_ID, PLAIN_ID

if TYPE_CHECKING:
    from datetime import date

    from tokenvault_data.cleanup.selection.rules import Rule

_CONTROL_CANDIDATES_OF_A_BANK: Final = 100


def _literal(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


# Whatever this lets through is judged one by one, so it only has to let through enough.
ODD_IDS: Final = f"""
SELECT id FROM (
    SELECT customer_id AS id FROM instruments
    UNION ALL
    SELECT instrument_id FROM instruments WHERE instrument_id IS NOT NULL)
WHERE NOT regexp_full_match(id, {_literal(PLAIN_ID)})
    OR regexp_full_match(id, {_literal(DAMAGED_ID)})
GROUP BY id
"""  # noqa: S608  the patterns are ours

REPEATED: Final = """
CREATE TEMP TABLE repeated AS
SELECT customer_id, instrument_id, min(list_position) AS first_position, count(*) - 1 AS too_many
FROM instruments WHERE instrument_id IS NOT NULL
GROUP BY customer_id, instrument_id HAVING count(*) > 1
"""

_WANTED: Final = {
    "condition": "TRUE",
    "duplicates": "TRUE",
    "listed": "(customer_id, instrument_id) IN (SELECT (customer_id, instrument_id) FROM listed)",
}


def customers_of(rule: Rule) -> str:
    """Return what makes the table of customers whose cards have to be looked at."""
    condition = f"{rule.condition.sql()} AND {_WANTED[rule.kind]}"
    if rule.kind == "duplicates":
        # Of those who have some account or card twice; more are none the worse for it.
        condition += (
            " AND customer_id IN (SELECT customer_id FROM instruments GROUP BY customer_id"
            " HAVING count(par) > count(DISTINCT par)"
            " OR count(instrument_uid) > count(DISTINCT instrument_uid))"
        )
    return (
        "CREATE TEMP TABLE customers AS"  # noqa: S608  a condition writes its own literals
        f" SELECT DISTINCT customer_id FROM cards WHERE {condition}"
    )


def their_cards(rule: Rule, day: date) -> str:
    """Return what makes the table of all rows of these customers, each judged by itself.

    ``level`` is 2 for a usable card, 1 for one that may be, 0 for any other, and for what nobody
    could pay with since it cannot be named.
    """
    return f"""
CREATE TEMP TABLE theirs AS
SELECT *, CASE WHEN reason IS NOT NULL THEN 0 WHEN usable THEN 2 WHEN usable IS NULL THEN 1
    ELSE 0 END AS level
FROM (
    SELECT customer_id, instrument_id, instrument_uid, par, last_four, card_network, card_bank,
        bank, card_type, instrument_status, expires_on, created_at, afa_reference, fetched_at,
        list_position,
        coalesce({rule.condition.sql()} AND {_WANTED[rule.kind]}, FALSE) AS chosen,
        {usable_sql(day)} AS usable,
        CASE WHEN instrument_id IS NULL THEN {_literal(NO_ID)}
            WHEN customer_id IN (SELECT id FROM refused_ids)
                OR instrument_id IN (SELECT id FROM refused_ids)
                THEN {_literal(BAD_ID)}
            WHEN customer_id_received IS NOT NULL THEN {_literal(FOREIGN)}
            END AS reason
    FROM cards WHERE customer_id IN (SELECT customer_id FROM customers))
"""  # noqa: S608  a condition writes its own literals


# A missing value beside a known one contradicts it: either may be the truth.
CONTESTED_CARDS: Final = """
CREATE TEMP TABLE contested AS
SELECT customer_id, instrument_id FROM (
    SELECT DISTINCT customer_id, instrument_id, instrument_uid, par, last_four, instrument_status,
        expires_on, reason, chosen
    FROM theirs WHERE instrument_id IS NOT NULL)
GROUP BY customer_id, instrument_id HAVING count(*) > 1
"""

# One row a card, and one for each row without an id; a contested card counts for the least of it.
SINGLE_CARDS: Final = f"""
CREATE TEMP TABLE single AS
SELECT * REPLACE (
    CASE WHEN contested THEN {_literal(CONTESTED)} ELSE reason END AS reason)
FROM (
    SELECT theirs.* REPLACE (
            min(level) OVER same AS level, bool_or(chosen) OVER same AS chosen),
        (customer_id, instrument_id) IN (SELECT (customer_id, instrument_id) FROM contested)
            AND instrument_id IS NOT NULL AS contested,
        row_number() OVER (same ORDER BY list_position) AS nth
    FROM theirs
    WINDOW same AS (PARTITION BY customer_id, instrument_id,
        CASE WHEN instrument_id IS NULL THEN list_position END))
WHERE nth = 1
"""  # noqa: S608  the reasons are ours

UNPAIRED: Final = """
CREATE TEMP TABLE candidates AS
SELECT *, NULL::VARCHAR AS keeper FROM single WHERE chosen AND reason IS NULL
"""

# Kept are the cards that no other of the account comes before. What is only linked to them through
# a third card stays as well, so that each deletion can be checked against the one card it names.
PAIRED: Final = f"""
UPDATE single SET chosen = FALSE
WHERE reason IS NOT NULL AND NOT EXISTS (
    FROM single AS other
    WHERE other.customer_id = single.customer_id AND other.list_position <> single.list_position
        AND (other.par = single.par OR other.instrument_uid = single.instrument_uid));
CREATE TEMP TABLE ranked AS
SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY level DESC,
    expires_on DESC NULLS LAST, created_at DESC NULLS LAST, instrument_id DESC) AS place
FROM single WHERE reason IS NULL;
CREATE TEMP TABLE pairs AS
SELECT worse.customer_id, worse.instrument_id, better.instrument_id AS better_id,
    better.place AS better_place
FROM ranked AS worse JOIN ranked AS better
ON worse.customer_id = better.customer_id AND better.place < worse.place
    AND (worse.par = better.par OR worse.instrument_uid = better.instrument_uid);
CREATE TEMP TABLE kept AS
SELECT customer_id, instrument_id, arg_min(better_id, better_place) AS keeper
FROM pairs WHERE (customer_id, better_id) NOT IN (SELECT (customer_id, instrument_id) FROM pairs)
GROUP BY customer_id, instrument_id;
CREATE TEMP TABLE orphaned AS
SELECT DISTINCT customer_id, instrument_id FROM pairs
ANTI JOIN kept USING (customer_id, instrument_id);
UPDATE single SET reason = {_literal(NO_KEEPER)}
WHERE (customer_id, instrument_id) IN (SELECT (customer_id, instrument_id) FROM orphaned);
UPDATE single SET chosen = FALSE
WHERE reason IS NULL
    AND (customer_id, instrument_id) NOT IN (SELECT (customer_id, instrument_id) FROM kept);
CREATE TEMP TABLE candidates AS
SELECT single.*, keeper FROM single JOIN kept USING (customer_id, instrument_id)
WHERE chosen AND reason IS NULL
"""  # noqa: S608  the reasons are ours

# Before cards are spared: a card on hold stays, so its customer has it to pay with.
HELD: Final = """
CREATE TEMP TABLE held AS
SELECT customer_id, instrument_id FROM candidates
WHERE customer_id IN (SELECT customer_id FROM held_customers)
    OR (customer_id, instrument_id) IN (SELECT (customer_id, instrument_id) FROM held_cards);
DELETE FROM candidates
WHERE (customer_id, instrument_id) IN (SELECT (customer_id, instrument_id) FROM held)
"""

SPARED: Final = """
CREATE TEMP TABLE spared AS
SELECT customer_id, instrument_id FROM candidates
WHERE customer_id IN (
    SELECT customer_id FROM single LEFT JOIN
        (SELECT customer_id, instrument_id, TRUE AS going FROM candidates)
        USING (customer_id, instrument_id)
    GROUP BY customer_id
    HAVING coalesce(max(level) FILTER (WHERE going IS NULL), 0) < max(level))
QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY level DESC,
    expires_on DESC NULLS LAST, created_at DESC NULLS LAST, instrument_id DESC) = 1
"""
NOT_SPARED: Final = (
    "CREATE TEMP TABLE spared AS SELECT customer_id, instrument_id FROM candidates WHERE FALSE"
)

PLANNED: Final = """
CREATE TEMP TABLE planned AS
SELECT * FROM candidates ANTI JOIN spared USING (customer_id, instrument_id)
"""

PLANNED_IN_ORDER: Final = """
SELECT customer_id, instrument_id, instrument_uid, par, last_four, card_network::VARCHAR
    AS card_network, card_bank::VARCHAR AS card_bank, bank, card_type::VARCHAR AS card_type,
    instrument_status::VARCHAR AS instrument_status, expires_on, created_at, afa_reference,
    fetched_at, keeper
FROM planned ORDER BY customer_id, instrument_id
"""

PLANNED_BANKS: Final = "SELECT bank, count(*) FROM planned GROUP BY bank"

MOST_OF_ONE: Final = (
    "SELECT coalesce(max(cards), 0) FROM"
    " (SELECT count(*) AS cards FROM planned GROUP BY customer_id)"
)

# Counted anew from what is planned, and not from what was spared.
WORSE_OFF: Final = """
SELECT count(*) FROM (
    SELECT customer_id FROM theirs
    WHERE customer_id IN (SELECT customer_id FROM planned)
    GROUP BY customer_id
    HAVING max(level) > coalesce(max(level) FILTER (WHERE instrument_id IS NULL OR
        (customer_id, instrument_id) NOT IN
            (SELECT (customer_id, instrument_id) FROM planned)), 0))
"""

REASONS: Final = (
    "SELECT reason, count(*) FROM single WHERE chosen AND reason IS NOT NULL GROUP BY reason"
)

LISTED_NOT_FOUND: Final = (
    "SELECT count(*) FROM listed ANTI JOIN instruments USING (customer_id, instrument_id)"
)


def counts(dimension: str) -> str:
    """Return the query of distinct cards by one dimension, missing counted too."""
    return f"""
SELECT value, sum(cards)::BIGINT FROM (
    SELECT {dimension} AS value, count(*) AS cards FROM cards GROUP BY 1
    UNION ALL
    SELECT {dimension}, -count(*) FROM cards JOIN repeated USING (customer_id, instrument_id)
    WHERE list_position <> first_position GROUP BY 1)
GROUP BY value HAVING sum(cards) > 0
"""  # noqa: S608  dimensions are ours


def control_candidates(day: date) -> str:
    """Return the query of cards that control reads may ask for, those that last longest first."""
    return f"""
SELECT bank, customer_id, instrument_id FROM cards
WHERE {usable_sql(day)} AND instrument_id IS NOT NULL AND customer_id_received IS NULL
    AND customer_id NOT IN (SELECT customer_id FROM planned)
    AND customer_id NOT IN (SELECT id FROM refused_ids)
    AND instrument_id NOT IN (SELECT id FROM refused_ids)
    AND (customer_id, instrument_id) NOT IN (SELECT (customer_id, instrument_id) FROM repeated)
QUALIFY row_number() OVER (PARTITION BY bank ORDER BY expires_on DESC, customer_id, instrument_id)
    <= {_CONTROL_CANDIDATES_OF_A_BANK}
ORDER BY expires_on DESC, customer_id, instrument_id
"""  # noqa: S608  a day is ours


FETCHED: Final = "SELECT min(fetched_at) AS oldest, max(fetched_at) AS newest FROM instruments"
"""When the first and the last row was fetched; read as Arrow, DuckDB's own way needs pytz."""
