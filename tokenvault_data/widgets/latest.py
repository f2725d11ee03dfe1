"""Work that only the newest request is worth: while one is answered, all but the last are dropped.

Whoever clicks five bars in a row wants the table of the fifth.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


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

    def ask(self, request: T) -> None:
        """Leave a request, in place of one that still waits."""
        with self._changed:
            self._waiting = [request]
            if self._is_busy:
                return
            self._is_busy = True
        # A daemon: nothing is lost when a kernel ends in the middle of a page of a table.
        threading.Thread(target=self._run, name="tokenvault-latest", daemon=True).start()

    @property
    def is_overtaken(self) -> bool:
        """Whether a newer request waits; a long answer may give up then."""
        return bool(self._waiting)

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
