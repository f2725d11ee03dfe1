"""The command line out of a company's network: Debian's tinyproxy, and an authority of its own."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
import trustme

pytestmark = pytest.mark.outsider

OPTIONS = ("--proxy", "--ca-file")
VARIABLES = ("TOKENVAULT_PROXY", "TOKENVAULT_CA_FILE")


class _Vault(http.server.BaseHTTPRequestHandler):
    """Has no cards for anybody."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"[]"
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
def vault(authority):
    """The port of a vault with a certificate of the company's authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Vault)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def proxy(tmp_path):
    """A tinyproxy that wants a password: its address, and what it has logged."""
    program = shutil.which("tinyproxy")
    assert program is not None, "Debian's tinyproxy is missing: apt-get install tinyproxy"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path / "tinyproxy.log"
    (tmp_path / "tinyproxy.conf").write_text(
        f'Port {port}\nListen 127.0.0.1\nTimeout 60\nLogFile "{log}"\nLogLevel Connect\n'
        "MaxClients 50\nAllow 127.0.0.1\nBasicAuth ann sesame99\n"
    )
    process = subprocess.Popen([program, "-d", "-c", str(tmp_path / "tinyproxy.conf")])
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"http://ann:sesame99@127.0.0.1:{port}", log
    process.terminate()
    process.wait(30)


@pytest.fixture
def run(tmp_path, vault):
    """The command line of somebody whose vault is reached by TLS only."""

    def run(*arguments, **environ):
        ended = subprocess.run(
            [sys.executable, "-m", "tokenvault_data", *map(str, arguments)],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "TOKENVAULT_CONFIG": str(tmp_path / "config"),
                "TOKENVAULT_BASE_URL": f"https://localhost:{vault}/pg",
                **environ,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "sesame99" not in ended.stdout + ended.stderr
        return ended

    return run


@pytest.mark.parametrize("how", ["options", "variables", "profile"])
def test_doctor_and_collect_reach_the_vault(  # noqa: PLR0917  fixtures
    how, run, proxy, authority, tmp_path, vault
):
    """By each of the three documented ways, and the proxy's own log has seen it."""
    address, log = proxy
    ca_file = tmp_path / "company.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    options, environ = (), {}
    if how == "options":
        options = ("--proxy", address, "--ca-file", ca_file)
    elif how == "variables":
        environ = {"TOKENVAULT_PROXY": address, "TOKENVAULT_CA_FILE": str(ca_file)}
    else:
        profile = tmp_path / "config" / "profiles.toml"
        profile.parent.mkdir(mode=0o700)
        profile.write_text(
            f'[office]\nenvironment = "emulator"\nproxy = "{address}"\nca_file = "{ca_file}"\n'
        )
        profile.chmod(0o600)
        options = ("--profile", "office")
    ended = run("doctor", "--json", *options, **environ)
    found = {one["check"]: one for one in json.loads(ended.stdout)["findings"]}
    assert ended.returncode == 0, ended.stdout
    assert "through the proxy http://127.0.0.1:" in found["network"]["detail"]
    assert f"CONNECT localhost:{vault}" in log.read_text()
    (tmp_path / "ids.txt").write_text("cust_1\ncust_2\n")
    ended = run("collect", "ids.txt", "--rate", "600", "--json", *options, **environ)
    assert ended.returncode == 0, ended.stderr
    assert log.read_text().count("CONNECT localhost") >= 2


def test_what_is_missing_is_said(run, proxy, authority, tmp_path):
    """Without the authority, without the password, and with the variables of other tools."""
    address, _ = proxy
    ca_file = tmp_path / "company.pem"
    authority.cert_pem.write_to_path(str(ca_file))

    def problem(*options, **environ):
        ended = run("doctor", "--json", *options, **environ)
        assert ended.returncode == 1
        (found,) = (
            one["detail"]
            for one in json.loads(ended.stdout)["findings"]
            if one["state"] == "problem"
        )
        return found

    unknown = problem("--proxy", address, REQUESTS_CA_BUNDLE=str(ca_file))
    assert "authority that this machine does not know" in unknown
    assert "--ca-file" in unknown
    assert "REQUESTS_CA_BUNDLE is set but not used" in unknown
    assert "clock" not in unknown
    anonymous = "http://" + address.partition("@")[2]
    assert anonymous in problem("--proxy", anonymous, "--ca-file", ca_file)
    ended = run("doctor", "--json", "--ca-file", tmp_path / "nobody.pem")
    assert "nobody.pem cannot be used" in ended.stdout
