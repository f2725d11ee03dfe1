"""`tokenvault collect`: from a list of customers to a published snapshot."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenvault_data.cli import exit_codes, options
from tokenvault_data.cli.printing.output import print_json, print_paragraph
from tokenvault_data.cli.printing.summary import print_summary, summary_document
from tokenvault_data.cli.signals import let_it_finish
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from tokenvault_data.collection.customer_list import CustomerList


def collect(  # noqa: PLR0917  one parameter an option
    customers: Annotated[
        str | None,
        typer.Argument(
            metavar="CUSTOMERS",
            help="Customer ids: a text file, one a line, a CSV or Parquet file, or - for stdin.",
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Where the ids are, in a file of several columns."),
    ] = None,
    guarded: Annotated[
        bool,
        typer.Option(
            "--guarded",
            help="Take away the apostrophe that a spreadsheet or an export put before ids.",
        ),
    ] = False,
    as_written: Annotated[
        bool,
        typer.Option(
            "--as-written",
            help="Take every line as an id, whatever it looks like: null words, apostrophes.",
        ),
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="Go on with this run, and try its failed customers again."
        ),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Start anew where an unfinished run would be gone on with."),
    ] = False,
    share: Annotated[
        float | None,
        typer.Option(
            metavar="PART",
            help="Part of the account's rate limit to hold, above 0 up to 1. Without it, one half"
            " is divided between all of your commands and notebooks at work on the account.",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="PER_MINUTE",
            help="Ceiling of requests a minute; the lower of this and the share holds. Where the"
            " vault tells no limit, it is the rate, and no search for it is made.",
        ),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(metavar="N", help="Calls under way at once, 1 to 512.")
    ] = 64,
    patience: Annotated[
        float, typer.Option(metavar="MINUTES", help="How long an outage is waited out.")
    ] = 15.0,
    profile: options.Profile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> int:
    """Fetch customers' cards and publish a snapshot.

    The same command run again after a crash, an outage or Ctrl-C goes on where it stopped. Progress
    is shown on a terminal; exit code 3 says that some customers failed.
    """
    if customers is None and resume is None:
        raise UsageError(
            "no customers were given, so nothing was sent; name a file of customer ids, - for"
            " standard input, or --resume RUN to go on with a run"
        )
    ids = (
        None
        if customers is None
        else _read(customers, column, guarded=guarded, as_written=as_written)
    )
    if ids is not None and not as_json:
        print_paragraph(ids.describe())

    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.collection.collect import collect as collect_cards
    from tokenvault_data.config.loading import load_profile

    with Vault(load_profile(profile), share=share, rate_per_minute=rate) as vault:
        snapshot = collect_cards(
            vault,
            ids,
            store=store,
            resume=resume,
            fresh=fresh,
            concurrency=concurrency,
            patience_seconds=patience * 60,
        )
        let_it_finish()
    if as_json:
        print_json(
            summary_document(snapshot, ids) | {"list": None if ids is None else _list_document(ids)}
        )
    else:
        print_summary(snapshot, store=store, profile=profile, listed=ids)
    return exit_codes.DONE if snapshot.complete else exit_codes.DONE_IN_PART


def _read(source: str, column: str | None, *, guarded: bool, as_written: bool) -> CustomerList:
    from tokenvault_data.collection.customer_list import read_customers

    if source == "-" and sys.stdin.isatty() and sys.stderr.isatty():
        sys.stderr.write("Customer ids, one a line; Ctrl-D on a line of its own ends them:\n")
    return read_customers(source, column=column, guarded=guarded, as_written=as_written)


def _list_document(ids: CustomerList) -> dict[str, Any]:
    return {
        "rows_read": ids.rows_read,
        "customers": len(ids),
        "dropped": [
            {
                "reason": str(dropped.reason),
                "count": dropped.count,
                "first_rows": list(dropped.first_rows),
            }
            for dropped in ids.dropped
        ],
        "unlike_the_others": None
        if ids.unlike is None
        else {"count": ids.unlike.count, "first_rows": ids.unlike.first_rows},
        "notes": list(ids.notes),
    }
