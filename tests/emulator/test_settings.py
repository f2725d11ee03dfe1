"""Settings that cannot work are refused before anything starts."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from tokenvault_data.emulator.settings import EmulatorSettings


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"customers": -1}, "customers"),
        ({"page_size": 0}, "page_size"),
        ({"rate_limit_per_minute": 0}, "rate_limit_per_minute"),
        ({"latency_ms": float("nan")}, "latency_ms"),
        ({"window": "weekly"}, "fixed, log, counter, bucket"),
        ({"paging": "offset"}, "array, cursor, link"),
        ({"after_delete": "maybe"}, "gone, inactive"),
        ({"limit_header_dialects": frozenset({"limits"})}, "'limits'"),
        ({"paging": "array", "page_size": 3}, "bare array has no pages"),
        ({"port": 70_000}, "port"),
        ({"latency_ms": float("inf")}, "latency_ms"),
        ({"aged_months": -1}, "aged_months"),
        ({"aged_months": 601}, "0 to 600"),
        ({"as_of": date(1999, 12, 31)}, "2000-01-01 to 2099-12-31"),
        ({"ledger": "ledger.jsonl"}, "--aged"),
    ],
)
def test_a_value_that_cannot_work_is_named(given, named):
    """The message names the setting or the values there are."""
    with pytest.raises(ValueError, match=named):
        EmulatorSettings(**given)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "example.com", "::", ""])
def test_only_loopback_can_be_bound(host):
    """The emulator takes anybody's credentials, so no other machine may reach it."""
    with pytest.raises(ValueError, match="not a loopback address"):
        EmulatorSettings(host=host)


def test_a_page_size_alone_means_cursors():
    """Without a shape, a page size gives the cursor envelope, and none the bare array."""
    assert EmulatorSettings().paging_shape == "array"
    assert EmulatorSettings(page_size=2).paging_shape == "cursor"
    assert EmulatorSettings(page_size=2, paging="link").paging_shape == "link"
    assert EmulatorSettings(paging="link").instruments_per_page > 0


def test_the_settings_load_no_server():
    """Whoever only makes settings (the command line's help) pays for no server."""
    code = (
        "import sys, tokenvault_data.emulator.settings;"
        "sys.exit(any(name in sys.modules for name in ('uvicorn', 'uvloop', 'asyncio')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
