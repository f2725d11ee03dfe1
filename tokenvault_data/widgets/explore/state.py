"""What an explorer shows, without the page: bars under each other's filters, and the filter itself.

All figures come from the cube of a snapshot, so none costs a look at the rows, and none is from a
sample. A bar stands for one value of a dimension; of the expiry, the months around today have one
each, and what lies far before or behind them shares one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.analysis.cards.dates import months_later
from tokenvault_data.analysis.cube.crossfilter import DEFAULT_DIMENSIONS, EXPIRY, CrossFilter
from tokenvault_data.analysis.cube.cube import cube_of
from tokenvault_data.analysis.filters.parsing import typed
from tokenvault_data.dataset.labels import value_text
from tokenvault_data.dataset.today import day_of
from tokenvault_data.errors import UsageError
from tokenvault_data.reports.labels import month_name, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from tokenvault_data.analysis.cube.cube import Cube
    from tokenvault_data.analysis.filters.filters import Predicate
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.frames import ArrowStream

TITLES: Final = {
    "card_network": "Network",
    "bank": "Bank",
    "card_bank": "Bank as spelled",
    "card_type": "Type",
    "card_sub_type": "Sub-type",
    "card_country": "Country",
    "instrument_status": "Status",
    "expires_in": "Time to expiry",
    EXPIRY: "Expiry month",
}

_MONTHS_BACK: Final = 48
_MONTHS_AHEAD: Final = 120


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes
    ----------
    label : str
        As people say the value.
    values : tuple
        The values it stands for: one, or the months of one end of time, or None for missing.
    ends : tuple of two, or None
        First and last month as a range, an open end None; None for what is no stretch of time.
    is_past : bool
        Whether it lies before the month of today.
    """

    label: str
    values: tuple[object, ...]
    ends: tuple[str | None, str | None] | None = None
    is_past: bool = False


class Exploration:
    """A snapshot under filters, and another one beside it under the same.

    Parameters
    ----------
    source : Snapshot, Cube, or object with ``__arrow_c_stream__``
    against : the same, optional
        What to compare with.
    filters : mapping, optional
        By dimension a list of values, None for missing, or ``{"from": month, "through": month}``
        for the expiry; as `filters` gives them back.
    dimensions : sequence of str, optional
        Network, bank, type, country, status and expiry when not given.
    as_of : date or str, optional
        What counts as today; today in India when not given.
    banks : BankNames, optional
        Names of banks; those of the package when not given.

    Raises
    ------
    UsageError
        A dimension or a filter is none.
    """

    def __init__(
        self,
        source: ArrowStream | Cube,
        *,
        against: ArrowStream | Cube | None = None,
        filters: Mapping[str, object] | None = None,
        dimensions: Sequence[str] = DEFAULT_DIMENSIONS,
        as_of: date | str | None = None,
        banks: BankNames | None = None,
    ) -> None:
        self.as_of = day_of(as_of)
        self._banks = banks
        self._dimensions = tuple(dimensions)
        self._cube = cube_of(source)
        self._counted = self._crossfilter(self._cube)
        self._against: CrossFilter | None = None
        self._filters: dict[str, Any] = {}
        self._lay_out(against)
        for dimension, wanted in (filters or {}).items():
            self.set(dimension, wanted)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What there are bars of, in their order."""
        return self._dimensions

    @property
    def bars(self) -> dict[str, list[Bar]]:
        """The bars of each dimension: most cards first, time in its order, missing last."""
        return self._bars

    @property
    def cards(self) -> int:
        """All cards of the snapshot."""
        return self._cube.cards

    @property
    def total(self) -> int:
        """Cards that pass all filters."""
        return self._counted.total

    @property
    def total_before(self) -> int | None:
        """Cards of the other snapshot that pass them; None without one."""
        return None if self._against is None else self._against.total

    @property
    def filters(self) -> dict[str, Any]:
        """All filters as data that JSON can hold, in the order of the dimensions."""
        return {name: self._filters[name] for name in self._dimensions if name in self._filters}

    @property
    def predicate(self) -> Predicate:
        """All filters as one condition."""
        return self._counted.predicate()

    @property
    def sentence(self) -> str:
        """The filter as people say it."""
        return self.predicate.sentence()

    @property
    def conditions(self) -> list[str]:
        """The filter as it is typed, for ``where=`` and ``--where``; empty without one."""
        return typed(self.predicate)

    def compare_with(self, against: ArrowStream | Cube | None) -> None:
        """Put another snapshot beside, under the same filters, or none."""
        filters = dict(self._filters)
        self._lay_out(against)
        self._filters = {}
        for dimension, wanted in filters.items():
            self.set(dimension, wanted)

    def choose(self, dimension: str, places: Sequence[int]) -> None:
        """Filter on the bars at these places of a dimension, in place of its filter; none: on all.

        Months without a gap become a range, which also holds months that no card has.
        """
        chosen = [self._bars[dimension][place] for place in sorted(set(places))]
        if not chosen:
            self.set(dimension, None)
            return
        in_a_row = sorted(set(places)) == list(range(min(places), max(places) + 1))
        ends = [bar.ends for bar in chosen]
        if in_a_row and all(end is not None for end in ends):
            first, last = ends[0], ends[-1]
            self.set(dimension, {"from": first and first[0], "through": last and last[1]})
        else:
            self.set(dimension, [value for bar in chosen for value in bar.values])

    def chosen(self, dimension: str) -> list[int]:
        """Return the places of the bars that a dimension is filtered on; empty without a filter."""
        wanted = self._filters.get(dimension)
        if wanted is None:
            return []
        return [place for place, bar in enumerate(self._bars[dimension]) if _keeps(wanted, bar)]

    def counts(self) -> dict[str, list[int]]:
        """Return by dimension the cards of each bar under the filters of all other dimensions."""
        return self._by_bar(self._counted)

    def counts_before(self) -> dict[str, list[int]]:
        """Return the same of the other snapshot; empty lists without one."""
        if self._against is None:
            return {name: [] for name in self._dimensions}
        return self._by_bar(self._against)

    def customers_counter(self) -> Callable[[], int]:
        """Return what counts the distinct customers of the cards that pass.

        It takes 0.2 to 0.5 s of ten million cards, and may run while filters change: what it
        counts was settled when it was asked for.
        """
        where = self.predicate if self._filters else None

        def count() -> int:
            counted = self._cube.counts([], where, banks=self._banks, as_of=self.as_of)
            return int(counted["customers"][0].as_py())

        return count

    def _crossfilter(self, cube: Cube) -> CrossFilter:
        return CrossFilter(cube, self._dimensions, banks=self._banks, as_of=self.as_of)

    def _lay_out(self, against: ArrowStream | Cube | None) -> None:
        """Make the bars: of all values that either snapshot has, most cards first."""
        self._against = None if against is None else self._crossfilter(cube_of(against))
        for name in self._dimensions:
            self._counted.set(name, None)
        found = self._counted.counts()
        other = {} if self._against is None else self._against.counts()
        self._bars = {}
        for name in self._dimensions:
            cards = dict(zip(*found[name], strict=True))
            known = [
                *cards,
                *(value for value in other.get(name, ([], []))[0] if value not in cards),
            ]
            present = [value for value in known if value is not None]
            if name == EXPIRY:
                bars = _months([str(value) for value in present], self.as_of)
            elif name == "expires_in":
                bars = [Bar(str(value), (value,)) for value in present]
            else:
                present.sort(key=lambda value: (-int(cards.get(value, 0)), str(value)))
                bars = [Bar(_label(name, value), (value,)) for value in present]
            if None in known:
                bars.append(Bar(name_of(name, None), (None,)))
            self._bars[name] = bars

    def set(self, dimension: str, wanted: object) -> None:
        """Filter on a dimension, in place of its filter.

        Parameters
        ----------
        dimension : str
        wanted : list, range or None
            A list of values, ``{"from": month, "through": month}``, or None for all.

        Raises
        ------
        UsageError
            There is no such dimension, or `wanted` is none of these.
        """
        if isinstance(wanted, dict):
            if set(wanted) != {"from", "through"}:
                raise UsageError(
                    f"The filter on {dimension} is no range; nothing was filtered; give"
                    " {'from': month, 'through': month}, or a list of values."
                )
            self._filter(dimension, (wanted["from"], wanted["through"]))
        else:
            self._filter(dimension, wanted)
        if wanted is None:
            self._filters.pop(dimension, None)
        else:
            self._filters[dimension] = wanted

    def _filter(self, dimension: str, values: object) -> None:
        self._counted.set(dimension, values)
        if self._against is not None:
            self._against.set(dimension, values)

    def _by_bar(self, counted: CrossFilter) -> dict[str, list[int]]:
        by_bar = {}
        for name, (values, cards) in counted.counts().items():
            by_value = dict(zip(values, cards.tolist(), strict=True))
            by_bar[name] = [
                sum(by_value.get(value, 0) for value in bar.values) for bar in self._bars[name]
            ]
        return by_bar


def _label(name: str, value: object) -> str:
    label = name_of(name, value_text(str(value)))
    return label.capitalize() if name == "card_type" and label.islower() else label


def _keeps(wanted: Any, bar: Bar) -> bool:
    if not isinstance(wanted, dict):
        return bool(bar.values) and all(value in wanted for value in bar.values)
    if bar.ends is None:
        return False
    (first, last), (start, end) = bar.ends, (wanted["from"], wanted["through"])
    begins = start is None or (first is not None and first >= start)
    return begins and (end is None or (last is not None and last <= end))


def _months(known: list[str], as_of: date) -> list[Bar]:
    """Return a bar for each month from the first to the last, the far ends of time in one each."""
    if not known:
        return []
    today = f"{as_of:%Y-%m}"
    earliest = f"{months_later(as_of, -_MONTHS_BACK):%Y-%m}"
    latest = f"{months_later(as_of, _MONTHS_AHEAD):%Y-%m}"
    near = [month for month in known if earliest <= month <= latest]
    before = tuple(month for month in known if month < earliest)
    after = tuple(month for month in known if month > latest)
    between = [_bar(month, today) for month in _all_months(near[0], near[-1])] if near else []
    bars: list[Bar] = []
    if before:
        bars.append(
            Bar(f"{month_name(before[-1])} and before", before, (None, before[-1]), is_past=True)
        )
    bars += between
    if after:
        bars.append(Bar(f"{month_name(after[0])} and after", after, (after[0], None)))
    return bars


def _bar(month: str, today: str) -> Bar:
    return Bar(month_name(month), (month,), (month, month), is_past=month < today)


def _all_months(first: str, last: str) -> list[str]:
    start, end = (12 * int(month[:4]) + int(month[5:]) - 1 for month in (first, last))
    return [f"{at // 12:04d}-{at % 12 + 1:02d}" for at in range(start, end + 1)]
