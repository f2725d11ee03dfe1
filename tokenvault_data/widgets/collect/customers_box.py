"""The customers of a collection: by path, by upload or as given, and the column they stand in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ipywidgets

from tokenvault_data.local_paths import local_path
from tokenvault_data.widgets.collect.customer_source import ListRead, Upload, read_list
from tokenvault_data.widgets.collect.text import list_blocks
from tokenvault_data.widgets.parts.layout import (
    LABELS,
    WIDE,
    blocks_of,
    card,
    in_a_sentence,
    named,
    row,
)
from tokenvault_data.widgets.parts.text import Prose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tokenvault_data.collection.customer_list import CustomerList
    from tokenvault_data.widgets.parts.text import Block

_FILES: Final = ".txt,.csv,.tsv,.parquet,.gz"


class CustomersBox:
    """A choice of a list, and what was read of it.

    Parameters
    ----------
    customers : str, Path, CustomerList, iterable of str or None
    column : str or None
    on_change : callable
        Called when another list was read.

    Attributes
    ----------
    box : ipywidgets.Box
    """

    def __init__(
        self, customers: object, column: str | None, on_change: Callable[[], None]
    ) -> None:
        self._on_change = on_change
        self._source = local_path(customers) if isinstance(customers, str) else customers
        self._column = column
        self._read: ListRead | None = None
        self._is_setting = False
        self._path = named(
            ipywidgets.Text(
                value=str(self._source) if isinstance(self._source, Path) else "",
                placeholder="customers.csv, then Enter",
                description="File",
                continuous_update=False,
                style=LABELS,
                layout=WIDE,
            ),
            "path",
        )
        self._upload = named(
            ipywidgets.FileUpload(
                accept=_FILES,
                description="Upload",
                tooltip="Upload a list of up to 10 MB; name larger ones by their path",
            ),
            "upload",
        )
        self._columns = named(
            ipywidgets.Dropdown(description="Column", style=LABELS, layout={"width": "16em"}),
            "column",
        )
        self._said = named(Prose(is_live=True), "list")
        self.box = card("Customers", self._path, row(self._upload, self._columns), self._said)
        self._read_source()
        self._path.observe(self._path_typed, "value")
        self._upload.observe(self._uploaded, "value")
        self._columns.observe(self._column_chosen, "value")

    @property
    def customers(self) -> CustomerList | None:
        """The list as read; None without one."""
        return self._read.customers if self._read else None

    @property
    def path(self) -> str | None:
        """Where the list is; None when it was uploaded or given."""
        return str(self._source) if isinstance(self._source, Path) else None

    @property
    def column(self) -> str | None:
        """The column of ids; None where there is nothing to choose from."""
        return self._read.column if self._read else self._column

    def set_list(self, customers: CustomerList) -> None:
        """Take a list in place of the one read."""
        self._choose(customers)

    def enable(self, *, enabled: bool) -> None:
        """Let another list be chosen, or none."""
        for control in (self._path, self._upload, self._columns):
            control.disabled = not enabled

    def blocks(self) -> Iterator[Block]:
        """What the box says."""
        yield from blocks_of(self._said)

    def _path_typed(self, change: Any) -> None:
        if not self._is_setting:
            typed = change["new"].strip()
            self._choose(local_path(typed) if typed else None)
            self._on_change()

    def _uploaded(self, change: Any) -> None:
        if not change["new"]:
            return
        (file,) = change["new"]
        upload = Upload(file["name"], bytes(file["content"]))
        self._upload.value = ()  # ids do not stay where the page and saved notebooks can see them
        self._choose(upload)
        self._on_change()

    def _column_chosen(self, change: Any) -> None:
        if not self._is_setting and change["new"]:
            self._column = change["new"]
            self._read_source()
            self._on_change()

    def _choose(self, source: object) -> None:
        self._source, self._column = source, None
        if not isinstance(source, Path):
            self._is_setting = True
            self._path.value = ""
            self._is_setting = False
        self._read_source()

    def _read_source(self) -> None:
        try:
            self._read = None if self._source is None else read_list(self._source, self._column)
        except Exception as error:  # noqa: BLE001  one sentence in the box
            self._read = ListRead(problem=in_a_sentence(error))
        self._show_columns()
        self._said.show(*list_blocks(self._read))

    def _show_columns(self) -> None:
        read = self._read
        if read is None or len(read.columns) < 2:
            self._columns.layout.display = "none"
            return
        self._is_setting = True
        self._columns.options = [
            ("choose one", ""),
            *zip(read.column_labels, read.columns, strict=True),
        ]
        self._columns.value = read.column or ""
        self._is_setting = False
        self._columns.layout.display = None
