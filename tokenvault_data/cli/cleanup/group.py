"""The group of commands, in the order in which a campaign needs them."""

from __future__ import annotations

import typer

from tokenvault_data.cli import exit_codes
from tokenvault_data.cli.cleanup.apply import abort, apply, pause, recover, status
from tokenvault_data.cli.cleanup.approve import approve, countersign, keygen, revoke, trust
from tokenvault_data.cli.cleanup.audit import audit, report, verify
from tokenvault_data.cli.cleanup.hold import hold
from tokenvault_data.cli.cleanup.plan import plan, show, simulate
from tokenvault_data.cli.registering import as_command

cleanup = typer.Typer(
    name="cleanup",
    help="Delete saved cards by a plan, and prove each one gone.",
    rich_markup_mode=None,
)


@cleanup.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """Delete saved cards by a plan, and prove each one gone."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(exit_codes.USAGE)


_SENDING = frozenset({apply, abort, recover, verify})
for command in (
    *(hold, simulate, plan, show),
    *(keygen, trust, approve, revoke),
    *(apply, status, pause, abort, recover),
    *(verify, audit, countersign, report),
):
    cleanup.command()(as_command(command, sends=command in _SENDING))
