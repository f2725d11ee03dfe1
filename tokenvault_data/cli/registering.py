"""How a function becomes a command: what holds for all of them is added here, once."""

from __future__ import annotations

import functools
import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from tokenvault_data.config.network import CA_FILE_VARIABLE, PROXY_VARIABLE
from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    from collections.abc import Callable

_PROXY = Annotated[
    str | None,
    typer.Option(
        "--proxy",
        metavar="URL",
        help="HTTP proxy on the way to the vault, http://[user:password@]host:port, or `none`."
        f" Default: {PROXY_VARIABLE}, or `proxy` of the profile.",
    ),
]
_CA_FILE = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        metavar="FILE",
        help="More certificates to trust (PEM), such as those of a company's proxy. Default:"
        f" {CA_FILE_VARIABLE}, or `ca_file` of the profile.",
    ),
]


def as_command(function: Callable[..., int | None], *, sends: bool) -> Callable[..., int | None]:
    """Return the function as it is registered.

    No command takes an address for a path, and those that send requests to a vault have
    ``--proxy`` and ``--ca-file``. These go through the environment, so that a notebook's kernel or
    the page of `app` finds them as well.

    Parameters
    ----------
    function : callable
        What the command does, as typer reads it.
    sends : bool
        Whether it, or a process it starts, asks a vault.
    """
    own = inspect.signature(function, eval_str=True)
    network = {"proxy": _PROXY, "ca_file": _CA_FILE} if sends else {}

    @functools.wraps(function)
    def command(**arguments: Any) -> int | None:
        for argument in arguments.values():
            for value in argument if isinstance(argument, list) else [argument]:
                if isinstance(value, Path):
                    local_path(value)
        if network:
            _into_environment(arguments.pop("proxy"), arguments.pop("ca_file"))
        return function(**arguments)

    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in network.items()
    ]
    parameters = [*own.parameters.values(), *added]
    signed: Any = command
    signed.__signature__ = own.replace(parameters=parameters)
    signed.__annotations__ = get_type_hints(function, include_extras=True) | network
    return command


def _into_environment(proxy: str | None, ca_file: Path | None) -> None:
    if proxy is not None:
        os.environ[PROXY_VARIABLE] = proxy
    if ca_file is not None:
        os.environ[CA_FILE_VARIABLE] = str(ca_file.expanduser().absolute())
