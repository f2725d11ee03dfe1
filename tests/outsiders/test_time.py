"""No old evidence is used: a process that is stopped, a clock that jumps, a slow account."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from checker import left_without, violations
from driver import FAKETIME, state_of
from small_vault import Answer, card, shop, slow
from stories import about, evidence_of

needs_faketime = pytest.mark.skipif(FAKETIME is None, reason="needs Debian's package faketime")
UNDER_WAY = 0.3  # seconds that bytes which have left may take to the vault


def stopped(stage, operation, seconds, jump=None):
    """Stop a campaign with answers unread, and renew every card that is still there meanwhile."""
    vault = stage.vault(shop(12), announced=600 if operation == "list" else 12_000)
    world = stage.world(vault)
    plan = world.plan("--where", "card_network=visa")
    world.canary(plan)
    if operation == "fetch":  # lists come one by one, so that some are under way at any time
        vault.on("list", act=slow(0.2, 1.5))
    gate = vault.hold(operation, customers=customers_of(vault))
    process = world.apply(plan, faked=jump is not None)
    came = vault.wait_until(lambda: gate.held or not process.running, 120) and bool(gate.held)
    time.sleep(UNDER_WAY)
    process.stop()
    time.sleep(UNDER_WAY)
    renewed = [one for one in plan.instruments if vault.has(one)]
    for instrument in renewed:
        vault.renew(instrument)
    renewed_at = time.monotonic()
    if jump:
        world.clock.write_text(jump + "\n")
    gate.open()
    time.sleep(seconds)
    process.go_on()
    world.runs.append(process.ended(300))
    return SimpleNamespace(**locals())


def stops(operations, seconds, jump=None):
    """Give a case of the story for each."""
    return [
        pytest.param(
            operation,
            id=f"{operation}-{pause:g}s{jump or ''}",
            marks=about(stopped, operation, pause, jump),
        )
        for operation in operations
        for pause in seconds
    ]


def no_renewed_card_was_deleted(told, operation, *, clocks=True):
    assert told.came, f"no {operation} was asked, so nothing was tried"
    assert told.renewed, "all cards were gone before the process stopped, so nothing was tried"
    late = [r for r in told.vault.deletes() if r.monotonic > told.renewed_at]
    assert not [r.instrument for r in late if r.instrument in told.renewed]
    evidence = evidence_of(
        told,
        clocks=clocks,
        spacing=0.2,
    )
    assert violations(evidence, ended=False) == []


@pytest.mark.parametrize("operation", stops(["list", "fetch"], [3, 8, 15]))
def test_a_card_renewed_while_the_process_stood_still_is_not_deleted(told, operation):
    """A process stopped with answers unread deletes no card that was renewed in that time."""
    no_renewed_card_was_deleted(told, operation)


@pytest.mark.chaos
@pytest.mark.parametrize("operation", stops(["list", "fetch"], [1, 2.5, 45]))
def test_a_card_renewed_in_a_short_or_long_stop_is_not_deleted(told, operation):
    """Nor does one stopped for most of a minute, or for about as long as evidence may be old."""
    if told.seconds > 2:
        no_renewed_card_was_deleted(told, operation)
    # Within the two seconds that evidence may be old a delete can meet a renewed card: the vault
    # knows no conditional delete. All else still has to hold.
    evidence = evidence_of(
        told,
        spacing=0.2,
    )
    assert violations(evidence, ended=False) == []


@needs_faketime
@pytest.mark.parametrize("operation", stops(["list", "fetch"], [0.5], "+3h"))
def test_a_card_renewed_in_a_laptop_s_sleep_is_not_deleted(told, operation):
    """A wall clock three hours on with answers unread makes all of them worthless.

    In a laptop's sleep the monotonic clock stands still; here too it has gone on by a second only.
    """
    no_renewed_card_was_deleted(told, operation, clocks=False)


def closed_gate(stage):
    """Renew all cards while the vault lets nothing through for ten seconds, after some checks."""
    cards = shop(12, ("visa",))
    cards += [longer_lasting(one) for one in cards if one["customer_id"].startswith("cust")]
    vault = stage.vault(cards, announced=600)
    world = stage.world(vault)
    plan = world.plan("--duplicates")
    world.canary(plan)
    renewed, closed = [], []

    def close(_, answer):
        renewed.extend(one for one in plan.instruments if vault.has(one))
        for instrument in renewed:
            vault.renew(instrument)
        closed.append(time.monotonic())
        limits = {"x-ratelimit-remaining": "0", "x-ratelimit-retry": "10", "Retry-After": "10"}
        return Answer(429, b'{"type": "rate_limit_error"}', answer.headers | limits)

    vault.on("list", "fetch", act=close, customers=customers_of(vault), after=2, times=1)
    process = world.apply(plan)
    world.runs.append(process.ended(300))
    return SimpleNamespace(**locals())


def customers_of(vault):
    """Name the customers whose cards are planned."""
    return [name for name in vault.customers() if name.startswith("cust")]


def longer_lasting(one):
    """Give another card of the same account that lasts two years longer."""
    other = card(one["customer_id"], "longer-" + one["instrument_id"], bank="Visa Bank", year=2033)
    details = one["instrument_meta"]["card_token_details"]
    other["instrument_meta"]["card_token_details"]["par"] = details["par"]
    return other


@about(closed_gate)
def test_what_was_known_before_the_gate_closed_is_asked_again(told):
    """A 429 that stops all requests for 10 s makes what was asked before it worthless."""
    assert told.closed, "no planned customer was asked often enough, so nothing was tried"
    late = [r for r in told.vault.deletes() if r.monotonic > told.closed[0] + 3]
    assert not [r.instrument for r in late if r.instrument in told.renewed]
    assert violations(evidence_of(told, spacing=0.2), ended=False) == []


def slow_account(stage):
    """Clean up where the account allows 20 requests a minute and never two within three seconds."""
    vault = stage.vault(shop(3, others=2), per_minute=20, strict=True)
    world = stage.world(vault)
    plan = world.plan("--where", "card_network=visa", "--share", "0.5")
    last = world.carry_out(plan, timeout=1500)
    return SimpleNamespace(**locals())


@pytest.mark.chaos
@pytest.mark.timeout(3000)
@about(slow_account)
def test_a_campaign_completes_at_twenty_requests_a_minute(told):
    """At 20 requests a minute, share one half and strict spacing, a campaign completes."""
    assert state_of(told.plan) == "completed", told.last.text
    evidence = evidence_of(
        told,
        spacing=6.0,
    )
    assert violations(evidence) == []
    assert left_without(told.vault, told.vault.customers()) == []
