"""Conditions as they are typed."""

import contextlib
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predicate_cases import TEXTS

from tokenvault_data.analysis.filters.filters import All, Compare, IsIn, Not
from tokenvault_data.analysis.filters.parsing import parse_condition, parse_conditions
from tokenvault_data.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "predicate"),
    [
        ("card_network=visa,mastercard", IsIn("card_network", ("visa", "mastercard"))),
        (" card_network = visa , rupay ", IsIn("card_network", ("visa", "rupay"))),
        ("card_network!=visa", Not(IsIn("card_network", ("visa",)))),
        ("card_bank=(none)", IsIn("card_bank", (None,))),
        ('card_bank="(none)"', IsIn("card_bank", ("(none)",))),
        ("card_bank!=HDFC BANK,(none)", Not(IsIn("card_bank", ("HDFC BANK", None)))),
        ('card_bank="A, B",C', IsIn("card_bank", ("A, B", "C"))),
        ('card_bank="say ""hi"""', IsIn("card_bank", ('say "hi"',))),
        ('card_bank=""', IsIn("card_bank", ("",))),
        ('card_bank=" x "', IsIn("card_bank", (" x ",))),
        ("card_bank=A<B", IsIn("card_bank", ("A<B",))),
        ("card_bank=A=B", IsIn("card_bank", ("A=B",))),
        ("card_bank=SBI (India)", IsIn("card_bank", ("SBI (India)",))),
        ("expires_on<2026-11-22", Compare("expires_on", "<", date(2026, 11, 22))),
        ("expires_on <= 2026-11-22", Compare("expires_on", "<=", date(2026, 11, 22))),
        ("expiry_year>2026", Compare("expiry_year", ">", 2026)),
        ("expiry_month>=05", Compare("expiry_month", ">=", 5)),
        ("expiry_month=5,06", IsIn("expiry_month", (5, 6))),
        ('card_bank>="a,b"', Compare("card_bank", ">=", "a,b")),
        ("expiry<2026-11", Compare("expiry", "<", "2026-11")),
    ],
)
def test_what_is_typed_is_what_is_meant(typed, predicate):
    """Each way of typing a condition is one form."""
    assert parse_condition(typed) == predicate


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "does not begin"),
        ("card_network", "does not begin"),
        ("=visa", "does not begin"),
        ("card network=visa", "does not begin"),
        ("card_netwrok=visa", "did you mean card_network"),
        ("card_network=VISA", "'visa'"),
        ("card_network=", "empty value"),
        ("card_network=visa,", "empty value"),
        ("card_network=,visa", "empty value"),
        ("card_network==visa", "two operators"),
        ("card_network<>visa", "two operators"),
        ("card_network=>visa", "two operators"),
        ("card_network=!visa", "two operators"),
        ('card_bank="x', "not closed"),
        ('card_bank=x"y', "not closed"),
        ('card_bank="x" y', "follows a closing quotation mark"),
        ('card_bank="x""', "follows a closing quotation mark"),
        ("expires_on<2026-11-22,2026-11-23", "2 values"),
        ("expires_on<(none)", "no order"),
        ("expires_on<tomorrow", "a date"),
        ("expiry_month=May", "whole number"),
        ("created_at<2026-11-22", "with its zone"),
    ],
)
def test_what_cannot_be_meant_is_refused(typed, message):
    """An error says what is wrong and how to write it."""
    with pytest.raises(UsageError, match=message):
        parse_condition(typed)


@settings(deadline=None)
@given(st.lists(st.none() | TEXTS, min_size=1))
def test_any_text_can_be_typed(values):
    """Quoted, every text comes through as it is, beside missing ones."""
    typed = ",".join(
        "(none)" if value is None else '"' + value.replace('"', '""') + '"' for value in values
    )
    assert parse_condition(f"card_bank={typed}") == IsIn("card_bank", tuple(values))


@settings(deadline=None)
@given(st.text(st.sampled_from('card_bnk=!<>," ()none\n'), max_size=30) | TEXTS)
def test_any_line_is_read_or_refused(typed):
    """Nothing that can be typed ends in anything but a condition or a UsageError."""
    for text in (typed, f"card_bank{typed}"):
        with contextlib.suppress(UsageError):
            assert parse_condition(text).columns


def test_several_conditions_all_have_to_hold():
    """None is none, one is itself, more are and-ed in their order."""
    visa, late = IsIn("card_network", ("visa",)), Compare("expires_on", ">", date(2026, 1, 1))
    assert parse_conditions([]) is None
    assert parse_conditions(["card_network=visa"]) == visa
    assert parse_conditions(["card_network=visa", "expires_on>2026-01-01"]) == All((visa, late))
