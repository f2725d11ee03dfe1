"""The explorer in JupyterLab: bars filter each other by mouse and key, rows page and export."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_looking import objections
from browser_vaults import HOSTILE, collected, with_hostile_banks
from lab_pages import NARROW, evaluate, run_all, set_theme, set_width
from playwright.sync_api import expect

import tokenvault_data as tv

NOTEBOOK = Path(tv.__file__).parents[1] / "notebooks" / "02_breakdowns.ipynb"
OPEN = (
    "import tokenvault_data as tv\n"
    "from tokenvault_data.widgets import Explorer\n"
    "snapshot = tv.open_snapshot('vault-data')\n"
    "explorer = Explorer(snapshot, export_to='shown.csv')\n"
    "explorer"
)


@pytest.fixture
def explorer(lab, open_notebook):
    """A page with an explorer of an emulated vault."""
    collected(lab.folder / "vault-data")
    page = open_notebook(lab.write_notebook(OPEN))
    run_all(page)
    expect(page.locator(".tv-rows tbody tr")).to_have_count(20)
    return page


def counts(page, name):
    return page.locator(f".tv-{name} .tv-number").all_inner_texts()


def figure(page):
    return page.locator(".tv-figures-shown .tv-figure").first


def filters(page):
    return evaluate(page, "explorer.state['filters']")


def test_the_notebook_runs_and_its_bars_are_linked(open_notebook):
    """Run all of 02, click a bar: other breakdowns, rows and the kernel's filter follow."""
    page = open_notebook(NOTEBOOK)
    run_all(page)
    expect(page.locator(".tv-rows tbody tr")).to_have_count(20)
    names = ("bank", "card_type", "card_country", "instrument_status", "expiry")
    before = {name: counts(page, name) for name in names}
    page.locator(".tv-card_network button", has_text="RuPay").click()
    expect(page.locator(".tv-figures-shown")).to_contain_text("network is rupay")
    expect(page.locator(".tv-rows tbody tr").first).to_contain_text("rupay")
    for name in names:
        expect(page.locator(f".tv-{name} .tv-number").first).not_to_have_text(before[name][0])
    assert filters(page) == {"card_network": ["rupay"]}
    assert int(figure(page).inner_text().replace(",", "")) == evaluate(page, "explorer.total")


def test_bars_are_chosen_by_key(explorer):
    """Tab reaches the bars, arrows move among them, Space and Enter choose, Escape clears."""
    first = explorer.locator(".tv-card_network li button").first
    first.focus()
    explorer.keyboard.press("ArrowDown")
    explorer.keyboard.press("Space")
    second = explorer.locator(".tv-card_network li button").nth(1)
    expect(second).to_have_attribute("aria-pressed", "true")
    expect(second).to_be_focused()
    explorer.keyboard.press("ArrowUp")
    explorer.keyboard.press("Enter")
    expect(first).to_have_attribute("aria-pressed", "true")
    assert len(filters(explorer)["card_network"]) == 2
    explorer.keyboard.press("Escape")
    expect(explorer.locator(".tv-figures-shown")).to_contain_text("All cards are shown")
    assert filters(explorer) == {}


def test_a_stretch_of_months_is_dragged_or_extended(explorer):
    """A drag over the months is a range; Shift and an arrow make it longer."""
    months = explorer.locator(".tv-expiry li button")
    start, end = (months.nth(place).bounding_box() for place in (20, 30))
    explorer.mouse.move(start["x"] + 1, start["y"] + 20)
    explorer.mouse.down()
    explorer.mouse.move(end["x"] + 1, end["y"] + 20, steps=25)
    explorer.mouse.up()
    expect(explorer.locator(".tv-expiry .tv-note")).to_have_text("11 chosen")
    dragged = filters(explorer)["expiry"]
    months.nth(30).focus()
    explorer.keyboard.press("Shift+ArrowRight")
    expect(explorer.locator(".tv-expiry .tv-note")).to_have_text("12 chosen")
    extended = filters(explorer)["expiry"]
    assert dragged["from"] == extended["from"]
    assert dragged["through"] < extended["through"]


def test_rows_page_and_export(explorer, lab):
    """The next page has other rows; the file that the button writes holds what is shown."""
    explorer.locator(".tv-card_network button", has_text="Visa").click()
    expect(explorer.locator(".tv-figures-shown")).to_contain_text("network is visa")
    rows = explorer.locator(".tv-rows tbody")
    expect(rows).to_contain_text("visa")
    first = rows.inner_text()
    explorer.get_by_role("button", name="Next page").click()
    expect(explorer.locator(".tv-rows footer")).to_contain_text("Rows 21 to 40")
    assert rows.inner_text() != first
    explorer.locator("button.tv-rows-export").click()
    expect(explorer.locator(".tv-rows-message")).to_contain_text("shown.csv holds")
    frame = tv.read_export(lab.folder / "shown.csv")
    assert len(frame) == evaluate(explorer, "explorer.total")
    assert set(frame["card_network"].astype(str)) == {"visa"}
    assert not frame["customer_id"].astype(str).str.contains("cust_0").any()


def test_no_id_stands_in_the_page(explorer):
    """Nothing in the whole document names a customer."""
    explorer.get_by_role("button", name="Last page").click()
    expect(explorer.locator(".tv-rows")).to_have_attribute("class", re.compile("tv-rows"))
    assert not re.search(r"cust_\d{7}", explorer.content())


def test_hostile_bank_names_are_text(lab, open_notebook):
    """Names that are markup are shown as they are, in bars, rows, tooltips and the static twin."""
    snapshot = collected(lab.folder / "first", 60)
    with_hostile_banks(lab.folder / "vault-data", snapshot)
    as_spelled = OPEN.replace("snapshot, ", "snapshot, dimensions=['card_bank', 'expiry'], ")
    page = open_notebook(lab.write_notebook(as_spelled, "explorer.static()"))
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    run_all(page)
    expect(page.locator(".tv-card_bank li")).to_have_count(len(HOSTILE))
    page.locator(".tv-card_bank li button").first.click()
    expect(page.locator(".tv-figures-shown")).to_contain_text("bank spelling is")
    page.locator(".tv-card_bank li button").first.hover()
    bars, twin = page.locator(".tv-card_bank"), page.locator(".jp-OutputArea").last
    for name in HOSTILE:
        expect(bars).to_contain_text(name)
        expect(twin).to_contain_text(name)
    assert page.locator(".jp-OutputArea img, .jp-OutputArea script").count() == 0
    assert page.locator(".jp-OutputArea svg[onload]").count() == 0
    assert dialogs == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_accessible_and_fits(explorer, theme):
    """axe finds nothing of weight in either theme; nothing is wider than a narrow window."""
    set_theme(explorer, theme)
    assert objections(explorer, ".tv-explorer") == []
    set_width(explorer, NARROW)
    box = explorer.locator(".tv-explorer").bounding_box()
    wide = explorer.locator(".tv-explorer .tv-card").evaluate_all(
        "cards => Math.max(...cards.map(card => card.getBoundingClientRect().right))"
    )
    assert wide <= box["x"] + box["width"] + 1
