"""The two comparisons that every condition is made of: membership, and order.

A column that there is not, or a value that its column can never hold, is refused when a comparison
is made, long before it could select anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow.compute as pc

from tokenvault_data.analysis.filters import literals
from tokenvault_data.analysis.filters.columns import (
    Kind,
    Value,
    kind_of,
    shown,
    sort_key,
    value_for,
)
from tokenvault_data.analysis.filters.expressions import Predicate
from tokenvault_data.analysis.filters.rows import OPERATORS, Operator, membership, order
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

_ORDER_WORDS: Final[dict[Kind, dict[str, str]]] = {
    Kind.INTEGER: {"<": "less than", "<=": "at most", ">": "more than", ">=": "at least"},
    Kind.TEXT: {"<": "before", "<=": "at or before", ">": "after", ">=": "at or after"},
    Kind.DATE: {"<": "before", "<=": "on or before", ">": "after", ">=": "on or after"},
    Kind.INSTANT: {"<": "before", "<=": "at or before", ">": "after", ">=": "at or after"},
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
