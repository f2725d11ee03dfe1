"""A list of customers as a panel takes it: a path, an upload or values, and a column to choose.

No id and nothing that may be one leaves here in clear: not in a problem, not as a column's name.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tokenvault_data.collection.customer_files import columns_of
from tokenvault_data.collection.customer_list import CustomerList, read_customers
from tokenvault_data.collection.customer_rows import (
    choose_column,
    is_column_heading,
    is_list_heading,
)
from tokenvault_data.errors import CustomerListError, TokenVaultError
from tokenvault_data.redaction import mask_id

if TYPE_CHECKING:
    from collections.abc import Sequence


class Upload(NamedTuple):
    """A file as a browser hands it over; it is not written anywhere."""

    name: str
    content: bytes

    def __repr__(self) -> str:
        return f"<Upload {self.name}>"


@dataclass(frozen=True, slots=True)
class ListRead:
    """What came of reading a list.

    Attributes
    ----------
    customers : CustomerList or None
    columns : tuple of str
        The columns of a table of several, as they stand in it.
    column : str or None
        The one the ids were taken from, where there are several.
    problem : str
        Why there are no customers; empty when there are.
    """

    customers: CustomerList | None = None
    columns: tuple[str, ...] = ()
    column: str | None = None
    problem: str = ""

    @property
    def column_labels(self) -> list[str]:
        """Names of the columns for a screen: what may be an id is masked."""
        return _labels(self.columns)


def read_list(source: object, column: str | None = None) -> ListRead:
    """Read a list of customers; what is wrong with it becomes a sentence.

    Parameters
    ----------
    source : Path, Upload, CustomerList or iterable of str
    column : str, optional
        Where the ids are, in a table of several columns.
    """
    columns: tuple[str, ...] = ()
    try:
        if isinstance(source, Path | Upload):
            columns = _columns(source)
            if len(columns) > 1:
                wanted, column = column, _chosen(columns, column)
                if column is None:
                    return ListRead(columns=columns, problem=_unclear(source, columns, wanted))
            else:
                column = None
        customers = _read(source, column)
    except TokenVaultError as error:
        return ListRead(columns=columns, column=column, problem=str(error))
    if column is not None and isinstance(source, Path | Upload):
        label = _labels(columns)[columns.index(column)]
        customers.source = f"{source.name}, column {label}"
    return ListRead(customers, columns, column)


def _read(source: object, column: str | None) -> CustomerList:
    if isinstance(source, Upload):
        return read_customers(_stream(source), column=column)
    return read_customers(source, column=column)


def _columns(source: Path | Upload) -> tuple[str, ...]:
    try:
        if isinstance(source, Upload):
            return columns_of(_stream(source), source.name)
        with source.open("rb") as file:
            return columns_of(file, source.name)
    except (OSError, CustomerListError):
        return ()  # reading it says what is wrong


def _stream(upload: Upload) -> io.BytesIO:
    stream = io.BytesIO(upload.content)
    stream.name = upload.name  # as files have it
    return stream


def _chosen(columns: Sequence[str], wanted: str | None) -> str | None:
    try:
        return columns[choose_column(columns, wanted, described="the file")]
    except CustomerListError:
        return None


def _labels(columns: Sequence[str]) -> list[str]:
    if any(is_list_heading(name) for name in columns):
        return list(columns)
    return [
        name if name and is_column_heading(name) else f"number {place}, {mask_id(name)}"
        for place, name in enumerate(columns, start=1)
    ]


def _unclear(source: Path | Upload, columns: Sequence[str], wanted: str | None) -> str:
    if wanted is not None:
        return f"{source.name} has no one column {wanted!r}; choose one of its {len(columns)}."
    return (
        f"It is not obvious which of the {len(columns)} columns of {source.name} holds the"
        " customer ids; choose one."
    )
