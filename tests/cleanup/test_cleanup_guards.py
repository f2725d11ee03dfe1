"""Each guard of a campaign has a quick test of its own, which fails where the guard is missing.

`test_cleanup_mutants` shows the same from the outside, with a server and a process that dies; this
is for the many guards that a test of one module, or of the simulated vault, can see.
"""

from dataclasses import dataclass

import pytest
from cleanup_child import ROOT
from cleanup_mortals import zygote


@dataclass(frozen=True)
class Guard:
    """The test that needs it, and what has to be replaced in the source for it to be gone."""

    test: str
    module: str
    changes: tuple[tuple[str, str], ...]


def guard(test, module, *change):
    changes = tuple(zip(change[::2], change[1::2], strict=True))
    return Guard(f"tests/{test}", f"tokenvault_data.{module}", changes)


_EVIDENCE = (
    "            self._heartbeat, self._limits.evidence_seconds + reservation.spacing_seconds\n"
)
_ASKED = "        answer = await self._sender.read_list(card.customer_id, reservation)\n"
_REMEMBER = (
    "        self._memory.remember("
    "self._plan, records, self._journal.mark, self._sender.instance)\n"
)
_TAKE_LINES = "        for line in self._merged():\n            self._take(line)\n"
_QUEUED = 'deque(number for number in numbers if items[number].state == "planned")'
_POPPED = '                number, do = queued.popleft(), "check"\n'
_LEFT = (
    "    left = 0.0 if look.after_seconds is None else "
    "max(0.0, settle_seconds - look.after_seconds)\n"
)

GUARDS = {
    "age counts from before the question": guard(
        "cleanup/engine/test_engine.py::test_a_process_that_read_its_answers_late_deletes_nothing_renewed",
        "cleanup.engine.card_worker",
        _ASKED,
        f"{_ASKED}        evidence = Evidence.about_to_ask(\n{_EVIDENCE}        )\n",
    ),
    "age is by the clock that says most": guard(
        "cleanup/engine/test_freshness.py::test_an_age_that_only_the_wall_clock_saw_is_one",
        "cleanup.clock",
        "max(0.0, *(later - earlier for earlier, later in zip(self, now, strict=True)))",
        "max(0.0, now.monotonic - self.monotonic)",
    ),
    "a heartbeat notices a stop": guard(
        "cleanup/engine/test_freshness.py::test_a_stop_voids_what_was_asked_before",
        "cleanup.engine.freshness",
        "        if max(gaps) > LONGEST_GAP_SECONDS:\n",
        "        if False:\n",
    ),
    "the heart beats": guard(
        "cleanup/engine/test_freshness.py::test_a_heart_beats_until_it_is_stopped",
        "cleanup.engine.freshness",
        "            self.beat()\n",
        "",
    ),
    "evidence has a bound": guard(
        "cleanup/engine/test_freshness.py::test_it_allows_until_its_bound_and_no_longer",
        "cleanup.engine.freshness",
        "        if age > self.bound_seconds:\n            bound",
        "        if False:\n            bound",
    ),
    "evidence is looked at in the moment of sending": guard(
        "cleanup/engine/test_sender.py::test_a_delete_is_taken_back_in_the_last_moment",
        "cleanup.engine.sender",
        "            if problem is not None:\n                raise SendCancelled(problem",
        "            if False:\n                raise SendCancelled(problem",
    ),
    "slots are booked where both may leave": guard(
        "cleanup/engine/test_sender.py::test_slots_that_came_too_late_are_given_back",
        "cleanup.engine.sender",
        "            if not self.gate.closed_for(self._clock.monotonic(), count):\n",
        "            if True:\n",
    ),
    "the last usable card is spared": guard(
        "cleanup/engine/test_engine.py::test_a_card_removed_since_the_plan_makes_the_other_the_last",
        "cleanup.engine.card_worker",
        "        if self._plan.limits.keep_last_usable and self._would_be_missed(row, others):\n",
        "        if False:\n",
    ),
    "own deletes count as gone": guard(
        "cleanup/engine/test_engine.py::test_a_list_that_still_shows_what_was_deleted_keeps_nobody_able_to_pay",
        "cleanup.engine.card_worker",
        'if other is not row and not counts_as_gone(str(other["instrument_id"]))',
        "if other is not row",
    ),
    "unknown is not usable": guard(
        "cleanup/engine/test_card_worker.py::test_a_customers_last_usable_card_is_spared",
        "cleanup.engine.card_worker",
        "{True: 2, None: 1, False: 0}[can]",
        "{True: 2, None: 2, False: 0}[can]",
    ),
    "one card of a customer at a time": guard(
        "cleanup/engine/test_engine.py::test_the_cards_of_a_customer_go_one_after_another",
        "cleanup.engine.engine",
        "        if customer in self._behind:\n",
        "        if False:\n",
    ),
    "the ledger is written": guard(
        "cleanup/engine/test_engine.py::test_a_plain_campaign_holds_after_the_canary_and_deletes_all",
        "cleanup.engine.card_worker",
        _REMEMBER,
        "",
    ),
    "the ledger is written before the send": guard(
        "cleanup/engine/test_engine.py::test_a_plain_campaign_holds_after_the_canary_and_deletes_all",
        "cleanup.engine.card_worker",
        _REMEMBER,
        _REMEMBER.replace(
            "self._memory.remember(",
            '__import__("asyncio").get_running_loop().call_later(0.01, self._memory.remember, ',
        ),
    ),
    "the journal has to extend the ledger": guard(
        "cleanup/campaign/test_recovery.py::test_an_older_copy_of_the_journal_is_found",
        "cleanup.campaign.recovery",
        "    if mark is None or journal.extends(mark):\n",
        "    if True:\n",
        "if mark is not None and has_journal and not holds_mark(folder / FILE_NAME, mark):",
        "if False:",
    ),
    "every attempt on a card is remembered": guard(
        "cleanup/campaign/test_recovery.py::test_each_attempt_on_a_card_is_remembered",
        "cleanup.campaign.recovery",
        "            lost[hashed].append(attempt)\n",
        "            lost[hashed] = [attempt]\n",
    ),
    "a missing journal is noticed": guard(
        "cleanup/campaign/test_recovery.py::test_a_folder_that_is_not_the_one_remembered_is_found",
        "cleanup.campaign.recovery",
        "    if mark is not None and mark.seq > 0 and not has_journal:\n",
        "    if False:\n",
    ),
    "the machine has to be the same": guard(
        "cleanup/campaign/test_recovery.py::test_a_folder_that_is_not_the_one_remembered_is_found",
        "cleanup.campaign.recovery",
        "    if machine is not None and machine[0] != machine_id():\n",
        "    if False:\n",
    ),
    "caps are of the account, not of the campaign": guard(
        "cleanup/engine/test_engine.py::test_what_other_campaigns_sent_today_is_part_of_the_cap",
        "cleanup.ledger.ledger",
        _TAKE_LINES,
        f"{_TAKE_LINES}        self._days.clear()\n",
    ),
    "caps are of the day": guard(
        "cleanup/engine/test_engine.py::test_a_daily_cap_makes_a_campaign_wait",
        "cleanup.engine.card_worker",
        "        if not knows_holds or not self._memory.reserve(self._plan, card, "
        "self._sender.instance):\n",
        "        if not knows_holds:\n",
    ),
    "a revocation reaches cards that wait for their slots": guard(
        "cleanup/engine/test_engine.py::test_what_forbids_to_go_on_is_heeded_by_cards_that_wait_for_their_slots",
        "cleanup.engine.engine",
        "        reason = self._monitor.may_go_on() if self._attempting else None\n",
        "        reason = None\n",
    ),
    "a 403 is about one card while a control card answers": guard(
        "cleanup/engine/test_engine.py::test_a_403_of_everybody_pauses",
        "cleanup.engine.card_worker",
        '        if found == "wrong_account":\n            self._sender.stop(',
        "        if False:\n            self._sender.stop(",
        '        return found == "proven"\n',
        "        return True\n",
    ),
    "refused deletes in a row pause": guard(
        "cleanup/engine/test_engine.py::test_deletes_that_are_refused_one_after_the_other_pause",
        "cleanup.engine.card_worker",
        '            self._count_forbidden("delete")\n',
        "",
    ),
    "refused lists in a row pause": guard(
        "cleanup/engine/test_engine.py::test_lists_that_are_refused_one_after_the_other_pause",
        "cleanup.engine.card_worker",
        '                self._count_forbidden("list")\n',
        "",
    ),
    "a hold list that is lost pauses": guard(
        "cleanup/campaign/test_campaign.py::test_a_hold_list_that_is_lost_meanwhile_pauses",
        "cleanup.engine.card_worker",
        "            self._memory.look_at_holds()\n",
        "            pass\n",
    ),
    "the day is not that of the wall clock": guard(
        "cleanup/ledger/test_ledger.py::test_setting_the_clock_frees_nothing",
        "cleanup.ledger.ledger",
        "        if self._boot and last.boot == self._boot:\n",
        "        if False:\n",
    ),
    "cards on hold are left alone": guard(
        "cleanup/engine/test_engine.py::test_a_card_put_on_hold_meanwhile_is_left_alone",
        "cleanup.engine.card_worker",
        "        if self._memory.is_held(card.customer_id, card.instrument_id):\n",
        "        if False:\n",
    ),
    "hold lists are read again": guard(
        "cleanup/engine/test_memory.py::test_a_card_on_hold_is_held_from_when_its_list_changes",
        "cleanup.engine.memory",
        "            if self._holds.changed():\n",
        "            if False:\n",
    ),
    "revocations are read again": guard(
        "cleanup/campaign/test_campaign.py::test_an_approval_taken_back_stops_what_runs",
        "cleanup.campaign.campaign_run",
        "                revocations=read_revocations(self._folder),\n",
        "",
    ),
    "the end of a plan is met while it runs": guard(
        "cleanup/campaign/test_campaign.py::test_an_approval_taken_back_stops_what_runs",
        "cleanup.campaign.campaign_run",
        "        if now >= datetime.fromisoformat(plan.expires_at):\n",
        "        if False:\n",
    ),
    "the audit asks whom to trust": guard(
        "cleanup/audit/test_approvals.py::test_an_approval_of_a_stranger_is_found",
        "cleanup.audit.approvals",
        "    if not is_known:\n",
        "    if False:\n",
    ),
    "the audit reads the ledger": guard(
        "cleanup/audit/test_ledger_reader.py::test_a_journal_put_back_from_a_copy_is_found",
        "cleanup.audit.ledger_reader",
        "    for sentence in found:\n",
        "    for sentence in ():\n",
    ),
    "when a card was saved tells it from another": guard(
        "cleanup/selection/test_drift.py::test_a_card_saved_anew_under_its_id_is_another",
        "cleanup.selection.drift",
        '    "created_at",\n',
        "",
    ),
    "a mandate's reference tells a card from another": guard(
        "cleanup/selection/test_drift.py::test_a_card_saved_anew_under_its_id_is_another",
        "cleanup.selection.drift",
        '    "afa_reference",\n',
        "",
    ),
    "a card has to stay gone": guard(
        "cleanup/engine/test_engine.py::test_a_card_that_comes_back_is_not_deleted",
        "cleanup.engine.decisions",
        _LEFT,
        "    left = 0.0\n",
    ),
    "no card is met twice": guard(
        "cleanup/engine/test_engine.py::test_a_card_taken_up_and_planned_again_is_met_once",
        "cleanup.engine.engine",
        _QUEUED,
        "deque(numbers)",
        _POPPED,
        f'{_POPPED}                if self._standing.items[number].state != "planned":\n'
        "                    continue\n",
    ),
    "what a ledger remembers is not already gone": guard(
        "cleanup/engine/test_decisions.py::test_a_card_that_another_campaign_attempted_is_not_already_gone",
        "cleanup.engine.decisions",
        "    if not item.doubtful and (remembered is not None or item.is_remembered):\n",
        "    if False:\n",
    ),
    "the ledger is asked before a card is already gone": guard(
        "cleanup/engine/test_engine.py::test_what_another_campaign_deleted_is_not_already_gone",
        "cleanup.engine.card_worker",
        'decisions.proven_gone(number, item, "404", self._remembered(number))',
        'decisions.proven_gone(number, item, "404")',
    ),
    "a list of somebody else is none": guard(
        "cleanup/engine/test_list_answer.py::test_a_card_of_another_customer_makes_all_of_it_unclear",
        "cleanup.engine.list_answer",
        "        if customer not in (None, answer.customer_id):\n",
        "        if False:\n",
    ),
    "a list that says two things is none": guard(
        "cleanup/engine/test_list_answer.py::test_one_card_twice_with_different_content_makes_all_of_it_unclear",
        "cleanup.engine.list_answer",
        "        if seen.setdefault(instrument, element) != element:\n",
        "        if False:\n",
    ),
    "a list that is null is none": guard(
        "cleanup/engine/test_sender.py::test_what_is_no_whole_list_is_none",
        "client.paging",
        "            is_usable = is_list or self._is_lenient\n",
        "            is_usable = True\n",
    ),
    "a list of which pages are missing is none": guard(
        "cleanup/engine/test_sender.py::test_a_list_of_which_a_further_page_is_missing_is_none",
        "cleanup.engine.sender",
        "                    customer_id,\n                    None,\n                    pages,\n",
        "                    customer_id,\n                    chain.instruments,\n"
        "                    pages,\n",
    ),
    "who trusts himself types so": guard(
        "cleanup/approval/test_approvers.py::test_self_managed_trust_in_production_is_typed",
        "cleanup.approval.approvers",
        '    if plan.environment == "production" and trust.source == "self":\n',
        "    if False:\n",
    ),
    "the canary is worked out again": guard(
        "cleanup/plan/test_plan.py::test_a_plan_that_contradicts_itself_is_none",
        "cleanup.plan.content",
        "        bool(canary) and plan.canary == canary,\n",
        "        bool(canary),\n",
    ),
    "the dates of a plan follow from its limits": guard(
        "cleanup/plan/test_plan.py::test_a_plan_that_contradicts_itself_is_none",
        "cleanup.plan.content",
        "    _check_dates(plan)\n\n\n",
        "\n\n",
    ),
    "the counts of a plan fit its cards": guard(
        "cleanup/plan/test_plan.py::test_a_plan_that_contradicts_itself_is_none",
        "cleanup.plan.content",
        "    _check_counts(plan, customers)\n    _check(",
        "    _check(",
    ),
    "the rule selects the planned cards": guard(
        "cleanup/plan/test_plan.py::test_a_card_that_the_rule_or_the_clock_contradicts_is_refused",
        "cleanup.plan.content",
        "    if wrong is not None:\n",
        "    if False:\n",
    ),
}


@pytest.fixture(scope="module")
def forked_from():
    with zygote() as made:
        yield made


def tried(forked_from, tests, *guards, at_most_seconds=30):
    """Run tests in a process of their own, in which some guards are missing."""
    mutants = [
        {"module": one.module, "old": old, "new": new} for one in guards for old, new in one.changes
    ]
    named = [f"{ROOT}/{test}" for test in tests]
    forked_from.order(
        {
            "tests": named,
            "mutants": mutants,
            "at_most_seconds": at_most_seconds,
            "warm": ["_pytest.assertion.rewrite", "hypothesis.stateful", "pytest"],
        }
    )
    answer = forked_from.answer()
    assert "failed" in answer, answer
    return answer


@pytest.mark.mutant
@pytest.mark.parametrize("name", GUARDS)
def test_a_guard_that_is_missing_is_missed(forked_from, name):
    """The test that needs it fails, in what it says and not for want of a module."""
    one = GUARDS[name]
    failed = tried(forked_from, [one.test], one)["failed"]
    assert any(where.endswith("(call)") for where in failed), (f"{name} survived", failed)
    assert not any("NameError" in said or "LookupError" in said for said in failed.values()), failed


@pytest.mark.mutant
def test_with_all_guards_in_place_these_tests_pass(forked_from):
    """So what they fail of is the missing guard."""
    tests = sorted({one.test for one in GUARDS.values()})
    answer = tried(forked_from, tests, at_most_seconds=110)
    assert answer["failed"] == {}
    assert answer["passed"] >= len(tests)
