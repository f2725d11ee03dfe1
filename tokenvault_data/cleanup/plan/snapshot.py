"""Whether a plan matches the snapshot that it names, if the store still has that snapshot."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pyarrow as pa

from tokenvault_data.analysis.cards.card_view import card_view
from tokenvault_data.analysis.cards.source import open_source
from tokenvault_data.cleanup.selection import sql
from tokenvault_data.cleanup.selection.drift import usable_sql
from tokenvault_data.dataset.manifest import MANIFEST_NAME
from tokenvault_data.dataset.snapshots import SNAPSHOTS_FOLDER, open_snapshot
from tokenvault_data.errors import PlanDamaged, RefusedByGuardRail, SnapshotError
from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    import os

    import duckdb

    from tokenvault_data.cleanup.plan.plan import Plan
    from tokenvault_data.dataset.snapshots import Snapshot

_TEXTS: Final = (
    *("customer_id", "instrument_id", "instrument_uid", "par", "last_four", "card_network"),
    *("card_bank", "card_type", "instrument_status", "afa_reference"),
)
_INSTANTS: Final = ("created_at", "fetched_at")


def check_against_snapshot(plan: Plan, store: str | os.PathLike[str]) -> None:
    """Refuse a plan that does not match its snapshot; do nothing if the store does not have it.

    Parameters
    ----------
    plan : Plan
    store : path
        The store whose ``snapshots`` folder may have it.

    Raises
    ------
    PlanDamaged
        A card, a count, a time or the account differs from the snapshot.
    RefusedByGuardRail
        The snapshot is damaged, so that nothing can be compared.
    """
    path = local_path(store) / SNAPSHOTS_FOLDER / plan.snapshot
    if not (path / MANIFEST_NAME).exists():
        return
    try:
        snapshot = open_snapshot(path)
    except SnapshotError as error:
        raise RefusedByGuardRail(
            f"The plan cannot be compared with its snapshot: {error} To go on without it, move the "
            "snapshot out of the store."
        ) from None
    _check_manifest(plan, snapshot)
    with card_view(open_source(snapshot), as_of=date.fromisoformat(plan.as_of)) as connection:
        _check_cards(plan, connection)


def _check_manifest(plan: Plan, snapshot: Snapshot) -> None:
    manifest = snapshot.manifest
    for name, planned, found in (
        ("id", plan.snapshot, snapshot.id),
        ("digest", plan.snapshot_digest, snapshot.digest),
        ("environment", plan.environment, manifest.environment),
        ("account", plan.merchant, manifest.merchant),
        ("API version", plan.api_version, manifest.api_version),
        ("time", plan.snapshot_created_at, manifest.created_at),
    ):
        if planned != found:
            _refuse(f"the snapshot has a different {name}")


def _check_cards(plan: Plan, connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(sql.REPEATED)
    banks = dict(connection.execute(sql.counts("bank")).fetchall())
    oldest = connection.sql(sql.FETCHED).to_arrow_table().to_pylist()[0]["oldest"]
    for name, planned, found in (
        ("cards", plan.vault_cards, sum(banks.values())),
        (
            "customers",
            plan.vault_customers,
            _number(connection, "SELECT count(DISTINCT customer_id) FROM instruments"),
        ),
        ("oldest fetch", datetime.fromisoformat(plan.oldest_fetched_at), oldest),
    ):
        if planned != found:
            _refuse(
                f"the snapshot has {found:,} {name}, the plan says {planned:,}"
                if isinstance(found, int)
                else f"the snapshot has a different {name}"
            )
    connection.register("planned", _planned_table(plan))
    same = " AND ".join(
        f"cards.{name} IS NOT DISTINCT FROM planned.{name}"
        for name in (*_TEXTS, *_INSTANTS, "expires_on")
    )
    absent = _number(
        connection,
        f"SELECT count(*) FROM planned WHERE NOT EXISTS (FROM cards WHERE {same})",  # noqa: S608  names of ours
    )
    if absent:
        _refuse(f"{absent:,} of the planned cards are not in it as sealed")
    own_names = _check_banks(plan, connection, banks)
    if "bank" not in plan.rule.condition.columns or not own_names:
        unselected = _number(
            connection,
            "SELECT count(*) FROM planned ANTI JOIN"  # noqa: S608  a condition writes its own literals
            f" (SELECT customer_id, instrument_id FROM cards WHERE {plan.rule.condition.sql()})"
            " USING (customer_id, instrument_id)",
        )
        if unselected:
            _refuse(f"the rule does not select {unselected:,} of the planned cards")
    connection.register("controls", _controls_table(plan))
    unusable = _number(
        connection,
        "SELECT count(*) FROM controls ANTI JOIN"  # noqa: S608  a day is ours
        " (SELECT customer_id, instrument_id FROM cards WHERE"
        f" {usable_sql(date.fromisoformat(plan.as_of))}) USING (customer_id, instrument_id)",
    )
    if unusable:
        _refuse(f"{unusable:,} of the control cards are not usable cards of it")


def _check_banks(
    plan: Plan, connection: duckdb.DuckDBPyConnection, banks: dict[str | None, int]
) -> bool:
    """Check the totals of banks; say whether the plan has names of banks that are not ours.

    A plan may have been made with another table of names. Then a bank has at least the cards of
    the spellings that the plan calls so; that all totals together are not more than the vault,
    which every plan is checked for, keeps each from having more than it can.
    """
    spellings = connection.execute(
        "SELECT card_bank::VARCHAR, any_value(bank) FROM cards GROUP BY 1"
    ).fetchall()
    ours, sealed = dict(spellings), {card.card_bank: card.bank for card in plan.cards}
    own_names = any(ours.get(spelling) != bank for spelling, bank in sealed.items())
    least: Counter[str | None] = Counter()
    if own_names:
        spelled = dict(connection.execute(sql.counts("card_bank::VARCHAR")).fetchall())
        for spelling, bank in sealed.items():
            least[bank] += spelled.get(spelling, 0)
    for one in plan.bank_totals:
        found = least[one.bank] if own_names else banks.get(one.bank, 0)
        if one.cards < found or (one.cards > found and not own_names):
            _refuse(f"it has {found:,} cards of a bank, the plan says {one.cards:,}")
    return own_names


def _planned_table(plan: Plan) -> pa.Table:
    columns: dict[str, Any] = {
        name: pa.array((getattr(card, name) for card in plan.cards), pa.string()) for name in _TEXTS
    }
    for name in _INSTANTS:
        moments = (getattr(card, name) for card in plan.cards)
        columns[name] = pa.array(
            (one and datetime.fromisoformat(one).astimezone(UTC) for one in moments),
            pa.timestamp("us", "UTC"),
        )
    days = (card.expires_on for card in plan.cards)
    columns["expires_on"] = pa.array((day and date.fromisoformat(day) for day in days), pa.date32())
    return pa.table(columns)


def _controls_table(plan: Plan) -> pa.Table:
    names = ("customer_id", "instrument_id")
    return pa.table(
        {
            name: pa.array((getattr(one, name) for one in plan.controls), pa.string())
            for name in names
        }
    )


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    rows = connection.execute(query).fetchall()  # all of them: one result at a time is allowed
    return int(rows[0][0]) if rows else 0


def _refuse(what: str) -> NoReturn:
    raise PlanDamaged(
        f"The plan does not match its snapshot: {what}; nothing was sent; make a new plan from the "
        "snapshot."
    )
