"""Conditions written as they are typed."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predicate_cases import TEXTS

from tokenvault_data.analysis.filters.filters import All, AnyOf, Compare, IsIn, Not, where
from tokenvault_data.analysis.filters.parsing import parse_conditions, typed
from tokenvault_data.errors import UsageError

BANKS = st.lists(st.none() | TEXTS, min_size=1, max_size=4).map(tuple)
PARTS = st.one_of(
    BANKS.map(lambda values: IsIn("card_bank", values)),
    BANKS.map(lambda values: Not(IsIn("card_bank", values))),
    st.builds(Compare, st.just("card_bank"), st.sampled_from(["<", "<=", ">", ">="]), TEXTS),
    st.builds(Compare, st.just("expires_on"), st.sampled_from(["<", ">="]), st.dates()),
    st.builds(Compare, st.just("created_at"), st.just(">"), st.datetimes(timezones=st.just(UTC))),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS, min_size=2, max_size=4).map(tuple))
def test_what_is_written_is_read_back(parts):
    """Whatever signs a bank's name has, the typed form means the same condition."""
    condition = All(parts)
    assert parse_conditions(typed(condition)) == condition


@pytest.mark.parametrize(
    ("condition", "texts"),
    [
        (All(()), []),
        (where(card_network=["visa", None]), ["card_network=visa,(none)"]),
        (Not(IsIn("card_bank", ("A, B",))), ['card_bank!="A, B"']),
        (
            IsIn("card_bank", ("(none)", "", " x", '"', "=1")),
            ['card_bank=""," x","""","(none)","=1"'],
        ),
        (Compare("expires_on", "<", date(2026, 11, 22)), ["expires_on<2026-11-22"]),
        (
            Compare("created_at", ">=", datetime(2026, 11, 22, tzinfo=UTC)),
            ["created_at>=2026-11-22T00:00:00Z"],
        ),
    ],
)
def test_plain_values_are_written_plainly(condition, texts):
    """Quotes stand only where they are needed."""
    assert typed(condition) == texts
    assert parse_conditions(typed(condition)) == (condition if texts else None)


@pytest.mark.parametrize(
    "condition",
    [
        AnyOf((where(card_network="visa"), where(card_type="debit"))),
        Not(Compare("expires_on", "<", date(2026, 1, 1))),
        IsIn("card_network", ()),
    ],
)
def test_what_has_no_typed_form_is_said(condition):
    """An alternative cannot be typed; the message names it and the way out."""
    with pytest.raises(UsageError, match="to_dict"):
        typed(condition)
