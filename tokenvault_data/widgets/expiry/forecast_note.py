"""How many of the scheduled cards will lapse, learnt from the earlier snapshots of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tokenvault_data.analysis.forecast import forecast
from tokenvault_data.dataset.snapshots import Snapshot, list_snapshots, open_snapshot
from tokenvault_data.widgets.expiry.text import forecast_months

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from tokenvault_data.widgets.parts.text import Block

FORECAST_TITLE: Final = "What to expect"


def history_of(snapshot: Snapshot) -> list[Snapshot]:
    """Return a snapshot and those before it of its store, environment and merchant."""
    ours = snapshot.manifest
    earlier = [
        open_snapshot(one.path, verify="quick")
        for one in list_snapshots(snapshot.path.parents[1])
        if one.manifest is not None
        and one.damage is None
        and one.id != snapshot.id
        and one.manifest.environment == ours.environment
        and one.manifest.merchant == ours.merchant
        and one.manifest.created_at <= ours.created_at
    ]
    return [*earlier, snapshot]


def forecast_blocks(
    history: Sequence[Snapshot], *, as_of: date, days: int, is_narrowed: bool
) -> list[Block]:
    """Return what is to be expected of the months of a horizon.

    Raises
    ------
    UsageError
        The snapshots, or the day, are none to forecast from.
    """
    found = forecast(history, months=forecast_months(as_of, days), as_of=as_of)
    lapse, _, basis, *others = found.notes
    about = " This is about all cards, not about the chosen ones only." if is_narrowed else ""
    return [
        ("subheading", FORECAST_TITLE),
        ("text", f"{found.title}. {lapse}"),
        ("note", f"{basis}{about}"),
        *(("note", note) for note in others),
    ]
