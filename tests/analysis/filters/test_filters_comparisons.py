"""Membership and order: what each says, and what neither accepts."""

from datetime import UTC, date, datetime

import pytest

from tokenvault_data.analysis.filters.filters import Compare, IsIn, where
from tokenvault_data.errors import UsageError


def test_values_are_put_into_one_form():
    """Repeats go, closed vocabularies keep the order of reports, missing comes last."""
    assert IsIn("card_network", (None, "rupay", "visa", "rupay")).values == ("visa", "rupay", None)
    assert IsIn("card_bank", ("b", "a")) == IsIn("card_bank", ["a", "b", "a"])
    assert IsIn("expires_on", ("2026-11-30",)) == IsIn("expires_on", (date(2026, 11, 30),))


@pytest.mark.parametrize(
    ("predicate", "sentence"),
    [
        (where(card_network="visa"), "network is visa"),
        (where(card_network=["visa", "rupay", None]), "network is visa, rupay or missing"),
        (~where(bank="HDFC Bank"), "bank is not HDFC Bank"),
        (~where(card_bank="HDFC BANK"), "bank spelling is not HDFC BANK"),
        (~where(card_bank=["A", None]), "bank spelling is neither A nor missing"),
        (~where(card_bank=["A", "B", "C"]), "bank spelling is none of A, B or C"),
        (where(card_bank=[]), "bank spelling is one of no values"),
        (~where(card_bank=[]), "not (bank spelling is one of no values)"),
        (where(card_bank="x or bank is y"), 'bank spelling is "x or bank is y"'),
        (where(card_network_received="VISA"), "network as received is VISA"),
        (where(expires_on=None), "expiry date is missing"),
        (Compare("expires_on", "<", "2026-11-22"), "expires before 22 November 2026"),
        (Compare("expires_on", ">=", "2026-11-22"), "expires on or after 22 November 2026"),
        (Compare("expiry_year", "<=", 2027), "expiry year is at most 2027"),
        (Compare("expiry", ">", "2026-11"), "month and year of expiry is after 2026-11"),
        (
            Compare("created_at", "<", "2026-11-22T00:00:00+05:30"),
            "saved before 21 November 2026 18:30:00 UTC",
        ),
    ],
)
def test_sentences(predicate, sentence):
    """Each comparison reads as English."""
    assert predicate.sentence() == sentence


@pytest.mark.parametrize(
    ("predicate", "code", "sql"),
    [
        (
            where(card_network="visa"),
            'where(card_network=["visa"])',
            """("card_network" IN ('visa'))""",
        ),
        (
            where(card_bank=["O'Hara", None]),
            'where(card_bank=["O\'Hara", None])',
            """("card_bank" IS NULL OR "card_bank" IN ('O''Hara'))""",
        ),
        (where(card_bank=None), "where(card_bank=[None])", '("card_bank" IS NULL)'),
        (where(card_bank=[]), "where(card_bank=[])", '("card_bank" IS NULL AND NULL)'),
        (
            Compare("expires_on", "<", date(2026, 11, 22)),
            'Compare("expires_on", "<", date(2026, 11, 22))',
            """("expires_on" < DATE '2026-11-22')""",
        ),
        (
            Compare("fetched_at", ">", datetime(2026, 11, 22, 4, 5, tzinfo=UTC)),
            'Compare("fetched_at", ">", datetime(2026, 11, 22, 4, 5, tzinfo=UTC))',
            """("fetched_at" > TIMESTAMPTZ '2026-11-22T04:05:00Z')""",
        ),
    ],
)
def test_code_and_sql(predicate, code, sql):
    """Each comparison is written so that a person would have written it."""
    assert predicate.code() == code
    assert predicate.sql() == sql


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IsIn("card_network", "visa"), "put the value into a tuple"),
        (lambda: IsIn("card_network", 5), "put the value into a tuple"),
        (lambda: IsIn("card_netwrok", ("visa",)), "did you mean card_network"),
        (lambda: IsIn("card_network", ("VISA",)), "'visa'"),
        (lambda: IsIn("expiry_month", (True,)), "whole number"),
        (lambda: IsIn("expiry_month", (5.0,)), "whole number"),
        (lambda: IsIn("expiry_month", (float("nan"),)), "whole number"),
        (lambda: Compare("expires_on", "=", date(2026, 1, 1)), "use one of"),
        (lambda: Compare("expires_on", "<", None), "no order"),
        (lambda: Compare("expires_on", "<", datetime(2026, 1, 1, tzinfo=UTC)), "a date"),
        (lambda: Compare(None, "<", 1), "no column"),
    ],
)
def test_what_no_column_could_hold_is_refused(make, message):
    """A comparison that could never be right cannot be made."""
    with pytest.raises(UsageError, match=message):
        make()
