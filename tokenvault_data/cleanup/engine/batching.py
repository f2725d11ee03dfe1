"""Doing at once what several tasks ask for at about the same time.

Flushing a transaction to the disk, or reading one answer into a table, costs about as much for
eight items as for one, and while it is done nothing else is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

A = TypeVar("A")
R = TypeVar("R")

_LONGEST_LINGER_SECONDS: Final = 0.02


class Batcher(Generic[A, R]):
    """Collects what is asked for and does it in one go.

    Parameters
    ----------
    work : callable
        From the asked-for things, in order, to as many results. What it raises, all who asked get.
    lingers : bool, optional
        Whether to wait for others to ask for as long as the work took the last time, 20 ms at the
        most. On a slow disk this writes more items a second, on a quick one it costs nothing.
    """

    def __init__(
        self, work: Callable[[Sequence[A]], Sequence[R]], *, lingers: bool = False
    ) -> None:
        self._work = work
        self._lingers = lingers
        self._asked: list[tuple[A, asyncio.Future[R]]] = []
        self._linger_seconds = 0.0

    async def ask(self, what: A) -> R:
        """Have one thing done, and give its result."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        if not self._asked:
            loop.call_later(self._linger_seconds, self._do)
        self._asked.append((what, future))
        return await future

    def _do(self) -> None:
        asked, self._asked = self._asked, []
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            results = self._work([what for what, _ in asked])
        except BaseException as error:  # noqa: BLE001  whoever asked gets it, whatever it is
            for _, future in asked:
                if not future.done():
                    future.set_exception(error)
            return
        if self._lingers:
            self._linger_seconds = min(_LONGEST_LINGER_SECONDS, clock() - began)
        for (_, future), result in zip(asked, results, strict=True):
            if not future.done():
                future.set_result(result)
