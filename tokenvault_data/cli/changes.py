"""`tokenvault changes`: what became of the cards between two snapshots."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Annotated

import typer

from tokenvault_data.cli import options
from tokenvault_data.cli.printing.output import PrintedRow, print_grid
from tokenvault_data.cli.printing.partial import print_figures_json
from tokenvault_data.cli.printing.tables import (
    print_table,
    print_title,
    print_written,
    table_document,
    write_table,
)

if TYPE_CHECKING:
    from tokenvault_data.dataset.tables import ResultTable

SHOWN_BANKS = 12


def changes(  # noqa: PLR0917  one parameter an option
    old: Annotated[str, typer.Argument(metavar="OLD", help="Id or path of the earlier snapshot.")],
    new: Annotated[
        str, typer.Argument(metavar="NEW", help="Id or path of the later one, or `latest`.")
    ],
    banks: options.Banks = None,
    to: options.ResultFile = None,
    policy: options.Policy = "full",
    profile: options.OfProfile = None,
    store: options.Store = options.DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Tell what became of the cards between two snapshots.

    A customer who was not fetched in one of the two is unknown, and none of their cards counts as
    gone. The events, a row each, go to a file (`--to`); the terminal shows counts only.
    """
    from tokenvault_data.analysis.changes.compare import compare
    from tokenvault_data.dataset.bank_names import load_bank_names
    from tokenvault_data.dataset.snapshots import open_snapshot

    environment = options.environment_of_profile(profile)
    earlier = open_snapshot(store, old, environment=environment)
    later = open_snapshot(store, new, environment=environment)
    comparison = compare(earlier, later, banks=load_bank_names(banks))
    by_bank = comparison.by("bank")
    written = None if to is None else write_table(comparison.events, to, policy)
    if as_json:
        print_figures_json(
            {
                "old": earlier.id,
                "new": later.id,
                "events": len(comparison.events),
                "summary": table_document(comparison.summary)["rows"],
                "banks": table_document(by_bank)["rows"],
                "title": comparison.summary.title,
                "notes": list(comparison.summary.notes),
                "another_vault": comparison.another_vault,
                "file": written,
            },
            earlier,
            later,
        )
        return
    _print_account(comparison.summary)
    _print_banks(by_bank)
    if written is not None:
        print_written(written, "events")


def _print_account(summary: ResultTable) -> None:
    """Print what there is to say: lines that count nothing are left out."""
    counted = summary[(summary["cards"].fillna(0) > 0) | (summary["customers"].fillna(0) > 0)]
    shown = counted.assign(what=counted["what"].str.replace("_", " "))
    print_table(summary.showing(shown))


def _print_banks(by_bank: ResultTable) -> None:
    """Print the events a bank in each line and a kind in each column, the most events first."""
    from tokenvault_data.dataset.labels import others_label, shown_value

    kinds = list(dict.fromkeys(by_bank["kind"]))
    counts: dict[str | None, Counter[str]] = defaultdict(Counter)
    for row in by_bank.arrow().select(["kind", "bank", "cards"]).to_pylist():
        counts[row["bank"]][row["kind"]] += row["cards"]
    if not counts:
        return
    ranked = sorted(counts.items(), key=lambda item: -item[1].total())
    lines = [(shown_value(bank), events) for bank, events in ranked[:SHOWN_BANKS]]
    rest = sum((events for _, events in ranked[SHOWN_BANKS:]), Counter())
    if rest:
        lines.append((others_label(len(ranked) - SHOWN_BANKS), rest))
    headings = PrintedRow(("bank", *(kind.replace("_", " ") for kind in kinds)), "bold")
    rows = [PrintedRow((bank, *(f"{events[kind]:,}" for kind in kinds))) for bank, events in lines]
    print_title("Events at each bank")
    print_grid([headings, *rows], right=range(1, len(kinds) + 1))
