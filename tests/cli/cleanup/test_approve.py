"""Keys, trust, approvals, revocations and countersignatures from the command line."""

import json
import tempfile
from datetime import UTC, datetime

import cli_bench
import pytest
from cli_bench import Shell, documented_fields

import tokenvault_data as tv
from tokenvault_data.cleanup.plan.plan_file import seal_plan
from tokenvault_data.cleanup.selection import rules
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings

CUSTOMERS = [f"cust_{number:07d}" for number in range(40)]


@pytest.fixture
def vault():
    """A vault for each test: cleanups leave it changed."""
    with Emulator(EmulatorSettings(customers=len(CUSTOMERS))) as emulator:
        yield emulator


@pytest.fixture
def shop(tmp_path, vault):
    """A folder with a snapshot of that vault."""
    shell = Shell(tmp_path, vault.base_url)
    assert shell.run("collect", shell.write_list("ids.txt", CUSTOMERS), "--json").code == 0
    return shell


@pytest.fixture
def plan(shop):
    """A plan by ravi of all expired cards, which settles at once; what a command says of it."""
    store = shop.folder / "vault-data"
    limits = tv.Limits(vault_share=1.0, bank_share=1.0, settle_seconds=0.1)
    rule = rules.expired(datetime.now(UTC).date())
    made = tv.plan_cleanup(tv.open_snapshot(store), rule, limits=limits, planner="ravi")
    seal_plan(made, store)
    shown = shop.run("cleanup", "show", made.id, "--json")
    assert shown.code == 0, shown.err
    return shown.document


@pytest.fixture
def asha(shop):
    """Asha's key; its JSON."""
    return shop.run("cleanup", "keygen", "asha", "--json").document


def typed(shop, answer, *arguments):
    """Run a command on a terminal, type an answer; give exit code, stdout and the terminal."""
    with tempfile.TemporaryFile() as out:
        shown, code = cli_bench.typed(shop, answer, *arguments, out=out)
        out.seek(0)
        return code, out.read().decode(), shown


def phrase_of(plan):
    return plan["phrase"].replace("delete", "approve")


def approvals_of(shop):
    return list(shop.folder.glob("vault-data/campaigns/*/approval-*.json"))


def test_approve_shows_the_plan_and_signs_what_was_typed(shop, plan, asha):
    """The rule and the digest are on the screen before; with --json they are on stderr."""
    code, out, shown = typed(
        shop, phrase_of(plan), "cleanup", "approve", plan["plan"], "--key", "asha"
    )
    assert code == 0, shown
    assert plan["digest"][:12] in out
    assert plan["sentence"] in " ".join(out.split())
    assert f"type: {phrase_of(plan)}" in shown
    (path,) = approvals_of(shop)
    path.unlink()
    code, out, shown = typed(
        shop, phrase_of(plan), "cleanup", "approve", plan["plan"], "--key", "asha", "--json"
    )
    assert code == 0
    document = json.loads(out)
    assert [list(document)] == documented_fields("tokenvault cleanup approve")
    assert document["fingerprint"] == asha["fingerprint"]
    assert plan["sentence"] in " ".join(shown.split())
    assert approvals_of(shop) == [path]


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_nothing_but_typing_approves(shop, plan, asha, more):
    """Without a terminal, or with another phrase, nothing is signed: exit code 4."""
    command = ("cleanup", "approve", plan["plan"], "--key", "asha", *more)
    piped = shop.run(*command, stdin=f"{phrase_of(plan)}\n")
    assert piped.code == 4
    assert "terminal" in (piped.document["error"]["message"] if more else piped.err)
    for answer in ("yes", plan["phrase"], phrase_of(plan).upper(), ""):
        code, out, shown = typed(shop, answer, *command)
        assert code == 4
        assert "nothing was signed" in " ".join((out + shown).split())
    assert not approvals_of(shop)


def test_the_planner_is_refused_before_anything_is_asked(shop, plan):
    """By a look-alike of the name as well."""
    shop.run("cleanup", "keygen", "RAV1")
    refused = shop.run("cleanup", "approve", plan["plan"], "--key", "RAV1", "--json")
    assert refused.code == 4
    assert "planner" in refused.document["error"]["message"]


def test_trust_says_what_is_in_force(shop, asha):
    """Nobody at first, then who was added; both by this user's own word."""
    assert "Nobody's approvals are trusted" in shop.run("cleanup", "trust").out
    added = shop.run("cleanup", "trust", asha["public_key"], "--json")
    assert [list(added.document)] == documented_fields("tokenvault cleanup trust")
    wanted = [{"name": "asha", "fingerprint": asha["fingerprint"]}]
    assert (added.document["source"], added.document["approvers"]) == ("self", wanted)
    shown = shop.run("cleanup", "trust").out
    assert f"asha  {asha['fingerprint']}" in shown
    assert "self-managed" in shown


def test_a_revoked_approval_lets_nothing_be_applied(shop, vault, plan, asha):
    """No phrase is needed to revoke; approved again, the plan can be applied."""
    shop.run("cleanup", "trust", asha["public_key"])
    approve = ("cleanup", "approve", plan["plan"], "--key", "asha")
    assert typed(shop, phrase_of(plan), *approve)[0] == 0
    revoked = shop.run(
        *("cleanup", "revoke", plan["plan"], "--key", "asha", "--reason", "a dispute", "--json")
    )
    assert [list(revoked.document)] == documented_fields("tokenvault cleanup revoke")
    assert (revoked.document["approver"], revoked.document["reason"]) == ("asha", "a dispute")
    vault.wire_log.clear()
    code, out, shown = typed(shop, plan["phrase"], "cleanup", "apply", plan["plan"])
    assert code == 4
    shown_now = " ".join(shop.run("cleanup", "show", plan["plan"]).out.split())
    assert "It cannot be applied now: none of its approvals counts" in shown_now
    assert f"approve {plan['plan']} --key NAME" in shop.run("cleanup", "status", plan["plan"]).out
    assert "asha revoked it" in " ".join((out + shown).split())
    assert not [one for one in vault.wire_log.entries() if one.method == "DELETE"]
    assert typed(shop, phrase_of(plan), *approve)[0] == 0
    assert typed(shop, plan["phrase"], "cleanup", "apply", plan["plan"])[0] == 3


def test_proven_by_ledger_noted_seal_and_countersignature(shop, plan, asha):
    """Each is an anchor of its own; away from the ledger's settings only the others vouch."""
    shop.run("cleanup", "trust", asha["public_key"])
    for _ in range(2):
        typed(shop, plan["phrase"], "cleanup", "apply", plan["plan"])
    audit = ("cleanup", "audit", plan["plan"], "--json")
    first = shop.run(*audit)
    assert [list(first.document)] == documented_fields("tokenvault cleanup audit")
    assert (first.code, first.document["anchors"]) == (0, ["ledger"])
    assert "No approval was required in the environment emulator" in first.document["verdict"]
    seal_plan = first.document["seal_digest"]
    assert shop.run(*audit, "--seal", seal_plan).document["anchors"] == ["ledger", "noted seal"]
    wrong = shop.run(*audit, "--seal", "0" * 64)
    assert (wrong.code, wrong.document["ok"]) == (1, False)
    assert shop.run(*audit, "--seal", "abc").code == 2
    signed = shop.run("cleanup", "countersign", plan["plan"], "--key", "asha", "--json")
    assert [list(signed.document)] == documented_fields("tokenvault cleanup countersign")
    assert signed.document["seal"] == seal_plan
    assert shop.run(*audit).document["anchors"] == ["ledger", "countersignature of asha"]
    shown = shop.run("cleanup", "audit", plan["plan"])
    assert shown.code == 0
    assert "Vouched  ledger, countersignature of asha" in shown.out
    shop.run("cleanup", "keygen", "ravi")
    refused = shop.run("cleanup", "countersign", plan["plan"], "--key", "ravi", "--json")
    assert (refused.code, refused.document["error"]["kind"]) == (4, "RefusedByGuardRail")


def test_a_strangers_approval_costs_the_exit_code(shop, plan, asha):
    """A key that nobody trusts is named, by audit and report alike."""
    for _ in range(2):
        typed(shop, plan["phrase"], "cleanup", "apply", plan["plan"])
    typed(shop, phrase_of(plan), "cleanup", "approve", plan["plan"], "--key", "asha")
    audited = shop.run("cleanup", "audit", plan["plan"], "--json")
    assert audited.code == 1
    assert any("'asha'" in one and "not trusted" in one for one in audited.document["findings"])
    assert audited.document["approvals"][0]["trusted"] is False
    shop.run("cleanup", "report", plan["plan"], "--to", "cleanup.html")
    page = (shop.folder / "cleanup.html").read_text(encoding="utf-8")
    assert "NOT known here" in page
