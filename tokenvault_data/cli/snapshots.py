"""`tokenvault snapshots` and `tokenvault show`: what there is, and what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenvault_data.cli import options
from tokenvault_data.cli.output import print_json, print_line, print_table
from tokenvault_data.cli.summary import print_summary, summary_document

if TYPE_CHECKING:
    from tokenvault_data.dataset.snapshots import SnapshotListing


def snapshots(store: options.Store = options.DEFAULT_STORE, as_json: options.Json = False) -> None:
    """List the snapshots of a store, newest first."""
    from tokenvault_data.dataset.snapshots import list_snapshots

    listings = list_snapshots(store)
    if as_json:
        print_json([_document(listing) for listing in listings])
    elif not listings:
        print_line(f"No snapshots in {store}; `tokenvault collect` makes one.")
    else:
        headings = ["Snapshot", "environment", "customers", "cards", "state"]
        print_table("", headings, map(_row, listings), right=["customers", "cards"])


def _row(listing: SnapshotListing) -> tuple[object, ...]:
    manifest = listing.manifest
    if manifest is None or listing.damage is not None:
        return listing.id, None, None, None, f"damaged: {listing.damage}"
    state = "complete" if manifest.complete else f"partial, {manifest.outcomes['failed']:,} failed"
    return listing.id, manifest.environment, manifest.requested, manifest.instruments, state


def _document(listing: SnapshotListing) -> dict[str, Any]:
    document: dict[str, Any] = {"snapshot": listing.id, "path": str(listing.path)}
    if listing.manifest is not None:
        manifest = listing.manifest
        document |= {
            "environment": manifest.environment,
            "created_at": manifest.created_at,
            "requested": manifest.requested,
            "outcomes": manifest.outcomes,
            "cards": manifest.instruments,
            "complete": manifest.complete,
        }
    return document | {"damage": listing.damage}


def show(
    snapshot: options.Snapshot,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Summarise one snapshot: outcomes, networks, banks, expiry, what could not be read."""
    from tokenvault_data.dataset.snapshots import open_snapshot

    opened = open_snapshot(store, snapshot)
    if as_json:
        print_json(summary_document(opened))
    else:
        print_summary(opened)
