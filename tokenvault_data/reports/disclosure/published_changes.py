"""What changed since an older snapshot, as a report shows it.

The lines of a comparison are parts of two sums, the rows of the older and of the newer list; cards
with several kinds of change are once among the changed ones; the banks of a kind of change are
parts of that kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tokenvault_data.analysis.changes.events import KINDS
from tokenvault_data.dataset.frames import to_table
from tokenvault_data.dataset.labels import OTHER
from tokenvault_data.dataset.sql import connection_to
from tokenvault_data.reports.disclosure.counted_groups import (
    ALL,
    add_group,
    cards_of,
    customers_of,
    divide,
    line,
)
from tokenvault_data.reports.disclosure.published_breakdowns import finished, in_order
from tokenvault_data.reports.labels import is_missing

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from tokenvault_data.analysis.changes.compare import Comparison
    from tokenvault_data.reports.disclosure.suppression import Figures

MOST_BANKS: Final = 10
OLD: Final = "old list"
"""The customers of the older list, where the page tells how many cards each has."""

_OLD_ROWS: Final = (
    *("unchanged", "changed", "gone", "replaced"),
    *("unknown_old", "without_id_old", "repeated_old"),
)
_NEW_ROWS: Final = (
    *("unchanged", "changed", "added", "replaced"),
    *("unknown_new", "without_id_new", "repeated_new"),
)
_CHANGED: Final = ("status_changed", "renewed", "expiry_changed", "details_changed")
_SHOWN: Final = (*KINDS, "unknown_old", "unknown_new")
_OF_NEW: Final = frozenset({"added"} | {name for name in _NEW_ROWS if name.endswith("_new")})
_REPEATED: Final = ("check", "repeated_id")
SAME: Final[Mapping[str, Hashable]] = {
    "rows_new": ALL,
    "without_id_new": ("check", "missing:instrument_id"),
}
"""Lines that are a group of another part of the page."""


_KIND_WEIGHT: Final = 10.0
_LINE_WEIGHT: Final = 8.0
_ROWS_WEIGHT: Final = 100.0
_TILE_WEIGHT: Final = 1.0


@dataclass(frozen=True, slots=True)
class PublishedChanges:
    """Tables of changes; figures are null where ``hidden``.

    Attributes
    ----------
    old_name : str
        What was compared with, such as the id of a snapshot.
    another_vault : str or None
        The question whether the two lists are of different vaults.
    account : pandas.DataFrame
        ``what``, ``cards``, ``customers``, ``share``, ``hidden``: all lines of rows.
    kinds : pandas.DataFrame
        The same, of the lines that a chart shows.
    by_bank : pandas.DataFrame
        ``kind``, ``bank``, ``cards``, ``hidden``; empty when nothing changed.
    """

    old_name: str
    another_vault: str | None
    account: pd.DataFrame
    kinds: pd.DataFrame
    by_bank: pd.DataFrame


class ChangeFigures:
    """The figures on changes of a page.

    Parameters
    ----------
    figures : Figures
        Holds the totals and the checks of the data already.
    comparison : Comparison
    old_name : str
        How the older list is named.
    banks_alone : sequence of str or None
        Banks that the page names, largest first; of these the first few have rows of their own,
        all others are one row.
    old_people : mapping of str to int
        Customers behind lines of the older list, as far as they are known.
    """

    def __init__(
        self,
        figures: Figures,
        comparison: Comparison,
        old_name: str,
        *,
        banks_alone: Sequence[str | None],
        old_people: Mapping[str, int],
    ) -> None:
        self.figures = figures
        self.old_name = old_name
        self.another_vault = comparison.another_vault
        self.lines: dict[str, Hashable] = {}
        lines = {
            str(one["what"]): one
            for one in pd.DataFrame(comparison.summary).to_dict("records")
            if not is_missing(one["cards"])
        }
        self.changed_people = _distinct(comparison)
        self._add_lines(lines, self._people_of(lines, old_people))
        self._add_several_kinds()
        self.kinds, self.rows = self._add_banks(comparison.by("bank"), banks_alone)

    def published(self) -> PublishedChanges:
        """Return the tables, once it is decided what may be shown."""
        account = [
            {
                "what": what,
                **line(
                    self.figures,
                    group,
                    self.lines["rows_new" if what in (*_OF_NEW, "rows_new") else "rows_old"],
                ),
            }
            for what, group in self.lines.items()
        ]
        tiles = [
            {
                "kind": kind,
                "bank": bank,
                "cards": self.figures.published(cards_of(("change", kind, bank))),
            }
            for bank in in_order(self.rows, lambda row: row, self._bank_shown)
            for kind in self.kinds
        ]
        return PublishedChanges(
            self.old_name,
            self.another_vault,
            finished(account),
            finished([one for one in account if one["what"] in _SHOWN]),
            finished(tiles) if tiles else pd.DataFrame(),
        )

    def _bank_shown(self, row: str | None) -> int | None:
        return None if row == OTHER else self.figures.published(cards_of(("bank", row)))

    def _people_of(
        self, lines: Mapping[str, Mapping[Any, Any]], old_people: Mapping[str, int]
    ) -> dict[str, int]:
        """Return for each line its customers, or a number that they certainly reach."""
        cards = {what: int(one["cards"]) for what, one in lines.items()}
        people = {
            what: 0 if is_missing(one["customers"]) else int(one["customers"])
            for what, one in lines.items()
        }
        people["changed"] = self.changed_people[None]
        elsewhere = cards["rows_new"] - cards["unchanged"]
        people["unchanged"] = max(0, self.figures.value(customers_of(ALL)) - elsewhere)
        people |= old_people
        people["rows_old"] = max(people[part] for part in _OLD_ROWS)
        people["rows_new"] = self.figures.value(customers_of(ALL))
        if cards_of(_REPEATED) in self.figures:
            people["repeated_new"] = self.figures.people(cards_of(_REPEATED))
        return people

    def _add_lines(self, lines: Mapping[str, Mapping[Any, Any]], people: Mapping[str, int]) -> None:
        for what, one in lines.items():
            cards = int(one["cards"])
            known = SAME.get(what)
            if known is not None and self.figures.holds(cards_of(known), cards):
                self.lines[what] = known
                continue
            group: Hashable = ("line", what)
            customers = None if is_missing(one["customers"]) else int(one["customers"])
            weight = _ROWS_WEIGHT if what == "rows_old" else _LINE_WEIGHT
            of = None if what in ("gone", "unknown_old", "unknown_new") else ALL
            add_group(
                self.figures,
                group,
                cards,
                people[what],
                shown=_KIND_WEIGHT if what in _SHOWN else weight,
                customers=customers,
                of=of,
            )
            if what == "gone" and customers_of(OLD) in self.figures:
                self.figures.rest(customers_of(OLD), [customers_of(group)])
            self.lines[what] = group
        for total, parts in (("rows_old", _OLD_ROWS), ("rows_new", _NEW_ROWS)):
            divide(self.figures, self.lines[total], [self.lines[part] for part in parts])
        further = cards_of(self.lines["repeated_new"])
        if cards_of(_REPEATED) in self.figures and self.figures.value(further):
            self.figures.rest(cards_of(_REPEATED), [further])
            self.figures.at_most(("rest", cards_of(_REPEATED), further), [further])

    def _add_several_kinds(self) -> None:
        """Add what follows from cards with several kinds of change being one changed card."""
        changed = cards_of(self.lines["changed"])
        kinds = [cards_of(self.lines[kind]) for kind in _CHANGED]
        for kind, key in zip(_CHANGED, kinds, strict=True):
            self.figures.rest(changed, [key], self.changed_people[kind])
        together = self.figures.add("all changes", sum(map(self.figures.value, kinds)))
        self.figures.total(together, kinds)
        self.figures.rest(together, [changed])
        one_expiry = self.figures.add(
            "expiry differs",
            sum(self.figures.value(cards_of(self.lines[kind])) for kind in _CHANGED[1:3]),
        )
        self.figures.total(one_expiry, kinds[1:3])
        self.figures.at_most(one_expiry, [changed])

    def _add_banks(
        self, counts: pd.DataFrame, alone: Sequence[str | None]
    ) -> tuple[list[str], list[str | None]]:
        """Add a cell for each kind and bank; return the kinds that occur, and the rows."""
        named = [bank for bank in alone if bank is not None][:MOST_BANKS]
        kept = [*named, *([None] if None in alone else [])]
        cells: dict[tuple[str, str | None], list[int]] = {}
        for kind, bank, cards, customers in zip(
            *(counts[name] for name in ("kind", "bank", "cards", "customers")), strict=True
        ):
            own = None if is_missing(bank) else str(bank)
            cell = cells.setdefault((str(kind), own if own in kept else OTHER), [0, 0])
            cell[0] += int(cards)
            cell[1] = max(cell[1], int(customers))
        kinds = [kind for kind in KINDS if any(kind == one for one, _ in cells)]
        rows = [row for row in (*named, OTHER, None) if any(row == bank for _, bank in cells)]
        for kind in kinds:
            for row in rows:
                cards, people = cells.get((kind, row), (0, 0))
                group = ("change", kind, row)
                add_group(self.figures, group, cards, people, shown=_TILE_WEIGHT)
            divide(self.figures, self.lines[kind], [("change", kind, row) for row in rows])
        for row in rows:
            bank, added = cards_of(("bank", row)), cards_of(("change", "added", row))
            if row != OTHER and bank in self.figures and added in self.figures:
                people = self.figures.people(bank) - self.figures.value(added)
                self.figures.rest(bank, [added], max(0, people))
        return kinds, rows


def _distinct(comparison: Comparison) -> dict[str | None, int]:
    """Return how many customers have changed cards: by kind, such cards without it; None: any."""
    events = to_table(comparison.events[["kind", "customer_id", "instrument_id"]])
    counts = "".join(f", count(DISTINCT customer_id) FILTER (NOT {kind})" for kind in _CHANGED)
    flags = "".join(f", bool_or(kind = '{kind}') AS {kind}" for kind in _CHANGED)
    with connection_to({}, {"events": events}) as connection:
        row = connection.execute(
            f"SELECT count(DISTINCT customer_id){counts} FROM (SELECT customer_id{flags}"  # noqa: S608  names are ours
            f" FROM events WHERE kind IN {_CHANGED} GROUP BY customer_id, instrument_id)"
        ).fetchone()
    return dict(zip((None, *_CHANGED), row or (), strict=True))
