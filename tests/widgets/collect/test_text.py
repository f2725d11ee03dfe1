"""What the panel for collecting says."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tokenvault_data.client.pacing.governor import Budget
from tokenvault_data.collection.customer_list import read_customers
from tokenvault_data.collection.progress import Progress
from tokenvault_data.collection.run_progress import RunProgress
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.widgets.collect.customer_source import ListRead
from tokenvault_data.widgets.collect.estimate import Estimate
from tokenvault_data.widgets.collect.text import (
    account_blocks,
    cause_in_words,
    elsewhere_line,
    found_line,
    list_blocks,
    plan_blocks,
    progress_line,
    stopped_line,
)

BUDGET = Budget(100, 0.5, 50.0, 49, 0, None, 0.0)
UNDER_WAY = Progress(
    phase="collecting",
    run_id="20261122T104800Z-3f9a1c",
    requested=3000,
    resumed=1000,
    fetched=190,
    empty=10,
    failed=4,
    cards=300,
    requests=204,
    elapsed_seconds=240.0,
    customers_per_minute=49.0,
    requests_per_minute=49.4,
    out_for_seconds=0.0,
    budget=BUDGET,
)
SEEN = RunProgress(
    run_id="20261122T104800Z-3f9a1c",
    requested=3000,
    done=1204,
    failed=4,
    cards=2000,
    causes={"not_found": 4},
    is_worked_on=False,
    is_finished=False,
    snapshot_id=None,
    last_active_at=datetime(2026, 11, 22, 10, 48, 5, tzinfo=UTC),
)


def test_progress_is_told_in_one_line():
    """Customers, cards and failures of all sessions; pace against budget; time left."""
    assert progress_line(UNDER_WAY, cards_before=1700, failed_before=1) == (
        "1,204 of 3,000 customers, 2,000 cards, 5 failed."
        " 49 requests a minute of the 50 that are ours; about 36 min 39 s left."
    )


def test_progress_says_no_more_than_is_known():
    """Without a budget no share of it, without a pace no time."""
    line = progress_line(replace(UNDER_WAY, budget=None, customers_per_minute=0.0, failed=0))
    assert line == "1,200 of 3,000 customers, 300 cards. 49 requests a minute."


@pytest.mark.parametrize(
    ("phase", "said"),
    [("publishing", "is being published"), ("out_of_reach", "out of reach for 1 min 05 s")],
)
def test_progress_of_other_phases(phase, said):
    """An outage says for how long."""
    assert said in progress_line(replace(UNDER_WAY, phase=phase, out_for_seconds=65.0))


def test_credentials_are_masked():
    """The account's name is, and its secret is nowhere."""
    profile = emulator_profile(client_id="TEST1234567890abcd", client_secret="very-secret")
    said = str(
        list(account_blocks(profile, emulator_is_ours=True, told_per_minute=None, was_asked=False))
    )
    assert "TEST…abcd" in said
    assert "1234567890" not in said
    assert "very-secret" not in said


def test_what_was_read_is_said_without_ids():
    """Counts, and what was not requested by reason."""
    read = ListRead(read_customers(["cust_0000001", "", "cust_0000001", "a/b"]))
    said = list(list_blocks(read))
    assert ("figures", [("1", "customers"), ("3", "not requested")]) in said
    assert (
        "list",
        ["1 blank (row 2)", "1 sign with a meaning in URLs (row 4)", "1 duplicate (row 3)"],
    ) in said
    assert "cust_" not in str(said)


def test_the_whole_limit_is_warned_of():
    """Also beside a limit that cannot be read."""
    kinds = [kind for kind, _ in plan_blocks(Estimate(10, 1.0, 100), "the limit is odd")]
    assert kinds == ["warning", "lead", "note", "warning"]


def test_what_stopped_and_what_can_be_gone_on_with():
    """With where it is kept, and how many are left."""
    assert stopped_line(SEEN, how="Cancelled") == (
        "Cancelled at 1,204 of 3,000 customers, 4 of them failed."
        " What was done is kept in run 20261122T104800Z-3f9a1c."
    )
    line = found_line(SEEN, same_list=False, list_is_read=True)
    assert "A collection of 3,000 customers stopped at 1,204, last written 2026-11-22 10:48" in line
    assert "another list" in line
    assert line.endswith("the other 1,796.")
    assert "another list" not in found_line(SEEN, same_list=False, list_is_read=False)


def test_who_collects_elsewhere_is_said_with_what_to_do():
    """Another panel can be stopped from here, another process cannot."""
    assert "pause it here" in elsewhere_line(SEEN, in_this_kernel=True)
    assert "Another process" in elsewhere_line(SEEN, in_this_kernel=False)


def test_a_cause_without_words_is_named():
    """A new kind of failure is not lost."""
    assert cause_in_words("some_new_kind") == "some new kind"
    assert "404" in cause_in_words("not_found")
