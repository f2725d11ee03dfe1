"""What tests ask of a command that serves pages: who gets in, from where, and how it ends."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit

import psutil

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "c29tZSByYW5kb20ga2V5IQ==",
}
LAX = """
c = get_config()
c.ServerApp.ip = c.Voila.ip = "0.0.0.0"
c.ServerApp.allow_remote_access = True
c.ServerApp.allow_origin = "*"
c.IdentityProvider.token = c.PasswordIdentityProvider.token = c.Voila.token = ""
c.ServerApp.port = c.Voila.port = 9
"""


def jupyter_at_home(shell):
    """Give a folder's commands a Jupyter that remembers nothing outside of it."""
    del shell.environ[
        "PYTHONWARNINGS"
    ]  # kernels inherit it, and they are not ours to be strict with
    kept = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    shell.environ |= {f"JUPYTER_{name}": str(shell.folder / name.lower()) for name in kept}
    shell.environ |= {
        "IPYTHONDIR": str(shell.folder / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(shell.folder / "lab-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(shell.folder / "lab-workspaces"),
    }
    return shell


def configure_laxly(shell):
    """Leave configuration files that open every door, where Jupyter looks for such."""
    folder = shell.folder / "config_dir"
    folder.mkdir()
    for name in ("jupyter_server_config", "jupyter_lab_config", "voila"):
        (folder / f"{name}.py").write_text(LAX, encoding="utf-8")
    (shell.folder / "jupyter_lab_config.py").write_text(LAX, encoding="utf-8")
    lax = {"Voila": {"ip": "0.0.0.0", "token": "", "port": 9}}
    (shell.folder / "voila.json").write_text(json.dumps(lax), encoding="utf-8")


class Serving:
    """A command that serves pages, from the line on that says where."""

    def __init__(self, shell, *arguments, process=None):
        self.process = process or shell.start(*arguments, "--no-browser", "--json")
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate(timeout=20)[1])
        self.document = json.loads(line)
        self.url = self.document["url"]
        parts = urlsplit(self.url)
        self.host, self.port = parts.hostname, parts.port
        self.token = parse_qs(parts.query)["token"][0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=20)

    def ask(self, path_or_url, data=None, **headers):
        """Get a page, or post data; return the status, where it led to, and the text."""
        url = path_or_url
        if path_or_url.startswith("/"):
            url = f"http://{self.host}:{self.port}{path_or_url}"
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, data, headers), timeout=60
            ) as answer:
                return answer.status, urlsplit(answer.url).path, answer.read().decode()
        except urllib.error.HTTPError as problem:
            with problem:
                return problem.code, urlsplit(problem.url).path, problem.read().decode()

    def connect(self, path, **headers):
        """Ask for a websocket; return the status of the answer."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request("GET", path, headers={**UPGRADE, **headers})
            return connection.getresponse().status
        finally:
            connection.close()

    def headers_of(self, path):
        """The headers that come with a page."""
        with urllib.request.urlopen(f"http://{self.host}:{self.port}{path}", timeout=60) as answer:
            return answer.headers

    def cookie_of(self, path):
        """What a browser would send back that has opened a page with the token."""
        headers = self.headers_of(f"{path}?token={self.token}")
        return "; ".join(one.partition(";")[0] for one in headers.get_all("Set-Cookie"))

    def is_reached_at(self, host):
        """Tell whether anything listens at the port under another address of this machine."""
        with socket.socket() as probe:
            probe.settimeout(5)
            return probe.connect_ex((host, self.port)) == 0

    def kernels(self):
        """The processes that run notebooks for it."""
        children = psutil.Process(self.process.pid).children()
        running = [one for one in children if one.status() != psutil.STATUS_ZOMBIE]
        return [one for one in running if "ipykernel_launcher" in one.cmdline()]

    def interrupt(self, number=signal.SIGINT):
        """End it as Ctrl-C does; return its exit code and what else it said."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err
