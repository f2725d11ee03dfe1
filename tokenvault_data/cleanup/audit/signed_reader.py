"""Signed files beside a plan, read and verified by the audit itself."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tokenvault_data.folders import named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tokenvault_data.cleanup.audit.findings import Findings

_OF_ALL: Final = ("format", "plan", "environment", "merchant", "key", "fingerprint", "signature")
_OTHERS: Final[Mapping[str, Mapping[str, type | tuple[type, ...]]]] = {
    "approval": {"rows": int, "approver": str, "approved_at": str},
    "revocation": {"approver": str, "revoked_at": str, "reason": (str, type(None))},
    "countersignature": {"rows": int, "seal": str, "finals": dict, "signer": str, "signed_at": str},
}
_LARGEST_BYTES: Final = 65_536


def signed_forms(
    folder: Path, noun: str, findings: Findings
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the files of one kind whose signatures hold, by name; the others are findings.

    Parameters
    ----------
    folder : Path
    noun : {"approval", "revocation", "countersignature"}
    findings : Findings
    """
    for path in named(folder, re.compile(rf"{noun}-.*\.json")):
        form = _form(path, noun)
        fault = "it is not as it was signed" if form is None else _fault_of_signature(form)
        if form is None or fault is not None:
            findings.add(f"{noun}s that do not hold", f"{path.name}: {fault}")
        else:
            yield path.name, form


def _form(path: Path, noun: str) -> dict[str, Any] | None:
    others = _OTHERS[noun]
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES)
        form = json.loads(content)
        if not isinstance(form, dict) or form.keys() != {*_OF_ALL, *others}:
            return None
        if _line(form) != content or form["format"] != f"tokenvault-{noun}":
            return None
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    texts = (form[key] for key in _OF_ALL if key != "merchant")
    if not all(isinstance(text, str) for text in texts):
        return None
    is_right = all(isinstance(form[key], kind) for key, kind in others.items())
    return form if is_right else None


def _fault_of_signature(form: Mapping[str, Any]) -> str | None:
    unsigned = {key: value for key, value in form.items() if key != "signature"}
    try:
        key = base64.b64decode(form["key"], validate=True)
        signature = base64.b64decode(form["signature"], validate=True)
        Ed25519PublicKey.from_public_bytes(key).verify(signature, _line(unsigned))
    except (InvalidSignature, ValueError):
        return "its signature is not over what it says"
    if base64.b64encode(signature).decode() != form["signature"]:
        return "its signature is not as it was signed"
    if hashlib.sha256(key).hexdigest() != form["fingerprint"]:
        return "its key is not the one it names"
    return None


def _line(form: Mapping[str, Any]) -> bytes:
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"{text}\n".encode("ascii")
