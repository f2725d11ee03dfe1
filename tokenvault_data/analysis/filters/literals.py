"""One value of a condition written in four languages: JSON, SQL, Python and English."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from tokenvault_data.dataset.schema import INSTRUMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenvault_data.analysis.filters.columns import Value

_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

# Words that a sentence is built of: as somebody's text they stand in quotes.
_JOINTS: Final = frozenset(
    {"and", "or", "not", "nor", "neither", "is", "none", "missing"}
    | {"every", "expires", "saved", "fetched"}
)
_plain_text = re.compile(r"[A-Za-z0-9][A-Za-z0-9.&'/_@+-]*(?: [A-Za-z0-9.&'/_@+-]+)*").fullmatch

_LABELS: Final = {
    "instrument_type": "kind of instrument",
    "instrument_status": "status",
    "instrument_display": "masked number",
    "created_at": "time of saving",
    "fetched_at": "time of fetching",
    "card_network": "network",
    "card_bank": "bank spelling",
    "card_country": "country",
    "card_sub_type": "card sub-type",
    "expires_on": "expiry date",
    "expiry": "month and year of expiry",
    "expires_in": "time to expiry",
    "api_version": "API version",
    "par": "account reference",
    "afa_reference": "payment reference",
    "instrument_uid": "card identity",
    "customer_id_received": "customer id of the answer",
}
_RECEIVED: Final = "_received"


def json_literal(value: Value | None) -> str | int | None:
    """Return a value as JSON holds it: dates as ISO text, instants as ISO text ending in ``Z``.

    >>> json_literal(date(2026, 11, 22)), json_literal(datetime(2026, 11, 22, tzinfo=UTC))
    ('2026-11-22', '2026-11-22T00:00:00Z')
    """
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
    return value.isoformat() if isinstance(value, date) else value


def sql_literal(value: Value) -> str:
    """Return a value as a DuckDB literal, whatever signs it is made of.

    >>> sql_literal("O'Hara"), sql_literal(date(2026, 11, 22))
    ("'O''Hara'", "DATE '2026-11-22'")
    """
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ '{json_literal(value)}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, int):
        return str(value)
    # A statement ends at a zero byte, so one inside a text is put in from outside the quotes.
    pieces = ["'" + piece.replace("'", "''") + "'" for piece in value.split("\0")]
    joined = " || chr(0) || ".join(pieces)
    return joined if len(pieces) == 1 else f"({joined})"


def sql_name(column: str) -> str:
    """Return a column's name as a quoted DuckDB identifier."""
    return '"' + column.replace('"', '""') + '"'


def quoted(text: str) -> str:
    r"""Return a text in double quotes, as a Python literal that shows every sign it holds.

    >>> print(quoted('tab\t"x"'))
    "tab\t\"x\""
    """
    return '"' + "".join(_shown_sign(sign) for sign in text) + '"'


def code_literal(value: Value | None) -> str:
    """Return a value as Python that makes it again, given ``date``, ``datetime`` and ``UTC``."""
    if isinstance(value, datetime):
        parts = [value.year, value.month, value.day, value.hour, value.minute]
        if value.second or value.microsecond:
            parts.append(value.second)
        if value.microsecond:
            parts.append(value.microsecond)
        return f"datetime({', '.join(map(str, parts))}, tzinfo=UTC)"
    if isinstance(value, date):
        return f"date({value.year}, {value.month}, {value.day})"
    return quoted(value) if isinstance(value, str) else repr(value)


def words(value: Value | None) -> str:
    """Return a value as a sentence says it; text of unusual signs or words is quoted.

    >>> words("HDFC BANK"), words("missing"), words(None), words(date(2026, 11, 22))
    ('HDFC BANK', '"missing"', 'missing', '22 November 2026')
    """
    if value is None:
        return "missing"
    if isinstance(value, datetime):
        seconds = value.isoformat(sep=" ").split(" ")[1].removesuffix("+00:00")
        return f"{_day_words(value)} {seconds} UTC"
    if isinstance(value, date):
        return _day_words(value)
    if isinstance(value, int):
        return str(value)
    plain = _plain_text(value) and _JOINTS.isdisjoint(value.casefold().split(" "))
    return value if plain else quoted(value)


def listing(items: Sequence[str], last: str = "or") -> str:
    """Return items as a sentence lists them.

    >>> listing(["a", "b", "c"])
    'a, b or c'
    """
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def label(column: str) -> str:
    """Return what a sentence calls a column; no two columns are called alike.

    >>> label("card_network"), label("card_network_received"), label("expiry_year")
    ('network', 'network as received', 'expiry year')
    """
    if column in _LABELS:
        return _LABELS[column]
    base = column.removesuffix(_RECEIVED)
    if base != column and base in INSTRUMENTS.names:
        return f"{label(base)} as received"
    return column.replace("_", " ")


def _day_words(value: date) -> str:
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def _shown_sign(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    return sign if sign.isprintable() else sign.encode("unicode_escape").decode()
