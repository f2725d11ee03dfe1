"""Rules as a panel offers them: choices as data, and sentences that name nobody."""

import json
from datetime import date

import pytest

import tokenvault_data as tv
from tokenvault_data.cleanup.plan.summary import names_somebody, shown_sentence
from tokenvault_data.cleanup.selection import rules
from tokenvault_data.dataset.today import today_in_india
from tokenvault_data.errors import UsageError
from tokenvault_data.widgets.cleanup.rule_choice import RuleChoice, as_choice

GIVEN = rules.networks("rupay") & rules.inactive()


@pytest.mark.parametrize(
    ("choice", "rule"),
    [
        (RuleChoice(days=30), rules.expired_for(30, today_in_india())),
        (RuleChoice("expired_on", day=date(2026, 1, 31)), rules.expired("2026-01-31")),
        (RuleChoice("expired_on"), rules.expired(today_in_india())),
        (RuleChoice("inactive"), rules.inactive()),
        (RuleChoice("duplicates"), rules.duplicates()),
        (RuleChoice("given", given=GIVEN), GIVEN),
    ],
    ids=lambda one: one.kind if isinstance(one, RuleChoice) else "",
)
def test_every_choice_is_a_rule_and_comes_back_from_json(choice, rule):
    """What is chosen is the rule of that name; as data it says the same again."""
    assert choice.rule() == rule
    again = as_choice(json.loads(json.dumps(choice.to_dict())))
    assert (again.kind, again.rule()) == (choice.kind, rule)


def test_a_rule_a_condition_and_a_dict_are_handed_in():
    """All three forms lead to the same choice."""
    condition = tv.where(instrument_status="INACTIVE")
    wanted = RuleChoice("given", given=rules.inactive())
    for given in (condition, rules.inactive(), rules.inactive().to_dict()):
        assert as_choice(given) == wanted
    assert as_choice(None) == RuleChoice()


@pytest.mark.parametrize(
    "wrong",
    [
        {"choice": "everything"},
        {"choice": "expired_for"},
        {"choice": "expired_for", "days": 0},
        {"choice": "expired_for", "days": 1, "confirm": "delete"},
        {"choice": "expired_on", "day": "soon"},
        {"choice": "given"},
        {"choice": "given", "rule": None},
        {"kind": "condition"},
        "INACTIVE",
    ],
    ids=str,
)
def test_what_is_no_choice_is_refused(wrong):
    """Anything else is told when the panel is made, and selects nothing."""
    with pytest.raises(UsageError):
        as_choice(wrong)


def test_sentences_and_data_name_nobody():
    """Conditions on ids and lists of cards are said without the ids, and kept out of the state."""
    by_name = rules.as_rule(tv.where(customer_id="cust_0000001"))
    by_list = rules.listed([("cust_0000001", "card-1")])
    for rule in (by_name, by_list):
        assert names_somebody(rule)
        assert "cust_0000001" not in shown_sentence(rule)
        assert as_choice(rule).to_dict() is None
    assert not names_somebody(GIVEN)
    assert shown_sentence(GIVEN) == GIVEN.sentence()
