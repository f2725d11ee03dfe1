"""Widgets for notebooks: the same calls as on the command line, behind bars, tables and buttons.

Everything here needs ``ipywidgets`` and ``anywidget``, which come with the extra ``notebook``, and
is loaded when first used.

>>> from tokenvault_data.widgets import Explorer  # doctest: +SKIP
>>> Explorer(tv.open_snapshot("vault-data"))  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenvault_data.widgets.changes.view import ChangesView
    from tokenvault_data.widgets.cleanup.panel import CleanupPanel
    from tokenvault_data.widgets.collect.panel import CollectPanel
    from tokenvault_data.widgets.expiry.radar import ExpiryRadar
    from tokenvault_data.widgets.explore.explorer import Explorer

_HOMES = {
    "ChangesView": "changes.view",
    "CleanupPanel": "cleanup.panel",
    "CollectPanel": "collect.panel",
    "ExpiryRadar": "expiry.radar",
    "Explorer": "explore.explorer",
}
__all__ = ["ChangesView", "CleanupPanel", "CollectPanel", "ExpiryRadar", "Explorer"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
