"""Expiry figures of a report, with the people behind them."""

from __future__ import annotations

from datetime import date

import pytest
from report_cases import table_of, vault_of

from tokenvault_data.reports.disclosure.published_expiry import coming_months
from tokenvault_data.reports.disclosure.small_groups import HIDDEN
from tokenvault_data.reports.page.facts import gather

AS_OF = date(2026, 11, 22)


def published(groups):
    """Publish groups of (customers, changes of their card), a card a customer."""
    return gather(table_of(vault_of(groups)), as_of=AS_OF).expiry


LARGE = [
    (20, {"expires": "2026-10"}),
    (9, {"expires": "2026-11"}),
    (8, {"expires": "2026-12"}),
    (7, {"expires": "2027-01"}),
    (30, {"expires": "2029-01"}),
    (6, {"expires": None}),
]


def test_large_groups_are_all_there_and_add_up():
    """Every bucket shows its cards; the month of the day itself is still to come."""
    found = published(LARGE)
    assert found.outlook["cards"].tolist() == [20, 9, 8, 7, 30, 6]
    assert found.calendar["cards"].tolist() == [9, 8, 7, *[0] * 9]
    assert (found.expired_active, found.unknown) == (20, 6)
    assert not found.outlook[HIDDEN].any()
    assert not found.heat_map[HIDDEN].any()


def test_a_small_month_hides_its_bucket_and_one_beside():
    """A month that is all of a bucket would be told by it, and the bucket by the total."""
    found = published([*LARGE[:2], (3, {"expires": "2026-12"}), *LARGE[3:]])
    outlook = found.outlook.set_index("bucket")
    assert outlook.loc["31-60 days", HIDDEN]
    assert found.calendar.set_index("expiry").loc["2026-12", HIDDEN]
    assert outlook[HIDDEN].sum() == 2
    assert 75 - outlook["cards"].dropna().sum() >= 5


def test_few_expired_cards_that_are_not_active_hide_those_that_are():
    """Expired cards less expired ACTIVE ones would otherwise be a small group."""
    found = published([*LARGE, (2, {"expires": "2026-09", "status": "INACTIVE"})])
    assert found.expired_active is None or found.outlook["cards"].isna()[0]


def test_what_a_bank_has_beyond_the_calendar_is_no_small_group():
    """A bank whose total is shown hides a month when only few of its cards expire elsewhere."""
    found = published([(9, {"expires": "2026-12"}), (3, {"expires": "2029-01"})])
    assert found.heat_map[HIDDEN].any()


@pytest.mark.parametrize("as_of", [date(2026, 12, 31), date(2028, 2, 29), date(2027, 1, 1)])
def test_the_calendar_begins_with_the_month_of_the_day(as_of):
    """Twelve months, the current one first, over the end of a year."""
    months = coming_months(as_of)
    assert months[0] == f"{as_of:%Y-%m}"
    assert len(set(months)) == 12
    assert months == sorted(months)
