"""The completion report of a campaign, and the list of its exceptions for the next plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import pyarrow as pa

from tokenvault_data.cleanup.audit.audit import audited
from tokenvault_data.cleanup.audit.rules import FINALS, GONE, LEFT
from tokenvault_data.dataset.durable_files import check_place, write_whole
from tokenvault_data.errors import UsageError
from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

    from tokenvault_data.cleanup.approval.approvers import Trust
    from tokenvault_data.cleanup.audit.audit import AuditedCampaign
    from tokenvault_data.cleanup.audit.card_evidence import CardTrail
    from tokenvault_data.cleanup.audit.replay import Replay
    from tokenvault_data.cleanup.plan.plan import Plan


def _field(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


COMPLETION: Final = pa.schema(
    [
        _field("number", pa.int64(), "Number of the card in the plan, from 0."),
        _field("customer_id", pa.string(), "Whose card it is."),
        _field("instrument_id", pa.string(), "Which card of that customer."),
        _field("last_four", pa.string(), "Last four digits, as planned."),
        _field("card_network", pa.string(), "Network, as planned."),
        _field("bank", pa.string(), "Canonical name of the bank, as planned."),
        _field("expires_on", pa.string(), "Last day on which it is valid, as planned; ISO 8601."),
        _field("final", pa.string(), f"How it ended: {', '.join(FINALS)}; missing while open."),
        _field("reason", pa.string(), "In words, where there is a reason."),
        _field("attempts", pa.int64(), "Deletes that left, or may have left."),
        _field("intents", pa.string(), "Ids of all intents, with a space between them."),
        _field("first_intended_at", pa.string(), "Time of the first intent; ISO 8601, UTC."),
        _field("last_answered_at", pa.string(), "When the last attempt was answered, or lost."),
        _field("last_outcome", pa.string(), "What the last attempt has come to."),
        _field("last_status", pa.int64(), "HTTP status of that, missing where no answer came."),
        _field("evidence", pa.string(), "What the deciding fetch showed, in words."),
        _field("evidence_at", pa.string(), "When that was written down; ISO 8601, UTC."),
        _field("evidence_status", pa.int64(), "HTTP status of the deciding fetch."),
        _field("evidence_request", pa.string(), "x-request-id of the deciding fetch."),
        _field("audit_record", pa.int64(), "Record of the journal that ends the card."),
    ]
)
"""Columns of the completion report; one row for every planned card."""


def completion_table(plan: Plan, replay: Replay) -> pa.Table:
    """Return one row for every planned card, in the order of the plan.

    Parameters
    ----------
    plan : Plan
    replay : Replay
        Of its journal.

    Returns
    -------
    pyarrow.Table
        With the columns of `COMPLETION`.
    """
    rows = [
        {name: getattr(planned, name) for name in COMPLETION.names[:7]} | _became(trail)
        for planned, trail in zip(plan.cards, replay.cards, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=COMPLETION)


def _became(trail: CardTrail) -> dict[str, Any]:
    sight = trail.sight
    last = trail.attempts[-1] if trail.attempts else None
    return {
        "final": trail.final,
        "reason": trail.reason,
        "attempts": trail.sends,
        "intents": " ".join(one.attempt for one in trail.attempts) or None,
        "first_intended_at": trail.attempts[0].intended_at if last else None,
        "last_answered_at": last.ended_at if last else None,
        "last_outcome": last.outcome if last else None,
        "last_status": last.status if last else None,
        "evidence": evidence(trail),
        "evidence_at": sight.at if sight else None,
        "evidence_status": sight.status if sight else None,
        "evidence_request": sight.request_id if sight else None,
        "audit_record": trail.ended_seq,
    }


def evidence(trail: CardTrail) -> str | None:
    """Say what the deciding fetch of a card showed, None where there was none."""
    sight = trail.sight
    if sight is None:
        return None
    if sight.shown != "gone":
        return f"{'changed' if sight.shown == 'drift' else 'there'} (record {sight.seq})"
    if sight.status == 200:
        return f"INACTIVE (record {sight.seq})"
    if trail.final not in GONE:
        return f"404, not confirmed (record {sight.seq})"
    return (
        f"404 {sight.absences} times in a row (record {sight.seq}) between good control reads"
        f" (records {sight.control_before} and {trail.control_after})"
    )


_PAGES: Final = (".html", ".htm")
_TABLES: Final = (".csv", ".parquet")


def report_cleanup(
    folder: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    policy: Literal["full", "masked"] = "masked",
    approvers: Trust | Mapping[str, str] | None = None,
    config_dir: Path | None = None,
) -> Path:
    """Write what became of a campaign, from its audited files.

    Parameters
    ----------
    folder : path
        ``STORE/campaigns/<plan id>``.
    to : path
        ``.html`` for a page to read, without any id in clear; ``.csv`` or ``.parquet`` for a table
        with a row for every planned card, see `COMPLETION`.
    policy : {"full", "masked"}
        Whether ids in a table are in clear, or keyed hashes; see `reports.policies`.
    approvers : Trust, or mapping of str to str, optional
        As `audit` takes it.
    config_dir : Path, optional
        As `audit` takes it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        The plan cannot be trusted, or the file cannot be meant; nothing was written.
    TokenVaultError
        It cannot be written; what was there before is untouched.
    """
    path = local_path(to)
    check_place(path, (*_PAGES, *_TABLES))
    if policy not in ("full", "masked"):
        raise UsageError(
            f"Nothing was written: a completion report is full or masked, not {policy!r}."
        )
    campaign = audited(folder, approvers=approvers, config_dir=config_dir)
    plan, replay = _read(campaign)
    if path.suffix.lower() in _PAGES:
        from tokenvault_data.cleanup.report.page import completion_page

        return write_whole(path, completion_page(plan, replay, campaign.result).encode())
    from tokenvault_data.reports.export import export

    return export(completion_table(plan, replay), path, policy=policy)


def exceptions(folder: str | os.PathLike[str]) -> pa.Table:
    """Return the cards that have ended in another way than gone, for the rule `listed`.

    Returns
    -------
    pyarrow.Table
        ``customer_id``, ``instrument_id``, ``final`` and ``reason``, in the order of the plan.

    Raises
    ------
    UsageError
        The plan cannot be trusted.
    """
    import pyarrow.compute as pc

    table = completion_table(*_read(audited(folder)))
    kept = table.filter(pc.is_in(table["final"], value_set=_texts(LEFT)))
    return kept.select(["customer_id", "instrument_id", "final", "reason"])


def write_exceptions(folder: str | os.PathLike[str], to: str | os.PathLike[str]) -> Path:
    """Write the ids of `exceptions` to a file that the rule `listed` reads.

    As in an export, an id that a spreadsheet could run has an apostrophe before it in a CSV file;
    whatever reads lists here takes it away again.

    Parameters
    ----------
    folder : path
    to : path
        ``.csv`` or ``.parquet``.

    Raises
    ------
    UsageError
        There are none, or the file cannot be meant.
    TokenVaultError
        It cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet

    from tokenvault_data.dataset.schema import WRITTEN_KEY
    from tokenvault_data.reports.csv import write_csv

    path = local_path(to)
    check_place(path, _TABLES)
    ids = exceptions(folder).select(["customer_id", "instrument_id"])
    if ids.num_rows == 0:
        raise UsageError(
            "Nothing was written: no card has ended in another way than gone, so there is no"
            " exception."
        )
    sink = pa.BufferOutputStream()
    if path.suffix.lower() == ".parquet":
        ids = ids.replace_schema_metadata({WRITTEN_KEY: b"1"})
        pyarrow.parquet.write_table(ids, sink, compression="zstd")
        return write_whole(path, sink.getvalue().to_pybytes())
    write_csv(ids.to_batches(), ids.schema, sink)
    return write_whole(path, sink.getvalue().to_pybytes())


def _read(campaign: AuditedCampaign) -> tuple[Plan, Replay]:
    if campaign.plan is None or campaign.replay is None:
        raise UsageError(
            f"Nothing was written: {campaign.result.findings[0]}; a report needs the plan; take it"
            " from its planner again."
        )
    return campaign.plan, campaign.replay


def _texts(texts: tuple[str, ...]) -> pa.Array:
    import pyarrow as pa

    return pa.array(texts, pa.string())
