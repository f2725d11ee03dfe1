"""Chromium, cut off from everything but this machine; it keeps what pages ask and complain of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from playwright.sync_api import ConsoleMessage, Page, Route

CHROMIUM = Path("/usr/bin/chromium")
MISSING = (
    f"Browser tests need Chromium, and there is none at {CHROMIUM}: install Debian's package"
    " `chromium`, or leave these tests to `make browser` on another machine."
)
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    # What the guard below does not see, such as a preconnect, finds no address either.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def stays_here(url: str) -> bool:
    """Tell whether a request for `url` stays on this machine, or is none at all."""
    parts = urlsplit(url)
    return parts.scheme in {"data", "blob", "about"} or parts.hostname in LOOPBACK


class GuardedBrowser:
    """A browser for one test.

    Attributes
    ----------
    left_machine : list of str
        Addresses off this machine that pages asked for. Such requests are aborted.
    complaints : list of str
        Errors on the console and exceptions nobody caught.
    """

    def __init__(self) -> None:
        self.left_machine: list[str] = []
        self.complaints: list[str] = []

    def __enter__(self) -> Self:
        if not CHROMIUM.exists():
            pytest.fail(MISSING, pytrace=False)
        self._playwright = sync_playwright().start()
        try:
            self._browser = self._playwright.chromium.launch(
                executable_path=CHROMIUM, args=list(FLAGS)
            )
        except BaseException:
            self._playwright.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._browser.close()
        self._playwright.stop()

    def new_page(self, *, dark: bool = False) -> Page:
        """Open a page in a context of its own: no cookie, no cache, no service worker."""
        context = self._browser.new_context(
            service_workers="block", color_scheme="dark" if dark else "light"
        )
        context.route("**/*", self._guard)
        page = context.new_page()
        page.on("websocket", lambda opened: self._note(opened.url))
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught {error}"))
        return page

    def _guard(self, route: Route) -> None:
        if self._note(route.request.url):
            route.continue_()
        else:
            route.abort()

    def _note(self, url: str) -> bool:
        here = stays_here(url)
        if not here:
            self.left_machine.append(url)
        return here

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")
