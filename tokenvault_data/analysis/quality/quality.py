"""What is wrong in the data: a verdict a check, with the rows behind it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from tokenvault_data.analysis.cards.card_view import card_view
from tokenvault_data.analysis.cards.partial import finding_table
from tokenvault_data.analysis.cards.source import Source, open_source
from tokenvault_data.analysis.quality.another_vault import vault_check
from tokenvault_data.analysis.quality.dataset_checks import (
    MISCOUNTED_SQL,
    NOT_FETCHED_SQL,
    bank_checks,
    collection_checks,
    moment_of,
    several_spellings,
    spelling_table,
    stale_before_us,
)
from tokenvault_data.analysis.quality.drift import (
    DRIFTING,
    Against,
    drift_checks,
    new_values,
    open_older,
)
from tokenvault_data.analysis.quality.row_checks import (
    RowCheck,
    anomaly_checks,
    count_rows,
    is_anomaly_check,
    row_checks,
)
from tokenvault_data.analysis.quality.settings import (
    QUALITY_SETTINGS,
    VERDICTS,
    Finding,
    QualitySettings,
)
from tokenvault_data.dataset.bank_names import BankNames, load_bank_names
from tokenvault_data.dataset.flattening.canonical import INDIA
from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import duckdb

    from tokenvault_data.dataset.frames import ArrowStream
    from tokenvault_data.dataset.tables import ResultTable

LISTED_ROWS: Final = 100_000
"""Rows that `quality_rows` returns at most when not told otherwise."""

_SCHEMA: Final = pa.schema(
    [
        ("check", pa.string()),
        ("verdict", pa.string()),
        ("finding", pa.string()),
        ("rows", pa.int64()),
        ("share", pa.float64()),
        ("threshold", pa.string()),
        ("column", pa.string()),
    ]
)
_WITHOUT_ROWS: Final = ("volume", "same_vault")
_OF_THE_WHOLE: Final = (
    *("coverage", "freshness", "counts", "customer_list"),
    *("bank_spellings", "bank_unlisted", *_WITHOUT_ROWS),
    *(f"drift:{column}" for column in DRIFTING),
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is checked, and against what."""

    source: Source
    older: list[Source]
    moment: datetime
    banks: BankNames
    settings: QualitySettings

    @property
    def day(self) -> date:
        return self.moment.astimezone(INDIA).date()

    @property
    def sources(self) -> list[Source]:
        return [self.source, *self.older]

    def rows(self) -> list[RowCheck]:
        return row_checks(self.moment, self.settings)


def quality(
    source: ArrowStream | Source,
    *,
    against: Against = None,
    as_of: date | datetime | str | None = None,
    banks: BankNames | None = None,
    settings: QualitySettings = QUALITY_SETTINGS,
) -> ResultTable:
    """Check a snapshot, or a table of instruments, and judge what is found.

    Parameters
    ----------
    source : Snapshot, or object with ``__arrow_c_stream__``
        Checks whose columns a table lacks are ``unknown``.
    against : the same, or a list of them, optional
        Older data; without it the checks for drift are ``unknown``.
    as_of : date, datetime or str, optional
        What counts as now: an instant (without a zone, India time), or the end of a day in India.
    banks : BankNames, optional
        Names of banks; those in the package when not given.
    settings : QualitySettings
        Where each check begins to warn and to fail.

    Returns
    -------
    ResultTable
        One row a check:

        - ``check``: its code. ``same_vault`` asks, first of all and in the title too, whether
          `against` is of another vault; ``coverage``, ``freshness`` and ``counts`` are about the
          collection;
          ``unique_key``, ``repeated_id``, ``missing:COLUMN``, ``vocabulary:COLUMN``,
          ``saved_in_future``, ``saved_after_expiry``, ``expiry_implausible``,
          ``expired_but_active``, ``contradiction:COLUMN``, ``anomalies`` and
          ``anomaly:FIELD:KIND`` (for each that occurs) about the cards; ``bank_spellings`` and
          ``bank_unlisted`` about names of banks; ``drift:COLUMN`` and ``volume`` about what has
          changed since `against`.
        - ``verdict``: ``pass``, ``warn``, ``fail``, or ``unknown`` when it cannot be told.
        - ``finding``: what was found, with figures.
        - ``rows``: how many rows `quality_rows` has for it; null when it cannot be told.
        - ``share``: of the cards at fault; of the customers for ``coverage`` and ``counts``, of the
          cards that name a bank for ``bank_spellings`` and ``bank_unlisted``.
        - ``threshold``: what makes it warn or fail, in the measure of ``share`` (``freshness``: the
          age of the oldest answer; ``volume``: the change of cards per customer).
        - ``column``: the one it is about; null for a check of the whole.

    Raises
    ------
    UsageError
        An argument cannot be read, or `against` is of another environment or merchant.
    """
    asked = _ask(source, against, as_of, banks, settings)
    with card_view(asked.source, as_of=asked.day, banks=asked.banks) as connection:
        columns = asked.source.schema.names
        rows = [*asked.rows(), *anomaly_checks(_codes(connection, columns), settings)]
        findings = [
            vault_check(asked.source, asked.older, day=asked.day, banks=asked.banks),
            *collection_checks(connection, asked.source, asked.moment, settings),
            *count_rows(connection, rows, columns),
            *bank_checks(connection, columns, asked.banks, settings),
            *drift_checks(
                connection,
                asked.source,
                asked.older,
                settings,
                day=asked.day,
                banks=asked.banks,
            ),
        ]
    # The minute only where it was given: else the same call says two things a minute apart.
    shown = "%Y-%m-%d %H:%M" if isinstance(as_of, datetime) else "%Y-%m-%d"
    notes = [
        f"Judged as of {asked.moment.astimezone(INDIA):{shown}} in India.",
        "quality_rows(source, check) lists the rows behind a check.",
    ]
    if not asked.source.has_outcomes:
        notes.append("A table does not say who was asked for: coverage and counts are unknown.")
    return finding_table(
        _table(findings),
        *asked.sources,
        title=_title(asked.source, findings),
        notes=notes,
    )


def quality_rows(
    source: ArrowStream | Source,
    check: str,
    *,
    against: Against = None,
    as_of: date | datetime | str | None = None,
    banks: BankNames | None = None,
    settings: QualitySettings = QUALITY_SETTINGS,
    limit: int | None = LISTED_ROWS,
) -> ResultTable:
    """List the rows behind a check of `quality`.

    Parameters
    ----------
    source, against, as_of, banks, settings
        As given to `quality`.
    check : str
        A code from its column ``check``.
    limit : int, optional
        At most so many rows; None for all.

    Returns
    -------
    ResultTable
        For checks of cards, all columns of the cards at fault, in order of customer and list. For
        ``coverage`` the outcomes of the customers not fetched; for ``counts`` ``customer_id``,
        ``listed`` (by the outcome) and ``cards`` (rows there are); for ``bank_spellings`` and
        ``bank_unlisted`` ``bank``, ``card_bank`` (the spelling), ``reason`` and ``cards``.

    Raises
    ------
    UsageError
        There is no such check, or it has no rows or cannot be told for this source.
    """
    asked = _ask(source, against, as_of, banks, settings)
    with card_view(asked.source, as_of=asked.day, banks=asked.banks) as connection:
        found = _behind(connection, asked, check)
        total = len(found)
        rows = (found if limit is None else found.limit(limit)).to_arrow_table()
    notes = (
        [] if len(rows) == total else [f"Only the first {len(rows):,} of them are in the table."]
    )
    title = f"{counted(total, 'row')} behind {check}"
    return finding_table(rows, *asked.sources, title=title, notes=notes)


def _ask(
    source: ArrowStream | Source,
    against: Against,
    as_of: date | datetime | str | None,
    banks: BankNames | None,
    settings: QualitySettings,
) -> _Asked:
    opened = open_source(source, ("customer_id",))
    names = load_bank_names() if banks is None else banks
    return _Asked(opened, open_older(against, opened), moment_of(as_of), names, settings)


def _codes(connection: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> list[str]:
    if "anomalies" not in columns:
        return []
    found = connection.execute(
        "SELECT DISTINCT unnest(string_split(anomalies, ';')) AS code FROM instruments"
        " WHERE anomalies IS NOT NULL ORDER BY code"
    ).fetchall()
    return [str(row[0]) for row in found]


def _behind(
    connection: duckdb.DuckDBPyConnection, asked: _Asked, check: str
) -> duckdb.DuckDBPyRelation:
    columns = asked.source.schema.names
    rows = {one.code: one for one in asked.rows()}
    rows |= {one.code: one for one in anomaly_checks([], asked.settings)}
    if is_anomaly_check(check):
        code = check.removeprefix("anomaly:")
        rows |= {one.code: one for one in anomaly_checks([code], asked.settings)}
    if check in rows:
        _require(check, sorted(rows[check].needs - set(columns)))
        return _cards(connection, rows[check].condition, columns)
    if check in ("coverage", "counts", "customer_list") and not asked.source.has_outcomes:
        raise UsageError(
            f"A table has no outcomes, so nothing is behind {check}; nothing was listed; give the"
            " snapshot."
        )
    if check in ("coverage", "customer_list"):
        wanted = NOT_FETCHED_SQL if check == "coverage" else "outcome = 'empty'"
        query = f"SELECT * FROM outcomes WHERE {wanted} ORDER BY position"  # noqa: S608  constants
        return connection.sql(query)
    if check == "counts":
        return connection.sql(f"{MISCOUNTED_SQL} ORDER BY customer_id")
    if check == "freshness":
        _require(check, [] if "fetched_at" in columns else ["fetched_at"])
        stale_before = stale_before_us(asked.moment, asked.settings)
        return _cards(connection, f"epoch_us(fetched_at) < {stale_before}", columns)
    if check in ("bank_spellings", "bank_unlisted"):
        _require(check, [] if "card_bank" in columns else ["card_bank"])
        return _spellings(connection, asked, check)
    if check in _OF_THE_WHOLE and check not in _WITHOUT_ROWS:
        return _drifted(connection, asked, check.removeprefix("drift:"))
    known = [*_OF_THE_WHOLE, *rows]
    near = [] if check in _WITHOUT_ROWS else difflib.get_close_matches(check, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "take a code from the table of quality()."
    reason = "has no rows behind it" if check in _WITHOUT_ROWS else "is no check with rows"
    raise UsageError(f"{check!r} {reason}; nothing was listed; {hint}")


def _cards(
    connection: duckdb.DuckDBPyConnection, condition: str, columns: Sequence[str]
) -> duckdb.DuckDBPyRelation:
    order = [name for name in ("customer_id", "list_position") if name in columns]
    return connection.sql(
        f"SELECT * FROM instruments WHERE {condition} ORDER BY {', '.join(order)}"  # noqa: S608  conditions are ours
    )


def _spellings(
    connection: duckdb.DuckDBPyConnection, asked: _Asked, check: str
) -> duckdb.DuckDBPyRelation:
    table = spelling_table(connection, asked.banks)
    if check == "bank_spellings":
        return connection.from_arrow(several_spellings(table))
    return connection.from_arrow(table).filter("reason <> 'table'")


def _drifted(
    connection: duckdb.DuckDBPyConnection, asked: _Asked, column: str
) -> duckdb.DuckDBPyRelation:
    received = "card_bank" if column == "bank" else column
    for one in (asked.source, *asked.older):
        _require(f"drift:{column}", [] if received in one.schema.names else [received])
    if not asked.older:
        raise UsageError(
            "Drift shows against older data only; nothing was listed; give against=, an older"
            " snapshot."
        )
    found = new_values(connection, [column], asked.older, asked.day, asked.banks)[column]
    values = pa.table({"value": pa.array([value for value, _ in found], pa.string())})
    connection.register("new_values", values)
    order = ", customer_id, list_position" if "list_position" in asked.source.schema.names else ""
    return connection.sql(
        f"SELECT * FROM cards WHERE {column} IN (SELECT value FROM new_values)"  # noqa: S608  one of DRIFTING
        f" ORDER BY {column}{order}"
    )


def _require(check: str, missing: Sequence[str]) -> None:
    if missing:
        raise UsageError(
            f"The table has no column {', '.join(missing)}, which {check} is about; nothing was"
            " listed; give a snapshot, or a table with that column."
        )


def _table(findings: Sequence[Finding]) -> pa.Table:
    columns = {
        field.name: pa.array([getattr(one, field.name) for one in findings], field.type)
        for field in _SCHEMA
    }
    return pa.table(columns, schema=_SCHEMA)


def _title(source: Source, findings: Sequence[Finding]) -> str:
    words = {"fail": "fail", "warn": "warn", "pass": "pass", "unknown": "cannot be told"}
    parts = []
    for verdict in VERDICTS:
        codes = [one.check for one in findings if one.verdict == verdict]
        named = f" ({', '.join(codes)})" if verdict == "fail" and codes else ""
        parts.append(f"{len(codes)} {words[verdict]}{named}")
    title = f"Of {counted(len(findings), 'check')} of {source.name}, {', '.join(parts)}"
    first = findings[0]
    return f"{first.finding} {title}" if first.verdict in ("warn", "fail") else title
