"""The processes of one user that work on one account divide one share of its rate limit.

Each writes down, in a folder of the account among the user's settings, what it asks for. The file
lies locked by its process for as long as that lives: the lock ends with the process, however it
ends, in whichever container it ran, and whoever comes next clears the file away.

A share asked for by name is kept as it is: it has to fit beside the others asked for by name.
What is not asked for by name is divided evenly between all who do not.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
import sys
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from tokenvault_data.errors import Locked
from tokenvault_data.folders import named
from tokenvault_data.private_files import config_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenvault_data.profile_values import Profile

DEFAULT_SHARE = 0.5
# Where all is held by name, the others are not stopped for good.
LEAST_SHARE = 0.02
IDLE_SECONDS = 20.0
_HOLDER = re.compile(r".+\.json")
_PATIENCE_SECONDS = 5.0
_SHORT_PATIENCE_SECONDS = 0.2
_log = logging.getLogger(__name__)


class Division(NamedTuple):
    """What is whose at a moment.

    Attributes
    ----------
    share : float
        Of the account's limit, for the one who asks.
    of_ours : float
        For all processes of this user together.
    """

    share: float
    of_ours: float


class Holder(NamedTuple):
    """A process, or a client in one, that uses an account.

    Attributes
    ----------
    named : float or None
        The share it asked for by name.
    at_most : float
        The most it takes where it asked for none.
    command : str
    pid : int
    since : float
        Seconds since 1970.
    process : str
        Of which several clients may be there.
    """

    named: float | None
    at_most: float
    command: str
    pid: int
    since: float
    process: str


def divide(mine: Holder, others: list[Holder]) -> Division:
    """Divide one share between those who are there; no I/O.

    What was asked for by name is kept; clients of one process hold what one of them has asked for
    together. The others divide what that leaves of the largest share that one of them would take
    alone.
    """
    everybody = [mine, *others]
    by_process: dict[str, list[float]] = {}
    for each in everybody:
        if each.named is not None:
            by_process.setdefault(each.process, []).append(each.named)
    named = sum(max(shares) for shares in by_process.values())
    unnamed = [each for each in everybody if each.named is None]
    whole = max((each.at_most for each in unnamed), default=0.0)
    left = max(LEAST_SHARE, whole - named) if unnamed else 0.0
    if mine.named is None:
        own = min(mine.at_most, left / len(unnamed))
    else:
        together = by_process[mine.process]
        own = min(mine.named, max(together) / len(together))
    return Division(own, max(own, min(1.0, named + left)))


class AccountShare:
    """One client's part in the division of an account.

    Parameters
    ----------
    profile : Profile
        Whose account; emulators of different addresses are different accounts.
    named : float or None
        A share asked for by name, which is held from `claim` on; None to divide what is there,
        held only while requests are made.
    at_most : float
        The most that is taken where none is asked for by name.
    folder : Path, optional
        Of the user's settings by default.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        named: float | None,
        at_most: float = DEFAULT_SHARE,
        folder: Path | None = None,
    ) -> None:
        self._folder = account_folder(profile, folder)
        self._named = named
        self._at_most = at_most
        self._holder = self._describe()
        self._place: _Place | None = None
        self._others: list[Holder] = []
        self._account = profile.environment
        self._used_at = time.monotonic()
        self._is_alone = False  # the folder cannot be used
        _shares.add(self)

    def claim(self) -> None:
        """Hold a share that was asked for by name.

        Raises
        ------
        Locked
            It does not fit beside those of others.
        """
        if self._named is not None:
            self._enter()

    def division(self) -> Division:
        """Take part, and say what is ours now; called about once a second while requests wait."""
        self._used_at = time.monotonic()
        for other in list(_shares):
            other.leave_if_idle()
        self._enter()
        return divide(self._holder, self._others)

    def leave_if_idle(self) -> None:
        """Let others have the part of a client that sends nothing.

        A share asked for by name stays its process's while another client of that needs it.
        """
        is_idle = time.monotonic() - self._used_at > IDLE_SECONDS
        if is_idle and (self._named is None or self._is_doubled()):
            self.leave()

    def leave(self) -> None:
        """Take part no more."""
        place, self._place = self._place, None
        if place is not None:
            with suppress(OSError, Timeout), _only_one(self._folder, _SHORT_PATIENCE_SECONDS):
                place.leave()
            place.leave()

    def holds_by_name_in(self, folder: Path) -> bool:
        """Whether it holds a share asked for by name in an account's folder."""
        return self._named is not None and self._place is not None and self._folder == folder

    def _is_doubled(self) -> bool:
        others = (other for other in list(_shares) if other is not self)
        return any(other.holds_by_name_in(self._folder) for other in others)

    def _describe(self) -> Holder:
        return Holder(self._named, self._at_most, own_command(), os.getpid(), time.time(), _process)

    def _enter(self) -> None:
        """Write down that we are there, unless that is done, and read who else is."""
        if self._is_alone:
            return
        if self._place is not None and self._place.process != _process:
            self._place = None  # this is a fork, and the place its parent's
        is_new = self._place is None
        patience = _PATIENCE_SECONDS if is_new else _SHORT_PATIENCE_SECONDS
        try:
            with _only_one(self._folder, patience):
                self._others = _holders(self._folder, self._place)
                if is_new:
                    self._holder = self._describe()
                    self._refuse_unfitting(self._others)
                    self._place = _Place(self._folder, self._holder)
        except (OSError, Timeout) as error:
            if is_new:
                _log.warning("the account's share is not divided with other processes: %s", error)
                self._is_alone = True

    def _refuse_unfitting(self, others: list[Holder]) -> None:
        if self._named is None:
            return
        holders = [each for each in others if each.named is not None and each.process != _process]
        largest: dict[str, float] = {}
        for each in holders:
            largest[each.process] = max(largest.get(each.process, 0.0), each.named or 0.0)
        taken = sum(largest.values())
        if self._named + taken <= 1.0 + 1e-9:
            return
        who = "; ".join(holder_sentence(each) for each in holders)
        free = max(0.0, 1.0 - taken)
        instead = f"ask for {free:.2g} or less, or " if free >= 0.01 else ""
        raise Locked(
            f"a share of {self._named:g} of this {self._account} account's rate limit does not fit"
            f" beside what is held: {who}; nothing was sent. Wait for that to end, {instead}"
            "name no share to divide what is there"
        )


def holder_sentence(holder: Holder) -> str:
    """Say who holds what, and since when."""
    since = time.strftime("%d %b %H:%M", time.localtime(holder.since))
    return f"{holder.named or 0.0:g} by {holder.command} (pid {holder.pid}, since {since})"


def account_folder(profile: Profile, folder: Path | None = None) -> Path:
    """Return where those who use an account write themselves down."""
    parts = [profile.environment, profile.merchant_digest]
    if profile.environment == "emulator":
        address = urlsplit(profile.base_url)
        parts.append(f"{address.hostname}:{address.port}")
    name = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    base = config_directory() if folder is None else folder
    return base / "shares" / f"{profile.environment}-{name}"


def own_command() -> str:
    """Name the running program without any argument that may hold an id or a secret."""
    if "ipykernel" in sys.modules:
        return "a notebook"
    called = Path(sys.argv[0] if sys.argv else "").name or "python"
    words = [called.removesuffix(".py") if called != "-c" else "python"]
    for word in sys.argv[1:3] if words[0] == "tokenvault" else ():
        if not (word.isascii() and word.isalpha()):
            break
        words.append(word)
        if word != "cleanup":
            break
    return " ".join(word for word in words if word.isprintable())


class _Place:
    """A file in the account's folder, locked while its process lives."""

    def __init__(self, folder: Path, holder: Holder) -> None:
        self.process = holder.process
        self.path = folder / f"{holder.pid}-{secrets.token_hex(6)}.json"
        self._descriptor: int | None = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        _lock(self._descriptor)
        os.write(self._descriptor, json.dumps(holder._asdict()).encode())
        _places.add(self)

    def leave(self) -> None:
        self.forget()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Close the file; in a child made by fork the parent keeps its lock."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock an open file unless somebody has; the lock ends with the last copy of the descriptor."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # past the content, which others may read
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def _only_one(folder: Path, patience_seconds: float) -> Iterator[None]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=patience_seconds, poll_interval=0.01, mode=0o600)
    with _changing, lock:
        yield


def _holders(folder: Path, own: _Place | None) -> list[Holder]:
    """Those who are there besides; who has died is cleared away."""
    found = []
    mine = {place.path for place in _places}
    for path in named(folder, _HOLDER):
        if own is not None and path == own.path:
            continue
        try:
            if path not in mine and _is_dead(path):
                continue
            found.append(Holder(**json.loads(path.read_bytes())))
        except (OSError, ValueError, TypeError):
            continue  # gone meanwhile, or of another version
    return found


def _is_dead(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDWR)
    try:
        is_dead = _lock(descriptor)
    finally:
        os.close(descriptor)
    if is_dead:
        path.unlink(missing_ok=True)
    return is_dead


_changing = threading.RLock()
_process = secrets.token_hex(8)  # a pid may be that of another container's process as well
_shares: weakref.WeakSet[AccountShare] = weakref.WeakSet()
_places: weakref.WeakSet[_Place] = weakref.WeakSet()


def _begin_anew() -> None:
    """In a child made by fork: what the parent holds is not the child's."""
    global _changing, _process
    _changing, _process = threading.RLock(), secrets.token_hex(8)
    for place in list(_places):
        place.forget()
    _places.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
