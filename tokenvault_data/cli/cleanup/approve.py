"""`cleanup keygen`, `trust`, `approve`, `revoke` and `countersign`: keys, and what they sign."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from tokenvault_data.cli import options
from tokenvault_data.cli.cleanup.plan_views import (
    PlanReference,
    campaign_folder,
    plan_at,
    print_plan,
)
from tokenvault_data.cli.cleanup.typed_phrase import typed_phrase
from tokenvault_data.cli.hints import command_line
from tokenvault_data.cli.printing.output import INDENT, print_json, print_line, print_paragraph
from tokenvault_data.errors import RefusedByGuardRail

if TYPE_CHECKING:
    from tokenvault_data.cleanup.approval.keys import SigningKey

PASSPHRASE_VARIABLE = "TOKENVAULT_KEY_PASSPHRASE"  # noqa: S105  the name of a variable
KeyName = Annotated[
    str, typer.Option("--key", metavar="NAME", help="Whose key signs; made by `keygen`.")
]
Passphrase = Annotated[
    bool, typer.Option("--passphrase", help="Ask for the passphrase of the private key.")
]
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
    from tokenvault_data.cleanup.approval.keys import keygen as make_keys

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
        Path | None,
        typer.Argument(
            metavar="FILE",
            dir_okay=False,
            help="Public key of an approver, a .pub; without it, list who is trusted.",
        ),
    ] = None,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Trust somebody's approvals on this machine, or list whose are trusted.

    Where /etc/tokenvault-data/approvers exists, only the keys in it count, and the administrator
    manages them: nothing can be added by this command.
    """
    del profile, store
    from tokenvault_data.cleanup.approval.approvers import SYSTEM_FOLDER, load_trust, trust_approver

    added = None if public_key is None else trust_approver(public_key)
    now = load_trust()
    if as_json:
        print_json(
            {
                "name": None if added is None else added.name,
                "fingerprint": None if added is None else added.fingerprint,
                "source": now.source,
                "approvers": [
                    {"name": name, "fingerprint": fingerprint}
                    for fingerprint, name in now.approvers.items()
                ],
            }
        )
        return
    if added is not None:
        print_line(f"Approvals of {added.name} are trusted on this machine from now on.")
        print_line(f"Fingerprint: {added.fingerprint}")
    elif now.approvers:
        print_line("Trusted approvers:")
        for fingerprint, name in now.approvers.items():
            print_line(f"{INDENT}{name}  {fingerprint}")
    else:
        print_line("Nobody's approvals are trusted on this machine.")
    if now.source == "system":
        print_paragraph(f"In force: {SYSTEM_FOLDER}, which the administrator manages.")
    else:
        print_paragraph(
            "In force: this user's configuration (self-managed). In production, plans are then"
            " applied with approvals that are self-administered. To separate the two, have the"
            f" administrator create {SYSTEM_FOLDER}."
        )


def approve(  # noqa: PLR0917  one parameter an option
    plan: PlanReference,
    key: KeyName,
    passphrase: Passphrase = False,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Review a plan that somebody else made, and sign it.

    The plan is shown, then a phrase that names the number of cards, the environment and the plan is
    typed on a terminal. In production no plan is applied without an approval; elsewhere it is
    optional.
    """
    from tokenvault_data.cleanup.approval.approvals import (
        approval_phrase,
        approve_plan,
        refuse_planner,
        write_approval,
    )
    from tokenvault_data.text import utc_minute

    opened = plan_at(plan, store)
    signing_key = _signing_key(key, passphrase=passphrase)
    refuse_planner(opened, signing_key.name)
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        print_plan(opened)
    phrase = approval_phrase(opened)
    if typed_phrase(phrase, to="approve this plan", undone="nothing was signed") != phrase:
        raise RefusedByGuardRail(
            f"what was typed is not the phrase of this plan; nothing was signed; type: {phrase}"
        )
    approval = approve_plan(opened, signing_key)
    path = write_approval(approval, _made(campaign_folder(opened, store)))
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
    print_line()
    print_line(f"Approved by {approval.approver} at {utc_minute(approval.approved_at)}: {path}")
    print_line("Whoever applies it, on a machine that trusts this key, types:")
    print_line(
        f"{INDENT}{command_line('cleanup', 'apply', opened.id, store=store, profile=profile)}"
    )


def revoke(  # noqa: PLR0917  one parameter an option
    plan: PlanReference,
    key: KeyName,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why, for whoever applies the plan.")
    ] = None,
    passphrase: Passphrase = False,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Take back what a key approved; a campaign that is running stops at its next check.

    Void are all approvals of the plan that this key signed until now. A later one counts again.
    """
    del profile
    from tokenvault_data.cleanup.approval.revocation import revoke, write_revocation
    from tokenvault_data.text import utc_minute

    opened = plan_at(plan, store, against_snapshot=False)
    revocation = revoke(opened, _signing_key(key, passphrase=passphrase), reason=reason)
    path = write_revocation(revocation, _made(campaign_folder(opened, store)))
    if as_json:
        print_json(
            {
                "plan": opened.id,
                "approver": revocation.approver,
                "fingerprint": revocation.fingerprint,
                "revoked_at": revocation.revoked_at,
                "reason": revocation.reason,
                "path": str(path),
            }
        )
        return
    at = utc_minute(revocation.revoked_at)
    print_line(
        f"Approvals of plan {opened.id} by {revocation.approver} until {at} are void: {path}"
    )


def countersign(  # noqa: PLR0917  one parameter an option
    plan: PlanReference,
    key: KeyName,
    passphrase: Passphrase = False,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Sign how a campaign ended, so that its files cannot be rewritten unnoticed.

    For somebody who neither planned nor applied it. The campaign has to be over, and the audit must
    find nothing.
    """
    del profile
    from tokenvault_data.cleanup.approval.approvers import load_trust
    from tokenvault_data.cleanup.audit.countersign import countersign, write_countersignature

    opened = plan_at(plan, store, against_snapshot=False)
    folder = campaign_folder(opened, store)
    signed = countersign(folder, _signing_key(key, passphrase=passphrase))
    path = write_countersignature(signed, folder)
    if as_json:
        print_json(
            {
                "plan": opened.id,
                "signer": signed.signer,
                "fingerprint": signed.fingerprint,
                "signed_at": signed.signed_at,
                "seal": signed.seal,
                "finals": signed.finals,
                "path": str(path),
            }
        )
        return
    parts = " + ".join(f"{count:,} {final}" for final, count in signed.finals.items())
    print_line(f"Countersigned by {signed.signer}: {signed.rows:,} planned = {parts}")
    print_line(f"Seal  {signed.seal}")
    print_line(f"File  {path}")
    if signed.fingerprint not in load_trust().approvers:
        print_paragraph(
            "This key is not trusted here: an audit accepts the countersignature only where it is"
            " (`tokenvault cleanup trust FILE`), and names it as a fault elsewhere."
        )


def _signing_key(name: str, *, passphrase: bool) -> SigningKey:
    from tokenvault_data.cleanup.approval.keys import load_signing_key

    return load_signing_key(name, passphrase=_passphrase() if passphrase else None)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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
