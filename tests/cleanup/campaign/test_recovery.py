"""A campaign's folder and the account's memory: the same story, or only reading leads on."""

import json
import shutil
from datetime import UTC, datetime

import pytest
from cleanup_plans import make_plan

from tokenvault_data.cleanup.campaign.recovery import (
    begin_memory,
    not_the_same,
    opened_for_recovery,
    problem_of,
    problem_of_journal,
    write_recovery,
)
from tokenvault_data.cleanup.journal.journal import FILE_NAME, Journal, JournalHead
from tokenvault_data.cleanup.journal.records import Record, ended, moved, state
from tokenvault_data.cleanup.ledger.ledger import Ledger, Mark
from tokenvault_data.cleanup.ledger.machine import MACHINE_NAME, machine_id, read_machine
from tokenvault_data.errors import CampaignHalted, CampaignPaused

PLAN = make_plan(environment="emulator")
OTHER = make_plan(environment="emulator", note="another")
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def head_of(plan=PLAN):
    return JournalHead(plan.id, plan.digest, "emulator", plan.merchant, 3, "asha", machine_id())


class Place:
    """The folder of a campaign, and the ledger of its account."""

    def __init__(self, folder):
        self.root = folder
        self.folder = folder / "store" / "campaigns" / PLAN.id
        self.folder.mkdir(parents=True)
        self.path = self.folder / FILE_NAME
        self.ledger = Ledger.open("emulator", None, store=folder / "store", config_dir=folder)

    def journal(self, plan=PLAN):
        return Journal.open(self.path, head_of(plan), clock=lambda: NOW)

    def begin(self):
        begin_memory(self.folder, PLAN, self.ledger)
        with self.journal() as journal:
            journal.commit([state("sealed", "canary", None)])
        return self

    def intend(self, number, attempt, *, remembered=True):
        card = PLAN.cards[number]
        with self.journal() as journal:
            journal.commit(intent_of(number, attempt))
            if remembered:
                ids = (card.customer_id, card.instrument_id, attempt)
                self.ledger.intents(PLAN.id, "", [ids], journal.mark)
        return self

    def accept(self, number, attempt):
        detail = {"attempt": attempt, "outcome": "accepted", "status": 200, "code": None}
        detail |= {"request_id": "r", "evidence_seconds": 0.5, "late_seconds": None}
        with self.journal() as journal:
            journal.commit(
                [Record("outcome", number, detail), moved(number, "intended", "accepted")]
            )
        return self

    def problem(self):
        """What `Campaign.apply` asks, in its order."""
        found = problem_of(self.folder, PLAN, self.ledger)
        if found is not None:
            return found
        begin_memory(self.folder, PLAN, self.ledger)
        with self.journal() as journal:
            return problem_of_journal(journal, PLAN, self.ledger)

    def opened(self):
        return opened_for_recovery(self.folder, PLAN, head_of(), self.ledger, lambda: NOW)

    def recover(self):
        """Write the recovery, and give the campaign as it stands then, with the problem."""
        journal, problem = self.opened()
        with journal:
            if problem is not None:
                write_recovery(
                    journal, PLAN, self.ledger, self.folder, problem=problem, by="chitra"
                )
            return journal.standing, problem

    def records(self, *kinds):
        with self.journal() as journal:
            rows = journal._connection.execute("SELECT kind,number,detail FROM audit").fetchall()
        return [(n, json.loads(detail)) for kind, n, detail in rows if kind in kinds]


def intent_of(number, attempt):
    checked = {"status": 200, "verdict": "holds", "reason": None, "request_id": "r"}
    intended = {"attempt": attempt, "ordinal": 1, "idempotency_key": f"k-{attempt}"}
    intended |= {"deadline": "d", "evidence_seconds": 0.5, "bound_seconds": 2.0}
    return [
        Record("checked", number, checked | {"asked_at": "t", "listed": 2}),
        moved(number, "planned", "checked"),
        Record("intended", number, intended),
        moved(number, "checked", "intended"),
    ]


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.ledger.close()


def test_a_sound_campaign_has_no_problem(place):
    """Before it begins, after, and with a journal that is ahead of what is remembered."""
    assert place.problem() is None
    place.begin()
    assert place.problem() is None
    place.intend(0, "a")
    assert place.problem() is None
    place.accept(0, "a").intend(1, "b", remembered=False)
    assert place.problem() is None


def test_a_crash_while_it_begins_is_no_problem(place):
    """After the machine was written down, the ledger, an empty file, or a file half made."""
    begin_memory(place.folder, PLAN, place.ledger)
    assert place.problem() is None
    place.path.unlink()
    place.path.touch()
    assert place.problem() is None
    place.path.unlink()
    (place.folder / MACHINE_NAME).unlink()
    assert place.problem() is None
    assert read_machine(place.folder)[0] == machine_id()


def test_nothing_of_a_beginning_is_written_twice(place):
    """A campaign that goes on begins no second time in the ledger."""
    for _ in range(3):
        begin_memory(place.folder, PLAN, place.ledger)
    assert [line.event for line in place.ledger._files[0].lines] == ["opened"]


def emptied(place):
    place.path.write_bytes(b"")


def other_machine(place):
    content = {"format": "tokenvault-machine", "host": "till-7", "machine": "f" * 16}
    (place.folder / MACHINE_NAME).write_text(json.dumps(content))


def forgotten(place):
    place.ledger.close()
    for folder in (place.root / "ledger", place.root / "store" / "ledger"):
        shutil.rmtree(folder)
    store = place.root / "store"
    place.ledger = Ledger.open("emulator", None, store=store, config_dir=place.root)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda place: place.path.unlink(), "journal is missing"),
        (emptied, "journal is missing"),
        (other_machine, "another machine (till-7)"),
        (lambda place: (place.folder / MACHINE_NAME).unlink(), "does not say on which machine"),
        (forgotten, "remembers nothing"),
    ],
)
def test_a_folder_that_is_not_the_one_remembered_is_found(place, harm, words):
    """Before its journal is opened, and before anything is written."""
    place.begin().intend(0, "a").accept(0, "a")
    harm(place)
    before = {path.name: path.read_bytes() for path in place.folder.iterdir()}
    assert words in place.problem()
    assert before == {path.name: path.read_bytes() for path in place.folder.iterdir()}


def test_an_older_copy_of_the_journal_is_found(place):
    """It lacks the record after which a delete was last sent."""
    place.begin().intend(0, "a").accept(0, "a")
    old = place.path.read_bytes()
    place.intend(1, "b").accept(1, "b")
    assert place.problem() is None
    place.path.write_bytes(old)
    assert "older copy" in place.problem()


def test_another_history_of_the_same_plan_is_found(place):
    """With as many records and more, but not those that were written then."""
    place.begin().intend(0, "a").accept(0, "a")
    place.path.unlink()
    with place.journal() as journal:
        journal.commit([state("sealed", "canary", None)])
        journal.commit(intent_of(1, "x"))
        journal.commit(intent_of(2, "y"))
    assert "another one" in place.problem()


def test_what_it_says_leads_to_the_recovery():
    """Nothing was sent, and what to type."""
    error = not_the_same("its journal is missing", PLAN)
    assert isinstance(error, CampaignHalted)
    assert "its journal is missing" in str(error)
    assert "nothing was sent" in str(error).lower()
    assert f"tokenvault cleanup recover {PLAN.id}" in str(error)


def test_a_sound_campaign_is_not_recovered(place):
    """There is nothing wrong with it, and nothing is written."""
    place.begin().intend(0, "a").accept(0, "a")
    before = place.path.read_bytes()
    standing, problem = place.recover()
    assert (standing.state, problem) == ("canary", None)
    assert place.path.read_bytes() == before


def test_a_halted_campaign_is_recovered_for_its_own_reason(place):
    """Its journal is the one; what it was halted for is why it is recovered."""
    place.begin()
    with place.journal() as journal:
        journal.commit([state("canary", "halted", "the vault answered with another card")])
    standing, problem = place.recover()
    assert problem == "the vault answered with another card"
    assert (standing.state, standing.is_recovered) == ("verifying", True)


@pytest.mark.parametrize(
    "content", [b"", None, b"no database " * 999, b"SQLite format 3\x00" + b"x" * 5000]
)
def test_a_lost_journal_is_begun_again_with_what_is_remembered(place, content):
    """Cards whose attempts the ledger knows are looked at; what was there is set aside."""
    place.begin().intend(0, "a").accept(0, "a").intend(2, "c")
    place.path.unlink()
    if content is not None:
        place.path.write_bytes(content)
    standing, problem = place.recover()
    assert problem is not None
    assert (standing.state, standing.is_recovered) == ("verifying", True)
    assert [item.is_remembered for item in standing.items] == [True, False, True]
    assert [item.state for item in standing.items] == ["verifying", "planned", "verifying"]
    remembered = place.records("remembered")
    assert [(n, one["attempt"], one["campaign"]) for n, one in remembered] == [
        (0, "a", PLAN.id),
        (2, "c", PLAN.id),
    ]
    ((_, said),) = place.records("recovered")
    assert said == {"by": "chitra", "machine": machine_id(), "reason": problem}
    kept = [path.read_bytes() for path in place.folder.glob(f"{FILE_NAME}.set-aside-*")]
    assert kept == ([content] if content else [])
    assert place.problem() is None


def test_an_older_copy_gets_back_what_it_lacks(place):
    """Attempts that it holds are not remembered a second time, those that ended stay ended."""
    place.begin().intend(0, "a").accept(0, "a")
    with place.journal() as journal:
        seen = {"status": 404, "verdict": "gone", "request_id": "r", "after_seconds": 61.0}
        journal.commit(
            [
                Record("seen", 0, seen),
                moved(0, "accepted", "verifying"),
                ended(0, "verifying", "deleted", "404"),
            ]
        )
    place.intend(1, "b")
    old = place.path.read_bytes()
    place.accept(1, "b").intend(2, "c")
    place.path.write_bytes(old)
    standing, _ = place.recover()
    assert [item.state for item in standing.items] == ["final", "intended", "verifying"]
    assert [n for n, _ in place.records("remembered")] == [2]
    assert not list(place.folder.glob("*set-aside*"))


def test_each_attempt_on_a_card_is_remembered(place):
    """A card may have had several, and the audit asks for all of them."""
    place.begin().intend(0, "a")
    with place.journal() as journal:
        card = PLAN.cards[0]
        ids = (card.customer_id, card.instrument_id, "a-again")
        place.ledger.intents(PLAN.id, "", [ids], journal.mark)
    place.path.unlink()
    place.recover()
    assert [(n, one["attempt"]) for n, one in place.records("remembered")] == [
        (0, "a"),
        (0, "a-again"),
    ]


def test_attempts_that_were_taken_back_are_not_remembered(place):
    """Nothing left for them."""
    place.begin().intend(0, "a")
    with place.journal() as journal:
        place.ledger.withdrawn(PLAN.id, "", ["a"], journal.mark)
    place.path.unlink()
    standing, _ = place.recover()
    assert [item.state for item in standing.items] == ["planned"] * 3


def test_attempts_of_other_campaigns_are_not_this_ones(place):
    """What else was sent for the account is remembered of the cards, and not of this journal."""
    place.begin().intend(0, "a")
    card = PLAN.cards[1]
    ids = (card.customer_id, card.instrument_id, "other")
    place.ledger.intents(OTHER.id, "", [ids], Mark(5, "h"))
    place.path.unlink()
    standing, _ = place.recover()
    assert [item.is_remembered for item in standing.items] == [True, False, False]


def test_a_journal_of_another_plan_is_set_aside(place):
    """And found to be that, wherever it came from; several are kept side by side."""
    for number in (1, 2):
        place.path.unlink(missing_ok=True)
        with place.journal(OTHER):
            pass
        content = place.path.read_bytes()
        standing, problem = place.recover()
        assert standing.state == "verifying"
        assert problem
        assert (place.folder / f"{FILE_NAME}.set-aside-{number}").read_bytes() == content


def test_on_another_machine_it_is_recovered_for_that(place):
    """The folder names this machine afterwards, and the journal who recovered it where."""
    place.begin().intend(0, "a")
    other_machine(place)
    standing, problem = place.recover()
    assert "another machine" in problem
    assert standing.is_recovered
    assert read_machine(place.folder)[0] == machine_id()
    assert place.problem() is None


@pytest.mark.parametrize("step", ["ledger", "machine"])
def test_a_recovery_that_died_is_done_again(place, monkeypatch, step):
    """After the journal was written, or after the ledger was: the next one ends it."""
    place.begin().intend(0, "a")
    place.path.unlink()
    other_machine(place)

    class Died(BaseException):
        pass

    def die(*_):
        raise Died

    with monkeypatch.context() as patched:
        if step == "ledger":
            patched.setattr(place.ledger, "recovered", die)
        else:
            patched.setattr("tokenvault_data.cleanup.campaign.recovery.write_machine", die)
        with pytest.raises(Died):
            place.recover()
    assert place.problem() is not None
    standing, _ = place.recover()
    assert (standing.state, standing.items[0].is_remembered) == ("verifying", True)
    assert place.problem() is None
    again, problem = place.recover()
    assert (again.state, problem) == ("verifying", None)


def test_a_journal_that_cannot_be_set_aside_is_told(place, monkeypatch):
    """And left where it is."""
    place.begin()
    place.path.write_bytes(b"no database " * 999)

    def fails(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.PosixPath.rename", fails)
    with pytest.raises(CampaignPaused, match="Permission denied"):
        place.opened()
    assert place.path.read_bytes().startswith(b"no database")
