"""What a cleanup would do, counted before anybody plans it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cleanup_vaults import (
    ALL_OPEN,
    DAY,
    NOW,
    expired_vault,
    publish_vault,
    raw_card,
    selecting_once,
)

from tokenvault_data.analysis.filters.filters import expired
from tokenvault_data.cleanup.plan.planning import plan_cleanup
from tokenvault_data.cleanup.plan.simulation import (
    minutes_needed,
    requests_needed,
    simulate_cleanup,
)
from tokenvault_data.cleanup.selection import exclusions, rules
from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.errors import RefusedByGuardRail, UsageError

EXPIRED = rules.expired(DAY)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """Expired cards of two banks, one of unknown bank, one customer with a last usable card."""
    vault = expired_vault(4)
    vault["customer-last"] = [raw_card("last", "2027-02", network="rupay")]
    vault["customer-none"] = [raw_card("no-day", None, bank=None, network="rupay", status="FAILED")]
    return publish_vault(tmp_path_factory.mktemp("store"), vault)


def rows(table):
    return {row[0]: tuple(row[1:4]) for row in table.astype(object).to_numpy().tolist()}


def test_before_and_after_add_up(snapshot):
    """By network, bank and expiry, before less planned is after, and each adds up to the vault."""
    found = simulate_cleanup(snapshot, EXPIRED, ALL_OPEN, now=NOW)
    assert (found.cards, found.customers, found.vault_cards) == (4, 4, 10)
    assert rows(found.by_bank.fillna("?")) == {
        "HDFC Bank": (5, 2, 3),
        "ICICI Bank": (4, 2, 2),
        "?": (1, 0, 1),
    }
    assert rows(found.by_network) == {"visa": (8, 4, 4), "rupay": (2, 0, 2)}
    assert rows(found.by_expiry.fillna("?")) == {
        "2025-06": (4, 4, 0),
        "2027-02": (1, 0, 1),
        "2029-06": (4, 0, 4),
        "?": (1, 0, 1),
    }
    for table in found.tables:
        assert table["cards_before"].sum() == 10
        assert table["cards_planned"].sum() == 4
    assert found.by_expiry["planned_share"].tolist()[0] == 1.0


def test_what_is_spared_is_said(snapshot):
    """A customer's last usable card is counted, and nobody is left without one."""
    found = simulate_cleanup(snapshot, rules.networks("rupay"), ALL_OPEN, now=NOW)
    assert (found.cards, found.left_out[exclusions.SPARED], found.left_without_usable) == (1, 1, 0)
    assert found.left_out == {exclusions.SPARED: 1}
    bold = simulate_cleanup(
        snapshot, rules.networks("rupay"), replace(ALL_OPEN, keep_last_usable=False), now=NOW
    )
    assert (bold.cards, exclusions.SPARED in bold.left_out, bold.left_without_usable) == (
        2,
        False,
        1,
    )
    assert "1 customer would be left without a usable card." in bold.findings


@pytest.fixture
def selects_once():
    with selecting_once():
        yield


@pytest.mark.usefixtures("selects_once")
def test_a_plan_is_made_exactly_where_none_is_foretold_to_be_refused(snapshot):
    """What the simulation says of guard rails is what planning does about them."""
    three, four = (replace(ALL_OPEN, rows=rows) for rows in (3, 4))
    for limits, hours in ((ALL_OPEN, 1), (Limits(), 1), (three, 1), (four, 1), (four, 40)):
        given = {"now": NOW + timedelta(hours=hours), "as_of": DAY}
        found = simulate_cleanup(snapshot, EXPIRED, limits, **given)
        if found.violations:
            with pytest.raises(RefusedByGuardRail) as error:
                plan_cleanup(snapshot, EXPIRED, limits=limits, planner="Asha", **given)
            assert found.violations[0].sentence in str(error.value)
        else:
            made = plan_cleanup(snapshot, EXPIRED, limits=limits, planner="Asha", **given)
            assert len(made.cards) == found.cards


def test_a_condition_will_do(snapshot):
    """Any condition of the analysis can be simulated as it is."""
    assert simulate_cleanup(snapshot, expired(DAY), now=NOW).sentence == EXPIRED.sentence()


def test_nothing_to_plan_is_said(snapshot):
    """A rule that selects nothing costs nothing and says so."""
    found = simulate_cleanup(snapshot, rules.networks("amex"), now=NOW, limit_per_minute=60)
    assert (found.cards, found.requests, found.minutes) == (0, 0, 0.0)
    assert "There is nothing to plan." in found.findings


@pytest.mark.parametrize(
    ("cards", "calls"),
    [(0, 0), (1, 4 + 3 + 1), (50, 200 + 3 + 5), (51, 204 + 4 + 5)],
)
def test_requests(cards, calls):
    """Four a card, a control for fifty and two, one in fifty spare."""
    assert requests_needed(cards) == calls


def test_minutes_are_those_of_the_share(snapshot):
    """Calls take their time at the campaign's share of the limit; no limit, no time."""
    assert minutes_needed(100, None, 0.5) is None
    assert minutes_needed(100, 100, 0.5) == 2.0
    assert minutes_needed(100, 100, 0) == float("inf")
    found = simulate_cleanup(snapshot, EXPIRED, ALL_OPEN, limit_per_minute=10, now=NOW)
    assert found.minutes == pytest.approx(found.requests / 5)
    never = simulate_cleanup(
        snapshot, EXPIRED, replace(ALL_OPEN, rate_share=0), limit_per_minute=10, now=NOW
    )
    assert "never end" in repr(never)


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "60"])
def test_a_rate_limit_is_a_number(snapshot, limit):
    """No time can be told from anything but a whole number of requests."""
    with pytest.raises(UsageError, match="rate limit"):
        simulate_cleanup(snapshot, EXPIRED, limit_per_minute=limit, now=NOW)


def test_what_is_shown_names_nobody(snapshot):
    """Text and HTML say rule, figures and guard rails, escaped, and hold no id."""
    found = simulate_cleanup(snapshot, EXPIRED, now=NOW, limit_per_minute=100)
    for shown in (repr(found), found._repr_html_()):
        assert "4 cards of 4 customers would be deleted in emulator" in shown
        assert "expires before 22 November 2026" in shown
        assert "Would be refused: 4 cards are" in shown
        assert "HDFC Bank" in shown
        for secret in ("cust_", "old-", "customer-", "live_"):
            assert secret not in shown
    hostile = simulate_cleanup(snapshot, rules.banks("<script>alert(1)</script>"), now=NOW)
    assert "<script>" not in hostile._repr_html_()
