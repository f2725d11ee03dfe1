"""Which cards of a snapshot a rule selects, which of these are left out, and why.

A selected card is left out, and counted, where it cannot be asked for, where it is not certain
which card is meant, and where it is the last one that its customer can pay with. Repeated rows of
one card that agree are one card.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from tokenvault_data.analysis.cards.card_view import card_view
from tokenvault_data.analysis.cards.source import open_source
from tokenvault_data.cleanup.selection import sql
from tokenvault_data.cleanup.selection.cards import ControlCard
from tokenvault_data.cleanup.selection.exclusions import HELD, LEFT_OUT, NOT_FOUND, SPARED
from tokenvault_data.cleanup.selection.limits import PlannedFigures, VaultFigures
from tokenvault_data.cleanup.selection.sampling import Placed, spread
from tokenvault_data.identifiers import judge_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    import duckdb

    from tokenvault_data.cleanup.selection.holds import Holds
    from tokenvault_data.cleanup.selection.rules import Rule
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.snapshots import Snapshot

DIMENSIONS: Final = ("card_network", "bank", "expiry")
"""What a selection is counted by."""

MOST_CONTROLS: Final = 20
"""Control cards of a plan, at most."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a rule selects of a snapshot.

    Attributes
    ----------
    cards : pyarrow.Table
        The cards to delete, ordered by customer and instrument id, with the columns of
        `PlannedCard` but for the number, in the types of the instruments table.
    left_out : mapping of str to int
        Selected cards that are not among them, by reason; reasons without a card are not there.
        Cards without an id are counted by row, since nothing tells them apart.
    vault, planned : VaultFigures, PlannedFigures
        What caps are put to.
    before : mapping of str to mapping
        By dimension of `DIMENSIONS`, the distinct cards of the snapshot by value, None for missing.
    controls : tuple of ControlCard
        Usable cards of customers who lose none, spread over banks; the same for the same snapshot.
    oldest_fetched_at, newest_fetched_at : datetime or None
        Over all rows of the snapshot; None when it has none.
    """

    cards: pa.Table
    left_out: Mapping[str, int]
    vault: VaultFigures
    planned: PlannedFigures
    before: Mapping[str, Mapping[str | None, int]]
    controls: tuple[ControlCard, ...]
    oldest_fetched_at: datetime | None
    newest_fetched_at: datetime | None


def select_cards(
    snapshot: Snapshot,
    rule: Rule,
    *,
    as_of: date,
    keep_last_usable: bool = True,
    banks: BankNames | None = None,
    holds: Holds | None = None,
) -> Selection:
    """Select the cards of a snapshot that a rule is about.

    Parameters
    ----------
    snapshot : Snapshot
    rule : Rule
    as_of : date
        The day on which cards are judged usable, and from which ``expires_in`` is counted.
    keep_last_usable : bool
        Leave out a customer's last usable card; of a customer whose cards only may be usable, the
        last of those.
    banks : BankNames, optional
        Those of the package when not given.
    holds : Holds, optional
        Cards that are left out, whatever the rule; none when not given.
    """
    with card_view(open_source(snapshot), as_of=as_of, banks=banks) as connection:
        _mark_refused_ids(connection)
        connection.execute(sql.REPEATED)
        _mark_pairs(connection, "listed", rule.pairs)
        _mark_pairs(connection, "held_cards", () if holds is None else sorted(holds.cards))
        customers = () if holds is None else sorted(holds.customers)
        connection.register("held_customers", pa.table({"customer_id": _texts(customers)}))
        connection.execute(sql.customers_of(rule))
        connection.execute(sql.their_cards(rule, as_of))
        connection.execute(sql.CONTESTED_CARDS)
        connection.execute(sql.SINGLE_CARDS)
        connection.execute(sql.PAIRED if rule.kind == "duplicates" else sql.UNPAIRED)
        connection.execute(sql.HELD)
        connection.execute(sql.SPARED if keep_last_usable else sql.NOT_SPARED)
        connection.execute(sql.PLANNED)
        cards = connection.sql(sql.PLANNED_IN_ORDER).to_arrow_table()
        before = {name: _counts(connection, sql.counts(name)) for name in DIMENSIONS}
        fetched = connection.sql(sql.FETCHED).to_arrow_table().to_pylist()[0]
        vault_customers = _row(connection, "SELECT count(DISTINCT customer_id) FROM instruments")[0]
        most, worse_off = _row(connection, sql.MOST_OF_ONE)[0], _row(connection, sql.WORSE_OFF)[0]
        return Selection(
            cards=cards,
            left_out=_left_out(connection, rule),
            vault=VaultFigures(sum(before["bank"].values()), vault_customers, before["bank"]),
            planned=PlannedFigures(
                len(cards), _counts(connection, sql.PLANNED_BANKS), most, worse_off
            ),
            before=before,
            controls=_controls(connection, as_of),
            oldest_fetched_at=fetched["oldest"],
            newest_fetched_at=fetched["newest"],
        )


def _mark_refused_ids(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of ids that no request can be made of, as they stand."""
    odd = [row[0] for row in connection.execute(sql.ODD_IDS).fetchall()]
    refused = [one for one in odd if judge_id(one) != one]
    connection.register("refused_ids", pa.table({"id": pa.array(refused, pa.string())}))


def _mark_pairs(
    connection: duckdb.DuckDBPyConnection, name: str, pairs: Sequence[tuple[str, str]]
) -> None:
    customers, cards = zip(*pairs, strict=True) if pairs else ((), ())
    table = pa.table({"customer_id": _texts(customers), "instrument_id": _texts(cards)})
    connection.register(name, table)


def _texts(values: Sequence[str]) -> pa.Array:
    return pa.array(values, pa.string())


def _left_out(connection: duckdb.DuckDBPyConnection, rule: Rule) -> dict[str, int]:
    counts = dict(connection.execute(sql.REASONS).fetchall())
    counts[HELD] = _row(connection, "SELECT count(*) FROM held")[0]
    counts[SPARED] = _row(connection, "SELECT count(*) FROM spared")[0]
    if rule.kind == "listed":
        counts[NOT_FOUND] = _row(connection, sql.LISTED_NOT_FOUND)[0]
    return {reason: counts[reason] for reason in LEFT_OUT if counts.get(reason)}


def _controls(connection: duckdb.DuckDBPyConnection, day: date) -> tuple[ControlCard, ...]:
    candidates = connection.execute(sql.control_candidates(day)).fetchall()
    places = [Placed(bank, customer) for bank, customer, _ in candidates]
    chosen = spread(places, MOST_CONTROLS, repeat_customers=False)
    return tuple(ControlCard(candidates[at][1], candidates[at][2]) for at in chosen)


def _counts(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str | None, int]:
    return dict(connection.execute(query).fetchall())


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    return connection.execute(query).fetchone() or ()
