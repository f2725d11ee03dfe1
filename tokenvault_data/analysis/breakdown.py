"""Breakdowns: cards, customers and shares by the values of one or several columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tokenvault_data.analysis.breakdown_wording import MOST_NAMED, BrokenDown, notes_on, title_of
from tokenvault_data.analysis.cards.card_view import read_where
from tokenvault_data.analysis.cards.partial import finding_table
from tokenvault_data.analysis.cube.counts import count_cards, count_customers
from tokenvault_data.analysis.cube.cube import cube_of
from tokenvault_data.dataset.derived_dimensions import EXPIRES_IN, TIME_ORDERED
from tokenvault_data.dataset.labels import ALL_GROUPS, OTHER, value_text
from tokenvault_data.dataset.today import day_of
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tokenvault_data.analysis.cards.card_view import Where
    from tokenvault_data.analysis.cards.source import ArrowStream, Source
    from tokenvault_data.analysis.cube.cells import Cells, Codes
    from tokenvault_data.analysis.cube.counts import Coded, Grouping
    from tokenvault_data.analysis.cube.cube import Cube
    from tokenvault_data.analysis.filters.filters import Predicate
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.tables import ResultTable


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
    names = [by] if isinstance(by, str) else list(by)
    if not names:
        raise UsageError("No column was named to break down by; nothing was counted; name one.")
    if top is not None and top < 1:
        raise UsageError(f"{top} is no number of groups; nothing was counted; give 1 or more.")
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
