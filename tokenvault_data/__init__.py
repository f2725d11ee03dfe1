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
    from tokenvault_data.analysis.changes import changes
    from tokenvault_data.analysis.expiry import expiring
    from tokenvault_data.analysis.forecast import forecast
    from tokenvault_data.analysis.identity import identity
    from tokenvault_data.analysis.predicate import expired, where
    from tokenvault_data.analysis.quality import quality
    from tokenvault_data.cleanup.applying import abort_cleanup, apply_cleanup
    from tokenvault_data.cleanup.limits import Limits
    from tokenvault_data.cleanup.planning import plan_cleanup
    from tokenvault_data.collection.collect import collect
    from tokenvault_data.collection.customers import read_customers
    from tokenvault_data.collection.frames import iter_frames
    from tokenvault_data.dataset.bank_names import load_bank_names
    from tokenvault_data.dataset.snapshots import Snapshot, list_snapshots, open_snapshot
    from tokenvault_data.errors import TokenVaultError
    from tokenvault_data.profiles import Profile, load_profile
    from tokenvault_data.redaction import show_ids
    from tokenvault_data.reports.export import export, read_export
    from tokenvault_data.reports.html_report import report
    from tokenvault_data.vault_api.blocking import Vault
    from tokenvault_data.vault_api.client import AsyncVault
    from tokenvault_data.vault_api.connecting import connect, connect_async

__version__ = "0.1.0"

_HOMES = {
    "AsyncVault": "vault_api.client",
    "Limits": "cleanup.limits",
    "Profile": "profiles",
    "Snapshot": "dataset.snapshots",
    "TokenVaultError": "errors",
    "Vault": "vault_api.blocking",
    "abort_cleanup": "cleanup.applying",
    "apply_cleanup": "cleanup.applying",
    "breakdown": "analysis.breakdown",
    "changes": "analysis.changes",
    "collect": "collection.collect",
    "connect": "vault_api.connecting",
    "connect_async": "vault_api.connecting",
    "expired": "analysis.predicate",
    "expiring": "analysis.expiry",
    "export": "reports.export",
    "forecast": "analysis.forecast",
    "identity": "analysis.identity",
    "iter_frames": "collection.frames",
    "list_snapshots": "dataset.snapshots",
    "load_bank_names": "dataset.bank_names",
    "load_profile": "profiles",
    "open_snapshot": "dataset.snapshots",
    "plan_cleanup": "cleanup.planning",
    "quality": "analysis.quality",
    "read_customers": "collection.customers",
    "read_export": "reports.export",
    "report": "reports.html_report",
    "show_ids": "redaction",
    "where": "analysis.predicate",
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
