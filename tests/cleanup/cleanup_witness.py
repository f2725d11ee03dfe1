"""Holds what the server saw against plan and journal; it shares no code with what it judges.

It reads ``plan.json`` and ``journal.sqlite`` by itself, imports nothing of the toolkit, and takes
the word of the emulator's wire log over that of anybody else. What it finds are sentences.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import sqlite3
import tempfile
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Ids = tuple[str, str]
"""Customer and instrument."""

GONE: Final = frozenset({"deleted", "gone_after_attempt", "already_gone", "gone_unattributed"})
FINALS: Final = GONE | {
    "skipped_drift",
    "drift_after_attempt",
    "rejected",
    "unresolved",
    "not_attempted",
}
_NEVER_ATTEMPTED: Final = frozenset(
    {"already_gone", "gone_unattributed", "skipped_drift", "not_attempted"}
)
_SHOWS_NO_CARD: Final = frozenset(
    {
        "garbage",
        "empty",
        "deep",
        "huge",
        "huge-chunked",
        "cut",
        "truncated",
        "reset-inside",
        "wrong-id",
    }
)
_ABSENCES_AFTER_200: Final = 2
_ABSENCES_OTHERWISE: Final = 3
_ON_THE_WAY_SECONDS: Final = 0.5
"""What a busy machine may take from the last look at a deadline to the arrival at the server."""


@dataclass(frozen=True)
class Case:
    """What is judged, and what else is known of it.

    `drifted_at` says since when (seconds since 1970) a fetch shows another card than the sealed
    one; `is_active` asks the vault itself whether it still holds a card; `speed` is how much faster
    than the server's the campaign's clock went.
    """

    folder: Path
    wire: Sequence[Mapping[str, Any]]
    drifted_at: Mapping[Ids, float] = field(default_factory=dict)
    is_active: Callable[[Ids], bool] | None = None
    deleted_stay_inactive: bool = False
    clock_is_right: bool = True
    must_be_over: bool = False
    speed: float = 1.0


def entries_of(wire_log: Any) -> list[dict[str, Any]]:
    """Copy a wire log that is in memory."""
    return [asdict(entry) for entry in wire_log.entries()]


def read_record(path: Path) -> list[dict[str, Any]]:
    """Read a wire log from the file that the emulator wrote."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def violations(case: Case) -> list[str]:
    """Say what should not have happened, in sentences; none when all promises were kept."""
    return list(_Witness(case).all())


@dataclass
class _Journal:
    campaign: dict[str, str] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    audit: list[dict[str, Any]] = field(default_factory=list)


def _read_journal(folder: Path) -> _Journal:
    """Read a copy, so that what a killed process left half done is rolled back there only."""
    if not (folder / "journal.sqlite").exists():
        return _Journal()
    with tempfile.TemporaryDirectory() as place:
        for file in folder.glob("journal.sqlite*"):
            shutil.copy(file, place)
        connection = sqlite3.connect(Path(place) / "journal.sqlite")
        connection.row_factory = sqlite3.Row
        try:
            tables = {
                name for (name,) in connection.execute("SELECT name FROM sqlite_schema").fetchall()
            }
            if "audit" not in tables:
                return _Journal()

            def rows(query: str) -> list[dict[str, Any]]:
                return [dict(row) for row in connection.execute(query)]

            return _Journal(
                {row["key"]: row["value"] for row in rows("SELECT * FROM campaign")},
                rows("SELECT * FROM items ORDER BY number"),
                rows("SELECT * FROM attempts"),
                rows("SELECT * FROM audit ORDER BY seq"),
            )
        finally:
            connection.close()


def _read_ledger(folder: Path) -> set[str]:
    """Attempts that the copy of the ledger in the store remembers."""
    lines = [
        json.loads(line)
        for file in (folder.parent.parent / "ledger").glob("*.jsonl")
        for line in file.read_text("utf-8").splitlines(keepends=True)
        if line.endswith("\n")
    ]
    return {line["attempt"] for line in lines if line["event"] == "intent"}


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class _Witness:
    def __init__(self, case: Case) -> None:
        self.case = case
        content = (case.folder / "plan.json").read_bytes()
        *lines, last = content.splitlines(keepends=True)
        self.header = json.loads(lines[0])
        self.cards = [json.loads(line) for line in lines[1:]]
        self.digest = hashlib.sha256(b"".join(lines)).hexdigest()
        self.is_plan_whole = json.loads(last)["digest"] == self.digest
        self.journal = _read_journal(case.folder)
        self.numbers = {
            (card["customer_id"], card["instrument_id"]): card["number"] for card in self.cards
        }
        self.ids = {number: ids for ids, number in self.numbers.items()}
        self.controls = {
            (one["customer_id"], one["instrument_id"]) for one in self.header["controls"]
        }
        self.wire = sorted(case.wire, key=lambda entry: entry["number"])
        self.deletes = [entry for entry in self.wire if entry["method"] == "DELETE"]
        self.by_card: defaultdict[Ids, list[Mapping[str, Any]]] = defaultdict(list)
        self.lists: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        self.remembered = _read_ledger(case.folder)
        self.is_recovered = any(row["kind"] == "recovered" for row in self.journal.audit)
        for entry in self.wire:
            if entry["operation"] == "list":
                self.lists[entry["customer_id"]].append(entry)
            if entry["operation"] in ("fetch", "delete"):
                self.by_card[_ids(entry)].append(entry)
        self.control_reads = [
            entry
            for ids in self.controls
            for entry in self.by_card[ids]
            if entry["operation"] == "fetch" and _shows_a_card(entry)
        ]

    def all(self) -> Iterable[str]:
        yield from self.about_plan_and_chain()
        yield from self.about_intents()
        yield from self.about_checks()
        yield from self.about_caps()
        yield from self.about_items()

    # What was written down

    def about_plan_and_chain(self) -> Iterable[str]:
        if not self.is_plan_whole:
            yield "the plan's digest is not that of its lines"
        if self.journal.campaign and self.journal.campaign["plan_digest"] != self.digest:
            yield "the journal is about another plan"
        previous = self.digest
        for place, row in enumerate(self.journal.audit, start=1):
            said = [row["seq"], row["at"], row["kind"], row["number"], json.loads(row["detail"])]
            text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
            expected = hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
            if (row["seq"], row["previous"], row["hash"]) != (place, previous, expected):
                yield f"record {place} of the audit does not follow from the one before it"
                return
            previous = row["hash"]

    # Every delete on the wire

    def about_intents(self) -> Iterable[str]:
        attempts = {row["idempotency_key"]: row for row in self.journal.attempts}
        said = {
            json.loads(row["detail"])["idempotency_key"]: row
            for row in self.journal.audit
            if row["kind"] == "intended"
        }
        for key, count in Counter(entry["idempotency_key"] for entry in self.deletes).items():
            if count > 1:
                yield f"P2: {count} deletes have the idempotency key {key!r}"
        for entry in self.deletes:
            ids, key, arrived = _ids(entry), entry["idempotency_key"], entry["received_at_seconds"]
            what = f"delete {entry['number']}"
            if ids not in self.numbers:
                yield f"P1: {what} is of a card that is not in the plan"
                continue
            attempt, record = attempts.get(key), said.get(key)
            if attempt is None and self.is_recovered:
                continue  # its journal was lost; what is left of it may not call the card deleted
            if attempt is None or record is None:
                missing = "attempts row" if attempt is None else "audit record"
                yield f"P2: {what} of item {self.numbers[ids]} has no {missing}"
                continue
            if not attempt["number"] == record["number"] == self.numbers[ids]:
                yield f"P1: {what} is of another card than its intent"
            if attempt["id"] not in self.remembered:
                yield f"P10: {what} of item {self.numbers[ids]} is remembered by no ledger"
            if attempt["outcome"] == "withdrawn":
                yield f"P2: {what} was sent though its intent was withdrawn"
            if not self.case.clock_is_right:
                continue
            if _seconds(attempt["intended_at"]) > arrived + 0.001:
                yield f"P2: {what} arrived before it was intended"
            if _seconds(attempt["deadline"]) + _ON_THE_WAY_SECONDS < arrived:
                yield f"P3: {what} arrived after its deadline"

    def about_checks(self) -> Iterable[str]:
        bounds = self.bounds()
        last_of: dict[str, int] = {}
        for entry in self.deletes:
            asked = [one["number"] for one in self.lists[entry["customer_id"]]]
            before = max((one for one in asked if one < entry["number"]), default=0)
            if last_of.get(entry["customer_id"], 0) > before:
                yield f"P9: delete {entry['number']} came right after another one of its customer"
            last_of[entry["customer_id"]] = entry["number"]
        for ids in self.numbers:
            seen: Mapping[str, Any] | None = None
            drifted_at = self.case.drifted_at.get(ids, math.inf)
            about = [
                *self.lists[ids[0]],
                *(one for one in self.by_card[ids] if one["operation"] == "delete"),
            ]
            for entry in sorted(about, key=lambda one: one["number"]):
                if entry["operation"] == "list":
                    seen = entry
                    continue
                what = f"delete {entry['number']} of item {self.numbers[ids]}"
                if seen is None:
                    yield f"P3: {what} was sent without a list of its own right before"
                elif not _shows_a_card(seen):
                    yield f"P3: {what} was sent though the list before it showed nothing"
                elif seen["received_at_seconds"] > drifted_at:
                    yield f"P3: {what} was sent though the list before it showed another card"
                else:
                    age = entry["received_at_seconds"] - seen["received_at_seconds"]
                    bound = bounds.get(entry["idempotency_key"], math.inf)
                    if age > bound / self.case.speed + _ON_THE_WAY_SECONDS:
                        yield f"P8: {what} was sent {age:.1f} s after its list was asked for"
                seen = None

    def bounds(self) -> dict[str, float]:
        """How old the list may be that a delete is sent on, but for those reported as late."""
        said = [(row["kind"], json.loads(row["detail"])) for row in self.journal.audit]
        late = {
            detail["attempt"]
            for kind, detail in said
            if kind == "outcome" and detail["late_seconds"] is not None
        }
        return {
            detail["idempotency_key"]: detail["bound_seconds"]
            for kind, detail in said
            if kind == "intended" and detail["attempt"] not in late
        }

    def about_caps(self) -> Iterable[str]:
        limits = self.header["limits"]
        sends = Counter(_ids(entry) for entry in self.deletes)
        for ids, count in sends.items():
            if count > limits["attempts"]:
                yield f"P7: {count} deletes of item {self.numbers.get(ids)}"
        of_vault = math.floor(limits["vault_share"] * self.header["vault_cards"] + 1e-9)
        most = max(Counter(customer for customer, _ in sends).values(), default=0)
        for name, allowed, count in (
            ("rows", limits["rows"], len(sends)),
            ("vault_share", of_vault, len(sends)),
            ("per_customer", limits["per_customer"], most),
        ):
            if count > allowed:
                yield f"P7: {count} cards got a delete, and the cap {name} allows {allowed}"
        totals = {one["bank"]: one["cards"] for one in self.header["bank_totals"]}
        bank_of = {(c["customer_id"], c["instrument_id"]): c["bank"] for c in self.cards}
        for bank, count in Counter(bank_of.get(ids) for ids in sends).items():
            allowed = math.floor(limits["bank_share"] * totals.get(bank, 0) + 1e-9)
            if count > allowed:
                yield f"P7: {count} cards of {bank} got a delete, and the cap allows {allowed}"

    # Every planned card

    def about_items(self) -> Iterable[str]:
        items, campaign = self.journal.items, self.journal.campaign
        if not items:
            if self.deletes or self.case.must_be_over:
                yield "P4: there is no journal"
            return
        if [row["number"] for row in items] != list(range(len(self.cards))):
            yield "P4: the journal's items are not the rows of the plan"
            return
        for item in items:
            yield from self.about_item(item)
        yield from self.about_sums(Counter(row["final"] for row in items), campaign["state"])

    def about_sums(self, finals: Counter[str | None], state: str) -> Iterable[str]:
        still_open = finals.pop(None, 0)
        if self.case.must_be_over and still_open:
            yield f"P4: the campaign is over ({state}) and {still_open} items have no final state"
        if set(finals) - FINALS:
            yield f"P4: unknown final states {sorted(map(str, set(finals) - FINALS))}"
        if state == "completed" and set(finals) - GONE:
            yield "P5: the campaign calls itself completed though not every card is gone"
        sealed = [row for row in self.journal.audit if row["kind"] == "sealed"]
        if self.case.must_be_over and not sealed:
            yield "P4: the journal has no closing record"
        for row in sealed:
            if {k: n for k, n in json.loads(row["detail"])["counts"].items() if n} != finals:
                yield "P4: the closing record's sums are not those of the items"

    def about_item(self, item: Mapping[str, Any]) -> Iterable[str]:
        number, final = item["number"], item["final"]
        intents = [row for row in self.journal.attempts if row["number"] == number]
        if item["attempts"] != len(intents):
            yield f"P4: item {number} counts {item['attempts']} attempts, and has {len(intents)}"
        if (item["state"] == "final") != (final is not None):
            yield f"P4: item {number} is {item['state']} and {final}"
        if final is None:
            return
        requests = self.by_card[self.ids[number]]
        sent = [entry for entry in requests if entry["operation"] == "delete"]
        if self.case.clock_is_right and any(
            entry["received_at_seconds"] > _seconds(item["changed_at"]) for entry in sent
        ):
            yield f"P4: a delete of item {number} was sent after it had ended"
        is_told = final == "gone_unattributed" and self.is_recovered
        if final in _NEVER_ATTEMPTED and not is_told and any(entry["applied"] for entry in sent):
            yield f"P4: item {number} is {final}, and this campaign deleted it"
        if final == "deleted" and not any(entry["status"] == 200 for entry in sent):
            yield f"P4: item {number} is deleted, and no delete of it was answered 200"
        if final not in _NEVER_ATTEMPTED and not intents and not self.is_recovered:
            yield f"P4: item {number} is {final} without an intent"
        if final in GONE:
            yield from self.about_gone(item, requests)

    def about_gone(
        self, item: Mapping[str, Any], requests: Sequence[Mapping[str, Any]]
    ) -> Iterable[str]:
        number = item["number"]
        if self.case.is_active is not None and self.case.is_active(self.ids[number]):
            yield f"P5: item {number} is {item['final']}, and the vault still holds it"
        last_sent = max(
            (entry["number"] for entry in requests if entry["operation"] == "delete"), default=0
        )
        looks = [entry for entry in requests if entry["number"] > last_sent]
        if self.case.deleted_stay_inactive:  # where every 404 is a lie, and none may be believed
            if not any(_shows_a_card(entry) for entry in looks):
                yield f"P5: item {number} is {item['final']}, and no later fetch showed so"
            return
        absent = [entry for entry in looks if entry["status"] == 404]
        if not absent:
            yield f"P5: item {number} is {item['final']}, and no later fetch showed it gone"
            return
        ended = _seconds(item["changed_at"]) if self.case.clock_is_right else math.inf
        in_a_row = 0
        for entry in looks:
            if entry["received_at_seconds"] <= ended and entry["operation"] == "fetch":
                in_a_row += entry["status"] == 404
                in_a_row *= not _shows_a_card(entry)
        sent = [entry for entry in requests if entry["operation"] == "delete"]
        if sent:
            after = absent[-1]["received_at_seconds"] - sent[-1]["received_at_seconds"]
            if after < 0.99 * self.header["limits"]["settle_seconds"] / self.case.speed:
                yield f"P5: item {number} is {item['final']} only {after:.2f} s after its delete"
        was_accepted = any(entry["status"] == 200 for entry in sent)
        needed = _ABSENCES_AFTER_200 if was_accepted else _ABSENCES_OTHERWISE
        if in_a_row < needed:
            yield f"P5: item {number} is {item['final']} by {in_a_row} of {needed} fetches in a row"
        if not any(
            absent[0]["number"] < entry["number"] and entry["received_at_seconds"] <= ended
            for entry in self.control_reads
        ):
            yield f"P5: item {number} is {item['final']} by a 404 without a control read after it"
        if not any(entry["number"] < absent[-1]["number"] for entry in self.control_reads):
            yield f"P5: item {number} is {item['final']} by a 404 without a control read before it"


def _ids(entry: Mapping[str, Any]) -> Ids:
    return entry["customer_id"], entry["instrument_id"]


def _shows_a_card(entry: Mapping[str, Any]) -> bool:
    return entry["status"] == 200 and not _SHOWS_NO_CARD & set(entry["fault"].split("+"))
