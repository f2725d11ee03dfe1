"""One emulator for all commands of a test process; its faults and its log are each test's own."""

from __future__ import annotations

import pytest
from cli_bench import Shell

from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings


@pytest.fixture(scope="session")
def running_emulator():
    """An emulator with two thousand customers and no limit."""
    with Emulator(EmulatorSettings(customers=2000)) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator):
    """The emulator, without faults and with an empty log."""
    running_emulator.set_faults("")
    running_emulator.wire_log.clear()
    yield running_emulator
    running_emulator.set_faults("")


@pytest.fixture
def shell(tmp_path, emulator):
    """A folder whose commands find the emulator."""
    return Shell(tmp_path, emulator.base_url)


@pytest.fixture
def alone(tmp_path):
    """A folder whose commands find no vault at all."""
    return Shell(tmp_path, "http://127.0.0.1:9/pg")
