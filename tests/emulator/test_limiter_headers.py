from __future__ import annotations

from itertools import chain, combinations

import pytest

from tokenvault_data.emulator.limiter import DIALECTS, Verdict, limit_headers

PASSED = Verdict(True, 400, 12, 0.0, 31.2)
REFUSED = Verdict(False, 400, 0, 0.2, 31.2)


def test_every_dialect_has_its_header():
    """A refused request gets all six headers, seconds rounded up to whole ones."""
    assert dict(limit_headers(REFUSED, DIALECTS)) == {
        b"x-ratelimit-limit": b"400",
        b"x-ratelimit-remaining": b"0",
        b"x-ratelimit-retry": b"1",
        b"x-ratelimit-type": b"app_id",
        b"x-ratelimit-reset": b"32",
        b"retry-after": b"1",
    }


def test_retry_after_comes_with_refusals_only():
    """An allowed request has no Retry-After, and is told 0 where seconds to wait are told."""
    headers = dict(limit_headers(PASSED, DIALECTS))
    assert b"retry-after" not in headers
    assert headers[b"x-ratelimit-retry"] == b"0"
    assert headers[b"x-ratelimit-remaining"] == b"12"


def test_any_subset_gives_just_those_headers():
    """All 64 subsets of the dialects give one header each, and no other."""
    subsets = chain.from_iterable(combinations(sorted(DIALECTS), n) for n in range(7))
    for subset in subsets:
        assert len(limit_headers(REFUSED, frozenset(subset))) == len(subset)


def test_a_refusal_is_never_told_to_come_back_at_once():
    """Retry-After is a whole second at least, however short the true wait."""
    verdict = Verdict(False, 400, 0, 0.0, 0.0)
    assert dict(limit_headers(verdict, frozenset({"retry-after"}))) == {b"retry-after": b"1"}


def test_an_unknown_dialect_is_refused_by_name():
    """A misspelt dialect raises ValueError and is named."""
    with pytest.raises(ValueError, match="remainder"):
        limit_headers(PASSED, frozenset({"remainder"}))
