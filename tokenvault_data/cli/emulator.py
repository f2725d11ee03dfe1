"""`tokenvault emulator`: a stand-in for the vault on this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tokenvault_data.cli import options
from tokenvault_data.cli.printing.output import print_json, print_line
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from tokenvault_data.emulator.settings import EmulatorSettings

DEFAULT_PORT = 8787  # where the `emulator` profile looks
LONGEST_LATENCY_MS = 600_000


def emulator(  # noqa: PLR0917  one parameter an option
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="On 127.0.0.1; 0 for any free port.")
    ] = DEFAULT_PORT,
    customers: Annotated[int, typer.Option(metavar="N", help="How many customers it has.")] = 5000,
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed gives other cards.")] = 7,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            metavar="DATE",
            formats=["%Y-%m-%d"],
            help="The day its cards are made for; today (UTC) without. The same seed and day give"
            " the same vault.",
        ),
    ] = None,
    aged: Annotated[
        int,
        typer.Option(
            metavar="MONTHS", min=0, help="So many months later: renewals, deletions, new cards."
        ),
    ] = 0,
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --aged: write what the months changed, a line of JSON for every card.",
        ),
    ] = None,
    rate_limit: Annotated[
        int | None, typer.Option(metavar="PER_MINUTE", help="Requests a minute; unlimited without.")
    ] = None,
    window: Annotated[
        Literal["fixed", "log", "counter", "bucket"],
        typer.Option(
            metavar="KIND",
            help="How the limit counts: fixed window, sliding log, sliding counter, token bucket"
            " (`fixed`, `log`, `counter`, `bucket`).",
        ),
    ] = "fixed",
    latency: Annotated[
        float,
        typer.Option(
            metavar="MS", min=0, max=LONGEST_LATENCY_MS, help="Milliseconds an answer takes."
        ),
    ] = 0.0,
    page_size: Annotated[
        int | None,
        typer.Option(metavar="N", help="Cards a page, as cursor envelopes; one array without."),
    ] = None,
    faults: Annotated[
        str,
        typer.Option(metavar="SPEC", help="What goes wrong, e.g. `503:0.05;reset-before:0.01`."),
    ] = "",
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a line of JSON for every request.")
    ] = None,
    profile: options.EmulatorProfile = None,
    store: Annotated[
        Path, typer.Option("--store", metavar="DIR", help="Not used: an emulator keeps nothing.")
    ] = options.DEFAULT_STORE,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the address as one JSON document.")
    ] = False,
) -> None:
    """Run a stand-in for the vault until Ctrl-C.

    Its customers are cust_0000000, cust_0000001, and so on; it takes any credentials that are not
    empty.
    """
    del store
    options.refuse_other_than_emulator(profile, "emulator")
    from tokenvault_data.emulator.server import serve
    from tokenvault_data.emulator.settings import EmulatorSettings

    born = as_of.date() if as_of else datetime.now(UTC).date()
    try:
        settings = EmulatorSettings(
            port=port,
            customers=customers,
            seed=seed,
            as_of=born,
            aged_months=aged,
            ledger=ledger,
            rate_limit_per_minute=rate_limit,
            window=window,
            latency_ms=latency,
            page_size=page_size,
            faults=faults,
            record=record,
        )
        serve(settings, ready=lambda base_url: _announce(base_url, settings, as_json=as_json))
    except ValueError as error:
        raise UsageError(f"{error}; the emulator was not started") from None


def _announce(base_url: str, settings: EmulatorSettings, *, as_json: bool) -> None:
    if as_json:
        print_json({"base_url": base_url, "customers": settings.customers})
    else:
        vault = f"Emulated vault of {settings.customers:,} customers"
        print_line(f"{vault} at {base_url} (Ctrl-C ends it)")
        if settings.aged_months:
            months = "a month" if settings.aged_months == 1 else f"{settings.aged_months} months"
            print_line(f"Its cards are {months} older than with --as-of {settings.as_of} alone")
        if not base_url.endswith(f":{DEFAULT_PORT}/pg"):
            print_line(f"In another terminal: export TOKENVAULT_BASE_URL={base_url}")
