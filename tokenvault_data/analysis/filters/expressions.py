"""What a condition is, and the conditions made of others: all of them, any of them, not.

Conditions follow SQL's three-valued logic. A comparison with a missing value is neither true nor
false but unknown, the negation of unknown is unknown, and only rows for which the condition is
*true* are selected. So neither a condition nor its negation selects a card whose value is missing,
unless missing is asked for by name: ``IsIn("card_bank", (None,))``.

A condition is a value: immutable, compared by content, and right from the moment it exists.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.analysis.filters import literals
from tokenvault_data.analysis.filters.columns import (
    ARROW_TYPES,
    ColumnKind,
    Value,
    close_matches,
    kind_of,
    kind_of_type,
    shown,
    sort_key,
    value_for,
)
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


Operator = Literal["<", "<=", ">", ">="]

OPERATORS: Final = ("<", "<=", ">", ">=")
"""The ways in which two values can be compared by order."""

_ORDERS: Final = dict(
    zip(OPERATORS, (pc.less, pc.less_equal, pc.greater, pc.greater_equal), strict=True)
)


def membership(column: Any, kind: ColumnKind, members: Iterable[Value]) -> Any:
    """Return for each value of a column whether it is among `members`; null for a missing one."""

    def decide(array: pa.Array) -> pa.Array:
        array = _comparable(array, kind)
        found = pc.is_in(array, value_set=pa.array(members, array.type))
        return pc.if_else(pc.is_valid(array), found, pa.scalar(None, pa.bool_()))

    return _decided(column, decide)


def order(column: Any, kind: ColumnKind, operator: Operator, value: Value) -> Any:
    """Return for each value of a column whether it stands so to `value`; null for a missing one."""

    def decide(array: pa.Array) -> pa.Array:
        array = _comparable(array, kind)
        return _ORDERS[operator](array, pa.scalar(value, array.type))

    return _decided(column, decide)


def check_columns(columns: Iterable[str], schema: pa.Schema) -> None:
    """Check that a table has each of these columns once, of its kind.

    Raises
    ------
    UsageError
        It has not.
    """
    for column in sorted(columns):
        count = len(schema.get_all_field_indices(column))
        if count != 1:
            what = "no column" if count == 0 else f"{count} columns named"
            hint = close_matches(column, schema.names) if count == 0 else ""
            raise UsageError(
                f"The table has {what} {column}; nothing was selected"
                f"{hint or '; use a table that has it once.'}"
            )
        found = schema.field(column).type
        if kind_of_type(found) is not kind_of(column) and not pa.types.is_null(found):
            raise UsageError(
                f"{column} of the table holds {found}, not {kind_of(column)}; nothing was "
                "selected; use the instruments table, or cast the column."
            )


def one_row(columns: Iterable[str], row: Mapping[str, object]) -> pa.RecordBatch:
    """Return the cells of one card as a batch of one row.

    Raises
    ------
    UsageError
        The row lacks a column, or holds something of another kind in it.
    """
    cells = {}
    for column in sorted(columns):
        if column not in row:
            raise UsageError(
                f"The row has no {column}; nothing was decided about it; a condition on it needs "
                "the column, with None where the value is missing."
            )
        _check_cell(column, row[column])
        try:
            cells[column] = pa.array([row[column]], ARROW_TYPES[kind_of(column)])
        except (pa.ArrowException, OverflowError, UnicodeEncodeError):
            raise UsageError(
                f"The row holds a value in {column} that no table could hold; nothing was decided "
                "about it; look at how the row was made."
            ) from None
    # A batch without columns has no rows, and a condition on no column has an answer all the same.
    return pa.record_batch(cells or {"": pa.nulls(1)})


def _check_cell(column: str, value: object) -> None:
    fits = {
        ColumnKind.TEXT: isinstance(value, str),
        ColumnKind.INTEGER: isinstance(value, int) and not isinstance(value, bool),
        ColumnKind.DATE: isinstance(value, date) and not isinstance(value, datetime),
        ColumnKind.INSTANT: isinstance(value, datetime) and value.tzinfo is not None,
    }
    kind = kind_of(column)
    if value is not None and not fits[kind]:
        raise UsageError(
            f"The row holds a {type(value).__name__} in {column}, a column of {kind}; nothing was "
            "decided about it; give it as the instruments table would hold it."
        )


def _decided(column: Any, decide: Callable[[pa.Array], pa.Array]) -> Any:
    if isinstance(column, pa.ChunkedArray):
        chunks = [_decided(chunk, decide) for chunk in column.chunks]
        return pa.chunked_array(chunks, pa.bool_())
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), pa.bool_())
    if pa.types.is_dictionary(column.type):
        return decide(column.dictionary).take(column.indices)
    return decide(column)


def _comparable(array: pa.Array, kind: ColumnKind) -> pa.Array:
    """Return the array in a type in which the values of its kind can be looked for."""
    if kind is ColumnKind.TEXT:
        return array.cast(pa.string()) if pa.types.is_string_view(array.type) else array
    try:
        return array.cast(ARROW_TYPES[kind])
    except pa.ArrowInvalid:
        raise UsageError(
            f"A column of {kind} holds values finer or greater than a condition can tell apart; "
            "nothing was selected; cast the column."
        ) from None


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


_ORDER_WORDS: Final[dict[ColumnKind, dict[str, str]]] = {
    ColumnKind.INTEGER: {"<": "less than", "<=": "at most", ">": "more than", ">=": "at least"},
    ColumnKind.TEXT: {"<": "before", "<=": "at or before", ">": "after", ">=": "at or after"},
    ColumnKind.DATE: {"<": "before", "<=": "on or before", ">": "after", ">=": "on or after"},
    ColumnKind.INSTANT: {"<": "before", "<=": "at or before", ">": "after", ">=": "at or after"},
}
_VERBS: Final = {"expires_on": "expires", "created_at": "saved", "fetched_at": "fetched"}


@dataclass(frozen=True, slots=True)
class IsIn(Predicate):
    """The column holds one of these values.

    With None among the values a missing value is one of them, and the answer is never unknown;
    without, the answer for a missing value is unknown.

    Attributes
    ----------
    column : str
    values : tuple
        Without repeats, in the order of reports, None last. Empty: no value is one of them.

    Raises
    ------
    UsageError
        There is no such column, or it can never hold one of the values.
    """

    column: str
    values: tuple[Value | None, ...]

    def __post_init__(self) -> None:
        kind_of(self.column)
        given: object = self.values
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise UsageError(
                f"The values of {self.column} were given as one value, not as a tuple; nothing "
                "was selected; put the value into a tuple."
            )
        known = {value_for(self.column, value) for value in self.values if value is not None}
        missing = (None,) if None in self.values else ()
        in_order = (*sorted(known, key=sort_key(self.column)), *missing)
        object.__setattr__(self, "values", in_order)

    @property
    def columns(self) -> frozenset[str]:
        """The one column."""
        return frozenset({self.column})

    @property
    def depth(self) -> int:
        """1."""
        return 1

    @property
    def _known(self) -> list[Value]:
        return [value for value in self.values if value is not None]

    def _truth(self, rows: pa.Table | pa.RecordBatch) -> Any:
        truth = membership(rows.column(self.column), kind_of(self.column), self._known)
        return pc.fill_null(truth, fill_value=True) if None in self.values else truth

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"column": ..., "in": [...]}``."""
        return {"column": self.column, "in": [literals.json_literal(v) for v in self.values]}

    def sentence(self) -> str:
        """Return e.g. ``network is visa or mastercard``."""
        found = literals.listing([literals.words(value) for value in self.values])
        return f"{literals.label(self.column)} is {found or 'one of no values'}"

    def negated_sentence(self) -> str:
        """Return e.g. ``network is neither visa nor mastercard``."""
        name = literals.label(self.column)
        found = [literals.words(value) for value in self.values]
        if not found:
            return f"not ({self.sentence()})"
        if len(found) == 1:
            return f"{name} is not {found[0]}"
        if len(found) == 2:
            return f"{name} is neither {found[0]} nor {found[1]}"
        return f"{name} is none of {literals.listing(found)}"

    def code(self) -> str:
        """Return e.g. ``where(card_network=["visa"])``."""
        return f"where({self.column}=[{', '.join(map(literals.code_literal, self.values))}])"

    def sql(self) -> str:
        """Return e.g. ``("card_network" IN ('visa'))``."""
        name = literals.sql_name(self.column)
        members = ", ".join(map(literals.sql_literal, self._known))
        if None not in self.values:
            # IN takes no empty list; this is false, or null where the value is missing.
            return f"({name} IN ({members}))" if members else f"({name} IS NULL AND NULL)"
        return f"({name} IS NULL OR {name} IN ({members}))" if members else f"({name} IS NULL)"


@dataclass(frozen=True, slots=True)
class Compare(Predicate):
    """The column's value stands in this order to another; unknown where it is missing.

    Text is compared code point by code point, so that all capitals come before small letters.

    Attributes
    ----------
    column : str
    operator : {"<", "<=", ">", ">="}
    value : str, int, date or datetime
        Never None: a missing value has no order.

    Raises
    ------
    UsageError
        There is no such column or operator, or the column can never hold the value.
    """

    column: str
    operator: Operator
    value: Value

    def __post_init__(self) -> None:
        kind_of(self.column)
        if self.operator not in OPERATORS:
            raise UsageError(
                f"{shown(self.operator)} does not compare {self.column} with anything; nothing "
                "was selected; use one of <, <=, > and >=."
            )
        given: object = self.value
        if given is None:
            raise UsageError(
                f"{self.column} was compared with a missing value, which has no order; nothing "
                "was selected; ask for missing values by listing None among those wanted."
            )
        object.__setattr__(self, "value", value_for(self.column, self.value))

    @property
    def columns(self) -> frozenset[str]:
        """The one column."""
        return frozenset({self.column})

    @property
    def depth(self) -> int:
        """1."""
        return 1

    def _truth(self, rows: pa.Table | pa.RecordBatch) -> Any:
        kind = kind_of(self.column)
        return order(rows.column(self.column), kind, self.operator, self.value)

    def to_dict(self) -> dict[str, Any]:
        """Return e.g. ``{"column": "expires_on", "<": "2026-11-22"}``."""
        return {"column": self.column, self.operator: literals.json_literal(self.value)}

    def sentence(self) -> str:
        """Return e.g. ``expires before 22 November 2026``."""
        how = _ORDER_WORDS[kind_of(self.column)][self.operator]
        verb = _VERBS.get(self.column, f"{literals.label(self.column)} is")
        return f"{verb} {how} {literals.words(self.value)}"

    def code(self) -> str:
        """Return e.g. ``Compare("expires_on", "<", date(2026, 11, 22))``."""
        value = literals.code_literal(self.value)
        return f'Compare("{self.column}", "{self.operator}", {value})'

    def sql(self) -> str:
        """Return e.g. ``("expires_on" < DATE '2026-11-22')``."""
        name = literals.sql_name(self.column)
        return f"({name} {self.operator} {literals.sql_literal(self.value)})"
