"""When a campaign's journal and the memory of what was sent do not fit, and the way out.

A journal that is missing, older than the last delete, of another machine or of another campaign
would make its own deletes look like cards that were never there. So nothing is sent then. `recover`
leads out of it: it only reads, and what was attempted by the ledger's word and is gone ends as
`gone_unattributed`, never as `already_gone`.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from tokenvault_data.cleanup.campaign.status import holds_mark, last_mark
from tokenvault_data.cleanup.journal.journal import FILE_NAME, Journal
from tokenvault_data.cleanup.journal.records import Record, moved, state
from tokenvault_data.cleanup.ledger.machine import machine_id, read_machine, write_machine
from tokenvault_data.errors import CampaignHalted, CampaignPaused

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from tokenvault_data.cleanup.journal.journal import JournalHead
    from tokenvault_data.cleanup.ledger.ledger import Ledger
    from tokenvault_data.cleanup.plan.plan import Plan

_SET_ASIDE = "set-aside"
_ANOTHER_JOURNAL = (
    "its journal is another one than, or an older copy of, the one by which deletes were last sent"
)


def problem_of(folder: Path, plan: Plan, ledger: Ledger) -> str | None:
    """Say why a campaign's folder is not the one that the ledger remembers, None where it may be.

    What a damaged journal holds is not looked at; `problem_of_journal` does, once it is open.
    """
    mark, machine = ledger.mark(plan.id), read_machine(folder)
    has_journal = _size(folder / FILE_NAME) > 0
    if machine is not None and machine[0] != machine_id():
        return f"it was begun on another machine ({machine[1]})"
    if mark is None and has_journal:
        return "this machine remembers nothing of it, though its journal is there"
    if mark is not None and mark.seq > 0 and not has_journal:
        return "its journal is missing, and deletes of it are remembered"
    if machine is None and has_journal:
        return "its folder does not say on which machine it was begun"
    with suppress(CampaignPaused):  # whoever opens it says why it cannot be read
        if mark is not None and has_journal and not holds_mark(folder / FILE_NAME, mark):
            return _ANOTHER_JOURNAL
    return None


def problem_of_journal(journal: Journal, plan: Plan, ledger: Ledger) -> str | None:
    """Say why an open journal is not the one that the ledger remembers, None where it is."""
    mark = ledger.mark(plan.id)
    if mark is None or journal.extends(mark):
        return None
    return _ANOTHER_JOURNAL


def not_the_same(problem: str, plan: Plan) -> CampaignHalted:
    """Return what is raised for such a problem."""
    return CampaignHalted(
        f"the campaign cannot go on: {problem}. Nothing was sent. `tokenvault cleanup recover"
        f" {plan.id}` finds out by reading alone what has become of its cards and ends it; make a"
        " new plan for what is left"
    )


def catch_up(journal: Journal, plan: Plan, ledger: Ledger, instance: str) -> None:
    """Remember intents that a process wrote into the journal and died before the ledger had them.

    They were not sent; the campaign, which cannot know that, looks at their cards.
    """
    lacking = [
        (plan.cards[number].customer_id, plan.cards[number].instrument_id, attempt)
        for attempt, number in journal.attempts()
        if not ledger.knows(attempt)
    ]
    ledger.intents(plan.id, instance, lacking, journal.mark)


def vouch_for(folder: Path, plan: Plan, ledger: Ledger) -> None:
    """Remember all of a journal that is closed, where its process died before it could.

    Nothing is remembered of a journal that is not the one whose deletes the ledger knows.
    """
    mark, last = ledger.mark(plan.id), last_mark(folder / FILE_NAME)
    if mark is None or last is None or last.seq <= mark.seq:
        return
    if problem_of(folder, plan, ledger) is None and holds_mark(folder / FILE_NAME, mark):
        ledger.closed(plan.id, last)


def begin_memory(folder: Path, plan: Plan, ledger: Ledger) -> None:
    """Write down, before the journal is made, that a campaign begins here."""
    if read_machine(folder) is None:
        write_machine(folder)
    if ledger.mark(plan.id) is None:
        ledger.opened(plan.id)


def opened_for_recovery(
    folder: Path, plan: Plan, head: JournalHead, ledger: Ledger, clock: Callable[[], datetime]
) -> tuple[Journal, str | None]:
    """Open what is left of a campaign's journal, or begin one where nothing can be made of it.

    A journal that cannot be read, or is about something else, is set aside under another name.

    Returns
    -------
    tuple of (Journal, str or None)
        Open, and why the campaign has to be recovered; None where nothing is wrong with it.

    Raises
    ------
    CampaignPaused
        It cannot be read or written now.
    """
    path, problem = folder / FILE_NAME, problem_of(folder, plan, ledger)
    try:
        journal = Journal.open(path, head, clock=clock)
    except CampaignHalted as error:
        problem = problem or str(error).partition(";")[0]
        _set_aside(path)
        journal = Journal.open(path, head, clock=clock)
    problem = problem or problem_of_journal(journal, plan, ledger)
    if problem is None and journal.standing.state == "halted":
        problem = journal.standing.reason or "it was halted"
    return journal, problem


def _set_aside(path: Path) -> None:
    number = 1
    while (aside := path.with_name(f"{FILE_NAME}.{_SET_ASIDE}-{number}")).exists():
        number += 1
    try:
        path.rename(aside)
        with suppress(FileNotFoundError):
            rollback = path.with_name(f"{FILE_NAME}-journal")
            rollback.rename(rollback.with_name(f"{aside.name}-journal"))
    except OSError as error:
        raise CampaignPaused(
            f"the damaged journal cannot be set aside ({error.strerror or error}); nothing was"
            " sent. Check the folder's permissions, then try again"
        ) from error


def write_recovery(
    journal: Journal, plan: Plan, ledger: Ledger, folder: Path, *, problem: str, by: str
) -> None:
    """Write into the journal what the ledger remembers, and let the campaign verify it.

    Parameters
    ----------
    journal : Journal
        Open.
    plan, ledger, folder
    problem : str
        Why it is recovered.
    by : str
        Who does it.
    """
    standing = journal.standing
    records: list[Record] = []
    if standing.state != "halted":
        records.append(state(standing.state, "halted", problem))
    detail = {"by": by, "machine": machine_id(), "reason": problem}
    records.append(Record("recovered", None, detail))
    known = {attempt for attempt, _ in journal.attempts()}
    lost: defaultdict[str, list[str]] = defaultdict(list)
    for attempt, hashed in ledger.attempts_of(plan.id).items():
        if attempt not in known:
            lost[hashed].append(attempt)
    if lost:
        for card in plan.cards:
            item = standing.items[card.number]
            hashes = ledger.hashes(card.customer_id, card.instrument_id)
            attempts = [attempt for one in hashes if one in lost for attempt in lost[one]]
            if not attempts or not item.is_open or item.is_remembered:
                continue  # what an earlier recovery wrote down is not written twice
            records += [
                Record("remembered", card.number, ledger.attempt(attempt)._asdict())
                for attempt in attempts
            ]
            if item.state == "planned":
                records.append(
                    moved(card.number, "planned", "verifying", "an attempt is remembered")
                )
    records.append(state("halted", "verifying", f"{by} recovered it"))
    journal.commit(records)
    ledger.recovered(plan.id, journal.mark)
    write_machine(folder)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
