"""The manifest: what a snapshot says of itself, and how that is checked.

It is written last, so a folder with a manifest is a whole snapshot. It names every file with its
digest, size and rows, and carries a digest over itself, so that any later change shows.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from typing import Any

from tokenvault_data.dataset.schema import OUTCOME_NAMES, SCHEMA_VERSION
from tokenvault_data.errors import SnapshotError

FORMAT = "tokenvault-snapshot"
"""Value of ``format`` in every manifest."""

MANIFEST_NAME = "manifest.json"

_FILE_NAME = re.compile(r"(instruments|outcomes)/part-\d{5,}\.parquet")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a snapshot.

    Attributes
    ----------
    path : str
        Relative to the snapshot's folder, e.g. ``instruments/part-00000.parquet``.
    sha256 : str
    size_bytes : int
    rows : int
    """

    path: str
    sha256: str
    size_bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot says of itself. Instants are ISO 8601 in UTC.

    Attributes
    ----------
    id : str
        Also the name of the folder.
    created_at, started_at, finished_at : str
        When it was published, and when the collection began and ended.
    environment : str
        ``production``, ``sandbox`` or ``emulator``.
    merchant : str or None
        Short keyed digest of the account; never a credential.
    api_version : str
    requested : int
        Customers asked for; equals the sum of `outcomes`.
    outcomes : dict of str to int
        Customers by outcome.
    failures : dict of str to int
        Failed customers by cause.
    instruments : int
        Rows of instruments.
    complete : bool
        No customer failed and none was left out.
    anomalies : dict of str to dict of str to int
        How many rows have an anomaly, by field and kind.
    files : tuple of FileEntry
    schema_version : int
    toolkit_version : str
    notices : tuple of str
        What somebody should look at before using the figures, a sentence each, without ids.
    vault : str or None
        What an emulated vault calls itself: two of one name hold the same cards, months apart. Null
        for a real vault, which `merchant` tells, and where it is not known.
    """

    id: str
    created_at: str
    started_at: str
    finished_at: str
    environment: str
    merchant: str | None
    api_version: str
    requested: int
    outcomes: dict[str, int]
    failures: dict[str, int]
    instruments: int
    complete: bool
    anomalies: dict[str, dict[str, int]]
    files: tuple[FileEntry, ...]
    schema_version: int = SCHEMA_VERSION
    toolkit_version: str = ""
    notices: tuple[str, ...] = ()
    vault: str | None = None

    def to_json(self) -> bytes:
        """Return canonical JSON: sorted keys, no spaces, the digest over all the rest included."""
        content: dict[str, Any] = {"format": FORMAT} | asdict(self)
        if not self.notices:
            del content["notices"]  # as manifests were written before there were any
        content["digest"] = _digest(content)
        return _canonical(content) + b"\n"


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(content)).hexdigest()


def toolkit_version() -> str:
    """Return the version of the installed toolkit, ``unknown`` when it runs uninstalled."""
    try:
        return metadata.version("tokenvault-data")
    except metadata.PackageNotFoundError:
        return "unknown"


def read_manifest(data: bytes, snapshot: str) -> Manifest:
    """Read and check a manifest.

    Parameters
    ----------
    data : bytes
    snapshot : str
        Name of the folder it stands in, which has to be the id in it.

    Raises
    ------
    SnapshotError
        It is damaged, of another format, or of a version this toolkit does not read.
    """
    damaged = SnapshotError(
        f"The manifest of snapshot {snapshot} is damaged; nothing was read; restore the folder "
        "from a copy, or remove it and open another snapshot."
    )
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise damaged from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise SnapshotError(
            f"{snapshot} is not a snapshot of this toolkit: its manifest is of another format; "
            "nothing was read; give the id or folder of a snapshot."
        )
    version = content.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise SnapshotError(
            f"Snapshot {snapshot} has schema version {version} and this toolkit reads up to "
            f"{SCHEMA_VERSION}; nothing was read; upgrade the toolkit."
        )
    digest = content.pop("digest", None)
    if digest != _digest(content):
        raise damaged
    try:
        manifest = _from_content(content)
    except (TypeError, KeyError, ValueError):
        raise damaged from None
    if manifest.id != snapshot:
        raise SnapshotError(
            f"The folder {snapshot} holds snapshot {manifest.id}; nothing was read; rename the "
            "folder back to the id of its snapshot."
        )
    return manifest


def _from_content(content: dict[str, Any]) -> Manifest:
    content = {"notices": (), "vault": None} | content  # which older manifests do not have
    values = {item.name: content[item.name] for item in fields(Manifest)}
    values["notices"] = tuple(map(str, values["notices"]))
    values["files"] = tuple(FileEntry(**entry) for entry in values["files"])
    manifest = Manifest(**values)
    if not all(_FILE_NAME.fullmatch(entry.path) for entry in manifest.files):
        raise ValueError("a file outside the snapshot")
    if set(manifest.outcomes) != set(OUTCOME_NAMES):
        raise ValueError("outcomes")
    if sum(manifest.outcomes.values()) != manifest.requested:
        raise ValueError("requested is not the sum of outcomes")
    return manifest
