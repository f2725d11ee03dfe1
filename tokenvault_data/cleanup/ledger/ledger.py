"""What was sent for an account, remembered outside of any campaign's journal.

A journal can be lost, emptied, or put back from an older copy, and several plans can be made of one
snapshot. So every intent is written here as well, after the journal has it and before the delete
leaves: into one file an account at a place that no variable moves, and into a copy in the store.
From it comes how much of the account's daily cap is left, whether a card that is gone was ever
attempted, and whether a journal is the one whose deletes are remembered.

If both files are lost together with the journal nobody can notice; see ``docs/cleanup.md``.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tokenvault_data.cleanup.clock import Clock
from tokenvault_data.cleanup.ledger.ledger_file import LedgerFile, Line, new_key
from tokenvault_data.cleanup.ledger.machine import boot_id
from tokenvault_data.errors import UsageError
from tokenvault_data.local_paths import local_path
from tokenvault_data.private_files import config_directory

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from typing import Self

    from tokenvault_data.cleanup.ledger.ledger_file import Event
    from tokenvault_data.cleanup.selection.limits import Limits

DAY_SECONDS: Final = 86_400.0
LEDGER_FOLDER: Final = "ledger"
_IN_A_MOMENT_SECONDS: Final = 1.0
"""By then it is known whether what is about to be sent has been."""


class DayUse(NamedTuple):
    """What was sent for an account in the last 24 hours, deletes of unknown result included.

    Attributes
    ----------
    sends : int
        Deletes.
    cards : int
        Distinct cards they were for.
    """

    sends: int
    cards: int


class Mark(NamedTuple):
    """How far the journal of a campaign was when something was last sent: a record and its hash.

    A record of 0 means that the journal was about to be made.
    """

    seq: int
    hash: str


class Remembered(NamedTuple):
    """An attempt to delete a card; `at` is the wall clock's time, ISO 8601."""

    campaign: str
    attempt: str
    at: str


@dataclass(frozen=True, slots=True)
class _Send:
    time: float
    card: str
    attempt: str


class _LastDay:
    """The deletes of the last 24 hours, oldest first, of one account."""

    def __init__(self) -> None:
        self.sends: deque[_Send] = deque()
        self.cards: Counter[str] = Counter()

    def add(self, send: _Send) -> None:
        self.sends.append(send)
        self.cards[send.card] += 1

    def take_back(self, attempt: str) -> None:
        found = next((one for one in self.sends if one.attempt == attempt), None)
        if found is not None:
            self.sends.remove(found)
            self._forget(found)

    def pass_on(self, now: float) -> None:
        while self.sends and self.sends[0].time <= now - DAY_SECONDS:
            self._forget(self.sends.popleft())

    def _forget(self, send: _Send) -> None:
        self.cards[send.card] -= 1
        if not self.cards[send.card]:
            del self.cards[send.card]


class Ledger:
    """The memory of one account; use `Ledger.open`, and close it.

    Parameters
    ----------
    files : sequence of LedgerFile
        The account's own file, then the copy in the store.
    clock : Clock
    """

    def __init__(self, files: Sequence[LedgerFile], clock: Clock) -> None:
        self._files = files
        self._clock = clock
        self._boot = boot_id()
        self._attempts: dict[str, list[tuple[str, Remembered]]] = {}
        self._attempts_of: dict[str, dict[str, str]] = {}
        self._days: defaultdict[str, _LastDay] = defaultdict(_LastDay)
        self._withdrawn: set[str] = set()
        self._sent_at: dict[str, float] = {}
        self._by_id: dict[str, Remembered] = {}
        self._marks: dict[str, Mark] = {}
        self._last: Line | None = None
        self._last_instance = ""
        # Each file has a time of its own; all are told on that of the one that is furthest on.
        ends = [self._end_of(file) for file in files]
        self._ahead_of = [max(ends, default=0.0) - end for end in ends]
        for line in self._merged():
            self._take(line)

    @classmethod
    def read(
        cls,
        environment: str,
        merchant: str | None,
        *,
        store: Path | None = None,
        config_dir: Path | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """Read what is remembered; nothing is made or written.

        Parameters
        ----------
        environment : str
        merchant : str or None
            `Profile.merchant_digest`.
        store : Path, optional
            Where a copy is kept.
        config_dir : Path, optional
            The user's settings, where the memory of emulators is; those of the user when not given.
        clock : Clock, optional

        Raises
        ------
        CampaignHalted
            It is damaged.
        CampaignPaused
            It cannot be read.
        """
        return cls(_files(environment, merchant, store, config_dir), clock or Clock())

    @classmethod
    def open(
        cls,
        environment: str,
        merchant: str | None,
        *,
        store: Path,
        config_dir: Path | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """Read what is remembered, and make ready to add to it. Parameters are those of `read`.

        Raises
        ------
        Locked
            Another process adds to it.
        CampaignHalted, CampaignPaused
            As of `read`, or it cannot be written.
        """
        files = _files(environment, merchant, store, config_dir)
        key = next((one.key for one in files if one.key is not None), None) or new_key()
        try:
            for file in files:
                file.open(key)
            return cls(files, clock or Clock())
        except BaseException:
            for file in files:
                file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the files go."""
        for file in self._files:
            file.close()

    # What is remembered

    def mark(self, campaign: str) -> Mark | None:
        """Return how far the journal of a campaign has to be; None where it never was applied."""
        return self._marks.get(campaign)

    def attempts_of(self, campaign: str) -> dict[str, str]:
        """Return the attempts of a campaign, those withdrawn left out: hash of the card by id."""
        found = self._attempts_of.get(campaign, {})
        return {one: card for one, card in found.items() if one not in self._withdrawn}

    def knows(self, attempt: str) -> bool:
        """Say whether an attempt is remembered."""
        return attempt in self._by_id

    def attempt(self, attempt: str) -> Remembered:
        """Return an attempt by its id.

        Raises
        ------
        KeyError
            None of that id is remembered.
        """
        return self._by_id[attempt]

    def attempt_on(
        self,
        customer_id: str,
        instrument_id: str,
        instance: str,
        *,
        within_seconds: float | None = None,
    ) -> Remembered | None:
        """Return the last attempt on a card by any campaign, None where none is remembered.

        Parameters
        ----------
        customer_id, instrument_id : str
        instance : str
            Which emulator; empty for a real account.
        within_seconds : float, optional
            Only those of so many last seconds.
        """
        since = float("-inf") if within_seconds is None else self.now() - within_seconds
        found: Remembered | None = None
        for card in self.hashes(customer_id, instrument_id):
            for where, remembered in self._attempts.get(card, ()):
                if where != instance or remembered.attempt in self._withdrawn:
                    continue
                if within_seconds is None or self._sent_at[remembered.attempt] >= since:
                    found = remembered
        return found

    def use(self, instance: str | None) -> DayUse:
        """Return what was sent in the last 24 hours.

        Parameters
        ----------
        instance : str or None
            Which emulator; None for the one that was used last.
        """
        if instance is None:
            instance = self._last_instance
        day = self._last_day(instance)
        return DayUse(len(day.sends), len(day.cards))

    def seconds_until_room(
        self,
        customer_id: str,
        instrument_id: str,
        instance: str,
        limits: Limits,
        vault_cards: int,
        *,
        also: Collection[tuple[str, str]] = (),
    ) -> float:
        """Return how long to wait until one more delete is within the account's daily caps.

        Parameters
        ----------
        customer_id, instrument_id : str
            The card; one more delete of it counts no second card.
        instance : str
        limits : Limits
            `per_day`, and `vault_share` of `vault_cards`.
        vault_cards : int
        also : collection of (str, str), optional
            Customer and instrument of deletes that are about to be written down.
        """
        day, now = self._last_day(instance), self.now()
        ours = [card for card in self.hashes(customer_id, instrument_id) if card in day.cards]
        allowed = floor(Fraction(str(limits.vault_share)) * vault_cards)
        sends_left = limits.per_day - len(day.sends) - 1
        cards_left = allowed - (len(day.cards) - len(ours)) - 1
        waits = [0.0]
        if sends_left < 0:
            waits.append(_until([one.time for one in day.sends], -sends_left, now))
        if cards_left < 0:
            last = {one.card: one.time for one in day.sends if one.card not in ours}
            waits.append(_until(sorted(last.values()), -cards_left, now))
        new = sum(day.cards.keys().isdisjoint(self.hashes(*card)) for card in also)
        if sends_left < len(also) or cards_left < new:
            waits.append(_IN_A_MOMENT_SECONDS)
        return max(waits)

    def now(self) -> float:
        """Return the ledger's own time: seconds that passed since its first line, on any clock.

        While the machine stays on, they are those of the clock that nobody can set; over a restart
        those of the wall clock, but never less than none.
        """
        if self._last is None:
            return 0.0
        return self._last.time + self._passed(self._last)

    # What is added

    def opened(self, campaign: str) -> None:
        """Remember that a journal is about to be made for a campaign."""
        self._add([self._line("opened", campaign, "", None, None, Mark(0, ""))], is_durable=True)

    def closed(self, campaign: str, mark: Mark) -> None:
        """Remember how far a journal was when the process that worked on it ended in order."""
        self._add([self._line("closed", campaign, "", None, None, mark)], is_durable=True)

    def recovered(self, campaign: str, mark: Mark) -> None:
        """Remember that a campaign was recovered, and that its journal counts from here."""
        self._add([self._line("recovered", campaign, "", None, None, mark)], is_durable=True)

    def intents(
        self,
        campaign: str,
        instance: str,
        attempts: Iterable[tuple[str, str, str]],
        mark: Mark,
    ) -> None:
        """Remember that deletes are about to be sent; on the disk when this returns.

        Parameters
        ----------
        campaign : str
        instance : str
        attempts : iterable of (str, str, str)
            Customer, instrument and id of the intent of each.
        mark : Mark
            The last record of the campaign's journal, which holds these intents.
        """
        lines = [
            self._line("intent", campaign, instance, (customer, instrument), attempt, mark)
            for customer, instrument, attempt in attempts
        ]
        self._add(lines, is_durable=True)

    def withdrawn(self, campaign: str, instance: str, attempts: Iterable[str], mark: Mark) -> None:
        """Remember that intents were surely not sent; until this is on the disk they count."""
        lines = [
            self._line("withdrawn", campaign, instance, None, attempt, mark) for attempt in attempts
        ]
        self._add(lines, is_durable=False)

    # Inside

    def _line(  # noqa: PLR0917  a line's fields
        self,
        event: Event,
        campaign: str,
        instance: str,
        card: tuple[str, str] | None,
        attempt: str | None,
        mark: Mark,
    ) -> Line:
        return Line(
            at=self._clock.now().isoformat(timespec="microseconds"),
            time=round(self.now(), 3),
            boot=self._boot,
            boot_seconds=round(self._clock.boot(), 3),
            instance=instance,
            campaign=campaign,
            card=None if card is None else "\n".join(card),
            attempt=attempt,
            event=event,
            journal_seq=mark.seq,
            journal_hash=mark.hash,
        )

    def _add(self, lines: list[Line], *, is_durable: bool) -> None:
        """Write lines into all files, each with the hashes of its own key."""
        if not lines:
            return
        for file, ahead in zip(self._files, self._ahead_of, strict=True):
            own = [
                line if line.card is None else replace(line, card=file.card(*line.card.split("\n")))
                for line in lines
            ]
            file.add([_moved(line, -ahead) for line in own], is_durable=is_durable)
            for line in own:
                self._take(line)

    def _merged(self) -> Iterator[Line]:
        """Give the lines of all files in the order of their time."""
        lines = [
            _moved(line, ahead)
            for file, ahead in zip(self._files, self._ahead_of, strict=True)
            for line in file.lines
        ]
        return iter(sorted(lines, key=lambda line: line.time))

    def _end_of(self, file: LedgerFile) -> float:
        """Return what the time is now on the scale of one file."""
        return file.lines[-1].time + self._passed(file.lines[-1]) if file.lines else 0.0

    def _take(self, line: Line) -> None:
        match line.event:
            case "intent" if line.attempt is not None and line.card is not None:
                remembered = Remembered(line.campaign, line.attempt, line.at)
                self._last_instance = line.instance
                self._attempts.setdefault(line.card, []).append((line.instance, remembered))
                if line.attempt not in self._sent_at:
                    self._sent_at[line.attempt] = line.time
                    self._by_id[line.attempt] = remembered
                    self._days[line.instance].add(_Send(line.time, line.card, line.attempt))
                    self._attempts_of.setdefault(line.campaign, {})[line.attempt] = line.card
            case "withdrawn" if line.attempt is not None:
                self._withdrawn.add(line.attempt)
                self._days[line.instance].take_back(line.attempt)
        self._remember_mark(line)
        if self._last is None or line.time >= self._last.time:
            self._last = line

    def _remember_mark(self, line: Line) -> None:
        before = self._marks.get(line.campaign)
        new = Mark(line.journal_seq, line.journal_hash)
        if line.event == "recovered" or before is None or new.seq > before.seq:
            self._marks[line.campaign] = new

    def hashes(self, customer_id: str, instrument_id: str) -> list[str]:
        """Return the keyed hashes of a card: one, or two where the copy has a key of its own."""
        return list(
            dict.fromkeys(
                file.card(customer_id, instrument_id)
                for file in self._files
                if file.key is not None
            )
        )

    def _last_day(self, instance: str) -> _LastDay:
        day = self._days[instance]
        day.pass_on(self.now())
        return day

    def _passed(self, last: Line) -> float:
        if self._boot and last.boot == self._boot:
            return max(0.0, self._clock.boot() - last.boot_seconds)
        return max(0.0, (self._clock.now() - datetime.fromisoformat(last.at)).total_seconds())


def used_today(
    environment: str,
    merchant: str | None,
    *,
    store: Path | None = None,
    config_dir: Path | None = None,
) -> DayUse:
    """Return what was sent for an account in the last 24 hours; parameters as of `Ledger.read`.

    Of emulators, which forget everything when they end, the one that was used last.
    """
    ledger = Ledger.read(environment, merchant, store=store, config_dir=config_dir)
    return ledger.use(None)


def account_name(environment: str, merchant: str | None) -> str:
    """Return what the files of an account are called by."""
    digest = hashlib.sha256(f"{environment}\n{merchant or ''}".encode()).hexdigest()[:12]
    return f"{environment}-{digest}"


def ledger_folder(environment: str, config_dir: Path | None = None) -> Path:
    """Return where what was sent is remembered.

    For real accounts it is below the user's home as the system's user database has it, so that no
    variable moves it; for emulators below the settings, which trials have of their own.
    """
    if environment == "emulator":
        return (config_directory() if config_dir is None else config_dir) / LEDGER_FOLDER
    return _home() / ".local" / "state" / "tokenvault-data" / LEDGER_FOLDER


def _files(
    environment: str, merchant: str | None, store: Path | None, config_dir: Path | None
) -> list[LedgerFile]:
    name = f"{account_name(environment, merchant)}.jsonl"
    folders = [ledger_folder(environment, config_dir)]
    if store is not None:
        folders.append(local_path(store) / LEDGER_FOLDER)
    return [LedgerFile(folder / name) for folder in folders]


def _home() -> Path:
    if os.name == "posix":
        import pwd

        try:
            return Path(pwd.getpwuid(os.getuid()).pw_dir)
        except KeyError:
            raise UsageError(
                f"the user {os.getuid()} is not in this system's user database, so there is no"
                " place to remember what is deleted; nothing was sent. Run it as a user who is"
            ) from None
    return Path.home()


def _moved(line: Line, seconds: float) -> Line:
    return replace(line, time=round(line.time + seconds, 3)) if seconds else line


def _until(times: Sequence[float], over: int, now: float) -> float:
    """Seconds until so many of the oldest ones have left the last 24 hours."""
    if over > len(times):
        return _IN_A_MOMENT_SECONDS
    return max(0.001, times[over - 1] + DAY_SECONDS - now)
