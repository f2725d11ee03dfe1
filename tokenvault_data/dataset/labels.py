"""Labels of ours that stand among values, and values that read like one, told apart.

A bank may be called anything, ``(other)`` and ``(none)`` included. Where values are shown, or are
mixed with our labels, one that reads like a label is written in double quotes, as it is typed in a
condition; our labels never are.
"""

from __future__ import annotations

import re
from typing import Final

OTHER: Final = "(other)"
"""What stands in the columns of the row that holds all groups beyond the largest ones."""

MISSING: Final = "(none)"
"""What stands, and is typed, for a missing value."""

NOT_KNOWN: Final = "not known"
"""What charts and panels say of a missing value."""

ALL_GROUPS: Final = "all_groups"
"""Attribute of a table of counts that has no row for a rest: all its values are the vault's."""

_reads_like_ours = re.compile(
    r'\(.*\)|".*"|-|(bank )?not known|[\d,]+ other (values?|banks?)', re.DOTALL | re.IGNORECASE
).fullmatch


def value_text(value: str) -> str:
    """Return a value as it stands beside our labels: in double quotes where it reads like one.

    >>> value_text("HDFC Bank"), value_text("(other)"), value_text("-")
    ('HDFC Bank', '"(other)"', '"-"')
    """
    return f'"{value}"' if _reads_like_ours(value.strip()) else value


def shown_value(value: str | None) -> str:
    """Return a value, or the label of a missing one.

    >>> shown_value(None), shown_value("(none)")
    ('(none)', '"(none)"')
    """
    return MISSING if value is None else value_text(value)


def others_label(count: int) -> str:
    """Return the label of a line that sums up so many values that have no line of their own.

    >>> others_label(1), others_label(1200)
    ('(1 other)', '(1,200 others)')
    """
    return f"({count:,} other{'' if count == 1 else 's'})"
