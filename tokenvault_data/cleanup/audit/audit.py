"""The audit: an offline proof that joins plan, approvals, journal and ledger.

It reads files only, changes none, and shares no code with the engine whose work it judges. The
files of a campaign can be rewritten consistently by whoever holds them, chain, tables and seal
included. So the audit says what vouches for them from outside: the ledger of the machine that
applied the plan, a digest of the seal that was noted elsewhere, or a countersignature by a key that
the operator does not hold. Without one of these it does not say that everything holds.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from math import floor
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.cleanup.approval.approvers import Trust, load_trust
from tokenvault_data.cleanup.audit.approvals import (
    SignedApproval,
    SignedRevocation,
    basis_of,
    check_approvals,
    check_countersignatures,
    read_revocations,
)
from tokenvault_data.cleanup.audit.case import Case
from tokenvault_data.cleanup.audit.findings import Findings, shown
from tokenvault_data.cleanup.audit.journal_reader import (
    JOURNAL_NAME,
    check_structure,
    check_tables,
    opened_journal,
    read_entries,
)
from tokenvault_data.cleanup.audit.ledger_reader import (
    check_ledgers,
    last_mark,
    read_ledgers,
    wanted_records,
)
from tokenvault_data.cleanup.audit.replay import Replay, finals_of
from tokenvault_data.cleanup.audit.rules import OVER, moment
from tokenvault_data.cleanup.audit.seal import SEAL_NAME, check_seal
from tokenvault_data.cleanup.plan.plan_file import read_plan
from tokenvault_data.errors import PlanDamaged, UsageError
from tokenvault_data.local_paths import local_path
from tokenvault_data.text import counted, utc_minute

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tokenvault_data.cleanup.audit.ledger_reader import LedgerRead
    from tokenvault_data.cleanup.plan.plan import Plan

LEDGER_ANCHOR: Final = "ledger"
SEAL_ANCHOR: Final = "noted seal"

_DAY: Final = timedelta(hours=24) - timedelta(minutes=1)  # clocks are not that exact
_is_digest = re.compile(r"[0-9a-f]{64}").fullmatch

UNPROVEN: Final = (
    "Not proven: that these files were not rewritten as a whole. Give the digest of the seal that"
    " was noted when the campaign ended (`--seal DIGEST`), have somebody else countersign it"
    " (`tokenvault cleanup countersign`), or run the audit as the user and on the machine that"
    " applied the plan, whose ledger remembers it."
)


@dataclass(frozen=True, slots=True)
class AuditResult:
    """The result of an audit.

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
        Of the campaign; ``sealed`` when the plan was never applied, empty when it is not known.
    plan_digest, audit_head, seal_digest : str or None
        Digests that identify this campaign: of the plan, of the last record, of the seal.
    records : int
        Records of the journal.
    approvals : tuple of SignedApproval
        Approvals whose signatures hold.
    notes : tuple of str
        What is no fault, and should be known.
    anchors : tuple of str
        What vouches from outside that the files were not rewritten: ``ledger``, ``noted seal``,
        ``countersignature of NAME``.
    basis : str
        By whose approval the plan was applied, and who decides that it counts.
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
    notes: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()
    basis: str = ""

    @property
    def proven(self) -> bool:
        """Whether nothing is wrong, the campaign is over, and something vouches for its history."""
        return self.ok and self.complete and bool(self.anchors)

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
        """The result in a few sentences: never more than was proven."""
        if not self.ok:
            return f"The audit found {counted(len(self.findings), 'fault')}: {self.sentence}."
        if not self.complete:
            start = "Nothing is wrong so far, and the campaign is not over"
            return f"{start}: {self.sentence}. {self.basis}"
        if not self.anchors:
            start = "The files agree with each other, and nothing outside them vouches for them"
            return f"{start}: {self.sentence}. {self.basis} {UNPROVEN}"
        vouches = "vouches" if len(self.anchors) == 1 else "vouch"
        by = " and ".join(f"the {anchor}" for anchor in self.anchors)
        start = f"Everything holds, and {by} {vouches} for it"
        return f"{start}: {self.sentence}. {self.basis}"


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


def audit_cleanup(
    folder: str | os.PathLike[str],
    *,
    approvers: Trust | Mapping[str, str] | None = None,
    noted_seal: str | None = None,
    config_dir: Path | None = None,
) -> AuditResult:
    """Prove a campaign from its files, or say which of them was touched, and where.

    Parameters
    ----------
    folder : path
        ``STORE/campaigns/<plan id>``, or a copy of it under the same name.
    approvers : Trust, or mapping of str to str, optional
        Whose approvals are trusted, as `load_trust` gives it, which is asked when not given; a
        mapping of names by fingerprints counts as self-managed trust.
    noted_seal : str, optional
        The digest of the seal as it was noted elsewhere when the campaign ended.
    config_dir : pathlib.Path, optional
        Configuration directory: self-managed approvers, and the ledgers of emulators.

    Raises
    ------
    UsageError
        There is no plan in the folder, what was noted is not a digest, or the approvers cannot be
        read.
    """
    return audited(folder, approvers=approvers, noted_seal=noted_seal, config_dir=config_dir).result


def audited(
    folder: str | os.PathLike[str],
    *,
    approvers: Trust | Mapping[str, str] | None = None,
    noted_seal: str | None = None,
    config_dir: Path | None = None,
) -> AuditedCampaign:
    """Do what `audit` does, and give what was read as well."""
    if noted_seal is not None and _is_digest(noted_seal) is None:
        raise UsageError(
            "The noted seal is not a digest of 64 hexadecimal digits; nothing was audited; give"
            " the one that the audit or the report printed when the campaign ended."
        )
    if approvers is None:
        trust = load_trust(config_dir)
    else:
        trust = approvers if isinstance(approvers, Trust) else Trust(approvers, "self")
    place, findings = local_path(folder), Findings()
    plan: Plan | None = None
    try:
        plan = read_plan(place)
    except PlanDamaged as error:
        findings.add("damaged plans", str(error).partition(";")[0])
    is_sealed = (place / SEAL_NAME).exists()
    seal = check_seal(place, findings) if is_sealed else None
    if plan is None:
        return AuditedCampaign(_without_plan(findings, seal), None, None)
    if place.resolve().name != plan.id:
        findings.add(
            "folders of another campaign",
            f"plan.json: it is the plan {plan.id}, and the folder is called {place.resolve().name}",
        )
    revocations = read_revocations(place, plan, findings)
    ledgers = read_ledgers(place, plan, findings, config_dir)
    replay = Replay(plan, findings, {one.fingerprint: one.revoked_at for one in revocations})
    case = Case(place, plan, replay, trust, findings)
    read = _Read(0, None, {})
    if (place / JOURNAL_NAME).exists():
        read = _read_journal(case, wanted_records(ledgers, plan.id), is_over=is_sealed)
    given = check_approvals(case)
    _check_caps(plan, replay, findings)
    _check_per_day(plan, replay, findings)
    _check_end(replay, seal, (read.records, read.head), findings, is_sealed=is_sealed)
    seal_digest = None if seal is None else str(seal["digest"])
    anchors = _anchors(case, ledgers, read, seal_digest, noted_seal)
    _note_facts(case, revocations)
    finals = finals_of(replay.cards)
    still_open = len(plan.cards) - sum(finals.values())
    is_over = replay.state in OVER and replay.is_sealed and seal is not None
    result = AuditResult(
        ok=not findings.sentences,
        complete=is_over and still_open == 0,
        findings=findings.sentences,
        planned=len(plan.cards),
        finals=MappingProxyType(finals),
        open=still_open,
        state=replay.state or "sealed",
        plan_digest=plan.digest,
        audit_head=read.head,
        seal_digest=seal_digest,
        records=read.records,
        approvals=given,
        notes=tuple(case.notes),
        anchors=anchors,
        basis=basis_of(case, given),
    )
    return AuditedCampaign(result, plan, replay)


@dataclass(slots=True)
class _Read:
    """How far a journal was read, and the hashes of the records that a ledger knows."""

    records: int
    head: str | None
    hashes: dict[int, str]


def _read_journal(case: Case, wanted: frozenset[int], *, is_over: bool) -> _Read:
    """Take in all records."""
    read, plan, replay, findings = _Read(0, None, {}), case.plan, case.replay, case.findings
    try:
        with opened_journal(case.folder, is_over=is_over) as connection:
            if check_structure(connection, findings):
                for entry, read.head in read_entries(connection, plan.digest, findings):
                    read.records += 1
                    if entry.seq in wanted:
                        read.hashes[entry.seq] = read.head
                    replay.apply(entry)
                if read.records == 0:
                    findings.add("empty audits", "journal.sqlite: its audit is empty")
                check_tables(connection, plan, replay, findings)
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        findings.add("files that cannot be read", f"journal.sqlite: it cannot be read: {error}")
    return read


def _anchors(
    case: Case,
    ledgers: Sequence[LedgerRead],
    read: _Read,
    seal_digest: str | None,
    noted_seal: str | None,
) -> tuple[str, ...]:
    """Return what vouches for the history from outside of the campaign's files."""
    anchors: list[str] = []
    if check_ledgers(case, ledgers, read.hashes):
        mark = last_mark(ledgers, case.plan.id)
        if mark >= read.records:
            anchors.append(LEDGER_ANCHOR)
        else:
            case.notes.append(
                f"The ledger vouches for records 1 to {mark:,} of the journal's {read.records:,}"
                " only, because the process was killed before it wrote the rest. Once the campaign"
                " is over, apply the plan again: nothing is sent, and the ledger is completed."
            )
    if noted_seal is not None and noted_seal == seal_digest:
        anchors.append(SEAL_ANCHOR)
    elif noted_seal is not None:
        case.findings.add("other seals", "seal.json: its digest is not the one that was noted")
    names = check_countersignatures(case, seal_digest)
    return (*anchors, *(f"countersignature of {shown(name)}" for name in names))


def _note_facts(case: Case, revocations: Sequence[SignedRevocation]) -> None:
    replay = case.replay
    if replay.deletes:
        case.notes.append(
            f"Deletes left on a word of the vault that was at most {replay.oldest_evidence:,.1f}"
            f" seconds old; the largest bound was {replay.largest_bound:,.1f} seconds."
        )
    if replay.late:
        case.notes.append(
            f"{counted(len(replay.late), 'delete')} may have reached the vault late, because the"
            " process was stopped while it was sent: the vault's word was up to"
            f" {max(replay.late):,.1f} seconds old then."
        )
    case.notes.extend(
        f"The campaign was recovered on {entry.at} by {shown(entry.detail['by'])}: its journal was"
        " lost, incomplete, or from another machine. Deletes that only a ledger remembers are"
        " counted as gone_unattributed or unresolved; how the vault answered them is not known."
        for entry in replay.recovered
    )
    for one in revocations:
        reason = f": {shown(one.reason)}" if one.reason else ""
        at = utc_minute(one.revoked_at.isoformat())
        case.notes.append(f"{shown(one.approver)} revoked the approval at {at}{reason}.")


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


def _check_per_day(plan: Plan, replay: Replay, findings: Findings) -> None:
    """Find the moment at which the sends of 24 hours were more than the plan allows a day."""
    sent = sorted(
        at
        for card in replay.cards
        for one in card.attempts
        if one.was_sent and (at := moment(one.intended_at)) is not None
    )
    allowed = plan.limits.per_day
    for first, last in zip(sent, sent[allowed:], strict=False):
        if last - first < _DAY:
            findings.add(
                "broken caps",
                "journal.sqlite: more deletes were sent in the 24 hours before"
                f" {last.isoformat()} than the cap per_day in plan.json allows, {allowed:,}",
            )
            return


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
