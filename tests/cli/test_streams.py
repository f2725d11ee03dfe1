"""Commands whose standard streams are closed, or whose reader has gone."""

import os
import subprocess
import sys

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


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_as_good_as_none(alone, closed):
    """The command does its work, says nothing of it, and keeps its exit code."""
    store = alone.folder / "vault-data"
    snapshot = publish(store, "HDFC Bank")
    before = contents(snapshot.path)
    ended = shell_line(alone, f"tokenvault show latest {closed}")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert shell_line(alone, f"tokenvault export latest --to cards.csv {closed}").returncode == 0
    assert (alone.folder / "cards.csv").read_text().count("\n") == 2
    assert contents(snapshot.path) == before
    assert shell_line(alone, f"tokenvault show nothing {closed}").returncode == 1


def test_a_list_from_a_closed_stream_is_an_empty_list(alone):
    """One sentence, exit code 2."""
    ended = shell_line(alone, "tokenvault collect - <&-")
    assert ended.returncode == 2
    assert "standard input holds no ids" in ended.stderr


@pytest.mark.parametrize(
    "line",
    ["tokenvault show latest | true", "tokenvault --help | true", "tokenvault show x 2>&1 | true"],
)
def test_a_reader_that_goes_is_no_news(alone, line):
    """No traceback, and no word of it."""
    publish(alone.folder / "vault-data", *["HDFC Bank"] * 50)
    ended = shell_line(alone, line)
    assert (ended.stdout, ended.stderr) == ("", "")
    assert ended.returncode in {0, 1}
