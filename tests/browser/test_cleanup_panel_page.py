"""The cleanup panel in JupyterLab: by hand from the rule to the proof, and through what may happen.

The emulator's wire log, read in the kernel, is the witness of what was deleted.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from axe_looking import objections
from browser_vaults import HOSTILE, collected, with_hostile_banks
from lab_pages import NARROW, evaluate, run_all, set_theme, set_width, wait_until_connected
from playwright.sync_api import expect

import tokenvault_data as tv

NOTEBOOK = Path(tv.__file__).parents[1] / "notebooks" / "05_cleanup.ipynb"
ALL_MS = 90_000
SETUP = """
import tokenvault_data as tv
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.widgets import CleanupPanel

emulator = Emulator(EmulatorSettings(customers=300, latency_ms=%(latency_ms)d))
emulator.start()
profile = emulator_profile(emulator.base_url)
ids = [f"cust_{number:07d}" for number in range(300)]
with tv.connect(profile, share=1.0) as collecting:
    snapshot = tv.collect(collecting, ids, store="cleanup-data", progress=False)
vault = tv.connect(profile, rate_per_minute=%(rate_per_minute)s)
emulator.wire_log.clear()
def deletes():
    return [(one.customer_id, one.instrument_id) for one in emulator.wire_log.entries("delete")]
def planned():
    return [(one.customer_id, one.instrument_id) for one in panel.plan.cards]
"""
PROVEN = "Everything holds, and the ledger vouches for it: "
PANEL = """
panel = CleanupPanel(
    snapshot, {"choice": "expired_for", "days": 90}, vault=vault, planner="Asha",
    limits={
        "vault_share": 1.0, "bank_share": 1.0, "per_customer": 20, "settle_seconds": 0.5,
    },
)
panel
"""
SEALED = """
for button in (panel.simulate, panel.seal):
    button.click()
    assert panel.join(60)
"""
EXACTLY_THE_PLANNED = "sorted(deletes()) == sorted(planned())"
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"
INTERRUPT = "() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')"


@pytest.fixture
def sealed(lab, open_notebook):
    """A function that opens a panel with a sealed plan, on a vault as slow as is wanted."""

    def open_it(*, latency_ms=0, rate_per_minute=None):
        setup = SETUP % {"latency_ms": latency_ms, "rate_per_minute": rate_per_minute}
        page = open_notebook(lab.write_notebook(setup, PANEL, SEALED))
        run_all(page)
        expect(phrase_field(page)).to_be_enabled()
        return page

    return open_it


def phrase_field(page):
    return page.locator(".tv-cleanup-phrase input").last


def button(page, name):
    return page.locator(f"button.tv-cleanup-{name}").last


def title(page, step):
    return page.locator(f".tv-cleanup-title-{step}").last


def type_and_run(page):
    """Type the phrase that is shown, key by key, and press the button."""
    phrase = page.locator(".tv-cleanup-words-5 .tv-lead").last.inner_text()
    expect(button(page, "run")).to_be_disabled()
    phrase_field(page).press_sequentially(phrase)
    expect(button(page, "run")).to_be_enabled()
    button(page, "run").click()


def canary_done(page):
    """Delete the canary, and wait until the campaign is held."""
    type_and_run(page)
    expect(title(page, 5)).to_contain_text("held after the canary", timeout=ALL_MS)


def at_work(page):
    """Release the rest, and wait until deletes leave."""
    canary_done(page)
    type_and_run(page)
    expect(page.get_by_role("progressbar", name="Cleanup").last).to_be_visible()
    expect(page.locator(".tv-cleanup-progress").last).to_contain_text(
        re.compile(r"\d\d deletes sent"), timeout=ALL_MS
    )


def test_a_whole_cleanup_by_hand(lab, open_notebook):
    """Run all of 05: nothing is deleted. Then by hand: canary, hold, the rest, verified, proven."""
    copy = lab.copy(NOTEBOOK)
    copy.write_text(
        copy.read_text("utf-8").replace("settle_seconds = 60.0", "settle_seconds = 0.5")
    )
    page = open_notebook(copy)
    run_all(page)
    assert evaluate(page, "{one.method for one in emulator.wire_log.entries()}") == {"GET"}
    expect(title(page, 3)).to_contain_text("is sealed")
    assert evaluate(page, "len(panel.plan.cards)") > 80
    phrase_field(page).press_sequentially("delete everything")
    expect(page.locator(".tv-cleanup-hint")).to_contain_text("not the phrase of this plan")
    expect(button(page, "run")).to_be_disabled()
    phrase_field(page).fill("")
    canary_done(page)
    expect(phrase_field(page)).to_have_value("")
    wire = "len(emulator.wire_log.entries('delete'))"
    assert evaluate(page, wire) == evaluate(page, "len(panel.plan.canary)")
    type_and_run(page)
    expect(title(page, 5)).to_contain_text("completed", timeout=ALL_MS)
    button(page, "verify").click()
    expect(title(page, 6)).to_contain_text("seen gone", timeout=ALL_MS)
    expect(page.locator(".tv-cleanup-words-7")).to_contain_text(PROVEN)
    button(page, "report").click()
    expect(page.locator(".tv-cleanup-words-7")).to_contain_text("cleanup.csv")
    ids = "sorted((one.customer_id, one.instrument_id) for one in {})"
    deleted = ids.format("emulator.wire_log.entries('delete')")
    assert evaluate(page, f"{deleted} == {ids.format('panel.plan.cards')}")
    assert not re.search(r"cust_\d{7}", page.locator(".tv-cleanup").first.inner_html())


def test_enter_in_the_field_deletes_nothing(sealed):
    """Only the button starts: Enter behind the phrase does not, a double click does so once.

    The button is reached and pressed by key as well.
    """
    page = sealed()
    phrase = page.locator(".tv-cleanup-words-5 .tv-lead").inner_text()
    phrase_field(page).press_sequentially(phrase)
    expect(button(page, "run")).to_be_enabled()
    phrase_field(page).press("Enter")
    assert evaluate(page, "(panel.stage.name, deletes())") == ("SEALED", [])
    button(page, "run").dblclick()
    expect(title(page, 5)).to_contain_text("held after the canary", timeout=ALL_MS)
    assert evaluate(page, "len(deletes()) == len(panel.plan.canary)")
    phrase_field(page).press_sequentially(phrase)
    expect(button(page, "run")).to_be_enabled()
    phrase_field(page).press("Tab")
    expect(button(page, "run")).to_be_focused()
    page.keyboard.press("Space")
    expect(title(page, 5)).to_contain_text("completed", timeout=ALL_MS)
    assert evaluate(page, EXACTLY_THE_PLANNED)


def test_pause_interrupt_and_abort(sealed):
    """At work the kernel answers, and interrupting it stops nothing; Pause and Abort do."""
    page = sealed(latency_ms=300)
    at_work(page)
    assert evaluate(page, "6 * 7") == 42
    page.evaluate(INTERRUPT)
    assert evaluate(page, "panel.stage.name") == "AT_WORK"
    pressed_at = time.monotonic()
    button(page, "pause").click()
    expect(title(page, 5)).to_contain_text("paused")
    assert time.monotonic() - pressed_at < 3  # a second, and what a browser under load adds
    kept = evaluate(page, "len(deletes())")
    expect(button(page, "run")).to_have_text(re.compile("Resume: "))
    type_and_run(page)
    expect(page.get_by_role("progressbar", name="Cleanup")).to_be_visible()
    button(page, "abort").click()
    expect(title(page, 5)).to_contain_text("aborted", timeout=ALL_MS)
    expect(page.locator(".tv-cleanup-words-7")).to_contain_text(PROVEN)
    assert kept <= evaluate(page, "len(deletes())") < evaluate(page, "len(planned())")
    assert evaluate(page, "len(set(deletes())) == len(deletes())")


@pytest.mark.timeout(300)
def test_a_tab_that_was_closed_loses_nothing(sealed, lab, browser):
    """Loaded again in the middle, the panel is at work; a new one follows, pauses and goes on."""
    page = sealed(rate_per_minute=600)
    at_work(page)
    page.evaluate(SAVE)
    page.close()
    page = browser.new_page()
    set_width(page, 1400)
    page.goto(lab.address_of(lab.folder / "notebook.ipynb"))
    wait_until_connected(page)
    expect(page.get_by_role("progressbar", name="Cleanup")).to_be_visible(timeout=ALL_MS)
    assert evaluate(page, "panel.stage.name") == "AT_WORK"
    # As where the notebook was not saved: the cell is run again, and makes another panel.
    page.evaluate(
        "async () => {const {commands, shell} = window.jupyterapp;"
        "shell.currentWidget.content.activeCellIndex = 1;"
        "await commands.execute('notebook:run-cell');}"
    )
    expect(title(page, 5)).to_contain_text("at work in another place", timeout=ALL_MS)
    expect(phrase_field(page)).to_be_hidden()
    button(page, "pause").click()
    expect(title(page, 5)).to_contain_text("paused", timeout=ALL_MS)
    type_and_run(page)
    expect(title(page, 5)).to_contain_text("completed", timeout=ALL_MS)
    assert evaluate(page, EXACTLY_THE_PLANNED)


def test_hostile_names_are_shown_as_text(lab, open_notebook):
    """A bank, a note and a planner that are markup stand in the page letter by letter."""
    store = lab.folder / "cleanup-data"
    with_hostile_banks(store, collected(store, customers=60))
    source = (
        "import tokenvault_data as tv\n"
        "from tokenvault_data.widgets import CleanupPanel\n"
        f"rule = tv.where(card_bank={HOSTILE[0]!r}) & tv.expired('2026-06-01')\n"
        "panel = CleanupPanel(tv.open_snapshot('cleanup-data'), rule,\n"
        f"    planner={HOSTILE[1]!r}, note={HOSTILE[2]!r},\n"
        "    limits={'vault_share': 1.0, 'bank_share': 1.0, 'per_customer': 20,"
        " 'settle_seconds': 0.5})\n"
        "panel"
    )
    page = open_notebook(lab.write_notebook(source))
    run_all(page)
    expect(page.locator(".tv-cleanup-words-1")).to_contain_text(HOSTILE[0])
    button(page, "simulate").click()
    page.locator(".tv-cleanup-by select").select_option("Bank")
    button(page, "seal").click()
    expect(page.locator(".tv-cleanup-words-3")).to_contain_text(HOSTILE[2])
    expect(page.locator(".tv-cleanup-words-3")).to_contain_text(HOSTILE[1])
    assert page.locator(".tv-cleanup img, .tv-cleanup script, .tv-cleanup svg").count() == 0
    expect(page.locator(".tv-cleanup-hint")).to_contain_text("no vault was given")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_accessible_and_fits(sealed, theme):
    """axe finds nothing of weight in either theme; nothing is wider than a narrow window."""
    page = sealed()
    canary_done(page)
    set_theme(page, theme)
    phrase_field(page).fill(page.locator(".tv-cleanup-words-5 .tv-lead").inner_text())
    expect(button(page, "run")).to_be_enabled()
    assert objections(page, ".tv-cleanup") == []
    set_width(page, NARROW)
    box = page.locator(".tv-cleanup").bounding_box()
    wide = page.locator(".tv-cleanup .tv-card, .tv-cleanup .tv-row").evaluate_all(
        "all => Math.max(...all.map(one => one.getBoundingClientRect().right))"
    )
    assert wide <= box["x"] + box["width"] + 1
