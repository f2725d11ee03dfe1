"""The real command in a process of its own, and small stores for it to look at."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import tokenvault_data

ROOT = Path(tokenvault_data.__file__).resolve().parents[1]
COMMAND = (sys.executable, "-c", "from tokenvault_data.cli.main import run; run()")
NOW = datetime(2026, 11, 22, 10, 48, tzinfo=UTC)


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        """The one JSON document that stdout is."""
        return json.loads(self.out)


class Shell:
    """A folder to run commands in, and the environment variables they see."""

    def __init__(self, folder, base_url=None):
        self.folder = folder
        kept = ("PATH", "HOME", "LANG", "SYSTEMROOT", "TMPDIR")
        self.environ = {name: os.environ[name] for name in kept if name in os.environ}
        self.environ |= {
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            "TOKENVAULT_CONFIG": str(folder / "config"),
        }
        if base_url is not None:
            self.environ["TOKENVAULT_BASE_URL"] = base_url

    def run(self, *arguments, stdin="", environ=None):
        """Run a command to its end."""
        ended = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environ | (environ or {}),
            input=stdin.encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Result(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def start(self, *arguments, **settings):
        """Start a command and give its process."""
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **settings,
        )

    def write_list(self, name, ids):
        """Write a list of customers, one a line."""
        path = self.folder / name
        path.write_text("".join(f"{one}\n" for one in ids), encoding="utf-8")
        return path


def documented_fields(command):
    """The JSON fields that the page on the command line names in the section of a command."""
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    section = page.split(f"## {command}\n")[1].split("\n## ")[0]
    tables = re.findall(r"\| field[^|]*\| meaning \|\n\|[-|]+\|\n((?:\|.*\n)+)", section)
    return [re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) for table in tables]


def publish(store, *banks, environment="emulator", failed=0, now=NOW):
    """Publish a snapshot: a customer with one card for each bank, and failed ones after them."""
    import pyarrow as pa

    from tokenvault_data.dataset.columns import OUTCOMES
    from tokenvault_data.dataset.flatten import ReceivedBody, flatten
    from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter

    bodies = [
        ReceivedBody(f"cust_{place}", json.dumps([_card(place, bank)]).encode(), 0, "2025-01-01")
        for place, bank in enumerate(banks)
    ]
    requested = len(banks) + failed
    outcomes = [
        {
            "customer_id": f"cust_{place}",
            "position": place,
            "outcome": "fetched" if place < len(banks) else "failed",
            "cause": None if place < len(banks) else "vault_unavailable",
            "instruments": int(place < len(banks)),
            "requests": 1,
            "finished_at": now,
        }
        for place in range(requested)
    ]
    with SnapshotWriter(store, now=now) as writer:
        writer.add(flatten(bodies).table, pa.Table.from_pylist(outcomes, schema=OUTCOMES))
        facts = CollectionFacts(requested, environment, "2025-01-01", now, now, "abcdef012345")
        return writer.publish(facts)


def _card(place, bank):
    return {
        "customer_id": f"cust_{place}",
        "instrument_id": f"card_{place}",
        "instrument_type": "card",
        "instrument_display": "XXXXXXXXXXXX4375",
        "instrument_status": "ACTIVE",
        "created_at": "2023-11-01T04:55:07.000+00:00",
        "instrument_meta": {
            "card_network": "visa",
            "card_bank_name": bank,
            "card_type": "debit_card",
            "card_token_details": {"expiry_month": "05", "expiry_year": "2020"},
        },
    }
