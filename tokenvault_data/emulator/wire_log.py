"""The record of every request as the server saw it, and of what it did: the witness.

Credentials are never part of it.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO


@dataclass(slots=True)
class WireEntry:
    """One request.

    Attributes
    ----------
    number
        Counted from 1 in the order of arrival.
    received_at_seconds
        When its head had arrived, seconds since 1970.
    received_monotonic_seconds
        The same on the server's monotonic clock.
    method, operation, customer_id, instrument_id
        What was asked for; ids as decoded.
    query
        The query as it came.
    host
        The `Host` header: a client that followed a foreign link or redirect shows here.
    client_port
        Tells connections apart.
    api_version, idempotency_key, request_id
        As sent; empty when not sent.
    applied
        What it changed: ``deleted``, ``delete pending``, ``replayed`` or nothing.
    status
        Sent back; None when no answer was begun.
    body_bytes
        Size of the whole body meant to be sent.
    fault
        The faults that struck, joined with ``+``.
    """

    number: int
    received_at_seconds: float
    received_monotonic_seconds: float
    method: str
    operation: str
    customer_id: str
    instrument_id: str
    query: str
    host: str
    client_port: int
    api_version: str
    idempotency_key: str
    request_id: str
    applied: str = ""
    status: int | None = None
    body_bytes: int = 0
    fault: str = ""

    def to_json(self) -> str:
        """Write one line of the record, with the time of arrival in words as well."""
        arrived = datetime.fromtimestamp(self.received_at_seconds, UTC)
        return json.dumps({**asdict(self), "received_at": arrived.isoformat()})


class WireLog:
    """The last entries in memory, and all of them in a file if one is named.

    An entry is written once the outcome is decided, right before the first byte of the answer, so
    that a request whose client has gone is there too.

    Parameters
    ----------
    max_entries
        How many are kept in memory; 0 for none.
    record
        The file of JSON lines, appended to. It is flushed by `flush` and `close`.
    """

    def __init__(self, max_entries: int, record: Path | str | None = None) -> None:
        self._entries: deque[WireEntry] = deque(maxlen=max_entries)
        self._file: TextIO | None = None
        if record is not None:
            # It stays open as long as the server runs; `close` is the server's last act.
            path = Path(record)
            self._file = path.open("a", encoding="utf-8", buffering=1 << 16)
        self.is_on = max_entries > 0 or record is not None

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: WireEntry) -> None:
        """Keep an entry."""
        self._entries.append(entry)
        if self._file is not None:
            self._file.write(entry.to_json() + "\n")

    def entries(self, operation: str | None = None) -> list[WireEntry]:
        """Copy what is in memory, oldest first, of one operation or of all."""
        # Copying a deque is one step for the interpreter, so the server may be adding meanwhile.
        copied = self._entries.copy()
        return [entry for entry in copied if operation in (None, entry.operation)]

    def clear(self) -> None:
        """Forget what is in memory; the file stays."""
        self._entries.clear()

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        if self._file is not None and not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        """Flush and close the file."""
        if self._file is not None:
            self._file.close()
