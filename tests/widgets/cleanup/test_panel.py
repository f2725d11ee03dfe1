"""The cleanup panel on an emulated vault: what deletes, what does not, and what is shown."""

import inspect
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cleanup_bench import WIDE, cleanup_bench, planned, press, type_and_run, wait_for

import tokenvault_data as tv
from tokenvault_data import read_export
from tokenvault_data.cleanup.campaign.applying import apply_cleanup
from tokenvault_data.cleanup.selection.rules import listed
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.errors import UsageError
from tokenvault_data.widgets.cleanup.panel import CleanupPanel
from tokenvault_data.widgets.cleanup.stages import Stage

APPLY = """
import sys
from pathlib import Path
import tokenvault_data as tv
from tokenvault_data.cleanup.plan.plan_file import read_plan
from tokenvault_data.config.loading import emulator_profile
url, store, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
plan = read_plan(store / "campaigns" / name)
vault = tv.connect(emulator_profile(url), share=1.0)
tv.apply_cleanup(vault, plan, store=store, confirm=plan.phrase, config_dir=store / "config")
"""
HOSTILE = "<img src=x onerror=alert(1)>"
IDS = ("customer_id", "instrument_id", "instrument_uid", "par")


@pytest.fixture
def bench(tmp_path):
    with cleanup_bench(tmp_path) as made:
        yield made


def widgets_of(widget):
    """A widget and all that stand in it."""
    found = [widget]
    for child in getattr(widget, "children", ()):
        found += widgets_of(child)
    return found


def traits_of(panel):
    """Everything that reaches the page, as one text."""
    return json.dumps([one.get_state() for one in widgets_of(panel)], default=str)


def ids_of(snapshot):
    table = snapshot.to_arrow(IDS)
    return {value for name in IDS for value in table[name].to_pylist() if value}


def test_from_a_rule_to_the_proof(bench):
    """Canary, hold, the rest: exactly the planned cards, each once; verified, audited, reported."""
    panel = bench.sealed_by_hand()
    type_and_run(panel)
    assert panel.stage is Stage.HELD
    assert len(bench.deletes()) == len(panel.plan.canary)
    type_and_run(panel)
    assert panel.stage is Stage.OVER
    press(panel, "verify", "report")
    assert sorted(bench.deletes()) == planned(panel)
    shown = panel.static_html()
    count = len(panel.plan.cards)
    assert (
        f"Everything holds, and the ledger vouches for it: {count} planned = {count} deleted."
        in shown
    )
    assert f"6. Verify: {count} of {count} seen gone" in shown
    folder = bench.store / "campaigns" / panel.plan.id
    assert set(read_export(folder / "completion.csv")["final"]) == {"deleted"}
    assert "Completed: every card is gone" in (folder / "completion.html").read_text()


def test_nothing_is_sent_before_the_phrase_was_typed(bench):
    """Simulation, plan, approvals, audit and report are made without a single request."""
    panel = bench.sealed_by_hand()
    press(panel, "run", "pause", "abort", "verify", "audit", "reread", "report", "run")
    assert bench.emulator.wire_log.entries() == []
    assert panel.stage is Stage.SEALED
    assert (bench.store / "campaigns" / panel.plan.id / "completion.html").exists()


def test_any_other_phrase_deletes_nothing(bench):
    """The button stays closed, and pressing it all the same sends nothing."""
    panel = bench.sealed()
    phrase = panel.plan.phrase
    others = ["", phrase + " ", phrase.upper(), phrase[:-1], "delete 1 emulator 0a1b2c"]
    for other in others:
        panel.phrase.value = other
        assert panel.run.disabled, other
        press(panel, "run")
        assert bench.emulator.wire_log.entries() == [], other
    panel.phrase.value = phrase
    assert not panel.run.disabled


def test_the_button_opens_with_the_phrase_and_looks_again_when_pressed(bench):
    """A phrase that changed after the button opened counts as it is at the press."""
    panel = bench.sealed()
    panel.phrase.value = panel.plan.phrase
    assert not panel.run.disabled
    with panel.phrase.hold_trait_notifications():  # as if the page's view of it lagged behind
        panel.phrase.value = "delete 1 emulator 0a1b2c"
        assert not panel.run.disabled
        panel.run.click()
    assert panel.join(30)
    assert bench.emulator.wire_log.entries() == []


def test_the_rest_needs_the_phrase_once_more(bench):
    """The field is empty after the start, and the canary's phrase releases nothing else."""
    panel = bench.sealed()
    type_and_run(panel)
    assert panel.phrase.value == ""
    assert panel.run.disabled
    press(panel, "run", "run")
    assert len(bench.deletes()) == len(panel.plan.canary)
    assert "spread over banks, has shown" in panel.part(5)._repr_html_()
    assert "29 cards. The delete" not in panel.static_html()


def test_many_presses_at_once_start_one_campaign(bench):
    """Eight threads press at the same moment: the canary is deleted once, and nothing else."""
    panel = bench.sealed()
    panel.phrase.value = panel.plan.phrase
    gate = threading.Barrier(8)

    def click():
        gate.wait()
        panel.run.click()

    threads = [threading.Thread(target=click) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert panel.join(30)
    assert panel.stage is Stage.HELD
    assert len(bench.deletes()) == len(panel.plan.canary)


def test_a_campaign_that_has_moved_on_is_looked_at_first(bench):
    """What was typed for the canary does not release the rest, when somebody did the canary."""
    panel = bench.sealed()
    panel.phrase.value = panel.plan.phrase
    apply_cleanup(
        bench.vault,
        panel.plan,
        store=bench.store,
        confirm=panel.plan.phrase,
        config_dir=bench.store / "config",
    )
    before = len(bench.deletes())
    press(panel, "run")
    assert len(bench.deletes()) == before == len(panel.plan.canary)
    assert panel.phrase.value == ""
    assert "has moved on" in panel.part(5)._repr_html_()
    type_and_run(panel)
    assert panel.stage is Stage.OVER


def test_what_was_typed_is_gone_when_something_else_is_shown(bench):
    """A phrase typed for the canary does not wait in the field for the rest."""
    panel = bench.sealed()
    again = bench.panel(plan=panel.plan.id)
    again.phrase.value = panel.plan.phrase
    type_and_run(panel)
    press(again, "reread")
    assert again.stage is Stage.HELD
    assert again.phrase.value == ""


@pytest.mark.parametrize(
    ("faults", "state", "why"),
    [
        ("401@delete", "paused", "401"),
        ("redirect-307@delete", "halted", "redirect"),
    ],
)
def test_why_it_stopped_is_said_with_what_can_be_done(bench, faults, state, why):
    """Paused by a refusal or halted by a redirect: the reason is shown, and the way out is open."""
    panel = bench.sealed()
    type_and_run(panel)
    bench.emulator.set_faults(faults)
    type_and_run(panel)
    bench.emulator.set_faults("")
    assert panel.status.state == state
    shown = panel.part(5)._repr_html_()
    assert why in shown
    assert "abort" in shown
    assert (panel.stage is Stage.STOPPED) == (state == "paused")
    assert panel.phrase.disabled == (state == "halted")
    assert not panel.abort.disabled
    if state == "paused":  # settling what a redirect left in doubt takes a minute and more
        press(panel, "abort")
        assert panel.stage is Stage.OVER
        assert panel.status.finals["not_attempted"] > 0


def test_a_plan_that_was_changed_on_disk_deletes_nothing(bench):
    """One changed byte between sealing and pressing is met, and said in a sentence."""
    panel = bench.sealed()
    path = bench.store / "campaigns" / panel.plan.id / "plan.json"
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content.replace(b"Asha", b"Asho", 1))
    type_and_run(panel)
    assert bench.emulator.wire_log.entries() == []
    assert "not a plan as it was sealed" in panel.part(5)._repr_html_()


def test_the_kernel_stays_free_and_pause_finishes_what_is_in_flight(tmp_path):
    """A press returns at once; Pause stops within a second; going on ends with each card once."""
    with cleanup_bench(tmp_path, customers=300, latency_ms=60) as bench:
        panel = bench.sealed()
        type_and_run(panel)
        panel.phrase.value = panel.plan.phrase
        began = time.monotonic()
        panel.run.click()
        assert time.monotonic() - began < 2
        assert panel.stage is Stage.AT_WORK
        wait_for(lambda: len(bench.deletes()) > len(panel.plan.canary))
        asked_at = time.monotonic()
        panel.pause.click()
        assert panel.join(10)
        assert time.monotonic() - asked_at < 4  # a second, and what a busy machine adds
        assert panel.stage is Stage.STOPPED
        assert panel.run.description.startswith("Resume: ")
        assert "It is paused: somebody asked for it." in panel.part(5)._repr_html_()
        assert panel.run.disabled
        type_and_run(panel)
        assert panel.stage is Stage.OVER
        assert sorted(bench.deletes()) == planned(panel)


def test_a_pause_right_after_the_start_is_not_lost(tmp_path):
    """Asked for before the campaign's first look at what is asked, it is met all the same."""
    with cleanup_bench(tmp_path, customers=300, latency_ms=60) as bench:
        panel = bench.sealed()
        type_and_run(panel)
        panel.phrase.value = panel.plan.phrase
        panel.run.click()
        panel.pause.click()
        assert panel.join(10)
        assert panel.stage is Stage.STOPPED
        assert len(bench.deletes()) < len(panel.plan.cards)


def test_abort_ends_it_for_good(tmp_path):
    """At work: nothing more is deleted, all is settled, and the audit accounts for every card."""
    with cleanup_bench(tmp_path, customers=300, latency_ms=60) as bench:
        panel = bench.sealed()
        type_and_run(panel)
        panel.phrase.value = panel.plan.phrase
        panel.run.click()
        wait_for(lambda: len(bench.deletes()) > len(panel.plan.canary))
        panel.abort.click()
        assert panel.join(30)
        assert panel.stage is Stage.OVER
        assert panel.status.state == "aborted"
        assert panel.status.finals["not_attempted"] > 0
        assert "Everything holds" in panel.part(7)._repr_html_()
        before = bench.deletes()
        type_and_run(panel)
        assert bench.deletes() == before


def test_abort_of_one_that_is_held(bench):
    """At rest: the canary stays what it was, the others are not attempted."""
    panel = bench.sealed()
    type_and_run(panel)
    press(panel, "abort")
    assert panel.stage is Stage.OVER
    assert panel.status.finals == {
        "deleted": len(panel.plan.canary),
        "not_attempted": len(panel.plan.cards) - len(panel.plan.canary),
    }


def test_another_panel_shows_it_at_work_and_can_pause_it(tmp_path):
    """Reopened: the campaign is found, followed without a phrase, paused there, and gone on with.

    The first panel stands for the one of a tab that was closed.
    """
    with cleanup_bench(tmp_path, customers=150, latency_ms=400) as bench:
        first = bench.sealed()
        type_and_run(first)
        first.phrase.value = first.plan.phrase
        first.run.click()
        wait_for(lambda: len(bench.deletes()) > len(first.plan.canary))
        second = bench.panel()
        assert second.plan == first.plan
        assert second.stage is Stage.ELSEWHERE
        assert second.run.disabled
        assert second.phrase.disabled
        assert not second.pause.disabled
        second.phrase.value = second.plan.phrase
        press(second, "run")
        before = (second.status.requests, traits_of(second))
        wait_for(lambda: second.status.requests > before[0] and traits_of(second) != before[1])
        second.pause.click()
        assert first.join(10)
        wait_for(lambda: "Resume: " in second.run.description)
        assert second.stage is Stage.STOPPED
        assert "in another place" not in second.static_html()
        type_and_run(second)
        assert second.stage is Stage.OVER
        assert sorted(bench.deletes()) == planned(first)


def requests_once_quiet(emulator):
    """Count requests when the last of a dead client has been answered, and so written down."""
    counted = -1
    while counted != (counted := len(emulator.wire_log.entries())):
        time.sleep(0.5)
    return counted


def test_what_a_killed_process_left_is_found_and_gone_on_with(tmp_path):
    """Interrupted in the middle: shown as such, nothing sent before the phrase, each card once."""
    with cleanup_bench(tmp_path, customers=100, latency_ms=100) as bench:
        first = bench.sealed()
        type_and_run(first)
        # Settings of its own: the bench holds all of the account's share.
        child = subprocess.Popen(
            [sys.executable, "-c", APPLY, bench.emulator.base_url, tmp_path, first.plan.id],
            env={**os.environ, "TOKENVAULT_CONFIG": str(tmp_path / "of-the-child")},
        )
        wait_for(lambda: len(bench.deletes()) > len(first.plan.canary))
        child.kill()
        child.wait()
        sent = requests_once_quiet(bench.emulator)
        again = bench.panel()
        assert again.stage is Stage.STOPPED
        assert "interrupted" in again.part(5)._repr_html_()
        assert "Its process ended while running." in again.part(5)._repr_html_()
        assert len(bench.emulator.wire_log.entries()) == sent
        type_and_run(again)
        assert again.stage is Stage.OVER
        assert set(bench.deletes()) == set(planned(again))
        assert "Everything holds" in again.part(7)._repr_html_()


def test_a_held_campaign_is_found_again(bench):
    """A new panel opens it where it stands, with an empty field, and starts nothing."""
    first = bench.sealed()
    type_and_run(first)
    again = bench.panel()
    assert (again.plan, again.stage) == (first.plan, Stage.HELD)
    assert again.phrase.value == ""
    assert again.run.description == first.run.description
    assert len(bench.deletes()) == len(first.plan.canary)
    type_and_run(again)
    assert sorted(bench.deletes()) == planned(first)


def test_a_sealed_plan_is_offered_and_not_opened(bench):
    """After a restart the plan that waits for its approval can be chosen from the list."""
    first = bench.sealed()
    again = bench.panel()
    assert again.plan is None
    again.pick.value = first.plan.id
    assert again.plan == first.plan
    again.pick.value = ""
    assert again.plan is None


def test_no_argument_and_no_state_takes_the_place_of_the_phrase(bench):
    """What the panel is made of holds no phrase, and what it was restored from starts nothing."""
    arguments = set(inspect.signature(CleanupPanel.__init__).parameters)
    assert not arguments & {"confirm", "phrase", "confirmation", "run", "apply", "yes", "force"}
    panel = bench.sealed()
    panel.phrase.value = panel.plan.phrase
    state = json.loads(json.dumps(panel.state))
    assert panel.plan.phrase not in json.dumps(state)
    again = CleanupPanel(bench.snapshot, vault=bench.vault, config_dir=bench.store / "c", **state)
    assert again.state == state
    assert again.plan == panel.plan
    assert again.phrase.value == ""
    for widget in widgets_of(panel):
        widget.set_state({k: v for k, v in widget.get_state().items() if k in widget.keys})
    assert bench.emulator.wire_log.entries() == []
    assert panel.stage is Stage.SEALED


def test_a_new_choice_puts_the_plan_away(bench):
    """The rule shown is the rule of the plan shown; what was typed for the old one is gone."""
    panel = bench.sealed()
    panel.phrase.value = panel.plan.phrase
    panel.days.value = 400
    assert panel.plan is None
    assert panel.phrase.value == ""
    assert panel.run.disabled
    press(panel, "simulate", "seal")
    assert panel.plan.rule.sentence()[1:] in panel.part(1)._repr_html_()


def test_guard_rails_are_named_before_a_plan_is_made(bench):
    """Default caps: the simulation names each rail and what to do, and sealing stays closed."""
    panel = bench.panel(limits=None)
    press(panel, "simulate", "seal")
    shown = panel.part(2)._repr_html_()
    assert panel.plan is None
    assert panel.seal.disabled
    assert "A guard rail would refuse the plan: " in shown
    assert "the cap on vault_share (--max-vault-share), 1%, allows" in shown
    assert "limits=tv.Limits(vault_share=..., bank_share=...)" in shown


def test_a_client_that_takes_more_than_the_plan_allows_is_refused_by_name(bench):
    """The refusal stands at the button before anything is typed, with what to do."""
    panel = bench.sealed(limits=WIDE | {"rate_share": 0.5})
    assert panel.phrase.disabled
    type_and_run(panel)
    assert bench.emulator.wire_log.entries() == []
    assert "Connect with share=0.5" in traits_of(panel)


def test_without_a_vault_it_plans_and_deletes_nothing(bench):
    """No account, no deletion; the plan is made all the same."""
    panel = bench.sealed(vault=None)
    assert panel.phrase.disabled
    type_and_run(panel)
    assert panel.stage is Stage.SEALED
    assert "no vault was given" in traits_of(panel)


def test_a_profile_is_as_good_as_a_vault(bench):
    """With a profile each job has a client of its own, at the plan's share."""
    panel = bench.sealed(vault=emulator_profile(bench.emulator.base_url))
    type_and_run(panel)
    type_and_run(panel)
    press(panel, "verify")
    assert sorted(bench.deletes()) == planned(panel)


def test_a_vault_of_another_account_is_refused(bench):
    """A plan made for one account is not applied to another one."""
    first = bench.sealed()
    other = emulator_profile(bench.emulator.base_url, client_id="other", client_secret="other")
    panel = bench.panel(vault=other, plan=first.plan.id)
    type_and_run(panel)
    assert bench.emulator.wire_log.entries() == []
    assert "another merchant" in traits_of(panel)


def test_a_closed_vault_is_said(bench):
    """After the connection is closed nothing can be typed, and the panel says why."""
    panel = bench.sealed()
    bench.vault.close()
    press(panel, "reread")
    assert panel.phrase.disabled
    assert "The vault was closed" in traits_of(panel)


def test_no_id_reaches_the_page(bench):
    """At every step, no customer's or card's id stands in any trait, nor in the static twin."""
    known = ids_of(bench.snapshot)
    customer = bench.snapshot.to_arrow(IDS)["customer_id"][0].as_py()
    texts = []
    panel = bench.sealed()
    texts += [traits_of(panel), panel.static_html()]
    type_and_run(panel)
    texts += [traits_of(panel), panel.static_html()]
    type_and_run(panel)
    press(panel, "verify", "report")
    texts += [traits_of(panel), panel.static_html(), repr(panel), json.dumps(panel.state)]
    by_name = bench.panel(tv.where(customer_id=customer))
    press(by_name, "simulate", "seal")
    texts += [traits_of(by_name), by_name.static_html(), json.dumps(by_name.state)]
    by_list = bench.panel(listed([("cust_0000003", "a-card-of-theirs")]))
    press(by_list, "simulate")
    texts += [traits_of(by_list), by_list.static_html(), json.dumps(by_list.state)]
    for text in texts:
        assert not {one for one in known | {"cust_0000003", "a-card-of-theirs"} if one in text}


def test_hostile_names_are_text(bench):
    """A bank's name that is markup is escaped in the static twin, and kept as text in traits."""
    panel = bench.panel(tv.where(card_bank=HOSTILE))
    press(panel, "simulate")
    assert "There is nothing to plan" in panel.static_html()
    assert HOSTILE not in panel.static_html()
    assert "&lt;img src=x" in panel.static_html()


def test_wrong_settings_are_refused_in_a_sentence(bench):
    """What cannot be meant is told when the panel is made."""
    for wrong in ({"rule": {"choice": "all of them"}}, {"limits": {"rowz": 1}}, {"plan": "none"}):
        with pytest.raises(UsageError):
            CleanupPanel(bench.snapshot, store=bench.store, **wrong)


def test_report_files_go_where_they_are_wanted(bench, tmp_path):
    """The page and the table are written to the places given, for a plan never applied too."""
    places = (tmp_path / "out" / "cleanup.html", tmp_path / "out" / "cleanup.csv")
    Path(places[0].parent).mkdir()
    panel = bench.sealed(report_to=places[0], cards_to=places[1])
    press(panel, "report")
    assert all(place.exists() for place in places)
    assert read_export(places[1])["final"].isna().all()
