"""Values written as JSON, SQL, Python and English."""

import ast
from datetime import UTC, date, datetime

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predicate_cases import DATES, INSTANTS, TEXTS

from tokenvault_data.analysis.filters.columns import KINDS, value_for
from tokenvault_data.analysis.filters.literals import (
    code_literal,
    json_literal,
    label,
    quoted,
    sql_literal,
    sql_name,
    words,
)

VALUES = st.one_of(TEXTS, DATES, INSTANTS, st.integers(-(2**63), 2**63 - 1))


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect(config={"threads": 1}) as opened:
        yield opened


@settings(deadline=None)
@given(VALUES)
def test_python_reads_its_literal(value):
    """The code of a value is that value."""
    assert eval(code_literal(value), {"date": date, "datetime": datetime, "UTC": UTC}) == value


@settings(deadline=None)
@given(st.lists(TEXTS | DATES | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=9))
def test_duckdb_reads_its_literals(connection, values):
    """The SQL of a value is that value, whatever quotes or zero bytes it holds."""
    found = connection.execute(f"select {', '.join(map(sql_literal, values))}").fetchone()
    assert list(found) == values


@settings(deadline=None)
@given(st.lists(INSTANTS, min_size=1, max_size=9))
def test_duckdb_reads_instants(connection, instants):
    """The SQL of an instant is that instant to the microsecond."""
    epochs = ", ".join(f"epoch_us({sql_literal(moment)})" for moment in instants)
    found = connection.execute(f"select {epochs}").fetchone()
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert list(found) == [
        (m - epoch).days * 86_400_000_000 + (m - epoch).seconds * 10**6 + (m - epoch).microseconds
        for m in instants
    ]


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_duckdb_reads_a_quoted_name(connection, name):
    """A quoted name is one name, whatever it holds."""
    named = connection.execute(f"select 1 as {sql_name(name)}").description
    assert [column for column, *_ in named] == [name]


@settings(deadline=None)
@given(DATES, INSTANTS)
def test_json_text_is_read_back(day, moment):
    """Dates and instants come back from their JSON text."""
    assert value_for("expires_on", json_literal(day)) == day
    assert value_for("created_at", json_literal(moment)) == moment


@settings(deadline=None)
@given(TEXTS)
def test_quoted_text_hides_nothing(text):
    """A quoted text is printable, and one literal that stands for the text."""
    assert quoted(text).isprintable()
    assert ast.literal_eval(quoted(text)) == text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("HDFC BANK", "HDFC BANK"),
        ("AT&T Bank Ltd.", "AT&T Bank Ltd."),
        ("", '""'),
        (" x", '" x"'),
        ("a  b", '"a  b"'),
        ("a, b", '"a, b"'),
        ("(SBI)", '"(SBI)"'),
        ("Missing", '"Missing"'),
        ("this AND that", '"this AND that"'),
        ("bad\u202ecard", '"bad\\u202ecard"'),
        ("\u0421iti", '"\u0421iti"'),
        (None, "missing"),
        (5, "5"),
        (date(2026, 11, 2), "2 November 2026"),
        (datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC), "2 January 2026 03:04:05.000060 UTC"),
    ],
)
def test_words(value, said):
    """Plain text stands bare, anything that could mislead a reader stands in quotes."""
    assert words(value) == said


def test_no_two_columns_are_called_alike():
    """A sentence says which column it means."""
    labels = {column: label(column) for column in KINDS}
    assert len(set(labels.values())) == len(KINDS)
