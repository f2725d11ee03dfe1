"""`tokenvault breakdown`: cards and customers by one or several columns."""

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

SHOWN_GROUPS = 20


def breakdown(  # noqa: PLR0917  one parameter an option
    snapshot: options.Snapshot,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="A,B",
            help="Columns: card_network, bank (its canonical name), card_bank (as received),"
            " card_type, card_sub_type, card_country, instrument_status, expiry (month),"
            " expires_in.",
        ),
    ] = "card_network",
    where: options.Where = None,
    top: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help=f"The N largest groups and one line for all others; {SHOWN_GROUPS} on a terminal,"
            " all with --json and --to.",
        ),
    ] = None,
    as_of: options.AsOf = None,
    banks: options.Banks = None,
    to: options.ResultFile = None,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Count cards and customers by network, bank, expiry and more."""
    from tokenvault_data.analysis.breakdown import breakdown as break_down
    from tokenvault_data.analysis.cube.cube import cube_of
    from tokenvault_data.dataset.bank_names import load_bank_names
    from tokenvault_data.dataset.snapshots import open_snapshot

    environment = options.environment_of_profile(profile)
    opened = open_snapshot(store, snapshot, environment=environment)
    names = load_bank_names(banks)
    columns = [name.strip() for name in by.split(",")]
    cube = cube_of(opened)
    table = break_down(cube, columns, where=where, top=top, as_of=as_of, banks=names)
    written = None if to is None else write_table(table, to)
    if as_json:
        document = {"snapshot": opened.id, "by": columns, **table_document(table), "file": written}
        print_figures_json(document, opened)
        return
    if top is None:
        table = break_down(cube, columns, where=where, top=SHOWN_GROUPS, as_of=as_of, banks=names)
    print_table(table)
    if written is not None:
        print_written(written, "groups")
