"""Checks of how banks are spelled: which spellings became one bank, and which are not known."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from tokenvault_data.analysis.quality.verdicts import Finding, Verdict
from tokenvault_data.text import counted, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from tokenvault_data.analysis.quality.settings import QualitySettings
    from tokenvault_data.dataset.bank_names import BankNames

_EXAMPLES: Final = 3
_THRESHOLD: Final = "warn where spellings became one by rule, not by the table of banks"


def spelling_table(connection: duckdb.DuckDBPyConnection, names: BankNames) -> pa.Table:
    """Return every spelling of a bank with the name it counts under, and why.

    Columns ``bank``, ``card_bank`` (the spelling), ``reason`` (``table``, ``rule`` or ``as
    received``) and ``cards``; in alphabetical order of the banks, the commonest spelling first.
    """
    found = connection.execute(
        "SELECT card_bank::VARCHAR, count(*) FROM instruments"
        " WHERE card_bank IS NOT NULL GROUP BY 1"
    ).fetchall()
    rows = [(names.canonical(text), text, names.reason(text), cards) for text, cards in found]
    rows.sort(key=lambda row: (row[0] or "", -row[3], row[1]))
    types = (pa.string(), pa.string(), pa.string(), pa.int64())
    columns = [
        pa.array([row[at] for row in rows], column_type) for at, column_type in enumerate(types)
    ]
    return pa.table(columns, names=["bank", "card_bank", "reason", "cards"])


def several_spellings(table: pa.Table) -> pa.Table:
    """Return the rows of a `spelling_table` whose bank comes in more than one spelling."""
    by_bank = _by_bank(table)
    kept = [len(by_bank[bank]) > 1 for bank in table.column("bank").to_pylist()]
    return table.filter(pa.array(kept, pa.bool_()))


def bank_checks(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[str],
    names: BankNames,
    settings: QualitySettings,
) -> list[Finding]:
    """Check how banks are spelled.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    columns : sequence of str
        Those that `instruments` has.
    names : BankNames
    settings : QualitySettings
    """
    unlisted = settings.bank_unlisted
    if "card_bank" not in columns:
        said = "Cannot be told: the table has no column card_bank."
        thresholds = {"bank_spellings": _THRESHOLD, "bank_unlisted": unlisted.sentence()}
        return [
            Finding(code, "unknown", said, None, None, threshold, "card_bank")
            for code, threshold in thresholds.items()
        ]
    table = spelling_table(connection, names)
    total = sum(table.column("cards").to_pylist())
    return [_variants(table, total), _unlisted(table, total, settings)]


def _variants(table: pa.Table, total: int) -> Finding:
    several = several_spellings(table)
    cards = sum(several.column("cards").to_pylist())
    by_bank = _by_bank(several)
    by_rule = "rule" in several.column("reason").to_pylist()
    worst = sorted(by_bank.items(), key=lambda pair: (-len(pair[1]), pair[0] or ""))[:_EXAMPLES]
    examples = "; ".join(f"{bank} in {len(spellings)}" for bank, spellings in worst)
    said = f"{counted(len(by_bank), 'bank')} in several spellings: {counted(cards, 'card')}"
    said += f", e.g. {examples}." if examples else "."
    if not total:
        return Finding("bank_spellings", "unknown", said, 0, None, _THRESHOLD, "card_bank")
    verdict: Verdict = "warn" if by_rule else "pass"
    return Finding(
        "bank_spellings", verdict, said, len(several), cards / total, _THRESHOLD, "card_bank"
    )


def _unlisted(table: pa.Table, total: int, settings: QualitySettings) -> Finding:
    threshold = settings.bank_unlisted
    unlisted = [row for row in table.to_pylist() if row["reason"] != "table"]
    cards = sum(row["cards"] for row in unlisted)
    share = cards / total if total else None
    said = f"{counted(len(unlisted), 'spelling')} not in the table of banks: "
    said += f"{cards:,} of {counted(total, 'card')} that name a bank"
    said += "." if share is None else f" ({percent(share)})."
    verdict = threshold.verdict(share)
    return Finding(
        "bank_unlisted", verdict, said, len(unlisted), share, threshold.sentence(), "card_bank"
    )


def _by_bank(table: pa.Table) -> dict[str | None, list[str]]:
    spellings: dict[str | None, list[str]] = defaultdict(list)
    pairs = zip(
        table.column("bank").to_pylist(), table.column("card_bank").to_pylist(), strict=True
    )
    for bank, spelling in pairs:
        spellings[bank].append(spelling)
    return spellings
