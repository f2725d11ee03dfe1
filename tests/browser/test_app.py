"""The app's page in a browser: what it shows, what it asks for, and how it fails."""

import json
import re
import time

import pytest
from app_server import App
from axe_looking import objections
from lab_pages import NARROW, PHONE, WIDE, set_width
from playwright.sync_api import expect

START_MS = 90_000


@pytest.fixture
def start_app(tmp_path):
    """A function that starts the app with arguments, in the test's folder."""
    running = []

    def start(*arguments):
        running.append(App(tmp_path, *arguments))
        return running[-1]

    yield start
    for app in running:
        app.stop()


@pytest.fixture(scope="module")
def app_with_a_snapshot(tmp_path_factory):
    """An app whose store was filled before by its first page."""
    app = App(tmp_path_factory.mktemp("app"))
    yield app
    app.stop()


def open_page(browser, app, *, dark=False, width=WIDE):
    page = browser.new_page(dark=dark)
    set_width(page, width)
    page.goto(app.url, timeout=START_MS)
    page.locator(".tv-app").wait_for(timeout=START_MS)
    return page


def wait_for_cards(page):
    expect(page.locator(".tv-explorer h3").first).to_contain_text("cards", timeout=START_MS)


@pytest.mark.timeout(300)
def test_an_empty_store_is_filled_from_an_emulator(start_app, browser):
    """The page says what it does, collects, and shows what it has collected; ids stay masked."""
    app = start_app()
    page = open_page(browser, app)
    expect(page.locator(".tv-page-notice")).to_contain_text("2,000 made-up customers")
    wait_for_cards(page)
    expect(page.locator(".tv-page-notice")).to_have_text("")
    (manifest,) = app.folder.glob("vault-data/snapshots/*/manifest.json")
    cards = json.loads(manifest.read_text())["instruments"]
    expect(page.locator(".tv-explorer h3").first).to_contain_text(f"{cards:,} cards")
    shown = page.content()
    assert not re.search(r"cust_\d{7}", shown)
    assert "AppPage" not in page.locator("body").inner_text()
    (kernel,) = app.kernels()
    page.close(run_before_unload=True)  # as a person closes a tab
    # A browser may lose what a page says at its end; the server then misses it in two minutes.
    deadline = time.monotonic() + 180
    while kernel.is_running():
        assert time.monotonic() < deadline, "the kernel of a closed page is still there"
        time.sleep(0.2)


def test_collecting_shows_the_next_snapshot(app_with_a_snapshot, browser):
    """What the section Collect publishes is what Explore shows next, with a choice of both."""
    page = open_page(browser, app_with_a_snapshot)
    wait_for_cards(page)
    before = page.locator(".tv-explorer .tv-note").first.inner_text()
    page.get_by_role("button", name="Collect", exact=True).click()
    expect(page.get_by_text("Keep this page open while it collects.")).to_be_visible()
    page.locator(".tv-collect").get_by_role("button", name="Start").click()
    expect(page.locator(".tv-collect .tv-outcome")).to_contain_text("2,000", timeout=START_MS)
    page.get_by_role("button", name="Explore", exact=True).click()
    expect(page.locator(".tv-explorer .tv-note").first).not_to_have_text(before)
    expect(page.locator(".tv-snapshot-choice option")).to_have_count(2)
    page.locator(".tv-snapshot-choice select").select_option(index=1)
    expect(page.locator(".tv-explorer .tv-note").first).to_have_text(before)


@pytest.mark.parametrize("width", [WIDE, NARROW, PHONE])
def test_it_fits(app_with_a_snapshot, browser, width):
    """At any width nothing has to be scrolled sideways but tables in their frames."""
    page = open_page(browser, app_with_a_snapshot, width=width)
    wait_for_cards(page)
    for section in ("Explore", "Collect"):
        page.get_by_role("button", name=section, exact=True).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert (
            page.evaluate(
                "Math.max(...[...document.querySelectorAll('main, .tv-app, .tv-card')]"
                ".map(one => one.getBoundingClientRect().right))"
            )
            <= width
        )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_can_be_used_without_a_mouse_or_good_eyes(app_with_a_snapshot, browser, dark):
    """Axe finds nothing serious in either section, in either scheme; Enter changes the section."""
    page = open_page(browser, app_with_a_snapshot, dark=dark)
    wait_for_cards(page)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    channels = [int(one) for one in re.findall(r"\d+", background)]
    assert (sum(channels) < 200) is dark
    for section in ("Explore", "Collect"):
        page.get_by_role("button", name=section, exact=True).press("Enter")
        current = page.locator("nav [aria-current]")
        expect(current).to_have_text(section)
        assert objections(page, "body") == []


def test_a_store_that_cannot_be_read(start_app, browser, tmp_path):
    """What is wrong is one sentence on the page, and never a traceback."""
    (tmp_path / "vault-data").mkdir()
    (tmp_path / "vault-data" / "runs").write_text("in the way")
    app = start_app()
    page = open_page(browser, app)
    expect(page.locator(".tv-first-collection")).to_contain_text(
        "nothing was sent", timeout=START_MS
    )
    assert "Traceback" not in page.content()
    assert 'File "' not in page.locator("body").inner_text()


def test_a_profile_without_a_snapshot(start_app, browser):
    """For a real vault nothing is collected unasked; the page says where to begin."""
    app = start_app("--profile", "sandbox")
    page = open_page(browser, app)
    expect(page.locator(".tv-page-notice")).to_contain_text("no snapshot of the sandbox vault yet")
    assert not (app.folder / "vault-data" / "runs").exists()
