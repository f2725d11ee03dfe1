"""Names and figures as charts write them: short, on one line, and never markup or code.

A bank's name is what somebody typed into a form. It reaches a chart as a value of a column, never
as part of an expression or a field name, and it reaches a page through the escaping of the renderer
that draws it. What is left to do is to make it short enough and printable.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tokenvault_data import text
from tokenvault_data.dataset.labels import NOT_KNOWN

if TYPE_CHECKING:
    from datetime import date

ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"
LONGEST_NAME: Final = 44
"""Characters of a name that a chart or a table of a report shows."""

_SUMMED_UP: Final = ("(other", "(small groups")

NETWORKS: Final = {
    "visa": "Visa",
    "mastercard": "Mastercard",
    "rupay": "RuPay",
    "amex": "American Express",
    "diners": "Diners Club",
}

COUNTRIES: Final = {
    "AE": "United Arab Emirates",
    "AU": "Australia",
    "BD": "Bangladesh",
    "CA": "Canada",
    "DE": "Germany",
    "FR": "France",
    "GB": "United Kingdom",
    "HK": "Hong Kong",
    "IN": "India",
    "JP": "Japan",
    "LK": "Sri Lanka",
    "NP": "Nepal",
    "SA": "Saudi Arabia",
    "SG": "Singapore",
    "US": "United States",
}
"""Names of the countries (ISO 3166-1) most cards in India come from; others show as their code."""

_MONTH = re.compile(r"\d{4}-\d{2}")
_MONTH_NAMES: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


def is_missing(value: Any) -> bool:
    """Say whether a value of a column stands for "nothing was sent"."""
    return value is None or value is pd.NA or value is pd.NaT or value != value  # noqa: PLR0124  NaN


def is_summed_up(value: Any) -> bool:
    """Say whether a group stands for several, such as ``(other)``."""
    return isinstance(value, str) and value.startswith(_SUMMED_UP)


def one_line(value: Any, longest: int = LONGEST_NAME) -> str:
    r"""Write a value as printable text on one line, with an ellipsis where it is cut.

    Control characters become spaces; invisible ones, which may turn the direction of all that
    follows, are left out.

    >>> one_line("AXIS\nBANK"), one_line("x" * 99, 5)
    ('AXIS BANK', 'xxxx…')
    """
    if is_missing(value):
        return NOT_KNOWN
    kept = "".join(
        " " if sign.isspace() or unicodedata.category(sign) == "Cc" else sign
        for sign in str(value)
        if sign.isprintable() or sign.isspace() or unicodedata.category(sign) == "Cc"
    )
    text = " ".join(kept.split()) or "(blank)"
    return text if len(text) <= longest else text[: longest - 1].rstrip() + ELLIPSIS


def name_of(column: str, value: Any) -> str:
    """Write a value of a column as people say it: networks and countries by name."""
    if is_missing(value):
        return NOT_KNOWN
    text = str(value)
    if column == "card_type" and re.fullmatch(r"[A-Za-z_]+", text):
        text = text.removesuffix("_card").replace("_", " ")
    elif column in {"what", "kind"}:
        text = text.replace("_", " ")
    elif column == "expiry":
        text = month_name(text)
    names = {"card_network": NETWORKS, "card_country": COUNTRIES}.get(column, {})
    return names.get(text) or one_line(text)


def count(value: Any) -> str:
    """Write a number of cards or customers.

    >>> count(12345), count(None)
    ('12,345', 'not known')
    """
    return NOT_KNOWN if is_missing(value) else f"{int(value):,}"


def percent(share: Any) -> str:
    """Write a share, from 0 to 1: never 0% or 100% for what is not nothing or all.

    >>> percent(0.4938), percent(0.0004), percent(None)
    ('49.4%', 'under 0.1%', 'not known')
    """
    return NOT_KNOWN if is_missing(share) else text.percent(float(share))


def day(when: date) -> str:
    """Write a day.

    >>> import datetime
    >>> day(datetime.date(2026, 11, 2))
    '2 Nov 2026'
    """
    return f"{when.day} {_MONTH_NAMES[when.month - 1]} {when.year}"


def month_name(month: Any) -> str:
    """Write a month given as ``YYYY-MM``; anything else is shown as it is.

    >>> month_name("2027-02")
    'Feb 2027'
    """
    if is_missing(month) or not _MONTH.fullmatch(str(month)):
        return one_line(month)
    year, number = str(month).split("-")
    return f"{_MONTH_NAMES[int(number) - 1]} {year}" if 1 <= int(number) <= 12 else one_line(month)
