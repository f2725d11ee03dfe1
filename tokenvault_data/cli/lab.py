"""`tokenvault lab`: the notebooks in JupyterLab, on this machine only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenvault_data.cli import options, serving
from tokenvault_data.cli.printing.output import print_paragraph
from tokenvault_data.errors import UsageError
from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    from tokenvault_data.apps.working_copies import WorkingCopies

DEFAULT_FOLDER = Path("tokenvault-notebooks")


def lab(  # noqa: PLR0917  one parameter an option
    notebook: Annotated[
        str | None,
        typer.Argument(
            metavar="NOTEBOOK",
            help="What to begin with: a notebook of the toolkit by its name or number, such as"
            " `02`, or a file of your own.",
        ),
    ] = None,
    folder: Annotated[
        Path,
        typer.Option(
            "--folder",
            metavar="DIR",
            file_okay=False,
            help="Where the notebooks are copied to; one that was changed is never overwritten.",
        ),
    ] = DEFAULT_FOLDER,
    port: serving.Port = 0,
    no_browser: serving.NoBrowser = False,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile", metavar="NAME", help="Not used: a notebook names its profile itself."
        ),
    ] = None,
    store: Annotated[
        Path, typer.Option("--store", metavar="DIR", help="Not used: a notebook names its store.")
    ] = options.DEFAULT_STORE,
    as_json: serving.AddressAsJson = False,
) -> None:
    """Open the notebooks in JupyterLab, until Ctrl-C.

    They are copied into a folder first and run there. The server is on this machine only and takes
    nobody without its token; it fetches neither news nor extensions from anywhere.
    """
    del profile, store
    from tokenvault_data.apps.lab import serve_lab
    from tokenvault_data.apps.working_copies import working_copies

    served, first = folder, None if notebook is None else local_path(notebook)
    if first is not None and first.suffix == ".ipynb" and first.is_file():
        served = first.parent
    else:
        copies = working_copies(folder)
        first = _chosen(copies, notebook)
        if copies.kept and not as_json:
            print_paragraph(
                f"Kept as you changed them in {folder}, though newer ones are here:"
                f" {', '.join(copies.kept)}. Move one away to get the newer one."
            )

    def announce(address: str) -> None:
        serving.say_where(f"JupyterLab on {served}", address, as_json=as_json)

    serve_lab(served, notebook=first, port=port, open_browser=not no_browser, ready=announce)


def _chosen(copies: WorkingCopies, name: str | None) -> Path | None:
    if name is None:
        return None
    found = copies.find(name)
    if found is None:
        known = ", ".join(Path(one).stem for one in copies.names)
        raise UsageError(
            f"there is no notebook {name!r}; nothing was started. The toolkit's own are {known};"
            " a file of your own ends in .ipynb"
        )
    return found
