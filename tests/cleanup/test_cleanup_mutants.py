"""Each promise is guarded: a toolkit in which one of its lines is wrong is found out.

A mutant is the toolkit with one place of its source replaced (the text has to be there exactly
once), loaded by the process that applies a plan. What finds it is the witness, the audit, or what a
scenario expects.
"""

from dataclasses import dataclass

import pytest
from cleanup_mortals import mortal, zygote

from tokenvault_data.cleanup.campaign.locking import only_campaign, only_in_folder
from tokenvault_data.config.loading import emulator_profile


@pytest.fixture(scope="module")
def forked_from():
    with zygote() as made:
        yield made


# -- scenarios: each gives sentences about what is wrong ------------------------------------------


def to_the_end(one, *, kill_at=None, faults="", tries=4, seconds=20.0, **order):
    """Apply to the end, with one kill on the way if told so."""
    one.emulator.set_faults(faults)
    if kill_at is not None and not one.run_until_killed(kill_at, **order):
        return [f"it never came to {kill_at}"]
    answer = {}
    for _ in range(tries):
        answer = one.run(kill_after_seconds=seconds, **order)
        if answer.get("error") == "CampaignHalted":
            return [*one.found(), answer["message"]]
        if answer.get("is_over"):
            return one.found(is_over=True)
    return [*one.found(), f"P6: it never ends: {answer}"]


def honest(one, **order):
    return to_the_end(one, tries=2, seconds=3.0, **order)


def killed_after_a_send(one, **order):
    return to_the_end(one, kill_at="after_send", **order)


def killed_before_an_outcome(one, **order):
    return to_the_end(one, kill_at="before_outcome_commit", **order)


def lied_to(one, **order):
    return to_the_end(one, faults="unapplied@delete", tries=2, **order)


def lied_to_for_long(one, **order):
    return to_the_end(one, faults="unapplied@delete", tries=3, seconds=2.5, **order)


def answered_500(one, **order):
    return to_the_end(one, faults="500@delete#first=2", **order)


def told_an_untrue_404(one, **order):
    """A first delete that comes to nothing, and a first fetch that shows none, which is not so."""
    return to_the_end(one, faults="500@delete#first=1;404@fetch#first=1", **order)


def in_a_wrong_account(one, **order):
    one.emulator.set_faults("404@fetch#6-")
    one.run(kill_after_seconds=2.0, **order)
    found = one.found()
    one.emulator.set_faults("")
    return found + to_the_end(one, **order)


def with_changed_cards(one, **order):
    """Blocked, re-issued and renewed meanwhile: one card each, and the last three of the plan."""
    changes = ({"status": "INACTIVE"}, {"instrument_uid": "f" * 64}, {"expiry_year": 2031})
    for ids, change in zip(reversed(one.ids), changes, strict=False):
        one.change_card(ids, **change)
    found = to_the_end(one, **order)
    sent = {ids for ids in one.deletes() if ids in one.drifted_at}
    return found + [f"P3: {len(sent)} changed cards got a delete"] * bool(sent)


def stood_still(one, **order):
    """Stopped for longer than a check holds, right before the first delete leaves."""
    stop = {"at": "after_intent_commit", "stop_seconds": 1.5}
    one.run(speed=1.0, check_holds_seconds=0.3, **stop, **order)
    return one.found() + to_the_end(one, **order)


def over_the_cap(one, **order):
    found = to_the_end(one, **order)
    return [sentence for sentence in found if "records" not in sentence]


def beside_another(one, **order):
    """While this process holds the account's lock, as a campaign of its own would."""
    account = emulator_profile(one.emulator.base_url).merchant_digest
    with only_campaign("emulator", account, one.store / "config"):
        answer = one.run(**order)
    found = [] if answer.get("error") == "Locked" else ["a second process was let in"]
    if one.emulator.wire_log.entries():
        found.append("a second process sent requests")
    return found


def beside_another_user(one, **order):
    """While this process holds the lock of the campaign's folder, as one of another user would."""
    with only_in_folder(one.folder):
        answer = one.run(**order)
    found = [] if answer.get("error") == "Locked" else ["a second process was let in"]
    if one.emulator.wire_log.entries():
        found.append("a second process sent requests")
    return found


def with_an_older_journal(one, **order):
    """Put back as it was after the canary, the journal does not know what was deleted since."""
    one.run(through=False, **order)
    older = (one.folder / "journal.sqlite").read_bytes()
    one.run_until_killed("after_outcome_commit", nth=2, tries=1, **order)
    one.lose_journal("older", older)
    requests = len(one.emulator.wire_log.entries())
    answer = one.run(may_fail=True, **order)
    found = [] if answer.get("error") == "CampaignHalted" else [f"it goes on: {answer}"]
    if len(one.emulator.wire_log.entries()) > requests:
        found.append("it goes on and sends requests")
    return found


def killed_before_its_last_record(one, **order):
    """Aborted, and killed when all items had ended, before the journal was closed."""
    if not one.run_until_killed("before_check", tries=1, **order):
        return ["it never began"]
    if not one.run_until_killed("in_recovery", nth=2, abort=True, tries=1, **order):
        return ["it was never aborted"]
    answer = one.run(abort=True, may_fail=True, **order)
    return [] if answer.get("is_over") else [f"P6: it never ends: {answer['message']}"]


def killed_within_a_transaction(one, **order):
    """Killed by the altered line itself; whoever takes it up has the right toolkit."""
    if "killed" not in one.run(**order):
        return ["nobody was killed"]
    answer = one.run()
    found = [answer["message"]] if answer.get("error") == "CampaignHalted" else []
    return found or to_the_end(one)


@dataclass(frozen=True)
class Mutant:
    """One wrong line: where it is, in what scenario it shows, and words of what is said then."""

    scenario: object
    says: str
    changes: tuple[tuple[str, str, str], ...]
    limits: tuple[tuple[str, object], ...] = (("attempts", 2),)


VISITS = "tokenvault_data.cleanup.engine.card_worker"
STEPS = "tokenvault_data.cleanup.engine.decisions"
JOURNAL = "tokenvault_data.cleanup.journal.journal"
JUDGING = "tokenvault_data.cleanup.engine.card_worker"
DRIFTING = "tokenvault_data.cleanup.selection.drift"
CAMPAIGN = "tokenvault_data.cleanup.campaign.campaign"
ADMISSION = "tokenvault_data.cleanup.campaign.preflight"
CALLER = "tokenvault_data.client.client"

_CHECK = (
    "            was_attempted=item.doubtful > 0,\n"
    "            counts_as_gone=partial(self._counts_as_gone, card.customer_id),\n"
    "        )\n"
)
_PASSED = f"{_CHECK}        check = check._replace(verdict='holds')\n"
_ASKED = "        answer = await self._sender.read_list(card.customer_id, reservation)\n"
_UNASKED = (
    '        answer = __import__("tokenvault_data.cleanup.engine.list_answer", fromlist=["x"])'
    '.ListAnswer(card.customer_id, [], (b"[]",), None, 200, "r")\n'
)
_SETTLE = "    return Decision((record, step), *_settling(state, now))"
_COMMITTED = "            await self.commit(step.records)\n        finally:\n"
_HANDED_ON = "        return await self._delete(number, intent, progress, evidence, reservation)\n"
_DEFINED = (
    "        evidence: Evidence,\n        reservation: Reservation,\n    ) -> Decision:\n"
    "        card, item"
)
_SENT = '        self._checkpoint("after_send")\n'
_LATE_INTENT = (
    (
        "tokenvault_data.cleanup.engine.card_worker",
        _COMMITTED,
        "            pass\n        finally:\n",
    ),
    (
        "tokenvault_data.cleanup.engine.card_worker",
        _HANDED_ON,
        _HANDED_ON.replace("reservation)", "reservation, step.records)"),
    ),
    (
        "tokenvault_data.cleanup.engine.card_worker",
        _DEFINED,
        _DEFINED.replace("Reservation,\n", "Reservation,\n        late: Sequence[Record],\n"),
    ),
    (
        "tokenvault_data.cleanup.engine.card_worker",
        _SENT,
        f"{_SENT}        await self.commit(late)\n",
    ),
)
_BEGIN = '            self._connection.execute("BEGIN IMMEDIATE")\n'
_AUDIT = (
    '            self._connection.executemany("INSERT INTO audit VALUES (?,?,?,?,?,?,?)", lines)\n'
)
_DIE = (
    '            if any(record.kind == "outcome" for record in records):\n'
    "                os.kill(os.getpid(), 9)\n"
)
_EXCHANGE = "            result = await self._wire.exchange(call.method, url, headers)\n"
_LOCK = "            locks.enter_context(only_campaign(*whose, plan_id=self.plan.id))\n"
_FOLDER_LOCK = "            locks.enter_context(only_in_folder(self.folder))\n            if not"
_OLDER = "        if problem is not None:\n            journal.close()\n"
_OTHER_IDENTITY = (
    "        if sealed is not None and found != sealed and not _is_one_moment(sealed, found):\n"
)
_FRESH_KEY = "            self._new_id(),\n            deadline"
_CAPPED_ROWS = (("rows", 3),)
_UNSETTLED = (("attempts", 2), ("settle_seconds", 0.0))
_AGED = (("attempts", 2), ("settle_seconds", 0.1), ("evidence_seconds", 0.2))
_IGNORED_CAP = (
    (ADMISSION, "    if broken:\n", "    if False:\n"),
    (
        VISITS,
        "if item.intents == 0 and self._attempted >= self._limits.rows:",
        "if False:",
    ),
)

MUTANTS = {
    "intent after send": Mutant(killed_after_a_send, "has no attempts row", _LATE_INTENT),
    "intent after send, and nobody dies": Mutant(
        honest, "arrived before it was intended", _LATE_INTENT
    ),
    "cached re-check": Mutant(
        honest,
        "without a list of its own",
        ((VISITS, _CHECK, _PASSED), (VISITS, _ASKED, _UNASKED)),
    ),
    "blind resend in recovery": Mutant(
        killed_before_an_outcome,
        "without a list of its own",
        (
            (
                VISITS,
                _CHECK,
                f"{_CHECK}        if item.sends:\n    {_PASSED.removeprefix(_CHECK)}",
            ),
            (
                VISITS,
                _ASKED,
                f"        if item.sends:\n    {_UNASKED}        else:\n    {_ASKED}",
            ),
            (
                STEPS,
                '            return Decision(records, *_settling("in_doubt", now))',
                (
                    '            back = (moved(number, "in_doubt", "verifying"),)\n'
                    '            back += (moved(number, "verifying", "planned"),)\n'
                    '            return Decision(records + back, NextAction("check"), fresh)'
                ),
            ),
        ),
    ),
    "trusted 200": Mutant(
        lied_to,
        "the vault still holds it",
        (
            (
                STEPS,
                _SETTLE,
                '    if state == "accepted":\n'
                '        done = (moved(number, state, "verifying"),)\n'
                '        done += (ended(number, "verifying", "deleted", "200"),)\n'
                "        done_now = (record, step, *done)\n"
                '        return Decision(done_now, NextAction("nothing"), CardProgress())\n'
                + _SETTLE,
            ),
        ),
    ),
    "verification skipped": Mutant(
        honest,
        "no later fetch showed it gone",
        (
            (
                STEPS,
                _SETTLE,
                '    if state == "accepted":\n'
                '        look = moved(number, state, "verifying")\n'
                "        looked = (record, step, look)\n"
                '        return Decision(looked, NextAction("await_control"), CardProgress())\n'
                + _SETTLE,
            ),
        ),
    ),
    "404 without a control read": Mutant(
        honest,
        "without a control read after it",
        (
            (
                STEPS,
                "        return Decision(seen, *_absent(item, progress, left))\n",
                (
                    "        then, progress = _absent(item, progress, left)\n"
                    '        if then.do == "await_control":\n'
                    '            seen += (proven_gone(number, item, "404"),)\n'
                    '            then = NextAction("nothing")\n'
                    "        return Decision(seen, then, progress)\n"
                ),
            ),
        ),
    ),
    "one 404 is enough": Mutant(
        told_an_untrue_404,
        "the vault still holds it",
        ((STEPS, "ABSENCES_OTHERWISE: Final = 3", "ABSENCES_OTHERWISE: Final = 1"),),
        _UNSETTLED,
    ),
    "one 404 is enough after a 200": Mutant(
        honest,
        "by 1 of 2 fetches in a row",
        ((STEPS, "ABSENCES_AFTER_200: Final = 2", "ABSENCES_AFTER_200: Final = 1"),),
        _UNSETTLED,
    ),
    "any account is the right one": Mutant(
        in_a_wrong_account,
        "without a control read after it",
        ((JUDGING, '        return "bad"\n', '        return "good"\n'),),
    ),
    "unresolved is called deleted": Mutant(
        lied_to,
        "the vault still holds it",
        (
            (
                STEPS,
                'end = ended(number, "verifying", "unresolved", _still_there(item))',
                'end = ended(number, "verifying", "deleted", _still_there(item))',
            ),
        ),
    ),
    "one idempotency key an item": Mutant(
        answered_500,
        "deletes have the idempotency key",
        (
            (VISITS, _FRESH_KEY, _FRESH_KEY.replace("self._new_id(),", 'f"key-{number}",')),
            (JOURNAL, "idempotency_key TEXT NOT NULL UNIQUE", "idempotency_key TEXT NOT NULL"),
        ),
    ),
    "the library tries again by itself": Mutant(
        answered_500,
        "deletes have the idempotency key",
        (
            (
                CALLER,
                _EXCHANGE,
                f"{_EXCHANGE}            if result.status == 500:\n    {_EXCHANGE}",
            ),
        ),
    ),
    "another card's path": Mutant(
        honest,
        "not in the plan",
        (
            (
                VISITS,
                "call = delete_call(card.customer_id, card.instrument_id)",
                (
                    "other = self._plan.controls[0]\n"
                    "        call = delete_call(other.customer_id, other.instrument_id)"
                ),
            ),
        ),
    ),
    "drift of status ignored": Mutant(
        with_changed_cards,
        "showed another card",
        ((DRIFTING, "    if status != planned.instrument_status:\n", "    if False:\n"),),
    ),
    "drift of identity ignored": Mutant(
        with_changed_cards,
        "showed another card",
        ((DRIFTING, _OTHER_IDENTITY, "        if False:\n"),),
    ),
    "cap not checked at run time": Mutant(
        over_the_cap, "the cap rows allows 3", _IGNORED_CAP, _CAPPED_ROWS
    ),
    "attempts without end": Mutant(
        lied_to_for_long,
        "deletes of item",
        (
            (STEPS, "    if item.sends >= attempts:\n", "    if False:\n"),
            (STEPS, "if may_attempt and item.sends < attempts and", "if may_attempt and"),
        ),
    ),
    "age ignored": Mutant(
        stood_still,
        "after its deadline",
        (
            (
                "tokenvault_data.cleanup.engine.freshness",
                "        age = self.age_seconds()\n        if self._heartbeat.stops",
                "        return None\n        if self._heartbeat.stops",
            ),
        ),
        _AGED,
    ),
    "a second process is let in": Mutant(
        beside_another, "a second process", ((CAMPAIGN, _LOCK, ""),)
    ),
    "a second user is let in": Mutant(
        beside_another_user,
        "a second process",
        ((CAMPAIGN, _FOLDER_LOCK, "            if not"),),
    ),
    "an older journal is gone on with": Mutant(
        with_an_older_journal,
        "it goes on",
        (
            (CAMPAIGN, _OLDER, _OLDER.replace("problem is not None", "False")),
            (
                "tokenvault_data.cleanup.campaign.recovery",
                "if mark is not None and has_journal and not holds_mark(folder / FILE_NAME, mark):",
                "if False:",
            ),
        ),
    ),
    "audit row outside the transaction": Mutant(
        killed_within_a_transaction,
        "does not say of item",
        ((JOURNAL, _BEGIN + _AUDIT, _AUDIT + _DIE + _BEGIN),),
    ),
    "an abort that dies never ends": Mutant(
        killed_before_its_last_record,
        "P6: it never ends",
        (
            (
                CAMPAIGN,
                "if self.status().is_over and self._is_closed():",
                "if self.status().is_over:",
            ),
        ),
    ),
}
HARMLESS = {
    "the right toolkit": (),
    "killed within a transaction": ((JOURNAL, _BEGIN + _AUDIT, _BEGIN + _AUDIT + _DIE),),
    "a cap that only the run itself holds": _IGNORED_CAP[:1],
}


def played(forked_from, place, scenario, changes, limits=(("attempts", 2),)):
    mutants = [{"module": module, "old": old, "new": new} for module, old, new in changes]
    with mortal(forked_from, place, customers=9, limits=limits) as one:
        return scenario(one, mutants=mutants)


@pytest.mark.mutant
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found_out(forked_from, tmp_path, name):
    """Somebody notices, and for the right reason."""
    mutant = MUTANTS[name]
    found = played(forked_from, tmp_path, mutant.scenario, mutant.changes, mutant.limits)
    # A mutant may also trip over the journal, which refuses records that do not follow.
    reasons = (mutant.says, "does not fit what was written before it")
    assert any(reason in sentence for sentence in found for reason in reasons), (
        f"{name} survived",
        found,
    )


@pytest.mark.mutant
@pytest.mark.parametrize(
    ("scenario", "name"),
    [
        (killed_after_a_send, "the right toolkit"),
        (lied_to, "the right toolkit"),
        (answered_500, "the right toolkit"),
        (in_a_wrong_account, "the right toolkit"),
        (told_an_untrue_404, "the right toolkit"),
        (with_changed_cards, "the right toolkit"),
        (stood_still, "the right toolkit"),
        (beside_another, "the right toolkit"),
        (beside_another_user, "the right toolkit"),
        (with_an_older_journal, "the right toolkit"),
        (killed_before_its_last_record, "the right toolkit"),
        (killed_within_a_transaction, "killed within a transaction"),
        (over_the_cap, "a cap that only the run itself holds"),
    ],
)
def test_nobody_cries_wolf(forked_from, tmp_path, scenario, name):
    """The toolkit as it is passes every scenario, so what finds a mutant is the mutant."""
    special = {over_the_cap: _CAPPED_ROWS, stood_still: _AGED}
    limits = special.get(scenario, (("attempts", 2),))
    assert played(forked_from, tmp_path, scenario, HARMLESS[name], limits) == []
