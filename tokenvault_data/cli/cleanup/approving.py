"""`cleanup keygen`, `trust` and `approve`: a second person signs what they have looked at."""

from __future__ import annotations

import os
import sys
from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import Annotated

import typer

from tokenvault_data.cli import options
from tokenvault_data.cli.cleanup.plans import PlanReference, campaign_folder, plan_at, print_plan
from tokenvault_data.cli.output import print_json, print_line, print_paragraph

PASSPHRASE_VARIABLE = "TOKENVAULT_KEY_PASSPHRASE"  # noqa: S105  the name of a variable
Protected = Annotated[
    bool, typer.Option("--passphrase", help="Ask for a passphrase that protects the private key.")
]


def keygen(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")],
    passphrase: Protected = False,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Make a key pair for somebody who approves plans.

    The private key stays in this user's configuration; the public file is what colleagues `trust`.
    """
    del profile, store
    from tokenvault_data.cleanup.keys import keygen as make_keys

    files = make_keys(name, passphrase=_passphrase(twice=True) if passphrase else None)
    if as_json:
        print_json(
            {
                "name": files.name,
                "fingerprint": files.fingerprint,
                "private_key": str(files.private),
                "public_key": str(files.public),
            }
        )
        return
    print_line(f"Private key: {files.private}; it never leaves this machine.")
    print_line(f"Public key:  {files.public}")
    print_line(f"Fingerprint: {files.fingerprint}")
    print_paragraph(
        "Whoever applies plans trusts it with `tokenvault cleanup trust FILE`, after having"
        " compared the fingerprint with you."
    )


def trust(
    public_key: Annotated[
        Path,
        typer.Argument(metavar="FILE", dir_okay=False, help="Public key of an approver, a .pub."),
    ],
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Believe somebody's approvals on this machine from now on."""
    del profile, store
    from tokenvault_data.cleanup.approvers import trust_approver

    approver = trust_approver(public_key)
    if as_json:
        print_json({"name": approver.name, "fingerprint": approver.fingerprint})
    else:
        print_line(f"Approvals of {approver.name} are believed on this machine.")
        print_line(f"Fingerprint: {approver.fingerprint}")


def approve(  # noqa: PLR0917  one parameter an option
    plan: PlanReference,
    key: Annotated[
        str, typer.Option("--key", metavar="NAME", help="Whose key signs; made by `keygen`.")
    ],
    passphrase: Annotated[
        bool,
        typer.Option("--passphrase", help="Ask for the passphrase of the private key."),
    ] = False,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Sign a plan that somebody else has made.

    In production no plan is applied without; elsewhere it may be left out.
    """
    del profile
    from tokenvault_data.analysis.wording import utc_minute
    from tokenvault_data.cleanup.approval import approve as sign
    from tokenvault_data.cleanup.approval import write_approval
    from tokenvault_data.cleanup.keys import load_signing_key

    opened = plan_at(plan, store)
    signing_key = load_signing_key(key, passphrase=_passphrase() if passphrase else None)
    approval = sign(opened, signing_key)
    folder = campaign_folder(opened, store)
    folder.mkdir(parents=True, exist_ok=True)
    path = write_approval(approval, folder)
    if as_json:
        print_json(
            {
                "plan": opened.id,
                "approver": approval.approver,
                "fingerprint": approval.fingerprint,
                "approved_at": approval.approved_at,
                "path": str(path),
            }
        )
        return
    print_plan(opened)
    print_line()
    print_line(f"Approved by {approval.approver} at {utc_minute(approval.approved_at)}: {path}")


def _passphrase(*, twice: bool = False) -> bytes:
    import getpass

    from tokenvault_data.errors import UsageError

    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given is not None:
        return given.encode()
    if not sys.stdin.isatty():
        raise UsageError(
            f"a passphrase is asked for on a terminal only, or read from {PASSPHRASE_VARIABLE};"
            " nothing was done"
        )
    first = getpass.getpass("Passphrase: ")
    if twice and getpass.getpass("Once more: ") != first:
        raise UsageError("the two passphrases differ; no key was made")
    return first.encode()
