"""Partial snapshots: of whom nothing is known, said wherever figures of them are shown.

Tables of analyses are made by `finding_table` alone, which adds the notes, so that no analysis can
forget them; commands add `partial_document` to their JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenvault_data.dataset.partial import not_fetched, partial_notes
from tokenvault_data.dataset.tables import ResultTable, result_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow as pa

    from tokenvault_data.analysis.cards.source import Source
    from tokenvault_data.dataset.manifest import Manifest


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
