"""The ledger against lists: what their comparison finds is what the emulator says it did."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date

import pytest
from emulator_bench import AS_OF
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.emulator.dialects import API_VERSIONS
from tokenvault_data.emulator.population.population import Population
from tokenvault_data.emulator.settings import EmulatorSettings

KINDS = {"added", "deleted", "renewed", "replaced", "status_changed"}


def population_of(months, customers, seed=7, as_of=AS_OF):
    return Population(
        EmulatorSettings(customers=customers, seed=seed, as_of=as_of, aged_months=months)
    )


def differences(before, after):
    """Compare two lists of one customer, knowing nothing but their JSON.

    Gives (kind, id, new id, old status, new status, old expiry, new expiry); years have two digits,
    as not all versions write more.
    """
    old, new = _by_id(before), _by_id(after)
    lost = {key: rows for key, rows in old.items() if key not in new}
    found = {key: rows for key, rows in new.items() if key not in old}
    for fact in (_uid, _par):
        for key in list(lost):
            heirs = [
                one for one in found if fact(lost[key]) and fact(found[one]) == fact(lost[key])
            ]
            if heirs:
                (heir,) = heirs
                rows, heirs_rows = lost.pop(key), found.pop(heir)
                yield (
                    "replaced", key, heir, _status(rows), _status(heirs_rows),
                    _expiry(rows), _expiry(heirs_rows),
                )  # fmt: skip
    yield from (("deleted", key, None, None, None, None, None) for key in lost)
    yield from (("added", key, None, None, None, None, None) for key in found)
    for key in old.keys() & new.keys():
        first, last = old[key], new[key]
        if len(first) == len(last) == 1:
            if _expiry(first) != _expiry(last):
                yield ("renewed", key, None, None, None, _expiry(first), _expiry(last))
            if _status(first) != _status(last):
                yield ("status_changed", key, None, _status(first), _status(last), None, None)
        else:
            assert first == last


def _by_id(rows):
    grouped = defaultdict(list)
    for row in rows:
        grouped[row["instrument_id"]].append(row)
    return grouped


def _details(rows):
    return ((rows[0].get("instrument_meta") or {}).get("card_token_details")) or {}


def _uid(rows):
    return rows[0].get("instrument_uid")


def _par(rows):
    return _details(rows).get("par")


def _status(rows):
    return rows[0]["instrument_status"]


def _expiry(rows):
    details = _details(rows)
    if "expiry_year" not in details or "expiry_month" not in details:
        return None
    return int(details["expiry_year"]) % 100, int(details["expiry_month"])


def told(event):
    """Write an event of the ledger as `differences` does."""
    expiries = [
        expiry and (expiry[0] % 100, expiry[1]) for expiry in (event.old_expiry, event.new_expiry)
    ]
    changed = (event.new_instrument_id, event.old_status, event.new_status)
    return (event.kind, event.instrument_id, *changed, *expiries)


def differences_of(old, new, version):
    return [
        (customer_id, *difference)
        for customer_id in old.customer_ids()
        for difference in differences(
            old.instruments(customer_id, version), new.instruments(customer_id, version)
        )
    ]


@pytest.mark.parametrize("version", API_VERSIONS)
@pytest.mark.parametrize(("months", "customers"), [(1, 1000), (14, 300)])
def test_the_ledger_is_what_two_lists_differ_in(version, months, customers):
    """Lists before and after, compared from outside, show the net events and nothing else."""
    new = population_of(months, customers)
    found = differences_of(population_of(0, customers), new, version)
    ledger = [(event.customer_id, *told(event)) for event in new.net_events()]
    assert Counter(found) == Counter(ledger)
    assert {kind for _, kind, *_ in found} == KINDS


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10**9),
    st.integers(0, 60),
    st.dates(date(2001, 1, 1), date(2090, 12, 31)),
    st.sampled_from(API_VERSIONS),
)
def test_the_ledger_is_right_for_any_seed_day_and_age(seed, months, as_of, version):
    """However long it ages, and whenever it was born, lists and ledger agree."""
    new = population_of(months, 60, seed, as_of)
    found = differences_of(population_of(0, 60, seed, as_of), new, version)
    assert Counter(found) == Counter(
        (event.customer_id, *told(event)) for event in new.net_events()
    )
