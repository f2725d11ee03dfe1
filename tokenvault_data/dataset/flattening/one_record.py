"""The patient reader: takes one body apart in Python and reads whatever is in it.

It is the authority on what a body means; the fast reader may only accept what it reads alike.

Numbers where text is documented are taken as their JSON text. Anything else of the wrong type
leaves its column null, adds an anomaly, and is kept as JSON text in ``extra``, as are fields that
have no column, but for payment data. A field without a column whose value is ``null`` says nothing
and is not kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tokenvault_data.dataset.flattening.canonical import (
    LEAVES,
    META,
    META_FIELDS,
    TOKEN,
    TOKEN_FIELDS,
    TOP_FIELDS,
    column_of,
)
from tokenvault_data.payment_data import Removal
from tokenvault_data.vault_json import (
    MOST_LEVELS,
    NotAList,
    NotJson,
    Number,
    Object,
    TooDeep,
    elements_of,
    mend,
    read_tree,
)


class BodyUnreadable(ValueError):  # noqa: N818 - named for what is wrong, as the error tree is
    """A body that is no list of instruments; the message says why and quotes nothing of it."""


@dataclass(slots=True)
class ReceivedRecord:
    """One element of a list, taken apart."""

    values: dict[str, str] = field(default_factory=dict)
    issues: set[str] = field(default_factory=set)
    extra: str | None = None

    def keep(self, extra: dict[str, Any]) -> None:
        """Keep what has no column as JSON text, without payment data."""
        if not extra:
            return
        removal = Removal()
        self.extra = _to_json(removal.value(extra, MOST_LEVELS), self)
        if removal.found:
            self.issues.add("extra:secret")


def _to_json(value: Any, record: ReceivedRecord) -> str:
    if isinstance(value, dict):
        members = (
            f"{_quoted(key, record)}:{_to_json(item, record)}" for key, item in value.items()
        )
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_to_json(item, record) for item in value) + "]"
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, TooDeep):
        record.issues.add("extra:unreadable")
        return '"[nested too deeply]"'
    if isinstance(value, float):  # NaN and the infinities, which are no JSON
        record.issues.add("extra:type")
        return f'"{value}"'
    return _quoted(value, record) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str, record: ReceivedRecord) -> str:
    mended = mend(text)
    if mended != text:
        record.issues.add("extra:encoding")
    return json.dumps(mended, ensure_ascii=False)


def _take(
    source: Object,
    fields: tuple[str, ...],
    nested: str | None,
    record: ReceivedRecord,
    extra: dict[str, Any],
) -> Object | None:
    """Move the known `fields` of `source` into `record`, return its `nested` object if it is one.

    What is left, and what is of the wrong type, goes to `extra`.
    """
    inner: Object | None = None
    if source.repeated:
        record.issues.add("instrument:repeated_key")
    for key, value in source.items():
        if value is None:
            continue
        if key == nested and isinstance(value, Object):
            inner = value
        elif key in fields and isinstance(value, str):
            cleaned = mend(value)
            if cleaned != value:
                record.issues.add(f"{column_of(key)}:encoding")
            record.values[key] = str(cleaned)
        else:
            if key == nested or key in fields:
                record.issues.add(f"{column_of(key)}:type")
            extra[key] = value
    return inner


def read_record(element: Any) -> ReceivedRecord:
    """Take one element of a list apart; whatever it is, it becomes a row."""
    record = ReceivedRecord()
    if not isinstance(element, Object):
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


def read_body(body: bytes) -> list[ReceivedRecord] | None:
    """Take a whole body apart.

    Parameters
    ----------
    body : bytes
        A JSON array, a cursor envelope ``{"data": [...]}``, or one instrument.

    Returns
    -------
    list of Record or None
        One for each element, in order; None where ``null`` was sent in place of a list.

    Raises
    ------
    BodyUnreadable
        The body is not JSON, or no list of instruments.
    """
    try:
        elements = elements_of(read_tree(body))
    except (NotJson, NotAList) as error:
        raise BodyUnreadable(str(error)) from None
    return None if elements is None else [read_record(element) for element in elements]


def as_columns(records: list[ReceivedRecord]) -> dict[str, list[str | None]]:
    """Return the leaves, issues and extra of `records` as columns of ``RECEIVED``."""
    columns: dict[str, list[str | None]] = {
        leaf: [record.values.get(leaf) for record in records] for leaf in LEAVES
    }
    columns["issues"] = [";".join(sorted(r.issues)) if r.issues else None for r in records]
    columns["extra"] = [record.extra for record in records]
    return columns
