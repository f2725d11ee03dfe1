"""The patient reader: takes one body apart in Python and reads whatever is in it.

It is the authority on what a body means; the fast reader may only accept what it reads alike.

Numbers where text is documented are taken as their JSON text. Anything else of the wrong type
leaves its column null, adds an anomaly, and is kept as JSON text in ``extra``, as are fields that
have no column. A field without a column whose value is ``null`` says nothing and is not kept.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tokenvault_data.dataset.received import (
    LEAVES,
    META,
    META_FIELDS,
    TOKEN,
    TOKEN_FIELDS,
    TOP_FIELDS,
    column_of,
)

SECRET_FIELDS = frozenset(
    {"cryptogram", "card_number", "card_cvv", "cvv", "token_requestor_id", "x-client-secret"}
)
"""Never kept, wherever they turn up: with them a payment could be made."""


class BodyUnreadable(ValueError):  # noqa: N818 - named for what is wrong, as the error tree is
    """A body that is no list of instruments; the message says why and quotes nothing of it."""


@dataclass(slots=True)
class Record:
    """One element of a list, taken apart."""

    values: dict[str, str] = field(default_factory=dict)
    issues: set[str] = field(default_factory=set)
    extra: str | None = None

    def keep(self, extra: dict[str, Any]) -> None:
        """Keep what has no column as JSON text, without secrets."""
        if not extra:
            return
        try:
            self.extra = _to_json(_without_secrets(extra, self))
        except RecursionError:
            self.issues.add("extra:unreadable")


class _Number(str):
    """A JSON number, kept as its text so that no digit of it is lost."""

    __slots__ = ()


class _Object(dict[str, Any]):
    __slots__ = ("repeated",)
    repeated: bool


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    result = _Object(pairs)
    result.repeated = len(result) != len(pairs)
    return result


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_Number,
    parse_float=_Number,
    parse_constant=_refuse_constant,
)


def _to_json(value: Any) -> str:
    if isinstance(value, dict):
        members = (f"{_to_json(_clean(key))}:{_to_json(item)}" for key, item in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_to_json, value)) + "]"
    if isinstance(value, _Number):
        return str(value)
    return json.dumps(_clean(value) if isinstance(value, str) else value, ensure_ascii=False)


def _clean(text: str) -> str:
    # Bytes that are not UTF-8 and JSON escapes of half a pair both leave lone surrogates behind.
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def _without_secrets(value: Any, record: Record) -> Any:
    if isinstance(value, list):
        return [_without_secrets(item, record) for item in value]
    if isinstance(value, dict):
        kept = {}
        for key, item in value.items():
            if key.casefold() in SECRET_FIELDS and item is not None:
                record.issues.add("extra:secret")
                kept[key] = "[removed]"
            else:
                kept[key] = _without_secrets(item, record)
        return kept
    return value


def _take(
    source: _Object,
    fields: tuple[str, ...],
    nested: str | None,
    record: Record,
    extra: dict[str, Any],
) -> _Object | None:
    """Move the known `fields` of `source` into `record`, return its `nested` object if it is one.

    What is left, and what is of the wrong type, goes to `extra`.
    """
    inner: _Object | None = None
    if source.repeated:
        record.issues.add("instrument:repeated_key")
    for key, value in source.items():
        if value is None:
            continue
        if key == nested and isinstance(value, _Object):
            inner = value
        elif key in fields and isinstance(value, str):
            cleaned = _clean(value)
            if cleaned != value:
                record.issues.add(f"{column_of(key)}:encoding")
            record.values[key] = str(cleaned)
        else:
            if key == nested or key in fields:
                record.issues.add(f"{column_of(key)}:type")
            extra[key] = value
    return inner


def read_record(element: Any) -> Record:
    """Take one element of a list apart; whatever it is, it becomes a row."""
    record = Record()
    if not isinstance(element, _Object):
        record.issues.add("instrument:not_an_object")
        if element is not None:
            record.keep({"instrument": element})
        return record
    extra: dict[str, Any] = {}
    meta_extra: dict[str, Any] = {}
    token_extra: dict[str, Any] = {}
    meta = _take(element, TOP_FIELDS, META, record, extra)
    token = None if meta is None else _take(meta, META_FIELDS, TOKEN, record, meta_extra)
    if token is not None:
        _take(token, TOKEN_FIELDS, None, record, token_extra)
    if token_extra:
        meta_extra[TOKEN] = token_extra
    if meta_extra:
        extra[META] = meta_extra
    record.keep(extra)
    return record


def read_body(body: bytes) -> list[Record]:
    """Take a whole body apart.

    Parameters
    ----------
    body : bytes
        A JSON array, a cursor envelope ``{"data": [...]}``, or one instrument.

    Returns
    -------
    list of Record
        One for each element, in order.

    Raises
    ------
    BodyUnreadable
        The body is not JSON, or no list of instruments.
    """
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff").strip(" \t\r\n")
    try:
        content = _DECODER.decode(text)
        elements = _elements(content)
        return [read_record(element) for element in elements]
    except RecursionError:
        raise BodyUnreadable("its JSON is nested too deeply to be read") from None
    except json.JSONDecodeError as error:
        raise BodyUnreadable(f"it is not JSON (at character {error.pos})") from None
    except BodyUnreadable:
        raise
    except ValueError:
        raise BodyUnreadable("it is not JSON (it holds NaN or Infinity)") from None


def _elements(content: Any) -> list[Any]:
    if isinstance(content, list):
        return content
    if isinstance(content, _Object):
        data = content.get("data")
        if isinstance(data, list):
            return data
        if data is not None:
            raise BodyUnreadable("its `data` is not a list")
        if any(content.get(name) is not None for name in (*TOP_FIELDS, META)):
            return [content]
        raise BodyUnreadable("it is an object with no field of an instrument")
    raise BodyUnreadable("it is neither a list nor an object")


def as_columns(records: list[Record]) -> dict[str, list[str | None]]:
    """Return the leaves, issues and extra of `records` as columns of ``RECEIVED``."""
    columns: dict[str, list[str | None]] = {
        leaf: [record.values.get(leaf) for record in records] for leaf in LEAVES
    }
    columns["issues"] = [";".join(sorted(r.issues)) if r.issues else None for r in records]
    columns["extra"] = [record.extra for record in records]
    return columns
