"""Where a campaign stands: what its records add up to. No I/O.

The same fold serves a campaign at work and one that is opened again, so what a process knew when
it was killed is exactly what the next one knows.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from tokenvault_data.cleanup.journal.states import check_campaign_move, check_item_move
from tokenvault_data.errors import CampaignHalted

if TYPE_CHECKING:
    from tokenvault_data.cleanup.journal.records import Record

_NEVER_ON_THE_WIRE: Final = "not_executed"


class Item:
    """One planned row as it stands.

    Attributes
    ----------
    state : str
        See `states.ITEM_TRANSITIONS`.
    final : str or None
        How it ended, None while open.
    reason : str or None
        Of its last move.
    intents : int
        Intents written down so far, those withdrawn included.
    sends : int
        Of these, how many were sent, or may have been: all but those withdrawn and those for which
        no connection stood.
    doubtful : int
        Of the sends, how many the vault may have carried out: all but those it refused for its
        rate limit or for access.
    outcome : str or None
        Of the last send that may have been carried out, None before the first.
    attempt : str or None
        Id of an intent without an outcome.
    is_remembered : bool
        Whether the account's ledger remembers an attempt that this journal has lost.
    """

    __slots__ = (
        "attempt",
        "doubtful",
        "final",
        "intents",
        "is_remembered",
        "outcome",
        "reason",
        "sends",
        "state",
    )

    def __init__(self) -> None:
        self.state = "planned"
        self.final: str | None = None
        self.reason: str | None = None
        self.intents = 0
        self.sends = 0
        self.doubtful = 0
        self.outcome: str | None = None
        self.attempt: str | None = None
        self.is_remembered = False

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state != "final"


class JournalState:
    """A campaign as its records say.

    Attributes
    ----------
    state : str
        See `states.CAMPAIGN_TRANSITIONS`.
    reason : str or None
        Of its last move.
    items : list of Item
        By row number.
    states, finals : Counter of str
        Items by state, and those that ended by how.
    attempted : int
        Items that ever got an intent.
    deletes : int
        Deletes sent, or perhaps sent.
    requests : int
        Answers and losses written down, deletes included.
    is_released : bool
        Whether a person let it go on after the canary.
    is_sealed : bool
        Whether its last record was written.
    is_recovered : bool
        Whether its journal was lost and made up for: it deletes nothing any more.
    late_deletes : int
        Deletes that may have left with an older check than the plan allows, since the process was
        stopped in that moment.
    approvals : set of (str, str)
        Fingerprint and time of each approval that was written down.
    """

    def __init__(self) -> None:
        self.state = ""
        self.reason: str | None = None
        self.items: list[Item] = []
        self.states: Counter[str] = Counter()
        self.finals: Counter[str] = Counter()
        self.attempted = 0
        self.deletes = 0
        self.requests = 0
        self.is_released = False
        self.is_sealed = False
        self.is_recovered = False
        self.late_deletes = 0
        self.approvals: set[tuple[str, str]] = set()

    @property
    def is_all_final(self) -> bool:
        """Whether every item has ended."""
        return self.states["final"] == len(self.items)

    def apply(self, record: Record) -> None:  # noqa: PLR0912  one branch a kind of record
        """Add one record.

        Raises
        ------
        CampaignHalted
            No campaign could have written it in this place.
        """
        if bool(self.state) == (record.kind == "opened") or self.is_sealed:
            raise _out_of_place(record)
        match record.kind:
            case "opened":
                self.state = "sealed"
                self.items = [Item() for _ in range(record.detail["rows"])]
                self.states["planned"] = len(self.items)
            case "approved":
                self.approvals.add((record.detail["fingerprint"], record.detail["approved_at"]))
            case "confirmed":
                pass
            case "recovered" if self.state == "halted":
                self.is_recovered = True
            case "remembered" if self.is_recovered:
                self._item(record).is_remembered = True
            case "state":
                self._move(record)
            case "control":
                self.requests += 1
            case "checked" | "seen":
                self._item(record)
                self.requests += 1
            case "intended":
                self._intend(record)
            case "withdrawn" | "outcome":
                self._settle(record)
            case "item":
                self._move_item(record)
            case "sealed":
                if not self.is_all_final or record.detail["counts"] != dict(self.finals):
                    raise _out_of_place(record)
                self.is_sealed = True
            case _:
                raise _out_of_place(record)

    def _item(self, record: Record) -> Item:
        number = record.number
        if number is None or not 0 <= number < len(self.items):
            raise _out_of_place(record)
        return self.items[number]

    def _move(self, record: Record) -> None:
        after = record.detail["to"]
        if record.detail["from"] != self.state:
            raise _out_of_place(record)
        check_campaign_move(self.state, after)
        if self.is_recovered and after in ("canary", "running"):
            raise _out_of_place(record)
        if self.state == "halted" and after == "verifying" and not self.is_recovered:
            raise _out_of_place(record)
        self.state, self.reason = after, record.detail["reason"]
        self.is_released = self.is_released or after == "running"

    def _intend(self, record: Record) -> None:
        item = self._item(record)
        if item.attempt is not None or record.detail["ordinal"] != item.intents + 1:
            raise _out_of_place(record)
        if self.is_recovered:
            raise _out_of_place(record)
        self.attempted += item.intents == 0
        item.intents += 1
        item.attempt = record.detail["attempt"]
        self._count_send(item, 1)
        item.doubtful += 1

    def _settle(self, record: Record) -> None:
        item = self._item(record)
        if item.attempt is None or item.attempt != record.detail["attempt"]:
            raise _out_of_place(record)
        item.attempt = None
        if record.kind == "withdrawn":
            self._count_send(item, -1)
            item.doubtful -= 1
            return
        outcome = record.detail["outcome"]
        self.late_deletes += record.detail["late_seconds"] is not None
        if outcome == _NEVER_ON_THE_WIRE:
            item.doubtful -= 1
            if record.detail["status"] is None:
                self._count_send(item, -1)
                return
        else:
            item.outcome = outcome

    def _count_send(self, item: Item, change: int) -> None:
        item.sends += change
        self.deletes += change
        self.requests += change

    def _move_item(self, record: Record) -> None:
        item = self._item(record)
        after, final = record.detail["to"], record.detail["final"]
        if record.detail["from"] != item.state:
            raise _out_of_place(record)
        check_item_move(record.number or 0, item.state, after, final)
        if after in {"planned", "final"} and item.attempt is not None:
            raise _out_of_place(record)
        self.states[item.state] -= 1
        self.states[after] += 1
        if final is not None:
            self.finals[final] += 1
        item.state, item.final, item.reason = after, final, record.detail["reason"]


def _out_of_place(record: Record) -> CampaignHalted:
    where = "" if record.number is None else f" of item {record.number}"
    return CampaignHalted(
        f"a record ({record.kind}{where}) does not fit what was written before it; nothing more"
        " was sent. Run the audit, then abort this campaign"
    )
