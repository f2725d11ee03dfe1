"""Checks against older data: values never seen before, and more or fewer cards per customer."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from tokenvault_data.analysis.cards.card_view import card_view
from tokenvault_data.analysis.cards.source import Source, open_source
from tokenvault_data.analysis.quality.settings import Finding
from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted, percent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import duckdb

    from tokenvault_data.analysis.quality.settings import QualitySettings
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.frames import ArrowStream
    from tokenvault_data.dataset.snapshots import Snapshot

Against: TypeAlias = "ArrowStream | Source | Sequence[ArrowStream | Source] | None"
"""Older data: one source, or several."""

DRIFTING: Final = (
    "card_network",
    "card_type",
    "instrument_status",
    "card_country",
    "bank",
    "api_version",
)
"""Columns whose values are compared with those of older data."""

_EXAMPLES: Final = 3
_LONGEST_EXAMPLE: Final = 40
_NOTHING_OLDER: Final = "Cannot be told: no older snapshot was given to compare with."


def open_older(against: Against, source: Source) -> list[Source]:
    """Take hold of the older data, oldest first as far as it is known.

    Raises
    ------
    UsageError
        One cannot be analysed, or is a snapshot of another environment or merchant.
    """
    if against is None:
        return []
    given = against if isinstance(against, list | tuple) else (against,)
    opened = [open_source(cast("ArrowStream | Source", one)) for one in given]
    here = source.snapshot
    for one in opened:
        there = one.snapshot
        if here is not None and there is not None and _are_of_two_accounts(here, there):
            raise UsageError(
                f"Snapshot {there.id} is of another environment or merchant than {here.id};"
                " nothing was checked; compare snapshots of one account."
            )
    return sorted(
        opened, key=lambda one: "" if one.snapshot is None else one.snapshot.manifest.created_at
    )


def new_values(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[str],
    older: Sequence[Source],
    day: date,
    banks: BankNames,
) -> dict[str, list[tuple[str, int]]]:
    """Return the values of columns of `cards` that no older source has, with their cards.

    By column, the most frequent first; values that are missing are not among them.
    """
    counts = _values(connection, columns)
    for one in older:
        with card_view(one, as_of=day, banks=banks) as past:
            for column, seen in _values(past, columns).items():
                for value in seen:
                    counts[column].pop(value, None)
    return {
        column: sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
        for column, found in counts.items()
    }


def drift_checks(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    older: Sequence[Source],
    settings: QualitySettings,
    *,
    day: date,
    banks: BankNames,
) -> list[Finding]:
    """Check vocabulary and volume against older data; unknown where there is none.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        With the view `cards` of `source`.
    source : Source
    older : sequence of Source
        As `open_older` returns them.
    settings : QualitySettings
    day : date
    banks : BankNames
    """
    (total,) = connection.execute("SELECT count(*) FROM cards").fetchone() or (0,)
    threshold = settings.drift.sentence()
    reasons = {column: _untold(column, source, older) for column in DRIFTING}
    told = [column for column, reason in reasons.items() if reason is None]
    new = new_values(connection, told, older, day, banks)
    findings = []
    for column, reason in reasons.items():
        code = f"drift:{column}"
        if reason is not None:
            findings.append(Finding(code, "unknown", reason, None, None, threshold, column))
            continue
        found = new[column]
        cards = sum(count for _, count in found)
        share = cards / total if total else None
        said = f"{counted(len(found), 'value')} of {column} never seen before"
        said += f": {_shown(found)}." if found else "."
        verdict = settings.drift.verdict(share)
        findings.append(Finding(code, verdict, said, cards, share, threshold, column))
    return [*findings, _volume(source, older, settings)]


def _values(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Count the values of several columns in one pass."""
    values: dict[str, dict[str, int]] = {column: {} for column in columns}
    if not columns:
        return values
    sets = ", ".join(f"({column})" for column in columns)
    # A grouping set leaves all columns but one null: the bit that is clear says which one counts.
    rows = connection.execute(
        f"SELECT GROUPING({', '.join(columns)}), coalesce({', '.join(columns)}), count(*)"  # noqa: S608  some of DRIFTING
        f" FROM cards GROUP BY GROUPING SETS ({sets})"
    ).fetchall()
    by_bits = {_all_but(place, len(columns)): column for place, column in enumerate(columns)}
    for bits, value, cards in rows:
        if value is not None:
            values[by_bits[bits]][str(value)] = cards
    return values


def _all_but(place: int, columns: int) -> int:
    return (1 << columns) - 1 - (1 << (columns - 1 - place))


def _untold(column: str, source: Source, older: Sequence[Source]) -> str | None:
    if not older:
        return _NOTHING_OLDER
    received = "card_bank" if column == "bank" else column
    lacking = [one.name for one in (source, *older) if received not in one.schema.names]
    return f"Cannot be told: {lacking[0]} lacks {received}." if lacking else None


def _volume(source: Source, older: Sequence[Source], settings: QualitySettings) -> Finding:
    threshold = settings.volume.sentence()
    if not older:
        return Finding("volume", "unknown", _NOTHING_OLDER, None, None, threshold)
    before = older[-1]
    if before.has_outcomes != source.has_outcomes:
        said = "Cannot be told: of a table and a snapshot, only one counts customers without cards."
        return Finding("volume", "unknown", said, None, None, threshold)
    now, then = _cards_per_customer(source), _cards_per_customer(before)
    if now is None or not then:
        said = "Cannot be told: there are no customers, or no cards, to compare."
        return Finding("volume", "unknown", said, None, None, threshold)
    change = float((now - then) / then)  # of fractions: a tenth is exactly a tenth
    said = f"{float(now):.2f} cards per customer; {float(then):.2f} in {before.name}"
    said += f", {percent(abs(change))} {'more' if change > 0 else 'fewer'}." if change else "."
    return Finding("volume", settings.volume.verdict(abs(change)), said, None, None, threshold)


def _cards_per_customer(source: Source) -> Fraction | None:
    if source.snapshot is not None:
        facts = source.snapshot.manifest
        customers = facts.outcomes["fetched"] + facts.outcomes["empty"]
        return Fraction(facts.instruments, customers) if customers else None
    with source.connection() as connection:
        cards, customers = connection.execute(
            "SELECT count(*), count(DISTINCT customer_id) FROM instruments"
        ).fetchone() or (0, 0)
    return Fraction(cards, customers) if customers else None


def _are_of_two_accounts(here: Snapshot, there: Snapshot) -> bool:
    merchants = {here.manifest.merchant, there.manifest.merchant}
    differ = here.manifest.environment != there.manifest.environment
    return differ or (None not in merchants and len(merchants) > 1)


def _shown(found: Sequence[tuple[str, int]]) -> str:
    named = [
        f"{value[:_LONGEST_EXAMPLE]!r} {counted(count, 'card')}"
        for value, count in found[:_EXAMPLES]
    ]
    more = f" and {len(found) - _EXAMPLES:,} more" if len(found) > _EXAMPLES else ""
    return ", ".join(named) + more
