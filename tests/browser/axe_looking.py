"""What axe, the checker of accessibility, objects to in a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from playwright.sync_api import Page

WEIGHTY = frozenset({"serious", "critical"})


def objections(page: Page, where: str) -> list[tuple[str, list[str]]]:
    """Return the rules that are broken in a part of the page, with the first elements' HTML.

    Parameters
    ----------
    page
    where
        A selector.
    """
    found = Axe().run(page, context=where).response["violations"]
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"]])
        for one in found
        if one["impact"] in WEIGHTY
    ]
