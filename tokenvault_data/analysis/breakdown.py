"""Breakdowns: cards, customers and shares by the values of one or several columns."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tokenvault_data.analysis.cards.card_view import read_where
from tokenvault_data.analysis.cards.notes import VALID_THROUGH, filter_note
from tokenvault_data.analysis.cards.partial import finding_table
from tokenvault_data.analysis.cube.cube import count_cards, count_customers, cube_of
from tokenvault_data.dataset.derived_dimensions import EXPIRES_IN, TIME_ORDERED
from tokenvault_data.dataset.labels import ALL_GROUPS, OTHER, value_text
from tokenvault_data.dataset.today import day_of
from tokenvault_data.errors import UsageError
from tokenvault_data.text import counted, long_day, percent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tokenvault_data.analysis.cards.card_view import Where
    from tokenvault_data.analysis.cards.source import Source
    from tokenvault_data.analysis.cube.cells import Cells, Codes
    from tokenvault_data.analysis.cube.cube import Coded, Cube, Grouping
    from tokenvault_data.analysis.filters.filters import Predicate
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.frames import ArrowStream
    from tokenvault_data.dataset.tables import ResultTable


_LONGEST_NAME = 60
MOST_NAMED = 2
"""Leaders that a title names; it counts them where there are more."""


@dataclass(frozen=True, slots=True)
class BrokenDown:
    """What was broken down.

    Attributes
    ----------
    by : tuple of str
    cards, customers : int
        All that pass the filter.
    missing : tuple of int
        By column of `by`, the cards that have no value in it.
    most : int
        Cards of the largest group that has a value in each column of `by`.
    leaders : tuple of tuple
        Values, as text, of the groups of that size, the first few.
    leader_count : int
        How many groups are of that size.
    expired : int or None
        Cards that had expired, where the breakdown is by ``expires_in`` alone.
    condition : Predicate or None
        The filter.
    as_of : datetime.date
    """

    by: tuple[str, ...]
    cards: int
    customers: int
    missing: tuple[int, ...]
    most: int
    leaders: tuple[tuple[str, ...], ...]
    leader_count: int
    expired: int | None
    condition: Predicate | None
    as_of: date

    @property
    def as_of_matters(self) -> bool:
        """Whether another day could give other figures."""
        asked = self.condition.columns if self.condition is not None else frozenset()
        return "expires_in" in {*self.by, *asked}


def title_of(found: BrokenDown) -> str:
    """Return the finding of a breakdown in one line."""
    if not found.cards:
        return "There are no cards" if found.condition is None else "No card passes the filter"
    all_cards = counted(found.cards, "card")
    if found.expired is not None:
        share = percent(found.expired / found.cards)
        return f"{share} of {all_cards} had expired before {long_day(found.as_of)}"
    if not found.leader_count:
        return f"{' or '.join(found.by)} is missing for every one of {all_cards}"
    return _lead(found, f"{percent(found.most / found.cards)} of {all_cards}")


def notes_on(table: pa.Table, found: BrokenDown) -> list[str]:
    """Return what has to be known to read a breakdown, a sentence each."""
    cards, customers = counted(found.cards, "card"), counted(found.customers, "customer")
    notes = [f"{cards} of {customers} in all.", *filter_note(found.condition)]
    notes += [
        f"{counted(missing, 'card has', 'cards have')} no {column}."
        for column, missing in zip(found.by, found.missing, strict=True)
        if missing
    ]
    if sum(table["customers"].to_pylist()) > found.customers:
        notes.append("A customer counts in each row that holds a card of theirs.")
    if found.as_of_matters:
        notes.append(f"expires_in counts from {long_day(found.as_of)}. {VALID_THROUGH}")
    return notes


def _lead(found: BrokenDown, share: str) -> str:
    leaders = [", ".join(map(_shown, leader)) for leader in found.leaders]
    if found.leader_count > MOST_NAMED:
        return f"{found.leader_count:,} groups lead with {share} each"
    if found.leader_count > 1:
        return f"{' and '.join(leaders)} lead with {share} each"
    if len(found.by) == 1 and found.by[0] in TIME_ORDERED:
        return f"{found.by[0]} {leaders[0]} has the most cards, {share}"
    return f"{leaders[0]} leads with {share}"


def _shown(value: str) -> str:
    """Return a value as part of one line, whatever the vault sent as the name of a bank."""
    text = "".join(sign if sign.isprintable() else " " for sign in value)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


def breakdown(
    source: ArrowStream | Source | Cube,
    by: str | Sequence[str],
    *,
    where: Where = None,
    top: int | None = None,
    as_of: date | str | None = None,
    banks: BankNames | None = None,
) -> ResultTable:
    """Count cards and customers by the values of one or several columns.

    Parameters
    ----------
    source : Snapshot, Cube, or object with ``__arrow_c_stream__``
    by : str or sequence of str
        Low-cardinality columns of the instruments, ``expiry_year``, ``expiry_month``,
        ``expires_on``, or derived ones: ``bank`` (one name for all spellings of a bank),
        ``expiry`` (month, ``YYYY-MM``), ``expires_in`` (``expired``, ``0-30 days``,
        ``31-60 days``, ``61-90 days``, ``later``).
    where : Predicate, mapping, str or sequence of str, optional
        Only cards for which it is true: a condition, its ``to_dict`` form, or one or several as
        typed, ``"card_network=visa,mastercard"``, of which all have to be true.
    top : int, optional
        Only so many of the largest groups, and one row ``(other)`` for the rest of them. The
        columns `by` are text then, and a value that reads like a label of ours, such as a bank
        that is really called ``(other)``, is in double quotes.
    as_of : date or str, optional
        The day that ``expires_in`` counts from; today in India when not given.
    banks : BankNames, optional
        Names of banks; those of the package when not given.

    Returns
    -------
    ResultTable
        The columns `by`, null where the value is missing; ``cards`` (int64); ``customers`` (int64,
        distinct: who has cards in two groups counts in both, in ``(other)`` once); ``share`` (of
        the cards that pass `where`, 0 to 1). Largest first, equals in the order of their values,
        missing last; a single column of time in its own order, missing last. The cards add up to
        all that pass `where`.

    Raises
    ------
    UsageError
        A column is not one that cards are counted by, or a parameter is no such thing.
    """
    names = _names(by)
    if not names:
        raise UsageError("No column was named to break down by; nothing was counted; name one.")
    if top is not None and (not isinstance(top, Integral) or top < 1):
        raise UsageError(f"{top!r} is no number of groups; nothing was counted; give 1 or more.")
    condition, day = read_where(where), day_of(as_of)
    cube = cube_of(source)
    dimensions, grouping = cube.grouped(names, condition, banks=banks, as_of=day)
    cards = count_cards(cube.cells, grouping)
    found = _found(cube.cells, dimensions, grouping, cards, condition=condition, as_of=day)

    ranks = [
        np.where(codes == 0, len(one.values) + 1, codes)
        for one, codes in zip(dimensions, grouping.keys, strict=True)
    ]
    largest_first = np.lexsort((*reversed(ranks), -cards))
    shown = largest_first[:top]
    if len(names) == 1 and names[0] in TIME_ORDERED:
        shown = shown[np.argsort(ranks[0][shown])]
    columns = [
        _values(one, codes[shown], as_text=top is not None)
        for one, codes in zip(dimensions, grouping.keys, strict=True)
    ]
    if len(shown) < grouping.count:
        columns = [pa.concat_arrays([column, pa.array([OTHER])]) for column in columns]
        grouping = _others_merged(grouping, shown)
        cards = count_cards(cube.cells, grouping)
        shown = np.arange(grouping.count)
    cards, customers = cards[shown], count_customers(cube.cells, grouping)[shown]
    counted = pa.table(
        [*columns, cards, customers, cards / max(found.cards, 1)],
        names=[*names, "cards", "customers", "share"],
    )
    table = finding_table(
        counted, *cube.sources, title=title_of(found), notes=notes_on(counted, found)
    )
    table.attrs[ALL_GROUPS] = top is None
    return table


def _names(by: object) -> list[str]:
    try:
        names = [by] if isinstance(by, str) else list(by)  # type: ignore[call-overload]  # tried
    except TypeError:
        names = [by]
    for name in names:
        if not isinstance(name, str):
            raise UsageError(
                f"{name!r} is no column; nothing was counted; name one, or a list of them."
            )
    return names


def _found(
    cells: Cells,
    dimensions: list[Coded],
    grouping: Grouping,
    cards: Codes,
    *,
    condition: Predicate | None,
    as_of: date,
) -> BrokenDown:
    """Return what the title and the notes say, of all groups whether they are shown or not."""
    everything = grouping.merged(np.zeros(grouping.count, np.int64), 1)
    known = np.logical_and.reduce([codes > 0 for codes in grouping.keys])
    most = int(cards[known].max(initial=0))
    leaders = np.flatnonzero(known & (cards == most))
    named = [
        _values(one, codes[leaders[:MOST_NAMED]], as_text=True).to_pylist()
        for one, codes in zip(dimensions, grouping.keys, strict=True)
    ]
    names = tuple(one.name for one in dimensions)
    expired = None
    if names == ("expires_in",):
        expired = int(cards[_equals(dimensions[0], grouping.keys[0], EXPIRES_IN[0])].sum())
    return BrokenDown(
        by=names,
        cards=int(cards.sum()),
        customers=int(count_customers(cells, everything)[0]),
        missing=tuple(int(cards[codes == 0].sum()) for codes in grouping.keys),
        most=most,
        leaders=tuple(zip(*named, strict=True)),
        leader_count=len(leaders),
        expired=expired,
        condition=condition,
        as_of=as_of,
    )


def _equals(dimension: Coded, codes: Codes, value: str) -> Codes:
    values = dimension.values.to_pylist()
    equal: Codes = codes == (values.index(value) + 1 if value in values else -1)
    return equal


def _values(dimension: Coded, codes: Codes, *, as_text: bool) -> pa.Array:
    values = dimension.decoded(codes)
    if not as_text:
        return values
    texts = values.cast(pa.string()).to_pylist()
    return pa.array([None if one is None else value_text(one) for one in texts], pa.string())


def _others_merged(grouping: Grouping, shown: Codes) -> Grouping:
    """Return the groups that are shown, in their order, and behind them all others as one."""
    place = np.full(grouping.count, len(shown), np.int64)
    place[shown] = np.arange(len(shown))
    return grouping.merged(place, len(shown) + 1)
