"""The completion report of a campaign, and the list of its exceptions for the next plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from tokenvault_data.cleanup.audit.audit import audited
from tokenvault_data.cleanup.audit.rules import LEFT
from tokenvault_data.errors import UsageError
from tokenvault_data.local_paths import local_path
from tokenvault_data.reports.whole_file import check_place, write_whole

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from tokenvault_data.cleanup.approval.approvers import Trust
    from tokenvault_data.cleanup.audit.audit import AuditedCampaign
    from tokenvault_data.cleanup.audit.replay import Replay
    from tokenvault_data.cleanup.plan.plan_file import Plan

_PAGES: Final = (".html", ".htm")
_TABLES: Final = (".csv", ".parquet")


def completion_report(
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
        with a row for every planned card, see `completion_table.COMPLETION`.
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
    from tokenvault_data.cleanup.report.table import completion_table
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

    from tokenvault_data.cleanup.report.table import completion_table

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
