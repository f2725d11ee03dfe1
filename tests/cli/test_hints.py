"""Commands in hints, ready to be pasted."""

import sys
from pathlib import Path

from tokenvault_data.cli.hints import command_line


def test_words_are_quoted_and_defaults_left_out(monkeypatch):
    """A store is named only when it is not the default one, and a space does not break a word."""
    monkeypatch.setattr(sys, "argv", ["elsewhere"])
    assert command_line("show", "latest") == "tokenvault show latest"
    hint = command_line("collect", "--resume", "RUN", store=Path("my data"), profile="shop")
    assert hint == "tokenvault collect --resume RUN --store 'my data' --profile shop"


def test_the_path_where_the_shell_does_not_find_the_name(monkeypatch, tmp_path):
    """Called by path outside its environment, hints use that path; inside, the bare name."""
    monkeypatch.setattr(sys, "argv", [".venv/bin/tokenvault", "demo"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command_line("snapshots") == ".venv/bin/tokenvault snapshots"
    program = tmp_path / "tokenvault"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert command_line("snapshots") == "tokenvault snapshots"
