"""`tokenvault quality`: whether the figures of a snapshot can be relied on."""

from __future__ import annotations

from typing import Annotated

import typer

from tokenvault_data.cli import options
from tokenvault_data.cli.printing.partial import print_figures_json
from tokenvault_data.cli.printing.tables import (
    print_table,
    print_written,
    table_document,
    write_table,
)
from tokenvault_data.errors import UsageError

_ORDER = {"fail": 0, "warn": 1, "unknown": 2, "pass": 3}


def quality(  # noqa: PLR0917  one parameter an option
    snapshot: options.Snapshot,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="OLDER", help="An older snapshot, to tell values and volumes that are new."
        ),
    ] = None,
    check: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="With --to: the rows behind this check, not the checks."),
    ] = None,
    as_of: options.AsOf = None,
    banks: options.Banks = None,
    to: options.ResultFile = None,
    policy: options.Policy = "full",
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Check whether the figures of a snapshot can be relied on."""
    from tokenvault_data.analysis.quality.quality import quality as check_quality
    from tokenvault_data.analysis.quality.quality import quality_rows
    from tokenvault_data.dataset.bank_names import load_bank_names
    from tokenvault_data.dataset.snapshots import open_snapshot

    if check is not None and to is None:
        raise UsageError(
            "--check names the rows to write, and no file was named; nothing was checked; add --to"
            " FILE"
        )
    environment = options.environment_of_profile(profile)
    opened = open_snapshot(store, snapshot, environment=environment)
    older = None if against is None else open_snapshot(store, against, environment=environment)
    names = load_bank_names(banks)
    table = check_quality(opened, against=older, as_of=as_of, banks=names)
    written = None
    if to is not None:
        rows = (
            table
            if check is None
            else quality_rows(opened, check, against=older, as_of=as_of, banks=names)
        )
        written = write_table(rows, to, policy)
    if as_json:
        shown = table_document(table)
        asked = shown["rows"][0]  # whether both are of one vault
        doubt = asked["finding"] if asked["verdict"] in {"warn", "fail"} else None
        document = {"snapshot": opened.id, **shown, "another_vault": doubt, "file": written}
        print_figures_json(document, *filter(None, (opened, older)))
        return
    worst_first = table.sort_values("verdict", key=lambda v: v.map(_ORDER.get), kind="stable")
    print_table(table.showing(worst_first), without=("column", "share", "threshold"))
    if written is not None:
        print_written(written, "checks" if check is None else "rows")
