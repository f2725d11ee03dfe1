"""`tokenvault report`: one file that can be sent to people without Python."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import Annotated

import typer

from tokenvault_data.cli import options
from tokenvault_data.cli.printing.output import print_line, size_text
from tokenvault_data.cli.printing.partial import print_figures_json, print_partial


def report(  # noqa: PLR0917  one parameter an option
    snapshot: options.Snapshot,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="An .html file.")],
    against: Annotated[
        str | None,
        typer.Option(metavar="OLDER", help="An older snapshot, to tell what has changed since."),
    ] = None,
    as_of: options.AsOf = None,
    smallest_cell: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Groups of fewer customers are not shown by themselves."
        ),
    ] = 5,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Above the report.")] = None,
    banks: options.Banks = None,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Write one HTML file of figures and charts to send on.

    It holds nobody's id, needs no network and no other file, and prints well.
    """
    from tokenvault_data.dataset.bank_names import load_bank_names
    from tokenvault_data.dataset.snapshots import open_snapshot
    from tokenvault_data.reports.page.html_report import report as write_report

    environment = options.environment_of_profile(profile)
    opened = open_snapshot(store, snapshot, environment=environment)
    older = None if against is None else open_snapshot(store, against, environment=environment)
    path = write_report(
        opened,
        to,
        against=older,
        as_of=as_of,
        title=title,
        smallest_cell=smallest_cell,
        banks=load_bank_names(banks),
    )
    shown = [one for one in (opened, older) if one is not None]
    size_bytes = path.stat().st_size
    if as_json:
        document = {"snapshot": opened.id, "path": str(path), "bytes": size_bytes}
        print_figures_json(document, *shown)
    else:
        print_line(f"The report of {opened.id} is {path} ({size_text(size_bytes)}).")
        print_partial(*shown)
