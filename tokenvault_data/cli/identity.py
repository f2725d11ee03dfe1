"""`tokenvault identity`: one card under several customers, one account behind several cards."""

from __future__ import annotations

from collections import Counter
from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from tokenvault_data.cli import options
from tokenvault_data.cli.printing.output import PrintedRow, print_grid
from tokenvault_data.cli.printing.partial import print_figures_json
from tokenvault_data.cli.printing.tables import (
    print_notes,
    print_table,
    print_title,
    print_written,
    table_document,
    write_table,
)

if TYPE_CHECKING:
    from tokenvault_data.dataset.tables import ResultTable

SHOWN_CASES = 15
_MEANINGS = {
    "same_card": "one card saved by several customers",
    "same_account": "one account behind several cards, or saved by several customers",
    "repeated_id": "one id more than once in a customer's list",
    "linked_customers": "three customers or more, linked by two shared cards or accounts",
}
_LEFT_OUT = ("case_id", "first_saved_at", "last_saved_at", "shared_values")


def identity(  # noqa: PLR0917  one parameter an option
    snapshot: options.Snapshot,
    threshold: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=2,
            help="Least customers, or cards of an account, of same card and same account.",
        ),
    ] = 2,
    to: options.ResultFile = None,
    members: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also write the cards of all cases to a .csv or .parquet file."
        ),
    ] = None,
    policy: options.Policy = "full",
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Tell which cards and accounts are saved more than once.

    The terminal shows the largest cases, ids masked; a file (`--to`) holds all of them, another
    (`--members`) the cards behind each.
    """
    from tokenvault_data.analysis.identity import identity as find_cases
    from tokenvault_data.analysis.identity import identity_members
    from tokenvault_data.dataset.snapshots import open_snapshot

    opened = open_snapshot(store, snapshot, environment=options.environment_of_profile(profile))
    cases = find_cases(opened, threshold=threshold)
    written = None if to is None else write_table(cases, to, policy)
    rows = None
    if members is not None:
        rows = write_table(identity_members(opened, cases, threshold=threshold), members, policy)
    if as_json:
        document = {"snapshot": opened.id, "threshold": threshold, **table_document(cases)}
        print_figures_json({**document, "file": written, "members_file": rows}, opened)
        return
    print_title(cases.title)
    _print_kinds(cases)
    if not len(cases):
        print_notes(cases)
    else:
        largest = cases.showing(cases.head(SHOWN_CASES))
        print_table(largest, title="The largest cases", without=_LEFT_OUT)
    if written is not None:
        print_written(written, "cases")
    if rows is not None:
        print_written(rows, "cards")


def _print_kinds(cases: ResultTable) -> None:
    counts = Counter(cases["kind"])
    rows = [
        PrintedRow((kind.replace("_", " "), f"{counts[kind]:,}", meaning))
        for kind, meaning in _MEANINGS.items()
    ]
    print_grid([PrintedRow(("kind", "cases", "meaning"), "bold"), *rows], right=(1,), shrinks=2)
