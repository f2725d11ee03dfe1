"""The panel for collecting, without a page: the same clicks and calls, over HTTP."""

import datetime as dt
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import ipywidgets
import pytest
from panel_inside import part, parts_of

import tokenvault_data as tv
from tokenvault_data.collection.run import list_runs
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings
from tokenvault_data.errors import AccessDenied, CollectionInterrupted, Locked, UsageError
from tokenvault_data.widgets.collect.panel import CollectPanel

CUSTOMERS = 400
IDS = [f"cust_{number:07d}" for number in range(CUSTOMERS)]
LIMIT = 8_000  # half of it is ours: six seconds for all


@pytest.fixture(scope="module")
def shared():
    with Emulator(EmulatorSettings(customers=CUSTOMERS, rate_limit_per_minute=LIMIT)) as emulator:
        yield emulator


@pytest.fixture
def emulator(shared):
    shared.wire_log.clear()
    yield shared
    shared.set_faults("")
    shared.set_credentials(None, None)


@pytest.fixture
def open_panel(emulator, tmp_path):
    """Panels on the emulator and one store, all closed when the test ends."""
    panels = []

    def open_it(customers=None, *, profile=None, **settings):
        settings = {"store": tmp_path / "store", "share": 1.0} | settings
        profile = emulator_profile(emulator.base_url) if profile is None else profile
        panels.append(CollectPanel(profile, customers, **settings))
        return panels[-1]

    yield open_it
    for panel in panels:
        panel.close()


def wait_for(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.01)


def until(panel, customers):
    """Wait until so many customers are done."""
    wait_for(lambda: panel.state["counts"].get("done", 0) >= customers)


def click(panel, name):
    button = part(panel, name)
    assert not button.disabled, f"{name} cannot be clicked"
    button.click()


def offered(panel):
    names = ("retry", "go-on", "start", "pause", "cancel")
    return [part(panel, name).description for name in names if not part(panel, name).disabled]


def said(panel):
    return panel.static_html()


def on_the_page(panel):
    """All that reaches the browser, as text."""
    return json.dumps([one.get_state() for one in parts_of(panel)], default=repr)


def asked_for(emulator):
    counts = Counter(entry.customer_id for entry in emulator.wire_log.entries())
    counts.pop("tokenvault-doctor", None)
    return counts


# -- from a list to a snapshot --------------------------------------------------------------------


def test_a_list_becomes_a_snapshot(emulator, open_panel):
    """Every customer asked for once, one outcome each, and nobody's id reaches the page."""
    panel = open_panel([*IDS, "", IDS[0], "1.2E+11"])
    assert "<b>400</b> customers, <b>3</b> not requested" in said(panel)
    began = time.monotonic()
    click(panel, "start")
    assert time.monotonic() - began < 1  # it runs beside, not here
    until(panel, 35)
    assert panel.state["phase"] == "running"
    wait_for(lambda: "of the 8,000 that are ours" in said(panel))
    snapshot = panel.result(60)
    assert panel.snapshot is snapshot
    assert snapshot.complete
    assert asked_for(emulator) == dict.fromkeys(IDS, 1)
    outcomes = snapshot.manifest.outcomes
    total = f"{outcomes['fetched']:,} + {outcomes['empty']:,} + 0 = 400"
    assert f"{total}: every customer has exactly one outcome." in said(panel)
    assert f"Snapshot {snapshot.id}, complete" in said(panel)
    assert panel.state["counts"] == {
        "requested": CUSTOMERS,
        "done": CUSTOMERS,
        "failed": 0,
        "cards": snapshot.manifest.instruments,
    }
    assert "cust_0" not in on_the_page(panel) + said(panel) + json.dumps(panel.state)
    assert offered(panel) == ["Collect anew"]


def test_the_plan_comes_from_the_account(open_panel):
    """One request tells the limit; before it the plan says that it assumes one."""
    panel = open_panel([f"cust_{number:07d}" for number in range(1200)], share=0.5)
    assert "reckons with 100 a minute" in said(panel)
    click(panel, "check")
    assert panel.join(30)
    assert "1,200 customers at 4,000 a minute: about 18 s." in said(panel)
    assert "The account works" in said(panel)
    part(panel, "share").value = 25
    assert "1,200 customers at 2,000 a minute: about 36 s." in said(panel)
    part(panel, "limit").value = "1,200"
    assert "1,200 customers at 300 a minute: about 4 min." in said(panel)
    assert panel.state["limit_per_minute"] == 1200
    part(panel, "limit").value = "fast"
    assert "whole number of requests a minute" in said(panel)
    panel.start()
    with pytest.raises(UsageError, match="whole number"):
        panel.result()


def test_a_stated_limit_is_kept_to(emulator, open_panel):
    """The plan's pace is the pace: a limit that the user states is a ceiling."""
    panel = open_panel(IDS[:30], share=0.5, limit_per_minute=1200)
    began = time.monotonic()
    panel.start()
    panel.result(60)
    assert time.monotonic() - began > 1.5  # thirty at ten a second, the first few at once
    assert len(emulator.wire_log.entries()) == 30


def test_state_is_what_the_constructor_takes(open_panel, tmp_path):
    """A script gets the same panel from what another one says of itself."""
    (tmp_path / "t.csv").write_text("a,b\nx,cust_1\ny,cust_2\n")
    panel = open_panel(str(tmp_path / "t.csv"), profile="sandbox", column="b", share=0.25)
    state = json.loads(json.dumps(panel.state))
    keys = ("profile", "customers", "column", "store", "share", "limit_per_minute")
    again = CollectPanel(**{key: state[key] for key in keys})
    assert again.state == state
    assert "<b>2</b> customers" in said(again)
    again.close()


# -- stopping and going on ------------------------------------------------------------------------


def test_paused_and_resumed(emulator, open_panel):
    """What left was answered and kept, and resuming asks for the others only."""
    panel = open_panel(IDS, share=0.5)
    panel.start()
    until(panel, 50)
    click(panel, "pause")
    assert offered(panel) == []
    assert panel.join(30)
    kept = panel.state["counts"]["done"]
    assert panel.state["phase"] == "paused"
    assert kept == len(asked_for(emulator)) < CUSTOMERS
    assert f"Paused at {kept:,} of 400 customers." in said(panel)
    assert f"kept in run {panel.state['run_id']}" in said(panel)
    assert offered(panel) == ["Resume", "Cancel"]
    with pytest.raises(CollectionInterrupted):
        panel.result()
    click(panel, "go-on")
    until(panel, kept + 1)
    assert panel.result(60).complete
    assert asked_for(emulator) == dict.fromkeys(IDS, 1)
    assert len(list_runs(Path(panel.state["store"]))) == 1


def test_cancelled_what_was_done_is_kept(emulator, open_panel, tmp_path):
    """The panel is free for another list; a later one, without any, offers to go on."""
    panel = open_panel(IDS, share=0.5)
    panel.start()
    until(panel, 50)
    click(panel, "cancel")
    assert panel.join(30)
    kept = panel.state["counts"]["done"]
    assert f"Cancelled at {kept:,} of 400 customers." in said(panel)
    assert offered(panel) == [f"Go on with {CUSTOMERS - kept:,} left", "Collect anew"]
    (tmp_path / "few.txt").write_text("\n".join(IDS[:5]))
    part(panel, "path").value = str(tmp_path / "few.txt")
    assert offered(panel)[1] == "Start"
    assert "another list than the one read" in said(panel)
    click(panel, "start")
    assert panel.result(30).manifest.requested == 5

    later = open_panel()
    assert f"A collection of 400 customers stopped at {kept:,}" in said(later)
    emulator.wire_log.clear()
    click(later, "go-on")
    snapshot = later.result(60)
    assert snapshot.manifest.requested == sum(snapshot.manifest.outcomes.values()) == CUSTOMERS
    assert len(asked_for(emulator)) == CUSTOMERS - kept
    assert max(asked_for(emulator).values()) == 1


def test_paused_and_then_cancelled(open_panel):
    """Nothing runs any more; the panel is free."""
    panel = open_panel(IDS, share=0.5)
    panel.start()
    until(panel, 35)
    panel.pause()
    panel.join(30)
    click(panel, "cancel")
    assert panel.state["phase"] == "cancelled"
    assert not part(panel, "path").disabled


def test_collecting_anew_leaves_the_unfinished_one_as_it_is(emulator, open_panel):
    """The button beside "Go on" asks for everybody."""
    panel = open_panel(IDS, share=0.5)
    panel.start()
    until(panel, 50)
    panel.cancel()
    panel.join(30)
    emulator.wire_log.clear()
    click(panel, "start")
    panel.result(60)
    assert asked_for(emulator) == dict.fromkeys(IDS, 1)
    unfinished = [run for run in list_runs(Path(panel.state["store"])) if not run.is_finished]
    assert len(unfinished) == 1


def test_failed_customers_are_retried_alone(emulator, open_panel):
    """Failures are counted by cause, and their retry completes the snapshot."""
    panel = open_panel(IDS)
    emulator.set_faults(";".join(f"404#customer={name}" for name in IDS[5:8]))
    panel.start()
    partial = panel.result(60)
    assert not partial.complete
    assert "3: the vault knows no such customer (404)" in said(panel)
    assert offered(panel) == ["Retry 3 failed", "Collect anew"]
    emulator.set_faults("")
    emulator.wire_log.clear()
    click(panel, "retry")
    complete = panel.result(60)
    assert complete.complete
    assert complete.id != partial.id
    assert asked_for(emulator) == dict.fromkeys(IDS[5:8], 1)
    assert panel.state["counts"]["cards"] == complete.manifest.instruments


@pytest.mark.parametrize("how", ["pause", "cancel"])
def test_a_retry_is_stopped_and_gone_on_with(emulator, open_panel, how):
    """What it has found out is kept; those that still failed are asked for again."""
    panel = open_panel(IDS, share=0.5)
    failing = IDS[::2]
    emulator.set_faults(";".join(f"404#customer={name}" for name in failing))
    panel.start()
    panel.result(60)
    emulator.set_faults("")
    emulator.wire_log.clear()
    click(panel, "retry")
    wait_for(lambda: asked_for(emulator).total() >= 40)
    click(panel, how)
    assert panel.join(30)
    left = len(failing) - len(asked_for(emulator))
    assert 0 < left == panel.state["counts"]["failed"]
    assert f"{left:,} of them failed" in said(panel)
    click(panel, "go-on" if how == "pause" else "retry")
    assert panel.result(60).complete
    assert asked_for(emulator) == dict.fromkeys(failing, 1)


def test_nobody_could_be_fetched(emulator, open_panel):
    """There is no snapshot, the causes are said, and all can be retried."""
    panel = open_panel(IDS[:20])
    emulator.set_faults(";".join(f"404#customer={name}" for name in IDS[:20]))
    panel.start()
    panel.join(60)
    assert "None of the 20 customers could be fetched (20 not_found)" in said(panel)
    emulator.set_faults("")
    assert offered(panel) == ["Retry 20 failed", "Start"]
    click(panel, "retry")
    assert panel.result(60).complete


def test_refused_credentials_are_one_sentence(emulator, open_panel):
    """What was done is kept, and with good ones the panel goes on."""
    panel = open_panel(IDS, share=0.5)
    panel.start()
    until(panel, 35)
    emulator.set_credentials("emulator-client", "another-secret")
    panel.join(30)
    assert panel.state["phase"] == "failed"
    assert "of 400 customers are kept in run" in said(panel)
    assert "Traceback" not in said(panel)
    with pytest.raises(AccessDenied):
        panel.result()
    assert offered(panel)[0].startswith("Go on with")
    emulator.set_credentials(None, None)
    click(panel, "go-on")
    assert panel.result(60).complete


# -- several at the same run ----------------------------------------------------------------------


def test_a_second_panel_follows_and_can_pause(open_panel):
    """Made while the first collects, it shows how far that is; what it pauses either can resume."""
    first = open_panel(IDS, share=0.25)
    first.start()
    until(first, 20)
    second = open_panel(IDS)
    assert second.state["phase"] == "elsewhere"
    assert "Another panel of this kernel is collecting" in said(second)
    assert offered(second) == ["Pause it"]
    click(second, "pause")
    first.join(30)
    assert first.state["phase"] == "paused"
    wait_for(lambda: second.state["phase"] == "ready")
    assert offered(second)[0].startswith("Go on with")


def test_two_panels_that_start_the_same_run(open_panel):
    """The second is told in one sentence, sends nothing, and follows the first to its end."""
    first, second = open_panel(IDS, share=0.5), open_panel(IDS, share=0.5)
    first.start()
    until(first, 20)
    second.start()
    second.join(30)
    assert second.state["phase"] == "elsewhere"
    assert "Another panel of this kernel is collecting" in said(second)
    assert "Nothing was sent from here." in said(second)
    with pytest.raises(Locked):
        second.result()
    snapshot = first.result(60)
    wait_for(lambda: second.state["phase"] == "done")
    assert second.snapshot.id == snapshot.id
    assert second.state["counts"] == first.state["counts"]


COLLECT = """
import sys
import tokenvault_data as tv
from tokenvault_data.config.loading import emulator_profile

base_url, store, list_of_ids = sys.argv[1:]
with tv.connect(emulator_profile(base_url), rate_per_minute=3_000) as vault:
    tv.collect(vault, list_of_ids, store=store)
"""


def test_another_process_is_followed_to_its_end(emulator, open_panel, tmp_path):
    """Its progress from the run's folder, no button to press, and the snapshot when it is over."""
    (tmp_path / "ids.txt").write_text("\n".join(IDS))
    store = tmp_path / "store"
    command = [sys.executable, "-c", COLLECT, emulator.base_url, store, tmp_path / "ids.txt"]
    with subprocess.Popen([str(word) for word in command]) as child:
        wait_for(lambda: asked_for(emulator).total() > 20)
        panel = open_panel()
        assert panel.state["phase"] == "elsewhere"
        assert "Another process is collecting for this account" in said(panel)
        assert offered(panel) == []
        panel.start()  # a script that does not look is not heard either
        wait_for(lambda: panel.state["phase"] == "done", 60)
        assert child.wait(30) == 0
    assert panel.snapshot.complete
    assert asked_for(emulator) == dict.fromkeys(IDS, 1)


def test_a_closed_panel_watches_no_more(open_panel):
    """The watch ends with the panel."""
    first = open_panel(IDS, share=0.25)
    first.start()
    until(first, 10)
    second = open_panel()
    second.close()
    before = second.state["counts"]
    time.sleep(2.5)
    assert second.state["counts"] == before
    assert not [one for one in threading.enumerate() if one.name == "tokenvault-watcher"]


KERNEL = """
import sys, time
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.widgets.collect.panel import CollectPanel

base_url, store, list_of_ids = sys.argv[1:]
panel = CollectPanel(emulator_profile(base_url), list_of_ids, store=store, share=0.5)
panel.start()
while panel.state["counts"].get("done", 0) < 50:
    time.sleep(0.01)
"""


def test_a_kernel_that_ends_writes_down_what_was_done(emulator, open_panel, tmp_path):
    """It ends soon, not after the collection, and not one request is made twice."""
    (tmp_path / "ids.txt").write_text("\n".join(IDS))
    store = tmp_path / "store"
    command = [sys.executable, "-c", KERNEL, emulator.base_url, store, tmp_path / "ids.txt"]
    subprocess.run([str(word) for word in command], check=True, timeout=60)
    done = len(asked_for(emulator))
    assert 50 <= done < CUSTOMERS
    panel = open_panel(tmp_path / "ids.txt")
    assert f"stopped at {done:,}" in said(panel)
    panel.go_on()
    assert panel.result(60).complete
    assert asked_for(emulator) == dict.fromkeys(IDS, 1)


# -- accounts -------------------------------------------------------------------------------------


@pytest.fixture
def no_account(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(("CASHFREE_", "TOKENVAULT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TOKENVAULT_CONFIG", str(tmp_path / "config"))


@pytest.mark.usefixtures("no_account")
def test_missing_credentials_say_what_to_do(open_panel):
    """By the name of the variable; another profile can be chosen right away."""
    panel = open_panel(IDS, profile="sandbox")
    assert "set CASHFREE_CLIENT_ID" in said(panel)
    assert offered(panel) == []
    panel.start()
    with pytest.raises(UsageError, match="choose a profile"):
        panel.result()
    part(panel, "profile").value = "emulator"
    assert offered(panel) == ["Start"]
    assert "set CASHFREE_CLIENT_ID" not in said(panel)


@pytest.mark.usefixtures("no_account")
def test_an_emulator_is_started_and_ends_with_the_panel(tmp_path):
    """Where none answers; with the settings given, and said."""
    settings = EmulatorSettings(customers=50, rate_limit_per_minute=600_000)
    before = emulators()
    panel = CollectPanel("emulator", IDS[:60], store=tmp_path, emulator=settings)
    [started] = emulators() - before
    assert "this panel has started one" in said(panel)
    panel.start()
    assert panel.result(60).manifest.outcomes["empty"] >= 10
    panel.close()
    assert started not in emulators()
    assert panel.comm is None


def emulators():
    return {one for one in threading.enumerate() if one.name == "tokenvault-emulator"}


def test_the_callers_vault_stays_as_it_is(emulator, open_panel):
    """Its share is shown and cannot be changed, and closing the panel leaves it open."""
    with tv.connect(emulator_profile(emulator.base_url), share=0.75) as vault:
        panel = open_panel(IDS[:20], profile=vault)
        panel.check()
        panel.join(30)
        assert "20 customers at 6,000 a minute" in said(panel)
        assert part(panel, "share").disabled
        panel.start()
        assert panel.result(30).complete
        panel.close()
        assert isinstance(vault.list_instruments(IDS[0]), list)


@pytest.mark.usefixtures("no_account")
def test_profiles_are_offered_by_name_and_environment(open_panel, tmp_path):
    """Those of the file beside the three that need none; no secret is looked up or shown."""
    config = tmp_path / "config"
    config.mkdir(mode=0o700)
    table = '[shop]\nenvironment = "sandbox"\nclient_id = "TEST0001"\nclient_secret = "s3cret-zz"\n'
    (config / "profiles.toml").write_text(table)
    (config / "profiles.toml").chmod(0o600)
    panel = open_panel(IDS)
    assert part(panel, "profile").options[:2] == (
        ("as given", "as given"),
        ("emulator", "emulator"),
    )
    assert ("shop, sandbox", "shop") in part(panel, "profile").options
    part(panel, "profile").value = "shop"
    assert "T…1" in said(panel)
    assert "s3cret" not in said(panel) + on_the_page(panel)
    assert panel.state["profile"] == "shop"


# -- lists ----------------------------------------------------------------------------------------


def upload(panel, name, content):
    file = {
        "name": name,
        "type": "",
        "size": len(content),
        "content": memoryview(content),
        "last_modified": dt.datetime.now(dt.UTC),
    }
    part(panel, "upload").value = (file,)


def test_an_upload_is_read_and_forgotten(open_panel):
    """Its ids are in no trait afterwards, and the path gives way."""
    panel = open_panel()
    assert offered(panel) == []
    upload(panel, "ids.txt", "\n".join(IDS).encode())
    assert "<b>400</b> customers" in said(panel)
    assert "ids.txt" in said(panel)
    assert part(panel, "upload").value == ()
    assert "cust_0" not in on_the_page(panel)
    assert panel.state["customers"] is None
    assert offered(panel) == ["Start"]


def test_the_column_of_a_table_is_chosen(open_panel):
    """When it is not obvious; the obvious one can be changed as well."""
    panel = open_panel()
    upload(panel, "t.csv", b"shop,buyer\n" + b"".join(b"s1,%s\n" % i.encode() for i in IDS[:9]))
    column = part(panel, "column")
    assert "not obvious which of the 2 columns" in said(panel)
    assert column.layout.display is None
    column.value = "buyer"
    assert "<b>9</b> customers" in said(panel)
    assert panel.state["column"] == "buyer"
    column.value = "shop"
    assert "<b>1</b> customers" in said(panel)
    upload(panel, "plain.txt", b"cust_1\n")
    assert column.layout.display == "none"
    assert panel.state["column"] is None


def test_a_list_that_cannot_be_read_is_a_sentence(open_panel, tmp_path):
    """With what to do, and nothing can be started."""
    panel = open_panel(tmp_path / "gone.csv")
    assert "gone.csv cannot be opened" in said(panel)
    assert offered(panel) == []
    panel.start()
    with pytest.raises(UsageError, match="no list of customers"):
        panel.result()
    part(panel, "path").value = ""
    assert "No list yet" in said(panel)


def test_controls_have_names(open_panel):
    """Every control says what it is, by a visible label or its words."""
    panel = open_panel(IDS)
    for control in parts_of(panel):
        if isinstance(control, ipywidgets.ValueWidget | ipywidgets.Button):
            assert control.description or control.layout.display == "none"
            assert not getattr(control, "description_allow_html", False)
