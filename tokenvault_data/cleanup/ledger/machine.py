"""Which machine this is, so that a campaign copied to another one is noticed."""

from __future__ import annotations

import hashlib
import json
import socket
import uuid
from pathlib import Path
from typing import Final

from tokenvault_data.private_files import write_private_file

MACHINE_NAME: Final = "machine.json"
_FORMAT: Final = "tokenvault-machine"
_ID_FILES: Final = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_DRAWN_BIT: Final = 1 << 40
_BOOT_FILE: Final = Path("/proc/sys/kernel/random/boot_id")


def machine_id() -> str:
    """Return 16 hexadecimal digits that stay the same on this machine."""
    known = next((text for path in _ID_FILES if (text := _text_of(path))), None)
    node = uuid.getnode()
    if node & _DRAWN_BIT:
        node = 0  # there is no network card, and another process would draw another number
    known = known or f"{socket.gethostname()} {node:x}"
    return hashlib.sha256(f"tokenvault machine\n{known}".encode()).hexdigest()[:16]


def boot_id() -> str:
    """Return what tells one start of this machine from the next, empty where it is not known."""
    return _text_of(_BOOT_FILE)


def write_machine(folder: Path) -> None:
    """Write into a campaign's folder on which machine it is applied."""
    content = {"format": _FORMAT, "host": socket.gethostname(), "machine": machine_id()}
    line = json.dumps(content, sort_keys=True, separators=(",", ":"))
    write_private_file(folder / MACHINE_NAME, f"{line}\n".encode(), replace=True)


def read_machine(folder: Path) -> tuple[str, str] | None:
    """Return machine and host that a campaign's folder names, None where it names none."""
    try:
        form = json.loads((folder / MACHINE_NAME).read_bytes())
        return str(form["machine"]), str(form["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
