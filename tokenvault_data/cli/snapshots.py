"""`tokenvault snapshots` and `tokenvault show`: what there is, and what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenvault_data.cli import options
from tokenvault_data.cli.printing.output import (
    PrintedRow,
    print_grid,
    print_json,
    print_line,
    print_paragraph,
)
from tokenvault_data.cli.printing.summary import print_summary, summary_document
from tokenvault_data.errors import SnapshotError

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.config.credentials import Environment
    from tokenvault_data.dataset.snapshots import SnapshotListing

_HEADINGS = PrintedRow(("Snapshot", "vault", "customers", "cards", "state"), "bold")


def snapshots(
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """List the snapshots of a store, newest first."""
    from tokenvault_data.dataset.snapshots import list_snapshots

    environment = options.environment_of_profile(profile)
    listings = [
        listing
        for listing in list_snapshots(store)
        # One whose manifest cannot be read may be of any environment, and is not kept secret.
        if listing.manifest is None or environment in {None, listing.manifest.environment}
    ]
    latest = _latest(store, environment)
    if as_json:
        print_json({"snapshots": [_document(listing, latest) for listing in listings]})
    elif not listings:
        of = "" if environment is None else f" of environment {environment}"
        print_line(f"No snapshots{of} in {store}; `tokenvault collect` makes one.")
    else:
        print_grid(
            [_HEADINGS, *(_row(listing, latest) for listing in listings)], right=(2, 3), shrinks=4
        )
        _print_damage(listings)


def show(
    snapshot: options.Snapshot,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Sum up one snapshot: outcomes, expiry, networks, banks."""
    from tokenvault_data.dataset.snapshots import open_snapshot

    environment = options.environment_of_profile(profile)
    opened = open_snapshot(store, snapshot, environment=environment)
    if as_json:
        print_json(summary_document(opened))
    else:
        print_summary(opened, store=store, profile=profile)


def _latest(store: Path, environment: Environment | None) -> str | None:
    """Id of the snapshot that the word `latest` opens, None while it opens none."""
    from tokenvault_data.dataset.snapshots import open_snapshot

    try:
        return open_snapshot(store, environment=environment, verify="quick").id
    except SnapshotError:
        return None


def _row(listing: SnapshotListing, latest: str | None) -> PrintedRow:
    manifest = listing.manifest
    if manifest is None or listing.damage is not None:
        return PrintedRow((listing.id, "-", "-", "-", "damaged"), "red")
    failed = manifest.requested - manifest.outcomes["fetched"] - manifest.outcomes["empty"]
    state = "complete" if manifest.complete else f"partial, {failed:,} missing"
    if listing.id == latest:
        state += " (latest)"
    customers, cards = f"{manifest.requested:,}", f"{manifest.instruments:,}"
    return PrintedRow((listing.id, manifest.environment, customers, cards, state))


def _print_damage(listings: list[SnapshotListing]) -> None:
    for listing in listings:
        if listing.damage is not None:
            print_line()
            print_paragraph(listing.damage)


def _document(listing: SnapshotListing, latest: str | None) -> dict[str, Any]:
    manifest = listing.manifest
    return {
        "snapshot": listing.id,
        "path": str(listing.path),
        "latest": listing.id == latest,
        "damage": listing.damage,
        "environment": manifest and manifest.environment,
        "api_version": manifest and manifest.api_version,
        "created_at": manifest and manifest.created_at,
        "complete": manifest and manifest.complete,
        "requested": manifest and manifest.requested,
        "outcomes": manifest and manifest.outcomes,
        "cards": manifest and manifest.instruments,
    }
