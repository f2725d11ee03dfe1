"""`tokenvault export`: the cards of a snapshot as a file."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import Annotated

import typer

from tokenvault_data.cli import options
from tokenvault_data.cli.printing.output import print_line, size_text
from tokenvault_data.cli.printing.partial import print_figures_json, print_partial


def export(  # noqa: PLR0917  one parameter an option
    snapshot: options.Snapshot,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="A .csv or .parquet file.")],
    columns: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="Only these columns, in this order.")
    ] = None,
    policy: options.Policy = "full",
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Write a snapshot's cards to CSV or Parquet.

    One row a card, with the columns of the snapshot and the derived ones: `bank`, `expiry`, and
    `expires_in` as of today in India. An existing file is replaced by a whole one. In CSV, text
    that a spreadsheet would run as a formula gets an apostrophe in front;
    `tokenvault_data.read_export` takes it away again.
    """
    from tokenvault_data.dataset.derived_dimensions import DERIVED, derived_schema
    from tokenvault_data.dataset.schema import INSTRUMENTS
    from tokenvault_data.dataset.snapshots import open_snapshot
    from tokenvault_data.dataset.today import today_in_india
    from tokenvault_data.reports.export import export as export_table
    from tokenvault_data.reports.policies import export_policy

    environment = options.environment_of_profile(profile)
    opened = open_snapshot(store, snapshot, environment=environment)
    chosen = None if columns is None else [name.strip() for name in columns.split(",")]
    path = export_table(opened, to, columns=chosen, policy=policy)
    columns_written = chosen or export_policy(policy).columns(derived_schema(INSTRUMENTS))
    derived = [name for name in columns_written if name in DERIVED]
    size_bytes = path.stat().st_size
    if as_json:
        rows = opened.manifest.instruments
        print_figures_json(
            {
                "snapshot": opened.id,
                "path": str(path),
                "rows": rows,
                "bytes": size_bytes,
                "policy": policy,
                "derived": derived,
                "as_of": today_in_india() if "expires_in" in derived else None,
            },
            opened,
        )
    else:
        print_line(
            f"{opened.manifest.instruments:,} cards of {opened.id} are in {path}"
            f" ({size_text(size_bytes)})."
        )
        if derived:
            print_line(f"Derived, not in the snapshot's files: {', '.join(derived)}.")
        print_partial(opened)
