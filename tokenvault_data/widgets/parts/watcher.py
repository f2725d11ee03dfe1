"""Looking at something again and again that changes elsewhere, until it is over or nobody cares."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_SECONDS: Final = 2.0


class Watcher:
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
