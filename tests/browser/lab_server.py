"""A JupyterLab server for browser tests, with folders of its own for all that Jupyter remembers."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import tokenvault_data
from tokenvault_data.apps.server import SHARE

ROOT = Path(tokenvault_data.__file__).resolve().parents[1]
START_SECONDS = 90
SETTINGS = (
    *("--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0", "--ServerApp.open_browser=False"),
    *("--ServerApp.answer_yes=True", "--LabApp.extension_manager=readonly"),
    *("--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None"),
    "--LabApp.expose_app_in_browser=True",
)


def clean_environment(folder: Path) -> dict[str, str]:
    """Return variables under which nothing of the user's Jupyter, nor a vault of theirs, is found.

    Parameters
    ----------
    folder
        Where Jupyter and IPython may keep what they want to remember.
    """
    ours = ("CASHFREE_", "TOKENVAULT_", "JUPYTER", "IPYTHON", "PYTEST_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    kept = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    environ |= {f"JUPYTER_{name}": str(folder / name.lower()) for name in kept}
    environ |= {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "TOKENVAULT_CONFIG": str(folder / "tokenvault"),
        "PYTHONPATH": str(ROOT),
        "JUPYTER_CONFIG_PATH": str(SHARE / "config"),  # as `tokenvault lab` starts it
    }
    return environ


class LabServer:
    """JupyterLab on a random port of loopback, behind a random token.

    Attributes
    ----------
    folder : Path
        What it serves.
    url : str
        Its address, without the token.
    token : str
    """

    def __init__(self, folder: Path, memory: Path) -> None:
        self.folder = folder
        self.token = secrets.token_hex(16)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        memory.mkdir(parents=True, exist_ok=True)
        self._memory = memory
        self._log = memory / "server.log"
        command = [sys.executable, "-m", "jupyterlab", *SETTINGS, f"--ServerApp.port={port}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--allow-root")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=clean_environment(memory) | {"JUPYTER_TOKEN": self.token},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_it_answers(self) -> None:
        """Return once the server answers.

        Raises
        ------
        AssertionError
            It ended, or took longer than a minute and a half.
        """
        give_up_at = time.monotonic() + START_SECONDS
        while True:
            try:
                self.request("GET", "/api/status")
            except OSError:
                ended = self._process.poll() is not None
                assert not ended, f"JupyterLab did not start: {self._log.read_text()[-2000:]}"
                assert time.monotonic() < give_up_at, "JupyterLab does not answer"
                time.sleep(0.1)
            else:
                return

    def request(self, method: str, path: str) -> object:
        """Send a request of our own to the server's interface; return what it answers."""
        headers = {"Authorization": f"token {self.token}"}
        asked = urllib.request.Request(f"{self.url}{path}", method=method, headers=headers)
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def end_kernels(self) -> None:
        """Shut down all sessions and their kernels, so that tests do not share any."""
        for session in self.request("GET", "/api/sessions"):
            try:
                self.request("DELETE", f"/api/sessions/{session['id']}")
            except urllib.error.HTTPError as problem:
                if problem.code != 404:  # it has ended by itself
                    raise

    def forget(self) -> None:
        """Forget which theme was chosen, which side bars were open, and the like."""
        for kept in ("settings", "workspaces"):
            shutil.rmtree(self._memory / kept, ignore_errors=True)

    def stop(self) -> None:
        """End the server and its kernels."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
