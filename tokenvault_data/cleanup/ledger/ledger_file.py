"""One file of what was sent for an account: lines that are only added, each linked to the last.

A line that a crash cut is no line: its delete was not sent yet. Any other line that is not as it
was written makes the file damaged, and a damaged memory is never read as an empty one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import TYPE_CHECKING, Final, Literal

from filelock import FileLock, Timeout

from tokenvault_data.dataset.durable_files import fsync_directory
from tokenvault_data.errors import CampaignHalted, CampaignPaused, Locked
from tokenvault_data.private_files import write_private_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import FileIO
    from pathlib import Path

Event = Literal["opened", "intent", "withdrawn", "closed", "recovered"]
KEY_NAME: Final = "card-key"
_PATIENCE_SECONDS: Final = 1.0
_HASH_DIGITS: Final = 32
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event of one campaign.

    Attributes
    ----------
    at : str
        The wall clock, ISO 8601 in UTC.
    time : float
        Seconds on the ledger's own time, which setting the wall clock neither moves on nor back.
    boot, boot_seconds : str, float
        Which start of the machine it was, and the seconds since then.
    instance : str
        Which emulator; empty for a real account.
    campaign : str
        Id of the plan.
    card : str or None
        Keyed hash of customer and instrument.
    attempt : str or None
        Id of the intent.
    event : {'opened', 'intent', 'withdrawn', 'closed', 'recovered'}
    journal_seq, journal_hash : int, str
        Number and hash of the last record that the campaign's journal held.
    """

    at: str
    time: float
    boot: str
    boot_seconds: float
    instance: str
    campaign: str
    card: str | None
    attempt: str | None
    event: Event
    journal_seq: int
    journal_hash: str


_FIELDS: Final = frozenset(one.name for one in fields(Line)) | {"seq", "previous", "hash"}


class LedgerFile:
    """The lines of one file, in memory and on the disk.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    path : Path
    lines : list of Line
    key : bytes or None
        What hashes its cards; None where there is no such file yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[Line] = []
        self.key = _read_key(path.parent / KEY_NAME)
        self._file: FileIO | None = None
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=_PATIENCE_SECONDS)
        self._previous = ""
        self._whole_bytes = 0
        self._is_broken = False
        self._read()

    def open(self, key: bytes) -> None:
        """Make it ready to be added to; `key` is used where it has none yet.

        Raises
        ------
        Locked
            Another process adds to it.
        CampaignPaused
            It cannot be written.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
            if self.key is None:
                key_path = self.path.parent / KEY_NAME
                with suppress(FileExistsError):  # the process of another account was quicker
                    write_private_file(key_path, key.hex().encode(), replace=False)
                self.key = _read_key(key_path)
            # What another process wrote between reading and locking has to be known.
            self.lines.clear()
            self._previous, self._whole_bytes = "", 0
            self._read()
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            self._file = open(descriptor, "r+b", buffering=0)  # noqa: PTH123, SIM115  closed by `close`
            self._file.truncate(self._whole_bytes)
            fsync_directory(self.path.parent)
        except Timeout:
            self.close()
            raise Locked(
                f"another process writes what it deletes into {self.path}; nothing was sent. Wait"
                " for that cleanup to end, or pause it first"
            ) from None
        except OSError as error:
            self.close()
            raise _unwritable(self.path, error) from error

    def close(self) -> None:
        """Let it go."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._lock.release()

    def add(self, lines: Sequence[Line], *, is_durable: bool) -> None:
        """Add lines, on the disk when this returns if `is_durable`.

        Raises
        ------
        CampaignPaused
            The disk did not take them. Nothing more can be added before it is opened again, since
            nobody knows how much of them is there.
        """
        if self._file is None:
            raise RuntimeError(f"{self.path} is not open")
        if self._is_broken:
            raise _unwritable(self.path, OSError("it could not be written before"))
        texts: list[bytes] = []
        previous = self._previous
        for seq, line in enumerate(lines, len(self.lines) + 1):
            form = asdict(line) | {"seq": seq, "previous": previous}
            previous = _link(previous, form)
            texts.append(_canonical(form | {"hash": previous}))
        content = b"".join(texts)
        self._is_broken = True  # until the disk has them
        try:
            self._file.seek(self._whole_bytes)
            left = memoryview(content)
            while left:
                left = left[self._file.write(left) :]
            if is_durable:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._whole_bytes += len(content)
        self._previous = previous
        self.lines += lines
        self._is_broken = False

    def card(self, customer_id: str, instrument_id: str) -> str:
        """Return the keyed hash of a card."""
        text = f"{customer_id}\n{instrument_id}".encode()
        return hmac.new(self.key or b"", text, "sha256").hexdigest()[:_HASH_DIGITS]

    def _read(self) -> None:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unwritable(self.path, error) from error
        whole = content[: content.rfind(b"\n") + 1]
        for number, text in enumerate(whole.splitlines(keepends=True), 1):
            self.lines.append(self._line(text, number))
        self._whole_bytes = len(whole)
        if self.lines and self.key is None:
            raise CampaignHalted(
                f"{self.path.parent / KEY_NAME} is missing, without which nobody can say which"
                " cards were deleted; nothing was sent. Put the file back from a backup"
            )

    def _line(self, text: bytes, number: int) -> Line:
        try:
            form = json.loads(text)
            rest = {name: form[name] for name in _FIELDS - {"hash"}}
            line = Line(**{one.name: form[one.name] for one in fields(Line)})
            is_sound = (
                form.keys() == _FIELDS
                and text == _canonical(form)
                and (form["seq"], form["previous"]) == (number, self._previous)
                and form["hash"] == _link(self._previous, rest)
                and _is_of_its_form(line)
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            is_sound = False
        if not is_sound:
            raise CampaignHalted(
                f"the memory of what was deleted is damaged: line {number} of {self.path} is not as"
                " it was written; nothing was sent. Put a sound copy back; where there is none,"
                " move the file away and run `tokenvault cleanup recover` for each campaign of this"
                " account that is not over"
            )
        self._previous = form["hash"]
        return line


def _is_of_its_form(line: Line) -> bool:
    texts = (line.at, line.boot, line.instance, line.campaign, line.event, line.journal_hash)
    numbers = (line.time, line.boot_seconds)
    return (
        all(isinstance(one, str) for one in texts)
        and all(one is None or isinstance(one, str) for one in (line.card, line.attempt))
        and all(type(one) in (int, float) and isfinite(one) for one in numbers)
        and type(line.journal_seq) is int
    )


def new_key() -> bytes:
    """Return a fresh key for hashing cards."""
    return secrets.token_bytes(_KEY_BYTES)


def _read_key(path: Path) -> bytes | None:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unwritable(path, error) from error
    with suppress(ValueError):
        key = bytes.fromhex(text.decode("ascii"))
        if len(key) == _KEY_BYTES:
            return key
    raise CampaignHalted(
        f"{path} is damaged, without which nobody can say which cards were deleted; nothing was"
        " sent. Put the file back from a backup"
    )


def _link(previous: str, form: dict[str, object]) -> str:
    text = _canonical(form)[:-1].decode("ascii")
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def _canonical(form: dict[str, object]) -> bytes:
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"{text}\n".encode("ascii")


def _unwritable(path: Path, error: OSError) -> CampaignPaused:
    return CampaignPaused(
        f"the memory of what was deleted, {path}, cannot be used ({error.strerror or error}), so"
        " nothing more was sent. Make room or check the disk, then apply the plan again"
    )
