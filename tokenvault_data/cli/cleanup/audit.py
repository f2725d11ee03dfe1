"""`cleanup verify`, `audit` and `report`: what has become of every planned card, and the proof."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import Annotated, Literal

import typer

from tokenvault_data.cli import exit_codes, options
from tokenvault_data.cli.cleanup.plan_views import (
    PlanReference,
    campaign_folder,
    folder_named,
    plan_at,
)
from tokenvault_data.cli.printing.output import (
    INDENT,
    print_json,
    print_line,
    print_paragraph,
    size_text,
)
from tokenvault_data.errors import UsageError
from tokenvault_data.local_paths import local_path
from tokenvault_data.text import counted


def verify(
    plan: PlanReference,
    sample: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="So many cards, drawn at random; all without it."),
    ] = None,
    profile: options.Profile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> int:
    """Look again whether what is called gone is gone.

    Nothing is deleted. Exit code 1 says that not all of them were seen gone.
    """
    from tokenvault_data.cleanup.campaign.verification import verify_cleanup
    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.config.loading import load_profile

    opened = plan_at(plan, store, against_snapshot=False)
    with Vault(load_profile(profile), share_at_most=opened.limits.rate_share) as vault:
        result = verify_cleanup(vault, opened, campaign_folder(opened, store), sample=sample)
    if as_json:
        print_json(
            {
                "plan": opened.id,
                "ok": result.ok,
                "called_gone": result.called_gone,
                "looked_at": result.looked_at,
                "gone": result.gone,
                "still_there": list(result.still_there),
                "unclear": list(result.unclear),
                "stopped": result.stopped,
                "file": result.file,
            }
        )
    else:
        print_paragraph(result.verdict)
        for number in (*result.still_there, *result.unclear):
            print_line(f"{INDENT}row {number:,} of the plan")
        print_line(f"Written to {result.file}.")
    return exit_codes.DONE if result.ok else exit_codes.FAILED


def audit(
    plan: PlanReference,
    seal: Annotated[
        str | None,
        typer.Option(
            "--seal",
            metavar="DIGEST",
            help="Digest of the seal, as noted elsewhere when the campaign ended.",
        ),
    ] = None,
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> int:
    """Prove a campaign offline, or name what was changed.

    Exit code 0 only if nothing is wrong, the campaign is over, and something outside its files
    vouches for its history: the ledger of the machine that applied it, a noted digest of the seal,
    or a countersignature.
    """
    del profile
    from tokenvault_data.cleanup.approval.approvers import load_trust
    from tokenvault_data.cleanup.audit.audit import audit_cleanup
    from tokenvault_data.cleanup.plan.plan_file import CAMPAIGNS_FOLDER

    folder = folder_named(plan, store / CAMPAIGNS_FOLDER) or local_path(plan)
    result = audit_cleanup(
        folder.parent if folder.is_file() else folder, approvers=load_trust(), noted_seal=seal
    )
    if as_json:
        print_json(
            {
                "ok": result.ok,
                "complete": result.complete,
                "proven": result.proven,
                "verdict": result.verdict,
                "state": result.state,
                "planned": result.planned,
                "finals": dict(result.finals),
                "open": result.open,
                "sentence": result.sentence,
                "findings": list(result.findings),
                "notes": list(result.notes),
                "anchors": list(result.anchors),
                "approvals": [
                    {
                        "approver": one.approver,
                        "fingerprint": one.fingerprint,
                        "approved_at": one.approved_at,
                        "trusted": one.is_known,
                    }
                    for one in result.approvals
                ],
                "records": result.records,
                "plan_digest": result.plan_digest,
                "audit_head": result.audit_head,
                "seal_digest": result.seal_digest,
            }
        )
    else:
        print_paragraph(result.verdict)
        for finding in result.findings:
            print_paragraph(finding, indent=INDENT, first="* ")
        for note in result.notes:
            print_paragraph(note, indent=INDENT, first="- ")
        print_line()
        print_line(f"Plan     {result.plan_digest or '-'}")
        print_line(f"Journal  {result.audit_head or '-'}  ({result.records:,} records)")
        print_line(f"Seal     {result.seal_digest or '-'}")
        print_line(f"Vouched  {', '.join(result.anchors) or '-'}")
        if not result.ok and not result.complete:
            print_line()
            print_paragraph(
                "Where the journal is damaged, missing or an older copy,"
                f" `tokenvault cleanup recover {folder.name}` finds out by reading alone what has"
                " become of the cards."
            )
    return exit_codes.DONE if result.proven else exit_codes.FAILED


def report(  # noqa: PLR0917  one parameter an option
    plan: PlanReference,
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="An .html, .csv or .parquet file.")
    ],
    exceptions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write the cards that are not gone to a .csv or .parquet file, which"
            " `cleanup plan --from` makes the next plan of.",
        ),
    ] = None,
    policy: Annotated[
        Literal["full", "masked"],
        typer.Option(metavar="NAME", help="Ids in tables: `full`, or `masked` as keyed hashes."),
    ] = "masked",
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Write what has become of every planned card, with the evidence."""
    del profile
    from tokenvault_data.cleanup.audit.audit import audit_cleanup
    from tokenvault_data.cleanup.report.report import exceptions as not_gone
    from tokenvault_data.cleanup.report.report import (
        report_cleanup,
        write_exceptions,
    )

    if exceptions is not None and exceptions.resolve() == to.resolve():
        raise UsageError("The report and the exceptions cannot be one file; nothing was written")
    opened = plan_at(plan, store, against_snapshot=False)
    folder = campaign_folder(opened, store)
    path = report_cleanup(folder, to, policy=policy)
    audited = audit_cleanup(folder)
    left = None
    if exceptions is not None and not_gone(folder).num_rows:
        left = write_exceptions(folder, exceptions)
    size_bytes = path.stat().st_size
    if as_json:
        print_json(
            {
                "plan": opened.id,
                "path": str(path),
                "bytes": size_bytes,
                "exceptions": None if left is None else str(left),
            }
        )
        return
    print_line(f"The report of plan {opened.id} is {path} ({size_text(size_bytes)}).")
    if left is not None:
        print_line(f"What is left is in {left}.")
    elif exceptions is not None:
        still = f", and {audited.open:,} have not ended" if audited.open else ""
        print_line(f"No card ended in another way than gone{still}; {exceptions} was not written.")
    if not audited.ok:
        print_paragraph(
            f"The audit found {counted(len(audited.findings), 'fault')}, so what the report says of"
            " the cards is not proven; it names them."
        )
