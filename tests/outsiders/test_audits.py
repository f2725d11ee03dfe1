"""What an audit may call proven: not what a stranger signed, nor what was written anew."""

from __future__ import annotations

import itertools
import json
import shutil
from types import SimpleNamespace

import pytest
from campaign_files import Record, read_plan, rewrite_journal, seal_anew, sealed
from stories import about, seal_digest, two_plans

COPIES = itertools.count()


@pytest.fixture
def copied(told, tmp_path):
    """A copy of the store with its settings, to be tampered with."""
    world = told.world.copy(tmp_path / "copy")
    return SimpleNamespace(world=world, folder=world.store / "campaigns" / told.visa.id)


def noted(told):
    """The seal's digest, as somebody wrote it down when the campaign ended."""
    return seal_digest(told.world.audit(told.visa, "--json"))


@about(two_plans)
def test_an_untouched_campaign_is_proven(told):
    """Approved by a trusted key, ended and sealed: exit 0."""
    ran = told.world.audit(told.visa)
    assert ran.code == 0, ran.text
    assert all(approved.code == 0 for approved in told.approved)


@about(two_plans)
def test_a_stranger_s_signature_costs_the_exit_code(told, tmp_path):
    """On a machine that does not trust the approver, the audit names the key and exits 1."""
    config = tmp_path / "config"
    config.mkdir()
    if (told.world.config / "ledger").exists():
        shutil.copytree(told.world.config / "ledger", config / "ledger")
    ran = told.world.audit(told.visa, config=config)
    fingerprint = next(told.visa.folder.glob("approval-*")).stem.removeprefix("approval-")
    assert ran.code == 1, ran.text
    assert fingerprint[:8] in ran.text


@about(two_plans)
def test_an_invented_officer_costs_the_exit_code(told, copied, tmp_path):
    """A fresh key of an invented officer in the place of the approval: not exit 0."""
    config = tmp_path / "config"
    config.mkdir()
    copied.world.keygen("vera", config=config)
    for approval in copied.folder.glob("approval-*"):
        approval.unlink()
    signed = copied.world.approve(copied.folder / "plan.json", "vera", config=config)
    ran = copied.world.audit(told.visa)
    assert ran.code != 0, signed.text + ran.text


@about(two_plans)
def test_a_relabelled_campaign_is_not_proven(told, copied, tmp_path):
    """An emulator's campaign written anew as one of production, all links right: not exit 0."""
    config = tmp_path / "config"
    config.mkdir()
    plan = read_plan(copied.folder / "plan.json")
    forged, content = sealed(plan.header | {"environment": "production"}, plan.rows)
    folder = copied.folder.rename(copied.folder.with_name(forged.id))
    (folder / "plan.json").write_bytes(content)
    for approval in folder.glob("approval-*"):
        approval.unlink()
    copied.world.keygen("vera", config=config)  # a key that anybody can make
    copied.world.approve(folder / "plan.json", "vera", config=config)
    signed = [json.loads(path.read_text()) for path in folder.glob("approval-*")]
    renamed = {
        "plan_id": forged.id,
        "plan_digest": forged.digest,
        "environment": "production",
    }

    def change(records):
        for record in records:
            if record.kind == "opened":
                record.detail |= renamed
            if record.kind == "confirmed":
                record.detail["phrase"] = forged.phrase
            if record.kind == "approved" and signed:
                record.detail |= {
                    name: signed[0][name] for name in ("approver", "approved_at", "fingerprint")
                }
        return records

    def tables(db):
        for key, value in renamed.items():
            db.execute("UPDATE campaign SET value = ? WHERE key = ?", (value, key))

    rewrite_journal(folder / "journal.sqlite", forged.digest, change, tables)
    seal_anew(folder)
    ran = copied.world.audit(forged.id)
    assert ran.code != 0, ran.text


def hide_a_delete(copied):
    """Write a history anew in which the last planned card was never attempted."""
    plan = read_plan(copied.folder / "plan.json")
    number = len(plan.rows) - 1

    def change(records):
        own = [record for record in records if record.number == number]
        kept = [record for record in records if record.number != number]
        final = {"final": "not_attempted", "from": "planned", "reason": None, "to": "final"}
        at = next(i for i, record in enumerate(kept) if record.at >= own[-1].at)
        for record in kept:
            if record.kind == "state" and record.detail["to"] == "completed":
                record.detail["to"] = "completed_with_exceptions"
            if record.kind == "sealed":
                record.detail["counts"] = {"deleted": number, "not_attempted": 1}
        return [*kept[:at], Record(0, own[-1].at, "item", number, final), *kept[at:]]

    def tables(db):
        db.execute("DELETE FROM attempts WHERE number = ?", (number,))
        db.execute("UPDATE campaign SET value = 'completed_with_exceptions' WHERE key = 'state'")
        db.execute(
            "UPDATE items SET final = 'not_attempted', attempts = 0, reason = NULL"
            " WHERE number = ?",
            (number,),
        )

    rewrite_journal(copied.folder / "journal.sqlite", plan.digest, change, tables)
    return seal_anew(copied.folder)


@about(two_plans)
def test_a_cut_history_is_not_proven(told, copied):
    """A history without one card's delete, all links right: not exit 0."""
    hide_a_delete(copied)
    ran = copied.world.audit(told.visa)
    assert ran.code != 0, ran.text


def another_name(records):
    """Let somebody else have confirmed."""
    for record in records:
        if record.kind == "confirmed":
            record.detail["by"] = "meera"
    return records


@about(two_plans)
def test_a_noted_seal_tells_a_rewritten_history(told, copied):
    """`audit --seal` with the digest that was noted holds as long as nothing was written anew."""
    digest = noted(told)
    assert told.world.audit(told.visa, "--seal", digest).code == 0
    rewrite_journal(copied.folder / "journal.sqlite", told.visa.digest, another_name)
    assert seal_anew(copied.folder) != digest
    ran = copied.world.audit(told.visa, "--seal", digest)
    assert ran.code == 1, ran.text


@about(two_plans)
def test_a_rewritten_history_is_noticed_or_its_possibility_said(told, copied):
    """An audit without a noted or countersigned seal fails, or says that it cannot tell."""
    rewrite_journal(copied.folder / "journal.sqlite", told.visa.digest, another_name)
    seal_anew(copied.folder)
    ran = copied.world.audit(told.visa)
    assert ran.code != 0 or "countersign" in ran.text.lower(), ran.text


@about(two_plans)
def test_the_end_cut_off_is_not_proven(told, copied):
    """Without its last records a campaign has not ended: not exit 0."""
    rewrite_journal(
        copied.folder / "journal.sqlite", told.visa.digest, lambda records: records[:-3]
    )
    seal_anew(copied.folder)
    assert copied.world.audit(told.visa).code != 0


@pytest.mark.parametrize("what", ["folder", "journal"])
@about(two_plans)
def test_another_campaign_s_folder_is_not_proven(told, copied, what):
    """With the folder, or the journal, of another campaign under its name: not exit 0."""
    other = copied.world.store / "campaigns" / told.mastercard.id
    if what == "folder":
        shutil.rmtree(copied.folder)
        shutil.copytree(other, copied.folder)
    else:
        for name in ("journal.sqlite", "seal.json"):
            shutil.copy(other / name, copied.folder / name)
    ran = copied.world.audit(told.visa)
    assert ran.code != 0, ran.text


@about(two_plans)
def test_a_countersigned_seal_holds_until_it_is_replaced(told, copied):
    """A seal countersigned by another trusted key is proven; one written anew under it is not."""
    copied.world.trust(copied.world.keygen("vera")["public_key"])
    signed = copied.world.typed("cleanup", "countersign", told.visa.id, "--key", "vera")
    assert signed.code == 0, signed.text
    assert copied.world.audit(told.visa).code == 0
    rewrite_journal(copied.folder / "journal.sqlite", told.visa.digest, another_name)
    seal_anew(copied.folder)
    ran = copied.world.audit(told.visa)
    assert ran.code != 0, ran.text
