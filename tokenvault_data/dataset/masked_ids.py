"""Text columns of ids in pandas: whole in the data, masked wherever pandas displays the column.

Ids end up in saved notebooks, logs and screenshots because somebody displayed a table. So pandas'
own Arrow-backed text array is used as it is, except that it formats its values masked. The dtype
is pandas' ``str`` and equal to it; filters, joins, groups and files see the ids.

What takes the values out of such a column takes them out whole: a single value, a list, a row of
mixed types, ``astype(object)``, a file. docs/analysis.md lists it, and a test holds the list true.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.arrays import ArrowExtensionArray, ArrowStringArray

from tokenvault_data.redaction import displayed_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_IDENTIFYING = re.compile(r"(^|_)(id|ids|uid|par|afa_reference|customers_listed)($|_received$)")
_HIDDEN = frozenset({"extra"})


def is_identifying(column: str) -> bool:
    """Say whether a column holds ids of people, cards, accounts or payments.

    >>> is_identifying("old_instrument_id"), is_identifying("card_network")
    (True, False)
    """
    return column in _HIDDEN or _IDENTIFYING.search(column) is not None


class IdDtype(pd.StringDtype):
    """pandas' default ``str``, whose arrays display their values masked.

    pandas goes from a dtype to its class of array wherever it makes a new one, so that what is
    made of ids alone (a transposed table, a stacked one, a group's first) stays masked. It equals
    ``str``, so that nobody who compares, joins or concatenates meets a second type of text.
    """

    def construct_array_type(self) -> type[IdArray]:
        """Return the class of the arrays of this dtype."""
        return IdArray

    def __eq__(self, other: object) -> bool:
        return bool(pd.StringDtype(self.storage, self.na_value) == other)

    __hash__ = pd.StringDtype.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        return IdDtype, (self.storage, self.na_value)


class IdArray(ArrowStringArray):
    """Text as pandas keeps it by default, displayed masked."""

    def _formatter(self, boxed: bool = False) -> Callable[[Any], str]:
        return _masked if boxed else _masked_and_quoted


class NestedIdArray(ArrowExtensionArray):
    """Lists and structs that hold ids, displayed masked."""

    def _formatter(self, boxed: bool = False) -> Callable[[Any], str]:  # noqa: ARG002  pandas' signature
        return _masked

    def _explode(self) -> tuple[Any, Any]:
        values, counts = super()._explode()  # type: ignore[misc]  # the stubs lack it
        return id_array(values.__arrow_array__()), counts


def id_array(values: pa.Array | pa.ChunkedArray) -> pd.api.extensions.ExtensionArray:
    """Return Arrow text, or nested values that hold text, as a column of ids."""
    if not holds_text(values.type):
        return ArrowExtensionArray(values)
    if pa.types.is_nested(values.type):
        return NestedIdArray(values)
    return IdArray(values.cast(pa.large_string()), dtype=IdDtype("pyarrow", np.nan))  # type: ignore[call-arg]  # the stubs lack it


def holds_text(arrow_type: pa.DataType) -> bool:
    """Say whether values of a type are text, or have text in them."""
    if pa.types.is_nested(arrow_type):
        return any(holds_text(arrow_type.field(at).type) for at in range(arrow_type.num_fields))
    return bool(
        pa.types.is_string(arrow_type)
        or pa.types.is_large_string(arrow_type)
        or pa.types.is_string_view(arrow_type)
    )


def _masked(value: Any) -> str:
    if isinstance(value, str):
        return displayed_id(value)
    if isinstance(value, dict):
        return _in_one_line(value.values())
    if isinstance(value, list | tuple | np.ndarray):
        return _in_one_line(value)
    return str(value)


def _masked_and_quoted(value: Any) -> str:
    return repr(displayed_id(value)) if isinstance(value, str) else str(value)


def _in_one_line(values: Iterable[Any]) -> str:
    return f"[{', '.join(map(_masked, values))}]"
