"""Rows that pass a condition: those of SQL over the same files, streamed in bounded memory."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest
from analysis_cases import card, publish
from cube_cases import AS_OF, BANKS, rows_of_cards, table_of_rows, value_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.cards.rows import SelectedRows
from tokenvault_data.analysis.filters.filters import All, AnyOf, IsIn, where
from tokenvault_data.dataset.derived_dimensions import DERIVED
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.errors import UsageError

SHOWN = ["customer_id", "bank", "card_network", "expiry", "expires_in"]
CONDITIONS = {
    "all": (None, lambda _: True),
    "none": (AnyOf(()), lambda _: False),
    "every": (All(()), lambda _: True),
    "network": (where(card_network=["visa", None]), lambda r: r["card_network"] in {"visa", None}),
    "bank": (
        where(bank=[BANKS.canonical("HDFC BANK")]),
        lambda r: value_of(r, "bank") == BANKS.canonical("HDFC BANK"),
    ),
    "soon": (IsIn("expires_in", ("expired",)), lambda r: value_of(r, "expires_in") == "expired"),
}


@settings(max_examples=40, deadline=None)
@given(rows_of_cards(), st.sampled_from(sorted(CONDITIONS)))
def test_the_rows_are_those_that_a_loop_selects(rows, name):
    """Same rows, same order, derived columns as the cube derives them; the count agrees."""
    condition, holds = CONDITIONS[name]
    selected = SelectedRows(table_of_rows(rows, 7), condition, columns=SHOWN, as_of=AS_OF)
    found = pa.table(selected)
    kept = [row for row in rows if holds(row)]
    wanted = [
        [value_of(row, c) if c in {"bank", "expiry", "expires_in"} else row[c] for c in SHOWN]
        for row in kept
    ]
    assert [list(row.values()) for row in found.to_pylist()] == wanted
    assert sum(map(selected.count, range(selected.groups))) == len(kept)
    assert found.schema == selected.schema


def test_a_snapshot_streams_its_rows_unchanged(tmp_path):
    """Without condition and columns the stream is the snapshot's own, and what is derived."""
    snapshot = publish(tmp_path, {"c": [card("a"), card("b", card_bank_name=None)], "d": []})
    selected = SelectedRows(snapshot)
    assert pa.table(selected).select(INSTRUMENTS.names) == snapshot.to_arrow()
    assert selected.schema.names == [*INSTRUMENTS.names, *DERIVED]
    assert selected.groups == 1


def test_a_snapshot_without_cards_has_no_rows(tmp_path):
    """Nothing saved anywhere is an empty table with all columns."""
    selected = SelectedRows(publish(tmp_path, {"c": []}), where(card_network=["visa"]))
    assert pa.table(selected).num_rows == 0
    assert pa.table(selected).schema.names == [*INSTRUMENTS.names, *DERIVED]


def test_the_day_decides_what_has_expired(tmp_path):
    """A card is valid through its last day: one day later it is selected as expired."""
    snapshot = publish(tmp_path, {"c": [card("a", expires="2028-02")]})
    expired = IsIn("expires_in", ("expired",))
    rows = [
        pa.table(SelectedRows(snapshot, expired, as_of=day)).num_rows
        for day in (date(2028, 2, 29), date(2028, 3, 1))
    ]
    assert rows == [0, 1]


@pytest.mark.parametrize(
    "asked", [{"columns": ["card_bnak"]}, {"where": where(card_network="visa")}]
)
def test_a_column_that_there_is_not_is_refused(asked):
    """A table that lacks what is asked for is refused before anything is read."""
    with pytest.raises(UsageError, match="no column"):
        SelectedRows(pa.table({"customer_id": ["c"]}), **asked)
