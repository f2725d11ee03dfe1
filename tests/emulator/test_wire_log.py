"""The wire log as a witness: complete, in order, bounded, and without a secret in it."""

from __future__ import annotations

import json
import time

from emulator_bench import HEADERS

from tokenvault_data.emulator.wire_log import WireLog


def test_every_request_is_there_with_what_was_done(run):
    """Number, times, operation, ids, version, keys, status, size and effect."""
    with run() as bench:
        customer_id, instrument_id = bench.a_card()
        started = time.time()
        listed = bench.list(customer_id)
        headers = {"x-idempotency-key": "key-1", "x-request-id": "trace-1"}
        bench.delete(customer_id, instrument_id, headers=headers)
        bench.client.get("/elsewhere")
        first, second, third = bench.emulator.wire_log.entries()
        assert [entry.number for entry in (first, second, third)] == [1, 2, 3]
        assert (first.method, first.operation, first.customer_id) == ("GET", "list", customer_id)
        assert first.query == "instrument_type=card"
        assert (first.status, first.body_bytes) == (200, len(listed.content))
        assert (second.method, second.operation) == ("DELETE", "delete")
        assert second.instrument_id == instrument_id
        assert (second.idempotency_key, second.request_id) == ("key-1", "trace-1")
        assert (second.api_version, second.applied) == ("2025-01-01", "deleted")
        assert (third.operation, third.status) == ("no such path", 404)
        assert started <= first.received_at_seconds <= second.received_at_seconds <= time.time()
        assert first.received_monotonic_seconds < second.received_monotonic_seconds
        assert first.client_port == second.client_port > 0
        assert bench.emulator.wire_log.entries("delete") == [second]


def test_memory_is_bounded(run):
    """Only the last entries are kept, and none with a log of size 0."""
    with run(wire_log_entries=3) as bench:
        for _ in range(5):
            bench.list("cust_0000001")
        assert [entry.number for entry in bench.emulator.wire_log.entries()] == [3, 4, 5]
    with run(wire_log_entries=0) as bench:
        bench.list("cust_0000001")
        assert len(bench.emulator.wire_log) == 0


def test_the_record_is_json_lines_flushed_each_second_and_at_the_end(run, tmp_path):
    """A file that another process can follow, one line a request, complete after the end."""
    record = tmp_path / "wire.jsonl"
    with run(record=record) as bench:
        bench.list("cust_0000001")
        deadline = time.monotonic() + 3
        while not record.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        (line,) = record.read_text().splitlines()
        assert json.loads(line)["customer_id"] == "cust_0000001"
        assert json.loads(line)["received_at"].endswith("+00:00")
        bench.list("cust_0000002")
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert [line["number"] for line in lines] == [1, 2]


def test_a_record_is_appended_to(tmp_path):
    """A second run does not wipe out what the first one witnessed."""
    record = tmp_path / "wire.jsonl"
    record.write_text('{"number": 1}\n')
    WireLog(10, record).close()
    assert record.read_text() == '{"number": 1}\n'


def test_credentials_never_reach_the_log(run, tmp_path):
    """Neither id nor secret nor signature nor partner key is in an entry or in the file."""
    record = tmp_path / "wire.jsonl"
    secrets = {
        "x-client-signature": "signed_cafe",
        "x-partner-apikey": "partner_cafe",
        "x-partner-merchantid": "merchant_cafe",
    }
    with run(record=record, demand_client_secret="something else") as bench:
        bench.list("cust_0000001", headers=secrets)
        bench.emulator.set_credentials(None, None)
        customer_id, instrument_id = bench.a_card()
        number = bench.cryptogram(customer_id, instrument_id, headers=secrets).json()["card_number"]
        kept = repr(bench.emulator.wire_log.entries())
    for text in (kept, record.read_text()):
        for secret in (*secrets.values(), "test_app", HEADERS["x-client-secret"], number):
            assert secret not in text
