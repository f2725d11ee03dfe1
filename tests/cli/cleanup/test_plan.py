"""Plans on the command line: what is on hold, what a plan says, and which one is meant."""

import json
import shutil
from dataclasses import replace

import pytest
from cli_bench import Shell, documented_fields

from tokenvault_data.cleanup.plan.plan_file import read_plan, seal_plan
from tokenvault_data.cleanup.plan.summary import describe

CAPS = ("--max-vault-share", "1", "--max-bank-share", "1", "--planner", "ravi")
CUSTOMERS = [f"cust_{number:07d}" for number in range(60)]


@pytest.fixture(scope="module")
def collected(tmp_path_factory, running_emulator):
    """A folder with a snapshot of sixty customers; not to be changed."""
    running_emulator.set_faults("")
    shell = Shell(tmp_path_factory.mktemp("collected"), running_emulator.base_url)
    assert shell.run("collect", shell.write_list("ids.txt", CUSTOMERS), "--json").code == 0
    return shell


@pytest.fixture
def shop(tmp_path, collected):
    """A copy of it."""
    shutil.copytree(collected.folder, tmp_path, dirs_exist_ok=True)
    return Shell(tmp_path, collected.environ["TOKENVAULT_BASE_URL"])


def planned(shop, *more):
    made = shop.run("cleanup", "plan", "latest", "--expired", *CAPS, *more, "--json")
    assert made.code == 0, made.err
    return made.document


def test_lists_are_checked_put_into_the_store_and_left_out(shop):
    """A bad line refuses the list; a good one is in force for every simulation and plan after."""
    before = planned(shop)
    bad = shop.write_list("bad.txt", [CUSTOMERS[0], "../x"])
    refused = shop.run("cleanup", "hold", bad, "--json")
    assert refused.code == 2
    assert "line 2 holds '/'" in refused.document["error"]["message"]
    assert shop.run("cleanup", "hold", "--json").document == {"lists": []}
    good = shop.write_list("disputes.txt", CUSTOMERS[:30])
    added = shop.run("cleanup", "hold", good, "--json")
    assert [list(added.document)] == documented_fields("tokenvault cleanup hold")
    assert added.document["lists"][0]["entries"] == 30
    assert shop.run("cleanup", "hold", "--json").document == added.document
    told = shop.run("cleanup", "simulate", "latest", "--expired", *CAPS[:4], "--json").document
    after = planned(shop)
    held = after["left_out"]["on hold"]
    assert told["left_out"]["on hold"] == held == before["cards"] - after["cards"] > 0
    assert [one["name"] for one in after["holds"]] == ["disputes.txt"]
    good.write_text("cust_0000001\n")
    assert shop.run("cleanup", "hold", good).code == 4
    assert shop.run("cleanup", "hold", good, "--replace").code == 0
    listed = shop.run("cleanup", "hold").out
    assert "disputes.txt" in listed


def test_a_list_in_force_that_was_damaged_stops_every_plan(shop):
    """Never silently ignored: the sentence names the file."""
    (shop.folder / "vault-data" / "holds").mkdir()
    (shop.folder / "vault-data" / "holds" / "legal.csv").write_text("customer_id\n..\n")
    for command in ("simulate", "plan"):
        refused = shop.run("cleanup", command, "latest", "--expired", *CAPS[:4], "--json")
        assert refused.code == 2
        assert "legal.csv cannot be used: row 2" in refused.document["error"]["message"]
    assert not (shop.folder / "vault-data" / "campaigns").exists()


def test_a_named_list_is_kept_with_the_campaign(shop):
    """`--hold` leaves its cards out, and a copy where `apply` will look."""
    mine = shop.write_list("mine.txt", CUSTOMERS[:30])
    made = planned(shop, "--hold", mine)
    assert made["left_out"]["on hold"] > 0
    copy = (shop.folder / made["path"]).with_name("hold-mine.txt")
    assert copy.read_bytes() == mine.read_bytes()
    shown = shop.run("cleanup", "show", made["plan"])
    assert "mine.txt (30 entries, sha256 " in shown.out


def test_entries_that_nobody_knows_are_counted_wherever_a_list_is_used(shop):
    """A misspelt id holds nobody: `hold`, `simulate` and `plan` say how many there are."""
    path = shop.folder / "legal.csv"
    path.write_text(f"customer_id,card\n{CUSTOMERS[0]},x\nCUST_0000002,y\n")
    added = shop.run("cleanup", "hold", path)
    assert "Not read: the columns card." in added.out
    assert "1 of them is not in the newest snapshot" in added.out
    listed = shop.run("cleanup", "hold", "--json").document["lists"][0]
    assert (listed["not_read"], listed["not_in_snapshot"]) == (["card"], 1)
    for command in (("simulate", *CAPS[:4]), ("plan", *CAPS)):
        word, *caps = command
        told = shop.run("cleanup", word, "latest", "--expired", *caps).out
        assert "1 entry of the hold lists is not in the snapshot" in " ".join(told.split())


def test_a_list_may_come_before_the_first_snapshot(shop):
    """Nothing is counted then."""
    path = shop.write_list("early.txt", CUSTOMERS[:2])
    added = shop.run("cleanup", "hold", path, "--store", "new", "--json")
    assert added.document["lists"][0]["not_in_snapshot"] is None


def test_a_plan_that_cannot_be_applied_shows_no_phrase(shop):
    """A hold list of the time of planning is missing: that is said in place of the phrase."""
    listed = shop.write_list("disputes.txt", CUSTOMERS[:2])
    shop.run("cleanup", "hold", listed)
    made = planned(shop)
    (shop.folder / "vault-data" / "holds" / "disputes.txt").unlink()
    shown = shop.run("cleanup", "show", made["plan"]).out
    assert "It cannot be applied now: the hold list disputes.txt" in " ".join(shown.split())
    assert made["phrase"] not in shown
    document = shop.run("cleanup", "show", made["plan"], "--json").document
    assert "disputes.txt" in document["obstacle"]


def test_a_second_plan_over_the_same_cards_is_named_and_can_be_withdrawn(shop):
    """The planner is told; `abort` ends a plan that was never applied, and nothing is sent."""
    first = planned(shop)
    second = shop.run("cleanup", "plan", "latest", "--expired", *CAPS, "--note", "again")
    said = " ".join(second.out.split())
    assert f"Plan {first['plan']} of this store names {first['cards']} cards" in said
    ended = shop.run("cleanup", "abort", first["plan"], "--json")
    assert ended.document["state"] == "aborted"
    assert ended.document["finals"] == {"not_attempted": first["cards"]}
    assert ended.document["deletes"] == 0
    third = shop.run("cleanup", "plan", "latest", "--expired", *CAPS, "--note", "once more")
    assert first["plan"] not in third.out
    audited = shop.run("cleanup", "audit", first["plan"], "--json").document
    assert audited["findings"] == []


def test_show_says_all_that_the_description_says(shop):
    """Every fact and warning of the one description, what is left today, approvals, the phrase."""
    made = planned(shop, "--allow-last-usable", "--max-per-day", "2000", "--note", "as agreed")
    plan = read_plan(shop.folder / made["path"])
    shown = shop.run("cleanup", "show", made["plan"]).out
    told = describe(plan)
    for text in (told.headline, *told.warnings, *(one.text for one in told.facts)):
        assert text in shown
    assert len(told.warnings) == 4
    assert "2,000 of 2,000 deletes" in shown
    assert "Not approved yet." in shown
    assert f"To apply it, type: {plan.phrase}" in shown
    document = shop.run("cleanup", "show", made["plan"], "--json").document
    assert document["facts"] == {one.key: one.text for one in told.facts}
    assert document["warnings"] == list(told.warnings)
    assert (document["phrase"], document["approvals"]) == (plan.phrase, [])
    assert document["today"]["sends_allowed"] == document["limits"]["per_day"] == 2000
    for text in (shown, json.dumps(document)):
        assert "cust_0" not in text


def test_the_plan_that_is_meant_is_the_one_in_its_folder(shop):
    """By id or its first digits; never another plan that was put into the folder of that id."""
    made = planned(shop)
    name, folder = made["plan"], (shop.folder / made["path"]).parent
    assert shop.run("cleanup", "show", name[:6], "--json").document["plan"] == name
    twin = folder.with_name(f"{name[:6]}000000")
    shutil.copytree(folder, twin)
    several = shop.run("cleanup", "show", name[:6], "--json")
    assert several.code == 2
    assert "2 plans" in several.document["error"]["message"]
    for command in ("show", "apply", "status"):
        wrong = shop.run("cleanup", command, twin.name, "--json")
        assert wrong.code == 4
        assert "not its own plan" in wrong.document["error"]["message"]
    by_path = shop.run("cleanup", "show", twin / "plan.json", "--json")
    assert by_path.code == 4
    shutil.copy(folder / "plan.json", shop.folder / "mailed.json")
    assert shop.run("cleanup", "show", "mailed.json", "--json").document["plan"] == name


def test_a_plan_that_its_snapshot_contradicts_is_shown_to_nobody(shop):
    """Digest, canary and counts are sound; the snapshot in the store has other cards."""
    plan = read_plan(shop.folder / planned(shop)["path"])
    other = replace(plan, vault_cards=plan.vault_cards + 1000)
    seal_plan(other, shop.folder / "vault-data")
    for command in ("show", "apply"):
        refused = shop.run("cleanup", command, other.id, "--json")
        assert (refused.code, refused.document["error"]["kind"]) == (4, "PlanDamaged")
        assert "does not match its snapshot" in refused.document["error"]["message"]
    shutil.rmtree(shop.folder / "vault-data" / "snapshots" / plan.snapshot)
    assert shop.run("cleanup", "show", other.id).code == 0


def test_a_rule_on_ids_is_shown_with_the_ids_masked(shop):
    """Neither text nor JSON holds an id, and the rest of the rule is not hidden."""
    made = planned(shop, "--where", f"customer_id={CUSTOMERS[3]},{CUSTOMERS[4]},{CUSTOMERS[5]}")
    shown = shop.run("cleanup", "show", made["plan"]).out
    for text in (shown, json.dumps(made)):
        assert "cust_0" not in text
    assert made["sentence"].startswith("expires before ")
    assert 'customer id is "cu…03", "cu…04" or "cu…05"' in made["sentence"]
    assert made["rule"] == {"kind": "condition"}
