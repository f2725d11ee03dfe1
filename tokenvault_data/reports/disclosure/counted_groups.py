"""How cards and customers of a group stand in the register of a page, and what follows from both.

A reader who is told a group's cards and customers knows how many cards are somebody's second; one
who is told all customers, how many have no card in the group; and where all parts of a whole are
told, how often customers stand in several. Each of these is a number of the register, because each
may be about few customers.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.analysis.cards.card_view import card_view
from tokenvault_data.analysis.quality.dataset_checks import moment_of, stale_before_us
from tokenvault_data.analysis.quality.row_checks import anomaly_checks, row_checks
from tokenvault_data.analysis.quality.settings import QUALITY_SETTINGS
from tokenvault_data.dataset.flattening.canonical import INDIA
from tokenvault_data.reports.disclosure.small_groups import CUSTOMERS_HIDDEN
from tokenvault_data.reports.disclosure.suppression import NEVER_BEFORE, Figures

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
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


ALL: Final = "all"
"""All cards of the page, and all customers who have one."""

_CUSTOMERS_WEIGH: Final = 0.25
"""Of the weight of a group's cards: where one of both has to go, it is the customers."""


def cards_of(group: Hashable) -> Hashable:
    """Return the key of a group's cards."""
    return ("cards", group)


def customers_of(group: Hashable) -> Hashable:
    """Return the key of a group's customers."""
    return ("customers", group)


def start(smallest_cell: int, cards: int, customers: int) -> Figures:
    """Return a register that holds the totals of a page."""
    figures = Figures(smallest_cell)
    figures.add(cards_of(ALL), cards, customers, shown=NEVER_BEFORE)
    # With fewer customers there would be no figures at all.
    figures.add(customers_of(ALL), customers, shown=NEVER_BEFORE, least=smallest_cell)
    figures.rest(cards_of(ALL), [customers_of(ALL)])
    return figures


def add_group(
    figures: Figures,
    group: Hashable,
    cards: int,
    people: int,
    *,
    shown: float | None = None,
    customers: int | None = None,
    of: Hashable | None = ALL,
) -> Hashable:
    """Add a group's cards and, where the page tells them, its customers.

    Parameters
    ----------
    figures : Figures
    group : hashable
    cards : int
    people : int
        Customers, or a number that they certainly reach.
    shown : float, optional
        Weight of its figures; not given where the page does not show them.
    customers : int, optional
        Its distinct customers, where the page shows them.
    of : hashable, optional
        The group whose customers hold its own; None for none that the page tells.
    """
    key = figures.add(cards_of(group), cards, people, shown=shown)
    if shown is not None and customers is not None:
        told = figures.add(
            customers_of(group), customers, shown=shown * _CUSTOMERS_WEIGH, beside=key
        )
        figures.rest(key, [told])
        if of is not None:
            figures.rest(customers_of(of), [told])
    return key


def divide(figures: Figures, whole: Hashable, parts: Sequence[Hashable]) -> None:
    """Say that groups make up another, each card of which is in one of them."""
    figures.total(cards_of(whole), [cards_of(part) for part in parts])
    if customers_of(whole) not in figures or not parts:
        return
    people = [
        customers_of(part) if customers_of(part) in figures else cards_of(part) for part in parts
    ]
    figures.at_most(customers_of(whole), people)
    if all(customers_of(part) in figures for part in parts):
        together = figures.add(("together", whole, *parts), sum(map(figures.value, people)))
        figures.total(together, people)
        figures.rest(together, [customers_of(whole)])


def share_of(cards: int | None, total: int | None) -> float | None:
    """Return a share as far as both figures tell it; nothing is 0 of any total."""
    if cards is None or (cards and total is None):
        return None
    return cards / max(total or 0, 1)


def line(figures: Figures, group: Hashable, all_cards: Hashable = ALL) -> dict[str, Any]:
    """Return what a table may say of a group; a share needs the total it is of, too."""
    cards = figures.published(cards_of(group))
    total = figures.published(cards_of(all_cards))
    told = customers_of(group)
    customers = figures.published(told) if told in figures else None
    return {
        "cards": cards,
        "customers": customers,
        CUSTOMERS_HIDDEN: cards is None or (told in figures and customers is None),
        "share": share_of(cards, total),
    }
