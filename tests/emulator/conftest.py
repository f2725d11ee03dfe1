"""Emulators for tests: one of their own, one shared, one whose faults change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from emulator_bench import Bench, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


@pytest.fixture(scope="session")
def run() -> Callable[..., AbstractContextManager[Bench]]:
    """`with run(after_delete="inactive") as bench:` runs an emulator of its own."""
    return running


@pytest.fixture(scope="module")
def shared() -> Iterator[Bench]:
    """One emulator for tests that change nothing, or only what no other test looks at."""
    with running() as bench:
        yield bench


@pytest.fixture(scope="module")
def shared_with_faults() -> Iterator[Bench]:
    """One emulator whose faults each test sets for itself."""
    with running() as bench:
        yield bench


@pytest.fixture
def faulty(shared_with_faults: Bench) -> Iterator[Callable[[str], Bench]]:
    """`faulty("503")` is an emulator with these faults and an empty wire log."""

    def set_faults(specification: str) -> Bench:
        shared_with_faults.emulator.set_faults(specification)
        shared_with_faults.emulator.wire_log.clear()
        return shared_with_faults

    yield set_faults
    shared_with_faults.emulator.set_faults("")
