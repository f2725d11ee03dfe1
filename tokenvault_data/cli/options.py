"""Options that several commands share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Whose vault: emulator, sandbox, production, or a name from the profile file."
        " Without it, the environment variables; without those, the emulator.",
    ),
]
Store = Annotated[
    Path,
    typer.Option("--store", metavar="DIR", help="Folder of runs and snapshots."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, for machines.")
]
Snapshot = Annotated[
    str,
    typer.Argument(metavar="SNAPSHOT", help="Id or path of a snapshot, or `latest`."),
]
DEFAULT_STORE = Path("vault-data")
