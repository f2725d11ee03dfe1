"""`tokenvault emulator`: a stand-in for the vault on this machine."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import Annotated, Literal

import typer

from tokenvault_data.cli import options
from tokenvault_data.cli.output import print_json, print_line
from tokenvault_data.errors import UsageError

DEFAULT_PORT = 8787  # where the `emulator` profile looks
LONGEST_LATENCY_MS = 600_000


def emulator(  # noqa: PLR0917  one parameter an option
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="On 127.0.0.1; 0 for any free port.")
    ] = DEFAULT_PORT,
    customers: Annotated[int, typer.Option(metavar="N", help="How many customers it has.")] = 5000,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same cards.")] = 7,
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

    try:
        settings = EmulatorSettings(
            port=port,
            customers=customers,
            seed=seed,
            rate_limit_per_minute=rate_limit,
            window=window,
            latency_ms=latency,
            page_size=page_size,
            faults=faults,
            record=record,
        )
        serve(settings, ready=lambda base_url: _announce(base_url, customers, as_json=as_json))
    except ValueError as error:
        raise UsageError(f"{error}; the emulator was not started") from None


def _announce(base_url: str, customers: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"base_url": base_url, "customers": customers})
    else:
        print_line(f"Emulated vault of {customers:,} customers at {base_url} (Ctrl-C ends it)")
        if not base_url.endswith(f":{DEFAULT_PORT}/pg"):
            print_line(f"In another terminal: export TOKENVAULT_BASE_URL={base_url}")
