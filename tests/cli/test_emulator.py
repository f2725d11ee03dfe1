"""`tokenvault emulator` and `tokenvault demo`."""

import json
import signal
import urllib.request

from cli_bench import documented_fields


def test_an_emulator_until_ctrl_c(alone):
    """It prints its address once it answers, answers as asked, records, and ends with 0."""
    running = alone.start(
        "emulator", "--port", "0", "--customers", "3", "--faults", "503#2", "--record", "w.jsonl",
        "--profile", "emulator", "--json",
    )  # fmt: skip
    lines = [running.stdout.readline() for _ in range(4)]
    document = json.loads("".join(lines))
    assert [list(document)] == documented_fields("tokenvault emulator")
    address = f"{document['base_url']}/customers/cust_0000001/instruments?instrument_type=card"
    headers = {
        "x-client-id": "a",
        "x-client-secret": "not-to-be-recorded",
        "x-api-version": "2025-01-01",
    }
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
        assert answer.status == 200
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert (running.returncode, out, err) == (0, "", "")
    recorded = (alone.folder / "w.jsonl").read_text()
    assert json.loads(recorded)["customer_id"] == "cust_0000001"
    assert "not-to-be-recorded" not in recorded


def test_its_address_for_people(alone):
    """In plain words it says where it is, and what to set where that is not the usual place."""
    running = alone.start("emulator", "--port", "0", "--customers", "12345")
    first, second = running.stdout.readline(), running.stdout.readline()
    running.terminate()
    running.communicate(timeout=20)
    assert running.returncode == 0
    assert first.startswith("Emulated vault of 12,345 customers at http://127.0.0.1:")
    assert second.startswith("In another terminal: export TOKENVAULT_BASE_URL=http://127.0.0.1:")


def test_a_demo_that_is_stopped(alone):
    """Interrupted, the demo says so without offering what it cannot do, and ends with 130."""
    running = alone.start("demo")
    assert "checkout" in running.stdout.readline()
    assert "http://127.0.0.1:" in running.stdout.readline()
    while not list(alone.folder.glob("vault-data/runs/*/run.json")):
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=20)
    assert running.returncode == 130
    assert said == "error: the demo was interrupted; run it again\n"
