"""Two snapshots of a store, chosen from lists: the earlier and the later of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from tokenvault_data.dataset.snapshots import list_snapshots
from tokenvault_data.widgets.parts.layout import named

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.dataset.snapshots import SnapshotListing


class SnapshotPair(ipywidgets.Box):
    """Two lists of the snapshots of a store, and a button that compares.

    Parameters
    ----------
    store : str or path
    old, new : str, optional
        Ids of those chosen to begin with; the newest and the one before it when not given.
    environment : str, optional
        Only snapshots of this environment.

    Attributes
    ----------
    old, new : ipywidgets.Dropdown
        Their values are ids.
    compare : ipywidgets.Button
    """

    def __init__(
        self,
        store: str | Path,
        *,
        old: str | None = None,
        new: str | None = None,
        environment: str | None = None,
    ) -> None:
        super().__init__()
        self._store = store
        options = [
            (_label(one), one.id)
            for one in list_snapshots(store)
            if one.manifest is not None
            and one.damage is None
            and environment in {None, one.manifest.environment}
        ]
        known = [value for _, value in options]
        # One that is asked for and not there is chosen all the same: opening it says why not.
        options += [(one, one) for one in (old, new) if one is not None and one not in known]
        later = new or next(iter(known), None)
        before = known[known.index(later) + 1 :] if later in known else known
        earlier = old or next(iter(before), None)
        self.old = _dropdown("Earlier", options, earlier, "earlier")
        self.new = _dropdown("Later", options, later, "later")
        self.compare = named(
            ipywidgets.Button(description="Compare", layout={"width": "auto"}), "compare"
        )
        self.children = [self.old, self.new, self.compare]
        named(self, "row")

    @property
    def is_ready(self) -> bool:
        """Whether two different snapshots are chosen."""
        return self.old.value is not None and self.new.value not in {None, self.old.value}

    @property
    def why_not(self) -> str:
        """What has to be done before they can be compared."""
        if len(self.new.options) < 2:
            return (
                f"There are fewer than two snapshots in {self._store}, so nothing was compared;"
                " collect again later, or name another store."
            )
        return "Both are the same snapshot, or one is missing; nothing was compared; choose two."


def _dropdown(
    text: str, options: list[tuple[str, str]], value: str | None, name: str
) -> ipywidgets.Dropdown:
    return named(
        ipywidgets.Dropdown(
            options=options,
            value=value,
            description=text,
            style={"description_width": "initial"},
            layout={"width": "auto"},
        ),
        name,
    )


def _label(one: SnapshotListing) -> str:
    assert one.manifest is not None  # noqa: S101  those without one are not listed
    state = "" if one.manifest.complete else ", partial"
    return f"{one.id}: {one.manifest.instruments:,} cards{state}"
