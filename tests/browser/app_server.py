"""The app for browser tests: the command itself, in a folder of the test."""

from __future__ import annotations

import json
import subprocess
import sys

import psutil
from lab_server import clean_environment

COMMAND = (sys.executable, "-c", "from tokenvault_data.cli.main import run; run()")


class App:
    """A running `tokenvault app`, and the folder its store is in."""

    def __init__(self, folder, *arguments):
        self.folder = folder
        self.process = subprocess.Popen(
            [*COMMAND, "app", "--no-browser", "--json", *arguments],
            cwd=folder,
            env=clean_environment(folder / "jupyter"),
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = json.loads(self.process.stdout.readline())["url"]

    def kernels(self):
        """The processes that pages have."""
        children = psutil.Process(self.process.pid).children()
        running = [one for one in children if one.status() != psutil.STATUS_ZOMBIE]
        return [one for one in running if "ipykernel_launcher" in one.cmdline()]

    def stop(self):
        """End it, and what its pages have started."""
        self.process.terminate()
        self.process.communicate(timeout=30)
