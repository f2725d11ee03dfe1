"""Commands whose standard streams are closed, or whose reader has gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_bench import publish


def shell_line(shell, line):
    """Let a real shell run a line in which `tokenvault` is `python -m tokenvault_data`."""
    (shell.folder / "tokenvault").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m tokenvault_data "$@"\n'
    )
    (shell.folder / "tokenvault").chmod(0o755)
    environ = {**shell.environ, "PATH": f"{shell.folder}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=shell.folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("closed", "asked"),
    [
        (">&-", "show export"),
        ("2>&-", "export nothing"),
        ("<&-", "export"),
        ("<&- >&- 2>&-", "show export nothing"),
    ],
)
def test_a_closed_stream_is_as_good_as_none(alone, closed, asked):
    """The command does its work, says nothing of it, and keeps its exit code."""
    store = alone.folder / "vault-data"
    snapshot = publish(store, "HDFC Bank")
    before = contents(snapshot.path)
    if "show" in asked:
        ended = shell_line(alone, f"tokenvault show latest {closed}")
        assert (ended.returncode, ended.stderr) == (0, "")
    if "export" in asked:
        ended = shell_line(alone, f"tokenvault export latest --to cards.csv {closed}")
        assert ended.returncode == 0
        assert (alone.folder / "cards.csv").read_text().count("\n") == 2
    assert contents(snapshot.path) == before
    if "nothing" in asked:
        assert shell_line(alone, f"tokenvault show nothing {closed}").returncode == 1


def test_a_list_from_a_closed_stream_is_an_empty_list(alone):
    """One sentence, exit code 2."""
    ended = shell_line(alone, "tokenvault collect - <&-")
    assert ended.returncode == 2
    assert "standard input holds no ids" in ended.stderr


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("tokenvault show latest | true", 0),
        ("tokenvault --help | true", 0),
        ("tokenvault show x 2>&1 | true", 1),
        ("tokenvault export latest --to cards.csv | true", 0),
    ],
)
def test_a_reader_that_goes_is_no_news(alone, line, code):
    """No traceback, no word of it, and the exit code of what was done."""
    publish(alone.folder / "vault-data", *["HDFC Bank"] * 50)
    ended = shell_line(alone, line)
    assert (ended.stdout, ended.stderr) == ("", "")
    assert ended.returncode == code
    assert (alone.folder / "cards.csv").exists() == ("export" in line)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_a_full_disk_behind_stdout_stops_no_work(alone):
    """The file is written whole, and it is said what could not be."""
    publish(alone.folder / "vault-data", "HDFC Bank")
    ended = shell_line(alone, "tokenvault export latest --to cards.csv --json > /dev/full")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: standard output could not be written (No space left")
    assert (alone.folder / "cards.csv").read_text().count("\n") == 2
