"""Customer and instrument ids: cleaned, or refused with the reason, before a request can exist.

An id becomes one segment of a URL path, so a wrong one does not merely find nothing: ``..`` or a
stray slash would address another resource, and a ``DELETE`` would go there. Three rules follow.

* Surrounding white space is trimmed; nothing else about an id is ever changed. A "repaired" id is a
  different customer.
* What is left must be visible ASCII. Real ids are alphanumeric plus ``_ - . @ +``; other signs pass
  as long as they mean nothing in a URL path or in a list file. Letters outside ASCII are refused:
  look-alikes and composed or decomposed forms of one letter are different ids to the vault, so an
  accepted one might fetch, or delete, the cards of somebody else, while a refused one is reported.
* What a program made of an id, or of a missing one, is refused by its shape: ``123.0``, ``1e+05``,
  ``1.23457E+11``, ``nan``, ``<NA>``. The digits it had before cannot be known any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tokenvault_data.errors import IdentifierError

MAX_ID_BYTES: Final = 255
"""Longest id a request is made of, in bytes of UTF-8; database keys of this kind end here."""

PLAIN_ID_SIGN: Final = r"[A-Za-z0-9_.@+\-]"
"""Pattern of the signs that real ids are made of."""

PLAIN_ID: Final = rf"{PLAIN_ID_SIGN}{{1,{MAX_ID_BYTES}}}"
"""Pattern (full match) of ids that need no closer look, unless `DAMAGED_ID` matches them too."""

DAMAGED_NUMBER: Final = (
    r"[+\-]?[0-9]+\.0+"  # str(123.0); ids with other decimals are left alone, they may be meant
    r"|[+\-]?[0-9](?:\.[0-9]+)?[eE][+\-][0-9]+"  # Excel, C and Python always write the sign
    r"|[+\-]?[0-9]\.[0-9]+[eE][0-9]+"  # Java and Spark do not; without the dot it may be hex digits
)
"""Pattern (full match) of text that only a float leaves behind."""

PLACEHOLDER: Final = (
    r"[+\-]?(?:nan|NaN|NAN|inf|Inf|INF|Infinity)"
    r"|<NA>|NA|NaT|None|null|Null|NULL|undefined|True|False|TRUE|FALSE"
)
"""Pattern (full match) of what programs write for a missing value or a truth value."""

DAMAGED_ID: Final = rf"{DAMAGED_NUMBER}|{PLACEHOLDER}|\.\.?"
"""Pattern (full match) of text that `PLAIN_ID` lets through and that is refused all the same."""

_SURROUNDING: Final = (
    " \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_PATH_SIGNS: Final = frozenset("/\\?#%")
_LIST_SIGNS: Final = frozenset('",;')
_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
_plain = re.compile(PLAIN_ID).fullmatch
_damaged = re.compile(DAMAGED_ID).fullmatch
_damaged_number = re.compile(DAMAGED_NUMBER).fullmatch
# Joiners, fillers and variation selectors: letters and marks that show nothing of their own.
_blank_glyph = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
).fullmatch


class Refusal(StrEnum):
    """Why an id was refused; the value is the wording used in summaries of a list."""

    MISSING = "missing value"
    NOT_TEXT = "not text"
    BLANK = "blank"
    DAMAGED_NUMBER = "damaged by being read as a number"
    PLACEHOLDER = "stands for a missing value"
    DOT_SEGMENT = "a path step ('.' or '..')"
    TOO_LONG = "too long"
    NOT_UNICODE = "broken text encoding"
    CONTROL = "control character"
    INVISIBLE = "invisible character"
    WHITE_SPACE = "white space inside"
    PATH_SIGN = "sign with a meaning in URLs"
    LIST_SIGN = "quote or separator of a list file"
    NOT_ASCII = "letter outside ASCII"


@dataclass(frozen=True, slots=True)
class RefusedId:
    """An id that no request can be made of.

    Attributes
    ----------
    reason : Refusal
        Class of the refusal, for counting.
    explanation : str
        What is wrong and what to do, as the second half of a sentence; it never quotes the id.
    """

    reason: Refusal
    explanation: str


def judge_id(value: object) -> str | RefusedId:
    """Decide whether `value` can be an id, without raising.

    Parameters
    ----------
    value : object
        Anything; only text can pass.

    Returns
    -------
    str or RefusedId
        The id without surrounding white space, or why it is refused.
    """
    if not isinstance(value, str):
        return _judge_non_text(value)
    text = str.__str__(value).strip(_SURROUNDING)  # a plain str, also of a str subclass
    if _plain(text) is None:
        return _judge_odd_text(text)
    if _damaged(text) is None:
        return text
    return _judge_damaged_text(text)


def clean_customer_id(value: object) -> str:
    """Return a customer id that a request can be made of.

    Parameters
    ----------
    value : object
        The id as it came from the caller.

    Returns
    -------
    str
        The id without surrounding white space.

    Raises
    ------
    IdentifierError
        When no request may be made of it; the message is one sentence with the fix.

    Examples
    --------
    >>> clean_customer_id(" cust_1 ")
    'cust_1'
    """
    return _clean("customer id", value)


def clean_instrument_id(value: object) -> str:
    """Return an instrument id that a request can be made of.

    The rules are those of `clean_customer_id`: instrument ids are mostly UUIDs, but not always.

    Parameters
    ----------
    value : object
        The id as it came from the caller.

    Returns
    -------
    str
        The id without surrounding white space.

    Raises
    ------
    IdentifierError
        When no request may be made of it.
    """
    return _clean("instrument id", value)


def quote_id(cleaned_id: str) -> str:
    """Percent-encode an id whole, as one segment of a URL path.

    Only the unreserved characters of RFC 3986, section 2.3, stay as they are.

    Parameters
    ----------
    cleaned_id : str
        An id as `clean_customer_id` or `clean_instrument_id` returned it.

    Returns
    -------
    str
        The path segment.

    Raises
    ------
    IdentifierError
        For ``""``, ``.``, ``..`` and text without a UTF-8 form, which no encoding makes safe.

    Examples
    --------
    >>> quote_id("a+b@example.com")
    'a%2Bb%40example.com'
    """
    if cleaned_id in {"", ".", ".."}:
        raise IdentifierError("An id that is empty or a path step cannot be part of a request.")
    try:
        encoded = cleaned_id.encode()
    except UnicodeEncodeError:
        raise IdentifierError("An id with broken text encoding cannot be sent.") from None
    return "".join([chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in encoded])


def _clean(kind: str, value: object) -> str:
    judged = judge_id(value)
    if isinstance(judged, RefusedId):
        raise IdentifierError(f"No request was made: this {kind} {judged.explanation}.")
    return judged


def _judge_non_text(value: object) -> RefusedId:
    # `value != value` is how NaN and NaT show without importing NumPy or pandas; NA refuses a bool.
    try:
        is_missing = value is None or bool(value != value)  # noqa: PLR0124  only NaN and NaT differ from themselves
    except (TypeError, ValueError):
        is_missing = type(value).__name__ == "NAType"
    if is_missing:
        return RefusedId(
            Refusal.MISSING, "is a missing value, not text; drop the rows that have no id"
        )
    name = type(value).__name__
    if isinstance(value, (bytes, bytearray, memoryview)):
        return RefusedId(Refusal.NOT_TEXT, f"is {name}, not text; decode it first")
    return RefusedId(
        Refusal.NOT_TEXT,
        f"is of type {name}, not text, and leading zeros or digits may be lost;"
        " read the column as text, in pandas with dtype=str",
    )


def _judge_damaged_text(text: str) -> RefusedId:
    if text in {".", ".."}:
        return RefusedId(
            Refusal.DOT_SEGMENT, "is a step in a path and would address something else"
        )
    if _damaged_number(text):
        return RefusedId(
            Refusal.DAMAGED_NUMBER,
            "was turned into a decimal number and has lost its true form;"
            " read the column as text from the source, in pandas with dtype=str",
        )
    return RefusedId(
        Refusal.PLACEHOLDER,
        "is what a program writes for a missing or a truth value; drop the rows that have no id",
    )


def _judge_odd_text(text: str) -> str | RefusedId:
    if not text:
        return RefusedId(Refusal.BLANK, "is blank; drop the rows that have no id")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        return RefusedId(
            Refusal.TOO_LONG,
            f"is longer than {MAX_ID_BYTES} bytes; check that the right column was taken",
        )
    for position, sign in enumerate(text, start=1):
        refused = _judge_sign(sign, position)
        if refused is not None:
            return refused
    if _damaged(text):  # such as <NA>, whose brackets kept it from looking plain
        return _judge_damaged_text(text)
    return text


def _judge_sign(sign: str, position: int) -> RefusedId | None:
    if not "!" <= sign <= "~":
        return _judge_foreign_sign(sign, f"U+{ord(sign):04X} at position {position}")
    if sign in _PATH_SIGNS:
        return RefusedId(
            Refusal.PATH_SIGN,
            f"holds {sign!r} at position {position}, which has a meaning of its own in a URL;"
            " no vault id holds it, so check where the list comes from",
        )
    if sign in _LIST_SIGNS:
        return RefusedId(
            Refusal.LIST_SIGN,
            f"holds {sign!r} at position {position}, so several fields, or quotes, seem to have"
            " been read as one id; read the list as CSV",
        )
    return None


def _judge_foreign_sign(sign: str, code_point: str) -> RefusedId:
    import unicodedata

    category = unicodedata.category(sign)
    if category == "Cs":
        return RefusedId(
            Refusal.NOT_UNICODE,
            f"holds half a character ({code_point}), so its text encoding is broken; read the list"
            " again with the encoding it was written in",
        )
    if sign in _SURROUNDING:
        return RefusedId(
            Refusal.WHITE_SPACE, f"has white space inside ({code_point}); check the source"
        )
    if category == "Cc":
        return RefusedId(
            Refusal.CONTROL, f"holds a control character ({code_point}); check the source"
        )
    if category == "Cf" or _blank_glyph(sign):
        return RefusedId(
            Refusal.INVISIBLE,
            f"holds a character that cannot be seen ({code_point}); type the id again by hand",
        )
    return RefusedId(
        Refusal.NOT_ASCII,
        f"holds {code_point}, which is not ASCII; look-alike letters name different customers, so"
        " such ids are not requested",
    )
