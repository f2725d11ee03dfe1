"""Collect, analyse and clean up the saved cards of a Cashfree Token Vault.

>>> import tokenvault_data as tv
>>> with tv.connect("emulator") as vault:  # doctest: +SKIP
...     snapshot = tv.collect(vault, ["cust_0000000", "cust_0000001"])
>>> tv.open_snapshot("vault-data").to_pandas()  # doctest: +SKIP

Everything here is loaded when first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenvault_data.analysis.breakdown import breakdown
    from tokenvault_data.analysis.changes.compare import changes
    from tokenvault_data.analysis.expiry import expiring
    from tokenvault_data.analysis.filters.filters import expired, where
    from tokenvault_data.analysis.forecast import forecast
    from tokenvault_data.analysis.identity import identity
    from tokenvault_data.analysis.quality.quality import quality
    from tokenvault_data.cleanup.campaign.applying import abort_cleanup, apply_cleanup
    from tokenvault_data.cleanup.plan.planning import plan_cleanup
    from tokenvault_data.cleanup.selection.limits import Limits
    from tokenvault_data.client.blocking import Vault, connect, connect_async
    from tokenvault_data.client.client import AsyncVault
    from tokenvault_data.collection.collect import collect
    from tokenvault_data.collection.customer_list import read_customers
    from tokenvault_data.collection.frames import iter_frames
    from tokenvault_data.config.loading import Profile, load_profile
    from tokenvault_data.dataset.bank_names import load_bank_names
    from tokenvault_data.dataset.snapshots import Snapshot, list_snapshots, open_snapshot
    from tokenvault_data.errors import TokenVaultError
    from tokenvault_data.redaction import show_ids
    from tokenvault_data.reports.export import export, read_export
    from tokenvault_data.reports.page.html_report import report

__version__ = "0.1.0"

_HOMES = {
    "AsyncVault": "client.client",
    "Limits": "cleanup.selection.limits",
    "Profile": "config.loading",
    "Snapshot": "dataset.snapshots",
    "TokenVaultError": "errors",
    "Vault": "client.blocking",
    "abort_cleanup": "cleanup.campaign.applying",
    "apply_cleanup": "cleanup.campaign.applying",
    "breakdown": "analysis.breakdown",
    "changes": "analysis.changes.compare",
    "collect": "collection.collect",
    "connect": "client.blocking",
    "connect_async": "client.blocking",
    "expired": "analysis.filters.filters",
    "expiring": "analysis.expiry",
    "export": "reports.export",
    "forecast": "analysis.forecast",
    "identity": "analysis.identity",
    "iter_frames": "collection.frames",
    "list_snapshots": "dataset.snapshots",
    "load_bank_names": "dataset.bank_names",
    "load_profile": "config.loading",
    "open_snapshot": "dataset.snapshots",
    "plan_cleanup": "cleanup.plan.planning",
    "quality": "analysis.quality.quality",
    "read_customers": "collection.customer_list",
    "read_export": "reports.export",
    "report": "reports.page.html_report",
    "show_ids": "redaction",
    "where": "analysis.filters.filters",
}
__all__ = [
    "AsyncVault",
    "Limits",
    "Profile",
    "Snapshot",
    "TokenVaultError",
    "Vault",
    "abort_cleanup",
    "apply_cleanup",
    "breakdown",
    "changes",
    "collect",
    "connect",
    "connect_async",
    "expired",
    "expiring",
    "export",
    "forecast",
    "identity",
    "iter_frames",
    "list_snapshots",
    "load_bank_names",
    "load_profile",
    "open_snapshot",
    "plan_cleanup",
    "quality",
    "read_customers",
    "read_export",
    "report",
    "show_ids",
    "where",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
