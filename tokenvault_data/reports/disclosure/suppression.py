"""The rule of small groups: which figures of a page may be published, all of them decided together.

A page is a system of whole numbers that are not negative. Some are figures that it shows, others
follow from these, because a reader knows what makes up what. A number is small when it is about at
least one customer and fewer than the smallest cell. No small number is published, and the published
ones have to leave each small number in doubt: at least `smallest_cell` values of it must be
possible, and one of them must be no small one. No figure that is 0 is hidden: a reader knows that
what is hidden is not 0.

The first numbers hidden are called primary suppression, those hidden to protect them secondary, as
in the *Handbook on Statistical Disclosure Control* (Hundepool and others), chapter 4. The proof is
one by example: for every small number the audit holds two other sets of numbers, whole and checked
exactly, that would have given the same page. A linear solver only finds them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from tokenvault_data.errors import UsageError
from tokenvault_data.reports.charts.rendered import missing_part

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from highspy._core import _Highs

SMALLEST_CELL: Final = 5
"""Customers a published group has at least, where nothing else is asked for."""

NEVER_BEFORE: Final = 1000.0
"""Weight of figures that are hidden only where nothing else helps, such as totals of the page."""

_ROUNDING: Final = 1e-6
_MOST_NODES: Final = 500  # of one search for whole numbers; pages need none or a few


def check_smallest_cell(smallest_cell: int) -> int:
    """Return `smallest_cell`, or raise UsageError when it is not a whole number from 1."""
    if type(smallest_cell) is not int or smallest_cell < 1:
        raise UsageError(
            f"{smallest_cell!r} is not a valid smallest cell; nothing was written; give a whole"
            " number of customers from 1."
        )
    return smallest_cell


@dataclass(slots=True)
class _Number:
    value: int
    people: int
    weight: float | None
    with_: Hashable | None
    least: int


@dataclass(frozen=True, slots=True)
class _Relation:
    """That `total` is the sum of `parts`, or at most that."""

    total: Hashable
    parts: tuple[Hashable, ...]
    is_equal: bool


@dataclass(slots=True)
class Figures:
    """The register of a page's numbers, and the one door through which they reach it.

    Numbers and what is known of them are added; `protect` decides; afterwards `published` gives
    the value of a number, or None where it must not be said.

    Attributes
    ----------
    smallest_cell : int
        Customers.
    untrue : list
        What was said of the numbers and is not so, as of a table whose dates of expiry are not the
        ends of months; nobody can work anything out by it.
    """

    smallest_cell: int = SMALLEST_CELL
    _numbers: dict[Hashable, _Number] = field(default_factory=dict)
    _relations: list[_Relation] = field(default_factory=list)
    untrue: list[_Relation] = field(default_factory=list)
    _hidden: set[Hashable] | None = None

    def add(
        self,
        key: Hashable,
        value: int,
        people: int | None = None,
        *,
        shown: float | None = None,
        beside: Hashable | None = None,
        least: int = 0,
    ) -> Hashable:
        """Add a number and return its key.

        Parameters
        ----------
        key : hashable
        value : int
            From 0.
        people : int, optional
            Customers that it is about, or a number that they certainly reach; `value` when not
            given, which is right for a number of customers.
        shown : float, optional
            Weight of a figure of the page, larger for those that are missed more; not given for a
            number that the page does not show, and that may follow from those it shows.
        beside : hashable, optional
            A figure without which this one is not shown either, unless it is 0.
        least : int
            What the page says of it even where it is hidden: that it is no smaller than this.
        """
        if key in self._numbers:
            raise KeyError(key)
        certain = value if people is None else max(people, min(value, 1))
        self._numbers[key] = _Number(value, certain, shown, beside, least)
        return key

    def show(self, key: Hashable, weight: float) -> None:
        """Make a number that is known already a figure of the page, if it is not one."""
        number = self._numbers[key]
        number.weight = weight if number.weight is None else number.weight

    def total(self, total: Hashable, parts: Iterable[Hashable]) -> None:
        """Say that a number is the sum of others."""
        self._relate(total, parts, is_equal=True)

    def at_most(self, number: Hashable, bounds: Iterable[Hashable]) -> None:
        """Say that a number is no larger than the sum of others."""
        self._relate(number, bounds, is_equal=False)

    def rest(self, total: Hashable, parts: Sequence[Hashable], people: int | None = None) -> None:
        """Add what is in a total and in none of its parts, as a number that follows from them."""
        value = max(0, self.value(total) - sum(map(self.value, parts)))
        key = self.add(("rest", total, *parts), value, people)
        self.total(total, [*parts, key])

    def value(self, key: Hashable) -> int:
        """Return a number itself: for what is still to be decided upon, never for the page."""
        return self._numbers[key].value

    def people(self, key: Hashable) -> int:
        """Return how many customers a number is certainly about."""
        return self._numbers[key].people

    def holds(self, key: Hashable, value: int) -> bool:
        """Return whether a number is known and is this one."""
        return key in self._numbers and self._numbers[key].value == value

    def __contains__(self, key: object) -> bool:
        return key in self._numbers

    def published(self, key: Hashable) -> int | None:
        """Return the value of a figure, None where it is hidden.

        Raises
        ------
        KeyError
            It was not added as a figure of the page, or nothing has been decided yet.
        """
        number = self._numbers[key]
        if self._hidden is None or number.weight is None:
            raise KeyError(key)
        return None if key in self._hidden else number.value

    @property
    def all_published(self) -> dict[Hashable, int]:
        """Every figure that the page may show, by its key."""
        values = {key: self.published(key) for key in self._figures()}
        return {key: value for key, value in values.items() if value is not None}

    @property
    def hidden_count(self) -> int:
        """How many figures are hidden."""
        return len(self._figures()) - len(self.all_published)

    def _figures(self) -> list[Hashable]:
        return [key for key, one in self._numbers.items() if one.weight is not None]

    def protect(self) -> None:
        """Decide which figures are published."""
        audit = _Audit(self._numbers, self._relations, self.smallest_cell)
        self._hidden = audit.hide()

    def _relate(self, total: Hashable, parts: Iterable[Hashable], *, is_equal: bool) -> None:
        relation = _Relation(total, tuple(parts), is_equal)
        known = sum(self.value(part) for part in relation.parts)
        fits = self.value(total) == known if is_equal else self.value(total) <= known
        (self._relations if fits else self.untrue).append(relation)


class _Audit:
    """What a reader could work out, and what has to be hidden so that it is not.

    Everything is reckoned in differences from the true numbers: those of published figures are 0,
    and another set of differences is another vault that gives the same page.
    """

    def __init__(
        self, numbers: dict[Hashable, _Number], relations: Sequence[_Relation], smallest: int
    ) -> None:
        self.keys = list(numbers)
        self.place = {key: at for at, key in enumerate(self.keys)}
        self.numbers = [numbers[key] for key in self.keys]
        self.smallest = smallest
        self.values = np.array([one.value for one in self.numbers], np.int64)
        self.is_figure = np.array([one.weight is not None for one in self.numbers], bool)
        self.is_small = np.array(
            [one.value > 0 and one.people < smallest for one in self.numbers], bool
        )
        self.known_least = np.maximum(
            self.is_figure & (self.values > 0), [one.least for one in self.numbers]
        )
        self.beside: dict[int, list[int]] = {}
        for at, one in enumerate(self.numbers):
            if one.with_ is not None:
                self.beside.setdefault(self.place[one.with_], []).append(at)
        self.relations = [
            (self.place[one.total], np.array([self.place[part] for part in one.parts]), one)
            for one in relations
        ]
        self.reach = 4 * smallest + 16  # far enough to put a number in doubt
        self.is_hidden = ~self.is_figure
        self._keep([])
        self.matrix, self.slack = self._matrix()
        self.solver = self._solver()

    def hide(self) -> set[Hashable]:
        for at in np.flatnonzero(self.is_small & self.is_figure):
            self._hide(int(at))
        while True:
            helpers = self._helpers()
            if not helpers:
                break
            if not any(helpers):
                break  # all is hidden, and zeros alone tell what they tell
            for choice in filter(None, helpers):  # one choice often helps several numbers
                if not any(self.is_hidden[at] for at in choice):
                    self._hide(self._cheapest(choice, helpers))
        self._show_again()
        return {self.keys[at] for at in np.flatnonzero(self.is_hidden & self.is_figure)}

    def _show_again(self) -> None:
        """Publish what need not have been hidden, the figures that are missed most first."""
        hidden = np.flatnonzero(self.is_hidden & self.is_figure & ~self.is_small)
        for at in sorted(map(int, hidden), key=lambda at: (-self._weight(at), -self.values[at])):
            owner = self.numbers[at].with_
            if owner is not None and self.is_hidden[self.place[owner]]:
                continue
            others = self.others
            self._set_hidden(at, hidden=False)
            self._keep([one for one in others if not one[at]])
            if not self._is_safe():
                self._set_hidden(at, hidden=True)
                self._keep(others)

    def _is_safe(self) -> bool:
        for at in map(int, np.flatnonzero(self.is_small)):
            for sign in (1, -1):
                if not self._is_in_doubt(at):
                    self._look_far(at, sign)
            if not self._is_in_doubt(at):
                return False
        return not self._lonely_sums()

    def _keep(self, others: list[np.ndarray]) -> None:
        """Take some of the vaults that were found for all that were."""
        self.others = others
        both_ends = np.array([np.zeros(len(self.keys), np.int64), *others])
        self.least, self.most = both_ends.min(axis=0), both_ends.max(axis=0)

    def _weight(self, at: int) -> float:
        return self.numbers[at].weight or 0.0

    def _helpers(self) -> list[list[int]]:
        """Return, for every number in too little doubt, the figures that give it away."""
        found = []
        for at in np.flatnonzero(self.is_small):
            told_by: set[int] = set()
            for sign in (1, -1):
                if not self._is_in_doubt(int(at)):
                    told_by |= self._look_far(int(at), sign)
            if not self._is_in_doubt(int(at)):
                found.append(self._hideable(told_by))
        return found or self._lonely_sums()

    def _is_in_doubt(self, at: int) -> bool:
        value = int(self.values[at])
        most, least = value + int(self.most[at]), value + int(self.least[at])
        return most >= self.smallest and most - least >= self.smallest - 1

    def _look_far(self, at: int, sign: int) -> set[int]:
        """Look for a vault with the same page and another number there; remember all its numbers.

        Returns the published figures that stand in the way of going further.
        """
        import highspy

        self.solver.changeColCost(at, -float(sign))
        self.solver.run()
        solution = self.solver.getSolution()
        found, duals = np.array(solution.col_value), np.array(solution.col_dual)
        if not self._remember(found) and np.abs(found - np.rint(found)).max() > _ROUNDING:
            count = len(self.keys)
            kinds = np.full(count, int(highspy.HighsVarType.kInteger), np.uint8)
            self.solver.changeColsIntegrality(count, np.arange(count, dtype=np.int32), kinds)
            self.solver.run()
            self._remember(np.array(self.solver.getSolution().col_value))
            kinds[:] = int(highspy.HighsVarType.kContinuous)
            self.solver.changeColsIntegrality(count, np.arange(count, dtype=np.int32), kinds)
        self.solver.changeColCost(at, 0.0)
        return {
            int(other)
            for other in np.flatnonzero(np.abs(duals) > _ROUNDING)
            if not self.is_hidden[other]
        }

    def _remember(self, found: np.ndarray) -> bool:
        """Take a solution for a proof, if it is one in whole numbers."""
        if len(found) != len(self.keys):  # the search was given up before it found any
            return False
        whole = np.rint(found).astype(np.int64)
        lower, upper = self._bounds()
        rows = self.matrix @ whole
        is_valid = bool(
            (np.abs(found - whole) <= _ROUNDING).all()
            and (lower <= whole).all()
            and (whole <= upper).all()
            and (rows <= self.slack).all()
            and (rows[self.is_equality] == 0).all()
        )
        if is_valid:
            self.others.append(whole)
            self.least, self.most = np.minimum(self.least, whole), np.maximum(self.most, whole)
        return is_valid

    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return how far each number may differ: a hidden figure is known not to be 0."""
        lowest = np.maximum(self.known_least - self.values, -self.reach)
        lower = np.where(self.is_hidden, lowest, 0)
        return lower, np.where(self.is_hidden, self.reach, 0)

    def _hideable(self, told_by: Iterable[int]) -> list[int]:
        """Return the figures that may be hidden: those that are not 0, of any if need be."""
        shown = np.flatnonzero(~self.is_hidden & (self.values > 0)).tolist()
        return [at for at in told_by if self.values[at]] or shown

    def _cheapest(self, choice: Sequence[int], helpers: Sequence[Sequence[int]]) -> int:
        def cost(at: int) -> tuple[float, float, str]:
            helped = sum(at in other for other in helpers)
            return self._weight(at) / helped, float(self.values[at]), str(self.keys[at])

        return min(choice, key=cost)

    def _lonely_sums(self) -> list[list[int]]:
        """Return what to hide where the hidden parts of a published total are one small group."""
        found = []
        for total, parts, one in self.relations:
            if not one.is_equal or self.is_hidden[total]:
                continue
            inside = [at for at in parts if self.is_hidden[at] and self.values[at]]
            outside = [at for at in parts if not self.is_hidden[at]]
            if not inside:
                continue
            certain = self.numbers[total].people - int(self.values[outside].sum())
            if max(certain, *(self.numbers[at].people for at in inside)) < self.smallest:
                found.append([at for at in outside if self.values[at]] or [total])
        return found

    def _hide(self, at: int) -> None:
        for one in (at, *self.beside.get(at, ())):
            if self.values[one]:  # a reader is told that what is hidden is not 0
                self._set_hidden(one, hidden=True)

    def _set_hidden(self, at: int, *, hidden: bool) -> None:
        self.is_hidden[at] = hidden
        lower, upper = self._bounds()
        self.solver.changeColBounds(at, float(lower[at]), float(upper[at]))

    def _matrix(self) -> tuple[np.ndarray, np.ndarray]:
        matrix = np.zeros((len(self.relations), len(self.keys)), np.int64)
        for row, (total, parts, _) in enumerate(self.relations):
            matrix[row, total] += 1
            np.subtract.at(matrix[row], parts, 1)
        self.is_equality = np.array([one.is_equal for *_, one in self.relations], bool)
        return matrix, -(matrix @ self.values)

    def _solver(self) -> _Highs:
        # Not highspy.Highs, which greets on stdout before it can be told to be silent.
        try:
            from highspy._core import _Highs
        except ImportError:
            raise missing_part() from None
        solver = _Highs()
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        # Nodes, not seconds: a slow machine hides the same. What is not proven safe is hidden.
        solver.setOptionValue("mip_max_nodes", _MOST_NODES)
        lower, upper = self._bounds()
        solver.addVars(len(self.keys), lower.astype(float), upper.astype(float))
        for row, equality in zip(self.matrix, self.is_equality, strict=True):
            at = np.flatnonzero(row)
            slack = float(-(row @ self.values))
            least = 0.0 if equality else -np.inf
            solver.addRow(least, slack, len(at), at.astype(np.int32), row[at].astype(float))
        return solver
