"""How a snapshot is summed up on a terminal and for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tokenvault_data.cli.output import print_line, print_table

if TYPE_CHECKING:
    from tokenvault_data.dataset.manifest import Manifest
    from tokenvault_data.dataset.snapshots import Snapshot
    from tokenvault_data.reports.summary import Expiry

_SHOWN_VALUES = 8  # of a column with many; the rest is one line, so that the lines add up
_MISSING = "(missing)"
_HEADINGS = {
    "card_network": "Network",
    "card_bank": "Bank, as received",
    "card_type": "Type",
    "instrument_status": "Status",
}


def print_summary(snapshot: Snapshot) -> None:
    """Print outcomes, breakdowns and expiry of a snapshot."""
    from tokenvault_data.reports.summary import summarise

    manifest, summary = snapshot.manifest, summarise(snapshot)
    print_line()
    print_line(f"Snapshot {snapshot.id} ({manifest.environment}) in {snapshot.path}")
    print_line(f"{summary.cards:,} cards; {_outcomes(manifest)}")
    for cause, customers in sorted(manifest.failures.items(), key=lambda item: -item[1]):
        print_line(f"  failed: {customers:,} with {cause}")
    for column, heading in _HEADINGS.items():
        rows = [
            (_MISSING if value is None else value, cards, _share(cards, summary.cards))
            for value, cards in _top(summary.counts[column])
        ]
        print_table("", [heading, "cards", "share"], rows, right=["cards", "share"])
    _print_expiry(summary.expiry, summary.cards)
    unread = sum(count for kinds in manifest.anomalies.values() for count in kinds.values())
    if unread:
        print_line(
            f"{unread:,} values could not be read as documented: they are null in their column,"
            " named in `anomalies`, and kept as received."
        )
        print_line()


def summary_document(snapshot: Snapshot) -> dict[str, Any]:
    """Sum a snapshot up as JSON content."""
    from tokenvault_data.reports.summary import summarise

    manifest, summary = snapshot.manifest, summarise(snapshot)
    return {
        "snapshot": snapshot.id,
        "path": str(snapshot.path),
        "environment": manifest.environment,
        "api_version": manifest.api_version,
        "created_at": manifest.created_at,
        "complete": manifest.complete,
        "requested": manifest.requested,
        "outcomes": manifest.outcomes,
        "failures": manifest.failures,
        "cards": summary.cards,
        "counts": {
            column: [{"value": value, "cards": cards} for value, cards in values]
            for column, values in summary.counts.items()
        },
        "expiry": asdict(summary.expiry),
        "anomalies": manifest.anomalies,
    }


def _outcomes(manifest: Manifest) -> str:
    """Every requested customer, in words that add up."""
    words = {"fetched": "with cards", "empty": "without", "not_attempted": "not attempted"}
    said = [
        f"{customers:,} {words.get(outcome, outcome)}"
        for outcome, customers in manifest.outcomes.items()
        if customers or outcome in ("fetched", "empty")
    ]
    return f"{manifest.requested:,} customers: {', '.join(said)}"


def _top(values: list[tuple[str | None, int]]) -> list[tuple[str | None, int]]:
    """The most frequent values, and the others in one line."""
    if len(values) <= _SHOWN_VALUES + 1:
        return values
    rest = values[_SHOWN_VALUES:]
    others = (f"{len(rest)} others", sum(cards for _, cards in rest))
    return [*values[:_SHOWN_VALUES], others]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "—"


def _print_expiry(expiry: Expiry, cards: int) -> None:
    rows = [
        ("expired", expiry.expired),
        ("  of these still ACTIVE", expiry.expired_but_active),
        ("in 0 to 30 days", expiry.within_30),
        ("in 31 to 60 days", expiry.within_60),
        ("in 61 to 90 days", expiry.within_90),
        ("later", expiry.later),
        ("unknown", expiry.unknown),
    ]
    print_table(
        "",
        [f"Expiry, as of {expiry.as_of}", "cards", "share"],
        [(label, count, _share(count, cards)) for label, count in rows],
        right=["cards", "share"],
    )
