"""HAProxy and nginx, as Debian has them, in front of an emulator; neither tells a limit."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend vault
    bind 127.0.0.1:{port}
    stick-table type string size 1k expire 5m store http_req_rate(60s)
    http-request track-sc0 hdr(x-client-id)
    http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {per_minute} }}
    default_backend emulator
backend emulator
    server one 127.0.0.1:{behind}
"""

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    limit_req_zone $http_x_client_id zone=vault:1m rate={per_minute}r/m;
    limit_req_status 429;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            limit_req zone=vault;
            proxy_pass http://127.0.0.1:{behind};
        }}
    }}
}}
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def gateway(kind, folder, behind, per_minute):
    """The port of a gateway in front of the port `behind`; a missing program is a failure."""
    program = shutil.which(kind, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    assert program is not None, f"{kind} is not installed; apt-get install haproxy nginx-light"
    port, config = free_port(), folder / f"{kind}.conf"
    template = HAPROXY if kind == "haproxy" else NGINX
    config.write_text(
        template.format(port=port, behind=behind, per_minute=per_minute, folder=folder)
    )
    flag = ["-db", "-f"] if kind == "haproxy" else ["-c"]
    with (folder / f"{kind}.log").open("wb") as log:
        process = subprocess.Popen([program, *flag, str(config)], stdout=log, stderr=log)
    try:
        for _ in range(200):
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / f"{kind}.log").read_text()
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


class Other:
    """A checkout: one request every so many seconds, each once, whatever becomes of it."""

    def __init__(self, port, per_minute, client_id):
        self._port, self._per_minute, self._client_id = port, per_minute, client_id
        self.statuses = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    @property
    def refused_at(self):
        return [at for at, status in self.statuses if status == 429]

    def _run(self):
        headers = {
            "x-client-id": self._client_id,
            "x-client-secret": "other",
            "x-api-version": "2023-08-01",
        }
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            due += 60.0 / self._per_minute
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            connection.request("GET", "/pg/customers/other/instruments", headers=headers)
            answer = connection.getresponse()
            answer.read()
            connection.close()
            self.statuses.append((time.monotonic(), answer.status))
