"""What becomes of one item, and what is to be done with it next. Pure: no I/O, no clock.

Each function takes what was just observed and gives the records to write, what to do next and
after how many seconds. Waits: a fetch right after an answer to a delete, then 2, 10 and 60 seconds
later, before a card that is still there gets a fresh attempt; so a deletion that takes effect half
a minute late is never sent twice. What proves nothing (401, 429, 5xx, no answer) does not count as
one of these fetches.

One 404 is a word, and a vault of which one node is ill says it of cards that are there. So a card
is taken for gone once several fetches in a row, at the same intervals, have shown none: see
`ABSENCES_AFTER_200` and `ABSENCES_OTHERWISE`. And a card may come back: the last of these fetches
is made `Limits.settle_seconds` after the delete. A list that lacks the card counts as none of them.
A card shown as INACTIVE where it was active needs one such fetch, no earlier than that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from tokenvault_data.cleanup.journal.records import Record, ended, moved

if TYPE_CHECKING:
    from tokenvault_data.cleanup.engine.responses import ClassifiedResponse
    from tokenvault_data.cleanup.journal.state import Item

SETTLE_SECONDS: Final = (2.0, 10.0, 60.0)
"""Waits between the fetches that follow an attempt."""

ABSENCES_AFTER_200: Final = 2
"""Fetches in a row that have to answer 404 where the vault has accepted the delete."""

ABSENCES_OTHERWISE: Final = 3
"""The same where it has not: nothing but the 404s then says that the card is gone."""

UNCLEAR_SECONDS: Final = (1.0, 2.0, 10.0, 60.0)
"""Waits after fetches that proved nothing, before an item is put off to the end."""

_WRITTEN_AS: Final = {"gone_inactive": "drift", "forbidden": "unclear"}
"""Verdicts for which the journal has a wider word."""

Do = Literal["check", "look", "delete", "await_control", "check_at_end", "look_at_end", "nothing"]


class NextAction(NamedTuple):
    """What is to be done with an item, and in how many seconds.

    ``check`` reads its customer's list before an attempt, ``look`` fetches it after one; the two
    ``at_end`` put it off until nothing else is left to do; ``await_control`` waits for the next
    good control read.
    """

    do: Do
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class CardProgress:
    """What a process remembers of an item between two steps; a crash starts it afresh.

    Attributes
    ----------
    looks : int
        Fetches since the last attempt that showed the card.
    absences : int
        Fetches in a row that showed no card; those that proved nothing do not count.
    spell : int
        `Controls.spell` at the first of them: what a wrong account says counts for nothing.
    unclear : int
        Fetches in a row that proved nothing.
    is_last : bool
        Whether the item was put off to the end and its turn has come.
    is_missed : bool
        Whether the last check did not find it as planned, so that only fetches say it is there.
    pages : int
        Requests that the customer's list took the last time.
    attempted_at : float or None
        When the last delete was answered, on a clock that does not go back; None where this process
        has sent none.
    """

    looks: int = 0
    absences: int = 0
    spell: int = 0
    unclear: int = 0
    is_last: bool = False
    is_missed: bool = False
    pages: int = 1
    attempted_at: float | None = None

    def afresh(self, *, is_last: bool = False) -> CardProgress:
        """Forget what fetches and lists have shown; `is_last` is as given."""
        return CardProgress(is_last=is_last, pages=self.pages, attempted_at=self.attempted_at)


class Decision(NamedTuple):
    """What to write, what to do next, and what to remember."""

    records: tuple[Record, ...]
    next: NextAction
    progress: CardProgress


class ListObservation(NamedTuple):
    """What the customer's list, read before an attempt, showed.

    Attributes
    ----------
    verdict : {'holds', 'drift', 'absent', 'gone_inactive', 'last_usable', 'forbidden', 'unclear'}
        ``gone_inactive``: as sealed but for its status, which an earlier attempt may have changed.
        ``forbidden``: refused (403) to this customer alone.
        ``last_usable``: as sealed, and the customer would have no other card to pay with.
    reason : str or None
        In words that may be shown.
    status, request_id
        Of the answer.
    asked_at : str
        When the list was asked for, ISO 8601.
    listed : int or None
        Cards of the list, None where there is no list that can be relied on.
    counts : bool
        Whether an unclear answer counts against the item: a rate limit met does not.
    """

    verdict: Literal[
        "holds", "drift", "absent", "gone_inactive", "last_usable", "forbidden", "unclear"
    ]
    reason: str | None
    status: int | None
    request_id: str
    asked_at: str
    listed: int | None = None
    counts: bool = True


class Observation(NamedTuple):
    """What a fetch after an attempt showed; attributes as of `ListObservation`.

    `after_seconds` is how long before it was asked for the last delete had been answered, None
    where there was none.
    """

    verdict: Literal["absent", "inactive", "present", "drift", "unclear"]
    reason: str | None
    status: int | None
    request_id: str
    counts: bool = True
    after_seconds: float | None = None


class Intent(NamedTuple):
    """An attempt about to be made.

    Attributes
    ----------
    attempt, idempotency_key : str
        Fresh ids.
    deadline : str
        Until when it may leave, ISO 8601.
    evidence_seconds, bound_seconds : float
        How old the check is now, and how old it may be when the delete leaves.
    """

    attempt: str
    idempotency_key: str
    deadline: str
    evidence_seconds: float
    bound_seconds: float


class Sent(NamedTuple):
    """How old the check was when a delete left.

    Attributes
    ----------
    evidence_seconds : float or None
        At the last look before it was handed over.
    late_seconds : float or None
        How old it may have been when the delete left, where the process was stopped meanwhile or
        the bound has passed; measured when the send returned.
    """

    evidence_seconds: float | None
    late_seconds: float | None = None


def recovered(number: int, item: Item, now: float, *, may_attempt: bool) -> Decision:
    """Take up an item where the journal left it, `now` on a clock that does not go back."""
    fresh = CardProgress(attempted_at=now if item.doubtful else None)
    match item.state:
        case "planned" if may_attempt:
            return Decision((), NextAction("check"), fresh)
        case "planned" if item.sends == 0 and not item.is_remembered:
            record = ended(number, "planned", "not_attempted", "the campaign was ended before")
            return Decision((record,), NextAction("nothing"), fresh)
        case "planned":
            return Decision((moved(number, "planned", "verifying"),), NextAction("look"), fresh)
        case "intended":
            lost = "the process ended before the outcome was known"
            detail = {"status": None, "code": None, "request_id": None}
            detail |= {"evidence_seconds": None, "late_seconds": None}
            records = (
                Record(
                    "outcome", number, {"attempt": item.attempt, "outcome": "in_doubt", **detail}
                ),
                moved(number, "intended", "in_doubt", lost),
            )
            return Decision(records, *_settling("in_doubt", now))
        case "in_doubt":
            return Decision((), *_settling("in_doubt", now))
        case _:
            return Decision((), NextAction("look"), fresh)


def after_check(  # noqa: PLR0911  one return a verdict
    number: int,
    item: Item,
    check: ListObservation,
    progress: CardProgress,
    intent: Intent,
    *,
    attempts: int,
) -> Decision:
    """Decide after the list that was read before an attempt.

    Parameters
    ----------
    number, item
    check : ListObservation
    progress : CardProgress
    intent : Intent
        The attempt to make if the card is as planned.
    attempts : int
        How often a delete may be sent for one card.
    """
    detail = {
        "status": check.status,
        "verdict": _WRITTEN_AS.get(check.verdict, check.verdict),
        "reason": check.reason,
        "request_id": check.request_id,
        "asked_at": check.asked_at,
        "listed": check.listed,
    }
    seen = Record("checked", number, detail)
    step = moved(number, "planned", "checked")
    match check.verdict:
        case "unclear":
            return _check_again(number, item, check, progress, seen)
        case "absent":
            gone = moved(number, "checked", "verifying", "the customer's list lacks it")
            return Decision(
                (seen, step, gone), NextAction("look"), replace(progress, is_missed=True)
            )
        case "gone_inactive":
            look = moved(number, "checked", "verifying", check.reason)
            return Decision(
                (seen, step, look), NextAction("look"), replace(progress, unclear=0, is_missed=True)
            )
        case "last_usable" | "forbidden":
            final = "unresolved" if item.sends else "not_attempted"
            end = ended(number, "checked", final, check.reason)
            return Decision((seen, step, end), NextAction("nothing"), progress)
        case "drift":
            final = "drift_after_attempt" if item.doubtful else "skipped_drift"
            end = ended(number, "checked", final, check.reason)
            return Decision((seen, step, end), NextAction("nothing"), progress)
    if item.sends >= attempts:
        final = "unresolved" if item.sends else "not_attempted"
        end = ended(number, "checked", final, _still_there(item))
        return Decision((seen, step, end), NextAction("nothing"), progress)
    intended = Record("intended", number, {**intent._asdict(), "ordinal": item.intents + 1})
    records = (seen, step, intended, moved(number, "checked", "intended"))
    return Decision(records, NextAction("delete"), progress)


def not_to_be_attempted(number: int, item: Item, reason: str) -> Decision:
    """End an item that may not be attempted, or not any more."""
    return Decision((without_proof(number, item, reason),), NextAction("nothing"), CardProgress())


def after_outcome(  # noqa: PLR0917  what happened, to what, and when
    number: int,
    item: Item,
    reading: ClassifiedResponse,
    progress: CardProgress,
    sent: Sent,
    now: float,
) -> Decision:
    """Decide after the answer to a delete, or after its loss."""
    outcome = reading.row.delete
    detail = {
        "attempt": item.attempt,
        "outcome": outcome,
        "status": reading.status,
        "code": reading.code,
        "request_id": reading.request_id,
        **sent._asdict(),
    }
    record = Record("outcome", number, detail)
    if outcome == "rejected":
        end = ended(number, "intended", "rejected", reading.message)
        return Decision((record, end), NextAction("nothing"), CardProgress())
    if outcome == "not_executed":
        back = (
            moved(number, "intended", "not_executed", reading.message),
            moved(number, "not_executed", "planned"),
        )
        return Decision((record, *back), NextAction("check", 1.0), progress.afresh())
    state = "in_doubt" if outcome == "unexpected" else outcome
    step = moved(number, "intended", state, None if outcome == "accepted" else reading.message)
    return Decision((record, step), *_settling(state, now))


def withdrawn(
    number: int, item: Item, reason: str, progress: CardProgress, *, counts: bool
) -> Decision:
    """Take back an intent that was surely not sent.

    Parameters
    ----------
    number, item, reason, progress
    counts : bool
        Whether it counts against the item: a rate limit met, or a campaign that stops, does not.
    """
    records = (
        Record("withdrawn", number, {"attempt": item.attempt, "reason": reason}),
        moved(number, "intended", "planned", reason),
    )
    if not counts:
        return Decision(records, NextAction("check"), progress)
    again = too_late(number, item, reason, progress)
    if again.records:  # its state is known once the intent is taken back
        final = "unresolved" if item.sends > 1 else "not_attempted"
        return Decision(
            (*records, ended(number, "planned", final, reason)), again.next, again.progress
        )
    return Decision(records, again.next, again.progress)


def too_late(number: int, item: Item, reason: str, progress: CardProgress) -> Decision:
    """Ask again about a card of which the check grew too old; not for ever."""
    if progress.unclear < len(UNCLEAR_SECONDS):
        wait = UNCLEAR_SECONDS[progress.unclear]
        return Decision(
            (), NextAction("check", wait), replace(progress, unclear=progress.unclear + 1)
        )
    if not progress.is_last:
        return Decision((), NextAction("check_at_end"), progress.afresh())
    return not_to_be_attempted(number, item, f"could not be checked in time: {reason}")


def after_look(  # noqa: PLR0911  one return a decision; each is looked for by itself
    number: int,
    item: Item,
    look: Observation,
    progress: CardProgress,
    *,
    attempts: int,
    settle_seconds: float,
    may_attempt: bool,
    remembered: str | None = None,
) -> Decision:
    """Decide after a fetch that followed an attempt, or that doubted a 404.

    Parameters
    ----------
    number, item, look, progress
    attempts : int
        How often a delete may be sent for one card.
    settle_seconds : float
        How long after a delete a card has to be seen gone.
    may_attempt : bool
        Whether a card that is still there may get a fresh attempt at all.
    remembered : str, optional
        As of `proven_gone`.
    """
    verdict = {"absent": "gone", "inactive": "gone"}.get(look.verdict, look.verdict)
    detail = {
        "status": look.status,
        "verdict": verdict,
        "request_id": look.request_id,
        "after_seconds": None if look.after_seconds is None else round(look.after_seconds, 3),
    }
    seen: tuple[Record, ...] = (Record("seen", number, detail),)
    if look.verdict == "unclear":
        return _look_again(number, item, look, progress, seen)
    if item.state != "verifying":
        seen += (moved(number, item.state, "verifying"),)
    progress = replace(progress, unclear=0)
    left = 0.0 if look.after_seconds is None else max(0.0, settle_seconds - look.after_seconds)
    if look.verdict == "absent":
        return Decision(seen, *_absent(item, progress, left))
    progress = replace(progress, absences=0)
    if look.verdict == "inactive":
        if left:
            return Decision(seen, NextAction("look", left), progress)
        return Decision(
            (*seen, proven_gone(number, item, "INACTIVE", remembered)),
            NextAction("nothing"),
            progress,
        )
    if item.doubtful and progress.looks < len(SETTLE_SECONDS) and not progress.is_last:
        wait = SETTLE_SECONDS[progress.looks]
        return Decision(seen, NextAction("look", wait), replace(progress, looks=progress.looks + 1))
    if look.verdict == "drift":
        attempted = item.doubtful or item.is_remembered
        final = "drift_after_attempt" if attempted else "skipped_drift"
        end = ended(number, "verifying", final, look.reason)
        return Decision((*seen, end), NextAction("nothing"), progress)
    if may_attempt and item.sends < attempts and not progress.is_last:
        again = moved(number, "verifying", "planned", "still there")
        # One that a check did not find and that is there after all has waited to be attempted, and
        # waits to the end: else a vault that says both would be asked for ever.
        waits = progress.is_missed or not item.doubtful
        what: Do = "check_at_end" if waits else "check"
        return Decision((*seen, again), NextAction(what), progress.afresh())
    if may_attempt and not progress.is_last:
        return Decision(seen, NextAction("look_at_end"), progress)
    if item.sends == 0 and not item.is_remembered:
        end = ended(number, "verifying", "not_attempted", "it is there again; never attempted")
    else:
        end = ended(number, "verifying", "unresolved", _still_there(item))
    return Decision((*seen, end), NextAction("nothing"), progress)


def proven_gone(number: int, item: Item, shown: str, remembered: str | None = None) -> Record:
    """End an item whose card is proven gone.

    Parameters
    ----------
    number, item
        In state ``verifying``, or about to be.
    shown : str
        What proved it, such as ``404``.
    remembered : str, optional
        Id of the campaign that attempted the card last, as the account's ledger remembers it.
    """
    if not item.doubtful and (remembered is not None or item.is_remembered):
        reason = f"{shown}; an attempt by campaign {remembered} is remembered"
        if remembered is None:
            reason = f"{shown}; an attempt is remembered that this journal lacks"
        return ended(number, "verifying", "gone_unattributed", reason)
    if not item.doubtful:
        return ended(number, "verifying", "already_gone", f"{shown}; never attempted by this plan")
    final = "deleted" if item.outcome == "accepted" else "gone_after_attempt"
    return ended(number, "verifying", final, shown)


def without_proof(number: int, item: Item, reason: str) -> Record:
    """End an item whose absence could not be proven."""
    final = "unresolved" if item.sends or item.is_remembered else "not_attempted"
    return ended(number, item.state, final, reason)


def _still_there(item: Item) -> str:
    return f"still there after {item.sends} attempt{'' if item.sends == 1 else 's'}"


def _settling(state: str, now: float) -> tuple[NextAction, CardProgress]:
    """When to look first: at once after an answer, a moment later where none is known."""
    if state == "in_doubt":
        return NextAction("look", SETTLE_SECONDS[0]), CardProgress(looks=1, attempted_at=now)
    return NextAction("look"), CardProgress(attempted_at=now)


def _absent(item: Item, progress: CardProgress, left: float) -> tuple[NextAction, CardProgress]:
    """Look again until enough fetches in a row have shown no card; then a control read has to.

    `left` is how many seconds it takes until a look may be the last.
    """
    was_accepted = item.doubtful > 0 and item.outcome == "accepted"
    needed = ABSENCES_AFTER_200 if was_accepted else ABSENCES_OTHERWISE
    progress = replace(progress, absences=progress.absences + 1, unclear=0)
    if progress.absences >= needed:
        return (
            (NextAction("look", left), progress)
            if left
            else (NextAction("await_control"), progress)
        )
    wait = SETTLE_SECONDS[progress.absences - 1]
    return NextAction(
        "look", max(wait, left) if progress.absences == needed - 1 else wait
    ), progress


def _check_again(
    number: int, item: Item, check: ListObservation, progress: CardProgress, seen: Record
) -> Decision:
    if not check.counts:
        return Decision((seen,), NextAction("check"), progress)
    if progress.unclear < len(UNCLEAR_SECONDS):
        wait = UNCLEAR_SECONDS[progress.unclear]
        return Decision(
            (seen,), NextAction("check", wait), replace(progress, unclear=progress.unclear + 1)
        )
    if not progress.is_last:
        return Decision((seen,), NextAction("check_at_end"), progress.afresh())
    end = without_proof(number, item, f"could not be checked: {check.reason}")
    return Decision((seen, end), NextAction("nothing"), progress)


def _look_again(
    number: int, item: Item, look: Observation, progress: CardProgress, seen: tuple[Record, ...]
) -> Decision:
    if not look.counts:
        return Decision(seen, NextAction("look"), progress)
    if progress.unclear < len(UNCLEAR_SECONDS):
        wait = max(SETTLE_SECONDS[0], UNCLEAR_SECONDS[progress.unclear])
        return Decision(
            seen, NextAction("look", wait), replace(progress, unclear=progress.unclear + 1)
        )
    if not progress.is_last:
        return Decision(seen, NextAction("look_at_end"), progress.afresh())
    step = () if item.state == "verifying" else (moved(number, item.state, "verifying"),)
    final = "unresolved" if item.sends or item.is_remembered else "not_attempted"
    end = ended(number, "verifying", final, f"could not be verified: {look.reason}")
    return Decision((*seen, *step, end), NextAction("nothing"), progress)
