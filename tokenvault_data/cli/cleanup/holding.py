"""`cleanup hold`: lists of customers and cards that no cleanup deletes."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenvault_data.analysis.wording import counted
from tokenvault_data.cli import options
from tokenvault_data.cli.grid import Row
from tokenvault_data.cli.output import print_grid, print_json, print_line

if TYPE_CHECKING:
    from tokenvault_data.cleanup.holds import HoldList


def hold(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            dir_okay=False,
            help="Customer ids, one a line, or a CSV or Parquet file of customer_id and, for single"
            " cards, instrument_id. Without it, the lists in force are shown.",
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the store's list of the same name.")
    ] = False,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Check a list of customers or cards never to be deleted, and put it into the store.

    From then on no plan holds them, and a campaign that is running leaves them alone.
    """
    del profile
    from tokenvault_data.cleanup.holds import add_hold, load_holds

    if file is None:
        lists = load_holds(store).lists
        if as_json:
            print_json({"lists": [_document(one) for one in lists]})
        elif lists:
            rows = [
                Row((one.used.name, f"{one.used.entries:,}", str(one.path.parent))) for one in lists
            ]
            print_grid([Row(("list", "entries", "folder"), "bold"), *rows], right=(1,), shrinks=2)
        else:
            print_line("No hold list is in force.")
        return
    added = add_hold(file, store, replace=replace)
    if as_json:
        print_json({"lists": [_document(added)]})
    else:
        entries = counted(added.used.entries, "customer or card", "customers or cards")
        print_line(f"{entries} on hold: {added.path}")


def _document(one: HoldList) -> dict[str, Any]:
    return {
        "name": one.used.name,
        "entries": one.used.entries,
        "sha256": one.used.sha256,
        "path": str(one.path),
    }
