"""How a snapshot is summed up on a terminal and for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tokenvault_data.cli.hints import command_line, run_to_retry
from tokenvault_data.cli.options import DEFAULT_STORE
from tokenvault_data.cli.printing.output import (
    INDENT,
    PrintedRow,
    print_grid,
    print_line,
    print_paragraph,
)
from tokenvault_data.redaction import mask_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tokenvault_data.collection.customer_list import CustomerList
    from tokenvault_data.dataset.manifest import Manifest
    from tokenvault_data.dataset.snapshots import Snapshot
    from tokenvault_data.reports.summary import Expiry, Summary


SHOWN = 10
LISTED = 100
"""How many a terminal names, and how many a JSON document."""


def print_failed(snapshot: Snapshot, listed: CustomerList | None) -> None:
    """Name the first failed customers; `listed` is the list they were read from, if it is known."""
    failed = _failed(snapshot, SHOWN)
    for row in failed:
        where = _where(row["position"], listed)
        said = f"{where} ({mask_id(row['customer_id'])}): {row['detail'] or row['cause']}"
        print_paragraph(said, indent=INDENT, first="  ! ")
    rest = snapshot.manifest.outcomes["failed"] - len(failed)
    if rest > 0:
        print_paragraph(f"and {rest:,} more; `outcomes` has them all", indent=INDENT, first="  ! ")


def failed_document(snapshot: Snapshot, listed: CustomerList | None) -> list[dict[str, Any]]:
    """Give the first failed customers as JSON content."""
    return [
        {
            "number": row["position"] + 1,
            "row": None if listed is None else listed.row_of(row["position"]),
            "cause": row["cause"],
            "detail": row["detail"],
            "http_status": row["http_status"],
        }
        for row in _failed(snapshot, LISTED)
    ]


def _where(position: int, listed: CustomerList | None) -> str:
    row = None if listed is None else listed.row_of(position)
    if listed is None or row is None:
        return f"customer {position + 1:,} of the list"
    return f"{listed.row_word} {row:,} of {listed.source}"


def _failed(snapshot: Snapshot, most: int) -> list[dict[str, Any]]:
    if not snapshot.manifest.outcomes["failed"]:
        return []
    import pyarrow.compute as pc

    columns = ["position", "customer_id", "cause", "detail", "http_status"]
    is_failed = pc.field("outcome").cast("string") == "failed"
    found = snapshot.outcomes().to_table(columns=columns, filter=is_failed)
    rows: list[dict[str, Any]] = found.sort_by("position").slice(0, most).to_pylist()
    return rows


_SHOWN_VALUES = 8  # of a column with many; the rest is one line, so that the lines add up
_HEADINGS = {
    "card_network": "Network",
    "card_type": "Type",
    "instrument_status": "Status",
    "bank": "Bank",
    "card_bank": "Bank, as received",
}
_OUTCOMES = {
    "fetched": "with saved cards",
    "empty": "without",
    "failed": "failed",
    "not_attempted": "not attempted",
}
_ALWAYS_SHOWN = ("fetched", "empty")

Part = tuple[str, int]  # what is counted, and how many there are


def print_summary(
    snapshot: Snapshot,
    *,
    store: Path = DEFAULT_STORE,
    profile: str | None = None,
    listed: CustomerList | None = None,
) -> None:
    """Print what a snapshot says: the findings in words, then the figures behind them.

    `store` and `profile` go into the command that tries failed customers again, which are named by
    their line in `listed`.
    """
    from tokenvault_data.reports.summary import summarise

    manifest, summary = snapshot.manifest, summarise(snapshot)
    print_line()
    state = "complete" if manifest.complete else "partial"
    print_line(f"Snapshot {snapshot.id}, {state}", style="bold")
    print_line(
        f"{manifest.environment}, API version {manifest.api_version},"
        f" collected {_period(manifest.started_at, manifest.finished_at)}"
    )
    print_line(str(snapshot.path))
    print_line()
    print_paragraph(_size(manifest, summary), indent=INDENT, first="* ")
    if not manifest.complete:
        print_paragraph(_missing(manifest), indent=INDENT, first="* ")
        print_failed(snapshot, listed)
        _print_retry(snapshot, store, profile)
    for notice in manifest.notices:
        print_paragraph(notice, indent=INDENT, first="* ")
    for finding in _findings(manifest, summary):
        print_paragraph(finding, indent=INDENT, first="* ")
    print_grid(list(_figures(manifest, summary)), right=(1, 2))


def summary_document(snapshot: Snapshot, listed: CustomerList | None = None) -> dict[str, Any]:
    """Sum a snapshot up as JSON content; `listed` is the list its customers were read from."""
    from tokenvault_data.analysis.cards.partial import partial_document
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
        "notices": list(manifest.notices),
        "failures": manifest.failures,
        "failed": failed_document(snapshot, listed),
        "run_to_retry": run_to_retry(snapshot),
        "cards": summary.cards,
        "counts": {
            column: [{"value": value, "cards": cards} for value, cards in values]
            for column, values in summary.counts.items()
        },
        "expiry": asdict(summary.expiry),
        "anomalies": manifest.anomalies,
        "partial": partial_document(manifest),
    }


def _size(manifest: Manifest, summary: Summary) -> str:
    return f"{_many(summary.cards, 'saved card')} of {_many(manifest.requested, 'customer')}."


def _missing(manifest: Manifest) -> str:
    missing = manifest.requested - sum(manifest.outcomes[outcome] for outcome in _ALWAYS_SHOWN)
    return (
        f"Partial: {_many(missing, 'customer')} ({_share(missing, manifest.requested)}) could not"
        " be fetched, and their cards are missing below."
    )


def _findings(manifest: Manifest, summary: Summary) -> Iterator[str]:
    """What an analyst should not have to look for."""
    expiry = summary.expiry
    if expiry.expired:
        yield (
            f"{_many(expiry.expired, 'card')} ({_share(expiry.expired, summary.cards)}) had expired"
            f" by {expiry.as_of}, and the vault still lists {expiry.expired_but_active:,} of them"
            " as ACTIVE."
        )
    soon = expiry.within_30 + expiry.within_60 + expiry.within_90
    if soon:
        yield (
            f"{_many(soon, 'card')} ({_share(soon, summary.cards)}) will expire within 90 days,"
            f" {expiry.within_30:,} of them within 30."
        )
    unread = {
        field: sum(kinds.values())
        for field, kinds in manifest.anomalies.items()
        if any(kinds.values())
    }
    if unread:
        fields = ", ".join(f"{field} {rows:,}" for field, rows in _largest_first(unread))
        yield (
            f"{_many(sum(unread.values()), 'value')} not as documented ({fields}):"
            " what cannot be read is null in its column, payment data is removed, and `anomalies`"
            " names each."
        )


def _print_retry(snapshot: Snapshot, store: Path, profile: str | None) -> None:
    run = run_to_retry(snapshot)
    if run is not None:
        print_line("  Try those again, and only those, with:")
        print_line(f"    {command_line('collect', '--resume', run, store=store, profile=profile)}")


def _figures(manifest: Manifest, summary: Summary) -> Iterator[PrintedRow]:
    outcomes = [
        (words, manifest.outcomes[outcome])
        for outcome, words in _OUTCOMES.items()
        if manifest.outcomes[outcome] or outcome in _ALWAYS_SHOWN
    ]
    causes = _largest_first(manifest.failures)
    yield from _group("Customers", manifest.requested, outcomes, {"failed": causes})
    if not summary.cards:
        return
    from tokenvault_data.dataset.labels import shown_value

    yield from _expiry_group(summary.expiry, summary.cards)
    for column, heading in _HEADINGS.items():
        parts = [(shown_value(value), n) for value, n in summary.counts[column]]
        yield from _group(heading, summary.cards, _most_frequent(parts))


def _expiry_group(expiry: Expiry, cards: int) -> Iterator[PrintedRow]:
    parts = [
        ("expired", expiry.expired),
        ("in 0 to 30 days", expiry.within_30),
        ("in 31 to 60 days", expiry.within_60),
        ("in 61 to 90 days", expiry.within_90),
        ("later", expiry.later),
        ("unknown", expiry.unknown),
    ]
    still_active = [("of these still ACTIVE", expiry.expired_but_active)]
    heading = f"Cards by expiry, as of {expiry.as_of}"
    yield from _group(heading, cards, parts, {"expired": still_active if expiry.expired else []})
    by_month = [parts[0], *expiry.months.items(), parts[-1]]
    yield from _group("Cards by month of expiry", cards, by_month)


def _group(
    heading: str, whole: int, parts: Iterable[Part], within: dict[str, Sequence[Part]] | None = None
) -> Iterator[PrintedRow]:
    """One whole and the parts that add up to it; `within` gives parts of a part."""
    yield PrintedRow(("", "", ""))
    yield PrintedRow((heading, f"{whole:,}", ""), "bold")
    for label, count in parts:
        yield PrintedRow((f"{INDENT}{label}", f"{count:,}", _share(count, whole)))
        for inner, inner_count in (within or {}).get(label, ()):
            yield PrintedRow(
                (f"{INDENT * 2}{inner}", f"{inner_count:,}", _share(inner_count, whole)), "dim"
            )


def _most_frequent(parts: Sequence[Part]) -> list[Part]:
    """The most frequent values, and the others in one line."""
    from tokenvault_data.dataset.labels import others_label

    if len(parts) <= _SHOWN_VALUES + 1:
        return list(parts)
    rest = parts[_SHOWN_VALUES:]
    others = (others_label(len(rest)), sum(count for _, count in rest))
    return [*parts[:_SHOWN_VALUES], others]


def _largest_first(counts: dict[str, int]) -> list[Part]:
    return sorted(counts.items(), key=lambda part: (-part[1], part[0]))


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _share(part: int, whole: int) -> str:
    """A percentage that does not round something to nothing, nor nearly all to all."""
    if not whole:
        return "-"
    share = part / whole
    if part and share < 0.0005:
        return "<0.1%"
    if part < whole and share >= 0.9995:
        return ">99.9%"
    return f"{share:.1%}"


def _period(started_at: str, finished_at: str) -> str:
    start, end = (instant[:16].replace("T", " ") for instant in (started_at, finished_at))
    return f"{start} to {end[11:] if end[:10] == start[:10] else end} UTC"
