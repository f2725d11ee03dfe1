"""Starting and stopping: in a thread, as a command, and on a port that is taken."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from emulator_bench import AS_OF, HEADERS

import tokenvault_data.emulator
from tokenvault_data.emulator.population.population import Population
from tokenvault_data.emulator.process import emulator_process
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings


def list_url(base_url, customer_id="cust_0000003"):
    return f"{base_url}/customers/{customer_id}/instruments?instrument_type=card"


def command(*options):
    return subprocess.Popen(
        [sys.executable, "-m", "tokenvault_data.emulator", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_emulators_run_side_by_side_and_leave_nothing_behind():
    """Each has a port, a thread and a state of its own; stopping ends thread and port."""
    before = threading.active_count()
    with Emulator(EmulatorSettings(customers=5)) as one, Emulator() as two:
        assert one.base_url != two.base_url
        assert httpx.get(list_url(one.base_url), headers=HEADERS).status_code == 200
    assert threading.active_count() == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(list_url(one.base_url), headers=HEADERS)


def test_stopping_does_not_wait_for_a_request_that_hangs():
    """A hanging request and an idle connection end with the server, at once."""
    with Emulator(EmulatorSettings(customers=5, faults="hang")) as emulator:
        failures = []

        def ask():
            try:
                httpx.get(list_url(emulator.base_url), headers=HEADERS, timeout=20)
            except httpx.HTTPError as problem:
                failures.append(problem)

        asking = threading.Thread(target=ask)
        asking.start()
        while not emulator.wire_log.entries():
            time.sleep(0.01)
        began = time.monotonic()
    assert time.monotonic() - began < 2
    asking.join(timeout=5)
    assert len(failures) == 1


def test_there_is_no_address_before_the_start():
    """Asking too early says what to do."""
    with pytest.raises(RuntimeError, match="use it in `with`"):
        _ = Emulator().base_url


def test_a_port_that_is_taken_is_reported():
    """The message names the port and the way out."""
    with Emulator() as emulator:
        port = int(emulator.base_url.rpartition(":")[2].removesuffix("/pg"))
        with pytest.raises(OSError, match=f"port {port} on 127.0.0.1 cannot be used"):
            Emulator(EmulatorSettings(port=port)).start()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_cleanly_on_a_signal(tmp_path, number):
    """First line the base URL; exit status 0, no traceback, and the record is complete."""
    record = tmp_path / "wire.jsonl"
    with command("--customers", "5", "--record", str(record)) as child:
        base_url = child.stdout.readline().strip()
        assert httpx.get(list_url(base_url), headers=HEADERS).status_code == 200
        child.send_signal(number)
        assert child.wait(timeout=10) == 0
        assert child.stderr.read() == ""
    assert [json.loads(line)["number"] for line in record.read_text().splitlines()] == [1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--faults", "explode"), "no kind 'explode'"),
        (("--host", "0.0.0.0"), "not a loopback address"),
        (("--customers", "-4"), "customers is -4"),
    ],
)
def test_the_command_refuses_what_cannot_work(options, said):
    """Exit status 2 and one line that says why."""
    with command(*options) as child:
        out, err = child.communicate(timeout=10)
    assert child.returncode == 2
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_a_process_of_its_own_takes_every_setting():
    """The child answers as the settings say, credentials included, and is gone afterwards."""
    settings = EmulatorSettings(
        customers=50, seed=3, as_of=AS_OF, rate_limit_per_minute=100, window="log", page_size=2,
        paging="link", limit_header_dialects=frozenset({"limit"}), demand_client_secret="s3",
        latency_ms=1, rejected_count=True,
    )  # fmt: skip
    with emulator_process(settings) as base_url:
        refused = httpx.get(list_url(base_url), headers=HEADERS)
        assert refused.status_code == 401
        answer = httpx.get(list_url(base_url), headers={**HEADERS, "x-client-secret": "s3"})
        truth = Population(settings).instruments("cust_0000003", "2025-01-01")
        assert answer.json() == truth[:2]
        assert answer.headers["x-ratelimit-limit"] == "100"
        assert "x-ratelimit-remaining" not in answer.headers
    with pytest.raises(httpx.ConnectError):
        httpx.get(base_url)


def test_a_process_that_cannot_start_says_why():
    """The child's own message reaches whoever started it."""
    with (
        Emulator() as emulator,
        pytest.raises(RuntimeError, match="cannot be used"),
        emulator_process(
            EmulatorSettings(port=int(emulator.base_url.rpartition(":")[2].removesuffix("/pg")))
        ),
    ):
        pass


def test_the_emulator_imports_nothing_else_of_the_package():
    """It cannot agree with our mistakes: running it loads no other module of the toolkit."""
    code = (
        "import sys, tokenvault_data.emulator.server, tokenvault_data.emulator.process;"
        "print(*sorted(n for n in sys.modules if n.startswith('tokenvault_data')))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    loaded = set(output.split()) - {"tokenvault_data", "tokenvault_data.emulator"}
    assert loaded
    assert all(name.startswith("tokenvault_data.emulator.") for name in loaded)


def test_every_module_of_the_emulator_is_short():
    """One idea a module."""
    folder = Path(tokenvault_data.emulator.__file__).parent
    assert all(len(path.read_text().splitlines()) <= 300 for path in folder.glob("*.py"))
