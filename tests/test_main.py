"""The command's first moments, before there is anything that could be interrupted."""

import os
import signal
import subprocess
import sys


def test_an_interrupt_while_modules_are_read_ends_it_without_a_word(tmp_path):
    """No traceback: the process ends by the signal, as a shell expects it."""
    (tmp_path / "typer.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    ended = subprocess.run(
        [sys.executable, "-m", "tokenvault_data", "--version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, b"", b"")
