"""Forgeries made consistently, with every digest, link and seal anew: none is called proven.

Whoever holds a campaign's files can make all of these; what finds them lies outside the files.
"""

import shutil

import pytest
from cleanup_journals import (
    BALA,
    ELSEWHERE,
    TRUST,
    Book,
    approval_of,
    campaign_folder,
    every_final,
    found,
    make_plan,
    proof,
    whole_ledger,
    write_ledger,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tokenvault_data.cleanup.approval.approvals import APPROVALS, approve_plan, write_approval
from tokenvault_data.cleanup.approval.approvers import Trust
from tokenvault_data.cleanup.approval.keys import SigningKey
from tokenvault_data.cleanup.audit import ledger_reader
from tokenvault_data.cleanup.audit.countersign import countersign, write_countersignature
from tokenvault_data.cleanup.ledger.machine import machine_id
from tokenvault_data.cleanup.plan.plan_file import write_plan

DEEPA = SigningKey("Deepa", Ed25519PrivateKey.from_private_bytes(b"d" * 32))
BOTH = Trust({**TRUST.approvers, DEEPA.fingerprint: "Deepa"}, "system")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of this user, where the ledgers of real accounts are."""
    monkeypatch.setattr(ledger_reader, "home_directory", lambda: tmp_path / "home")
    return tmp_path / "home" / ".local" / "state" / "tokenvault-data" / "ledger"


@pytest.fixture
def honest(tmp_path, home):
    """A campaign applied on this machine, whose ledger remembers it: proven."""
    book = every_final(machine=machine_id())
    folder = campaign_folder(tmp_path, book)
    write_ledger(home, book.plan, whole_ledger(book))
    assert proof(folder).proven
    return folder


def refused_as_deleted(book):
    """Of the card that the vault refused to delete, tell that it was deleted and seen gone."""
    rows, kept = book.rows, []
    at = next(n for n, row in enumerate(rows) if row[4].get("outcome") == "rejected")
    attempt, moment = rows[at][4], rows[at][1]
    rows[at][4] = attempt | {"outcome": "accepted", "status": 200}
    seen = {"status": 404, "verdict": "gone", "request_id": "s", "after_seconds": 70.0}
    good = {"status": 200, "ok": True, "control": 0, "request_id": "c"}
    more = [
        ("item", 6, {"from": "intended", "to": "accepted", "final": None, "reason": None}),
        ("item", 6, {"from": "accepted", "to": "verifying", "final": None, "reason": None}),
        ("seen", 6, seen),
        ("seen", 6, seen),
        ("control", None, good),
        ("item", 6, {"from": "verifying", "to": "final", "final": "deleted", "reason": "404"}),
    ]
    new = [[0, moment, kind, number, detail] for kind, number, detail in more]
    kept = [*rows[: at + 1], *new, *rows[at + 2 :]]
    for seq, row in enumerate(kept, start=1):
        row[0] = seq
    counts = dict(kept[-1][4]["counts"])
    counts["deleted"] += 1
    del counts["rejected"]
    kept[-1][4] = {"counts": counts}
    book.rows = kept
    return book


@pytest.mark.parametrize("vouched", ["ledger", "noted seal", "countersignature", "nothing"])
def test_refused_cards_told_as_deleted(tmp_path, home, vouched):
    """Chain, tables and seal agree; each anchor finds it, and without one the verdict says so."""
    book = every_final(machine=machine_id() if vouched == "ledger" else ELSEWHERE)
    folder = campaign_folder(tmp_path, book)
    noted = proof(folder).seal_digest
    if vouched == "ledger":
        write_ledger(home, book.plan, whole_ledger(book))
    if vouched == "countersignature":
        write_countersignature(countersign(folder, DEEPA, trust=BOTH), folder)
    refused_as_deleted(book).write(folder)
    result = proof(folder, approvers=BOTH, noted_seal=noted if vouched == "noted seal" else None)
    assert (result.finals["deleted"], "rejected" in result.finals) == (2, False)
    assert not result.proven
    told = {
        "ledger": "the journal is not the one whose deletes the ledger remembers",
        "noted seal": "seal.json: its digest is not the one that was noted",
        "countersignature": "it is for another history",
    }
    if vouched == "nothing":
        assert result.ok
        assert "nothing outside them vouches" in result.verdict
        assert "Everything holds" not in result.verdict
    else:
        assert any(told[vouched] in one for one in result.findings)


@pytest.mark.parametrize("is_here", [True, False], ids=["this machine", "another"])
def test_an_emulators_campaign_relabelled_production(tmp_path, is_here):
    """With a plan of a new digest, chain and seal anew, and an approval by a trusted key even."""
    machine = machine_id() if is_here else ELSEWHERE
    book = Book(make_plan(1, environment="emulator"), machine=machine).begin().delete(0)
    folder = campaign_folder(tmp_path, book.end("completed"))
    write_ledger(tmp_path / "config" / "ledger", book.plan, whole_ledger(book))
    plan = make_plan(1)
    forged = Book(plan, machine=machine).begin(approval_of(plan)).delete(0).end("completed")
    shutil.rmtree(folder)
    folder = campaign_folder(tmp_path, forged)
    result = proof(folder)
    assert result.complete
    assert not result.proven
    assert bool(result.findings) == is_here  # elsewhere nobody can know, and it says so


def test_a_cut_history_sealed_anew(tmp_path, honest):
    """A campaign told as aborted before its last deletes."""
    plan = make_plan(9)
    book = Book(plan, machine=machine_id()).begin(approval_of(plan)).delete(0)
    book.go("aborted", "somebody asked for it")
    for number in range(1, 9):
        book.item(number, "final", "not_attempted", "somebody asked for it")
    book.end().write(honest)
    result = proof(honest)
    assert result.complete
    assert not result.proven
    assert found(honest, "the journal is not the one whose deletes the ledger remembers")


def test_a_strangers_signature(tmp_path):
    """A fresh key of an invented officer signs well and is worth nothing, in report and audit."""
    plan = make_plan(1)
    officer = SigningKey("Risk Officer", Ed25519PrivateKey.generate())
    approval = approval_of(plan, key=officer)
    book = Book(plan).begin(approval).delete(0).end("completed")
    folder = tmp_path / plan.id
    folder.mkdir()
    write_approval(approval, book.write(folder))
    result = proof(folder)
    assert any("Risk Officer" in one and "not trusted here" in one for one in result.findings)
    assert "not every key is trusted here" in result.basis
    assert [one.is_known for one in result.approvals] == [False]


def test_nobody_trusted_is_the_default(tmp_path, monkeypatch):
    """Without approvers given the machine's own are read, and there are none."""
    monkeypatch.setenv("TOKENVAULT_CONFIG", str(tmp_path / "config"))
    folder = campaign_folder(tmp_path)
    assert found(folder, "not trusted here", approvers=None, config_dir=None)


def test_another_campaigns_folder(tmp_path, honest):
    """A campaign that is sound, under the name of another."""
    other = shutil.copytree(honest, tmp_path / "abcdef012345")
    assert found(other, "plan.json: it is the plan", "abcdef012345")
    link = tmp_path / "link"
    link.symlink_to(honest)
    assert proof(link).ok


@pytest.mark.parametrize("name", ["\u0410sha", "\u0410\u0455\u04bb\u0430", "As\u200bha", "ASHA"])
def test_a_look_alike_of_the_planner(tmp_path, name):
    """Signed by another key under a name that only looks like another one."""
    plan = make_plan(1)
    key = SigningKey(name, Ed25519PrivateKey.generate())
    good = approval_of(plan)
    about = {field: getattr(good, field) for field in good.__slots__}
    for field in ("key", "fingerprint", "signature"):
        del about[field]
    forged = APPROVALS.signed(key, **about | {"approver": name})
    book = Book(plan).begin(forged).delete(0).end("completed")
    folder = campaign_folder(tmp_path, book)
    write_approval(forged, folder)
    trust = Trust({key.fingerprint: name, BALA.fingerprint: BALA.name}, "system")
    assert found(folder, "of the planner", approvers=trust)
    assert found(folder, "looks like the planner's", approvers=trust)


def test_a_trusted_approval_of_another_plan(tmp_path):
    """The approver signed, and something else."""
    plan, other = make_plan(1), make_plan(1, note="another")
    book = Book(plan).begin(approval_of(plan)).delete(0).end("completed")
    folder = campaign_folder(tmp_path, book)
    assert proof(folder).ok
    write_approval(approve_plan(other, BALA), folder)
    assert found(folder, "approval-", "for another plan")
    assert found(folder, "speaks of an approval of which no file")


def test_a_plan_put_in_place_of_another(tmp_path, honest):
    """The journal is about another plan than the folder now holds."""
    (honest / "plan.json").unlink()
    write_plan(make_plan(9, note="another"), honest / "plan.json")
    assert not proof(honest).proven
    assert found(honest, "plan.json")
