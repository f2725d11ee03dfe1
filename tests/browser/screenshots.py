"""Pictures for the pages: each notebook in JupyterLab and the app, wide and narrow, light and dark.

``make screenshots`` writes them to ``docs/images``. They come from the very fixtures of the browser
tests, so a picture is of a page that asked for nothing off this machine and reported no error.
"""

from __future__ import annotations

import io
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from app_server import App
from guarded_browser import GuardedBrowser
from lab_pages import (
    NARROW,
    PHONE,
    WIDE,
    run_all,
    set_theme,
    set_width,
    show_notebook_only,
    wait_until_connected,
)
from lab_server import ROOT, LabServer
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = ROOT / "docs" / "images"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
HEIGHT = 1000
COLOURS = 128  # a palette: these pages have few colours, and a third of the bytes is enough
SETTLE_MS = 800
RUN_MS = 240_000
TO_THE_PANEL = """
() => {
  const notebook = document.querySelector('.jp-NotebookPanel');
  const found = ['.tv-panel', '.jp-OutputArea-output'].map(one => notebook.querySelector(one));
  const first = found.find(Boolean);
  first.style.scrollMarginTop = '56px';  // the notebook's toolbar lies over what scrolls
  first.scrollIntoView({block: 'start'});
}
"""


def save(page: Page, name: str) -> None:
    """Take a picture of what the window shows, once it has settled."""
    page.wait_for_timeout(SETTLE_MS)
    taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    small = taken.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    IMAGES.mkdir(exist_ok=True)
    small.save(IMAGES / f"{name}.png", optimize=True)
    print(f"{name}: {(IMAGES / name).with_suffix('.png').stat().st_size:,} bytes", flush=True)


def picture_notebooks(folder: Path, chosen: list[Path]) -> None:
    """Run notebooks in one JupyterLab, each in a folder of its own, and take their pictures."""
    served = folder / "served"
    served.mkdir()
    server = LabServer(served, folder / "jupyter")
    try:
        server.wait_until_it_answers()
        for notebook in chosen:
            (served / notebook.stem).mkdir()
            shutil.copy(notebook, served / notebook.stem)
            with GuardedBrowser() as browser:
                page = browser.new_page()
                page.set_default_timeout(RUN_MS)
                set_width(page, WIDE, HEIGHT)
                workspace = f"{server.url}/lab/workspaces/{secrets.token_hex(4)}"
                inside = f"{notebook.stem}/{notebook.name}"
                page.goto(f"{workspace}/tree/{inside}?token={server.token}")
                wait_until_connected(page)
                run_all(page)
                show_notebook_only(page)
                for theme in ("light", "dark"):
                    set_theme(page, theme)
                    for how, width in (("wide", WIDE), ("narrow", NARROW)):
                        set_width(page, width, HEIGHT)
                        for _ in range(2):  # cells that come into view push others down
                            page.evaluate(TO_THE_PANEL)
                            page.wait_for_timeout(SETTLE_MS)
                        save(page, f"{notebook.stem}-{how}-{theme}")
                check(browser)
            server.end_kernels()
            server.forget()
    finally:
        server.stop()


def picture_app(folder: Path) -> None:
    """Take pictures of both sections of the app."""
    folder.mkdir()
    app = App(folder)
    try:
        for theme in ("light", "dark"):
            for how, width in (("wide", WIDE), ("phone", PHONE)):
                with GuardedBrowser() as browser:
                    page = browser.new_page(dark=theme == "dark")
                    page.set_default_timeout(RUN_MS)
                    set_width(page, width, HEIGHT)
                    page.goto(app.url)
                    page.locator(".tv-explorer").wait_for()
                    save(page, f"app-explore-{how}-{theme}")
                    page.get_by_role("button", name="Collect", exact=True).click()
                    page.locator(".tv-collect").wait_for()
                    save(page, f"app-collect-{how}-{theme}")
                    check(browser)
    finally:
        app.stop()


def check(browser: GuardedBrowser) -> None:
    """Fail as a browser test would."""
    assert browser.left_machine == []
    assert browser.complaints == []


def main() -> None:
    """Take all pictures, or those whose names begin as the arguments do."""
    begins = tuple(sys.argv[1:]) or ("",)
    with tempfile.TemporaryDirectory() as folder:
        picture_notebooks(Path(folder), [one for one in NOTEBOOKS if one.stem.startswith(begins)])
        if any("app".startswith(begin) for begin in begins):
            picture_app(Path(folder) / "app")


if __name__ == "__main__":
    main()
