"""The people behind a campaign: who approved it, revoked that, or countersigned its seal."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tokenvault_data.cleanup.approval.keys import same_person
from tokenvault_data.cleanup.audit.findings import shown
from tokenvault_data.cleanup.audit.replay import finals_of
from tokenvault_data.cleanup.audit.rules import moment
from tokenvault_data.folders import named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from tokenvault_data.cleanup.audit.case import Case
    from tokenvault_data.cleanup.audit.findings import Findings
    from tokenvault_data.cleanup.audit.replay import Replay
    from tokenvault_data.cleanup.audit.rules import JournalEntry
    from tokenvault_data.cleanup.plan.plan import Plan


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


class SignedApproval(NamedTuple):
    """An approval whose signature holds.

    Attributes
    ----------
    file : str
    approver, fingerprint, approved_at : str
    is_known : bool
        Whether the key is trusted on this machine as that approver's.
    """

    file: str
    approver: str
    fingerprint: str
    approved_at: str
    is_known: bool


class SignedRevocation(NamedTuple):
    """A revocation whose signature holds; `reason` is the approver's."""

    file: str
    approver: str
    fingerprint: str
    revoked_at: datetime
    reason: str | None


def read_revocations(folder: Path, plan: Plan, findings: Findings) -> tuple[SignedRevocation, ...]:
    """Verify every revocation beside a plan."""
    found: list[SignedRevocation] = []
    for name, form in signed_forms(folder, "revocation", findings):
        revoked_at = moment(form["revoked_at"])
        fault = _of_another_plan(form, plan)
        if revoked_at is None:
            fault = "it does not say when it was given"
        if fault is not None or revoked_at is None:
            findings.add("revocations that do not hold", f"{name}: {fault}")
            continue
        found.append(
            SignedRevocation(
                name, form["approver"], form["fingerprint"], revoked_at, form["reason"]
            )
        )
    return tuple(found)


def check_approvals(case: Case) -> tuple[SignedApproval, ...]:
    """Verify every approval beside a plan, and that those the journal speaks of are among them."""
    plan, findings = case.plan, case.findings
    given: list[SignedApproval] = []
    for name, form in signed_forms(case.folder, "approval", findings):
        fault = _of_another_plan(form, plan)
        if form["rows"] != len(plan.cards):
            fault = "it is for another plan"
        elif same_person(form["approver"], plan.planner):
            fault = "it is by the planner of the plan, or by a name that looks like the planner's"
        if fault is not None:
            findings.add("approvals that do not hold", f"{name}: {fault}")
            continue
        is_known = _is_trusted(case, name, form, form["approver"])
        one = SignedApproval(
            name, form["approver"], form["fingerprint"], form["approved_at"], is_known
        )
        given.append(one)
        _note_unrecorded(case, one)
    for entry in case.replay.approved:
        _check_recorded(entry, plan, given, findings)
    return tuple(given)


def check_countersignatures(case: Case, seal_digest: str | None) -> tuple[str, ...]:
    """Verify every countersignature of the seal, and give the names of those that vouch for it."""
    names: list[str] = []
    wanted = (len(case.plan.cards), seal_digest, finals_of(case.replay.cards))
    people = people_of(case.plan, case.replay)
    for name, form in signed_forms(case.folder, "countersignature", case.findings):
        signer = form["signer"]
        fault = _of_another_plan(form, case.plan)
        if fault is None and (form["rows"], form["seal"], form["finals"]) != wanted:
            fault = "it is for another history than the files of this campaign tell"
        elif fault is None and any(same_person(signer, one) for one in people):
            fault = f"it is by {signer!r}, who planned, applied or recovered the campaign"
        if fault is not None:
            case.findings.add("countersignatures that do not hold", f"{name}: {fault}")
        elif _is_trusted(case, name, form, signer):
            names.append(signer)
    return tuple(names)


def people_of(plan: Plan, replay: Replay) -> list[str]:
    """Return the names of whoever planned, applied or recovered a campaign."""
    return [plan.planner, *(one.detail["by"] for one in (*replay.confirmed, *replay.recovered))]


def basis_of(case: Case, given: Sequence[SignedApproval]) -> str:
    """Return by whose approval a campaign was applied, and who decides that it counts."""
    environment, replay = case.plan.environment, case.replay
    if not given:
        if environment == "production":
            return "Nobody has approved it."
        return f"No approval was required in the environment {environment}, and none was given."
    who = " and ".join(dict.fromkeys(shown(one.approver) for one in given))
    if not all(one.is_known for one in given):
        return f"Approved by {who}, of whom not every key is trusted here."
    used = {entry.detail["trust"] for entry in (*replay.approved, *replay.confirmed)}
    is_own = case.trust.source == "self" or "self" in used
    if is_own and environment == "production":
        return f"Approved by {who}, and approvals are self-administered."
    whose = "this user's configuration trusts" if is_own else "the administrator trusts"
    return f"Approved by {who}, by keys that {whose}."


def _is_trusted(case: Case, file: str, form: Mapping[str, Any], person: str) -> bool:
    is_known = case.trust.approvers.get(form["fingerprint"]) == person
    if not is_known:
        case.findings.add(
            "keys that are not trusted here",
            f"{file}: its key {form['fingerprint'][:12]} is not trusted here as that of {person!r}",
        )
    return is_known


def _of_another_plan(form: Mapping[str, Any], plan: Plan) -> str | None:
    about = (form["plan"], form["environment"], form["merchant"])
    is_same = about == (plan.digest, plan.environment, plan.merchant)
    return None if is_same else "it is for another plan"


def _note_unrecorded(case: Case, one: SignedApproval) -> None:
    recorded = {
        (entry.detail["fingerprint"], entry.detail["approved_at"]) for entry in case.replay.approved
    }
    if case.replay.confirmed and (one.fingerprint, one.approved_at) not in recorded:
        case.notes.append(
            f"{one.file} is not recorded in the journal: it came after the plan was applied."
        )


def _check_recorded(
    entry: JournalEntry, plan: Plan, given: Sequence[SignedApproval], findings: Findings
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
