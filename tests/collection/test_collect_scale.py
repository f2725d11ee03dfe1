"""Many customers at once: memory does not follow their number."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tokenvault_data.emulator.process import emulator_process
from tokenvault_data.emulator.settings import EmulatorSettings

COLLECT = """
import json, sys
import tokenvault_data as tv
from tokenvault_data.config.loading import emulator_profile
base_url, store, customers = sys.argv[1], sys.argv[2], int(sys.argv[3])
with tv.connect(emulator_profile(base_url), share=1.0) as vault:
    snapshot = tv.collect(vault, (f"cust_{n:07d}" for n in range(customers)), store=store)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"peak_mb": int(peak.split()[1]) / 1024, "outcomes": snapshot.manifest.outcomes}))
"""


@pytest.mark.scale
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_four_times_the_customers_take_the_same_memory(tmp_path):
    """200,000 customers peak at most 1.2 times as high as 50,000, and below 500 MB."""
    peaks = {}
    with emulator_process(EmulatorSettings(customers=200_000, wire_log_entries=0)) as base_url:
        for customers in (50_000, 200_000):
            command = [sys.executable, "-c", COLLECT, base_url, str(tmp_path), str(customers)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            result = json.loads(done.stdout)
            assert sum(result["outcomes"].values()) == customers
            assert result["outcomes"]["failed"] == result["outcomes"]["not_attempted"] == 0
            peaks[customers] = result["peak_mb"]
    assert peaks[200_000] < 1.2 * peaks[50_000], peaks
    assert peaks[200_000] < 500, peaks
