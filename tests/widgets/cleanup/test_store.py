"""What a panel finds in a store: open campaigns of its account only, and approvals that count."""

from dataclasses import replace

import pytest
from cleanup_bench import WIDE, cleanup_bench

from tokenvault_data.cleanup.approval.approvals import approve_plan, write_approval
from tokenvault_data.cleanup.approval.approvers import trust_approver
from tokenvault_data.cleanup.approval.keys import keygen, load_signing_key
from tokenvault_data.cleanup.campaign.preflight import Account
from tokenvault_data.cleanup.plan.plan_file import seal_plan
from tokenvault_data.cleanup.plan.planning import plan_cleanup
from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.cleanup.selection.rules import expired_for
from tokenvault_data.dataset.today import today_in_india
from tokenvault_data.widgets.cleanup.store import approvals_of, open_campaigns, refusal_of


@pytest.fixture
def bench(tmp_path):
    with cleanup_bench(tmp_path) as made:
        yield made


@pytest.fixture
def plan(bench):
    rule = expired_for(1, today_in_india())
    return plan_cleanup(bench.snapshot, rule, limits=Limits(**WIDE), planner="Asha")


def test_only_open_plans_of_the_account_are_found(bench, plan):
    """Another environment's, an outdated one and a damaged one are not offered; that is counted."""
    seal_plan(plan, bench.store)
    outdated = replace(
        plan, limits=replace(plan.limits, plan_hours=0.0), expires_at=plan.created_at
    )
    others = [
        replace(plan, environment="sandbox"),
        outdated,
        replace(plan, note="to be damaged"),
    ]
    places = [seal_plan(one, bench.store) for one in others]
    places[2].chmod(0o600)
    places[2].write_bytes(places[2].read_bytes()[:-9])
    found, unreadable = open_campaigns(bench.store, "emulator", plan.merchant)
    assert [one.plan for one in found] == [plan]
    assert unreadable == 1
    assert f"{plan.id}: {len(plan.cards)} cards, sealed, made " in found[0].label
    assert open_campaigns(bench.store, "emulator", "0123456789ab")[0] == []


def test_production_waits_for_somebody_else(bench, plan, tmp_path):
    """Needed and missing; given by one not trusted; given by one who is: only then it is enough."""
    config = tmp_path / "config"
    plan = replace(plan, environment="production")
    folder = seal_plan(plan, bench.store).parent
    account = Account("production", plan.merchant, 1.0)
    before = approvals_of(plan, folder, config)
    assert before.is_needed
    assert "nobody has approved it" in refusal_of(plan, account, bench.store, config)
    files = keygen("Ravi", directory=config)
    write_approval(approve_plan(plan, load_signing_key("Ravi", directory=config)), folder)
    unknown = approvals_of(plan, folder, config)
    assert "its key is not among" in unknown.refused[0].why
    assert unknown.refused[0].why in refusal_of(plan, account, bench.store, config)
    trust_approver(files.public, config)
    after = approvals_of(plan, folder, config)
    assert [one.approver for one in after.counting] == ["Ravi"]
    assert after.phrase == f"{plan.phrase} self-administered"
    assert refusal_of(plan, account, bench.store, config) is None


def test_a_hold_list_that_was_taken_away_closes_the_plan(bench):
    """What was on hold when the plan was made has to be on hold when it is applied."""
    (bench.store / "holds").mkdir()
    disputes = bench.store / "holds" / "disputes.txt"
    disputes.write_text("cust_0000001\n")
    panel = bench.sealed_by_hand()
    assert "disputes.txt (1 entry" in panel.part(3)._repr_html_()
    assert not panel.phrase.disabled
    disputes.unlink()
    panel.reread.click()
    assert panel.phrase.disabled
    assert "The hold list disputes.txt was in force" in panel._session.refusal


def test_elsewhere_it_may_be_left_out_and_must_count_if_given(bench, tmp_path):
    """The panel reads approvals when asked to: one that does not count closes the button."""
    config = bench.store / "config"
    panel = bench.sealed()
    assert not panel.phrase.disabled
    assert "4. Approval: not needed in the emulator" in panel.part(4)._repr_html_()
    assert f"tokenvault cleanup approve {panel.plan.id} --key NAME" in panel.part(4)._repr_html_()
    files = keygen("Ravi", directory=config)
    folder = bench.store / "campaigns" / panel.plan.id
    write_approval(approve_plan(panel.plan, load_signing_key("Ravi", directory=config)), folder)
    panel.reread.click()
    assert panel.phrase.disabled
    assert "4. Approval: an approval does not count" in panel.part(4)._repr_html_()
    trust_approver(files.public, config)
    panel.reread.click()
    assert not panel.phrase.disabled
    assert "4. Approval: given by Ravi" in panel.part(4)._repr_html_()
    assert bench.emulator.wire_log.entries() == []
