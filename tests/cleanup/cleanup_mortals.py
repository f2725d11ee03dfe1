"""Campaigns that are killed and taken up again, with the emulator's wire log as the witness."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from campaign_bench import AS_OF, WIDE, planned_for
from cleanup_witness import Case, Ids, entries_of, violations

from tokenvault_data.cleanup.audit.audit import audit_cleanup
from tokenvault_data.cleanup.plan.plan_file import seal_plan
from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenvault_data.cleanup.plan.plan import Plan

CRASH_POINTS = (
    "before_check",
    "after_check",
    "before_intent_commit",
    "after_intent_commit",
    "after_ledger",
    "after_send",
    "before_outcome_commit",
    "after_outcome_commit",
    "before_verify",
    "in_recovery",
    "before_final_commit",
    "after_final_commit",
)
PATIENT = {"failures_in_row": 1000, "failure_share": 1.0, "canary": 2, "settle_seconds": 20.0}
FAST = 250.0
"""How much faster than ours the children's clock goes, unless told otherwise."""
HOLDS_SECONDS = 900.0
"""How long a check holds then: some seconds of ours, as a busy machine may need them."""


class Zygote:
    """The process that children are forked from; see `cleanup_child`."""

    def __init__(self, *before: str) -> None:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [*before, sys.executable, str(Path(__file__).with_name("cleanup_child.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._is_ready = False

    def order(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        if not self._is_ready:
            assert self.answer_line() == "ready"
            self._is_ready = True
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def answer_line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def answer(self) -> dict[str, Any]:
        while True:
            line = self.answer_line()
            assert line, "the process that children are forked from has ended"
            answer = dict(json.loads(line))
            if "stopped" not in answer:
                return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@dataclass
class Mortal:
    """One campaign, and what has become of those who worked on it."""

    zygote: Zygote
    emulator: Emulator
    store: Path
    plan: Plan
    more: dict[str, Any] = field(default_factory=dict)
    kills: int = 0
    runs: int = 0
    drifted_at: dict[Ids, float] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.store / "campaigns" / self.plan.id

    @property
    def ids(self) -> list[Ids]:
        return [(card.customer_id, card.instrument_id) for card in self.plan.cards]

    def start(self, **order: Any) -> None:
        common = {
            "url": self.emulator.base_url,
            "store": str(self.store),
            "plan": str(self.folder),
            "speed": FAST,
            "check_holds_seconds": HOLDS_SECONDS,
            "concurrency": 2,
        }
        self.zygote.order(common | self.more | order)

    def run(self, *, may_fail: bool = False, **order: Any) -> dict[str, Any]:
        """Have a child work on it; what it said, or the signal it died of."""
        self.start(**order)
        return self.landed(may_fail=may_fail)

    def landed(self, *, may_fail: bool = False) -> dict[str, Any]:
        answer = self.zygote.answer()
        self.runs += 1
        self.kills += "killed" in answer
        known = (None, "CampaignPaused", "CampaignHalted", "Locked")
        if answer.get("error") not in known and not may_fail:
            raise AssertionError(answer["message"])
        return answer

    def run_until_killed(self, at: str, *, tries: int = 4, **order: Any) -> bool:
        """Go on until a child has died at a checkpoint, or the campaign is over."""
        for _ in range(tries):
            answer = self.run(at=at, **order)
            if "killed" in answer:
                return True
            if answer.get("is_over") or answer.get("error") == "CampaignHalted":
                return False
        return False

    def finish(self, *, tries: int = 8, **order: Any) -> dict[str, Any]:
        """Let faults cease, and go on until it is over; a halted one is aborted."""
        self.emulator.set_faults("")
        answer: dict[str, Any] = {}
        for _ in range(tries):
            answer = self.run(**order)
            if answer.get("error") == "CampaignHalted":
                order["abort"] = True
            if answer.get("is_over"):
                return answer
        raise AssertionError(f"P6: it never ends: {answer}")

    def found(self, *, is_over: bool = False, **more: Any) -> list[str]:
        """Say what the witness and, at the end, the toolkit's own audit have found."""
        case = Case(
            self.folder,
            entries_of(self.emulator.wire_log),
            drifted_at=self.drifted_at,
            is_active=self.is_active if is_over else None,
            must_be_over=is_over,
            speed=self.more.get("speed", FAST),
            **more,
        )
        found = violations(case)
        if is_over:
            config = Path(self.more.get("config", self.store / "config"))
            result = audit_cleanup(self.folder, config_dir=config)
            found += [f"audit: {sentence}" for sentence in result.findings]
            if not result.complete:
                found.append(f"audit: {result.verdict}")
        return found

    def journal(self) -> bytes:
        """Return the journal's file as it is, empty where a process left it half written."""
        found = list(self.folder.glob("journal.sqlite*"))
        return found[0].read_bytes() if len(found) == 1 else b""

    def is_over(self) -> bool:
        """Say whether nothing is left to do."""
        return (self.folder / "seal.json").exists()

    def lose_journal(self, how: str, older: bytes = b"") -> None:
        """Remove the journal, empty it, or put an older copy in its place."""
        for file in self.folder.glob("journal.sqlite*"):
            file.unlink()
        if how != "removed":
            (self.folder / "journal.sqlite").write_bytes(older if how == "older" else b"")

    def is_active(self, ids: Ids) -> bool:
        """Ask the vault itself, by other means than the toolkit's."""
        url = urlsplit(self.emulator.base_url)
        connection = HTTPConnection(url.hostname or "", url.port or 0)
        customer, instrument = (quote(part, safe="") for part in ids)
        path = f"{url.path}/customers/{customer}/instruments/{instrument}"
        profile = emulator_profile(self.emulator.base_url)
        headers = {"x-api-version": profile.api_version, "x-client-id": "w", "x-client-secret": "w"}
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        assert response.status in (200, 404), (response.status, body)
        return response.status == 200 and json.loads(body)["instrument_status"] == "ACTIVE"

    def change_card(self, ids: Ids, **changes: Any) -> None:
        """Let somebody else change a card in the vault, from now on."""
        population = self.emulator.population
        before = population.saved_cards

        def saved_cards(index: int) -> Any:
            return tuple(
                card._replace(**changes) if (card.customer_id, card.instrument_id) == ids else card
                for card in before(index)
            )

        population.saved_cards = saved_cards  # type: ignore[assignment]
        population.list_body = population._list_body  # what it remembers shows the old cards
        self.drifted_at[ids] = time.time()

    def deletes(self) -> list[Ids]:
        log = self.emulator.wire_log.entries("delete")
        return [(entry.customer_id, entry.instrument_id) for entry in log]


@contextmanager
def zygote(*before: str) -> Iterator[Zygote]:
    """Give a process to fork from; `before` goes before its command."""
    made = Zygote(*before)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def mortal(
    forked_from: Zygote,
    store: Path,
    *,
    customers: int = 16,
    limits: Any = (),
    more: Any = (),
    has_snapshot: bool = False,
    **settings: Any,
) -> Iterator[Mortal]:
    """Give an emulator, and a sealed plan of its expired cards that nobody has applied yet."""
    plain: dict[str, Any] = {"customers": customers, "as_of": AS_OF} | settings
    chosen = EmulatorSettings(**plain)
    store.mkdir(parents=True, exist_ok=True)
    with Emulator(replace(chosen, record=store / "wire.jsonl")) as emulator:
        caps: dict[str, Any] = {**WIDE, **PATIENT}
        wide = Limits(**caps)
        plan = planned_for(store, chosen, wide, has_snapshot=has_snapshot)
        plan = replace(plan, limits=replace(wide, **dict(limits)))
        seal_plan(plan, store)
        yield Mortal(forked_from, emulator, store, plan, dict(more))
