"""The processes of one user that work on one account divide one share of its rate limit.

Each client writes down, in a folder of the account among the user's settings, what it asks for. The
file lies locked by its process for as long as that lives: the lock ends with the process, however
it ends, in whichever container it ran, and whoever comes next clears the file away. While it sends,
a client sets the file's time once a second; who reads sees by that who is idle.

A share asked for by name is kept as it is: it has to fit beside the others asked for by name.
What is not asked for by name is divided evenly between all who do not, and are not idle.

Only claiming a share by name waits for anything, and not for long. Whatever is wrong in the folder,
dividing raises nothing: what is known of the others then is what was read last.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
import stat
import sys
import time
import weakref
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from tokenvault_data.errors import Locked
from tokenvault_data.folders import named
from tokenvault_data.private_files import config_directory

if TYPE_CHECKING:
    from tokenvault_data.config.profile import Profile

DEFAULT_SHARE = 0.5
# Where all is held by name, the others are not stopped for good.
LEAST_SHARE = 0.02
IDLE_SECONDS = 20.0
_HOLDER = re.compile(r".+\.json")
_PATIENCE_SECONDS = 1.0
_LONGEST_BYTES = 4096
_TRIES = 5
_LATEST = 1e11  # in seconds since 1970; a date can be made of it
_MOST_FILES = 500  # looked at in one go; of more, the dead are cleared away little by little
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
        Of which, and of its forks, several clients may be there.
    is_idle : bool
        Whether it has sent nothing for a while; so judged by who reads, and not written down.
    """

    named: float | None
    at_most: float
    command: str
    pid: int
    since: float
    process: str
    is_idle: bool = False


def divide(mine: Holder, others: list[Holder]) -> Division:
    """Divide one share between those who are there; no I/O.

    What was asked for by name is kept; clients of one process hold what one of them has asked for
    together, and those that are at work divide it. The others that are at work divide what that
    leaves of the largest share that one of them would take alone.
    """
    everybody = [mine, *others]
    by_process: dict[str, list[float]] = {}
    for each in everybody:
        if each.named is not None:
            by_process.setdefault(each.process, []).append(each.named)
    named = sum(max(shares) for shares in by_process.values())
    unnamed = [each for each in everybody if each.named is None and not each.is_idle]
    whole = max((each.at_most for each in unnamed), default=0.0)
    left = max(LEAST_SHARE, whole - named) if unnamed else 0.0
    if mine.named is None:
        own = min(mine.at_most, left / len(unnamed))
    else:
        at_work = sum(
            each.named is not None and each.process == mine.process and not each.is_idle
            for each in everybody
        )
        own = min(mine.named, max(by_process[mine.process]) / at_work)
    return Division(own, max(own, min(1.0, named + left)))


class AccountShare:
    """One client's part in the division of an account.

    Parameters
    ----------
    profile : Profile
        Whose account; emulators of different addresses are different accounts.
    named : float or None
        A share asked for by name, which is held from `claim` on; None to divide what is there.
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
        self._is_warned = False

    def claim(self) -> None:
        """Hold a share that was asked for by name.

        Raises
        ------
        Locked
            It does not fit beside those of others, or who they are could not be found out.
        """
        if self._named is None:
            return
        lock = self._folder / ".lock"  # two that come at once have to see each other
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(lock, timeout=_PATIENCE_SECONDS, poll_interval=0.01, mode=0o600):
                self._others = _holders(self._folder, None)
                self._refuse_unfitting(self._others)
                self._take_place()
        except (OSError, NotImplementedError) as error:
            is_blocked = isinstance(error, Timeout | IsADirectoryError | PermissionError)
            if is_blocked and os.access(self._folder, os.W_OK):
                raise Locked(
                    f"whether a share of {self._named:g} fits beside those of others could not be"
                    f" found out, because {lock} cannot be locked; nothing was sent. Wait a moment,"
                    " or end what holds it, then run again, or name no share to divide what is"
                    " there"
                ) from error
            self._warn(error)

    def division(self) -> Division:
        """Take part, and say what is ours now; called about once a second while requests wait."""
        try:
            if self._place is None or not self._place.touch():
                self._take_place()
        except OSError as error:
            self._warn(error)
        with suppress(OSError):
            self._others = _holders(self._folder, self._place)
        return divide(self._holder, self._others)

    def leave(self) -> None:
        """Take part no more."""
        place, self._place = self._place, None
        if place is not None:
            place.leave()

    def _describe(self) -> Holder:
        return Holder(self._named, self._at_most, own_command(), os.getpid(), time.time(), _process)

    def _take_place(self) -> None:
        self._holder = self._describe()
        self._place = _Place(self._folder, self._holder)

    def _warn(self, error: Exception) -> None:
        if not self._is_warned:
            self._is_warned = True
            _log.warning("the account's share is not divided with other processes: %s", error)

    def _refuse_unfitting(self, others: list[Holder]) -> None:
        holders = [each for each in others if each.named is not None and each.process != _process]
        largest: dict[str, float] = {}
        for each in holders:
            largest[each.process] = max(largest.get(each.process, 0.0), each.named or 0.0)
        taken = sum(largest.values())
        if (self._named or 0.0) + taken <= 1.0 + 1e-9:
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
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(_TRIES):
            self.path = folder / f"{holder.pid}-{secrets.token_hex(6)}.json"
            self._descriptor: int | None = os.open(
                self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600
            )
            # A reader that comes before the lock takes the file for a dead one's.
            if _lock(self._descriptor) and self.path.exists():
                break
            self.leave()
        else:
            raise OSError("a file among the settings cannot be locked")
        content = holder._asdict()
        del content["is_idle"]
        try:
            os.write(self._descriptor, json.dumps(content).encode())
        except OSError:
            self.leave()
            raise
        _places.add(self)

    def touch(self) -> bool:
        """Show that we are at work; False where the file is gone, or a parent's."""
        if self._descriptor is None:
            return False
        now = time.time()  # on a network file system, the server may have another time
        try:
            os.utime(self.path, (now, now))
        except FileNotFoundError:
            self.forget()
            return False
        return True

    def leave(self) -> None:
        """Close the file, and remove it."""
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


def _holders(folder: Path, own: _Place | None) -> list[Holder]:
    """Those who are there besides; who has died is cleared away."""
    found = []
    for path in islice(named(folder, _HOLDER), _MOST_FILES):
        if own is None or path != own.path:
            with suppress(OSError):  # gone meanwhile, or not ours
                holder = _read(path)
                if holder is not None:
                    found.append(holder)
    return found


def _read(path: Path) -> Holder | None:
    descriptor = os.open(path, os.O_RDWR | _NEVER_WAIT)
    try:
        told = os.fstat(descriptor)
        if not stat.S_ISREG(told.st_mode):
            return None
        is_dead = _lock(descriptor)
        content = b"" if is_dead else os.read(descriptor, _LONGEST_BYTES)
        if is_dead and sys.platform != "win32":  # there, what is open cannot be removed
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
    if is_dead:
        path.unlink(missing_ok=True)
        return None
    holder = _holder(content)
    # A time that is to come is from before the clock was put back.
    is_idle = abs(time.time() - told.st_mtime) > IDLE_SECONDS
    return None if holder is None else holder._replace(is_idle=is_idle)


def _holder(content: bytes) -> Holder | None:
    """What was written down; None for what is damaged, or of another version."""
    try:
        holder = Holder(**json.loads(content))
        texts: list[object] = [holder.process, holder.command]
        shares = [holder.at_most] if holder.named is None else [holder.at_most, holder.named]
        is_sound = (
            all(_is_number(number) for number in (*shares, holder.since, holder.pid))
            and all(0.0 < share <= 1.0 for share in shares)
            and 0.0 <= holder.since < _LATEST
            and all(isinstance(text, str) and text.isprintable() for text in texts)
        )
    except (ValueError, TypeError, RecursionError):
        return None
    return holder if is_sound else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_NEVER_WAIT = getattr(os, "O_NONBLOCK", 0)
_process = secrets.token_hex(8)  # a pid may be that of another container's process as well
_places: weakref.WeakSet[_Place] = weakref.WeakSet()


def _begin_anew() -> None:
    """In a child made by fork: what the parent holds is not the child's."""
    for place in list(_places):
        place.forget()
    _places.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
