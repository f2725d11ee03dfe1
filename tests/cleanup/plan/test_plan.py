"""A plan is not believed about itself: what follows from its content is worked out again."""

import json
from dataclasses import fields, replace
from datetime import datetime, timedelta

import pytest
from cleanup_plans import PLAN, make_cards, make_plan, with_card, with_header
from cleanup_vaults import ALL_OPEN, DAY, as_planned, fetched_row, raw_card
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.filters.filters import where
from tokenvault_data.cleanup.plan.plan import Plan
from tokenvault_data.cleanup.plan.plan_file import parse_plan, plan_bytes
from tokenvault_data.cleanup.plan.summary import describe
from tokenvault_data.cleanup.selection import exclusions, rules
from tokenvault_data.cleanup.selection.cards import BankTotal, ControlCard, HoldUsed
from tokenvault_data.cleanup.selection.limits import LARGEST, Limits
from tokenvault_data.errors import PlanDamaged, UsageError

HEADER = [one.name for one in fields(Plan) if one.name not in {"cards", "digest"}]
FAR = "9999-12-31T23:59:59+00:00"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"expires_at": "2999-01-01T00:00:00+00:00"}, "expires_at"),
        ({"expires_at": "2026-11-23T11:00:01+00:00"}, "not plan_hours after its created_at"),
        ({"limits": replace(ALL_OPEN, plan_hours=48.0)}, "not plan_hours after its created_at"),
        ({"created_at": FAR, "expires_at": FAR}, "its created_at is not a time"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "its expires_at is not a time"),
        ({"snapshot_created_at": "0001-01-01T00:00:00+14:00"}, "snapshot_created_at is not a time"),
        ({"controls": ()}, "names no control card"),
        ({"canary": (0, 1, 2)}, "canary"),
        ({"canary": (1,)}, "canary"),
        ({"vault_cards": 10**30}, "counts of the vault"),
        ({"vault_cards": 2}, "vault_cards are fewer"),
        ({"vault_customers": 1}, "vault_customers do not fit"),
        ({"vault_customers": 101}, "vault_customers do not fit"),
        ({"vault_customers": 100}, "vault_customers do not fit"),
        ({"bank_totals": ()}, "total of a bank"),
        ({"bank_totals": (BankTotal("HDFC Bank", 2),)}, "total of a bank"),
        ({"bank_totals": (BankTotal("Other", 50),)}, "total of a bank"),
        ({"bank_totals": (BankTotal("HDFC Bank", 101),)}, "more than its vault_cards"),
        ({"bank_totals": (BankTotal("HDFC Bank", 10**30),)}, "total of a bank"),
        ({"left_out": {"whatever the planner likes": 3}}, "for an unknown reason"),
        ({"left_out": {exclusions.HELD: 10**30}}, "cards left out"),
        ({"as_of": "2026-11-23"}, "as_of is after the day"),
        ({"oldest_fetched_at": "2026-11-22T11:06:00+00:00"}, "oldest_fetched_at is after"),
        ({"oldest_fetched_at": "2026-11-22T10:30:00+00:00"}, "card 0 was fetched before"),
        ({"environment": "prod"}, "environment"),
        ({"snapshot": "../../secrets"}, "snapshot"),
        ({"planner": "x" * 101}, "planner"),
        ({"note": "x" * 501}, "note"),
        ({"holds": (HoldUsed("legal.txt", "e" * 64, 0),)}, "hold lists"),
        ({"holds": (HoldUsed("\x1b[2J", "e" * 64, 1),)}, "hold lists"),
        ({"controls": (ControlCard("c", "i"), ControlCard("c", "i"))}, "control card"),
        ({"rule": rules.networks("rupay")}, "its rule does not select card 0"),
        ({"rule": rules.listed([("customer-0", "instrument-00")])}, "does not select card 1"),
        ({"rule": rules.duplicates()}, "its rule does not select card 0"),
        ({"rule": rules.banks(None)}, "its rule does not select card 0"),
        ({"rule": rules.as_rule(where()) & ~where()}, "its rule does not select card 0"),
        ({"cards": tuple(replace(one, keeper="k") for one in make_cards())}, "select card 0"),
    ],
)
def test_a_plan_that_contradicts_itself_is_none(changes, problem):
    """Made or read, it is refused in one sentence that says what does not fit."""
    with pytest.raises(PlanDamaged, match=problem) as error:
        make_plan(**changes)
    assert "\n" not in str(error.value)


def test_the_same_sentence_is_said_of_a_file():
    """A file that was changed consistently, digest and all, is met by the same checks."""
    with pytest.raises(PlanDamaged, match=r"plan\.json .*: its canary is not the one that follows"):
        parse_plan(with_header(canary=[0, 1, 2]), "plan.json")


@pytest.mark.parametrize(
    "form",
    [{"plan_hours": 1e300}, {"plan_hours": 10**400}, {"rows": 10**30}, {"vault_share": 10**400}],
)
def test_absurd_limits_are_refused_cleanly(form):
    """No number is too large to be refused: in Python, and in a file."""
    with pytest.raises(UsageError, match=next(iter(form))):
        Limits(**form)
    with pytest.raises(PlanDamaged):
        parse_plan(with_header(limits=PLAN.limits.to_dict() | form))


@pytest.mark.parametrize("name", sorted(LARGEST))
def test_the_largest_limits_make_a_plan(name):
    """Whatever `LARGEST` allows can be sealed, told and read, without an overflow."""
    limits = replace(ALL_OPEN, **{name: LARGEST[name]})
    made = datetime.fromisoformat(PLAN.created_at)
    until = made + timedelta(hours=limits.plan_hours)
    plan = make_plan(limits=limits, expires_at=until.isoformat())
    assert parse_plan(plan_bytes(plan)) == plan
    assert describe(plan).facts


@pytest.mark.parametrize(
    "changes",
    [
        {"created_at": "yesterday"},
        {"created_at": "2026-11-22T10:00:00"},
        {"created_at": "9999-12-31T23:59:59-14:00"},
        {"afa_reference": 5},
        {"fetched_at": FAR},
        {"fetched_at": "2026-11-22T09:59:59+00:00"},
        {"fetched_at": "2026-11-22T11:06:00+00:00"},
        {"expires_on": "2028-12-31"},
        {"expires_on": None},
    ],
)
def test_a_card_that_the_rule_or_the_clock_contradicts_is_refused(changes):
    """Fetched outside the snapshot's time, still valid, or of unknown expiry: no plan."""
    with pytest.raises(PlanDamaged):
        parse_plan(with_card(1, **changes))


def test_what_is_not_sealed_contradicts_nothing():
    """A plan holds no country; only the snapshot can say whether that part of the rule holds."""
    abroad = rules.as_rule(where(card_country="US"))
    assert make_plan(rule=abroad)
    assert make_plan(rule=~abroad)
    assert make_plan(rule=rules.expired(DAY) & abroad)
    with pytest.raises(PlanDamaged, match="does not select"):
        make_plan(rule=rules.networks("rupay") & abroad)
    assert make_plan(rule=rules.networks("rupay") | abroad)


@pytest.mark.parametrize(
    "rule",
    [
        rules.as_rule(where(expiry="2025-06")),
        rules.as_rule(where(expires_in="expired")),
        rules.as_rule(where(customer_id=["customer-0", "customer-1"])),
        rules.banks("HDFC BANK"),
        rules.expired_for(30, DAY) & rules.card_types("debit"),
    ],
)
def test_derived_and_plain_columns_are_judged(rule):
    """Month and bucket of expiry, ids and banks are decided from what is sealed."""
    assert make_plan(rule=rule)
    with pytest.raises(PlanDamaged, match="does not select"):
        make_plan(rule=~rule)


def test_the_canary_is_worked_out_again_for_many_cards():
    """One in a hundred, spread over banks; any other choice of the same size is refused."""
    cards = tuple(
        as_planned(fetched_row(f"c{n}", raw_card(f"i{n}", "2025-06")), number=n) for n in range(150)
    )
    totals = (BankTotal("HDFC Bank", 400),)
    given = {"cards": cards, "bank_totals": totals, "vault_cards": 500, "vault_customers": 300}
    plan = make_plan(**given, canary=(0, 1))
    with pytest.raises(PlanDamaged, match="canary"):
        make_plan(**given, canary=(0, 2))
    assert make_plan(**given, canary=(0,), limits=replace(plan.limits, canary=1))


MUTATIONS = st.one_of(
    st.tuples(st.just("limits"), st.sampled_from([one.name for one in fields(Limits)])),
    st.tuples(st.sampled_from([name for name in HEADER if name != "limits"]), st.none()),
)


def _mutated(value, draw):
    """Another value of the kind that stands there now."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return draw(st.integers(0, 10**12))
    if isinstance(value, float):
        return draw(st.floats(0, 1)) if value <= 1 else draw(st.floats(0, 10**6))
    if isinstance(value, str) and value[:2] == "20" and value[4:5] == "-":
        moved = datetime.fromisoformat(value) + timedelta(days=draw(st.integers(-90, 90)))
        return moved.isoformat() if "T" in value else moved.date().isoformat()
    return draw(st.text(min_size=1, max_size=30))


@given(MUTATIONS, st.data())
@settings(max_examples=120)
def test_a_header_changed_consistently_is_refused_or_shown(where_, data):
    """Any one value changed, digest and all: the plan is refused, or its words are other words.

    Digest, id and phrase change with every byte, so they do not count as showing anything.
    """
    name, limit = where_
    header = json.loads(plan_bytes(RICH).splitlines()[0])
    if limit is not None:
        header["limits"][limit] = _mutated(header["limits"][limit], data.draw)
    elif name == "rule":
        header["rule"] = rules.expired(
            DAY - timedelta(days=data.draw(st.integers(-300, 300)))
        ).to_dict()
    elif name == "holds":
        place, key = data.draw(st.sampled_from([(0, "name"), (0, "sha256"), (0, "entries")]))
        header["holds"][place][key] = _mutated(header["holds"][place][key], data.draw)
    elif name == "bank_totals":
        header["bank_totals"][0]["cards"] = data.draw(st.integers(0, 120))
    elif name == "left_out":
        header["left_out"] = {data.draw(st.sampled_from(exclusions.LEFT_OUT)): data.draw(COUNTS)}
    elif name == "controls":
        header["controls"] = header["controls"][: data.draw(st.integers(0, 1))]
    elif name == "canary":
        header["canary"] = data.draw(st.lists(st.integers(0, 3), max_size=3))
    elif name == "windows":
        header["windows"] = [data.draw(st.text())]
    else:
        header[name] = _mutated(header[name], data.draw)
    try:
        changed = parse_plan(with_header(**header))
    except PlanDamaged:
        return
    if changed != RICH:
        assert _words(changed) != _words(RICH)


COUNTS = st.integers(1, 1000)
RICH = make_plan(
    holds=(HoldUsed("legal.csv", "a" * 64, 12),),
    controls=(ControlCard("customer-9", "instrument-99"), ControlCard("customer-8", "i")),
)


def _words(plan):
    told = describe(plan)
    facts = [one for one in told.facts if one.key not in {"plan", "digest", "phrase"}]
    return told.headline, facts, told.warnings, told.banks
