"""What a campaign writes down: one record for everything that happens, and its canonical text.

The records are the campaign: every table of the journal, and every state in memory, is what they
add up to. Kinds and details are those that `audit` reads.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Record(NamedTuple):
    """One thing that happened.

    Attributes
    ----------
    kind : str
        ``opened``, ``approved``, ``confirmed``, ``recovered``, ``remembered``, ``state``,
        ``checked``, ``intended``, ``withdrawn``, ``outcome``, ``seen``, ``control``, ``item`` or
        ``sealed``.
    number : int or None
        The planned row it is about, None when about the campaign.
    detail : dict
        Values that JSON can hold.
    """

    kind: str
    number: int | None
    detail: Mapping[str, Any]


def canonical(value: object) -> str:
    """Write a value as the one JSON text that stands for it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def link(previous: str, seq: int, at: str, record: Record) -> str:
    """Return the hash that joins a record to the one before it: 64 hexadecimal digits."""
    text = canonical([seq, at, record.kind, record.number, dict(record.detail)])
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def moved(number: int, before: str, after: str, reason: str | None = None) -> Record:
    """Say that an item moved from one open state to another."""
    return Record("item", number, {"from": before, "to": after, "final": None, "reason": reason})


def ended(number: int, before: str, final: str, reason: str | None) -> Record:
    """Say that an item has ended, and how."""
    return Record("item", number, {"from": before, "to": "final", "final": final, "reason": reason})


def state(before: str, after: str, reason: str | None) -> Record:
    """Say that the campaign moved."""
    return Record("state", None, {"from": before, "to": after, "reason": reason})
