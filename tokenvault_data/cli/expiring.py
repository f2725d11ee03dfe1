"""`tokenvault expiring`: which cards expire when, at which banks, and who is left without one."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import Annotated

import typer

from tokenvault_data.cli import options
from tokenvault_data.cli.printing.partial import print_figures_json
from tokenvault_data.cli.printing.tables import (
    print_notes,
    print_rows,
    print_table,
    print_title,
    print_written,
    table_document,
    write_table,
)

SHOWN_BANKS = 10


def expiring(  # noqa: PLR0917  one parameter an option
    snapshot: options.Snapshot,
    within: Annotated[
        str,
        typer.Option(metavar="TIME", help="How far ahead: days such as `90d`, or months, `3m`."),
    ] = "90d",
    as_of: options.AsOf = None,
    where: options.Where = None,
    banks: options.Banks = None,
    to: options.ResultFile = None,
    outreach: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write the customers whose every usable card expires in that time to a .csv"
            " or .parquet file.",
        ),
    ] = None,
    policy: options.Policy = "full",
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Tell what expires when, and who is left without a card.

    A card is valid through the last day of its month. Cards are listed in a file (`--to`),
    customers to write to in another (`--outreach`); the terminal shows counts only.
    """
    from tokenvault_data.analysis.breakdown import breakdown
    from tokenvault_data.analysis.cards.card_view import MONTHS
    from tokenvault_data.analysis.expiry import expiring as list_expiring
    from tokenvault_data.analysis.expiry import expiry_outlook
    from tokenvault_data.analysis.outreach import customers_at_risk
    from tokenvault_data.dataset.bank_names import load_bank_names
    from tokenvault_data.dataset.snapshots import open_snapshot
    from tokenvault_data.dataset.today import day_of

    opened = open_snapshot(store, snapshot, environment=options.environment_of_profile(profile))
    names, day = load_bank_names(banks), day_of(as_of)
    cards = list_expiring(opened, within, as_of=day, where=where, banks=names)
    outlook = expiry_outlook(opened, as_of=day, where=where)
    by_month = expiry_outlook(opened, as_of=day, months=MONTHS, where=where)
    months = breakdown(cards, "expiry", as_of=day, banks=names)
    at_banks = breakdown(cards, "bank", as_of=day, banks=names)
    customers = customers_at_risk(opened, within, as_of=day, banks=names)
    written = None if to is None else write_table(cards, to, policy)
    listed = None if outreach is None else write_table(customers, outreach, policy)
    if as_json:
        print_figures_json(
            {
                "snapshot": opened.id,
                "as_of": day,
                "within": within,
                "cards": len(cards),
                "customers_at_risk": len(customers),
                "outlook": table_document(outlook)["rows"],
                "outlook_months": table_document(by_month)["rows"],
                "months": table_document(months)["rows"],
                "banks": table_document(at_banks)["rows"],
                "title": cards.title,
                "notes": list(cards.notes),
                "file": written,
                "outreach_file": listed,
            },
            opened,
        )
        return
    print_rows(outlook)
    print_table(by_month, title="In whole months, since cards expire at the end of one")
    if len(cards):
        print_table(months, title=cards.title)
        shown = breakdown(cards, "bank", top=SHOWN_BANKS, as_of=day, banks=names)
        print_table(shown, title="At these banks")
    print_title(customers.title)
    print_notes(customers)
    if written is not None:
        print_written(written, "cards")
    if listed is not None:
        print_written(listed, "customers")
