"""Rules as values: made, combined, written, said, and refused where they would mean nothing."""

import json
from datetime import date, timedelta

import pytest
from cleanup_vaults import DAY, as_planned, fetched_row, raw_card

from tokenvault_data.analysis.filters.filters import All, where
from tokenvault_data.analysis.filters.filters import expired as expired_condition
from tokenvault_data.cleanup.selection import rules
from tokenvault_data.cleanup.selection.drift import drift
from tokenvault_data.cleanup.selection.rules import Rule, as_rule
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.errors import IdentifierError, UsageError

PAIRS = [("c2", "i1"), ("c1", "i9"), ("c1", "i1"), ("c1", "i1")]

SOME = [
    rules.expired(DAY),
    rules.expired_for(90, DAY) & rules.networks("visa", None),
    ~(rules.inactive() | rules.card_types("debit")),
    rules.banks("HDFC Bank Limited", None) & where(card_country="IN"),
    rules.duplicates(),
    rules.duplicates() & expired_condition(DAY),
    rules.listed(PAIRS),
    rules.inactive() & rules.listed(PAIRS),
]


@pytest.mark.parametrize("rule", SOME, ids=lambda rule: rule.sentence())
def test_json_gives_the_same_rule_back(rule):
    """Written as JSON text and read again, a rule is equal, and written alike."""
    text = json.dumps(rule.to_dict())
    again = Rule.from_dict(json.loads(text))
    assert again == rule
    assert json.dumps(again.to_dict()) == text
    assert again.sentence() == rule.sentence()


def test_sentences():
    """A rule says what it selects, so that whoever approves it can read it."""
    said = [rule.sentence() for rule in SOME]
    assert said[0] == "expires before 22 November 2026"
    assert said[1] == "expires on or before 24 August 2026 and network is visa or missing"
    assert said[3] == "bank is HDFC Bank or missing and country is IN"
    assert said[4].startswith("duplicates another card of the customer's account")
    assert said[5].endswith("is kept; and expires before 22 November 2026")
    assert said[6] == "is one of 3 listed cards"
    assert said[7] == "is one of 3 listed cards; and status is INACTIVE"


def test_a_condition_is_a_rule():
    """Wherever a rule is taken, a condition of the analysis is one, on either side of & and |."""
    condition = where(card_type="debit")
    assert as_rule(condition) == Rule(condition)
    assert condition & rules.inactive() == rules.card_types("debit") & rules.inactive()
    assert condition | rules.inactive() == rules.card_types("debit") | rules.inactive()
    assert condition & rules.duplicates() == rules.duplicates() & condition
    assert rules.expired(DAY) == as_rule(expired_condition(DAY))


def test_expired_for_counts_days_since_the_last_one():
    """A card has expired for one day on the day after its last, and for none on the day itself."""
    last = date(2026, 11, 30)
    for days in (1, 2, 365):
        reached = rules.expired_for(days, last + timedelta(days=days)).condition
        assert reached.holds_for({"expires_on": last})
        day_before = rules.expired_for(days, last + timedelta(days=days - 1)).condition
        assert not day_before.holds_for({"expires_on": last})
        assert not reached.holds_for({"expires_on": None})
    after = last + timedelta(days=1)
    assert rules.expired(after).condition.holds_for({"expires_on": last})
    assert not rules.expired(last).condition.holds_for({"expires_on": last})


@pytest.mark.parametrize("days", [0, -1, True, 1.5, "30", None, 10**9])
def test_days_since_expiry_are_counted_from_one(days):
    """Zero days would call a card expired on a day on which it is valid."""
    with pytest.raises(UsageError, match="days"):
        rules.expired_for(days, DAY)


def test_banks_are_meant_in_any_spelling():
    """A rule holds canonical names, with a table of one's own if that is what plans use."""
    assert rules.banks("hdfc bank ltd.") == rules.banks("HDFC BANK")
    own = load_bank_names(_table("HDFC BANK", "My Bank"))
    assert rules.banks("hdfc bank ltd", known_as=own).sentence() == "bank is My Bank"


def _table(spelling, bank):
    import pyarrow as pa

    return pa.table({"spelling": [spelling], "bank": [bank]})


@pytest.mark.parametrize("make", [rules.networks, rules.banks, rules.card_types])
def test_nothing_to_select_by_is_refused(make):
    """A rule of no names would select nothing, and its negation everything."""
    with pytest.raises(UsageError, match="no name"):
        make()


@pytest.mark.parametrize(
    "combine",
    [
        lambda: rules.duplicates() | rules.inactive(),
        lambda: rules.inactive() | rules.listed(PAIRS),
        lambda: ~rules.listed(PAIRS),
        lambda: ~rules.duplicates(),
        lambda: rules.duplicates() & rules.listed(PAIRS),
        lambda: rules.listed(PAIRS) & rules.listed(PAIRS),
        lambda: where(card_type="debit") | rules.duplicates(),
    ],
)
def test_lists_and_duplicates_are_only_narrowed(combine):
    """What is not on a list, or not a duplicate, is no rule that a person could review."""
    with pytest.raises(UsageError, match="cannot be combined"):
        combine()


def test_a_rule_has_no_truth():
    """`a and b` would quietly be `b`, and is an error."""
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(rules.inactive() and rules.expired(DAY))


@pytest.mark.parametrize("column", ["fetched_at", "list_position"])
def test_how_a_card_was_listed_is_no_rule(column):
    """What a later fetch cannot repeat cannot be checked again before a deletion."""
    values = {"fetched_at": "2026-11-22T00:00:00Z", "list_position": 3}
    with pytest.raises(UsageError, match=column):
        as_rule(where(card_type="debit") & where(**{column: values[column]}))


@pytest.mark.parametrize(
    "form",
    [
        None,
        [],
        {},
        {"kind": "condition"},
        {"kind": "other", "condition": {"all": []}},
        {"kind": ["condition"], "condition": {"all": []}},
        {"kind": "condition", "condition": {"all": []}, "listed": []},
        {"kind": "condition", "condition": {"all": []}, "more": 1},
        {"kind": "condition", "condition": {"column": "nonsense", "in": []}},
        {"kind": "listed", "condition": {"all": []}},
        {"kind": "listed", "condition": {"all": []}, "listed": []},
        {"kind": "listed", "condition": {"all": []}, "listed": {"c1": "i1"}},
        {"kind": "listed", "condition": {"all": []}, "listed": [["c1"]]},
        {"kind": "listed", "condition": {"all": []}, "listed": [["c1", 5]]},
        {"kind": "listed", "condition": {"all": []}, "listed": [["..", "i1"]]},
        {"kind": "listed", "condition": {"all": []}, "listed": [["c1", "1.5E+11"]]},
    ],
)
def test_json_that_is_no_rule_is_refused(form):
    """A rule that was written wrongly is an error, and never selects anything."""
    with pytest.raises(UsageError):
        Rule.from_dict(form)


@pytest.mark.parametrize("kind", ["condition", "duplicates"])
def test_only_lists_have_pairs(kind):
    """A list without cards, and cards outside a list, are refused."""
    with pytest.raises(UsageError, match="list"):
        Rule(All(()), kind, (("c1", "i1"),))
    with pytest.raises(UsageError, match="list"):
        Rule(All(()), "listed")


def test_what_is_no_condition_is_refused():
    """A rule is made of a condition, not of text that looks like one."""
    with pytest.raises(UsageError, match="no condition"):
        as_rule("card_type=debit")
    with pytest.raises(UsageError, match="newest"):
        rules.duplicates(keep="oldest")


def test_ids_of_a_list_are_ids():
    """An id that would lead a request elsewhere does not get into a rule."""
    with pytest.raises(IdentifierError):
        Rule(All(()), "listed", (("c1", "../c2"),))


def test_a_rule_shows_no_ids():
    """The display of a list does not spell out whose cards are on it."""
    shown = repr(rules.listed([("customer-77", "instrument-55")]))
    assert "77" not in shown
    assert "55" not in shown


def test_a_rule_is_asked_again_of_a_card_that_was_fetched_again():
    """Its condition alone decides."""
    row = fetched_row(card=raw_card("i1", "2025-06"))
    planned = as_planned(row)
    assert drift(rules.expired(DAY).condition, planned, row, DAY) is None
    assert drift(rules.inactive().condition, planned, row, DAY.isoformat()) == (
        "the rule is not true of the card any more"
    )
