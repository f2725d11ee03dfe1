"""Reading the JSON of an answer, the same way in the client and in the tables.

What decides is one question: is it JSON but for single values? Then each of these costs itself and
nothing else: bytes that are not UTF-8, half a surrogate pair, an escape that does not exist, a bare
control character, ``NaN``, a number of any length, a key that comes twice, a value nested too
deeply. A body whose braces, commas and quotes do not add up is not JSON, and no part is taken.
"""

from __future__ import annotations

import codecs
import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # in C, and not in the stubs
from typing import Any, Final

import orjson

MOST_LEVELS: Final = 100
"""Lists and objects within each other; a list of cards has six."""

UNREADABLE_SIGN: Final = "\ufffd"
"""Stands where a character could not be read."""


class NotJson(ValueError):  # noqa: N818 - named for what is wrong, as the error tree is
    """The bytes are not JSON; the message says so and quotes nothing of them."""


class NotAList(ValueError):  # noqa: N818 - as above
    """It is JSON, and not a list of instruments; the message says why and quotes nothing."""


class Number(str):
    """A JSON number, kept as its text so that no digit of it is lost."""

    __slots__ = ()


class Object(dict[str, Any]):
    """A JSON object; `repeated` says whether a key came twice, and then its last value counts."""

    __slots__ = ("repeated",)
    repeated: bool


class TooDeep:
    """Stands for a list or an object below `MOST_LEVELS`."""


TOO_DEEP: Final = TooDeep()


def read_tree(body: bytes) -> Any:
    """Read a body for the tables: nothing is lost, and what is odd can be seen.

    Returns
    -------
    object
        Lists, `Object`, text, `Number`, True, False, None; ``float`` for ``NaN`` and infinities,
        which are no JSON. A lone surrogate in a text stands for what could not be read there.

    Raises
    ------
    NotJson
    """
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    try:
        return _STRICT.decode(text.strip(" \t\r\n"))
    except (ValueError, RecursionError):
        return _read_damaged(text)


def decode(body: bytes) -> Any:
    """Read a body as Python values, whatever `read_tree` can read.

    Returns
    -------
    object
        As `json.loads` gives; `UNREADABLE_SIGN` for what could not be read in a text, None for a
        value nested too deeply.

    Raises
    ------
    NotJson
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass  # so that the error, which holds the body, is in no traceback
    return _plain(read_tree(body), MOST_LEVELS)


def decode_strictly(body: bytes) -> Any:
    """Read a body only if all of it is JSON, for those who have to prove something with it.

    Raises
    ------
    NotJson
    """
    try:
        return orjson.loads(body.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError:
        pass  # as in `decode`
    raise NotJson("it is not JSON, or a value in it is damaged")


def elements_of(content: Any) -> list[Any] | None:
    """Return the elements of a list of instruments; None where nothing was sent in its place.

    Parameters
    ----------
    content : object
        Of `read_tree` or `decode`: an array, an envelope ``{"data": [...]}``, or one instrument.
        ``null`` and ``{"data": null}`` are nothing.

    Raises
    ------
    NotAList
    """
    if content is None or isinstance(content, list):
        return content
    if not isinstance(content, dict):
        raise NotAList("it is neither a list nor an object")
    data = content.get("data")
    if isinstance(data, list):
        return data
    if data is not None:
        raise NotAList("its `data` is not a list")
    if content.get("instrument_id") is not None:
        return [content]
    if "data" in content:
        return None
    raise NotAList("it is an object with no id of an instrument")


def mend(text: str) -> str:
    """Put `UNREADABLE_SIGN` in place of what could not be read."""
    return text if text.isascii() else _LONE_SURROGATE.sub(UNREADABLE_SIGN, text)


def _object(pairs: list[tuple[str, Any]]) -> Object:
    result = Object(pairs)
    result.repeated = len(result) != len(pairs)
    return result


_STRICT: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=float
)
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_UNREAD: Final = "\udc00"
_TOKEN: Final = re.compile(
    r"""[ \t\r\n]*(?:
        (?P<sign>[][{},:])
      | "(?P<text>[^"\\]*(?:\\.[^"\\]*)*)"
      | (?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![0-9.eE+-])
      | (?P<word>true|false|null|NaN|-?Infinity)
      | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|(\\.|[\x00-\x1f])', re.DOTALL)
_LONGEST_INTEGER: Final = 19  # of 64 bits, which all writers of JSON take
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}


def _unescape(raw: str) -> str:
    mended = _ESCAPE.sub(lambda found: _UNREAD if found[1] else found[0], raw)
    text: str = scanstring(f'{mended}"', 0, True)[0]
    return text


class _Open:
    """A list or an object that is being read; its members are not kept where it is too deep."""

    __slots__ = ("is_kept", "is_object", "items", "key")

    def __init__(self, *, is_object: bool, is_kept: bool) -> None:
        self.is_object = is_object
        self.is_kept = is_kept
        self.items: list[Any] = []
        self.key = ""

    def add(self, value: Any) -> None:
        if self.is_kept:
            self.items.append((self.key, value) if self.is_object else value)

    def close(self) -> Any:
        if not self.is_kept:
            return TOO_DEEP
        return _object(self.items) if self.is_object else self.items


def _read_damaged(text: str) -> Any:
    """Read JSON in which single values are damaged; nesting costs memory here and no stack."""
    whole = _Open(is_object=False, is_kept=True)
    stack = [whole]
    wanted, at = "value", 0
    while True:
        token = _TOKEN.match(text, at)
        if token is None:
            raise NotJson(f"it is not JSON (at character {at})")
        kind, at = token.lastgroup, token.end()
        if kind == "end":
            if len(stack) == 1 and wanted == "comma":
                return whole.items[0]
            raise NotJson(f"it is not JSON (at character {at})")
        here = stack[-1]
        sign = token["sign"] if kind == "sign" else ""
        if sign in {"[", "{"} and wanted in {"value", "value or end"}:
            stack.append(_Open(is_object=sign == "{", is_kept=len(stack) <= MOST_LEVELS))
            wanted = "key or end" if sign == "{" else "value or end"
        elif sign and sign in "]}" and len(stack) > 1 and here.is_object == (sign == "}"):
            if wanted not in {"comma", "key or end", "value or end"}:
                raise NotJson(f"it is not JSON (at character {at})")
            stack.pop()
            stack[-1].add(here.close())
            wanted = "comma"
        elif sign == "," and wanted == "comma" and len(stack) > 1:
            wanted = "key" if here.is_object else "value"
        elif sign == ":" and wanted == "colon":
            wanted = "value"
        elif kind == "text" and wanted in {"key", "key or end"}:
            here.key = _unescape(token["text"])
            wanted = "colon"
        elif not sign and wanted in {"value", "value or end"}:
            here.add(_leaf(str(kind), token[str(kind)]))
            wanted = "comma"
        else:
            raise NotJson(f"it is not JSON (at character {at})")


def _leaf(kind: str, found: str) -> Any:
    if kind == "text":
        return _unescape(found)
    if kind == "number":
        return Number(found)
    return _WORDS[found] if found in _WORDS else float(found)


def _plain(value: Any, levels: int) -> Any:
    if isinstance(value, Number):
        return _number(value)
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, list):
        return [_plain(item, levels - 1) for item in value] if levels else None
    if isinstance(value, dict):
        if not levels:
            return None
        return {mend(key): _plain(item, levels - 1) for key, item in value.items()}
    return None if isinstance(value, TooDeep) else value


def _number(text: Number) -> int | float:
    if len(text) < _LONGEST_INTEGER and text.lstrip("-").isdecimal():
        return int(text)
    return float(text)
