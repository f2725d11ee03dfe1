"""`cleanup hold`: lists of customers and cards that no cleanup deletes."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenvault_data.cli import options
from tokenvault_data.cli.printing.output import (
    PrintedRow,
    print_grid,
    print_json,
    print_line,
    print_paragraph,
)
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from tokenvault_data.cleanup.selection.holds import HoldList


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
    from tokenvault_data.cleanup.selection.holds import add_hold, load_holds

    added = None if file is None else add_hold(file, store, replace=replace)
    lists = load_holds(store).lists if added is None else (added,)
    unknown = _unknown(lists, store, profile)
    if as_json:
        print_json({"lists": list(map(_document, lists, unknown))})
        return
    if added is None:
        _print_lists(lists, unknown)
        return
    entries = counted(added.used.entries, "customer or card", "customers or cards")
    print_line(f"{entries} on hold: {added.path}")
    if added.not_read:
        print_paragraph(f"Not read: the columns {', '.join(added.not_read)}.")
    (missing,) = unknown
    if missing:
        print_paragraph(
            f"{missing:,} of them {'is' if missing == 1 else 'are'} not in the newest snapshot;"
            " check that the ids are written as the vault writes them."
        )


def _print_lists(lists: tuple[HoldList, ...], unknown: list[int | None]) -> None:
    if not lists:
        print_line("No hold list is in force.")
        return
    rows = [
        PrintedRow(
            (
                one.used.name,
                f"{one.used.entries:,}",
                "-" if missing is None else f"{missing:,}",
                str(one.path.parent),
            )
        )
        for one, missing in zip(lists, unknown, strict=True)
    ]
    headings = PrintedRow(("list", "entries", "not in the newest snapshot", "folder"), "bold")
    print_grid([headings, *rows], right=(1, 2), shrinks=3)


def _unknown(lists: tuple[HoldList, ...], store: Path, profile: str | None) -> list[int | None]:
    """Count the entries of each that the newest snapshot does not know; None without one."""
    from tokenvault_data.dataset.snapshots import open_snapshot
    from tokenvault_data.errors import TokenVaultError

    try:
        newest = open_snapshot(store, environment=options.environment_of_profile(profile))
    except TokenVaultError:
        return [None] * len(lists)  # a list may come before the first snapshot
    return [one.entries_not_in(newest) for one in lists]


def _document(one: HoldList, unknown: int | None) -> dict[str, Any]:
    return {
        "name": one.used.name,
        "entries": one.used.entries,
        "sha256": one.used.sha256,
        "path": str(one.path),
        "not_read": list(one.not_read),
        "not_in_snapshot": unknown,
    }
