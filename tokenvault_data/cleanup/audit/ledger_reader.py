"""What vouches for a journal from outside: the ledgers of the account, read by the audit itself.

A ledger remembers every delete that left, with the number and hash of the journal's last record at
that moment. The one in the user's own folder lies apart from the campaign; the copy in the store
lies beside it, so it can contradict a journal but not vouch for it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tokenvault_data.cleanup.audit.findings import shown
from tokenvault_data.cleanup.audit.rules import moment
from tokenvault_data.cleanup.ledger.machine import machine_id
from tokenvault_data.folders import named
from tokenvault_data.private_files import config_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tokenvault_data.cleanup.audit.card_evidence import AttemptTrail
    from tokenvault_data.cleanup.audit.case import Case
    from tokenvault_data.cleanup.audit.findings import Findings
    from tokenvault_data.cleanup.audit.replay import Replay
    from tokenvault_data.cleanup.plan.plan import Plan

_KEYS: Final = frozenset(
    {
        *("seq", "at", "time", "boot", "boot_seconds", "instance", "campaign", "card", "attempt"),
        *("event", "journal_seq", "journal_hash", "previous", "hash"),
    }
)
_EVENTS: Final = frozenset({"opened", "intent", "withdrawn", "recovered", "closed"})
_KEY_NAME: Final = "card-key"
_CARD_DIGITS: Final = 32
_MACHINE_NAME: Final = "machine.json"
_CONTRADICTION: Final = "contradictions between journal and ledger"
_NOT_THE_ONE: Final = "the journal is not the one whose deletes the ledger remembers"


class LedgerLine(NamedTuple):
    """One line of a ledger, of what the audit looks at."""

    at: str
    instance: str
    campaign: str
    card: str | None
    attempt: str | None
    event: str
    journal_seq: int
    journal_hash: str


@dataclass(frozen=True, slots=True)
class LedgerRead:
    """One ledger.

    Attributes
    ----------
    path : Path
    is_own : bool
        Whether it is that of this user on this machine, and not the copy in the store.
    lines : tuple of LedgerLine
    key : bytes or None
        What its cards are hashed with, where that can be read.
    is_whole : bool
        Whether every line is as it was written.
    """

    path: Path
    is_own: bool
    lines: tuple[LedgerLine, ...]
    key: bytes | None
    is_whole: bool

    def of(self, campaign: str) -> list[LedgerLine]:
        """Return the lines of one campaign."""
        return [line for line in self.lines if line.campaign == campaign]

    def marks(self, campaign: str) -> list[LedgerLine]:
        """Return the lines that the journal has to extend: those since it was last recovered."""
        lines = self.of(campaign)
        start = max((at for at, one in enumerate(lines) if one.event == "recovered"), default=0)
        return [line for line in lines[start:] if line.journal_seq > 0]


def read_ledgers(
    folder: Path, plan: Plan, findings: Findings, config_dir: Path | None = None
) -> list[LedgerRead]:
    """Read the ledger of the account, and the copy in the store that a campaign's folder is in.

    Parameters
    ----------
    folder : Path
        Of the campaign.
    plan : Plan
    findings : Findings
        Gets every line that is not as it was written.
    config_dir : Path, optional
        Configuration directory, where ledgers of emulators are.
    """
    own = own_folder(plan.environment, config_dir)
    places = [(own, True)]
    campaigns = folder.resolve().parent
    if campaigns.name == "campaigns":
        places.append((campaigns.parent / "ledger", False))
    ledgers = []
    for place, is_own in places:
        for path in _paths(place, plan):
            lines, is_whole = _read(path, findings)
            ledgers.append(LedgerRead(path, is_own, lines, _key(place), is_whole))
    return ledgers


def own_folder(environment: str, config_dir: Path | None = None) -> Path:
    """Return where this user's ledgers are; no variable moves those of real accounts."""
    if environment == "emulator":
        return (config_directory() if config_dir is None else config_dir) / "ledger"
    return home_directory() / ".local" / "state" / "tokenvault-data" / "ledger"


def home_directory() -> Path:
    """Return the user's home as the system's user database has it."""
    if os.name == "posix":
        import pwd

        try:
            return Path(pwd.getpwuid(os.getuid()).pw_dir)
        except KeyError:  # a container's user without an entry has no ledger
            return Path(os.sep)
    return Path.home()


def wanted_records(ledgers: Sequence[LedgerRead], campaign: str) -> frozenset[int]:
    """Return the numbers of the records that the ledgers know the hashes of."""
    return frozenset(line.journal_seq for one in ledgers for line in one.marks(campaign))


def check_ledgers(case: Case, ledgers: Sequence[LedgerRead], hashes: Mapping[int, str]) -> bool:
    """Hold a journal against the ledgers; return whether this machine's ledger vouches for it.

    Parameters
    ----------
    case : Case
    ledgers : sequence of LedgerRead
    hashes : mapping of int to str
        Of the records that `wanted_records` names, as far as the journal has them.
    """
    found = dict.fromkeys(_contradictions(ledgers, case.plan, case.replay, hashes))
    for sentence in found:
        case.findings.add(_CONTRADICTION, f"journal.sqlite: {_NOT_THE_ONE}: {sentence}")
    knowing = [one.is_own for one in ledgers if one.of(case.plan.id)]
    is_known = any(knowing)
    _check_machine(case, is_own=is_known, is_copy=bool(knowing))
    is_whole = all(one.is_whole for one in ledgers if one.is_own)
    return is_known and is_whole and not found


def last_mark(ledgers: Sequence[LedgerRead], campaign: str) -> int:
    """Return the number of the last record that this machine's ledger vouches for."""
    return max(
        (line.journal_seq for one in ledgers if one.is_own for line in one.marks(campaign)),
        default=0,
    )


# What contradicts


def _contradictions(
    ledgers: Sequence[LedgerRead], plan: Plan, replay: Replay, hashes: Mapping[int, str]
) -> Iterator[str]:
    attempts = {
        one.attempt: (number, one)
        for number, card in enumerate(replay.cards)
        for one in card.attempts
    }
    remembered = {one for card in replay.cards for one in card.remembered}
    known: set[str] = set()
    for ledger in ledgers:
        for line in ledger.marks(plan.id):
            if hashes.get(line.journal_seq) != line.journal_hash:
                has = "has another hash" if line.journal_seq in hashes else "is missing"
                yield f"record {line.journal_seq} {has}"
        withdrawn = {line.attempt for line in ledger.of(plan.id) if line.event == "withdrawn"}
        for line in ledger.of(plan.id):
            if line.attempt is None:
                continue
            if replay.recovered and line.attempt in withdrawn and line.attempt not in attempts:
                continue  # lost with the journal, and never sent
            if line.event == "intent":
                known.add(line.attempt)
            if line.attempt not in attempts and line.attempt not in remembered:
                yield f"it does not hold the delete intended at {line.at} ({line.attempt})"
            elif line.attempt in attempts:
                yield from _fault_of_line(line, *attempts[line.attempt], ledger.key, plan)
        yield from _false_already_gone(ledger, plan, replay)
    if replay.recovered or not any(one.of(plan.id) for one in ledgers):
        return  # what another machine remembers is not known here
    for attempt, (number, trail) in attempts.items():
        # A process that was killed between journal and ledger cannot say that it sent nothing.
        if trail.was_handed_over and attempt not in known:
            yield f"it holds a delete of card {number} that the ledger does not know"


def _fault_of_line(
    line: LedgerLine, number: int, trail: AttemptTrail, key: bytes | None, plan: Plan
) -> Iterator[str]:
    if line.event == "withdrawn" and trail.outcome is not None and trail.was_sent:
        yield f"it says that the delete {line.attempt} was sent, and the ledger that it was not"
    if line.card is not None and key is not None and line.card != _card_hash(key, plan, number):
        yield f"the delete {line.attempt} was of another card than card {number}"


def _false_already_gone(ledger: LedgerRead, plan: Plan, replay: Replay) -> Iterator[str]:
    """Find cards called gone by somebody else's doing of which the ledger remembers a delete."""
    if ledger.key is None or not any(card.final == "already_gone" for card in replay.cards):
        return
    withdrawn = {line.attempt for line in ledger.lines if line.event == "withdrawn"}
    instances = {line.instance for line in ledger.of(plan.id) if line.event == "intent"}
    if plan.environment != "emulator":
        instances = {""}
    first: dict[str | None, str] = {}
    for line in ledger.lines:
        if line.event == "intent" and line.attempt not in withdrawn and line.instance in instances:
            first.setdefault(line.card, line.at)
    for number, card in enumerate(replay.cards):
        if card.final != "already_gone":
            continue
        sent = moment(first.get(_card_hash(ledger.key, plan, number), ""))
        ended = moment(card.changed_at)
        if sent is not None and ended is not None and sent < ended:
            yield f"card {number} is called already_gone, and a delete of it was sent before"


def _card_hash(key: bytes, plan: Plan, number: int) -> str:
    card = plan.cards[number]
    text = f"{card.customer_id}\n{card.instrument_id}".encode()
    return hmac.new(key, text, "sha256").hexdigest()[:_CARD_DIGITS]


# The machine


def _check_machine(case: Case, *, is_own: bool, is_copy: bool) -> None:
    named, machines = _machine_of(case.folder), case.replay.machines
    if named is not None and machines and named[0] not in machines:
        case.findings.add(
            "another machine",
            "machine.json: it names another machine than the journal was written on",
        )
    if case.replay.deletes == 0 or is_own:
        return
    is_here = machine_id() in {*machines[-1:], *([] if named is None else [named[0]])}
    if is_here and not is_copy:
        case.findings.add(
            _CONTRADICTION,
            f"journal.sqlite: {_NOT_THE_ONE}: it was written on this machine, and this user's"
            " ledger knows nothing of it; if another user applied the plan, run the audit as that"
            " user",
        )
    elif is_here:
        case.notes.append(
            "The plan was applied on this machine, and this user's ledger does not know it: it was"
            " lost, or another user applied the plan. The copy in the store does not vouch."
        )
    else:
        host = "" if named is None else f" ({shown(named[1])})"
        case.notes.append(f"The plan was applied on another machine{host}; its ledger is there.")


def _machine_of(folder: Path) -> tuple[str, str] | None:
    try:
        form = json.loads((folder / _MACHINE_NAME).read_bytes())
        return str(form["machine"]), str(form["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


# Files


def _paths(place: Path, plan: Plan) -> list[Path]:
    if plan.merchant is None:
        return named(place, re.compile(rf"{plan.environment}-.*\.jsonl"))
    digest = hashlib.sha256(f"{plan.environment}\n{plan.merchant}".encode()).hexdigest()[:12]
    path = place / f"{plan.environment}-{digest}.jsonl"
    return [path] if path.exists() else []


def _key(place: Path) -> bytes | None:
    try:
        return bytes.fromhex((place / _KEY_NAME).read_text("ascii").strip())
    except (OSError, ValueError):
        return None


def _read(path: Path, findings: Findings) -> tuple[tuple[LedgerLine, ...], bool]:
    """Read a ledger up to the first line that is not as it was written."""
    lines: list[LedgerLine] = []
    previous = ""
    try:
        content = path.read_bytes()
    except OSError as error:
        findings.add("damaged ledgers", f"{path}: it cannot be read: {error.strerror}")
        return (), False
    for number, text in enumerate(content.split(b"\n")[:-1], start=1):
        form = _form(text, number, previous)
        if form is None:
            findings.add("damaged ledgers", f"{path}: line {number} is not as it was written")
            return tuple(lines), False
        previous = form["hash"]
        lines.append(LedgerLine(*(form[name] for name in LedgerLine._fields)))
    return tuple(lines), True


def _form(text: bytes, number: int, previous: str) -> dict[str, Any] | None:
    try:
        form = json.loads(text)
        if not isinstance(form, dict) or form.keys() != _KEYS or _canonical(form) != text:
            return None
        rest = {key: value for key, value in form.items() if key != "hash"}
        link = hashlib.sha256(previous.encode() + b"\n" + _canonical(rest)).hexdigest()
    except (ValueError, TypeError, RecursionError):
        return None
    is_linked = (form["seq"], form["previous"], form["hash"]) == (number, previous, link)
    texts = (form[name] for name in ("at", "instance", "campaign", "journal_hash"))
    is_right = (
        isinstance(form["event"], str)
        and form["event"] in _EVENTS
        and type(form["journal_seq"]) is int
        and all(isinstance(one, str) for one in texts)
        and all(form[name] is None or isinstance(form[name], str) for name in ("card", "attempt"))
    )
    return form if is_linked and is_right else None


def _canonical(form: Mapping[str, Any]) -> bytes:
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return text.encode("ascii")
