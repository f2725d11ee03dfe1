"""The rate limit over HTTP: one budget an account, its headers, and 429s."""

from __future__ import annotations

import time

import pytest

NAMES = {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-retry", "x-ratelimit-type",
    "x-ratelimit-reset", "retry-after"}  # fmt: skip


@pytest.mark.parametrize("window", ["fixed", "log", "counter", "bucket"])
def test_a_spent_budget_is_a_429_in_every_kind_of_window(run, window):
    """As many calls as the limit says come through; then `rate_limit_error` with a wait."""
    burst = 3 if window == "bucket" else None
    with run(rate_limit_per_minute=3, window=window, burst=burst) as bench:
        answers = [bench.list("cust_0000001") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[0].headers["x-ratelimit-limit"] == "3"
        remaining = [answer.headers["x-ratelimit-remaining"] for answer in answers]
        assert remaining == ["2", "1", "0", "0", "0"]
        assert answers[3].json()["type"] == "rate_limit_error"
        assert int(answers[3].headers["retry-after"]) >= 1
        assert int(answers[3].headers["x-ratelimit-retry"]) >= 1


def test_every_operation_and_outcome_spends_from_one_budget(run):
    """Lists, fetches, 404s and 400s count alike; a call that may not come in does not."""
    with run(rate_limit_per_minute=4) as bench:
        customer_id, instrument_id = bench.a_card()
        assert bench.list(customer_id, headers={"x-client-secret": ""}).status_code == 401
        assert bench.list(customer_id).status_code == 200
        assert bench.fetch(customer_id, "unknown").status_code == 404
        assert bench.list(customer_id, headers={"x-api-version": ""}).status_code == 400
        assert bench.fetch(customer_id, instrument_id).status_code == 200
        assert bench.delete(customer_id, instrument_id).status_code == 429
        assert bench.emulator.wire_log.entries()[-1].applied == ""


def test_accounts_have_budgets_of_their_own(run):
    """Another client id, and a partner acting for another merchant, are not affected."""
    with run(rate_limit_per_minute=1) as bench:
        assert bench.list("cust_0000001").status_code == 200
        assert bench.list("cust_0000001").status_code == 429
        other = {"x-client-id": "another_app"}
        assert bench.list("cust_0000001", headers=other).status_code == 200
        partner = {"x-client-id": "", "x-partner-merchantid": "test_app", "x-partner-apikey": "k"}
        assert bench.list("cust_0000001", headers=partner).status_code == 429


@pytest.mark.parametrize(
    "dialects", [set(), {"limit"}, {"remaining", "reset"}, {"retry-after"}, {"retry", "type"}]
)
def test_any_subset_of_the_headers_can_be_sent(run, dialects):
    """What is not asked for is absent, on 200 and on 429."""
    with run(rate_limit_per_minute=1, limit_header_dialects=frozenset(dialects)) as bench:
        bench.list("cust_0000001")
        sent = set(bench.list("cust_0000001").headers) & NAMES
        expected = {n if n == "retry-after" else f"x-ratelimit-{n}" for n in dialects}
        assert sent == expected


def test_rejected_calls_can_count(run):
    """With 429s that count, knocking keeps the door of a sliding log shut."""
    settings = {"rate_limit_per_minute": 40, "window": "log", "window_seconds": 1.5}
    for rejected_count, expected in ((False, 200), (True, 429)):
        with run(rejected_count=rejected_count, **settings) as bench:
            assert bench.list("cust_0000001").status_code == 200
            deadline = time.monotonic() + 1.8
            while time.monotonic() < deadline:
                status = bench.list("cust_0000001").status_code
                if status == 200:
                    break
                time.sleep(0.02)
            assert status == expected


def test_no_limit_means_no_headers(shared):
    """An emulator without a limit says nothing of one."""
    assert not set(shared.list("cust_0000001").headers) & NAMES


def test_latency_delays_an_answer(run):
    """Each answer takes at least the latency, and at most the jitter longer by itself."""
    with run(latency_ms=80, latency_jitter_ms=10) as bench:
        began = time.monotonic()
        bench.list("cust_0000001")
        assert time.monotonic() - began >= 0.08
