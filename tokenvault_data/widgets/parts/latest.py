"""Work that only the newest request is worth: while one is answered, all but the last are dropped.

Whoever clicks five bars in a row wants the table of the fifth.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

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
