"""The audit: an offline proof that joins plan, approvals and journal, and names what was touched.

It reads files only, changes none, and shares no code with the engine whose work it judges. What it
cannot find: a history that was written anew as a whole, with its chain, its tables and its seal;
so keep the digest of the seal, which reports print, somewhere else as well.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tokenvault_data.analysis.wording import counted
from tokenvault_data.cleanup.audit_approvals import SignedApproval, check_approvals
from tokenvault_data.cleanup.audit_file import (
    JOURNAL_NAME,
    check_structure,
    opened_journal,
    read_entries,
)
from tokenvault_data.cleanup.audit_law import OVER
from tokenvault_data.cleanup.audit_tables import check_tables
from tokenvault_data.cleanup.findings import Findings
from tokenvault_data.cleanup.plan import Plan, read_plan
from tokenvault_data.cleanup.replay import Replay, finals_of
from tokenvault_data.cleanup.seal import SEAL_NAME, check_seal
from tokenvault_data.errors import PlanDamaged

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What an audit has come to.

    Attributes
    ----------
    ok : bool
        Whether nothing was found that should not be.
    complete : bool
        Whether the campaign is over, all of it is accounted for, and it is sealed.
    findings : tuple of str
        What was found: each names a file and a row, record, line or page of it.
    planned : int
        Cards of the plan; 0 when the plan cannot be read.
    finals : mapping of str to int
        Cards that have ended, by how.
    open : int
        Cards that have not.
    state : str
        Of the campaign; ``sealed`` when the plan was never applied, empty when it cannot be told.
    plan_digest, audit_head, seal_digest : str or None
        What a copy of the campaign can be told by.
    records : int
        Records of the journal.
    approvals : tuple of SignedApproval
        Approvals whose signatures hold.
    """

    ok: bool
    complete: bool
    findings: tuple[str, ...]
    planned: int
    finals: Mapping[str, int]
    open: int
    state: str
    plan_digest: str | None = None
    audit_head: str | None = None
    seal_digest: str | None = None
    records: int = 0
    approvals: tuple[SignedApproval, ...] = ()

    @property
    def sentence(self) -> str:
        """The sum, e.g. ``3 planned = 2 deleted + 1 skipped_drift``."""
        if self.plan_digest is None:
            return "there is no plan to count by"
        parts = [f"{count:,} {final}" for final, count in self.finals.items()]
        parts += [f"{self.open:,} open"] if self.open or not parts else []
        return f"{self.planned:,} planned = {' + '.join(parts)}"

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        if not self.ok:
            return f"The audit found {counted(len(self.findings), 'fault')}: {self.sentence}."
        if not self.complete:
            return f"Nothing is wrong so far, and the campaign is not over: {self.sentence}."
        return f"Everything holds: {self.sentence}."


@dataclass(frozen=True, slots=True)
class AuditedCampaign:
    """What an audit has read, for reports and verification.

    Attributes
    ----------
    result : AuditResult
    plan : Plan or None
        None when it cannot be trusted.
    replay : Replay or None
        None when there is no plan, or no journal that can be read.
    """

    result: AuditResult
    plan: Plan | None
    replay: Replay | None


def audit(
    folder: str | os.PathLike[str], *, approvers: Mapping[str, str] | None = None
) -> AuditResult:
    """Prove a campaign from its files, or say which of them was touched, and where.

    Parameters
    ----------
    folder : path
        ``STORE/campaigns/<plan id>``, or a copy of it.
    approvers : mapping of str to str, optional
        Names by the fingerprints of keys, as `load_approvers` gives them. Without it signatures are
        verified, and not whose they are.

    Raises
    ------
    UsageError
        There is no plan in the folder.
    """
    return audited(folder, approvers=approvers).result


def audited(
    folder: str | os.PathLike[str], *, approvers: Mapping[str, str] | None = None
) -> AuditedCampaign:
    """Do what `audit` does, and give what was read as well."""
    place, findings = Path(folder), Findings()
    plan: Plan | None = None
    try:
        plan = read_plan(place)
    except PlanDamaged as error:
        findings.add("damaged plans", str(error).partition(";")[0])
    is_sealed = (place / SEAL_NAME).exists()
    seal = check_seal(place, findings) if is_sealed else None
    if plan is None:
        return AuditedCampaign(_without_plan(findings, seal), None, None)
    replay = Replay(plan, findings)
    head: tuple[int, str | None] = (0, None)
    if (place / JOURNAL_NAME).exists():
        head = _read_journal(place, plan, replay, findings, is_over=is_sealed)
    given = check_approvals(place, plan, replay.approved, approvers, findings)
    _check_caps(plan, replay, findings)
    _check_end(replay, seal, head, findings, is_sealed=is_sealed)
    result = _result(plan, replay, seal, head, given=given, findings=findings)
    return AuditedCampaign(result, plan, replay)


def _read_journal(
    folder: Path, plan: Plan, replay: Replay, findings: Findings, *, is_over: bool
) -> tuple[int, str | None]:
    """Take in all records; give their number and the hash of the last."""
    records, head = 0, None
    try:
        with opened_journal(folder, is_over=is_over) as connection:
            if check_structure(connection, findings):
                for entry, head in read_entries(connection, plan.digest, findings):  # noqa: B007  the last one is used
                    records += 1
                    replay.take(entry)
                if records == 0:
                    findings.add("empty audits", "journal.sqlite: its audit is empty")
                check_tables(connection, plan, replay, findings)
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        findings.add("files that cannot be read", f"journal.sqlite: it cannot be read: {error}")
    return records, head


def _check_caps(plan: Plan, replay: Replay, findings: Findings) -> None:
    limits = plan.limits
    attempted = [number for number, card in enumerate(replay.cards) if card.attempts]
    of_vault = floor(Fraction(str(limits.vault_share)) * plan.vault_cards)
    most = max(Counter(plan.cards[n].customer_id for n in attempted).values(), default=0)
    for cap, allowed, count in (
        ("rows", limits.rows, len(attempted)),
        ("vault_share", of_vault, len(attempted)),
        ("per_customer", limits.per_customer, most),
    ):
        if count > allowed:
            findings.add(
                "broken caps",
                f"journal.sqlite: deletes were intended for {counted(count, 'card')}, and the cap"
                f" {cap} in plan.json allows {allowed:,}",
            )
    totals = {one.bank: one.cards for one in plan.bank_totals}
    for bank, count in Counter(plan.cards[n].bank for n in attempted).items():
        allowed = floor(Fraction(str(limits.bank_share)) * totals.get(bank, 0))
        if count > allowed:
            findings.add(
                "broken caps",
                f"journal.sqlite: deletes were intended for {counted(count, 'card')} of"
                f" {bank or 'those whose bank is missing'}, and the cap bank_share in plan.json"
                f" allows {allowed:,}",
            )


def _check_end(
    replay: Replay,
    seal: Mapping[str, Any] | None,
    head: tuple[int, str | None],
    findings: Findings,
    *,
    is_sealed: bool,
) -> None:
    if replay.is_sealed and not is_sealed:
        findings.add(
            "missing files",
            "seal.json: it is missing though the campaign is over; apply the plan again, which"
            " writes it if the process was killed right before, and find out who removed it if not",
        )
    if is_sealed and not replay.is_sealed:
        findings.add(
            "records that are missing",
            "journal.sqlite: its last record is missing though seal.json says the campaign is over",
        )
    if seal is not None and head != (seal["audit_rows"], seal["audit_head"]):
        findings.add(
            "records that are missing",
            "journal.sqlite: its last record is not the one that seal.json names",
        )


def _result(
    plan: Plan,
    replay: Replay,
    seal: Mapping[str, Any] | None,
    head: tuple[int, str | None],
    *,
    given: tuple[SignedApproval, ...],
    findings: Findings,
) -> AuditResult:
    finals = finals_of(replay.cards)
    still_open = len(plan.cards) - sum(finals.values())
    is_over = replay.state in OVER and replay.is_sealed and seal is not None
    return AuditResult(
        ok=not findings.sentences,
        complete=is_over and still_open == 0,
        findings=findings.sentences,
        planned=len(plan.cards),
        finals=MappingProxyType(finals),
        open=still_open,
        state=replay.state or "sealed",
        plan_digest=plan.digest,
        audit_head=head[1],
        seal_digest=None if seal is None else seal["digest"],
        records=head[0],
        approvals=given,
    )


def _without_plan(findings: Findings, seal: Mapping[str, Any] | None) -> AuditResult:
    return AuditResult(
        ok=False,
        complete=False,
        findings=findings.sentences,
        planned=0,
        finals=MappingProxyType({}),
        open=0,
        state="",
        seal_digest=None if seal is None else seal["digest"],
    )
