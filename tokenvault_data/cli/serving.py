"""What the commands that serve pages have in common: port, browser, and saying where they are."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from tokenvault_data.cli.printing.output import print_line

Port = Annotated[
    int, typer.Option(metavar="N", min=0, max=65535, help="On 127.0.0.1; 0 for any free port.")
]
NoBrowser = Annotated[
    bool, typer.Option("--no-browser", help="Only print the address; open no browser.")
]
AddressAsJson = Annotated[
    bool, typer.Option("--json", help="Print the address as one JSON document, in one line.")
]


def say_where(what: str, address: str, *, as_json: bool) -> None:
    """Print where a server is, once it answers; the address holds the token that lets one in."""
    if as_json:
        sys.stdout.write(f"{json.dumps({'url': address})}\n")
        sys.stdout.flush()
    else:
        print_line(f"{what} is at {address} (Ctrl-C ends it)")
