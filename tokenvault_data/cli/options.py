"""Options that several commands share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tokenvault_data.errors import ProfileError, UsageError

if TYPE_CHECKING:
    from tokenvault_data.config.credentials import Environment

Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Whose vault: emulator, sandbox, production, or a name from the profile file."
        " Without it, the environment variables; without those, the emulator.",
    ),
]
OfProfile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Only snapshots of this profile's environment; its credentials are not needed.",
    ),
]
EmulatorProfile = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="NAME", help="Only a profile of an emulator is accepted here."
    ),
]
Store = Annotated[
    Path,
    typer.Option("--store", metavar="DIR", file_okay=False, help="Folder of runs and snapshots."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print exactly one JSON document on stdout, errors too.")
]
Snapshot = Annotated[
    str,
    typer.Argument(
        metavar="SNAPSHOT",
        help="Id or path of a snapshot, or `latest`: the newest complete one, or the newest partial"
        " one where none is complete.",
    ),
]
Policy = Annotated[
    Literal["full", "masked", "minimal"],
    typer.Option(
        metavar="NAME",
        help="What may leave: `full`; `masked`, ids as keyed hashes; `minimal`, last four digits,"
        " network and bank.",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CONDITION",
        help="Only such cards, e.g. `card_network=visa,rupay` or `expires_on<2027-01-01`; given"
        " several times, all have to hold.",
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="The day expiry is judged on; by default today in India."),
]
Banks = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        dir_okay=False,
        help="Names of banks of your own, a CSV of spelling,bank,note, before the built-in ones.",
    ),
]
ResultFile = Annotated[
    Path | None,
    typer.Option("--to", metavar="FILE", help="Also write the rows to a .csv or .parquet file."),
]
DEFAULT_STORE = Path("vault-data")


def environment_of_profile(name: str | None) -> Environment | None:
    """Tell the environment of a profile by its name alone; no credential is looked up.

    Raises
    ------
    ProfileError
        There is no such profile.
    """
    if name is None:
        return None
    from tokenvault_data.config.credentials import ENVIRONMENTS
    from tokenvault_data.config.loading import list_profiles

    known: dict[str, str] = {environment: environment for environment in ENVIRONMENTS}
    known |= list_profiles()
    for environment in ENVIRONMENTS:
        if known.get(name) == environment:
            return environment
    raise ProfileError(f"there is no profile {name!r}; known are {', '.join(sorted(known))}")


def refuse_other_than_emulator(profile: str | None, command: str) -> None:
    """Refuse a profile that stands for a real vault.

    Raises
    ------
    UsageError
        It does.
    """
    environment = environment_of_profile(profile)
    if environment not in {None, "emulator"}:
        raise UsageError(
            f"`tokenvault {command}` has to do with an emulator only, and profile {profile!r} is"
            f" {environment}; nothing was sent. Leave --profile out"
        )
