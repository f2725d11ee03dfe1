"""The ledger under audit: it vouches for the journal that it remembers, and for no other."""

import hmac

import pytest
from cleanup_journals import (
    CARD_KEY,
    ELSEWHERE,
    START,
    Book,
    campaign_folder,
    every_final,
    findings,
    found,
    ledger_lines,
    make_plan,
    proof,
    small,
    unsealed,
    whole_ledger,
    write_ledger,
)

from tokenvault_data.cleanup.audit import ledger_reader
from tokenvault_data.cleanup.audit.audit import LEDGER_ANCHOR
from tokenvault_data.cleanup.ledger.machine import machine_id

NOT_THE_ONE = "the journal is not the one whose deletes the ledger remembers"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of this user, where the ledgers of real accounts are."""
    place = tmp_path / "home"
    monkeypatch.setattr(ledger_reader, "home_directory", lambda: place)
    return place / ".local" / "state" / "tokenvault-data" / "ledger"


def over(machine=None):
    """A book of an emulator's campaign applied on this machine: two gone, one missing before."""
    book = small(machine=machine or machine_id()).delete(0).release().delete(1)
    book.check(2, 200, "absent", listed=0).item(2, "checked").item(2, "verifying")
    book.see(2).see(2).see(2).control().item(2, "final", "already_gone", "404")
    return book.end("completed")


def remembered(tmp_path, book, change=None):
    """Write a campaign and its ledger, with its lines changed; give the folder."""
    folder = campaign_folder(tmp_path, book)
    lines = whole_ledger(book)
    if change is not None:
        lines = change(lines) or lines
    write_ledger(tmp_path / "config" / "ledger", book.plan, lines)
    return folder


def test_the_ledger_vouches_for_its_own_journal(tmp_path):
    """With it, up to the last record, the campaign is proven."""
    result = proof(remembered(tmp_path, over()))
    assert (result.findings, result.anchors, result.proven) == ((), (LEDGER_ANCHOR,), True)
    assert result.verdict.startswith("Everything holds, and the ledger vouches for it: 3 planned")
    assert not any("vouches for records" in note for note in result.notes)


def test_a_ledger_that_ends_before_the_journal_vouches_for_nothing(tmp_path):
    """What came after its last mark could be anything; how to complete it is said."""
    result = proof(remembered(tmp_path, over(), lambda lines: lines[:-1]))
    assert (result.findings, result.anchors, result.proven) == ((), (), False)
    (reach,) = (note for note in result.notes if note.startswith("The ledger vouches for records"))
    assert f"of the journal's {result.records}" in reach
    assert "apply the plan again" in reach


def test_the_ledger_of_a_real_account_is_in_the_users_home(tmp_path, home, monkeypatch):
    """No variable moves it; what is in the configuration is not read for production."""
    book = every_final(machine=machine_id())
    folder = campaign_folder(tmp_path, book)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    write_ledger(tmp_path / "config" / "ledger", book.plan, ledger_lines(book))
    assert "knows nothing of it" in findings(folder)[0]
    write_ledger(home, book.plan, whole_ledger(book))
    assert proof(folder).anchors == (LEDGER_ANCHOR,)


def test_a_campaign_applied_here_that_the_ledger_does_not_know_is_found(tmp_path):
    """No ledger, or one of other campaigns only; on another machine it is a note."""
    folder = campaign_folder(tmp_path, over())
    assert found(folder, NOT_THE_ONE, "written on this machine")
    strange = ledger_lines(small(note="another plan"))
    assert strange[0]["campaign"] != folder.name
    assert found(remembered(tmp_path, over(), lambda _: strange), "written on this machine")
    result = proof(campaign_folder(tmp_path, over(ELSEWHERE)))
    assert (result.ok, result.complete, result.proven) == (True, True, False)
    assert any("another machine (till)" in note for note in result.notes)
    assert "nothing outside them vouches" in result.verdict
    assert "--seal" in result.verdict
    assert "countersign" in result.verdict


def test_machine_and_journal_name_the_same_machine(tmp_path):
    """A machine file put in place of another is found."""
    folder = remembered(tmp_path, over())
    (folder / "machine.json").write_text('{"host":"x","machine":"0123456789abcdef"}')
    assert found(folder, "machine.json: it names another machine")


def _forget(lines):
    return [line for line in lines if line["attempt"] != "attempt-1-1"]


def _other_hash(lines):
    lines[-1]["journal_hash"] = "0" * 64


def _ahead(lines):
    lines[-1]["journal_seq"] = 9999


def _one_more(lines):
    return [*lines, lines[-1] | {"attempt": "attempt-2-1"}]


def _other_card(lines):
    lines[-1]["card"] = lines[-2]["card"]


def _withdrawn(lines):
    return [*lines, lines[-1] | {"event": "withdrawn", "card": None}]


def _gone_before(lines):
    card = hmac.new(CARD_KEY, b"cust_00002\ninst-00002", "sha256").hexdigest()[:32]
    other = {"campaign": "another", "attempt": "a", "card": card, "at": START.isoformat()}
    return [lines[-1] | other, *lines]


@pytest.mark.parametrize("place", ["config/ledger", "ledger"], ids=["this machine", "store"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_forget, "it holds a delete of card 1 that the ledger does not know"),
        (_other_hash, "has another hash"),
        (_ahead, "record 9999 is missing"),
        (_one_more, "it does not hold the delete intended at"),
        (_other_card, "was of another card than card 1"),
        (_withdrawn, "and the ledger that it was not"),
        (_gone_before, "card 2 is called already_gone"),
    ],
)
def test_what_contradicts_the_ledger_is_found(tmp_path, monkeypatch, place, change, words):
    """Of both memories, the one in the store included; a journal that contradicts is not proven."""
    store = tmp_path / "store"
    (store / "campaigns").mkdir(parents=True)
    book = over()
    folder = campaign_folder(store / "campaigns", book)
    whole = whole_ledger(book)
    write_ledger(tmp_path / "config" / "ledger", book.plan, whole)
    write_ledger(store / "ledger", book.plan, whole)
    assert proof(folder, config_dir=tmp_path / "config").proven
    lines = [*(change(changed := ledger_lines(book)) or changed), whole[-1]]
    at = (tmp_path if place == "config/ledger" else store) / place
    write_ledger(at, book.plan, lines)
    if change is _forget:  # otherwise the other memory knows it
        other = store / "ledger" if place == "config/ledger" else tmp_path / "config" / "ledger"
        write_ledger(other, book.plan, lines)
    result = proof(folder, config_dir=tmp_path / "config")
    assert any(NOT_THE_ONE in one and words in one for one in result.findings)
    assert not result.proven


def test_a_process_killed_between_journal_and_ledger_is_no_contradiction(tmp_path):
    """Its delete is in doubt in the journal, was never sent, and the ledger does not know it."""
    book = small(machine=machine_id()).intend(0)
    book.outcome(0, "in_doubt", None, evidence=None).item(0, "in_doubt")
    folder = unsealed(tmp_path, book)
    opened = ledger_lines(book)[:1]
    write_ledger(tmp_path / "config" / "ledger", book.plan, opened)
    assert findings(folder) == ()
    book.rows[-2][4]["evidence_seconds"] = 0.5
    assert found(unsealed(tmp_path, book), "it holds a delete of card 0 that the ledger does not")


def test_the_copy_in_the_store_does_not_vouch(tmp_path):
    """It lies beside the journal, so whoever rewrites the one can rewrite the other."""
    store = tmp_path / "store"
    (store / "campaigns").mkdir(parents=True)
    for machine, words in ((ELSEWHERE, "another machine"), (machine_id(), "does not know it")):
        book = over(machine)
        folder = campaign_folder(store / "campaigns", book)
        write_ledger(store / "ledger", book.plan, ledger_lines(book))
        result = proof(folder)
        assert (result.ok, result.anchors, result.proven) == (True, (), False)
        assert any(words in note for note in result.notes)


def test_a_ledger_line_of_another_form_is_damaged(tmp_path):
    """A list for a word, with a hash that fits: a finding, and no crash."""
    book = over()
    folder = campaign_folder(tmp_path, book)
    path = write_ledger(tmp_path / "config" / "ledger", book.plan, whole_ledger(book))
    form = ledger_reader.json.loads(path.read_bytes().splitlines()[0]) | {"event": ["intent"]}
    del form["hash"]
    text = ledger_reader._canonical(form)
    link = ledger_reader.hashlib.sha256(b"\n" + text).hexdigest()
    path.write_bytes(ledger_reader._canonical(form | {"hash": link}) + b"\n")
    assert any("line 1 is not as it was written" in one for one in proof(folder).findings)


@pytest.mark.parametrize("damage", ["flip", "cut inside", "torn end", "removed line"])
def test_a_damaged_ledger_vouches_for_nothing(tmp_path, damage):
    """A changed or lost line is found; a torn last line was never written and is left out."""
    book = over()
    folder = campaign_folder(tmp_path, book)
    whole = whole_ledger(book)
    path = write_ledger(tmp_path / "config" / "ledger", book.plan, whole)
    lines = path.read_bytes().splitlines(keepends=True)
    if damage == "flip":
        lines[1] = lines[1].replace(b"attempt-0-1", b"attempt-0-2")
    elif damage == "cut inside":
        lines[1] = lines[1][:-20] + b"\n"
    elif damage == "removed line":
        del lines[1]
    else:
        lines.append(lines[-1][:-20])
    path.write_bytes(b"".join(lines))
    result = proof(folder)
    if damage == "torn end":
        assert result.proven
    else:
        assert any("line 2 is not as it was written" in one for one in result.findings)
        assert result.anchors == ()


def test_a_removed_journal_is_remembered(tmp_path):
    """The deletes of a journal that is gone are found, however empty the folder looks."""
    book = small(machine=machine_id()).delete(0)
    folder = unsealed(tmp_path, book)
    write_ledger(tmp_path / "config" / "ledger", book.plan, ledger_lines(book))
    assert proof(folder).ok
    (folder / "journal.sqlite").unlink()
    assert found(folder, NOT_THE_ONE, "it does not hold the delete intended at")
    assert found(folder, NOT_THE_ONE, "is missing")


def test_a_journal_put_back_from_a_copy_is_found(tmp_path):
    """An older state of the same journal lacks records that the ledger has marks of."""
    book = small(machine=machine_id()).delete(0).release()
    folder = unsealed(tmp_path, book)
    old = (folder / "journal.sqlite").read_bytes()
    book.delete(1)
    unsealed(tmp_path, book)
    write_ledger(tmp_path / "config" / "ledger", book.plan, ledger_lines(book))
    assert proof(folder).ok
    (folder / "journal.sqlite").write_bytes(old)
    assert found(folder, NOT_THE_ONE, "is missing")


def recovered(attempts):
    """A new journal in place of a lost one that had attempted cards, which it now remembers."""
    book = Book(make_plan(3, environment="emulator"), machine=machine_id())
    book.go("halted", "the journal is missing").recovered(machine=machine_id())
    book.go("verifying").control()
    for number, attempt in enumerate(attempts):
        book.remembered(number, attempt)
        if number == 0:
            book.see(0).see(0).see(0).control().item(0, "final", "gone_unattributed", "404")
        else:
            book.see(number, 200, "present").item(number, "final", "unresolved", "still there")
    for number in range(len(attempts), 3):
        book.item(number, "final", "not_attempted", "the campaign was recovered")
    book.go("completed_with_exceptions").close()
    return book


def test_a_recovered_journal_starts_a_new_history(tmp_path):
    """Marks before the recovery do not count, deletes do; what that means is said."""
    lost = small(machine=machine_id()).delete(0).release().delete(1)
    attempts = [line["attempt"] for line in ledger_lines(lost) if line["attempt"]]
    assert len(attempts) == 2
    folder = remembered(tmp_path, recovered(attempts), lambda new: [*ledger_lines(lost), *new])
    result = proof(folder)
    assert (result.findings, result.anchors) == ((), (LEDGER_ANCHOR,))
    assert dict(result.finals) == {"gone_unattributed": 1, "unresolved": 1, "not_attempted": 1}
    assert any("was recovered" in note and "not known" in note for note in result.notes)
    forgetful = recovered(attempts[:1])
    folder = remembered(tmp_path, forgetful, lambda new: [*ledger_lines(lost), *new])
    assert found(folder, NOT_THE_ONE, attempts[1])


def test_an_intent_taken_back_needs_no_memory_in_a_recovered_journal(tmp_path):
    """It was lost with the journal, and nothing was sent for it."""
    lost = small(machine=machine_id()).delete(0).release().intend(1).withdraw(1)
    sent, withdrawn = dict.fromkeys(one["attempt"] for one in ledger_lines(lost) if one["attempt"])
    folder = remembered(tmp_path, recovered([sent]), lambda new: [*ledger_lines(lost), *new])
    assert proof(folder).ok
    (folder / "journal.sqlite").unlink()
    assert found(folder, NOT_THE_ONE, withdrawn)
