"""Reading, and forging, the files of a campaign by their published form alone.

A plan is lines of canonical JSON: a header, a row for each card, and a last line with the digest of
the lines before it. A journal is a SQLite database whose table `audit` is a chain of hashes that
starts with the plan's digest. A ledger is lines of canonical JSON, chained too. No digest takes a
key, so whoever holds the files can rewrite all of them; only a signature stops that.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Row = dict[str, Any]
PAGE = 4096


def canonical(content: Any) -> str:
    """Write JSON in its one form."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def sha256(content: bytes) -> str:
    """Digest bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


# Plans


@dataclass
class PlanFile:
    """A plan as its file has it."""

    header: Row
    rows: list[Row]
    digest: str

    @property
    def id(self) -> str:
        """The beginning of its digest."""
        return self.digest[:12]

    @property
    def phrase(self) -> str:
        """What is typed to apply it."""
        return f"delete {len(self.rows)} {self.header['environment']} {self.digest[:6]}"


def read_plan(path: Path) -> PlanFile:
    """Read a plan."""
    first, *rows, last = (json.loads(line) for line in path.read_bytes().splitlines())
    return PlanFile(first, rows, last["digest"])


def sealed(header: Row, rows: list[Row]) -> tuple[PlanFile, bytes]:
    """Give a plan of any content whose digest is right, and its file."""
    body = "".join(canonical(line) + "\n" for line in [header, *rows]).encode()
    digest = sha256(body)
    tail = canonical({"digest": digest, "rows": len(rows)}) + "\n"
    return PlanFile(header, rows, digest), body + tail.encode()


# Journals


@dataclass
class Record:
    """One link of the chain."""

    seq: int
    at: str
    kind: str
    number: int | None
    detail: Row
    previous: str = ""
    hash: str = ""

    def link(self, previous: str) -> str:
        """Compute its hash behind another one."""
        content = canonical([self.seq, self.at, self.kind, self.number, self.detail])
        return sha256(f"{previous}\n{content}".encode())


@dataclass
class Journal:
    """What a journal says."""

    campaign: dict[str, str] = field(default_factory=dict)
    items: dict[int, Row] = field(default_factory=dict)
    attempts: dict[str, Row] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    @property
    def finals(self) -> dict[int, str]:
        """How each row that ended has ended."""
        return {n: item["final"] for n, item in self.items.items() if item["state"] == "final"}

    def of_kind(self, kind: str) -> list[Record]:
        """The records of one kind."""
        return [record for record in self.records if record.kind == kind]


@contextmanager
def _opened(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def read_journal(path: Path) -> Journal:
    """Read a journal; one that is missing says nothing."""
    if not path.exists() or path.stat().st_size == 0:
        return Journal()
    try:
        return _read_journal(path)
    except sqlite3.OperationalError:  # its process was killed in the middle of writing
        with tempfile.TemporaryDirectory() as folder:
            for file in path.parent.glob(f"{path.name}*"):
                shutil.copy2(file, folder)
            return _read_journal(Path(folder) / path.name, "rw")


def _read_journal(path: Path, mode: str = "ro") -> Journal:
    with _opened(path, mode) as db:
        return Journal(
            dict(db.execute("SELECT key, value FROM campaign").fetchall()),
            {row["number"]: dict(row) for row in db.execute("SELECT * FROM items")},
            {row["id"]: dict(row) for row in db.execute("SELECT * FROM attempts")},
            [
                Record(**{**dict(row), "detail": json.loads(row["detail"])})
                for row in db.execute("SELECT * FROM audit ORDER BY seq")
            ],
        )


def rewrite_journal(
    path: Path,
    root: str,
    change: Callable[[list[Record]], list[Record]],
    tables: Callable[[sqlite3.Connection], object] = lambda _: None,
) -> None:
    """Write a journal's history anew, each link right, and its tables with it."""
    records = change(read_journal(path).records)
    with _opened(path, "rw") as db:
        db.execute("DELETE FROM audit")
        previous = root
        for seq, record in enumerate(records, 1):
            record.seq, record.previous = seq, previous
            previous = record.hash = record.link(previous)
            db.execute(
                "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *(record.seq, record.at, record.kind, record.number),
                    *(canonical(record.detail), record.previous, record.hash),
                ),
            )
        tables(db)
        db.commit()


def seal_anew(folder: Path) -> str:
    """Write a seal that fits what now lies in a campaign's folder."""
    path = folder / "seal.json"
    seal = json.loads(path.read_text(encoding="utf-8"))
    journal = (folder / "journal.sqlite").read_bytes()
    records = read_journal(folder / "journal.sqlite").records
    seal |= {
        "audit_head": records[-1].hash,
        "audit_rows": len(records),
        "journal_bytes": len(journal),
        "journal_sha256": sha256(journal),
        "pages": [sha256(journal[at : at + PAGE])[:16] for at in range(0, len(journal), PAGE)],
        "plan_sha256": sha256((folder / "plan.json").read_bytes()),
    }
    del seal["digest"]
    seal["digest"] = sha256(canonical(seal).encode())
    path.write_text(canonical(seal) + "\n", encoding="utf-8")
    return str(seal["digest"])


# Ledgers


def read_ledger(path: Path) -> list[Row]:
    """Read a ledger's lines; a torn last one does not count."""
    lines = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines[:-1] if line]


def ledger_breaks(lines: list[Row]) -> list[str]:
    """Name the lines whose link does not hold."""
    breaks, previous = [], ""
    for line in lines:
        content = {key: value for key, value in line.items() if key != "hash"}
        expected = sha256(f"{previous}\n{canonical(content)}".encode())
        if line.get("previous") != previous or line.get("hash") != expected:
            breaks.append(f"line {line.get('seq')} of the ledger does not follow the one before")
        previous = line.get("hash", "")
    return breaks
