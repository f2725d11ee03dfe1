"""The explorer in a browser: from a click to the changed page, and what travels to it.

`python -m benchmarks.explorer [--quick] [--json FILE]` opens JupyterLab by ``tokenvault lab`` in
Debian's Chromium, for each size of vault, and clicks bars. The sizes are compared with each other:
what a click costs must not grow with the cards. Loading the explorer's modules is compared with
loading the libraries they stand on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import CDPSession, Page, sync_playwright

from benchmarks.changes_data import write_one
from benchmarks.children import ROOT
from benchmarks.results import Goal, conclude, machine, table

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZES = (10_000, 1_000_000, 10_000_000)
CLICKS = 60

_IDLE = '.jp-Notebook-ExecutionIndicator[data-status="idle"]'
# One click, and the time until every other breakdown has been drawn anew.
_CLICK = """
async ([place]) => {
  const button = document.querySelectorAll('.tv-card_network li button')[place];
  const views = ['bank', 'card_type', 'card_sub_type', 'expiry'];
  const shown = () => views.map(name => [...document.querySelectorAll(`.tv-${name} .tv-number`)]
    .map(one => one.textContent).join());
  const before = shown();
  const began = performance.now();
  button.click();
  while (performance.now() - began < 20000) {
    await new Promise(requestAnimationFrame);
    const now = shown();
    if (now.every((text, at) => text !== before[at])) return performance.now() - began;
  }
  return null;
}
"""
_DIMENSIONS = (
    '["card_network", "bank", "card_type", "card_sub_type", "instrument_status", "expiry"]'
)
_OPEN = f"""
import time
import tokenvault_data as tv
from tokenvault_data.widgets import Explorer
imported = time.perf_counter()
snapshot = tv.open_snapshot("vault-data")
explorer = Explorer(snapshot, dimensions={_DIMENSIONS})
print("made in", time.perf_counter() - imported)
explorer
"""


class Traffic:
    """Bytes that the kernel's connection has brought to a page."""

    def __init__(self, session: CDPSession) -> None:
        self.bytes = 0
        session.send("Network.enable")
        session.on("Network.webSocketFrameReceived", self._count)

    def _count(self, event: dict[str, Any]) -> None:
        frame = event["response"]
        text = frame["payloadData"]
        self.bytes += len(text) * 3 // 4 if frame["opcode"] == 2 else len(text)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the explorer in a browser.")
    parser.add_argument("--quick", action="store_true", help="small vaults, few clicks")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    sizes = (10_000, 200_000) if given.quick else SIZES
    clicks = 12 if given.quick else CLICKS

    facts = machine()
    figures = {f"{cards:,} cards": measure(cards, clicks) for cards in sizes}
    rows = [(name, *one.values()) for name, one in figures.items()]
    print(table(("vault", *next(iter(figures.values()))), rows))
    loading = import_times()
    print(f"loading of modules, ms: {loading}")
    smallest, largest = (figures[f"{cards:,} cards"] for cards in (sizes[0], sizes[-1]))
    growth = largest["click_p50_ms"] / smallest["click_p50_ms"]
    conclude(
        "explorer",
        settings={"sizes": list(sizes), "clicks": clicks},
        figures={**figures, "loading": loading},
        ratios={"click_largest_over_smallest": round(growth, 2)},
        goals=[
            Goal("a click: largest vault / smallest, p50", growth, 2.0, at_most=True),
            Goal("a click at the largest, p95 ms", largest["click_p95_ms"], 250.0, at_most=True),
            Goal("kB to the page for a click", largest["click_kb"], 64.0, at_most=True),
            Goal(
                "loading the explorer / the libraries it stands on",
                loading["explorer"] / loading["libraries"],
                1.5,
                at_most=True,
            ),
        ],
        facts=facts,
        path=given.json,
    )


def measure(cards: int, clicks: int) -> dict[str, float]:
    """Open an explorer of so many cards, without and with its cube kept, and click bars."""
    folder = Path(tempfile.mkdtemp(prefix="tokenvault-bench-"))
    try:
        write_one(folder / "vault-data", cards)
        cell = nbformat.v4.new_code_cell(_OPEN)
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        notebook = nbformat.v4.new_notebook(cells=[cell], metadata=kernel)
        nbformat.write(notebook, folder / "explorer.ipynb")
        first, _ = in_browser(folder, clicks=0)
        again, taken = in_browser(folder, clicks=clicks)
    finally:
        shutil.rmtree(folder)
    return {
        "first_view_s": round(first["view_s"], 2),
        "again_view_s": round(again["view_s"], 2),
        "of_it_kernel_s": round(again["made_s"], 2),
        "view_kb": round(again["view_bytes"] / 1000, 1),
        "click_p50_ms": round(statistics.median(taken), 1),
        "click_p95_ms": round(statistics.quantiles(taken, n=20)[-1], 1),
        "click_kb": round(again["click_bytes"] / 1000, 2),
    }


def in_browser(folder: Path, *, clicks: int) -> tuple[dict[str, float], list[float]]:
    command = [Path(sys.executable).with_name("tokenvault"), "lab", "explorer.ipynb"]
    command += ["--folder", ".", "--no-browser", "--json"]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        try:
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
                page = browser.new_page(viewport={"width": 1400, "height": 1400})
                result = look(page, url, clicks)
                browser.close()
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
    return result


def look(page: Page, url: str, clicks: int) -> tuple[dict[str, float], list[float]]:
    traffic = Traffic(page.context.new_cdp_session(page))
    page.goto(url)
    page.locator(_IDLE).wait_for(timeout=90_000)
    page.wait_for_timeout(3000)  # JupyterLab calls a kernel idle a moment before it takes a request
    page.get_by_role("menuitem", name="Run", exact=True).click()
    before, began = traffic.bytes, time.perf_counter()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.locator(".tv-card_network li").first.wait_for(timeout=120_000)
    view = time.perf_counter() - began
    page.locator(".tv-rows tbody tr").nth(19).wait_for()
    made = page.locator(".jp-OutputArea-output", has_text="made in").first.inner_text()
    figures = {
        "view_s": view,
        "view_bytes": traffic.bytes - before,
        "made_s": float(made.split()[-1]),
    }
    taken: list[float] = []
    before = traffic.bytes
    for number in range(clicks):
        passed = page.evaluate(_CLICK, [number % 4])
        if passed is None:
            raise SystemExit("a click changed nothing within 20 s")
        taken.append(passed)
        page.wait_for_timeout(100)
    figures["click_bytes"] = (traffic.bytes - before) / max(clicks, 1)
    return figures, taken


def import_times(rounds: int = 5) -> dict[str, float]:
    """Milliseconds of a fresh process that loads the explorer, or the libraries it stands on."""
    loads = {
        "libraries": "import pandas, pyarrow.parquet, duckdb, ipywidgets, anywidget",
        "explorer": "from tokenvault_data.widgets import Explorer",
    }
    taken: dict[str, list[float]] = {name: [] for name in loads}
    for _ in range(1 + rounds):
        for name, code in loads.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
            taken[name].append((time.perf_counter() - began) * 1000)
    return {name: round(statistics.median(times[1:]), 1) for name, times in taken.items()}


if __name__ == "__main__":
    main()
