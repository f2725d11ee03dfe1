"""The radar in JupyterLab: cells, banks and months chosen by mouse and key, pages, files, axe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_vaults import HOSTILE, collected, with_hostile_banks
from lab_pages import NARROW, evaluate, run_all, set_theme, set_width
from playwright.sync_api import expect

import tokenvault_data as tv
from tokenvault_data.analysis.outreach import customers_at_risk

NOTEBOOK = Path(tv.__file__).parents[1] / "notebooks" / "03_expiry.ipynb"
OPEN = (
    "import tokenvault_data as tv\n"
    "from tokenvault_data.widgets import ExpiryRadar\n"
    "radar = ExpiryRadar(tv.open_snapshot('vault-data'), within=2000)\n"
    "radar"
)
CHOSEN = "radar.state['chosen']"


@pytest.fixture
def radar(lab, open_notebook):
    """A page with a radar over an emulated vault."""
    collected(lab.folder / "vault-data")
    page = open_notebook(lab.write_notebook(OPEN))
    run_all(page)
    expect(page.locator(".tv-outreach-table tbody tr")).to_have_count(10)
    return page


def figures(page):
    return dict(
        zip(
            page.locator(".tv-headline .tv-what").all_inner_texts(),
            page.locator(".tv-headline .tv-figure").all_inner_texts(),
            strict=True,
        )
    )


def cell(page, row, column):
    return page.locator(f".tv-map tbody tr:nth-child({row}) td:nth-child({column + 1}) button")


def violations(page, where):
    """Return what axe objects to in a part of the page."""
    found = Axe().run(page, context=where).response["violations"]
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]


def test_the_notebook_runs_and_its_parts_are_linked(open_notebook):
    """Run all of 03; a cell chosen by mouse changes figures, calendar, list, code and kernel."""
    page = open_notebook(NOTEBOOK)
    run_all(page)
    expect(page.locator(".tv-outreach-table tbody tr").first).to_be_visible()
    expect(page.locator(".tv-forecast")).to_contain_text("80% interval")
    before = page.locator(".tv-calendar .tv-number").all_text_contents()
    one = cell(page, 1, 3)
    label = one.get_attribute("aria-label")
    bank, month, count = re.fullmatch(r"(.+), (\w{3} \d{4}): ([\d,]+) cards", label).groups()
    one.click()
    expect(page.locator(".tv-headline")).to_contain_text("chosen cards")
    assert figures(page)["chosen cards"] == count
    expect(one).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".tv-calendar")).to_contain_text("1 chosen")
    expect(page.locator(".tv-choice")).to_contain_text(f"bank is {bank} and month")
    expect(page.locator(".tv-outreach-table caption")).to_contain_text(f"{bank}, {month}")
    assert page.locator(".tv-calendar .tv-number").all_text_contents() != before
    assert evaluate(page, CHOSEN)["bank"] == [bank]
    one.click()
    expect(page.locator(".tv-headline")).to_contain_text("all cards")
    assert evaluate(page, CHOSEN) == {}


def test_cells_and_headings_by_key(radar):
    """Tab reaches one cell; arrows lead on, Space and Enter choose, Escape clears."""
    first = cell(radar, 1, 1)
    assert radar.locator('.tv-map table [tabindex="0"]').count() == 1
    first.focus()
    radar.keyboard.press("ArrowRight")
    radar.keyboard.press("ArrowDown")
    expect(cell(radar, 2, 2)).to_be_focused()
    radar.keyboard.press("Space")
    expect(cell(radar, 2, 2)).to_have_attribute("aria-pressed", "true")
    bank = radar.locator(".tv-map tbody tr:nth-child(2) th button")
    assert evaluate(radar, CHOSEN)["bank"] == [bank.inner_text()]
    expect(cell(radar, 2, 2)).to_be_focused()
    radar.keyboard.press("Escape")
    expect(cell(radar, 2, 2)).to_have_attribute("aria-pressed", "false")
    assert evaluate(radar, CHOSEN) == {}
    radar.keyboard.press("Home")
    radar.keyboard.press("ArrowLeft")
    expect(bank).to_be_focused()
    radar.keyboard.press("Enter")
    expect(bank).to_have_attribute("aria-pressed", "true")
    assert list(evaluate(radar, CHOSEN)) == ["bank"]
    radar.keyboard.press("Control+End")
    expect(radar.locator(".tv-map td button").last).to_be_focused()


def test_months_are_chosen_over_the_calendar(radar):
    """A month by mouse, a stretch with Shift and arrows; the map shows them as its columns."""
    months = radar.locator(".tv-calendar li button")
    today = evaluate(radar, "radar.calendar.past")
    months.nth(today).click()
    radar.keyboard.press("Shift+ArrowRight")
    radar.keyboard.press("Shift+ArrowRight")
    expect(radar.locator(".tv-calendar")).to_contain_text("3 chosen")
    heads = radar.locator('.tv-map thead button[aria-pressed="true"]')
    expect(heads).to_have_count(3)
    assert len(evaluate(radar, CHOSEN)["expiry"]) == 3
    radar.locator("button.tv-clear-all").click()
    expect(heads).to_have_count(0)


def test_day_and_horizon_are_picked(radar):
    """Another day and horizon change the figures; what cannot be is said, and nothing is lost."""
    radar.locator(".tv-horizon select").select_option("30 days")
    expect(radar.locator(".tv-headline .tv-lead")).to_contain_text("within 30 days of")
    picker = radar.locator(".tv-as-of input")
    picker.fill("2031-12-31")
    expect(radar.locator(".tv-headline .tv-lead")).to_contain_text("31 December 2031")
    assert evaluate(radar, "radar.state['as_of']") == "2031-12-31"
    radar.locator(".tv-horizon select").select_option("other")
    days = radar.locator(".tv-days input")
    days.fill("45")
    days.press("Enter")
    expect(radar.locator(".tv-headline .tv-lead")).to_contain_text("within 45 days of")
    picker.fill("9999-12-31")
    expect(radar.locator(".tv-said")).to_contain_text("leads past the year 9999")
    assert evaluate(radar, "radar.state['as_of']") == "2031-12-31"


def test_the_list_is_paged_masked_and_exported(radar, lab):
    """The next page shows the next ten; the file holds everybody, by the policy chosen."""
    snapshot = tv.open_snapshot(lab.folder / "vault-data")
    wanted = customers_at_risk(snapshot, 2000)
    rows = radar.locator(".tv-outreach-table tbody tr")
    first = rows.first.inner_text()
    radar.locator('.tv-outreach-table button[aria-label="Next page"]').click()
    expect(radar.locator(".tv-outreach-table footer")).to_contain_text(
        f"11 to 20 of {len(wanted)} customers"
    )
    assert rows.first.inner_text() != first
    radar.locator(".tv-outreach-policy select").select_option(label="full: ids in clear")
    path = radar.locator(".tv-outreach-path input")
    path.fill("list.parquet")
    path.press("Tab")
    radar.locator("button.tv-outreach-export").click()
    said = radar.locator(".tv-outreach-message")
    expect(said).to_contain_text(f"list.parquet holds {len(wanted)} customers")
    back = tv.read_export(lab.folder / "list.parquet")
    assert back["customer_id"].tolist() == wanted["customer_id"].tolist()
    path.fill("nowhere/list.csv")
    path.press("Tab")
    radar.locator("button.tv-outreach-export").click()
    expect(said).to_contain_text("there is no directory nowhere")
    shown = radar.locator(".tv-expiry-radar").inner_text()
    ids = snapshot.to_arrow(["customer_id", "instrument_id"])
    known = {value for name in ids.column_names for value in ids[name].to_pylist() if value}
    assert not {value for value in known if value in shown}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_for_axe_to_object_to(radar, theme):
    """Names, roles and contrast are right in both themes, with and without a choice."""
    set_theme(radar, theme)
    parts = [".tv-headline", ".tv-map", ".tv-calendar", ".tv-outreach-table", ".tv-choice"]
    for click in (lambda: None, cell(radar, 1, 2).click):
        click()
        assert [violations(radar, part) for part in parts] == [[]] * len(parts)


def test_a_narrow_window_holds_it(radar):
    """At 700 pixels nothing sticks out of the panel; what is wider scrolls by itself."""
    set_width(radar, NARROW)
    panel = radar.locator(".tv-expiry-radar")
    expect(panel).to_be_visible()
    too_wide = panel.evaluate("panel => panel.scrollWidth - panel.clientWidth")
    assert too_wide <= 1


def test_hostile_names_of_banks_are_text(lab, open_notebook):
    """Names that are markup or code run nothing and load nothing, in map, list and code."""
    snapshot = collected(lab.folder / "scratch", customers=80)
    with_hostile_banks(lab.folder / "vault-data", snapshot)
    own = f"dict(spelling={list(HOSTILE)!r}, bank={list(HOSTILE)!r}, note={[''] * len(HOSTILE)!r})"
    source = (
        "import pyarrow as pa\n"
        "from tokenvault_data.dataset.bank_names import load_bank_names\n"
        f"names = load_bank_names(pa.table({own}))\n"
        + OPEN.replace("within=2000", "within=3000, banks=names")
    )
    page = open_notebook(lab.write_notebook(source))
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    run_all(page)
    expect(page.locator(".tv-outreach-table tbody tr").first).to_be_visible()
    names = page.locator(".tv-map tbody th button")
    expect(names).to_have_count(len(HOSTILE))
    names.first.click()
    expect(page.locator(".tv-choice code")).to_contain_text("rule = tv.where(bank=")
    assert evaluate(page, CHOSEN)["bank"][0] in HOSTILE
    assert page.locator(".tv-expiry-radar :is(img, script, svg)").count() == 0
