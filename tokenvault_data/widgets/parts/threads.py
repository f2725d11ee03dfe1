"""One long job at a time beside the kernel: on a thread of its own, told to stop by an event.

Callbacks of widgets have no fixed thread: ipykernel runs them on its main thread or on others, and
changes between them within one session. So a job never depends on who started it, nothing is
cancelled from outside, and what it tells is passed on at most ten times a second: a page that gets
thousands of updates never catches up.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

UPDATE_SECONDS: Final = 0.1
"""Time between two updates of the page, at least."""

T = TypeVar("T")


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

    def tell(self, value: T) -> None:
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
