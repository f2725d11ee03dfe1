"""Callbacks of a panel: one at a time, and none for what the panel itself has set.

Clicks arrive on any thread, and a trait that Python sets calls its observers as a click does.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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
