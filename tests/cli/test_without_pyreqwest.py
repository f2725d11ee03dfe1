"""A machine on which the first wire engine cannot be installed."""

import json
import os
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path

import pytest
from cli_bench import COMMAND, ROOT

from tokenvault_data import open_snapshot


def cards(snapshot):
    """What was collected, without when."""
    rows = snapshot.to_arrow().drop_columns(["fetched_at"]).to_pylist()
    return sorted(rows, key=lambda row: (row["customer_id"], row["list_position"]))


@pytest.fixture
def elsewhere(tmp_path):
    """A folder of packages in which all is installed but pyreqwest."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if not package.name.startswith("pyreqwest"):
            (folder / package.name).symlink_to(package)
    return folder


def run(shell, packages, *arguments):
    """Run a command that finds its packages there, and only there."""
    environ = {**shell.environ, "PYTHONPATH": os.pathsep.join(map(str, (packages, ROOT)))}
    return subprocess.run(
        [sys.executable, "-S", *COMMAND[1:], *arguments],
        cwd=shell.folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_it_collects_all_the_same(shell, elsewhere, emulator):
    """Without pyreqwest the same cards are collected, each customer asked for once."""
    ids = [f"cust_{number:07d}" for number in range(60)]
    shell.write_list("ids.txt", ids)
    ended = run(shell, elsewhere, "collect", "ids.txt", "--store", "without", "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    asked = Counter(entry.customer_id for entry in emulator.wire_log.entries("list"))
    assert asked == Counter(ids)
    assert shell.run("collect", "ids.txt", "--store", "with").code == 0
    without, usual = (open_snapshot(shell.folder / store) for store in ("without", "with"))
    assert without.complete
    assert cards(without) == cards(usual)
    assert cards(usual)


def test_doctor_says_what_carries_the_requests(shell, elsewhere):
    """The slower engine is a warning that names the cause; the machine is ready all the same."""
    ended = run(shell, elsewhere, "doctor", "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    document = json.loads(ended.stdout)
    found = {finding["check"]: finding for finding in document["findings"]}
    assert document["ready"]
    assert found["engine"]["state"] == "warning"
    assert "No module named 'pyreqwest'" in found["engine"]["detail"]
    assert "pyreqwest not installed" in found["versions"]["detail"]
    assert found["host"]["state"] == "ok"
    (line,) = (
        line for line in run(shell, elsewhere, "doctor").stdout.splitlines() if " engine " in line
    )
    assert line.startswith("WARNING engine      httpx")


def test_doctor_says_so_where_pyreqwest_is(shell, emulator):
    """As everywhere else it is pyreqwest, and nothing is to be done."""
    assert "ok      engine      pyreqwest" in shell.run("doctor").out
