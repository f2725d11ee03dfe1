"""`tokenvault app`: explore and collect on a page, for people who do not program."""

from __future__ import annotations

from typing import Annotated

import typer

from tokenvault_data.cli import options, serving


def app(
    port: serving.Port = 0,
    no_browser: serving.NoBrowser = False,
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="Whose vault: emulator, sandbox, production, or a name from the profile file.",
        ),
    ] = "emulator",
    store: options.Store = options.DEFAULT_STORE,
    as_json: serving.AddressAsJson = False,
) -> None:
    """Open a page to explore and collect with, until Ctrl-C.

    It shows the store's newest snapshot; where there is none yet, cards of made-up customers are
    collected from an emulator first. The server is on this machine only and takes nobody without
    its token.
    """
    from tokenvault_data.apps.app import serve_app

    options.environment_of_profile(profile)  # refuses an unknown one before anything is started
    serve_app(
        profile=profile,
        store=store,
        port=port,
        open_browser=not no_browser,
        ready=lambda address: serving.say_where("The page", address, as_json=as_json),
    )
