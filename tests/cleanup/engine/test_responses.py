"""The table of outcomes, row by row."""

import json

import pytest

from tokenvault_data.cleanup.engine.responses import TABLE, read_attempt
from tokenvault_data.client.calls import delete_call, fetch_call
from tokenvault_data.client.retries import Attempt

CARD = {"customer_id": "c", "instrument_id": "i", "instrument_status": "active"}
OTHER = CARD | {"instrument_id": "j"}
FOREIGN = CARD | {"customer_id": "d"}
NAMELESS = {"instrument_status": "ACTIVE"}


def answered(status, body=b"", code=None):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Attempt("answered", status, {}, content, "r-1", code, "")


def unanswered(kind):
    return Attempt(kind, None, {}, b"", "r-1")


@pytest.mark.parametrize(
    ("attempt", "outcome", "effect"),
    [
        (answered(200, CARD), "accepted", "none"),
        (answered(200, [CARD]), "accepted", "none"),
        (answered(200, CARD | {"instrument_status": "INACTIVE"}), "accepted", "none"),
        (answered(200, {"instrument_id": "i"}), "accepted", "none"),
        (answered(200, OTHER), "unexpected", "halt"),
        (answered(200, FOREIGN), "unexpected", "halt"),
        (answered(200, NAMELESS), "in_doubt", "garbage"),
        (answered(200, b"<html>"), "in_doubt", "garbage"),
        (answered(200, b""), "in_doubt", "garbage"),
        (answered(200, []), "in_doubt", "garbage"),
        (answered(200, [CARD, CARD]), "in_doubt", "garbage"),
        (answered(200, b"[" * 100_000), "in_doubt", "garbage"),
        (answered(200, b'{"instrument_id"'), "in_doubt", "garbage"),
        (answered(202), "in_doubt", "garbage"),
        (answered(204), "in_doubt", "garbage"),
        (answered(404), "absent", "none"),
        (answered(409, code="instrument_already_deleted"), "absent", "none"),
        (answered(409, code="something_else"), "unexpected", "pause"),
        (answered(409), "unexpected", "pause"),
        (answered(400), "rejected", "none"),
        (answered(422), "rejected", "halt"),
        (answered(401), "not_executed", "pause"),
        (answered(403), "not_executed", "doubt"),
        (answered(429), "not_executed", "wait"),
        (answered(500), "in_doubt", "failure"),
        (answered(502), "in_doubt", "failure"),
        (answered(599), "in_doubt", "failure"),
        (answered(408), "in_doubt", "failure"),
        (unanswered("lost"), "in_doubt", "failure"),
        (unanswered("not_sent"), "not_executed", "failure"),
        (unanswered("certificate"), "not_executed", "halt"),
        *((answered(status), "unexpected", "halt") for status in (301, 302, 303, 307, 308)),
        (answered(418), "unexpected", "pause"),
    ],
)
def test_what_a_delete_has_come_to(attempt, outcome, effect):
    """Each row of the safety page's table, and what lies between its rows."""
    row = read_attempt(delete_call("c", "i"), attempt).row
    assert (row.delete, row.delete_effect) == (outcome, effect)


@pytest.mark.parametrize(
    ("attempt", "sight", "effect"),
    [
        (answered(200, CARD), "card", "none"),
        (answered(200, FOREIGN), "card", "none"),
        (answered(200, OTHER), "unclear", "halt"),
        (answered(200, NAMELESS), "unclear", "garbage"),
        (answered(200, b"<html>"), "unclear", "garbage"),
        (answered(204), "unclear", "garbage"),
        (answered(404), "absent", "none"),
        (answered(401), "unclear", "pause"),
        (answered(429), "unclear", "wait"),
        (answered(503), "unclear", "failure"),
        (answered(302), "unclear", "halt"),
        (answered(400), "unclear", "failure"),
        (answered(409, code="instrument_already_deleted"), "unclear", "failure"),
        (unanswered("lost"), "unclear", "failure"),
        (unanswered("not_sent"), "unclear", "failure"),
        (unanswered("certificate"), "unclear", "halt"),
    ],
)
def test_what_a_fetch_has_shown(attempt, sight, effect):
    """Only a 404 shows that a card is gone, and only a readable card that it is there."""
    reading = read_attempt(fetch_call("c", "i"), attempt)
    assert (reading.row.fetch, reading.row.fetch_effect) == (sight, effect)
    assert (reading.card is not None) == (sight == "card")


def test_only_two_answers_ever_speak_of_absence():
    """No row but 404 and 409 leads to absence, and none leads from a delete to gone."""
    assert {name for name, row in TABLE.items() if row.delete == "absent"} == {
        "not_found",
        "already_deleted",
    }
    assert {name for name, row in TABLE.items() if row.fetch == "absent"} == {"not_found"}


def test_every_status_has_a_meaning():
    """No status there is can surprise the table."""
    for status in range(100, 600):
        for call in (delete_call("c", "i"), fetch_call("c", "i")):
            assert read_attempt(call, answered(status, CARD)).row in TABLE.values()


def test_status_of_a_card_is_read_in_any_case():
    """`active` is ACTIVE; a card without a status has none."""
    call = fetch_call("c", "i")
    assert read_attempt(call, answered(200, CARD)).instrument_status == "ACTIVE"
    assert read_attempt(call, answered(200, {"instrument_id": "i"})).instrument_status is None
