"""Checks of the collection as a whole: who was fetched, when, and whether the counts add up."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from tokenvault_data.analysis.quality.settings import NO_THRESHOLD, Finding, Verdict
from tokenvault_data.dataset.flattening.canonical import INDIA
from tokenvault_data.dataset.today import day_of, today_in_india
from tokenvault_data.text import counted, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from tokenvault_data.analysis.cards.source import Source
    from tokenvault_data.analysis.quality.settings import QualitySettings
    from tokenvault_data.dataset.bank_names import BankNames


_EXAMPLES: Final = 3
_THRESHOLD: Final = "warn where spellings became one by rule, not by the table of banks"


def spelling_table(connection: duckdb.DuckDBPyConnection, names: BankNames) -> pa.Table:
    """Return every spelling of a bank with the name it counts under, and why.

    Columns ``bank``, ``card_bank`` (the spelling), ``reason`` (``table``, ``rule`` or ``as
    received``) and ``cards``; in alphabetical order of the banks, the commonest spelling first.
    """
    found = connection.execute(
        "SELECT card_bank::VARCHAR, count(*) FROM instruments"
        " WHERE card_bank IS NOT NULL GROUP BY 1"
    ).fetchall()
    rows = [(names.canonical(text), text, names.reason(text), cards) for text, cards in found]
    rows.sort(key=lambda row: (row[0] or "", -row[3], row[1]))
    types = (pa.string(), pa.string(), pa.string(), pa.int64())
    columns = [
        pa.array([row[at] for row in rows], column_type) for at, column_type in enumerate(types)
    ]
    return pa.table(columns, names=["bank", "card_bank", "reason", "cards"])


def several_spellings(table: pa.Table) -> pa.Table:
    """Return the rows of a `spelling_table` whose bank comes in more than one spelling."""
    by_bank = _by_bank(table)
    kept = [len(by_bank[bank]) > 1 for bank in table.column("bank").to_pylist()]
    return table.filter(pa.array(kept, pa.bool_()))


def bank_checks(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[str],
    names: BankNames,
    settings: QualitySettings,
) -> list[Finding]:
    """Check how banks are spelled.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    columns : sequence of str
        Those that `instruments` has.
    names : BankNames
    settings : QualitySettings
    """
    unlisted = settings.bank_unlisted
    if "card_bank" not in columns:
        said = "Cannot be told: the table has no column card_bank."
        thresholds = {"bank_spellings": _THRESHOLD, "bank_unlisted": unlisted.sentence()}
        return [
            Finding(code, "unknown", said, None, None, threshold, "card_bank")
            for code, threshold in thresholds.items()
        ]
    table = spelling_table(connection, names)
    total = sum(table.column("cards").to_pylist())
    return [_variants(table, total), _unlisted(table, total, settings)]


def _variants(table: pa.Table, total: int) -> Finding:
    several = several_spellings(table)
    cards = sum(several.column("cards").to_pylist())
    by_bank = _by_bank(several)
    by_rule = "rule" in several.column("reason").to_pylist()
    worst = sorted(by_bank.items(), key=lambda pair: (-len(pair[1]), pair[0] or ""))[:_EXAMPLES]
    examples = "; ".join(f"{bank} in {len(spellings)}" for bank, spellings in worst)
    said = f"{counted(len(by_bank), 'bank')} in several spellings: {counted(cards, 'card')}"
    said += f", e.g. {examples}." if examples else "."
    if not total:
        return Finding("bank_spellings", "unknown", said, 0, None, _THRESHOLD, "card_bank")
    verdict: Verdict = "warn" if by_rule else "pass"
    return Finding(
        "bank_spellings", verdict, said, len(several), cards / total, _THRESHOLD, "card_bank"
    )


def _unlisted(table: pa.Table, total: int, settings: QualitySettings) -> Finding:
    threshold = settings.bank_unlisted
    unlisted = [row for row in table.to_pylist() if row["reason"] != "table"]
    cards = sum(row["cards"] for row in unlisted)
    share = cards / total if total else None
    said = f"{counted(len(unlisted), 'spelling')} not in the table of banks: "
    said += f"{cards:,} of {counted(total, 'card')} that name a bank"
    said += "." if share is None else f" ({percent(share)})."
    verdict = threshold.verdict(share)
    return Finding(
        "bank_unlisted", verdict, said, len(unlisted), share, threshold.sentence(), "card_bank"
    )


def _by_bank(table: pa.Table) -> dict[str | None, list[str]]:
    spellings: dict[str | None, list[str]] = defaultdict(list)
    pairs = zip(
        table.column("bank").to_pylist(), table.column("card_bank").to_pylist(), strict=True
    )
    for bank, spelling in pairs:
        spellings[bank].append(spelling)
    return spellings


_HOUR_US: Final = 3_600_000_000

NOT_FETCHED_SQL: Final = "outcome NOT IN ('fetched', 'empty')"
"""Which rows of `outcomes` are of customers of whom nothing is known."""

MISCOUNTED_SQL: Final = (
    "SELECT customer_id, coalesce(listed, 0) AS listed, coalesce(cards, 0) AS cards FROM"
    " (SELECT customer_id, sum(instruments)::BIGINT AS listed FROM outcomes GROUP BY 1)"
    " FULL JOIN (SELECT customer_id, count(*) AS cards FROM instruments GROUP BY 1)"
    " USING (customer_id) WHERE coalesce(listed, 0) <> coalesce(cards, 0)"
)
"""Customers whose outcome names another number of cards than they have rows."""


def moment_of(as_of: date | datetime | str | None) -> datetime:
    """Return the instant that counts as now, in UTC.

    Now when not given; an instant as it is (without a zone, India time); of a day the last instant
    in India, but for today, of which it is now.

    Raises
    ------
    UsageError
        `as_of` is no day and no instant.
    """
    if isinstance(as_of, datetime):
        return (as_of if as_of.tzinfo is not None else as_of.replace(tzinfo=INDIA)).astimezone(UTC)
    day = day_of(as_of)
    if day == today_in_india():
        return datetime.now(UTC)
    # Not by way of the zone: at the ends of the calendar there is no such instant in UTC.
    return datetime.combine(day, time(18, 29, 59, 999_999), UTC)


def stale_before_us(moment: datetime, settings: QualitySettings) -> int:
    """Return when a card must have been fetched not to be stale, in microseconds since 1970."""
    hours = settings.freshness.warn_above
    oldest = moment - timedelta(hours=0 if hours is None else hours)
    return int(oldest.timestamp() * 1_000_000)


def collection_checks(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    moment: datetime,
    settings: QualitySettings,
) -> list[Finding]:
    """Check coverage, freshness, and that outcomes and rows add up.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With the views of `source`.
    source : Source
    moment : datetime
        What counts as now.
    settings : QualitySettings
    """
    return [
        _coverage(connection, source, settings),
        _freshness(connection, source, moment, settings),
        _counts(connection, source, settings),
        *_customer_list(source),
    ]


def _customer_list(source: Source) -> list[Finding]:
    """Repeat what the collection noticed about its list, where it did."""
    manifest = None if source.snapshot is None else source.snapshot.manifest
    if manifest is None or not manifest.notices:
        return []
    empty = manifest.outcomes["empty"]
    answered = empty + manifest.outcomes["fetched"]
    share = empty / answered if answered else None
    said = " ".join(manifest.notices)
    return [Finding("customer_list", "warn", said, empty, share, NO_THRESHOLD)]


def _coverage(
    connection: duckdb.DuckDBPyConnection, source: Source, settings: QualitySettings
) -> Finding:
    threshold = settings.coverage.sentence()
    if not source.has_outcomes:
        said = "Cannot be told: a table does not say which customers were asked for."
        return Finding("coverage", "unknown", said, None, None, threshold)
    requested, missing = _numbers(
        connection,
        f"SELECT count(*), count(*) FILTER (WHERE {NOT_FETCHED_SQL}) FROM outcomes",  # noqa: S608  a constant
    )
    share = missing / requested if requested else None
    said = f"Fetched: {requested - missing:,} of {counted(requested, 'customer')}"
    said += "." if share is None else f" ({percent(1 - share)})."
    verdict = settings.coverage.verdict(share)
    return Finding("coverage", verdict, said, missing, share, threshold)


def _freshness(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    moment: datetime,
    settings: QualitySettings,
) -> Finding:
    threshold = settings.freshness.sentence()
    if "fetched_at" not in source.schema.names:
        said = "Cannot be told: the table has no column fetched_at."
        return Finding("freshness", "unknown", said, None, None, threshold, "fetched_at")
    stale_before = stale_before_us(moment, settings)
    total, stale, oldest = _numbers(
        connection,
        "SELECT count(*), count(*) FILTER (WHERE"  # noqa: S608  a number
        f" epoch_us(fetched_at) < {stale_before}), min(epoch_us(fetched_at)) FROM instruments",
    )
    if not total:
        said = "Cannot be told: there are no cards."
        return Finding("freshness", "unknown", said, 0, None, threshold, "fetched_at")
    # Clocks differ: what was fetched a moment in the future was fetched now.
    hours = max(0.0, (moment.timestamp() * 1_000_000 - oldest) / _HOUR_US)
    age = f"{hours / 24:,.1f} days" if hours >= 48 else _in_hours(int(hours))
    said = f"The oldest answer is {age} old; {counted(stale, 'card')} of {total:,} are stale."
    verdict = settings.freshness.verdict(hours)
    return Finding("freshness", verdict, said, stale, stale / total, threshold, "fetched_at")


def _in_hours(hours: int) -> str:
    return counted(hours, "hour") if hours else "less than an hour"


def _counts(
    connection: duckdb.DuckDBPyConnection, source: Source, settings: QualitySettings
) -> Finding:
    threshold = settings.counts.sentence()
    if not source.has_outcomes:
        said = "Cannot be told: a table does not say how many cards each customer has."
        return Finding("counts", "unknown", said, None, None, threshold)
    requested, listed, rows, differing = _numbers(
        connection,
        "SELECT (SELECT count(DISTINCT customer_id) FROM outcomes),"  # noqa: S608  a constant
        " (SELECT coalesce(sum(instruments), 0) FROM outcomes), (SELECT count(*) FROM instruments),"
        f" (SELECT count(*) FROM ({MISCOUNTED_SQL}))",
    )
    said = f"The outcomes name {counted(listed, 'card')} and there are {counted(rows, 'row')}; "
    said += f"they differ for {counted(differing, 'customer')}."
    share = differing / requested if requested else None
    return Finding("counts", settings.counts.verdict(share), said, differing, share, threshold)


def _numbers(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    row = connection.execute(query).fetchone()
    return tuple(int(value or 0) for value in row or ())
