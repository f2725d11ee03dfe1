"""The panel for collecting in JupyterLab: run, pause, go on, reload, and the kernel stays free."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from axe_looking import objections
from lab_pages import NARROW, evaluate, run_all, set_theme, set_width, wait_until_connected
from playwright.sync_api import expect

import tokenvault_data as tv

NOTEBOOK = Path(tv.__file__).parents[1] / "notebooks" / "01_collect.ipynb"
ALL_MS = 60_000
OPEN = """
from tokenvault_data.emulator.settings import EmulatorSettings
from tokenvault_data.widgets import CollectPanel

ids = [f"cust_{number:07d}" for number in range(%d)] + ["", "cust_0000001"]
emulator = EmulatorSettings(customers=%d, rate_limit_per_minute=12_000)
panel = CollectPanel("emulator", ids, emulator=emulator)
panel
"""
KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"


@pytest.fixture
def panel_page(lab, open_notebook):
    """A function that opens a panel for so many customers, at a hundred a second."""

    def open_it(customers, *more):
        page = open_notebook(lab.write_notebook(OPEN % (customers, customers), *more))
        if not more:
            run_all(page)
            expect(page.locator("button.tv-start")).to_be_visible()
        return page

    return open_it


def progress(page):
    return page.get_by_role("progressbar", name="Collection")


def percent(page):
    return int(progress(page).get_attribute("aria-valuenow"))


def test_the_notebook_runs_and_leaves_the_panel_in_use(open_notebook):
    """Run all of 01; collect anew by key, ask the kernel meanwhile, pause, and go on to the end."""
    page = open_notebook(NOTEBOOK)
    run_all(page)
    expect(page.locator(".tv-outcome")).to_contain_text("every customer has exactly one outcome")
    first = evaluate(page, "panel.snapshot.id")
    expect(page.locator(".tv-outcome")).to_contain_text(f"Snapshot {first}, complete")
    start = page.get_by_role("button", name="Collect anew")
    start.focus()
    page.keyboard.press("Enter")
    expect(progress(page)).to_be_visible()
    expect(page.locator(".tv-progress [role=status]")).to_contain_text("requests a minute")
    assert evaluate(page, "6 * 7") == 42
    assert evaluate(page, "panel.state['phase']") == "running"
    page.locator("button.tv-pause").click()
    expect(page.locator(".tv-progress")).to_contain_text("Paused at")
    kept = evaluate(page, "panel.state['counts']['done']")
    assert 0 < kept < 2000
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".tv-outcome")).to_contain_text("complete", timeout=ALL_MS)
    assert evaluate(page, "panel.snapshot.complete")
    assert evaluate(page, "panel.snapshot.id") != first
    assert not re.search(r"cust_\d{7}", page.locator(".tv-collect").first.inner_html())


def test_a_page_that_is_loaded_again_shows_the_panel_at_work(panel_page):
    """The tab may close: the collection goes on, and the notebook shows it when it is back."""
    page = panel_page(1500)
    page.locator("button.tv-start").click()
    expect(page.locator(".tv-progress [role=status]")).to_contain_text("requests a minute")
    page.evaluate(SAVE)
    before = percent(page)
    page.reload()
    wait_until_connected(page)
    expect(progress(page)).to_be_visible(timeout=ALL_MS)
    assert percent(page) > before
    expect(page.locator(".tv-outcome")).to_contain_text("complete", timeout=ALL_MS)
    assert evaluate(page, "panel.snapshot.manifest.requested") == 1500


def test_interrupting_a_cell_that_waits_pauses(panel_page):
    """The buttons are not heard meanwhile; the kernel's stop button pauses in order."""
    page = panel_page(1500, "panel.start()\npanel.result()")
    running = page.evaluate_handle(
        "() => ({done: window.jupyterapp.commands.execute('notebook:run-all-cells')})"
    )
    expect(page.locator(".tv-progress")).to_contain_text("requests a minute", timeout=ALL_MS)
    page.evaluate(f"() => {KERNEL}.interrupt()")
    expect(page.locator(".tv-progress")).to_contain_text("Paused at")
    assert running.evaluate("async running => await running.done") is False
    expect(page.locator(".jp-OutputArea").last).to_contain_text("CollectionInterrupted")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".tv-outcome")).to_contain_text("complete", timeout=ALL_MS)


def test_a_new_kernel_finds_what_was_cancelled(panel_page):
    """Cancel keeps what was done, and says so; after a restart the panel offers to go on."""
    page = panel_page(800)
    page.locator("button.tv-start").click()
    expect(page.locator(".tv-progress [role=status]")).to_contain_text("requests a minute")
    page.locator("button.tv-cancel").click()
    expect(page.locator(".tv-progress")).to_contain_text("Cancelled at")
    kept = evaluate(page, "panel.state['counts']['done']")
    page.evaluate(f"() => {KERNEL}.restart()")
    wait_until_connected(page)
    run_all(page)
    expect(page.locator(".tv-notice")).to_contain_text(f"stopped at {kept}")
    page.get_by_role("button", name=f"Go on with {800 - kept} left").click()
    expect(page.locator(".tv-outcome")).to_contain_text("complete", timeout=ALL_MS)
    assert evaluate(page, "panel.snapshot.manifest.requested") == 800


def test_an_uploaded_list_stays_nowhere(panel_page, lab):
    """Its columns can be chosen; its ids are in no widget and not in the saved notebook."""
    page = panel_page(10)
    table = "shop,buyer\n" + "".join(f"s1,cust_{number:07d}\n" for number in range(50))
    with page.expect_file_chooser() as chooser:
        page.locator("button.tv-upload").click()
    chooser.value.set_files(
        files=[{"name": "buyers.csv", "mimeType": "text/csv", "buffer": table.encode()}]
    )
    expect(page.locator(".tv-list")).to_contain_text("not obvious which of the 2 columns")
    page.locator(".tv-column select").select_option("buyer")
    expect(page.locator(".tv-list .tv-figure").first).to_have_text("50")
    assert evaluate(page, "panel.state['column']") == "buyer"
    page.evaluate(SAVE)
    notebook = json.loads((lab.folder / "notebook.ipynb").read_text())
    assert not re.search(r"cust_\d{7}", json.dumps([cell["outputs"] for cell in notebook["cells"]]))
    assert not re.search(r"cust_\d{7}", json.dumps(notebook["metadata"]))
    assert not re.search(r"cust_\d{7}", page.locator(".tv-collect").inner_html())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_panel_is_accessible_and_fits(panel_page, theme):
    """axe finds nothing of weight, also at the end; nothing is wider than a narrow window."""
    page = panel_page(100)
    set_theme(page, theme)
    assert objections(page, ".tv-collect") == []
    page.locator("button.tv-start").click()
    expect(page.locator(".tv-outcome")).to_contain_text("complete", timeout=ALL_MS)
    assert objections(page, ".tv-collect") == []
    set_width(page, NARROW)
    box = page.locator(".tv-collect").bounding_box()
    wide = page.locator(".tv-collect *").evaluate_all(
        "parts => Math.max(...parts.map(part => part.getBoundingClientRect().right))"
    )
    assert wide <= box["x"] + box["width"] + 1
