"""Half stays half, behind limiters that nobody here wrote and that tell no limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from gateways import Other, gateway

from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.emulator.process import emulator_process
from tokenvault_data.emulator.settings import EmulatorSettings

pytestmark = [pytest.mark.gateway, pytest.mark.timeout(3600)]
CLIENT_ID = emulator_profile().credentials.client_id.reveal()


def start(*arguments, port, config):
    environment = {
        **os.environ,
        "TOKENVAULT_BASE_URL": f"http://127.0.0.1:{port}/pg",
        "TOKENVAULT_CONFIG": str(config),
    }
    code = "from tokenvault_data.cli.main import run; run()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


def stop(process):
    """Interrupt it, and give what it said on standard error."""
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    return said


def sent(record):
    """When requests of ours, all but the checkout's, arrived at the emulator."""
    entries = [json.loads(line) for line in record.read_text().splitlines()]
    ours = [entry for entry in entries if entry["request_id"]]
    return [entry["received_monotonic_seconds"] for entry in ours]


@pytest.fixture
def ids(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_text("".join(f"cust_{number:07d}\n" for number in range(20_000)))
    return path


@pytest.fixture
def vault(tmp_path):
    settings = EmulatorSettings(customers=20_000, record=tmp_path / "wire.jsonl")
    with emulator_process(settings) as url:
        yield int(url.split(":")[2].split("/")[0])


def test_a_checkout_behind_haproxy_hardly_notices_us(tmp_path, ids, vault):
    """Sixty a minute, a checkout at 30 % of it: refused three times at most, and then never."""
    with (
        gateway("haproxy", tmp_path, vault, 60) as port,
        Other(port, 18, CLIENT_ID) as other,
    ):
        began = time.monotonic()
        ours = start("collect", ids, "--store", tmp_path / "store", port=port, config=tmp_path)
        time.sleep(12 * 60)
        said = stop(ours)
    assert "searching for it from 30 requests a minute" in said
    found = [line for line in said.splitlines() if "a refusal has shown a limit" in line]
    assert len(found) == 1, said
    assert len(other.refused_at) <= 3
    assert all(at < began + 9 * 60 for at in other.refused_at)
    times = [at for at in sent(tmp_path / "wire.jsonl") if at > time.monotonic() - 180.0]
    assert 3 * 14 <= len(times) <= 3 * 31
    [rate] = (tmp_path / "store").glob("runs/*/rate.json")
    assert 30 <= json.loads(rate.read_text())["limit_per_minute"] <= 66


def test_strict_spacing_by_nginx_is_used(tmp_path, ids, vault):
    """Forty-five a minute and no burst, alone on the account: 85 % and more, once found."""
    with gateway("nginx", tmp_path, vault, 45) as port:
        ours = start(
            *("collect", ids, "--store", tmp_path / "store", "--share", "1"),
            port=port,
            config=tmp_path,
        )
        time.sleep(22 * 60)
        stop(ours)
    ended = max(sent(tmp_path / "wire.jsonl"))
    last = [at for at in sent(tmp_path / "wire.jsonl") if at > ended - 480.0]
    assert len(last) >= 0.85 * 8 * 45


NOTEBOOK = """
import sys
import tokenvault_data as tv
with tv.connect("emulator") as vault:
    for frame in tv.iter_frames(vault, sys.argv[1], batch_customers=20):
        pass
"""


def test_three_of_ours_stay_within_one_share(tmp_path, ids):
    """Two commands and a script on one account: half of it together, whoever comes or is killed."""
    settings = EmulatorSettings(
        customers=20_000, rate_limit_per_minute=1200, record=tmp_path / "wire.jsonl"
    )
    with emulator_process(settings) as url:
        port = int(url.split(":")[2].split("/")[0])
        first = start("collect", ids, "--store", tmp_path / "1", port=port, config=tmp_path)
        second = start("collect", ids, "--store", tmp_path / "2", port=port, config=tmp_path)
        environment = {
            **os.environ,
            "TOKENVAULT_BASE_URL": url,
            "TOKENVAULT_CONFIG": str(tmp_path),
        }
        third = subprocess.Popen([sys.executable, "-c", NOTEBOOK, str(ids)], env=environment)
        time.sleep(80)
        third.kill()
        third.wait()
        killed_at = time.monotonic()
        time.sleep(70)
        refused = start(
            *("collect", ids, "--store", tmp_path / "3", "--share", "1"),
            port=port,
            config=tmp_path,
        )
        time.sleep(10)
        named = start(
            *("collect", ids, "--store", tmp_path / "4", "--share", "0.5"),
            port=port,
            config=tmp_path,
        )
        said = named.communicate(timeout=60)[1]
        assert named.returncode == 75
        assert f"1 by python (pid {refused.pid}, since " in said
        stop(refused)
        stop(first)
        stop(second)
    times = sent(tmp_path / "wire.jsonl")
    together = sum(killed_at - 60 <= at < killed_at for at in times)
    assert together == pytest.approx(600, rel=0.02)
    after = sum(killed_at + 5 <= at < killed_at + 65 for at in times)
    assert after == pytest.approx(600, rel=0.02)
