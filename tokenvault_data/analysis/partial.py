"""Partial snapshots: of whom nothing is known, said wherever figures of them are shown.

Tables of analyses are made by `finding_table` alone, which adds the notes, so that no analysis can
forget them; commands add `partial_document` to their JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.analysis.wording import counted
from tokenvault_data.dataset.result_table import ResultTable, result_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow as pa

    from tokenvault_data.analysis.source import Source
    from tokenvault_data.dataset.manifest import Manifest


_NAMED: Final = 2


def not_fetched(facts: Manifest) -> int:
    """Return how many customers of a snapshot failed or were not attempted."""
    return facts.outcomes["failed"] + facts.outcomes["not_attempted"]


def partial_notes(*manifests: Manifest) -> list[str]:
    """Return a sentence for each snapshot that is partial, with how many customers are missing."""
    partial = list({facts.id: facts for facts in manifests if not_fetched(facts)}.values())
    if len(partial) > _NAMED:
        missing = counted(sum(map(not_fetched, partial)), "customer's list", "customers' lists")
        return [f"{len(partial):,} of the snapshots are partial: {missing} had no answer."]
    return [_note(facts) for facts in partial]


def _note(facts: Manifest) -> str:
    causes = [
        f"{facts.outcomes[name]:,} {name.replace('_', ' ')}"
        for name in ("failed", "not_attempted")
        if facts.outcomes[name]
    ]
    return (
        f"Snapshot {facts.id} is partial: {not_fetched(facts):,} of"
        f" {counted(facts.requested, 'customer')} were not fetched ({', '.join(causes)}). What they"
        " have saved is not known."
    )


def partial_document(*manifests: Manifest) -> list[dict[str, Any]]:
    """Return the same as JSON content: an object for each snapshot that is partial.

    Its fields are ``snapshot``, ``requested``, ``not_fetched``, and its two parts ``failed`` and
    ``not_attempted``.
    """
    return [
        {
            "snapshot": facts.id,
            "requested": facts.requested,
            "not_fetched": not_fetched(facts),
            "failed": facts.outcomes["failed"],
            "not_attempted": facts.outcomes["not_attempted"],
        }
        for facts in {one.id: one for one in manifests if not_fetched(one)}.values()
    ]


def finding_table(
    rows: pa.Table | pd.DataFrame,
    *sources: Source,
    title: str,
    notes: Sequence[str] = (),
) -> ResultTable:
    """Make the table of an analysis, with a note for each source that is a partial snapshot.

    Parameters
    ----------
    rows : pyarrow.Table or pandas.DataFrame
    *sources : Source
        All that the figures come from.
    title : str
        The finding, in one line.
    notes : sequence of str
        What else has to be known to read the figures, a sentence each.
    """
    manifests = [one.snapshot.manifest for one in sources if one.snapshot is not None]
    return result_table(rows, title=title, notes=[*notes, *partial_notes(*manifests)])
