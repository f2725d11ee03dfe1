"""How commands that show figures of snapshots say that one of these is partial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenvault_data.cli.printing.output import INDENT, print_json, print_paragraph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenvault_data.dataset.snapshots import Snapshot


def print_figures_json(content: Mapping[str, Any], *snapshots: Snapshot) -> None:
    """Print the one JSON document of figures, with what its snapshots lack as ``partial``."""
    from tokenvault_data.analysis.cards.partial import partial_document

    manifests = [snapshot.manifest for snapshot in snapshots]
    print_json({**content, "partial": partial_document(*manifests)})


def print_partial(*snapshots: Snapshot) -> None:
    """Say what snapshots lack, under figures that are no table of an analysis."""
    from tokenvault_data.dataset.partial import partial_notes

    for note in partial_notes(*(snapshot.manifest for snapshot in snapshots)):
        print_paragraph(note, indent=INDENT, first="* ")
