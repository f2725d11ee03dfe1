"""What the vault's answers say of a planned card."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from cleanup_plans import make_plan
from cleanup_vaults import ALL_OPEN, DAY, as_planned, fetched_row, raw_card

from tokenvault_data.cleanup.clock import Clock
from tokenvault_data.cleanup.engine.card_worker import CardComparison, sign_of
from tokenvault_data.cleanup.engine.list_answer import ListAnswer
from tokenvault_data.cleanup.engine.responses import read_attempt
from tokenvault_data.cleanup.selection import rules
from tokenvault_data.cleanup.selection.cards import ControlCard
from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.client.calls import fetch_call
from tokenvault_data.client.retries import Attempt

EXPIRED = rules.expired(DAY)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ASKED = datetime(2026, 11, 22, 11, 59, 58, tzinfo=UTC)


def raw(instrument="old", expires="2025-06", **changes):
    return raw_card(instrument, expires, uid=f"uid-{instrument}", **changes) | {"customer_id": "c"}


OLD, NEW = raw(), raw("new", "2029-06")


def planned(card=OLD, keeper=None):
    return as_planned(fetched_row("c", card), keeper=keeper)


def judge_of(card, *, limits=ALL_OPEN, rule=EXPIRED, now=NOON, keep=None):
    limits = limits if keep is None else Limits(**limits.to_dict() | {"keep_last_usable": keep})
    plan = make_plan(cards=(card,), limits=limits, rule=rule)
    return CardComparison(plan, "2025-01-01", Clock(now=lambda: now))


def listed(*cards, status=200, problem=None, **more):
    body = json.dumps(cards).encode()
    elements = json.loads(body) if problem is None and not more.get("is_absent") else None
    bodies = (body,) if elements is not None else ()
    return ListAnswer("c", elements, bodies, problem, status, "r-1", **more)


def check(answer, card=None, *, was_attempted=False, gone=(), **judging):
    card = card or planned()
    judge = judge_of(card, **judging)
    return asyncio.run(
        judge.check(
            card,
            answer,
            ASKED,
            was_attempted=was_attempted,
            counts_as_gone=lambda instrument: instrument in gone,
        )
    )


def test_a_card_as_planned_holds():
    """With how many cards the list has, and when it was asked for."""
    found = check(listed(NEW, OLD))
    assert (found.verdict, found.reason, found.listed) == ("holds", None, 2)
    assert (found.status, found.request_id) == (200, "r-1")
    assert found.asked_at == ASKED.isoformat()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"instrument_uid": "renewed"}, "changed"),
        ({"instrument_status": "INACTIVE"}, "changed"),
        ({"instrument_status": None}, "missing"),
        ({"created_at": "2024-01-01T00:00:00Z"}, "changed"),
    ],
)
def test_a_card_that_has_changed_is_drift(change, word):
    """Whatever tells it from the one that was sealed."""
    found = check(listed(NEW, OLD | change))
    assert (found.verdict, found.listed) == ("drift", 2)
    assert word in found.reason


def test_a_renewed_card_is_drift():
    """It expires later, and the rule is not true of it any more."""
    assert check(listed(raw(expires="2029-06"))).verdict == "drift"


@pytest.mark.parametrize(("was_attempted", "verdict"), [(False, "drift"), (True, "gone_inactive")])
def test_a_status_that_an_attempt_may_have_changed_is_no_drift(was_attempted, verdict):
    """INACTIVE after a delete is looked at; without one, somebody else has changed it."""
    inactive = OLD | {"instrument_status": "INACTIVE"}
    assert check(listed(NEW, inactive), was_attempted=was_attempted).verdict == verdict
    renewed = inactive | {"instrument_uid": "renewed"}
    assert check(listed(NEW, renewed), was_attempted=was_attempted).verdict == "drift"


def test_a_card_that_is_not_listed_is_absent_and_not_gone():
    """From a list without it, an empty one, or a customer that the vault does not know."""
    assert check(listed(NEW))[:2] == ("absent", None)
    assert check(listed()).listed == 0
    unknown = check(listed(status=404, is_absent=True))
    assert (unknown.verdict, unknown.listed, unknown.status) == ("absent", None, 404)


@pytest.mark.parametrize("counts", [False, True])
def test_without_a_list_nothing_is_concluded(counts):
    """Why there is none is kept, and whether it counts against the card."""
    found = check(listed(problem="no answer came", status=None, counts=counts))
    assert (found.verdict, found.reason, found.counts) == ("unclear", "no answer came", counts)
    assert found.listed is None


@pytest.mark.parametrize(
    "cards",
    [
        (OLD, OLD | {"instrument_status": "INACTIVE"}),
        (OLD, NEW, NEW | {"instrument_meta": None}),
        (OLD, NEW | {"customer_id": "somebody"}),
        (OLD, None),
        (OLD, {"instrument_status": "ACTIVE"}),
    ],
)
def test_an_odd_list_is_unclear_though_the_card_is_in_it(cards):
    """It could not be relied on for the other cards either."""
    found = check(listed(*cards))
    assert (found.verdict, found.listed) == ("unclear", None)
    assert found.reason.startswith("the customer's list")


def duplicate(uid="one", **changes):
    return raw_card("dup", "2028-06", uid=uid) | {"customer_id": "c"} | changes


def keeper(uid="one", expires="2029-06", **changes):
    return raw_card("keep", expires, uid=uid, **changes) | {"customer_id": "c"}


@pytest.mark.parametrize(
    ("others", "gone", "verdict"),
    [
        ((keeper(),), (), "holds"),
        ((), (), "drift"),
        ((NEW,), (), "drift"),
        ((keeper(),), ("keep",), "drift"),
        ((keeper(uid="another"),), (), "drift"),
        ((keeper(status="INACTIVE"),), (), "drift"),
        ((keeper(expires="2025-06"),), (), "drift"),
        ((keeper(expires=None),), (), "drift"),
    ],
)
def test_a_duplicate_goes_only_while_the_other_is_kept(others, gone, verdict):
    """There, of the same account, usable, and not being deleted itself."""
    card = planned(duplicate(), keeper="keep")
    found = check(
        listed(duplicate(), *others), card, gone=gone, rule=rules.duplicates(), keep=False
    )
    assert found.verdict == verdict


USABLE = raw("usable", "2029-06")


def sparing(*others, card=USABLE, gone=(), keep=True, **more):
    """The verdict on a card that its plan selects by its network alone."""
    settings = {"keep": keep, "rule": rules.networks("visa")} | more
    return check(listed(card, *others), planned(card), gone=gone, **settings).verdict


@pytest.mark.parametrize(
    ("others", "verdict"),
    [
        ((), "last_usable"),
        ((NEW,), "holds"),
        ((OLD,), "last_usable"),
        ((NEW | {"instrument_status": "INACTIVE"},), "last_usable"),
        ((NEW | {"instrument_status": None},), "last_usable"),
        ((NEW | {"instrument_status": "LIMBO"},), "last_usable"),
        ((raw("new", None),), "last_usable"),
        ((OLD, NEW), "holds"),
    ],
)
def test_a_customers_last_usable_card_is_spared(others, verdict):
    """Unless another one is known to be usable: unknown status or expiry is not."""
    assert sparing(*others) == verdict
    assert sparing(*others, keep=False) == "holds"


def test_other_cards_that_are_being_deleted_count_as_gone():
    """By whichever campaign; the list may still show them."""
    assert sparing(NEW, gone=("new",)) == "last_usable"
    assert sparing(NEW, raw("third", "2029-01"), gone=("new",)) == "holds"
    assert sparing(NEW, gone=("usable",)) == "holds"


def test_a_card_that_perhaps_can_be_paid_with_is_not_taken_from_who_has_nothing():
    """Less is not surely nothing; but what surely cannot be paid with is nobody's loss."""
    unsure = raw("unsure", None)
    assert sparing(card=unsure) == "last_usable"
    assert sparing(OLD, card=unsure) == "last_usable"
    assert sparing(raw("also", None), card=unsure) == "holds"
    assert sparing(card=OLD) == "holds"


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (datetime(2026, 11, 30, 18, 29, 59, tzinfo=UTC), "holds"),
        (datetime(2026, 11, 30, 18, 30, tzinfo=UTC), "last_usable"),
        (datetime(2020, 1, 1, tzinfo=UTC), "holds"),
    ],
)
def test_usable_is_by_the_day_in_india(now, verdict):
    """A card of this month is good until midnight there; a clock put back does not renew one."""
    assert sparing(raw("new", "2026-11"), now=now) == verdict
    assert sparing(raw("new", "2026-10"), now=now) == "last_usable"


# Fetches


def reading_of(body, status=200, instrument="old"):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    attempt = Attempt("answered", status, {}, content, "r-2", None, str(status))
    return read_attempt(fetch_call("c", instrument), attempt)


def look(body, status=200):
    card = planned()
    return asyncio.run(judge_of(card).look(card, reading_of(body, status)))


@pytest.mark.parametrize(
    ("body", "status", "verdict", "counts"),
    [
        (OLD, 200, "present", True),
        (OLD | {"instrument_status": "INACTIVE"}, 200, "inactive", True),
        (OLD | {"instrument_uid": "renewed"}, 200, "drift", True),
        (OLD | {"customer_id": "somebody"}, 200, "drift", True),
        (OLD | {"instrument_status": "INACTIVE", "instrument_uid": "x"}, 200, "drift", True),
        (b"", 404, "absent", True),
        (b"<html>", 200, "unclear", True),
        (b"", 503, "unclear", True),
        (b"", 401, "unclear", True),
        (b"", 429, "unclear", False),
    ],
)
def test_what_a_fetch_shows(body, status, verdict, counts):
    """Only a 404 shows absence, and a rate limit met counts against nobody."""
    found = look(body, status)
    assert (found.verdict, found.counts) == (verdict, counts)
    assert (found.status, found.request_id) == (status, "r-2")


@pytest.mark.parametrize("status", [None, "INACTIVE"])
def test_inactive_is_a_change_only_where_the_card_was_not(status):
    """One that was INACTIVE, or of unknown status, when it was sealed is not gone by being so."""
    sealed = OLD | {"instrument_status": status}
    card = planned(sealed)
    shown = reading_of(OLD | {"instrument_status": "INACTIVE"})
    found = asyncio.run(judge_of(card).look(card, shown))
    assert found.verdict == ("drift" if status is None else "present")


@pytest.mark.parametrize(
    ("body", "status", "sign"),
    [
        (OLD, 200, "good"),
        (OLD | {"customer_id": None}, 200, "good"),
        (OLD | {"instrument_status": "active"}, 200, "good"),
        (OLD | {"instrument_status": "INACTIVE"}, 200, "bad"),
        (OLD | {"instrument_status": None}, 200, "bad"),
        (OLD | {"customer_id": "somebody"}, 200, "bad"),
        (b"", 404, "bad"),
        (b"", 500, "unclear"),
        (b"", 401, "unclear"),
        (b"<html>", 200, "unclear"),
    ],
)
def test_what_a_control_card_shows(body, status, sign):
    """Good is only what is there, active, and of its customer."""
    assert sign_of(ControlCard("c", "old"), reading_of(body, status)) == sign
