"""Three-valued conditions: on tables, on rows, in DuckDB, and combined."""

import copy
import pickle

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from predicate_cases import predicates, tables, truth

from tokenvault_data.analysis.filters.filters import (
    MAX_DEPTH,
    All,
    AnyOf,
    Compare,
    IsIn,
    Not,
    date,
    where,
)
from tokenvault_data.errors import UsageError

TEXT_COLUMNS = ("card_network", "card_bank", "customer_id")

CARDS = pa.table(
    {
        "card_network": pa.array(["visa", "mastercard", None, "visa"]).dictionary_encode(),
        "expires_on": pa.array([date(2026, 11, 30), None, date(2026, 10, 31), date(2027, 1, 31)]),
        "list_position": pa.array([0, 1, 2, 3], pa.int32()),
    }
)


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect(config={"threads": 1}) as opened:
        yield opened


def chosen(predicate, table=CARDS):
    return predicate.selected(table)["list_position"].to_pylist()


@settings(deadline=None, max_examples=50)
@given(tables(), predicates())
def test_the_mask_is_what_kleene_defines(table, predicate):
    """Every row's answer, unknown included, is that of an evaluator written from the definition."""
    expected = [truth(predicate, row) for row in table.to_pylist()]
    assert predicate.mask(table).to_pylist() == expected


@settings(deadline=None, max_examples=50)
@given(tables(), predicates())
def test_one_card_is_decided_as_in_a_table(table, predicate):
    """A card alone is selected exactly when the table's row is."""
    selected = predicate.selected(table)
    assert selected.to_pylist() == [row for row in table.to_pylist() if predicate.holds_for(row)]
    assert selected.schema == table.schema


@settings(deadline=None, max_examples=50)
@given(tables(), predicates())
def test_a_batch_and_plain_columns_are_decided_alike(table, predicate):
    """How the rows are held does not matter: a batch, plain or long text, or string views."""
    expected = predicate.mask(table).to_pylist()
    batch = table.unify_dictionaries().combine_chunks().to_batches()
    if batch:
        assert predicate.mask(batch[0]).to_pylist() == expected
        assert isinstance(predicate.mask(batch[0]), pa.BooleanArray)
    assert predicate.mask(pa.table(pl.from_arrow(table))).to_pylist() == expected
    for text in (pa.string(), pa.large_string(), pa.string_view()):
        columns = [
            column.cast(pa.string()).cast(text) if name in TEXT_COLUMNS else column
            for name, column in zip(table.column_names, table.columns, strict=True)
        ]
        plain = pa.table(columns, names=table.column_names)
        assert predicate.mask(plain).to_pylist() == expected


@settings(deadline=None, max_examples=50)
@given(tables(max_rows=5), predicates())
def test_sql_gives_the_same_three_values(connection, table, predicate):
    """DuckDB, given the expression, answers every row alike: true, false, or null."""
    expected = predicate.mask(table).to_pylist()
    numbered = table.append_column("row", pa.array(range(table.num_rows), pa.int64()))
    connection.register("cards", numbered)
    found = connection.execute(f"select {predicate.sql()} from cards order by row").fetchall()
    kept = connection.execute(
        f"select row from cards where {predicate.sql()} order by row"
    ).fetchall()
    assert [answer for (answer,) in found] == expected
    assert [row for (row,) in kept] == [n for n, answer in enumerate(expected) if answer is True]


@settings(deadline=None, max_examples=50)
@given(tables(), predicates())
def test_a_condition_and_its_negation_share_no_card(table, predicate):
    """No card is selected by both; those selected by neither are the unknown ones."""
    yes, no = predicate.mask(table).to_pylist(), (~predicate).mask(table).to_pylist()
    assert [{True: False, False: True, None: None}[answer] for answer in yes] == no


def test_missing_is_selected_only_by_name():
    """A card without a network is neither visa nor not visa; asked for by name it is found."""
    assert chosen(IsIn("card_network", ("visa",))) == [0, 3]
    assert chosen(~IsIn("card_network", ("visa",))) == [1]
    assert chosen(IsIn("card_network", (None,))) == [2]
    assert chosen(IsIn("card_network", ("visa", None))) == [0, 2, 3]
    assert chosen(~IsIn("card_network", ("visa", None))) == [1]
    assert chosen(~IsIn("card_network", (None,))) == [0, 1, 3]
    assert chosen(Compare("expires_on", "<", "2026-11-01")) == [2]
    assert chosen(~Compare("expires_on", "<", "2026-11-01")) == [0, 3]


def test_all_of_nothing_is_everything_and_any_of_nothing_is_nothing():
    """The empty forms answer every row, of tables and of rows without columns."""
    assert chosen(All(())) == [0, 1, 2, 3]
    assert chosen(AnyOf(())) == []
    assert chosen(~AnyOf(())) == [0, 1, 2, 3]
    assert All(()).holds_for({}) is True
    assert AnyOf(()).holds_for({}) is False
    assert All(()).mask(CARDS.slice(0, 0)).to_pylist() == []


def test_a_column_without_any_value_is_unknown():
    """A column that arrived as nothing but null answers unknown, or is found as missing."""
    table = pa.table({"card_network": pa.nulls(2)})
    assert where(card_network="visa").mask(table).to_pylist() == [None, None]
    assert where(card_network=["visa", None]).mask(table).to_pylist() == [True, True]


def test_null_among_the_words_of_a_dictionary():
    """A dictionary may hold null itself; its rows are missing like any other."""
    column = pa.DictionaryArray.from_arrays([0, 1, None], pa.array([None, "visa"]))
    table = pa.table({"card_network": column})
    assert where(card_network="visa").mask(table).to_pylist() == [None, True, None]
    assert where(card_network=None).mask(table).to_pylist() == [True, False, True]


def test_operators_join_flatly():
    """Chains of & and of | are one level; mixing them nests; ~ negates."""
    a, b, c = where(card_type="debit"), where(card_country="IN"), where(card_bank=None)
    assert a & b & c == All((a, b, c)) == a & (b & c)
    assert a | b | c == AnyOf((a, b, c))
    assert (a | b) & ~c == All((AnyOf((a, b)), Not(c)))
    assert (a & b).columns == {"card_type", "card_country"}
    with pytest.raises(TypeError):
        a & True
    with pytest.raises(TypeError):
        "x" | a


def test_a_condition_has_no_truth_of_its_own():
    """`a and b` would silently be `b`; it is refused."""
    with pytest.raises(TypeError, match="use &"):
        bool(where(card_type="debit"))


@settings(deadline=None)
@given(predicates())
def test_a_condition_is_a_value(predicate):
    """It can be hashed, copied and sent to another process, and stays equal."""
    for other in (copy.deepcopy(predicate), pickle.loads(pickle.dumps(predicate))):
        assert other == predicate
        assert hash(other) == hash(predicate)


def test_nesting_has_a_limit():
    """A tower of conditions is refused where it is built, not where it would overflow."""
    tower = where(card_type="debit")
    for _ in range(MAX_DEPTH - 1):
        tower = ~tower
    assert tower.depth == MAX_DEPTH
    assert tower.holds_for({"card_type": "credit"}) is True
    with pytest.raises(UsageError, match="inside one another"):
        Not(tower)


@pytest.mark.parametrize("parts", [("x",), (None,), where(card_type="debit"), (True,)])
def test_only_conditions_are_combined(parts):
    """Anything else among the parts, or a condition where a tuple of them belongs, is refused."""
    for form in (All, AnyOf):
        with pytest.raises(UsageError, match="combined"):
            form(parts)


def test_only_a_condition_is_negated():
    """Text, a tuple of conditions, or nothing has no negation."""
    for part in ("x", None, (where(card_type="debit"),)):
        with pytest.raises(UsageError, match="combined"):
            Not(part)


def test_a_row_has_to_hold_what_is_asked():
    """A card whose answer lacks a column, or holds another kind of value, is not decided."""
    rule = where(expires_on=date(2026, 11, 30))
    for row in (
        {},
        {"expires_on": "2026-11-30"},
        {"expires_on": float("nan")},
        {"expires_on": 5},
    ):
        with pytest.raises(UsageError, match="expires_on"):
            rule.holds_for(row)
    assert rule.holds_for({"expires_on": None}) is False
    with pytest.raises(UsageError, match="no table could hold"):
        where(card_bank="x").holds_for({"card_bank": "\ud800"})
    with pytest.raises(UsageError, match="no table could hold"):
        where(list_position=1).holds_for({"list_position": 2**70})


def test_sentences_bracket_where_and_meets_or():
    """No sentence can be read in two ways."""
    visa, debit, late = (
        where(card_network=["mastercard", "visa"]),
        where(card_type="debit"),
        ~Compare("expires_on", "<", date(2026, 11, 22)),
    )
    assert (visa & debit).sentence() == "network is visa or mastercard and card type is debit"
    assert (debit & (visa | late)).sentence() == (
        "card type is debit and (network is visa or mastercard or "
        "not (expires before 22 November 2026))"
    )
    assert AnyOf((All((debit, late)), All((AnyOf((debit, visa)),)))).sentence() == (
        "(card type is debit and not (expires before 22 November 2026)) or card type is debit or "
        "network is visa or mastercard"
    )
    assert All((All((AnyOf((debit, late)),)), visa)).sentence().startswith("(card type is debit or")
    assert (~(debit & visa)).sentence() == (
        "not (card type is debit and network is visa or mastercard)"
    )
    assert All(()).sentence() == "every card"
    assert AnyOf(()).sentence() == "no card"
