"""The `tokenvault` command: one module a command, and errors turned into exit codes here."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import typer
from typer.exceptions import Abort, TyperException

from tokenvault_data.cli import exit_codes
from tokenvault_data.cli.collect import collect
from tokenvault_data.cli.demo import demo
from tokenvault_data.cli.doctor import doctor
from tokenvault_data.cli.emulator import emulator
from tokenvault_data.cli.export import export
from tokenvault_data.cli.output import print_error, print_json
from tokenvault_data.cli.snapshots import show, snapshots
from tokenvault_data.errors import TokenVaultError

app = typer.Typer(
    name="tokenvault",
    help="Collect, analyse and clean up the saved cards of a Token Vault.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done in part, 4 refused by a guard rail,"
    " 75 locked by another process, 130 interrupted and resumable.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help loads in half the time
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and so credentials
)
for command in (demo, emulator, collect, snapshots, show, export, doctor):
    app.command()(command)


def run() -> NoReturn:
    """Run the command line and exit with its code."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    as_json = "--json" in sys.argv
    try:
        code = app(standalone_mode=False) or exit_codes.DONE
    except TokenVaultError as error:
        _report(error, as_json=as_json)
        code = exit_codes.exit_code_of(error)
    except TyperException as error:
        print_error(error.format_message(), ["`tokenvault --help` shows how it is used"])
        code = exit_codes.USAGE
    except (Abort, KeyboardInterrupt):
        print_error("interrupted")
        code = exit_codes.INTERRUPTED
    except BrokenPipeError:
        # The reader has gone; closing stdout again at exit must not complain of the same.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = exit_codes.FAILED
    except OSError as error:
        print_error(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        code = exit_codes.FAILED
    sys.exit(code)


def _report(error: TokenVaultError, *, as_json: bool) -> None:
    notes: list[str] = getattr(error, "__notes__", [])
    if as_json:
        kind = type(error).__name__
        print_json({"error": {"kind": kind, "message": str(error), "notes": notes}})
    print_error(str(error), notes)


def _as_interrupt(_signal_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
