"""Payment data that has no place in a list of cards, found by what it is and by what it is called.

A card number is found by content: 13 to 19 digits, bare or in groups, that begin as a card
network's numbers do and pass the check digit. What no content gives away (a security code, a
cryptogram, a token's number, a PIN) is found by the name of its field. Both are removed before
anything is written or shown. One in ten numbers of that length passes the check digit by chance, so
this is not for columns of ids; phone numbers are too short for it.
"""

from __future__ import annotations

import functools
import re
from decimal import Decimal
from typing import Any, Final

from tokenvault_data.vault_json import MOST_LEVELS, TOO_DEEP, Number, TooDeep

REMOVED: Final = "[removed]"
"""Stands where payment data was."""

_GAP: Final = r"[\s\-.\u00ad\u200b-\u200d\u2010-\u2015\u2060\u2212\ufeff_·]"
_DIGIT: Final = re.compile(r"\d")
_DIGIT_RUN: Final = re.compile(rf"\d(?:{_GAP}{{0,3}}\d){{12,}}")
_IN_FLOATING_POINT: Final = re.compile(r"\d(?:\.\d+)?[eE]\+?1[2-8](?!\d)")
_GROUP: Final = re.compile(r"\d+")
_SHORTEST, _LONGEST = 13, 19
_MOST_GROUPS: Final = 500
"""A longer row of numbers is nobody's note: trying each would take minutes, so all of it goes."""
_LONGEST_NUMBER: Final = 64
_EXPONENT: Final = re.compile(r"[eE][+-]?0*([0-9]*)\Z")
_LONGEST_GROUP: Final = 8
"""Of a number written in groups: ten digits together are a phone number beside something else."""

# Visa; Mastercard, Maestro; Discover, UnionPay, RuPay, Maestro; Amex, Diners, JCB, RuPay;
# Mastercard, Mir; RuPay; Troy; JCB.
_NETWORK: Final = re.compile(
    r"4|5[0-8]|6|3(?:0[0-59]|[4-9])|2(?:20[0-4]|2[2-9]|[3-6]|7[0-2])|8[12]|9792|1800|2131"
)

_ID_FIELDS: Final = frozenset(
    {"customer_id", "instrument_id", "instrument_uid", "afa_reference", "par"}
)

_SECRET_NAME: Final = re.compile(
    r".*(?:cvv|cvc|cvn|cryptogram|securitycode|verificationcode|verificationvalue|cardnumber"
    r"|accountnumber|tokennumber|tokenrequestor|tokenpan|trackdata|track[123]|magstripe|pinblock"
    r"|secretkey|clientsecret)"
    r".*|(?:card)?(?:csc|cav2?|pin|[df]?pan)|cardcid|pannumber|(?:card)?[cdt]avv|ucaf"
    r"|(?:networks?|payment)?token"
)
_NO_LETTERS: Final = re.compile(r"[\W_]+")
_CODE_IN_TEXT: Final = re.compile(
    r"(?<![^\W_])(cvv2?|cvc2?|cvn2?|(?:security|verification)[\s_-]*(?:code|value))"
    r"(\W{0,5}(?:is\W{1,3}|no\W{1,3}|code\W{1,3})?)\d{3,4}(?!\d)",
    re.IGNORECASE,
)


def hide_card_numbers(text: str) -> str:
    """Put `REMOVED` in place of every card number in a text, and of every security code named so.

    Examples
    --------
    >>> hide_card_numbers("paid with 4111 1111 1111 1111, cvv 123")
    'paid with [removed], cvv [removed]'
    >>> hide_card_numbers("call +91 98765 43210")
    'call +91 98765 43210'
    """
    if _DIGIT.search(text) is None:
        return text
    shown = _DIGIT_RUN.sub(_hide_in_run, text)
    shown = _IN_FLOATING_POINT.sub(_hide_in_floating_point, shown)
    return _CODE_IN_TEXT.sub(rf"\1\2{REMOVED}", shown)


@functools.lru_cache(maxsize=1024)  # a name comes with every card
def is_secret_name(name: str) -> bool:
    """Say whether a field of this name holds payment data, whatever its value looks like.

    Examples
    --------
    >>> is_secret_name("card_cvv"), is_secret_name("Security Code"), is_secret_name("bank")
    (True, True, False)
    """
    return _SECRET_NAME.fullmatch(_NO_LETTERS.sub("", name).casefold()) is not None


class Removal:
    """Takes payment data out of values decoded from JSON.

    Parameters
    ----------
    ids : frozenset of str, optional
        Fields whose values are left as they are.

    Attributes
    ----------
    found : bool
        Whether there was any so far.
    """

    def __init__(self, ids: frozenset[str] = frozenset()) -> None:
        self.found = False
        self._ids = ids

    def text(self, text: str) -> str:
        """Take card numbers out of a text."""
        shown = hide_card_numbers(text)
        self.found = self.found or shown != text
        return shown

    def value(self, value: Any, levels: int) -> Any:
        """Take payment data out of a value of any kind, down to so many levels."""
        if isinstance(value, Number):
            return self._number(value)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self._members(value, levels) if levels else TOO_DEEP
        if isinstance(value, list):
            return [self.value(item, levels - 1) for item in value] if levels else TOO_DEEP
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(Number(value), value)
        return value

    def _members(self, members: dict[str, Any], levels: int) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for place, (key, item) in enumerate(members.items()):
            name = self.text(key)
            if name in kept:  # two keys from which something was removed
                name = f"{name} #{place}"
            if is_secret_name(key) and not _says_nothing(item):
                self.found = True
                kept[name] = REMOVED
            elif key in self._ids and isinstance(item, str | int):
                kept[name] = item
            else:
                kept[name] = self.value(item, levels - 1)
        return kept

    def _number(self, number: Number, otherwise: Any = None) -> Any:
        digits = _whole_digits(number)
        if hide_card_numbers(digits) != digits:
            self.found = True
            return REMOVED
        return number if otherwise is None else otherwise


def without_payment_data(value: Any) -> Any:
    """Give an instrument, or a list of them, without payment data; ids stay as they are.

    Lists and objects nested too deeply are left out: what nobody has looked at is not shown.
    """
    return _without_too_deep(Removal(ids=_ID_FIELDS).value(value, MOST_LEVELS))


def _without_too_deep(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_too_deep(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_too_deep(item) for item in value]
    return None if isinstance(value, TooDeep) else value


def _says_nothing(value: Any) -> bool:
    """Whether a field that is called a secret holds none: `cvv_required` is true or false."""
    return value is None or isinstance(value, bool)


def _hide_in_run(run: re.Match[str]) -> str:
    text = run[0]
    groups = [match.span() for match in _GROUP.finditer(text)]
    if len(groups) > _MOST_GROUPS:
        return REMOVED
    kept, shown, first = 0, [], 0
    while first < len(groups):
        last = _last_group(text, groups, first)
        if last is None:
            first += 1
            continue
        shown += [text[kept : groups[first][0]], REMOVED]
        kept, first = groups[last][1], last + 1
    return "".join(shown) + text[kept:] if shown else text


def _hide_in_floating_point(found: re.Match[str]) -> str:
    digits = _whole_digits(found[0])
    return REMOVED if len(digits) >= _SHORTEST and _is_card_number(digits) else found[0]


def _last_group(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """Find the group with which a card number ends that begins with group `first`."""
    digits, found = "", None
    for last in range(first, len(groups)):
        start, end = groups[last]
        if last > first and max(end - start, len(digits) * (last == first + 1)) > _LONGEST_GROUP:
            break
        digits += text[start:end]
        if len(digits) > _LONGEST:
            break
        if len(digits) >= _SHORTEST and _is_card_number(digits):
            found = last
    return found


def _is_card_number(digits: str) -> bool:
    numbers = [int(digit) for digit in digits]  # those of other scripts are digits as well
    if _NETWORK.match("".join(map(str, numbers))) is None:
        return False
    doubled = [2 * number - 9 * (number > 4) for number in numbers[-2::-2]]
    return (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0


def _whole_digits(number: str) -> str:
    """Write a number as digits, where it is a whole one and could be a card number; else nothing.

    Systems that keep card numbers in floating point write ``4.111111111111111e15``.
    """
    exponent = _EXPONENT.search(number)
    if len(number) < _SHORTEST and exponent is None:
        return ""
    if number.isdecimal():
        return number
    if len(number) > _LONGEST_NUMBER or (exponent is not None and len(exponent[1]) > 2):
        return ""  # no card number is written so, and powers of ten take their time
    value = Decimal(number)
    if not value.is_finite() or value.adjusted() >= _LONGEST or value != value.to_integral_value():
        return ""
    return f"{value:f}".partition(".")[0]
