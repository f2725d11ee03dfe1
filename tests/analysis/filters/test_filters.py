"""Conditions made by hand, from JSON and from code."""

import json
from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predicate_cases import predicates

from tokenvault_data.analysis.filters import filters as language
from tokenvault_data.analysis.filters.filters import (
    MAX_DEPTH,
    All,
    AnyOf,
    Compare,
    IsIn,
    Not,
    between,
    expired,
    expiring_within,
    predicate_from_dict,
    where,
)
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.errors import UsageError

FLAT = {"column": "card_network", "in": ["visa", None]}


@settings(deadline=None)
@given(predicates())
def test_json_gives_the_same_condition_back(predicate):
    """Written as JSON text and read again, a condition is equal, and written alike."""
    text = json.dumps(predicate.to_dict())
    again = predicate_from_dict(json.loads(text))
    assert again == predicate
    assert json.dumps(again.to_dict()) == text


@settings(deadline=None)
@given(predicates())
def test_code_gives_the_same_condition_back(predicate):
    """The code shown, run with the module's names, makes the same condition."""
    names = {name: getattr(language, name) for name in language.__all__}
    assert eval(predicate.code(), names) == predicate


@settings(deadline=None)
@given(predicates())
def test_sentences_show_no_hidden_sign(predicate):
    """Whatever the values hold, a sentence is one line of printable signs."""
    assert predicate.sentence().isprintable()


def test_canonical_forms():
    """JSON says each form in its own way."""
    rule = (
        where(card_network=["visa", None])
        & expired(date(2026, 11, 22))
        & ~(where(card_type="debit") | where(card_country="IN"))
    )
    assert rule.to_dict() == {
        "all": [
            FLAT,
            {"column": "expires_on", "<": "2026-11-22"},
            {
                "not": {
                    "any": [
                        {"column": "card_type", "in": ["debit"]},
                        {"column": "card_country", "in": ["IN"]},
                    ]
                }
            },
        ]
    }
    assert rule.code() == (
        'where(card_network=["visa", None]) & Compare("expires_on", "<", date(2026, 11, 22)) & '
        '~(where(card_type=["debit"]) | where(card_country=["IN"]))'
    )


def tower(levels):
    form = FLAT
    for _ in range(levels):
        form = {"not": form}
    return form


@pytest.mark.parametrize(
    ("form", "place"),
    [
        ([], "In the condition this is no JSON object"),
        (None, "no JSON object"),
        ({}, "none at all"),
        ({"column": "card_type"}, "keys"),
        ({"column": "card_type", "==": "debit"}, "keys"),
        ({"column": "card_type", "in": ["debit"], "note": 1}, "keys"),
        ({"all": [FLAT], "any": [FLAT]}, "keys"),
        ({"all": FLAT}, "At all of the condition"),
        ({"any": "visa"}, "At any of the condition"),
        ({"all": [FLAT, {"not": {"any": [5]}}]}, r"At all\[1\]\.not\.any\[0\] of the condition"),
        ({"column": 5, "in": []}, "At column of the condition"),
        ({"column": ["card_type"], "in": []}, "At column of the condition"),
        ({"not": {"column": "bnak", "in": []}}, "At not.column .* did you mean bank"),
        ({"column": "card_network", "in": ["visa", "VISA"]}, r"At in\[1\] .*'visa'"),
        ({"column": "card_network", "in": "visa"}, "At in of the condition"),
        ({"column": "expiry_month", "in": [float("nan")]}, r"At in\[0\] .*whole number"),
        ({"column": "expiry_month", "<": True}, "At < of the condition"),
        ({"column": "expires_on", "<": "2026-02-30"}, "a day that exists"),
        ({"column": "expires_on", "<": "22.11.2026"}, "a date"),
        ({"column": "expires_on", "<": None}, "no order"),
        ({"column": "created_at", "<": "2026-11-22"}, "an instant with its zone"),
        ({"column": "card_bank", "in": [{"x": 1}]}, "text"),
        (tower(MAX_DEPTH), "inside one another"),
        (tower(100_000), "inside one another"),
        ({5: 1}, "keys"),
    ],
)
def test_json_that_is_no_condition_is_refused_with_its_place(form, place):
    """A saved rule that was edited wrongly says where."""
    with pytest.raises(UsageError, match=place):
        predicate_from_dict(form)


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["all", "any", "not", "column", "in", "<", "x"]), inner,
                        max_size=3), max_leaves=10))  # fmt: skip
def test_any_json_is_read_or_refused(form):
    """No JSON at all ends in anything but a condition or a UsageError."""
    try:
        predicate = predicate_from_dict(form)
    except UsageError:
        return
    assert predicate_from_dict(predicate.to_dict()) == predicate


def test_where_takes_values_lists_missing_and_ranges():
    """Each way of naming values is the form it stands for."""
    assert where() == All(())
    assert where(card_type="debit") == IsIn("card_type", ("debit",))
    assert where(card_type={"debit", "credit"}) == IsIn("card_type", ("credit", "debit"))
    assert where(card_type=None) == IsIn("card_type", (None,))
    assert where(expiry_month=between(3, 5), card_type=["debit", None]) == All(
        (
            Compare("expiry_month", ">=", 3),
            Compare("expiry_month", "<=", 5),
            IsIn("card_type", ("debit", None)),
        )
    )
    assert where(expiry_month=between(3, 3)).holds_for({"expiry_month": 3})


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"card_network": ("visa", "rupay")}, "between"),
        ({"card_network": "Visa"}, "'visa'"),
        ({"card_network": "visaa"}, "did you mean visa"),
        ({"expiry_month": between(5, 3)}, "exchange"),
        ({"expires_on": between("2026-11-01", None)}, "a date"),
        ({"nonsense": 1}, "no column"),
        ({"card_country": "in"}, "'IN'"),
        ({"card_country": "ZZ"}, "two letters"),
        ({"expiry": "2026-13"}, "a month"),
    ],
)
def test_where_refuses_what_would_silently_select_nothing(conditions, message):
    """A misspelt column or value is an error with the spelling that was meant."""
    with pytest.raises(UsageError, match=message):
        where(**conditions)


def test_a_card_is_valid_through_its_last_day():
    """On its last day a card is expiring, the day after expired; unknown expiry is neither."""
    day = date(2026, 11, 30)
    card, unknown = {"expires_on": day}, {"expires_on": None}
    assert not expired(day).holds_for(card)
    assert expired(day + timedelta(days=1)).holds_for(card)
    assert expiring_within(0, day).holds_for(card)
    assert expiring_within(30, "2026-10-31").holds_for(card)
    assert not expiring_within(29, "2026-10-31").holds_for(card)
    assert not expiring_within(30, "2026-12-01").holds_for(card)
    for rule in (expired(day), ~expired(day), expiring_within(9, day), ~expiring_within(9, day)):
        assert not rule.holds_for(unknown)


@pytest.mark.parametrize("days", [-1, True, 1.5, "30", 10**9, None])
def test_a_horizon_is_a_number_of_days(days):
    """Anything but a whole number of days within the calendar is refused."""
    with pytest.raises(UsageError, match="days"):
        expiring_within(days, "2026-11-22")


def test_conditions_are_checked_against_a_table():
    """A column that is not there, twice there or of another type is named."""
    rule = where(bank="HDFC Bank") & expired("2026-11-22")
    with pytest.raises(UsageError, match="no column bank"):
        rule.check_against(INSTRUMENTS)
    rule.check_against(INSTRUMENTS.append(pa.field("bank", pa.string())))
    with pytest.raises(UsageError, match=r"no column bank; .* did you mean banks"):
        rule.mask(pa.table({"banks": ["x"], "expires_on": pa.array([date(2026, 1, 1)])}))
    with pytest.raises(UsageError, match="expires_on of the table holds string, not dates"):
        expired("2026-11-22").mask(pa.table({"expires_on": ["2026-01-01"]}))
    twice = pa.table([pa.array(["a"]), pa.array(["b"])], names=["bank", "bank"])
    with pytest.raises(UsageError, match="2 columns named bank"):
        where(bank="a").mask(twice)
    with pytest.raises(UsageError, match="finer"):
        where(created_at="2026-01-01T00:00:00Z").mask(
            pa.table({"created_at": pa.array([1], pa.timestamp("ns", "UTC"))})
        )


def test_forms_are_those_of_the_nodes():
    """The module gives the same classes that the rest of the toolkit tests for."""
    assert isinstance(where(card_type="debit") | expired("2026-01-01"), AnyOf)
    assert isinstance(~where(card_type="debit"), Not)
