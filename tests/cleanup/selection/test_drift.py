"""Whether a card fetched again is the one that was planned."""

from datetime import UTC, date, datetime

import pytest
from cleanup_vaults import DAY, as_planned, fetched_row, raw_card
from hypothesis import assume, given
from hypothesis import strategies as st

from tokenvault_data.analysis.filters.filters import All, Not, expired, where
from tokenvault_data.cleanup.selection.drift import drift, keeper_drift

ALWAYS = All(())
DATES = st.none() | st.dates(date(2024, 1, 1), date(2030, 1, 1))
MOMENTS = st.none() | st.datetimes(datetime(2020, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
TEXTS = st.none() | st.sampled_from(["", "a", "b", "4375"]) | st.text(max_size=4)
STATUSES = st.none() | st.sampled_from(["ACTIVE", "INACTIVE", "EXPIRED", "FAILED"])
RELEVANT = {
    "instrument_id": TEXTS,
    "customer_id": TEXTS,
    "instrument_uid": TEXTS,
    "par": TEXTS,
    "last_four": TEXTS,
    "expires_on": DATES,
    "created_at": MOMENTS,
    "afa_reference": TEXTS,
    "instrument_status": STATUSES,
}
OTHERS = {
    "card_country": TEXTS,
    "fetched_at": st.none(),
    "extra": TEXTS,
    "list_position": st.integers(0, 9),
}


@st.composite
def rows(draw):
    """Draw a card as the table holds it, with an id and a customer."""
    row = fetched_row() | {name: draw(RELEVANT[name]) for name in RELEVANT if "_id" not in name}
    return row | {"instrument_id": draw(st.sampled_from(["i1", "i2"])), "customer_id": "c1"}


@given(rows(), st.fixed_dictionaries({}, optional=OTHERS))
def test_an_unchanged_card_never_drifts(row, others):
    """Whatever is known of a card, fetched again it is the same, also if it is listed otherwise."""
    assert drift(ALWAYS, as_planned(row), row | others, DAY) is None


@given(rows(), st.data())
def test_each_relevant_change_drifts(row, data):
    """One other value where one was known, or missing now, is a change; so is any other status."""
    name = data.draw(st.sampled_from(sorted(RELEVANT)))
    assume(row[name] is not None or name == "instrument_status")
    value = data.draw(RELEVANT[name].filter(lambda value: value != row[name]))
    reason = drift(ALWAYS, as_planned(row), row | {name: value}, DAY)
    assert reason is not None
    assert reason.isprintable()


@pytest.mark.parametrize(
    ("column", "planned", "fetched"),
    [
        ("created_at", datetime(2023, 11, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
        ("afa_reference", "mandate-1", "mandate-2"),
        ("afa_reference", "mandate-1", None),
    ],
)
def test_a_card_saved_anew_under_its_id_is_another(column, planned, fetched):
    """What is saved later, or for another mandate, is not what was approved."""
    row = fetched_row() | {column: planned}
    assert drift(ALWAYS, as_planned(row), row, DAY) is None
    assert drift(ALWAYS, as_planned(row), row | {column: fetched}, DAY) is not None


@given(rows(), st.sampled_from(["instrument_uid", "par", "last_four", "expires_on"]), st.data())
def test_what_was_unknown_may_become_known(row, name, data):
    """A column that the plan did not know is no drift by itself; the rule decides."""
    row = row | {name: None}
    fetched = row | {name: data.draw(RELEVANT[name])}
    assert drift(ALWAYS, as_planned(row), fetched, DAY) is None


@given(rows(), DATES)
def test_unknown_expiry_is_never_expired(row, known):
    """A rule that asks for expired cards, or for others, is not true where it is unknown."""
    row, fetched = row | {"expires_on": known}, row | {"expires_on": None}
    for rule in (expired(DAY), Not(expired(DAY))):
        assert drift(rule, as_planned(row), fetched, DAY) is not None
        assert drift(rule, as_planned(fetched), fetched, DAY) is not None


@given(rows())
def test_the_rule_has_to_hold(row):
    """An unchanged card drifts exactly where the rule is not true of it."""
    for rule in (expired(DAY), where(instrument_status=["ACTIVE", None]), where(par="a")):
        reason = drift(rule, as_planned(row), row, DAY)
        assert (reason is None) == rule.holds_for(row)


def test_a_renewed_card_says_so():
    """The reason names both days and both statuses, and no id."""
    row = fetched_row(card=raw_card("i1", "2025-06", uid="u" * 64))
    planned = as_planned(row)
    renewed = row | {"expires_on": date(2030, 6, 30)}
    assert drift(ALWAYS, planned, renewed, DAY) == (
        "the card's expiry date changed from 2025-06-30 to 2030-06-30"
    )
    inactive = row | {"instrument_status": "INACTIVE"}
    assert drift(ALWAYS, planned, inactive, DAY) == (
        "the card's status changed from ACTIVE to INACTIVE"
    )
    assert drift(ALWAYS, planned, row | {"instrument_uid": None}, DAY) == (
        "the card's card identity is missing now"
    )
    other = drift(ALWAYS, planned, row | {"instrument_uid": "v" * 64}, DAY)
    assert other == "the card's card identity changed"


def test_another_customer_in_the_answer_is_drift():
    """An answer that names a customer other than the one asked for is not about this card."""
    row = fetched_row()
    fetched = row | {"customer_id_received": "c9"}
    assert "another customer" in drift(ALWAYS, as_planned(row), fetched, DAY)


@pytest.mark.parametrize(
    ("spelling", "same"),
    [
        ("HDFC BANK", True),
        ("hdfc bank ltd.", True),
        ("The HDFC Bank", True),
        ("AXIS BANK", False),
        ("HDFC", False),
        (None, False),
        (5, False),
    ],
)
def test_the_bank_is_the_sealed_one_while_its_spelling_means_the_same(spelling, same):
    """Another way of writing the bank is no change; another bank is, if the rule asks for banks."""
    row = fetched_row()
    planned, fetched = as_planned(row, bank="Whatever"), row | {"card_bank": spelling}
    for rule in (where(bank="Whatever"), where(bank=["Whatever", None]), Not(where(bank="Other"))):
        assert (drift(rule, planned, fetched, DAY) is None) == same
    assert drift(ALWAYS, planned, fetched, DAY) is None


def test_a_missing_bank_stays_missing():
    """A rule that asks for missing banks holds while the bank is missing, and only then."""
    row = fetched_row(card=raw_card("i1", bank=None))
    planned, rule = as_planned(row, bank=None), where(bank=None)
    assert row["card_bank"] is None
    assert drift(rule, planned, row, DAY) is None
    assert drift(rule, planned, row | {"card_bank": "AXIS BANK"}, DAY) is not None


def test_derived_columns_are_derived_again():
    """Month and time to expiry follow from the fetched card, as of the plan's day."""
    row = fetched_row(card=raw_card("i1", "2026-12"))
    unknown = as_planned(row | {"expires_on": None})
    rule = where(expiry="2026-12", expires_in="31-60 days")
    assert drift(rule, unknown, row, DAY) is None
    assert drift(rule, unknown, row, "2026-12-20") is not None
    assert drift(rule, unknown, row | {"expires_on": None}, DAY) is not None


@pytest.mark.parametrize(
    "changes",
    [{"expires_on": "2025-06-30"}, {"expires_on": datetime(2025, 6, 30)}],  # noqa: DTZ001 - no zone is the point
)
def test_what_cannot_be_decided_is_drift(changes):
    """A value of another kind than the table holds is never taken for one that fits."""
    row = fetched_row(card=raw_card("i1", "2025-06"))
    unknown = as_planned(row | {"expires_on": None})
    reason = drift(expired(DAY), unknown, row | changes, DAY)
    assert reason == "the rule cannot be decided on what came back"


def test_an_empty_answer_is_drift():
    """A row without anything in it is not the planned card."""
    assert drift(ALWAYS, as_planned(fetched_row()), {}, DAY) is not None


def pair(**changes):
    planned = fetched_row(card=raw_card("old", "2027-01", par="P", uid="U"))
    keeper = fetched_row(card=raw_card("new", "2029-01", par="P", uid="V"))
    return as_planned(planned, keeper="new"), keeper | changes


def test_a_card_that_is_still_kept_is_a_reason():
    """The same account and usable: the duplicate may go."""
    assert keeper_drift(*pair(), DAY) is None
    assert keeper_drift(*pair(par=None, instrument_uid="U"), DAY) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"instrument_id": "other"},
        {"customer_id": "c2"},
        {"customer_id_received": "c2"},
        {"par": "Q"},
        {"par": None},
        {"instrument_status": "INACTIVE"},
        {"instrument_status": None},
        {"expires_on": date(2026, 11, 21)},
        {"expires_on": None},
    ],
)
def test_a_card_that_is_no_longer_kept_saves_its_duplicate(changes):
    """Gone, of another account, or not known to be usable: the duplicate stays."""
    assert keeper_drift(*pair(**changes), DAY) is not None


def test_of_two_unusable_cards_one_is_enough():
    """A duplicate that nobody can pay with may go also where the other card cannot be used."""
    planned, keeper = pair(instrument_status="INACTIVE")
    gone = as_planned(fetched_row(card=raw_card("old", "2025-01", par="P")), keeper="new")
    assert keeper_drift(planned, keeper, DAY) is not None
    assert keeper_drift(gone, keeper, DAY) is None


def test_a_card_without_a_keeper_has_none():
    """A row that names no card to keep cannot rest on one."""
    planned, keeper = as_planned(fetched_row(card=raw_card("old", par="P"))), pair()[1]
    assert keeper_drift(planned, keeper | {"instrument_id": None}, DAY) is not None
