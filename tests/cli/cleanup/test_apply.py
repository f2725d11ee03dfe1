"""A cleanup from the command line: plan, approval, canary, the rest, and the proof."""

import json
import re
from dataclasses import replace

import pytest
from cli_bench import Shell, documented_fields, typed

from tokenvault_data.cleanup.plan.plan_file import read_plan, seal_plan
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings

CUSTOMERS = [f"cust_{number:07d}" for number in range(60)]
CAPS = ("--max-vault-share", "1", "--max-bank-share", "1")


@pytest.fixture
def vault():
    """A vault for each test: cleanups leave it changed."""
    with Emulator(EmulatorSettings(customers=len(CUSTOMERS))) as emulator:
        yield emulator


@pytest.fixture
def shop(tmp_path, vault):
    """A folder with a snapshot of sixty customers of that vault."""
    shell = Shell(tmp_path, vault.base_url)
    collected = shell.run("collect", shell.write_list("ids.txt", CUSTOMERS), "--json")
    assert collected.code == 0
    return shell


def planned(shop, *rule):
    """Plan a cleanup and give its JSON."""
    made = shop.run("cleanup", "plan", "latest", *rule, *CAPS, "--planner", "ravi", "--json")
    assert made.code == 0, made.err
    return made.document


def settling_at_once(shop, plan):
    """Have the same plan made so that cards need not be seen gone a minute later."""
    made = read_plan(shop.folder / plan["path"])
    quick = replace(made, limits=replace(made.limits, settle_seconds=0.1))
    seal_plan(quick, shop.folder / "vault-data")
    return plan | {"plan": quick.id, "phrase": quick.phrase}


def approved(shop, plan):
    """Let asha approve a plan; give the exit code."""
    phrase = plan["phrase"].replace("delete", "approve")
    return typed(shop, phrase, "cleanup", "approve", plan["plan"], "--key", "asha")[1]


def test_a_whole_campaign(shop, vault):
    """Planned, approved by another, the canary, the rest, verified, audited and reported."""
    plan = planned(shop, "--expired")
    assert [list(plan)] == documented_fields("tokenvault cleanup plan")
    plan = settling_at_once(shop, plan)
    name = plan["plan"]
    keys = shop.run("cleanup", "keygen", "asha", "--json")
    assert [list(keys.document)] == documented_fields("tokenvault cleanup keygen")
    trusted = shop.run("cleanup", "trust", keys.document["public_key"], "--json")
    assert [list(trusted.document)] == documented_fields("tokenvault cleanup trust")
    assert approved(shop, plan) == 0

    vault.wire_log.clear()
    assert "cleanup apply" in shop.run("cleanup", "status", name).out
    _, code = typed(shop, plan["phrase"], "cleanup", "apply", name)
    assert code == 3
    held = shop.run("cleanup", "status", name, "--json").document
    assert [list(held)] == documented_fields("tokenvault cleanup apply")
    assert (held["state"], held["done"]) == ("held", plan["canary"])
    assert held["at_work"] is False
    shown = shop.run("cleanup", "status", name).out
    assert "No process works on it. To go on" in shown
    assert "seen gone (404)" in shown
    _, code = typed(shop, plan["phrase"], "cleanup", "apply", name)
    assert code == 0
    deletes = [entry for entry in vault.wire_log.entries() if entry.method == "DELETE"]
    assert len(deletes) == plan["cards"]

    verified = shop.run("cleanup", "verify", name, "--json")
    assert [list(verified.document)] == documented_fields("tokenvault cleanup verify")
    assert (verified.code, verified.document["gone"]) == (0, plan["cards"])
    audited = shop.run("cleanup", "audit", name, "--json")
    assert [list(audited.document)] == documented_fields("tokenvault cleanup audit")
    assert audited.code == 0
    assert audited.document["finals"] == {"deleted": plan["cards"]}
    reported = shop.run("cleanup", "report", name, "--to", "cleanup.html", "--json")
    assert [list(reported.document)] == documented_fields("tokenvault cleanup report")
    page = (shop.folder / "cleanup.html").read_text(encoding="utf-8")
    assert "cust_00" not in page
    one_file = ("cleanup", "report", name, "--to", "r.csv", "--exceptions", "./r.csv")
    assert shop.run(*one_file).code == 2
    assert not (shop.folder / "r.csv").exists()
    nothing_left = ("cleanup", "report", name, "--to", "again.html", "--exceptions", "left.csv")
    assert "left.csv was not written" in shop.run(*nothing_left).out
    assert not (shop.folder / "left.csv").exists()
    assert "cleanup audit" in shop.run("cleanup", "status", name).out
    again = shop.run("cleanup", "apply", name, "--json")  # nothing is left to confirm
    assert (again.code, again.document["state"]) == (0, "completed")


def test_nothing_but_typing_starts_a_deletion(shop, vault):
    """Without a terminal, or with another phrase, nothing is sent."""
    plan = planned(shop, "--inactive")
    vault.wire_log.clear()
    piped = shop.run("cleanup", "apply", plan["plan"], stdin=f"{plan['phrase']}\n")
    assert piped.code == 4
    for answer in ("yes", plan["phrase"].upper(), ""):
        shown, code = typed(shop, answer, "cleanup", "apply", plan["plan"])
        assert code == 4
        assert "nothing was sent" in shown
    assert not vault.wire_log.entries()
    assert not list(shop.folder.glob("vault-data/campaigns/*/journal.sqlite"))


def test_a_plan_that_was_touched_is_refused(shop, vault):
    """One changed digit in the plan's file, and every command refuses it."""
    plan = planned(shop, "--where", "card_network=visa", "--max-per-customer", "9")
    path = shop.folder / plan["path"]
    path.write_bytes(path.read_bytes().replace(b'"number":0', b'"number":1', 1))
    vault.wire_log.clear()
    for command in ("show", "apply", "status"):
        refused = shop.run("cleanup", command, plan["plan"], "--json")
        assert (refused.code, refused.document["error"]["kind"]) == (4, "PlanDamaged")
    audited = shop.run("cleanup", "audit", plan["plan"], "--json")
    assert audited.code == 1
    assert any("plan.json" in finding for finding in audited.document["findings"])
    assert not vault.wire_log.entries()


def test_guard_rails_refuse_in_one_sentence(shop):
    """A cap exceeded, a planner who approves, no rule, and a card list with no card."""
    capped = shop.run("cleanup", "plan", "latest", "--expired", "--json")
    assert capped.code == 4
    assert "vault_share (--max-vault-share)" in capped.document["error"]["message"]
    plan = planned(shop, "--expired")
    shop.run("cleanup", "keygen", "Ravi")
    own = shop.run("cleanup", "approve", plan["plan"], "--key", "Ravi", "--json")
    assert own.code == 4
    none = shop.run("cleanup", "plan", "latest", "--json")
    assert none.code == 2
    wrong = shop.run("cleanup", "apply", plan["plan"], "--profile", "sandbox", "--json")
    assert wrong.code in {2, 4}


def test_an_approval_by_an_unknown_key_is_refused_with_the_way_out(shop, vault):
    """Signed here is not trusted here: refused before the phrase is asked for, with the way out."""
    plan = settling_at_once(shop, planned(shop, "--expired"))
    keys = shop.run("cleanup", "keygen", "asha", "--json").document
    assert approved(shop, plan) == 0
    vault.wire_log.clear()
    refused = shop.run("cleanup", "apply", plan["plan"])
    assert refused.code == 4
    assert "tokenvault cleanup trust" in " ".join(refused.err.split())
    assert "type:" not in refused.err
    assert not vault.wire_log.entries()
    shop.run("cleanup", "trust", keys["public_key"])
    assert typed(shop, plan["phrase"], "cleanup", "apply", plan["plan"])[1] == 3


def test_what_to_do_next_can_be_typed(shop):
    """The commands that follow a plan, with the approver's name put in, are valid."""
    made = shop.run("cleanup", "plan", "latest", "--inactive", *CAPS, "--planner", "ravi")
    shown, approval, _ = (line.split()[1:] for line in made.out.splitlines()[-3:])
    assert shop.run(*shown).code == 0
    shop.run("cleanup", "keygen", "asha")
    phrase = shop.run("cleanup", "show", shown[2], "--json").document["phrase"]
    words = ("asha" if word == "NAME" else word for word in approval)
    assert typed(shop, phrase.replace("delete", "approve"), *words)[1] == 0


def test_what_is_simulated_is_what_is_planned(shop):
    """The simulation counts the cards that the plan then holds, and shows nobody's id."""
    rule = ("--expired", "--where", "card_network=visa,mastercard", *CAPS)
    told = shop.run("cleanup", "simulate", "latest", *rule, "--json")
    assert [list(told.document)] == documented_fields("tokenvault cleanup simulate")
    plan = planned(shop, *rule[:-4])
    assert told.document["cards"] == plan["cards"] > 0
    assert sum(row["cards_planned"] for row in told.document["networks"]) == plan["cards"]
    shown = shop.run("cleanup", "show", plan["plan"])
    assert re.search(rf"{plan['cards']:,} cards", shown.out)
    for text in (shown.out, json.dumps(told.document), json.dumps(plan)):
        assert "cust_0" not in text
