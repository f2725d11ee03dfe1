"""What a condition is, and the conditions made of others: all of them, any of them, not.

Conditions follow SQL's three-valued logic. A comparison with a missing value is neither true nor
false but unknown, the negation of unknown is unknown, and only rows for which the condition is
*true* are selected. So neither a condition nor its negation selects a card whose value is missing,
unless missing is asked for by name: ``IsIn("card_bank", (None,))``.

A condition is a value: immutable, compared by content, and right from the moment it exists. The
comparisons that all others are made of stand in `predicate_comparisons`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.analysis.filters.rows import check_columns, one_row
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_DEPTH: Final = 50
"""Conditions inside conditions, at most; more is no rule that somebody could have read."""

_Rows = TypeVar("_Rows", pa.Table, pa.RecordBatch)


class Predicate(ABC):
    """A condition on the cards of a table; ``&``, ``|`` and ``~`` combine conditions."""

    __slots__ = ()

    @property
    @abstractmethod
    def columns(self) -> frozenset[str]:
        """Names of the columns that the condition looks at."""

    @property
    @abstractmethod
    def depth(self) -> int:
        """How many conditions stand inside one another, 1 for a single comparison."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the condition as JSON can hold it; `predicate_from_dict` reads it back equal."""

    @abstractmethod
    def sentence(self) -> str:
        """Return the condition in English, missing values said as ``missing``.

        As the logic has it, "bank is not X" is not true of a card whose bank is missing.
        """

    def negated_sentence(self) -> str:
        """Return the opposite of the condition in English."""
        return f"not ({self.sentence()})"

    @abstractmethod
    def code(self) -> str:
        """Return Python that makes this condition from the names of the `predicate` module."""

    @abstractmethod
    def sql(self) -> str:
        """Return the condition as a DuckDB expression, in brackets: true, false, or null."""

    @abstractmethod
    def _truth(self, rows: pa.Table | pa.RecordBatch) -> Any:
        """Return one truth a row, null for unknown; the columns are known to be of their kinds."""

    @property
    def _joint(self) -> str | None:
        """The word that joins the sentence's parts, which decides where brackets have to be."""
        return None

    def mask(self, rows: pa.Table | pa.RecordBatch) -> Any:
        """Decide the condition for every row.

        Columns of dictionaries are decided once a distinct value, then looked up.

        Parameters
        ----------
        rows : pyarrow.Table or pyarrow.RecordBatch
            Holds at least `columns`.

        Returns
        -------
        pyarrow.BooleanArray or pyarrow.ChunkedArray
            Chunked for a table. Null where the answer is unknown: those rows are not selected.

        Raises
        ------
        UsageError
            As `check_against`.
        """
        self.check_against(rows.schema)
        truth = self._truth(rows)
        if isinstance(rows, pa.Table) and not isinstance(truth, pa.ChunkedArray):
            truth = pa.chunked_array([truth])
        return truth

    def selected(self, rows: _Rows) -> _Rows:
        """Return the rows for which the condition is true, in their order."""
        chosen: _Rows = rows.filter(self.mask(rows), null_selection_behavior="drop")
        return chosen

    def holds_for(self, row: Mapping[str, object]) -> bool:
        """Decide the condition for one card; the same code decides it as for a table.

        Parameters
        ----------
        row : mapping of str to object
            Holds at least `columns`: text, whole numbers, dates, instants with a zone, or None.

        Returns
        -------
        bool
            True only when the condition is true; unknown is False.

        Raises
        ------
        UsageError
            The row lacks a column, or holds something of another kind in it.
        """
        truth = self._truth(one_row(self.columns, row))
        return truth[0].as_py() is True

    def check_against(self, schema: pa.Schema) -> None:
        """Check that a table has the columns of the condition, each of its kind.

        Raises
        ------
        UsageError
            A column is missing, there twice, or of a type that the condition cannot be put to.
        """
        check_columns(self.columns, schema)

    def __and__(self, other: Predicate) -> Predicate:
        if not isinstance(other, Predicate):
            return NotImplemented
        return All((*_parts_of(self, All), *_parts_of(other, All)))

    def __or__(self, other: Predicate) -> Predicate:
        if not isinstance(other, Predicate):
            return NotImplemented
        return AnyOf((*_parts_of(self, AnyOf), *_parts_of(other, AnyOf)))

    def __invert__(self) -> Predicate:
        return Not(self)

    def __bool__(self) -> bool:
        # `a and b` would quietly be `b`, and select cards that `a` was meant to keep.
        raise TypeError("a condition is neither true nor false by itself: use &, | and ~")


class _Joined(Predicate):
    """Several conditions as one."""

    __slots__ = ()

    parts: tuple[Predicate, ...]
    _word: str
    _sign: str
    _key: str
    _of_nothing: bool

    def __post_init__(self) -> None:
        parts = tuple(_checked_parts(self.parts))
        object.__setattr__(self, "parts", parts)
        _check_depth(self)

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns of all parts."""
        return frozenset().union(*(part.columns for part in self.parts))

    @property
    def depth(self) -> int:
        """One more than the deepest part."""
        return 1 + max((part.depth for part in self.parts), default=0)

    @property
    def _joint(self) -> str | None:
        return self.parts[0]._joint if len(self.parts) == 1 else self._word  # noqa: SLF001 - kin

    def _truth(self, rows: pa.Table | pa.RecordBatch) -> Any:
        join = pc.and_kleene if self._word == "and" else pc.or_kleene
        truths = [part._truth(rows) for part in self.parts]  # noqa: SLF001 - kin
        if not truths:
            return pa.repeat(pa.scalar(self._of_nothing), rows.num_rows)
        return reduce(join, truths)

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"all": [...]}`` or ``{"any": [...]}``."""
        return {self._key: [part.to_dict() for part in self.parts]}

    def sentence(self) -> str:
        """Return the sentences of the parts, in brackets where and stands beside or."""
        if not self.parts:
            return "every card" if self._of_nothing else "no card"
        other = "or" if self._word == "and" else "and"
        return f" {self._word} ".join(
            f"({part.sentence()})"
            if part._joint == other and len(self.parts) > 1  # noqa: SLF001 - kin
            else part.sentence()
            for part in self.parts
        )

    def code(self) -> str:
        """Return the code of the parts joined by ``&`` or ``|`` where that makes the same."""
        # `&` merges one All into the next, so nested ones, like few parts, are spelled out.
        if len(self.parts) < 2 or any(isinstance(part, type(self)) for part in self.parts):
            inside = ", ".join(part.code() for part in self.parts)
            return f"{type(self).__name__}(({inside}{',' if len(self.parts) == 1 else ''}))"
        return f" {self._sign} ".join(_code_inside(part) for part in self.parts)

    def sql(self) -> str:
        """Return the expressions of the parts joined by AND or OR."""
        if not self.parts:
            return "TRUE" if self._of_nothing else "FALSE"
        return f"({f' {self._word.upper()} '.join(part.sql() for part in self.parts)})"


@dataclass(frozen=True, slots=True)
class All(_Joined):
    """Every part is true; of no parts: true of every card.

    Attributes
    ----------
    parts : tuple of Predicate
    """

    parts: tuple[Predicate, ...]
    _word, _sign, _key, _of_nothing = "and", "&", "all", True


@dataclass(frozen=True, slots=True)
class AnyOf(_Joined):
    """At least one part is true; of no parts: true of no card.

    Attributes
    ----------
    parts : tuple of Predicate
    """

    parts: tuple[Predicate, ...]
    _word, _sign, _key, _of_nothing = "or", "|", "any", False


@dataclass(frozen=True, slots=True)
class Not(Predicate):
    """The part is false; unknown where the part is unknown.

    Attributes
    ----------
    part : Predicate
    """

    part: Predicate

    def __post_init__(self) -> None:
        _checked_parts((self.part,))
        _check_depth(self)

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns of the part."""
        return self.part.columns

    @property
    def depth(self) -> int:
        """One more than the part."""
        return 1 + self.part.depth

    def _truth(self, rows: pa.Table | pa.RecordBatch) -> Any:
        return pc.invert(self.part._truth(rows))  # noqa: SLF001 - kin

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"not": {...}}``."""
        return {"not": self.part.to_dict()}

    def sentence(self) -> str:
        """Return e.g. ``bank is not HDFC Bank`` or ``not (expires before 1 May 2026)``."""
        return self.part.negated_sentence()

    def code(self) -> str:
        """Return the part's code behind ``~``."""
        return f"~{_code_inside(self.part)}"

    def sql(self) -> str:
        """Return the part's expression behind NOT."""
        return f"(NOT {self.part.sql()})"


def _parts_of(predicate: Predicate, kind: type[All | AnyOf]) -> tuple[Predicate, ...]:
    return predicate.parts if isinstance(predicate, kind) else (predicate,)


def _checked_parts(parts: Iterable[Predicate]) -> Iterable[Predicate]:
    if isinstance(parts, Predicate) or not all(isinstance(part, Predicate) for part in parts):
        raise UsageError(
            "Something was combined with a condition that is none; nothing was selected; give the "
            "conditions as a tuple."
        )
    return parts


def _check_depth(predicate: Predicate) -> None:
    if predicate.depth > MAX_DEPTH:
        raise UsageError(
            f"More than {MAX_DEPTH} conditions stand inside one another; nothing was selected; "
            "write the rule flatter."
        )


def _code_inside(part: Predicate) -> str:
    """Return code that stays together between operators."""
    code = part.code()
    operators = isinstance(part, _Joined) and not code.startswith(f"{type(part).__name__}((")
    return f"({code})" if operators else code
