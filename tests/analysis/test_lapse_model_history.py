"""What became of scheduled cards between snapshots, against a count made card by card."""

from collections import Counter
from datetime import UTC, date, datetime

import pytest
from analysis_cases import card, publish
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lapse_cases import START, moment, text

from tokenvault_data.analysis.lapse_model import LapseStep, history, looks_of
from tokenvault_data.errors import UsageError

_CARD = st.tuples(
    st.sampled_from(["a", "b", None]),
    st.sampled_from([None, 0, 1, 2, 3, 9]),
    st.sampled_from(["ACTIVE", "ACTIVE", "INACTIVE"]),
)
_VAULT = st.fixed_dictionaries({f"c{at}": st.lists(_CARD, max_size=3) for at in range(3)})
_FAILED = st.sets(st.sampled_from(["c0", "c1"]))


def snapshot_of(store, vault, failed, month):
    sent = {
        customer: [
            card(
                name,
                instrument_status=status,
                expiry_year=None if expiry is None else text(expiry)[:4],
                expiry_month=None if expiry is None else text(expiry)[5:],
            )
            for name, expiry, status in cards
        ]
        for customer, cards in vault.items()
        if customer not in failed
    }
    return publish(store, sent, failed=sorted(failed), now=moment(month))


def scheduled(vault, failed):
    return Counter(
        (customer, name, expiry)
        for customer, cards in vault.items()
        if customer not in failed
        for name, expiry, status in cards
        if expiry is not None and status == "ACTIVE"
    )


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(_VAULT, _VAULT, st.tuples(_FAILED, _FAILED), st.integers(1, 3))
def test_steps_count_what_survived_and_what_came(tmp_path, old, new, failures, gap):
    """Cards of customers fetched both times survive or do not; of the others nothing is counted."""
    failed_old, failed_new = failures
    snapshots = [
        snapshot_of(tmp_path, old, failed_old, 0),
        snapshot_of(tmp_path, new, failed_new, gap),
    ]
    failed = failed_old | failed_new
    before, after = scheduled(old, failed), scheduled(new, failed)
    looks, _ = looks_of(snapshots)
    with history(looks) as past:
        found = past.steps(0, 4)
        all_of_old = past.scheduled(0)
        both_of_old = past.scheduled(0, [0, 1])
    for lead, step in enumerate(found):
        keys = {key for key in before | after if key[2] == lead}
        assert step == LapseStep(
            lead,
            gap,
            sum(before[key] for key in keys),
            sum(min(before[key], after[key]) for key in keys),
            sum(max(after[key] - before[key], 0) for key in keys),
        )
    everyone = Counter(START + key[2] for key in scheduled(old, failed_old).elements())
    assert all_of_old == dict(everyone)
    assert both_of_old == dict(Counter(START + key[2] for key in before.elements()))


def test_looks_are_in_order_and_not_too_close(tmp_path):
    """The newest counts; one of the same month or of less than 20 days before is passed over."""
    made = [
        publish(tmp_path, {"c": [card()]}, now=datetime(2026, month, day, 12, tzinfo=UTC))
        for month, day in [(11, 1), (8, 30), (10, 31), (10, 2), (10, 5), (11, 22)]
    ]
    looks, passed_over = looks_of(made)
    days = [(look.day.month, look.day.day) for look in looks]
    assert days == [(8, 30), (10, 31), (11, 22)]
    assert passed_over == 3
    assert looks_of(made[0])[0][0].day == date(2026, 11, 1)


def test_the_day_of_a_look_is_that_of_india(tmp_path):
    """A snapshot made in the evening of the last of November UTC is one of December."""
    late = publish(tmp_path, {"c": []}, now=datetime(2026, 11, 30, 18, 30, tzinfo=UTC))
    (look,), _ = looks_of([late])
    assert look.day == date(2026, 12, 1)


@pytest.mark.parametrize("given_", [[], [1], "latest", [None]])
def test_what_is_no_snapshot_is_refused(given_):
    """A history is made of snapshots."""
    with pytest.raises(UsageError, match="one snapshot or several"):
        looks_of(given_)
