"""Checks that judge cards one by one: each a condition in SQL, so that its rows can be listed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tokenvault_data.analysis.quality.settings import Finding, Threshold
from tokenvault_data.dataset.flattening.canonical import KINDS
from tokenvault_data.dataset.flattening.vocabulary import CLOSED
from tokenvault_data.text import counted, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import duckdb

    from tokenvault_data.analysis.quality.settings import QualitySettings

_INDIA_AHEAD_US: Final = 19_800_000_000  # UTC+05:30, without summer time since 1945
_MINUTE_US: Final = 60_000_000
_DAYS_A_YEAR: Final = 365.25
_EXAMPLES: Final = 3
_LONGEST_EXAMPLE: Final = 40

_anomaly_code = re.compile(r"anomaly:([^:]+):([^:]+)").fullmatch


@dataclass(frozen=True, slots=True)
class RowCheck:
    """One check of every card.

    Attributes
    ----------
    code : str
        Stable name.
    column : str
        The column it is about.
    condition : str
        DuckDB expression over `instruments`, true for the rows at fault.
    says : str
        What is wrong with these, as the beginning of a sentence.
    threshold : Threshold
        Of the share of rows at fault.
    needs : frozenset of str
        Columns of `condition`.
    is_grouped : bool
        Whether `condition` looks at other rows too, and so needs a pass of its own.
    example : str or None
        A column whose commonest values among the rows at fault are named.
    """

    code: str
    column: str
    condition: str
    says: str
    threshold: Threshold
    needs: frozenset[str]
    is_grouped: bool = False
    example: str | None = None

    def finding(self, rows: int, total: int, examples: Sequence[tuple[str, int]] = ()) -> Finding:
        """Word and judge what was counted."""
        share = rows / total if total else None
        of_all = f"{rows:,} of {counted(total, 'card')}"
        figures = of_all if share is None else f"{of_all} ({percent(share)})"
        shown = ", ".join(f"{_quoted(text)} {cards:,} times" for text, cards in examples)
        return Finding(
            self.code,
            self.threshold.verdict(share),
            f"{self.says}: {figures}{f', e.g. {shown}' if shown else ''}.",
            rows,
            share,
            self.threshold.sentence(),
            self.column,
        )

    def cannot_be_told(self, missing: Iterable[str]) -> Finding:
        """Return the finding for a table that lacks columns."""
        lacking = ", ".join(sorted(missing))
        said = f"Cannot be told: the table has no column {lacking}."
        threshold = self.threshold.sentence()
        return Finding(self.code, "unknown", said, None, None, threshold, self.column)


def row_checks(moment: datetime, settings: QualitySettings) -> list[RowCheck]:
    """Return the checks of every card, but for those of anomalies.

    Parameters
    ----------
    moment : datetime
        With a zone: what counts as now.
    settings : QualitySettings
    """
    return [
        _check(
            "unique_key",
            "list_position",
            _repeated("customer_id", "list_position"),
            "Several rows for one place in a customer's list",
            settings.unique_key,
            further=("customer_id",),
            is_grouped=True,
        ),
        _check(
            "repeated_id",
            "instrument_id",
            _repeated("customer_id", "instrument_id"),
            "instrument_id more than once in a customer's list",
            settings.repeated_id,
            further=("customer_id",),
            is_grouped=True,
        ),
        *(
            _check(f"missing:{name}", name, f"{name} IS NULL", f"No {name}", threshold)
            for name, threshold in settings.missing.items()
        ),
        *(_outside_vocabulary(name, settings.closed_vocabulary) for name in CLOSED),
        *_date_checks(moment, settings),
        *(
            _check(
                f"contradiction:{name}",
                name,
                _contradicting(name),
                f"Cards of one instrument_uid with different {name}",
                settings.contradiction,
                further=("instrument_uid",),
                is_grouped=True,
            )
            for name in ("last_four", "par", "card_network")
        ),
    ]


def anomaly_checks(codes: Iterable[str], settings: QualitySettings) -> list[RowCheck]:
    """Return the check of whether there are anomalies at all, and one for each code.

    Parameters
    ----------
    codes : iterable of str
        As in the ``anomalies`` column: ``field:kind``.
    settings : QualitySettings
    """
    anything = "Something in the card could not be read as documented"
    checks = [_check("anomalies", "anomalies", "anomalies IS NOT NULL", anything, settings.anomaly)]
    for code in codes:
        name, _, kind = code.partition(":")
        listed = code.replace("'", "''")
        checks.append(
            _check(
                f"anomaly:{code}",
                name,
                f"list_contains(string_split(anomalies, ';'), '{listed}')",
                f"{name} {KINDS.get(kind, kind)}".replace(" the column", " its column"),
                settings.anomaly,
                further=("anomalies",),
                about_column=False,
            )
        )
    return checks


def is_anomaly_check(code: str) -> bool:
    """Say whether a code is one of those that `anomaly_checks` makes for a field and kind."""
    return _anomaly_code(code) is not None


def count_rows(
    connection: duckdb.DuckDBPyConnection, checks: Sequence[RowCheck], columns: Iterable[str]
) -> list[Finding]:
    """Run checks over the view `instruments`, all that can be in one pass.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    checks : sequence of RowCheck
    columns : iterable of str
        Those that `instruments` has.
    """
    known = set(columns)
    possible = [check for check in checks if check.needs <= known]
    plain = [check for check in possible if not check.is_grouped]
    counts = "".join(f", count(*) FILTER (WHERE {check.condition})" for check in plain)
    total, *found = _one_row(connection, f"SELECT count(*){counts} FROM instruments")  # noqa: S608  conditions are ours
    rows = dict(zip((check.code for check in plain), found, strict=True))
    findings = []
    for check in checks:
        if check not in possible:
            findings.append(check.cannot_be_told(check.needs - known))
            continue
        if check.is_grouped:
            query = f"SELECT count(*) FROM instruments WHERE {check.condition}"  # noqa: S608  conditions are ours
            (rows[check.code],) = _one_row(connection, query)
        at_fault = rows[check.code]
        examples = _examples(connection, check, known) if at_fault else []
        findings.append(check.finding(at_fault, total, examples))
    return findings


def _check(
    code: str,
    column: str,
    condition: str,
    says: str,
    threshold: Threshold,
    *,
    further: Iterable[str] = (),
    is_grouped: bool = False,
    example: str | None = None,
    about_column: bool = True,
) -> RowCheck:
    needs = frozenset([column, *further] if about_column else further)
    return RowCheck(code, column, condition, says, threshold, needs, is_grouped, example)


def _outside_vocabulary(name: str, threshold: Threshold) -> RowCheck:
    known = ", ".join(f"'{value}'" for value in CLOSED[name])
    received = f"{name}_received"
    return _check(
        f"vocabulary:{name}",
        name,
        f"({name} IS NULL AND {received} IS NOT NULL) OR {name} NOT IN ({known})",
        f"{name} sent with a value that is not known",
        threshold,
        further=(received,),
        example=received,
    )


def _date_checks(moment: datetime, settings: QualitySettings) -> list[RowCheck]:
    now_us = int(moment.timestamp() * 1_000_000)
    latest_us = now_us + settings.clock_skew_minutes * _MINUTE_US
    saved_day = f"make_timestamp(epoch_us(created_at) + {_INDIA_AHEAD_US})::DATE"
    today = f"make_timestamp({now_us + _INDIA_AHEAD_US})::DATE"
    too_far = int(settings.oldest_plausible_years * _DAYS_A_YEAR)
    return [
        _check(
            "saved_in_future",
            "created_at",
            f"epoch_us(created_at) > {latest_us}",
            "Saved in the future",
            settings.implausible,
        ),
        _check(
            "saved_after_expiry",
            "created_at",
            f"{saved_day} > expires_on",
            "Saved after the card had expired",
            settings.implausible,
            further=("expires_on",),
        ),
        _check(
            "expiry_implausible",
            "expires_on",
            f"expires_on - {today} > {too_far}",
            f"Expires more than {settings.oldest_plausible_years} years ahead",
            settings.implausible,
        ),
        _check(
            "expired_but_active",
            "instrument_status",
            f"instrument_status = 'ACTIVE' AND expires_on < {today}",
            "ACTIVE though expired",
            settings.expired_but_active,
            further=("expires_on",),
        ),
    ]


def _repeated(*key: str) -> str:
    # Hashes first: they are small, and only keys whose hash occurs twice can occur twice.
    names = ", ".join(key)
    present = " AND ".join(f"{name} IS NOT NULL" for name in key)
    return (
        f"({names}) IN (SELECT ({names}) FROM instruments"  # noqa: S608  names are ours
        f" WHERE {present} AND hash({names}) IN (SELECT hash({names}) FROM instruments"
        f" WHERE {present} GROUP BY 1 HAVING count(*) > 1) GROUP BY {names} HAVING count(*) > 1)"
    )


def _contradicting(name: str) -> str:
    return (
        "instrument_uid IN (SELECT instrument_uid FROM instruments"  # noqa: S608  names are ours
        " WHERE instrument_uid IS NOT NULL AND hash(instrument_uid) IN"
        " (SELECT hash(instrument_uid) FROM instruments WHERE instrument_uid IS NOT NULL"
        f" GROUP BY 1 HAVING count(*) > 1) GROUP BY 1 HAVING min({name}) <> max({name}))"
    )


def _examples(
    connection: duckdb.DuckDBPyConnection, check: RowCheck, known: set[str]
) -> list[tuple[str, int]]:
    if check.example is None or check.example not in known:
        return []
    return connection.execute(
        f"SELECT {check.example}::VARCHAR, count(*) FROM instruments"  # noqa: S608  names are ours
        f" WHERE ({check.condition}) AND {check.example} IS NOT NULL"
        f" GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_EXAMPLES}"
    ).fetchall()


def _quoted(text: str) -> str:
    clipped = text if len(text) <= _LONGEST_EXAMPLE else f"{text[:_LONGEST_EXAMPLE]}…"
    return repr(clipped)


def _one_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    row = connection.execute(query).fetchone()
    return tuple(int(value) for value in row or ())
