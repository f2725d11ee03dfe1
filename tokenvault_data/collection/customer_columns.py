"""Which column of a table holds the customer ids, and whether a first line is a heading."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tokenvault_data.collection.list_judgement import is_name, shown_names
from tokenvault_data.collection.our_files import is_our_result
from tokenvault_data.dataset.formula_guard import GUARD
from tokenvault_data.errors import CustomerListError

if TYPE_CHECKING:
    from collections.abc import Sequence

OBVIOUS_NAMES: Final = (
    "customerid",
    "customerids",
    "custid",
    "custids",
    "customer",
)
"""Names that can only mean this, best first, in the spelling of `_plain_name`.

Beside other columns, ``customers`` is a count of them.
"""

_LIST_HEADINGS: Final = (*OBVIOUS_NAMES, "customers", "id", "ids")
_NEVER_VALUES: Final = frozenset(("customerid", "customerids", "custid", "custids"))
_SHOWN_COLUMNS: Final = 20
_HAS_DIGIT: Final = re.compile("[0-9]").search


def choose_column(names: Sequence[str], wanted: str | None, *, described: str) -> int:
    """Choose the column of customer ids.

    Parameters
    ----------
    names : sequence of str
        Names of all columns, in order.
    wanted : str or None
        The name asked for; case and surrounding white space matter only if they have to.
    described : str
        What the table is called in errors.

    Returns
    -------
    int
        0-based position of the column.

    Raises
    ------
    CustomerListError
        When it is not there, there twice, or not obvious; the message names the columns, but for
        names that may be ids, because a file without a heading has ids there.
    """
    if wanted is not None:
        found = [at for at, name in enumerate(names) if name == wanted] or [
            at for at, name in enumerate(names) if name.strip().lower() == wanted.strip().lower()
        ]
        if len(found) == 1:
            return found[0]
        problem = f"has no column {wanted!r}" if not found else f"has several columns {wanted!r}"
        raise CustomerListError(f"Nothing was read: {described} {problem}; {_listing(names)}.")
    if len(names) == 1:
        return 0
    for obvious in OBVIOUS_NAMES:
        found = [at for at, name in enumerate(names) if _plain_name(name) == obvious]
        if len(found) == 1:
            return found[0]
    if is_our_result(names):
        raise CustomerListError(
            f"Nothing was read: {described} is a table of results without customer ids;"
            f" {_listing(names)}. Give a file with a"
            " column customer_id, as export writes it; if another column holds them, name it with"
            " --column, in Python with column=."
        )
    raise CustomerListError(
        f"Nothing was read, because it is not obvious which column of {described} holds the"
        f" customer ids; {_listing(names)}; name one with --column, in Python with column=."
    )


def is_list_heading(text: str) -> bool:
    """Tell whether the first line of a plain list is a heading such as ``customer_id``."""
    return _plain_name(text) in _LIST_HEADINGS


def is_column_heading(text: str) -> bool:
    """Tell whether a text can only be the name of a column."""
    return is_list_heading(text) or is_name(text)


def is_another_heading(row: Sequence[str], heading: Sequence[str], at: int) -> bool:
    """Tell whether a row below a heading is one, too, of a table with its ids elsewhere.

    Parameters
    ----------
    row : sequence of str
    heading : sequence of str
        The first one.
    at : int
        The column of ids in it.
    """
    width = len(heading)
    # Hardly a row gets further: its id has a digit.
    if len(row) == width and _HAS_DIGIT(row[at]):
        return False
    # An apostrophe says that it is an id.
    names = ["" if name.startswith(GUARD) else _plain_name(name) for name in row]
    known = [_plain_name(name) for name in heading]
    if len(row) == width:
        is_same_place = names[at] == known[at] or names[at] in _NEVER_VALUES
        if is_same_place or width == 1:
            return False
        if sorted(row) == sorted(heading) or (known[at] and sorted(names) == sorted(known)):
            return True
    if not _NEVER_VALUES.isdisjoint(names):
        return True
    return bool(known[at]) and known[at] in names and all(map(is_column_heading, filter(None, row)))


def _plain_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _listing(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_COLUMNS
    listing = f"its columns are {shown_names(names[:_SHOWN_COLUMNS])}"
    listing += f" and {more} more" if more > 0 else ""
    if not any(map(is_column_heading, names)):
        listing += " (if its first line is no heading, put one above it)"
    return listing
