"""The view of changes in JupyterLab: bars by mouse and key, pages, files, another pair, axe."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_vaults import HOSTILE
from lab_pages import NARROW, evaluate, run_all, set_theme, set_width
from playwright.sync_api import expect

import tokenvault_data as tv
from tokenvault_data.apps.emulated_months import emulated_months

NOTEBOOK = Path(tv.__file__).parents[1] / "notebooks" / "04_changes_and_identity.ipynb"
OPEN = (
    "import tokenvault_data as tv\n"
    "from tokenvault_data.widgets import ChangesView\n"
    "changes = ChangesView(store='vault-data', export_to='chosen.parquet')\n"
    "changes"
)
CHOSEN = "changes.state['chosen']"


@pytest.fixture(scope="module")
def months(tmp_path_factory):
    """Three months of a made-up vault."""
    store = tmp_path_factory.mktemp("months")
    emulated_months(store, months=2, customers=1500)
    return store


@pytest.fixture
def changes(lab, open_notebook, months):
    """A page with the changes of the last of the months."""
    (lab.folder / "vault-data").symlink_to(months)
    page = open_notebook(lab.write_notebook(OPEN))
    run_all(page)
    expect(page.locator(".tv-events-table tbody tr")).to_have_count(10)
    return page


def bar(page, name, text):
    return page.locator(f".tv-{name} li button", has_text=text).first


def number(locator):
    shown = locator.locator(".tv-number")
    expect(shown).not_to_be_empty()
    return int(shown.text_content().replace(",", ""))


def test_the_notebook_runs_and_its_bars_are_linked(open_notebook):
    """Run all of 04; a kind chosen by mouse changes banks, events, code and kernel."""
    page = open_notebook(NOTEBOOK)
    run_all(page)
    expect(page.locator(".tv-events-table tbody tr")).to_have_count(10)
    banks = page.locator(".tv-bank .tv-number").all_text_contents()
    gone = bar(page, "kind", "gone")
    count = number(gone)
    gone.click()
    expect(gone).to_have_attribute("aria-pressed", "true")
    caption = page.locator(".tv-events-table caption")
    expect(caption).to_have_text(f"{count} events: gone")
    expect(page.locator(".tv-choice code")).to_contain_text("isin(['gone'])")
    expect(page.locator(".tv-bank .tv-number").first).not_to_have_text(banks[0])
    assert evaluate(page, CHOSEN) == {"kind": ["gone"]}
    assert evaluate(page, "len(changes.events)") == count


def test_bars_by_key(changes):
    """Arrows move among the kinds, Space and Enter choose, Escape clears."""
    first = changes.locator(".tv-kind li button").first
    first.focus()
    changes.keyboard.press("ArrowDown")
    changes.keyboard.press("Space")
    changes.keyboard.press("ArrowDown")
    changes.keyboard.press("Enter")
    expect(changes.locator(".tv-kind")).to_contain_text("2 chosen")
    assert evaluate(changes, CHOSEN) == {"kind": ["gone", "replaced"]}
    changes.keyboard.press("Escape")
    expect(changes.locator(".tv-choice")).to_contain_text("all events")
    assert evaluate(changes, CHOSEN) == {}


def test_the_account_adds_up_on_the_page(changes):
    """The lines of either list are all its rows."""
    rows = changes.locator(".tv-account tbody tr")
    lines = [row.locator("td").all_inner_texts() for row in rows.all()]
    for side in (1, 2):
        *parts, total = (int(line[side].replace(",", "").replace("-", "0")) for line in lines)
        assert sum(parts) == total > 0


def test_chosen_events_are_paged_masked_and_exported(changes, lab, months):
    """The file holds the chosen events in clear when that is asked for; the page never does."""
    largest = changes.locator(".tv-bank li button").first
    total = number(largest)
    largest.click()
    footer = changes.locator(".tv-events-table footer")
    expect(footer).to_contain_text(f"1 to 10 of {total} events")
    changes.locator('.tv-events-table button[aria-label="Last page"]').click()
    expect(footer).to_contain_text(f"to {total} of {total} events")
    changes.locator(".tv-events-policy select").select_option(label="full: ids in clear")
    changes.locator("button.tv-events-export").click()
    expect(changes.locator(".tv-events-message")).to_contain_text(f"holds {total} events")
    back = tv.read_export(lab.folder / "chosen.parquet")
    assert len(back) == total
    assert set(back["bank"]) == set(evaluate(changes, CHOSEN)["bank"])
    known = set(tv.open_snapshot(months).to_pandas(["customer_id"])["customer_id"])
    assert set(back["customer_id"]) & known
    shown = changes.locator(".tv-changes-view").inner_text()
    assert not {customer for customer in known if customer in shown}


def test_another_pair_is_compared(changes):
    """Two other snapshots are chosen from the lists; the same twice is refused in a sentence."""
    names = changes.locator(".tv-later select option").all_inner_texts()
    assert len(names) == 3
    changes.locator(".tv-earlier select").select_option(label=names[0])
    changes.locator("button.tv-compare").click()
    expect(changes.locator(".tv-said")).to_contain_text("Both are the same snapshot")
    changes.locator(".tv-earlier select").select_option(label=names[2])
    changes.locator("button.tv-compare").click()
    oldest = names[2].split(":")[0]
    expect(changes.locator(".tv-headline h3")).to_contain_text(oldest)
    assert evaluate(changes, "changes.state['old']") == oldest


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_for_axe_to_object_to(changes, theme):
    """Names, roles and contrast are right in both themes, with and without a choice."""
    set_theme(changes, theme)
    parts = ["headline", "account", "kind", "bank", "expiry", "events-table", "choice"]
    for click in (lambda: None, bar(changes, "kind", "gone").click):
        click()
        found = {part: Axe().run(changes, context=f".tv-{part}") for part in parts}
        assert {part: one.response["violations"] for part, one in found.items()} == {
            part: [] for part in parts
        }


def test_a_narrow_window_holds_it(changes):
    """At 700 pixels nothing sticks out of the panel; what is wider scrolls by itself."""
    set_width(changes, NARROW)
    panel = changes.locator(".tv-changes-view")
    expect(panel).to_be_visible()
    assert panel.evaluate("panel => panel.scrollWidth - panel.clientWidth") <= 1


def test_hostile_names_of_banks_are_text(lab, open_notebook, months):
    """Names that are markup or code run nothing and load nothing, in bars, list and code."""
    (lab.folder / "vault-data").symlink_to(months)
    source = (
        "import pyarrow as pa\n"
        "import tokenvault_data as tv\n"
        "from tokenvault_data.dataset.bank_names import load_bank_names\n"
        "snapshot = tv.open_snapshot('vault-data')\n"
        "spelled = tv.breakdown(snapshot, 'bank')['bank'].dropna().tolist()\n"
        f"hostile = {list(HOSTILE)!r}\n"
        "named = [hostile[at % len(hostile)] for at in range(len(spelled))]\n"
        "names = load_bank_names(pa.table({'spelling': spelled, 'bank': named}))\n"
    ) + OPEN.replace("export_to=", "banks=names, export_to=")
    page = open_notebook(lab.write_notebook(source))
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    run_all(page)
    expect(page.locator(".tv-events-table tbody tr")).to_have_count(10)
    page.locator(".tv-bank li button").first.click()
    expect(page.locator(".tv-choice code")).to_contain_text('events["bank"].isin(')
    assert evaluate(page, CHOSEN)["bank"][0] in HOSTILE
    assert page.locator(".tv-changes-view :is(img, script, svg)").count() == 0
