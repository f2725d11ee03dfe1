"""The seal of a campaign that is over: digests of its plan, of its journal, and of each page of it.

The chain of the audit finds every change of a record, and the tables are held against the records;
a byte that neither reads, such as one in a free page, is found by the seal alone. Digests of pages
say where a byte was changed.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.cleanup.audit.journal_reader import JOURNAL_NAME, ROLLBACK_NAME
from tokenvault_data.dataset.durable_files import fsync_directory
from tokenvault_data.dataset.readers import open_sqlite
from tokenvault_data.errors import UsageError
from tokenvault_data.local_paths import local_path
from tokenvault_data.private_files import write_private_file

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from tokenvault_data.cleanup.audit.findings import Findings


PAGE_BYTES: Final = 4096
"""Of every journal; SQLite's own default, which a journal never changes."""

_INTERIOR: Final = frozenset({2, 5})
_FIRST_HEADER: Final = 100


def owners(data: bytes, path: Path) -> dict[int, str]:
    """Return the tables by the numbers of their pages, from 1; as far as they can be told.

    Parameters
    ----------
    data : bytes
        The whole file.
    path : Path
        Where it lies; only read.
    """
    found = {1: "its table of contents"}
    for name, root in _roots(path):
        waiting = [root]
        while waiting:
            number = waiting.pop()
            if number in found or not 1 <= number <= len(data) // PAGE_BYTES:
                continue
            found[number] = name
            waiting += _children(data, number)
    return found


def _roots(path: Path) -> list[tuple[str, int]]:
    try:
        with closing(open_sqlite(path, "mode=ro&immutable=1")) as connection:
            rows = connection.execute(
                "SELECT tbl_name,type,rootpage FROM sqlite_schema WHERE rootpage>0"
            ).fetchall()
    except (sqlite3.Error, UnicodeDecodeError):  # SQLite words its errors with what it read
        return []
    return [
        (f"table {name}" if kind == "table" else f"an index of {name}", n) for name, kind, n in rows
    ]


def _children(data: bytes, number: int) -> list[int]:
    page = data[(number - 1) * PAGE_BYTES : number * PAGE_BYTES]
    at = _FIRST_HEADER if number == 1 else 0
    if page[at] not in _INTERIOR:
        return []
    count = int.from_bytes(page[at + 3 : at + 5])
    children = [int.from_bytes(page[at + 8 : at + 12])]
    for cell in range(count):
        pointer = int.from_bytes(page[at + 12 + 2 * cell : at + 14 + 2 * cell])
        children.append(int.from_bytes(page[pointer : pointer + 4]))
    return children


SEAL_NAME: Final = "seal.json"
_PLAN_NAME: Final = "plan.json"
_FORMAT: Final = "tokenvault-seal"
_KEYS: Final = frozenset(
    {
        "format",
        "format_version",
        "plan_sha256",
        "journal_sha256",
        "journal_bytes",
        "pages",
        "audit_head",
        "audit_rows",
        "digest",
    }
)
_PAGE_DIGITS: Final = 16


def seal_journal(folder: str | os.PathLike[str]) -> Path:
    """Seal the journal of a campaign that is over; a seal that is there already stays as it is.

    To be called after the last transaction, and again whenever a campaign is found to be over, so
    that one whose process was killed in between gets its seal as well.

    Returns
    -------
    pathlib.Path
        ``seal.json`` in the folder.

    Raises
    ------
    UsageError
        Plan or journal cannot be read, the campaign is not over, or the seal cannot be written.
    """
    place = local_path(folder)
    path = place / SEAL_NAME
    if path.exists():
        return path
    try:
        content = _line(_content(place))
        write_private_file(path, content, replace=False)
        fsync_directory(place)
    except FileExistsError:
        return path
    except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
        raise UsageError(
            f"The campaign cannot be sealed ({error}); what it did is journaled; check the disk,"
            " then apply the plan again, which only writes the seal."
        ) from error
    return path


def _content(folder: Path) -> dict[str, Any]:
    data = (folder / JOURNAL_NAME).read_bytes()
    with closing(open_sqlite(folder / JOURNAL_NAME, "mode=ro")) as connection:
        last = connection.execute(
            "SELECT seq,kind,hash FROM audit ORDER BY seq DESC LIMIT 1"
        ).fetchone()
    if last is None or last[1] != "sealed":
        raise UsageError(
            "The campaign is not over, so its journal was not sealed; apply the plan again, or"
            " abort it."
        )
    return {
        "format": _FORMAT,
        "format_version": 1,
        "plan_sha256": _sha256((folder / _PLAN_NAME).read_bytes()),
        "journal_sha256": _sha256(data),
        "journal_bytes": len(data),
        "pages": _pages(data),
        "audit_head": last[2],
        "audit_rows": last[0],
    }


def check_seal(folder: Path, findings: Findings) -> dict[str, Any] | None:
    """Hold plan and journal against the seal.

    Returns
    -------
    dict or None
        What the seal holds; None when it is damaged.
    """
    seal = _read(folder / SEAL_NAME)
    if seal is None:
        findings.add("damaged seals", "seal.json: it is not as it was written")
        return None
    plan = _bytes(folder / _PLAN_NAME)
    if plan is not None and _sha256(plan) != seal["plan_sha256"]:
        findings.add("changed files", "plan.json: it was changed after the campaign was over")
    if (folder / ROLLBACK_NAME).exists():
        findings.add(
            "changed files",
            f"{ROLLBACK_NAME}: it lies beside a sealed journal, where no campaign leaves one",
        )
    data = _bytes(folder / JOURNAL_NAME)
    if data is None:
        findings.add("missing files", "journal.sqlite: it is missing or cannot be read")
    elif _sha256(data) != seal["journal_sha256"]:
        _place_change(data, folder / JOURNAL_NAME, seal, findings)
    return seal


def _place_change(data: bytes, path: Path, seal: dict[str, Any], findings: Findings) -> None:
    if len(data) != seal["journal_bytes"]:
        findings.add(
            "changed files",
            f"journal.sqlite: it has {len(data):,} bytes, and {seal['journal_bytes']:,} when the"
            " campaign was over",
        )
    known = owners(data, path)
    for number, (now, then) in enumerate(zip(_pages(data), seal["pages"], strict=False), start=1):
        if now != then:
            first = (number - 1) * PAGE_BYTES
            findings.add(
                "changed pages",
                f"journal.sqlite: bytes {first:,} to {first + PAGE_BYTES - 1:,} (page {number},"
                f" {known.get(number, 'of no table')}) were changed after the campaign was over",
            )


def _pages(data: bytes) -> list[str]:
    return [
        _sha256(data[at : at + PAGE_BYTES])[:_PAGE_DIGITS] for at in range(0, len(data), PAGE_BYTES)
    ]


def _read(path: Path) -> dict[str, Any] | None:
    content = _bytes(path)
    if content is None:
        return None
    try:
        seal = json.loads(content)
        if not isinstance(seal, dict) or seal.keys() != _KEYS or seal["format"] != _FORMAT:
            return None
        rest = {key: value for key, value in seal.items() if key != "digest"}
        is_whole = _line(rest) == content and _is_of_its_form(seal)
    except (ValueError, TypeError, RecursionError):
        return None
    return seal if is_whole else None


def _is_of_its_form(seal: dict[str, Any]) -> bool:
    texts = (seal["plan_sha256"], seal["journal_sha256"], seal["audit_head"], *seal["pages"])
    numbers = (seal["journal_bytes"], seal["audit_rows"])
    return (
        isinstance(seal["pages"], list)
        and all(isinstance(one, str) for one in texts)
        and all(type(one) is int for one in numbers)
    )


def _line(content: dict[str, Any]) -> bytes:
    text = _canonical(content)
    return (_canonical(content | {"digest": _sha256(text.encode())}) + "\n").encode()


def _canonical(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
