"""The approvals of a campaign, read and verified by the audit itself."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tokenvault_data.cleanup.people import same_person

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tokenvault_data.cleanup.audit_law import Entry
    from tokenvault_data.cleanup.findings import Findings
    from tokenvault_data.cleanup.plan import Plan

_KEYS: Final = frozenset(
    {
        "format",
        "plan",
        "environment",
        "merchant",
        "rows",
        "approver",
        "key",
        "fingerprint",
        "approved_at",
        "signature",
    }
)
_LARGEST_BYTES: Final = 65_536


class SignedApproval(NamedTuple):
    """An approval whose signature holds.

    Attributes
    ----------
    file : str
    approver, fingerprint, approved_at : str
    is_known : bool or None
        Whether the key is that approver's as far as this machine knows; None when not asked.
    """

    file: str
    approver: str
    fingerprint: str
    approved_at: str
    is_known: bool | None


def check_approvals(
    folder: Path,
    plan: Plan,
    recorded: Sequence[Entry],
    approvers: Mapping[str, str] | None,
    findings: Findings,
) -> tuple[SignedApproval, ...]:
    """Verify every approval beside a plan, and that those the journal speaks of are among them.

    Parameters
    ----------
    folder : Path
    plan : Plan
    recorded : sequence of Entry
        Records of kind ``approved``.
    approvers : mapping of str to str, optional
        Names by fingerprint, as `load_approvers` gives them; without it nobody is asked for.
    findings : Findings
    """
    given: list[SignedApproval] = []
    for path in sorted(folder.glob("approval-*.json")):
        form = _form(path)
        fault = "it is not as it was signed" if form is None else _fault(form, plan)
        if form is None or fault is not None:
            findings.add("approvals that do not hold", f"{path.name}: {fault}")
            continue
        is_known = None if approvers is None else _is_known(form, approvers)
        if is_known is False:
            findings.add(
                "approvals that do not hold",
                f"{path.name}: its key is not known here as that of {form['approver']!r}",
            )
        given.append(
            SignedApproval(
                path.name, form["approver"], form["fingerprint"], form["approved_at"], is_known
            )
        )
    for entry in recorded:
        _check_recorded(entry, plan, given, findings)
    return tuple(given)


def _check_recorded(
    entry: Entry, plan: Plan, given: Sequence[SignedApproval], findings: Findings
) -> None:
    detail = entry.detail
    if same_person(detail["approver"], plan.planner):
        findings.add(
            "approvals that do not hold",
            f"journal.sqlite: record {entry.seq} (approved) is of the planner of the plan",
        )
    # One key has one file, which a later approval by the same key replaces.
    rests = any(
        (one.approver, one.fingerprint) == (detail["approver"], detail["fingerprint"])
        and one.approved_at >= detail["approved_at"]
        for one in given
    )
    if not rests:
        findings.add(
            "approvals without a file",
            f"journal.sqlite: record {entry.seq} (approved) speaks of an approval of which no file"
            " that holds is in the folder",
        )


def _form(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES)
        form = json.loads(content)
        if not isinstance(form, dict) or form.keys() != _KEYS or _line(form) != content:
            return None
        if form["format"] != "tokenvault-approval":
            return None
    except (OSError, ValueError, RecursionError):
        return None
    texts = (form[key] for key in _KEYS - {"rows", "merchant"})
    return form if all(isinstance(text, str) for text in texts) else None


def _fault(form: Mapping[str, Any], plan: Plan) -> str | None:
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
    about = (form["plan"], form["environment"], form["merchant"], form["rows"])
    if about != (plan.digest, plan.environment, plan.merchant, len(plan.cards)):
        return "it is for another plan"
    if same_person(form["approver"], plan.planner):
        return "it is of the planner of the plan"
    return None


def _is_known(form: Mapping[str, Any], approvers: Mapping[str, str]) -> bool:
    return approvers.get(str(form["fingerprint"])) == str(form["approver"])


def _line(form: Mapping[str, Any]) -> bytes:
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"{text}\n".encode("ascii")
