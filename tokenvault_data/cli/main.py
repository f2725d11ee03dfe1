"""The `tokenvault` command: where commands are listed and their failures reported.

A command stands in the module of its name, but `show`, which is in `snapshots`, and those of
`cleanup`, which are in its folder.
"""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from tokenvault_data import __version__
from tokenvault_data.cli import exit_codes
from tokenvault_data.cli.app import app as app_command
from tokenvault_data.cli.breakdown import breakdown
from tokenvault_data.cli.changes import changes
from tokenvault_data.cli.cleanup.group import cleanup
from tokenvault_data.cli.collect import collect
from tokenvault_data.cli.demo import demo
from tokenvault_data.cli.doctor import doctor
from tokenvault_data.cli.emulator import emulator
from tokenvault_data.cli.expiring import expiring
from tokenvault_data.cli.export import export
from tokenvault_data.cli.failures import failure_of
from tokenvault_data.cli.identity import identity
from tokenvault_data.cli.lab import lab
from tokenvault_data.cli.printing.output import (
    lost_output,
    open_closed_streams,
    outlive_readers,
    print_error,
    print_json,
)
from tokenvault_data.cli.quality import quality
from tokenvault_data.cli.registering import as_command
from tokenvault_data.cli.report import report
from tokenvault_data.cli.signals import let_it_finish, treat_termination_as_interrupt
from tokenvault_data.cli.snapshots import show, snapshots

app = typer.Typer(
    name="tokenvault",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done in part, 4 refused by a guard rail,"
    " 75 locked by another process, 130 interrupted and resumable.",
    add_completion=False,
    rich_markup_mode=None,  # plain help loads in half the time
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and so credentials
)
_SENDING = frozenset({collect, lab, app_command, doctor})
for function in (
    *(demo, emulator, collect, snapshots, show),
    *(breakdown, expiring, changes, identity, quality),
    *(export, report, lab),
    app_command,
):
    app.command()(as_command(function, sends=function in _SENDING))
app.add_typer(cleanup)
app.command()(as_command(doctor, sends=True))


@app.callback(invoke_without_command=True)
def tokenvault(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Collect, analyse and clean up the saved cards of a Token Vault."""
    if version:
        typer.echo(f"tokenvault {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(exit_codes.USAGE)


def run() -> NoReturn:
    """Run the command line and exit with its code."""
    treat_termination_as_interrupt()
    open_closed_streams()
    outlive_readers()
    try:
        code = app(prog_name="tokenvault", standalone_mode=False) or exit_codes.DONE
        if code == exit_codes.INTERRUPTED:  # typer has made a bare code of Ctrl-C
            code = _report(KeyboardInterrupt())
        lost = lost_output()
        if lost is not None:
            print_error(
                f"standard output could not be written ({lost.strerror}); the command itself was"
                " carried out"
            )
            code = code or exit_codes.FAILED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  whatever it is, it is reported
        code = _report(error)
    _leave(code)


def _report(error: BaseException) -> int:
    failure = failure_of(error)
    if "--json" in sys.argv[1:]:
        print_json(failure.document())
    print_error(failure.message, failure.notes)
    return failure.exit_code


def _leave(code: int) -> NoReturn:
    """Exit with what is decided: nothing is left to interrupt."""
    let_it_finish()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    sys.exit(code)
