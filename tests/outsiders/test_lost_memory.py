"""What was sent is known without the journal: no lost or older journal makes a false statement."""

from __future__ import annotations

import json
import shutil
import time
from types import SimpleNamespace

import pytest
from campaign_files import read_journal
from checker import Campaign, Evidence, untrue_finals, violations
from small_vault import shop
from stories import about, evidence_of, finals


def _removed(copy, plan, _):
    (copy.store / "campaigns" / plan.id / "journal.sqlite").unlink()


def _emptied(copy, plan, _):
    (copy.store / "campaigns" / plan.id / "journal.sqlite").write_bytes(b"")


def _restored(copy, plan, of_the_canary):
    shutil.copy(of_the_canary, copy.store / "campaigns" / plan.id / "journal.sqlite")


def _older_folder(copy, plan, of_the_canary):
    folder = copy.store / "campaigns" / plan.id
    for path in folder.iterdir():
        path.unlink()
    for path in of_the_canary.parent.iterdir():
        shutil.copy(path, folder)


def _other_host(copy, plan, _):
    machine = copy.store / "campaigns" / plan.id / "machine.json"
    content = json.loads(machine.read_text()) if machine.exists() else {}
    machine.write_text(
        json.dumps(content | {"host": "elsewhere", "machine": "0123456789abcdef"}) + "\n"
    )
    shutil.rmtree(copy.config)  # what another machine does not have
    copy.config.mkdir()


LOSSES = {
    "removed": _removed,
    "emptied": _emptied,
    "restored from the canary's copy": _restored,
    "folder restored from the canary's copy": _older_folder,
    "copied from another host": _other_host,
}


def reported(world, plan):
    """Have the report written, and read it."""
    page = world.store / "report.html"
    ran = world.run("cleanup", "report", plan.id, "--to", page)
    assert ran.code == 0, ran.text
    return page.read_text(encoding="utf-8")


def losses(stage):
    """Kill a campaign after its last delete; lose the journal of copies of it in several ways."""
    vault = stage.vault(shop(10))
    world = stage.world(vault)
    plan = world.plan("--where", "card_network=visa")
    world.canary(plan)
    saved = stage.folder / "saved"
    shutil.copytree(plan.folder, saved)
    process = world.apply(plan)
    all_sent = vault.wait_until(lambda: sum(r.applied for r in vault.deletes()) == 10, 120)
    time.sleep(0.5)
    process.kill()
    process.wait(10)
    sent = len(vault.log)
    copies = {}
    for how, lose in LOSSES.items():
        copy = stage.copy(world)
        lose(copy, plan, saved / "journal.sqlite")
        before = len(vault.log)
        name = copy.store / "campaigns" / plan.id / "plan.json"
        applied = copy.begin("cleanup", "apply", name).ended(300)
        requests = len(vault.log) - before
        copies[how] = SimpleNamespace(
            world=copy,
            folder=name.parent,
            applied=applied,
            requests=requests,
            audited=copy.audit(plan.id),
            page=reported(copy, plan),
        )
        copy.runs += [applied]
    started = [(copy, copy.world.begin("cleanup", "recover", plan.id)) for copy in copies.values()]
    resumed = world.apply(plan)
    for copy, recovering in started:
        copy.recovered = recovering.ended(400)
        copy.world.runs.append(copy.recovered)
    world.runs.append(resumed.ended(400))
    for copy in copies.values():
        copy.state = read_journal(copy.folder / "journal.sqlite").campaign.get("state")
    return SimpleNamespace(**locals())


every_loss = pytest.mark.parametrize("how", LOSSES)


@every_loss
@about(losses)
def test_a_lost_journal_stops_a_campaign_before_any_request(told, how):
    """Without its own journal as it last was, `apply` sends not one request."""
    copy = told.copies[how]
    assert told.all_sent
    assert copy.requests == 0
    assert copy.applied.code not in {0, 3}


@every_loss
@about(losses)
def test_the_message_for_a_lost_journal_leads_out(told, how):
    """The message for a lost journal names the command to type: `cleanup recover`."""
    assert "cleanup recover" in told.copies[how].applied.text


@every_loss
@about(losses)
def test_the_audit_of_a_lost_journal_does_not_hold(told, how):
    """An audit of a campaign with a lost journal has an exit code other than 0."""
    assert told.copies[how].audited.code != 0


@every_loss
@about(losses)
def test_the_report_of_a_lost_journal_claims_nothing(told, how):
    """A page made while the journal is lost does not say that nothing was ever sent."""
    assert "never applied" not in told.copies[how].page
    assert "Everything holds" not in told.copies[how].page


@every_loss
@about(losses)
def test_nothing_false_is_called_already_gone(told, how):
    """Whatever is done with a lost journal, none of our own deletes is called `already_gone`."""
    copy = told.copies[how]
    if not (copy.folder / "journal.sqlite").exists():
        return
    campaign = Campaign.read(copy.folder)
    assert untrue_finals(Evidence(told.vault, [campaign])) == []


@every_loss
@about(losses)
def test_recover_leads_out(told, how):
    """`cleanup recover` brings a campaign to a true end without its journal, and only reads."""
    copy = told.copies[how]
    assert copy.recovered.code in {0, 3}, copy.recovered.text
    assert len(told.vault.deletes()) == 10
    assert copy.state in {"completed", "completed_with_exceptions"}
    ends = Campaign.read(copy.folder).journal.finals
    assert len(ends) == 10
    assert set(ends.values()) <= {"deleted", "gone_after_attempt", "gone_unattributed"}


@about(losses)
def test_a_killed_campaign_goes_on_with_its_own_journal(told):
    """On the same machine and with the same journal, a killed campaign completes."""
    assert set(finals(told.plan).values()) <= {"deleted", "gone_after_attempt"}
    assert violations(evidence_of(told)) == []
