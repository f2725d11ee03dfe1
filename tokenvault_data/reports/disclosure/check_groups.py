"""The cards that a check of the data finds, as groups of customers."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tokenvault_data.analysis.cards.card_view import card_view
from tokenvault_data.analysis.quality.dataset_checks import moment_of, stale_before_us
from tokenvault_data.analysis.quality.row_checks import anomaly_checks, row_checks
from tokenvault_data.analysis.quality.settings import QUALITY_SETTINGS
from tokenvault_data.dataset.flattening.instants import INDIA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date, datetime

    import duckdb

    from tokenvault_data.analysis.cards.source import Source

_BITS: Final = 63
"""Of a mask with one bit for some of all customers: bits that are set are different customers."""

WITHOUT_ID: Final = "customer_id IS NULL OR instrument_id IS NULL"


@dataclass(frozen=True, slots=True)
class CheckGroups:
    """Conditions of checks over the rows of a source.

    Attributes
    ----------
    connection : duckdb.DuckDBPyConnection
    conditions : dict of str to str
        By code of a check, the expression that is true for the cards it finds.
    """

    connection: duckdb.DuckDBPyConnection
    conditions: dict[str, str]

    def people(self, conditions: Mapping[str, str], enough: int) -> dict[str, int]:
        """Return how many customers have a card for which a condition is true.

        Parameters
        ----------
        conditions : mapping of str to str
            By any name.
        enough : int
            Beyond this number it may be larger than what is returned.
        """
        if not conditions:
            return {}
        masks = ", ".join(
            f"bit_count(bit_or(CASE WHEN {condition} THEN"
            f" 1::UBIGINT << (hash(customer_id) % {_BITS})::INTEGER END))"
            for condition in conditions.values()
        )
        row = self.connection.execute(f"SELECT {masks} FROM instruments").fetchone() or ()  # noqa: S608  conditions are ours
        certain = dict(zip(conditions, (int(value or 0) for value in row), strict=True))
        return {
            name: found if found >= enough or not found else self._count(conditions[name], enough)
            for name, found in certain.items()
        }

    def _count(self, condition: str, enough: int) -> int:
        row = self.connection.execute(
            "SELECT count(*) FROM (SELECT DISTINCT customer_id FROM instruments"  # noqa: S608  conditions are ours
            f" WHERE {condition} LIMIT {enough})"
        ).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def check_groups(
    source: Source, codes: Iterable[str], as_of: date | datetime | str | None
) -> Iterator[CheckGroups]:
    """Open the checks of a source that have some codes.

    Parameters
    ----------
    source : Source
    codes : iterable of str
        Of checks of cards; others are passed over.
    as_of : date, datetime or str, optional
        As `quality` takes it.
    """
    moment = moment_of(as_of)
    wanted = list(codes)
    anomalies = [code.removeprefix("anomaly:") for code in wanted if code.startswith("anomaly:")]
    known = {
        check.code: check.condition
        for check in (
            *row_checks(moment, QUALITY_SETTINGS),
            *anomaly_checks(anomalies, QUALITY_SETTINGS),
        )
    }
    known["freshness"] = f"epoch_us(fetched_at) < {stale_before_us(moment, QUALITY_SETTINGS)}"
    conditions = {code: f"(({known[code]}) IS TRUE)" for code in wanted if code in known}
    with card_view(source, as_of=moment.astimezone(INDIA).date()) as connection:
        yield CheckGroups(connection, conditions)
