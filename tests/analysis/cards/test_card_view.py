"""The view `cards`: derived columns, filters in every form, and sources of every kind."""

from datetime import date

import pyarrow as pa
import pytest
from analysis_cases import card, publish, table_of
from expiry_cases import DAYS, VAULTS, cards_in, table_from
from hypothesis import given, settings

from tokenvault_data.analysis.cards.card_view import card_view, read_where
from tokenvault_data.analysis.cards.source import open_source
from tokenvault_data.analysis.filters.filters import where
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.errors import UsageError

DAY = date(2026, 11, 22)


def rows_of(source, query, **options):
    with card_view(open_source(source), **{"as_of": DAY} | options) as connection:
        found = connection.sql(query).to_arrow_table()
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True))


@settings(max_examples=15, deadline=None)
@given(VAULTS, DAYS)
def test_derived_columns_follow_from_the_card(vault, day):
    """Bank, month and bucket of every card are what its own fields say."""
    names = load_bank_names()
    query = "SELECT customer_id, list_position, bank, expiry, expires_in FROM cards ORDER BY ALL"
    found = rows_of(table_from(vault), query, as_of=day, banks=names)
    wanted = []
    for customer, place, row, last in cards_in(vault):
        left = None if last is None else (last - day).days
        borders = ((-1, "expired"), (30, "0-30 days"), (60, "31-60 days"), (90, "61-90 days"))
        bucket = next((name for end, name in borders if left is not None and left <= end), "later")
        wanted.append(
            (
                customer,
                place,
                names.canonical(row["card_bank_name"]),
                None if last is None else f"{last:%Y-%m}",
                None if last is None else bucket,
            )
        )
    assert found == sorted(wanted, key=lambda one: one[:2])


def test_a_table_and_a_snapshot_give_the_same_view(tmp_path):
    """The view is the same over files and over a table in memory."""
    snapshot = publish(tmp_path, {"c": [card("a"), card("b", card_bank_name=None)]})
    query = "SELECT * FROM cards ORDER BY instrument_id"
    assert rows_of(snapshot, query) == rows_of(snapshot.to_arrow(), query)


def test_a_table_without_the_columns_has_nulls_derived():
    """What a table lacks derives nothing, and hinders nothing else."""
    query = "SELECT bank, expiry, expires_in FROM cards"
    assert rows_of(pa.table({"customer_id": ["c"]}), query) == [(None, None, None)]


def test_a_condition_on_a_column_that_is_not_there_is_refused():
    """A filter never silently selects nothing."""
    with pytest.raises(UsageError, match="card_network"):
        rows_of(pa.table({"customer_id": ["c"]}), "SELECT 1", where=where(card_network="visa"))


def test_hostile_bank_names_are_text():
    """A bank's name is data wherever it goes, also into a filter."""
    name = "x'); DROP TABLE cards; --"
    table = table_of({"c": [card(card_bank_name=name)]})
    assert rows_of(table, "SELECT count(*) FROM cards", where=where(card_bank=name)) == [(1,)]


def test_a_filter_is_read_from_all_its_forms():
    """Nothing, a condition, its dictionary form, a text and several texts are read."""
    visa = where(card_network="visa")
    assert read_where(None) is None
    assert read_where([]) is None
    assert read_where(visa) is visa
    for form in (visa.to_dict(), "card_network=visa", ["card_network=visa"]):
        assert read_where(form).to_dict() == visa.to_dict()
    with pytest.raises(UsageError):
        read_where(7)
