"""What the command says of itself, and what that costs."""

import json
import subprocess
import sys

import pytest
from cli_bench import ROOT

from tokenvault_data import __version__

COMMANDS = (
    *("demo", "emulator", "collect", "snapshots", "show"),
    *("breakdown", "expiring", "changes", "identity", "quality"),
    *("export", "report", "lab", "app", "cleanup", "doctor"),
)
HEAVY = ("pandas", "pyarrow", "numpy", "httpx", "pyreqwest", "uvicorn", "rich", "asyncio")
HEAVY += ("jupyterlab", "jupyter_server", "voila", "ipywidgets", "tornado", "traitlets")


def test_help_loads_nothing_heavy():
    """`tokenvault --help` and a command's help import neither pandas nor httpx nor their like."""
    code = f"""
import json, os, sys
from tokenvault_data.cli import main
def leave(code):
    print(json.dumps([code, sorted(set(sys.modules) & set({HEAVY!r}))]), file=sys.stderr)
    os._exit(0)
main._leave = leave
main.run()
"""
    for arguments in (
        ["--help"],
        ["collect", "--help"],
        ["breakdown", "--help"],
        ["report", "--help"],
        ["lab", "--help"],
        ["app", "--help"],
    ):
        ended = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(ended.stderr) == [0, []]


def test_help_lists_all_commands_in_whole_sentences(alone):
    """The list of commands fits 80 columns without a sentence being cut off."""
    helped = alone.run("--help")
    assert helped.code == 0
    assert helped.err == ""
    assert "..." not in helped.out.replace("[ARGS]...", "")
    for command in COMMANDS:
        assert f"\n  {command} " in helped.out


def test_no_command_is_wrong_usage(alone):
    """Without a command the help goes to stderr, and the exit code is 2."""
    ended = alone.run()
    assert (ended.code, ended.out) == (2, "")
    assert "Commands:" in ended.err


def test_version(alone):
    """`--version` names the installed version."""
    ended = alone.run("--version")
    assert (ended.code, ended.out) == (0, f"tokenvault {__version__}\n")


@pytest.mark.parametrize("option", ["--profile", "--store", "--json"])
def test_every_command_takes_the_common_options(option):
    """`--profile`, `--store` and `--json` are there wherever one is."""
    from typer.main import get_command

    from tokenvault_data.cli.main import app

    commands = get_command(app).commands
    assert sorted(commands) == sorted(COMMANDS)
    commands |= commands.pop("cleanup").commands
    for command in commands.values():
        assert option in {name for parameter in command.params for name in parameter.opts}
