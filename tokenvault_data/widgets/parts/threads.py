"""What panels do beside their page: long jobs, watching, the latest request, guarded clicks.

Callbacks of widgets have no fixed thread: ipykernel runs them on its main thread or on others, and
changes between them within one session. So a job never depends on who started it, nothing is
cancelled from outside, and what it tells is passed on at most ten times a second: a page that gets
thousands of updates never catches up.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


EVERY_SECONDS: Final = 2.0


class StateWatcher:
    """Calls a function every few seconds on a thread of its own.

    Parameters
    ----------
    look : callable
        Called without arguments; returns whether to look again. It catches its own errors.
    every_seconds : float
        Time between two looks.
    """

    def __init__(self, look: Callable[[], bool], every_seconds: float = EVERY_SECONDS) -> None:
        self._look = look
        self._every_seconds = every_seconds
        self._changing = threading.Lock()
        self._stopping: threading.Event | None = None

    @property
    def is_watching(self) -> bool:
        """Whether it will look again."""
        return self._stopping is not None

    def start(self) -> None:
        """Begin to look, unless it does already; the first look is one pause from now."""
        with self._changing:
            if self._stopping is not None:
                return
            stopping = self._stopping = threading.Event()
        # A daemon: it only looks, so that nothing is lost when a kernel ends meanwhile.
        threading.Thread(
            target=self._run, args=(stopping,), name="tokenvault-watcher", daemon=True
        ).start()

    def stop(self) -> None:
        """Look no more; one look may still be on its way."""
        with self._changing:
            if self._stopping is not None:
                self._stopping.set()
                self._stopping = None

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.wait(self._every_seconds):
            if self._look():
                continue
            with self._changing:
                if self._stopping is stopping:
                    self._stopping = None
            return


T = TypeVar("T")

EXIT_SECONDS: Final = 30
"""How long the end of a program waits for an answer in the making. Whoever is in the middle of
DuckDB or Arrow when the interpreter goes takes the whole process down with an abort."""

_ALL: weakref.WeakSet[Latest[Any]] = weakref.WeakSet()


class Latest(Generic[T]):
    """Answers requests one at a time on a thread of its own, skipping those that were overtaken.

    Parameters
    ----------
    answer : callable
        Gets a request; runs on the thread. What it raises goes to `on_error`.
    on_error : callable
    """

    def __init__(self, answer: Callable[[T], None], on_error: Callable[[Exception], None]) -> None:
        self._answer = answer
        self._on_error = on_error
        self._changed = threading.Condition()
        self._waiting: list[T] = []
        self._is_busy = False
        self._is_ending = False
        _ALL.add(self)

    def ask(self, request: T) -> None:
        """Leave a request, in place of one that still waits."""
        with self._changed:
            if self._is_ending:
                return
            self._waiting = [request]
            if self._is_busy:
                return
            self._is_busy = True
        # A daemon: nothing is lost when a kernel ends in the middle of a page of a table.
        threading.Thread(target=self._run, name="tokenvault-latest", daemon=True).start()

    @property
    def is_overtaken(self) -> bool:
        """Whether a newer request waits, or the program ends; a long answer may give up then."""
        return bool(self._waiting) or self._is_ending

    def end(self) -> None:
        """Take no request any more, and drop the one that waits."""
        with self._changed:
            self._is_ending = True
            self._waiting = []

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait until nothing is asked any more; say whether that came."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._is_busy, timeout_seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._is_busy = False
                    self._changed.notify_all()
                    return
                request = self._waiting.pop()
            try:
                self._answer(request)
            except Exception as error:  # noqa: BLE001  shown in the panel; the next may do
                self._on_error(error)


@atexit.register
def _end_all() -> None:
    busy = list(_ALL)
    for one in busy:
        one.end()
    give_up_at = time.monotonic() + EXIT_SECONDS
    for one in busy:
        one.wait(max(0.0, give_up_at - time.monotonic()))


class Clicks:
    """What stands between the page and what a panel does.

    Parameters
    ----------
    say : callable
        Gets what a callback raised, which has nobody else to tell.

    Attributes
    ----------
    lock : threading.RLock
        Held while a callback acts; whoever reads or changes the panel holds it too.
    """

    def __init__(self, say: Callable[[Exception], None]) -> None:
        self.lock = threading.RLock()
        self._say = say
        self._is_setting = False

    @contextmanager
    def setting(self) -> Iterator[None]:
        """Set traits from Python: until the end of the block nothing counts as a click."""
        self._is_setting = True
        try:
            yield
        finally:
            self._is_setting = False

    def guarded(self, act: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return a callback that acts under the lock, and says what went wrong."""

        def guarded(event: Any) -> None:
            with self.lock:
                if self._is_setting:
                    return
                try:
                    act(event)
                except Exception as error:  # noqa: BLE001  told in the panel
                    self._say(error)

        return guarded


UPDATE_SECONDS: Final = 0.1
"""Time between two updates of the page, at least."""


class Job(Generic[T]):
    """What a job is given: whether to stop, and whom to tell how far it is.

    Attributes
    ----------
    stopping : threading.Event
        Set when the job is to end soon; the job looks at it.
    """

    def __init__(self, on_update: Callable[[T], None]) -> None:
        self.stopping = threading.Event()
        self._on_update = on_update
        self._told_at = float("-inf")
        self._held: list[T] = []

    def report(self, value: T) -> None:
        """Pass a value on, or hold it while the last one is too recent."""
        self._held = [value]
        if time.monotonic() - self._told_at >= UPDATE_SECONDS:
            self.tell_held()

    def tell_held(self) -> None:
        """Pass on what is held, if anything; called when the job has ended."""
        held, self._held = self._held, []
        if held:
            self._told_at = time.monotonic()
            self._on_update(held[0])


class Worker(Generic[T]):
    """Runs one job at a time.

    Parameters
    ----------
    on_update : callable
        Gets what the job tells, on the job's thread.
    on_end : callable
        Called once when the job has ended, on its thread, with its result, or with the exception
        that ended it.
    """

    def __init__(
        self, on_update: Callable[[T], None], on_end: Callable[[object | BaseException], None]
    ) -> None:
        self._on_update = on_update
        self._on_end = on_end
        self._lock = threading.Lock()
        self._job: Job[T] | None = None
        self._over: threading.Event | None = None  # of the last job; set once its end was told

    @property
    def is_running(self) -> bool:
        """Whether a job has begun and has not ended."""
        return self._job is not None

    def start(self, work: Callable[[Job[T]], Any]) -> bool:
        """Begin a job, unless one is running; say whether it began."""
        with self._lock:
            if self._job is not None:
                return False
            job = self._job = Job(self._on_update)
            over = self._over = threading.Event()
            # Not a daemon: a kernel that ends in order lets the job write down what it did.
            threading.Thread(
                target=self._run, args=(work, job, over), name="tokenvault-job", daemon=False
            ).start()
        return True

    def stop(self) -> None:
        """Ask the job to end; it ends when it has seen that."""
        job = self._job
        if job is not None:
            job.stopping.set()

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait for the job's end; say whether it has ended. For scripts and headless runs."""
        # Not by joining the thread: interrupted in that, Python 3.11 takes it for ended.
        with self._lock:
            over = self._over
        # A job that has ended and of whose end nobody was told yet is not over.
        told = over is None or over.wait(timeout_seconds)
        return told and not self.is_running

    def _run(self, work: Callable[[Job[T]], Any], job: Job[T], over: threading.Event) -> None:
        try:
            ended: object = work(job)
        except BaseException as error:  # noqa: BLE001  whatever ended it belongs on the page
            ended = error
        job.tell_held()
        # Ended before it is told, so that what follows in the callback can start the next one.
        self._job = None
        try:
            self._on_end(ended)
        finally:
            over.set()
