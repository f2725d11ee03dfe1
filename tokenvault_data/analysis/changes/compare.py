"""What changed between two lists of cards: events, a summary that reconciles, and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from tokenvault_data.analysis.cards.partial import finding_table
from tokenvault_data.analysis.changes.differences import find_customers_apart, find_differences
from tokenvault_data.analysis.changes.events import KINDS, find_replaced, read_events
from tokenvault_data.analysis.changes.sources import two_lists
from tokenvault_data.analysis.quality.another_vault import overlap_of_events, question_of
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.frames import to_table
from tokenvault_data.dataset.sql import connection_to
from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted

if TYPE_CHECKING:
    import duckdb

    from tokenvault_data.analysis.cards.source import Source
    from tokenvault_data.analysis.changes.sources import Banks, TwoLists
    from tokenvault_data.dataset.frames import ArrowStream
    from tokenvault_data.dataset.tables import ResultTable


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


def _summary(connection: duckdb.DuckDBPyConnection, lists: TwoLists, events: pa.Table) -> pa.Table:
    """Return the summary: what, cards, customers, share, meaning."""
    cards = _card_counts(connection, lists)
    customers = _customer_counts(connection)
    connection.register("events", events.select(["kind", "customer_id"]))
    of_kinds = connection.execute(
        "SELECT kind::VARCHAR, count(*), count(DISTINCT customer_id) FROM events GROUP BY kind"
    ).fetchall()
    for kind in KINDS:
        cards[kind] = customers[kind] = 0
    for kind, number, of_customers in of_kinds:
        cards[kind], customers[kind] = number, of_customers

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


def _card_counts(connection: duckdb.DuckDBPyConnection, lists: TwoLists) -> dict[str, int]:
    """Count what has no events: a row that is in no pair is one unchanged card."""
    any_change = "(status_changed OR renewed OR expiry_changed OR details_changed)"
    cards = _counts(
        connection,
        "pairs",
        changed=f"count(*) FILTER (in_both AND {any_change})",
        unchanged=f"count(*) FILTER (in_both AND NOT {any_change})",
        unknown_old="count(*) FILTER (apart AND NOT in_new)",
        unknown_new="count(*) FILTER (apart AND NOT in_old)",
        repeated_old="coalesce(sum(old_copies - 1), 0)::BIGINT",
        repeated_new="coalesce(sum(new_copies - 1), 0)::BIGINT",
        in_pairs="coalesce(sum(old_copies), 0)::BIGINT",
    )
    for side, source in lists.sides.items():
        cards[f"rows_{side}"] = source.row_count
        cards[f"without_id_{side}"] = lists.rows_without_id(connection, side)
    cards["unchanged"] += cards["rows_old"] - cards["without_id_old"] - cards.pop("in_pairs")
    return cards


def _customer_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    return {
        **_counts(
            connection,
            "customers_apart",
            customers_only_old="count(*) FILTER (NOT in_new)",
            customers_only_new="count(*) FILTER (NOT in_old)",
            customers_not_fetched="count(*) FILTER (in_old AND in_new)",
        ),
        **_counts(
            connection,
            "pairs",
            unknown_old="count(DISTINCT customer_id) FILTER (apart AND NOT in_new)",
            unknown_new="count(DISTINCT customer_id) FILTER (apart AND NOT in_old)",
        ),
    }


def _counts(connection: duckdb.DuckDBPyConnection, table: str, **counts: str) -> dict[str, int]:
    """Return what SQL expressions over a table count, by their names."""
    query = f"SELECT {', '.join(counts.values())} FROM {table}"  # noqa: S608  names are ours
    [row] = connection.execute(query).fetchall()  # all of it, or the connection stays busy
    return dict(zip(counts, row, strict=True))


def _apart_note(summary: pa.Table) -> list[str]:
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


MEMORY_LIMIT_MB: Final = 360
"""Where DuckDB begins to spill in a comparison; the table of events comes on top."""

_COUNTED_BY: Final = {
    **{
        name: name
        for name in (
            *("bank", "card_bank", "card_network", "card_type"),
            *("old_status", "new_status", "changed", "matched_by"),
        )
    },
    "expiry": "strftime(coalesce(new_expires_on, old_expires_on), '%Y-%m')",
    "old_expiry": "strftime(old_expires_on, '%Y-%m')",
    "new_expiry": "strftime(new_expires_on, '%Y-%m')",
}


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What changed between two lists of cards; made by `compare`.

    Attributes
    ----------
    events : ResultTable
        One row an event; its columns are those of `changes`.
    summary : ResultTable
        One row a line of the account:

        ``what``
            The line. ``rows_old`` = ``unchanged`` + ``changed`` + ``gone`` + ``replaced`` +
            ``unknown_old`` + ``without_id_old`` + ``repeated_old``, and likewise ``rows_new``
            with ``added`` for ``gone``. A card with several events is once in ``changed`` and
            once in the line of each kind.
        ``cards``
            Rows, or cards (int64); null in lines about customers.
        ``customers``
            Distinct customers (int64), where they were counted.
        ``share``
            Of the rows of the new list in the lines about it and in ``added``, otherwise of the
            old (0 to 1); null where there are none.
        ``meaning``
            What the line counts, in words.
    another_vault : str or None
        The question whether these are lists of two different vaults, and why it is asked; the
        titles of both tables begin with it. None when nothing speaks for it.
    """

    events: ResultTable
    summary: ResultTable
    another_vault: str | None = None

    def by(self, *columns: str) -> ResultTable:
        """Count the events by kind and by columns.

        Parameters
        ----------
        *columns : str
            Of ``bank``, ``card_bank``, ``card_network``, ``card_type``, ``old_status``,
            ``new_status``, ``changed``, ``matched_by``, and ``expiry``, ``old_expiry`` and
            ``new_expiry``: months ``YYYY-MM``; ``expiry`` is the new one where there is one.

        Returns
        -------
        ResultTable
            ``kind``, the columns, ``cards``, ``customers`` (distinct) and ``share`` (of the cards
            of the kind); sorted by kind, then by the columns, missing last.

        Raises
        ------
        UsageError
            Events are not counted by such a column.
        """
        unknown = [name for name in columns if name not in _COUNTED_BY]
        if unknown or len(set(columns)) < len(columns):
            raise UsageError(
                f"Events cannot be counted by {', '.join(unknown or columns)}; nothing was"
                f" counted; choose each once of {', '.join(_COUNTED_BY)}."
            )
        named = "".join(f', {_COUNTED_BY[name]} AS "{name}"' for name in columns)
        shown = "".join(f', "{name}"' for name in columns)
        order = "".join(f', "{name}" NULLS LAST' for name in columns)
        kinds = ", ".join(f"'{kind}'" for kind in KINDS)
        wanted = ["kind", "customer_id", *_COUNTED_BY, "old_expires_on", "new_expires_on"]
        events = to_table(self.events[[name for name in wanted if name in self.events.columns]])
        with connection_to({}, {"events": events}) as connection:
            table = connection.sql(
                f"SELECT kind{shown}, count(*) AS cards, "  # noqa: S608  names are ours
                "count(DISTINCT customer_id) AS customers, "
                "count(*) / sum(count(*)) OVER (PARTITION BY kind) AS share "
                f"FROM (SELECT kind::VARCHAR AS kind, customer_id{named} FROM events) "
                f"GROUP BY kind{shown} ORDER BY list_position([{kinds}], kind){order}"
            ).to_arrow_table()
        title = f"{self.events.title}, by {', '.join(('kind', *columns))}"
        return finding_table(table, title=title, notes=self.events.notes)


def compare(
    old: ArrowStream | Source,
    new: ArrowStream | Source,
    *,
    banks: Banks | None = None,
    memory_limit_mb: int = MEMORY_LIMIT_MB,
) -> Comparison:
    """Compare two lists of cards: what came, went and changed, and what cannot be known.

    A card is a customer and an instrument id.

    - An id that one customer's list repeats counts once: the most usable row is compared, ACTIVE
      before others, then the later expiry, then the earlier place in the list.
    - Rows without an id cannot be compared; the summary counts them.
    - A card in one list only is ``added`` or ``gone`` if its customer was fetched, or found empty,
      in both (once is enough for a customer who was asked for several times). Otherwise it is
      *unknown*, counted in the summary and never an event. In a table that is no snapshot a
      customer was fetched if it has a row. A card in both lists is always compared.
    - A card that is gone and one that was added are one event ``replaced`` if they are of one
      customer and have the same ``instrument_uid``, or else the same ``par``. Where there are
      several they are paired one to one, the uid before the par, each side in order of
      ``created_at`` (missing last) and id.
    - A value of the details that is missing on one side is no change, because API versions differ
      in what they send. A status or an expiry that comes or goes is one.

    Parameters
    ----------
    old, new : Snapshot, or object with ``__arrow_c_stream__``
        Tables need ``customer_id``, ``instrument_id``, ``instrument_status`` and ``expires_on``.
    banks : BankNames, optional
        Canonical names of banks; the names in the package when not given.
    memory_limit_mb : int
        Where DuckDB begins to spill to a temporary folder, in millions of bytes. On top come
        tables that are in memory already, and the events.

    Raises
    ------
    UsageError
        They cannot be compared: a column is missing, or they are snapshots of different
        environments or merchant accounts.
    """
    lists = two_lists(old, new)
    names = load_bank_names() if banks is None else banks
    with lists.connection(memory_limit_mb=memory_limit_mb) as connection:
        find_customers_apart(connection)
        find_differences(connection, lists, names)
        find_replaced(connection)
        events = read_events(connection)
        summary = _summary(connection, lists, events)
    notes = [*_notes(lists), *_apart_note(summary)]
    title = f"Changes from {lists.old.name} to {lists.new.name}"
    if lists.old.snapshot is None and lists.new.snapshot is None:
        title = "Changes from the old table to the new"
    sides = (lists.old, lists.new)
    cards = dict(zip(summary["what"].to_pylist(), summary["cards"].to_pylist(), strict=True))
    question = question_of(lists.old, lists.new, overlap_of_events(cards, events))
    if question is not None:
        title = f"{question} {title}"
    return Comparison(
        finding_table(
            events, *sides, title=f"{title}: {counted(len(events), 'event')}", notes=notes
        ),
        finding_table(summary, *sides, title=title, notes=notes),
        question,
    )


def changes(
    old: ArrowStream,
    new: ArrowStream,
    *,
    banks: Banks | None = None,
    memory_limit_mb: int = MEMORY_LIMIT_MB,
) -> ResultTable:
    """Return what changed between two lists of cards, one row an event, by the rules of `compare`.

    Parameters
    ----------
    old, new : Snapshot, or object with ``__arrow_c_stream__``
    banks : BankNames, optional
    memory_limit_mb : int
        As for `compare`.

    Returns
    -------
    ResultTable
        Sorted by kind, customer and id, with the columns

        ``kind``
            ``added``, ``gone``, ``replaced`` (gone, and back under another id), ``status_changed``,
            ``renewed`` (expires later), ``expiry_changed`` (any other change of expiry, from or to
            unknown included), ``details_changed``. A card in both lists may have several of the
            last four, a row each.
        ``customer_id``, ``instrument_id``, ``new_instrument_id``
            The card; the last is null unless replaced, and then the id before is the old one.
        ``card_network``, ``card_bank``, ``bank``, ``card_type``, ``last_four``
            As in the new list, or in the old where that says nothing; ``bank`` is the canonical
            name of ``card_bank``.
        ``old_status``, ``new_status``, ``old_expires_on``, ``new_expires_on``
            On either side; null where the card, or the value, is not there.
        ``changed``
            Names of the details that differ, joined by ``, ``: bank, card_network, card_type,
            card_sub_type, card_country, last_four, par, instrument_uid, created_at; null unless
            details_changed.
        ``matched_by``
            ``instrument_uid`` or ``par``; null unless replaced.
        ``old_fetched_at``, ``new_fetched_at``
            When the lists were fetched that hold the card, or that do not: the change lies between
            (UTC). Null for the side without the card where it is not a snapshot.

    Raises
    ------
    UsageError
        They cannot be compared.
    """
    return compare(old, new, banks=banks, memory_limit_mb=memory_limit_mb).events


def _notes(lists: TwoLists) -> list[str]:
    notes = []
    if lists.old.snapshot is not None and lists.new.snapshot is not None:
        before, after = lists.old.snapshot.manifest, lists.new.snapshot.manifest
        if before.started_at > after.started_at:
            notes.append(
                "The old snapshot is the later one of the two: what is added here went, and what"
                " is gone came."
            )
    if not (lists.old.has_outcomes and lists.new.has_outcomes):
        notes.append(
            "Where a list is no snapshot, a customer without a card in it counts as not fetched."
        )
    return notes
