"""How a CSV file is known to be one of ours, with an apostrophe before some of its ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tokenvault_data.dataset.derived_dimensions import DERIVED
from tokenvault_data.dataset.formula_guard import ID_COLUMNS
from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Sequence

_OF_RESULTS: Final = """
    active_cards agrees attempts audit_record bank banks cards cards_expiring case_id certainty
    changed check days_left evidence evidence_at evidence_request evidence_status final
    first_intended_at first_saved_at instrument_ids intents kind last_answered_at
    last_expired_on last_outcome last_saved_at last_status last_usable_on listed matched_by networks
    new_expires_on new_fetched_at new_instrument_id new_status number old_expires_on
    old_fetched_at old_status reason shared_id shared_values value
""".split()  # noqa: SIM905  a list of words is read best as one

OUR_COLUMNS: Final = frozenset((*INSTRUMENTS.names, *OUTCOMES.names, *DERIVED, *_OF_RESULTS))
"""Columns of the files with ids that the toolkit writes."""

OUR_RESULTS: Final = OUR_COLUMNS | frozenset(
    ("column", "customers", "finding", "rows", "share", "threshold", "verdict")
)
"""Columns of all tables of results that it writes, also of those that only count."""


def is_our_heading(line: str, names: Sequence[str]) -> bool:
    """Say whether a first line is that of a file we wrote, as it was or as a spreadsheet saved it.

    Parameters
    ----------
    line : str
        As it stands in the file: we put every name in quotes.
    names : sequence of str
        The names in it. A spreadsheet drops the quotes, and a lone name is then anybody's, unless
        it is that of our ids.
    """
    if not OUR_COLUMNS.issuperset(names):
        return False
    quoted = ",".join(f'"{name}"' for name in names)
    return line.strip() == quoted or len(names) > 1 or not ID_COLUMNS.isdisjoint(names)


def is_our_result(names: Sequence[str]) -> bool:
    """Say whether a table is one of our results, and has no column of customers."""
    return bool(names) and OUR_RESULTS.issuperset(names) and "customer_id" not in names
