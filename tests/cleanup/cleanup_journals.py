"""Journals and ledgers of campaigns, written without the code that campaigns use.

They are what an audit is tried on. The formats are the documented ones: a journal is four tables
and an audit of records linked by SHA-256, a ledger is linked lines of JSON.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tokenvault_data.cleanup.approval.approvals import approve_plan, write_approval
from tokenvault_data.cleanup.approval.approvers import Trust
from tokenvault_data.cleanup.approval.keys import SigningKey
from tokenvault_data.cleanup.audit.audit import audit_cleanup
from tokenvault_data.cleanup.audit.seal import seal_journal
from tokenvault_data.cleanup.plan.plan import Plan
from tokenvault_data.cleanup.plan.plan_file import write_plan
from tokenvault_data.cleanup.selection.cards import BankTotal, ControlCard, PlannedCard
from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.cleanup.selection.rules import expired
from tokenvault_data.cleanup.selection.sampling import canary_of

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
BALA = SigningKey("Bala Rao", Ed25519PrivateKey.from_private_bytes(b"b" * 32))
TRUST = Trust({BALA.fingerprint: BALA.name}, "system")
ELSEWHERE = "feedfacefeedface"
CARD_KEY = b"k" * 32

SCHEMA = """
CREATE TABLE campaign(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE items(number INTEGER PRIMARY KEY, state TEXT NOT NULL, final TEXT,
  attempts INTEGER NOT NULL, reason TEXT, changed_at TEXT NOT NULL) STRICT;
CREATE TABLE attempts(id TEXT PRIMARY KEY, number INTEGER NOT NULL REFERENCES items,
  ordinal INTEGER NOT NULL, idempotency_key TEXT NOT NULL UNIQUE, intended_at TEXT NOT NULL,
  deadline TEXT NOT NULL, outcome TEXT, status INTEGER, code TEXT, request_id TEXT,
  ended_at TEXT) STRICT;
CREATE TABLE audit(seq INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, number INTEGER,
  detail TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
"""


def make_plan(count=6, *, environment="production", controls=2, **changes):
    """A plan of expired cards, one a customer; `changes` are those of the header."""
    at = START.isoformat()
    rule = expired("2026-11-22")
    planned = tuple(
        PlannedCard(
            number,
            f"cust_{number:05d}",
            f"inst-{number:05d}",
            f"{number:064x}",
            None,
            "4375",
            "visa",
            "HDFC BANK",
            "HDFC Bank",
            "debit",
            "ACTIVE",
            "2025-03-31",
            None,
            None,
            at,
        )
        for number in range(count)
    )
    header = {
        "created_at": at,
        "expires_at": (START + timedelta(days=1)).isoformat(),
        "planner": "Asha",
        "note": None,
        "environment": environment,
        "merchant": "abcdef012345",
        "api_version": "2025-01-01",
        "snapshot": "s1",
        "snapshot_digest": "d1",
        "snapshot_created_at": at,
        "oldest_fetched_at": at,
        "as_of": "2026-11-22",
        "rule": rule,
        "limits": Limits(vault_share=1.0, bank_share=1.0),
        "vault_cards": 100,
        "vault_customers": 100,
        "bank_totals": (BankTotal("HDFC Bank", 100),),
        "left_out": {},
        "controls": tuple(ControlCard(f"kept_{n}", f"kept-{n}") for n in range(controls)),
    }
    made = header | {"cards": planned} | changes
    return Plan(**{"canary": canary_of(made["cards"], made["limits"].canary)} | made)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


class Book:
    """The records of a campaign, in memory until `write` makes a journal of them.

    `machine` is where it is applied: by default on none that the tests run on.
    """

    def __init__(self, plan, *, machine=ELSEWHERE):
        self.plan = plan
        self.machine = machine
        self.rows = []  # lists of seq, at, kind, number, detail; linked when written
        self.now = START + timedelta(minutes=10)
        self.state = "sealed"
        self.states = dict.fromkeys(range(len(plan.cards)), "planned")
        self.intents = dict.fromkeys(self.states, 0)
        self.finals = {}
        self.add(
            "opened",
            plan_id=plan.id,
            plan_digest=plan.digest,
            environment=plan.environment,
            merchant=plan.merchant,
            rows=len(plan.cards),
            machine=machine,
        )

    # Records

    def add(self, kind, number=None, **detail):
        self.rows.append([len(self.rows) + 1, self.now.isoformat(), kind, number, detail])

    def later(self, seconds=1):
        self.now += timedelta(seconds=seconds)
        return self

    def approved(self, approval, trust="system"):
        self.later().add(
            "approved",
            approver=approval.approver,
            fingerprint=approval.fingerprint,
            approved_at=approval.approved_at,
            trust=trust,
        )
        return self

    def confirmed(self, by="Chitra", trust=None):
        is_production = self.plan.environment == "production"
        trust = trust or ("system" if is_production else "none")
        phrase = self.plan.phrase
        if is_production and trust == "self":
            phrase += " self-administered"
        self.later().add("confirmed", phrase=phrase, by=by, trust=trust)
        return self

    def recovered(self, by="Chitra", machine=ELSEWHERE, reason="the journal was lost"):
        self.later().add("recovered", by=by, machine=machine, reason=reason)
        return self

    def remembered(self, number, attempt):
        """A ledger remembers an attempt; the card is to be verified."""
        at = START.isoformat()
        self.later().add("remembered", number, attempt=attempt, campaign=self.plan.id, at=at)
        return self.item(number, "verifying")

    def go(self, after, reason=None):
        self.later().add("state", **{"from": self.state, "to": after, "reason": reason})
        self.state = after
        return self

    def control(self, status=200, index=0):
        self.later().add("control", status=status, ok=status == 200, control=index, request_id="c")
        return self

    def item(self, number, after, final=None, reason=None):
        before = self.states[number]
        self.add("item", number, **{"from": before, "to": after, "final": final, "reason": reason})
        self.states[number] = after
        if final is not None:
            self.finals[number] = final
        return self

    def check(self, number, status=200, verdict="holds", reason=None, *, listed=1, asked=0.3):
        """The customer's list, which was asked for so many seconds before."""
        self.later().add(
            "checked",
            number,
            status=status,
            verdict=verdict,
            reason=reason,
            request_id="q",
            asked_at=(self.now - timedelta(seconds=asked)).isoformat(),
            listed=listed,
        )
        return self

    def attempt_id(self, number):
        return f"attempt-{number}-{self.intents[number]}"

    def intend(self, number, *, checked=True, bound=2.5):
        if checked:
            self.check(number).item(number, "checked")
        self.intents[number] += 1
        self.add(
            "intended",
            number,
            attempt=self.attempt_id(number),
            ordinal=self.intents[number],
            idempotency_key=f"key-{number}-{self.intents[number]}",
            deadline=(self.now + timedelta(seconds=60)).isoformat(),
            evidence_seconds=0.4,
            bound_seconds=bound,
        )
        return self.item(number, "intended")

    def withdraw(self, number, reason="too old"):
        self.later().add("withdrawn", number, attempt=self.attempt_id(number), reason=reason)
        return self.item(number, "planned")

    def outcome(self, number, outcome="accepted", status=200, *, evidence=0.5, late=None):
        self.later().add(
            "outcome",
            number,
            attempt=self.attempt_id(number),
            outcome=outcome,
            status=status,
            code=None,
            request_id="d",
            evidence_seconds=evidence,
            late_seconds=late,
        )
        return self

    def see(self, number, status=404, verdict="gone", *, after=70.0):
        """A single fetch, so many seconds after the delete where there was one."""
        after = after if self.intents.get(number) else None
        self.later().add(
            "seen", number, status=status, verdict=verdict, request_id="s", after_seconds=after
        )
        return self

    # Longer pieces

    def begin(self, *approvals):
        for approval in approvals:
            self.approved(approval)
        if approvals:
            self.go("approved")
        return self.confirmed().go("canary").control()

    def release(self):
        return self.go("held", "look at the canary").confirmed().go("running").control()

    def until_gone(self, number, outcome="accepted", status=200):
        """Attempt a card and see it gone, up to the control read that has to follow."""
        self.intend(number).outcome(number, outcome, status)
        state = "in_doubt" if outcome == "unexpected" else outcome
        self.item(number, state).see(number).item(number, "verifying").see(number)
        return self if state == "accepted" else self.see(number)

    def delete(self, number):
        return self.until_gone(number).control().item(number, "final", "deleted", "404")

    def end(self, after="completed_with_exceptions"):
        if self.state != "aborted":
            self.go("verifying").go(after)
        self.close()
        return self

    def close(self):
        counts = {}
        for final in self.finals.values():
            counts[final] = counts.get(final, 0) + 1
        self.later().add("sealed", counts=counts)

    # On disk

    def linked(self):
        """The records with their links and hashes, as a whole chain."""
        previous, lines = self.plan.digest, []
        for seq, at, kind, number, detail in self.rows:
            text = canonical([seq, at, kind, number, detail])
            own = hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
            lines.append((seq, at, kind, number, canonical(detail), previous, own))
            previous = own
        return lines

    def write(self, folder, *, seal=True):
        """Write plan and journal, and the seal where the campaign is over; gives the folder."""
        write_plan(self.plan, folder / "plan.json")
        machine = {"format": "tokenvault-machine", "host": "till", "machine": self.machine}
        (folder / "machine.json").write_text(canonical(machine) + "\n")
        path = folder / "journal.sqlite"
        for old in (path, folder / "seal.json"):
            old.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(SCHEMA)
            campaign, items, attempts = self.tables()
            connection.executemany("INSERT INTO campaign VALUES (?,?)", campaign.items())
            connection.executemany("INSERT INTO items VALUES (?,?,?,?,?,?)", items)
            connection.executemany(f"INSERT INTO attempts VALUES ({','.join('?' * 11)})", attempts)
            connection.executemany("INSERT INTO audit VALUES (?,?,?,?,?,?,?)", self.linked())
            connection.commit()
        if seal and self.rows[-1][2] == "sealed":
            seal_journal(folder)
        return folder

    def tables(self):
        plan, first = self.plan, self.rows[0][1]
        campaign = {
            "format": "tokenvault-journal",
            "format_version": "2",
            "plan_id": plan.id,
            "plan_digest": plan.digest,
            "environment": plan.environment,
            "merchant": plan.merchant or "",
            "rows": str(len(plan.cards)),
            "machine": self.machine,
            "state": "sealed",
            "reason": "",
            "created_at": first,
            "started_by": "Chitra",
        }
        items = {n: [n, "planned", None, 0, None, first] for n in range(len(plan.cards))}
        attempts = {}
        for _, at, kind, number, detail in self.rows:
            if kind == "state":
                campaign |= {"state": detail["to"], "reason": detail["reason"] or ""}
            elif kind == "item" and number in items:
                items[number][1:3] = [detail["to"], detail["final"]]
                items[number][4:] = [detail["reason"], at]
            elif kind == "intended" and number in items:
                items[number][3] += 1
                keys = ("ordinal", "idempotency_key")
                named = [detail["attempt"], number, *(detail[key] for key in keys)]
                attempts[detail["attempt"]] = [*named, at, detail["deadline"], *[None] * 5]
            elif kind in ("outcome", "withdrawn") and detail["attempt"] in attempts:
                found = [detail.get(key) for key in ("status", "code", "request_id")]
                ended = [detail.get("outcome", "withdrawn"), *found, at]
                attempts[detail["attempt"]][6:] = ended
        return campaign, list(items.values()), list(attempts.values())


def approval_of(plan, *, hours=0.05, key=BALA):
    return approve_plan(plan, key, now=START + timedelta(hours=hours))


def every_final(plan=None, **more):
    """A campaign in production in which nine cards end in the nine possible ways."""
    plan = plan or make_plan(9)
    book = Book(plan, **more).begin(approval_of(plan)).delete(0).release()
    book.until_gone(1, "in_doubt", 503).control().item(1, "final", "gone_after_attempt", "404")
    for number, final in ((2, "already_gone"), (3, "gone_unattributed")):
        book.check(number, 200, "absent", listed=0).item(number, "checked")
        book.item(number, "verifying").see(number).see(number).see(number)
        book.control(404, 0).control(200, 1).item(number, "final", final, "404")
    book.check(4, 200, "drift", "it was renewed").item(4, "checked")
    book.item(4, "final", "skipped_drift", "it was renewed")
    book.intend(5).outcome(5, "in_doubt", None).item(5, "in_doubt").see(5, 200, "drift")
    book.item(5, "verifying").item(5, "final", "drift_after_attempt", "it was renewed")
    book.intend(6).outcome(6, "rejected", 400).item(6, "final", "rejected", "400")
    for _ in range(4):
        book.intend(7).outcome(7).item(7, "accepted").see(7, 200, "present").item(7, "verifying")
        if book.intents[7] < 4:
            book.item(7, "planned", reason="still there")
    book.item(7, "final", "unresolved", "still there after 4 attempts")
    book.item(8, "final", "not_attempted", "on hold")
    return book.end()


def campaign_folder(tmp_path, book=None, *, seal=True):
    """Write a campaign with its approval; gives its folder."""
    book = book or every_final()
    folder = tmp_path / book.plan.id
    folder.mkdir(exist_ok=True)
    book.write(folder, seal=seal)
    if any(row[2] == "approved" for row in book.rows):
        write_approval(approval_of(book.plan), folder)
    return folder


def unsealed(tmp_path, book):
    return campaign_folder(tmp_path, book, seal=False)


def proof(folder, **more):
    """What the audit says of a folder where Bala is trusted; `more` as it takes it."""
    return audit_cleanup(
        folder, **{"approvers": TRUST, "config_dir": folder.parent / "config"} | more
    )


def findings(folder, **more):
    result = proof(folder, **more)
    assert result.ok == (not result.findings)
    return result.findings


def found(folder, *words, **more):
    """Whether one of the findings holds all these words."""
    return any(all(word in finding for word in words) for finding in findings(folder, **more))


def small(*, machine=ELSEWHERE, **changes):
    """A book of an emulator's campaign of three cards, begun."""
    return Book(make_plan(3, environment="emulator", **changes), machine=machine).begin()


# The ledger


def ledger_lines(book):
    """What a ledger remembers of a campaign: lists of its values, to be linked when written."""
    hashes = {row[0]: row[-1] for row in book.linked()}
    lines = [ledger_line(book, "opened")]
    for seq, at, kind, number, detail in book.rows:
        if kind == "intended":
            mark = max(s for s, other, *_ in book.rows if other == at)
            card = book.plan.cards[number]
            text = f"{card.customer_id}\n{card.instrument_id}".encode()
            hashed = hmac.new(CARD_KEY, text, "sha256").hexdigest()[:32]
            more = {"at": at, "card": hashed, "attempt": detail["attempt"]}
            lines.append(ledger_line(book, "intent", mark, hashes[mark], **more))
        elif kind == "withdrawn":
            more = {"at": at, "attempt": detail["attempt"]}
            lines.append(ledger_line(book, "withdrawn", seq, hashes[seq], **more))
        elif kind == "recovered":
            lines.append(ledger_line(book, "recovered", seq, hashes[seq], at=at))
    return lines


def whole_ledger(book):
    """The same, and the line that a process writes once it has ended the campaign."""
    last = book.linked()[-1]
    return [*ledger_lines(book), ledger_line(book, "closed", last[0], last[-1])]


def ledger_line(book, event, mark=0, mark_hash="", **more):
    line = {
        "at": START.isoformat(),
        "time": 0.0,
        "boot": "b",
        "boot_seconds": 1.5,
        "instance": "",
        "campaign": book.plan.id,
        "card": None,
        "attempt": None,
        "event": event,
        "journal_seq": mark,
        "journal_hash": mark_hash,
    }
    return line | more


def write_ledger(folder, plan, lines):
    """Write the ledger of a plan's account into a folder; gives its file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card-key").write_text(CARD_KEY.hex())
    account = hashlib.sha256(f"{plan.environment}\n{plan.merchant or ''}".encode()).hexdigest()
    path = folder / f"{plan.environment}-{account[:12]}.jsonl"
    previous, text = "", ""
    for seq, line in enumerate(lines, start=1):
        form = line | {"seq": seq, "previous": previous}
        previous = hashlib.sha256(f"{previous}\n{canonical(form)}".encode()).hexdigest()
        text += canonical(form | {"hash": previous}) + "\n"
    path.write_text(text)
    return path
