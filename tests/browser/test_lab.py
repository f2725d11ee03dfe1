"""The fixtures of browser tests: a widget answers a click, and what must fail a test does."""

import pytest
from guarded_browser import stays_here
from lab_pages import NARROW, evaluate, run_all, set_theme, set_width, show_notebook_only
from playwright.sync_api import expect

BUTTON = """
import ipywidgets
button = ipywidgets.Button(description="Count")
label = ipywidgets.Label("0")
clicks = []
def count(_):
    clicks.append(1)
    label.value = str(len(clicks))
button.on_click(count)
button.add_class("tv-count")
label.add_class("tv-counted")
ipywidgets.VBox([button, label])
"""


def test_a_widget_in_a_notebook(lab, open_notebook):
    """A click reaches Python, its answer reaches the page, and Python can be asked."""
    page = open_notebook(lab.write_notebook(BUTTON))
    run_all(page)
    page.locator("button.tv-count").click()
    expect(page.locator(".tv-counted")).to_have_text("1")
    assert evaluate(page, "clicks") == [1]
    expect(page.locator(".Toastify__toast")).to_have_count(0)  # no question about news


def test_theme_and_width(lab, open_notebook):
    """A notebook is shown in the light and in the dark theme, wide and narrow."""
    page = open_notebook(lab.write_notebook("1 + 1"))
    background = "getComputedStyle(document.body).getPropertyValue('--jp-layout-color0').trim()"
    set_theme(page, "dark")
    dark = page.evaluate(background)
    set_theme(page, "light")
    assert page.evaluate(background) != dark
    show_notebook_only(page)
    set_width(page, NARROW)
    expect(page.locator(".jp-NotebookPanel")).to_be_visible()
    assert page.locator(".jp-NotebookPanel").bounding_box()["width"] > NARROW * 0.8


def test_a_cell_that_raises_is_not_missed(lab, open_notebook):
    """Running all cells fails when one of them raised, and names its error."""
    page = open_notebook(lab.write_notebook("1 / 0"))
    with pytest.raises(AssertionError, match="ZeroDivisionError: division by zero"):
        run_all(page)


def test_requests_off_the_machine_are_caught(browser):
    """Pages that ask for a picture elsewhere are noted, and get nothing."""
    page = browser.new_page()
    page.set_content('<img src="http://192.0.2.1/pixel.png" alt="none">')
    page.wait_for_function("document.images[0].complete")
    assert browser.left_machine == ["http://192.0.2.1/pixel.png"]
    assert "ERR_FAILED" in browser.complaints[0]
    browser.left_machine.clear()
    browser.complaints.clear()


def test_errors_of_a_page_are_caught(browser):
    """What a script reports or throws is noted."""
    page = browser.new_page()
    page.set_content("<script>console.error('reported'); throw new Error('thrown')</script>")
    page.wait_for_function("document.readyState === 'complete'")
    assert ["reported" in one or "thrown" in one for one in browser.complaints] == [True, True]
    browser.complaints.clear()


@pytest.mark.parametrize(
    ("url", "stays"),
    [
        ("http://127.0.0.1:8888/lab", True),
        ("ws://localhost:8888/api", True),
        ("http://[::1]:8888/", True),
        ("data:image/png;base64,AA", True),
        ("https://127.0.0.1.example.com/", False),
        ("https://cdn.example.com/127.0.0.1", False),
        ("http://192.168.0.1/", False),
    ],
)
def test_what_stays_on_the_machine(url, stays):
    """The address decides, not what else stands in it."""
    assert stays_here(url) is stays
