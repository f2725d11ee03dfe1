"""Run stories that take minutes at the same time, and hand each to the tests that ask about it.

A campaign waits a minute before it calls a card deleted. So each story of a vault and a user runs
in its own thread. All stories that the chosen tests ask for start at once, and a test waits for its
own: `@about(story, *arguments)`, and the fixture `told`.
"""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from driver import World, new_world
from small_vault import Card, SmallVault

if TYPE_CHECKING:
    from collections.abc import Callable

AT_ONCE = 24  # campaigns; nearly all of them wait
SECONDS_A_TEST = 900  # a test may be the first to ask for what takes minutes


class Stage:
    """What a story takes place on: a folder, and vaults that answer until all tests are over."""

    def __init__(self, folder: Path, open_vaults: ExitStack) -> None:
        self.folder, self._open_vaults = folder, open_vaults
        self._numbers = itertools.count(1)
        self.worlds: list[World] = []

    def vault(self, cards: list[Card], **how: Any) -> SmallVault:
        """Start a vault."""
        vault = SmallVault(cards, **how)
        self._open_vaults.callback(vault.close)
        return vault

    def world(self, vault: SmallVault) -> World:
        """Make a store and settings for it, with a snapshot of all its customers."""
        world = new_world(self.folder / f"world-{next(self._numbers)}", vault)
        self.worlds.append(world)
        return world

    def copy(self, world: World) -> World:
        """Copy store and settings of a world."""
        other = world.copy(self.folder / f"world-{next(self._numbers)}")
        self.worlds.append(other)
        return other


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark all tests of this folder, and give them time."""
    if Path(__file__).parent in item.path.parents:
        item.add_marker(pytest.mark.outsider)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS_A_TEST))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that need no long story; in each kind the order stays as it is."""
    items.sort(key=_waits)


def _waits(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("story")
    return marker is not None and not hasattr(marker.args[0], "quick")


class _Stories:
    def __init__(self, folder: Callable[[str], Path], open_vaults: ExitStack) -> None:
        self._folder, self._open_vaults = folder, open_vaults
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._lock = threading.Lock()
        self._told: dict[Any, tuple[Stage, Future[Any]]] = {}

    def begin(self, key: tuple[Any, ...]) -> tuple[Stage, Future[Any]]:
        with self._lock:
            if key not in self._told:
                function, *arguments = key
                stage = Stage(self._folder(function.__name__), self._open_vaults)
                self._told[key] = stage, self._pool.submit(function, stage, *arguments)
            return self._told[key]

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def _stories(request, tmp_path_factory):
    with ExitStack() as open_vaults:
        stories = _Stories(lambda name: tmp_path_factory.mktemp(name[:20]), open_vaults)
        open_vaults.callback(stories.close)
        # Under xdist each worker sees all tests and runs some: it tells only what it is asked for.
        if not hasattr(request.config, "workerinput"):
            for item in request.session.items:
                for marker in item.iter_markers("story"):
                    stories.begin(marker.args)
        yield stories


@pytest.fixture
def told(request, _stories):
    """What came of the test's story; its screens are printed for whoever has to read a failure."""
    (marker,) = request.node.iter_markers("story")
    stage, future = _stories.begin(marker.args)
    try:
        return future.result()
    finally:
        for world in stage.worlds:
            for ran in world.runs:
                print(f"--- exit code {ran.code}\n{ran.text}")
