"""Which machine this is, and on which one a campaign was begun."""

import json
import stat
import uuid

import pytest

from tokenvault_data.cleanup.ledger import machine
from tokenvault_data.cleanup.ledger.machine import (
    MACHINE_NAME,
    boot_id,
    machine_id,
    read_machine,
    write_machine,
)


def test_it_stays_the_same_and_does_not_give_the_systems_id_away():
    """Sixteen hexadecimal digits, a hash of what the system calls itself."""
    assert machine_id() == machine_id()
    assert len(machine_id()) == 16
    int(machine_id(), 16)
    for path in machine._ID_FILES:
        if path.exists() and path.read_text().strip():
            assert machine_id() not in path.read_text()


@pytest.fixture
def nameless(tmp_path, monkeypatch):
    """A machine whose system has no id."""
    paths = (tmp_path / "one", tmp_path / "two")
    monkeypatch.setattr(machine, "_ID_FILES", paths)
    return paths


def test_an_id_of_the_system_decides(nameless):
    """The first file that holds one; an empty one holds none."""
    without = machine_id()
    nameless[0].write_text("\n")
    assert machine_id() == without
    nameless[1].write_text("f00d\n")
    second = machine_id()
    nameless[0].write_bytes(b"\xff")
    assert machine_id() == second != without
    nameless[0].write_text("beef")
    assert machine_id() not in (second, without)


def test_without_any_the_network_card_decides_and_no_drawn_number(nameless, monkeypatch):
    """Where there is no card, every process draws a number of its own: that would be no machine."""
    nodes = iter([0x0242AC110002, 0x0242AC110003, 0x0342AC110002, 0x9342AC11FFFF])
    monkeypatch.setattr(uuid, "getnode", lambda: next(nodes))
    one, other, drawn, drawn_again = (machine_id() for _ in range(4))
    assert one != other
    assert drawn == drawn_again


def test_a_campaigns_folder_names_its_machine(tmp_path):
    """In a file for its owner only, written once more without harm."""
    assert read_machine(tmp_path) is None
    for _ in range(2):
        write_machine(tmp_path)
    path = tmp_path / MACHINE_NAME
    assert read_machine(tmp_path)[0] == machine_id()
    assert json.loads(path.read_bytes())["format"] == "tokenvault-machine"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b'{"machine":"x"}', b"\xff"])
def test_a_file_that_names_none_names_none(tmp_path, content):
    """Whatever it holds instead."""
    (tmp_path / MACHINE_NAME).write_bytes(content)
    assert read_machine(tmp_path) is None


def test_a_start_of_the_machine_has_a_name(tmp_path, monkeypatch):
    """The same as long as it runs, empty where the system has none."""
    assert boot_id() == boot_id()
    monkeypatch.setattr(machine, "_BOOT_FILE", tmp_path / "none")
    assert boot_id() == ""
