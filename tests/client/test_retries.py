"""What follows from what came back."""

from __future__ import annotations

import json
import math

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data import errors
from tokenvault_data.client.calls import cryptogram_call, delete_call, fetch_call, list_call
from tokenvault_data.client.retries import Effort, GiveUp, Retry, RetryPolicy, after_trouble
from tokenvault_data.client.transport import Answer, CertificateError, OversizedBody
from tokenvault_data.redaction import Secret

CALLS = {
    "list": list_call("cust_4711"),
    "fetch": fetch_call("cust_4711", "inst_0815"),
    "delete": delete_call("cust_4711", "inst_0815"),
    "cryptogram": cryptogram_call("cust_4711", "inst_0815"),
}
READS, ALL = {"list", "fetch"}, set(CALLS)


def status(code, body=b"", **headers):
    return Answer(code, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def decide(result, operation="list", effort=None, policy=None, jitter=0.5):
    if effort is None:
        effort = Effort()
        effort.count(result if not isinstance(result, errors.VaultError) else status(200), 0.1)
    return after_trouble(result, CALLS[operation], effort, policy or RetryPolicy(), jitter)


# What came back, the error it becomes, and the operations that are tried again.
TABLE = [
    (status(400), errors.RequestRejected, set()),
    (status(401), errors.AccessDenied, set()),
    (status(403), errors.AccessDenied, set()),
    (status(404), errors.NotFound, set()),
    (status(408), errors.VaultUnavailable, READS),
    (status(409), errors.RequestRejected, set()),
    (status(418), errors.RequestRejected, set()),
    (status(425), errors.VaultUnavailable, READS),
    (status(422), errors.RequestRejected, set()),
    (status(429), errors.RateLimited, ALL),
    (status(500), errors.VaultUnavailable, READS),
    (status(502), errors.VaultUnavailable, READS),
    (status(503), errors.VaultUnavailable, READS),
    (status(599), errors.VaultUnavailable, READS),
    (status(101), errors.UnusableAnswer, set()),
    (status(201), errors.UnusableAnswer, set()),
    (status(202), errors.UnusableAnswer, set()),
    (status(204), errors.UnusableAnswer, set()),
    (status(301), errors.UnusableAnswer, set()),
    (status(308), errors.UnusableAnswer, set()),
    (httpx.ConnectError("refused"), errors.NotSent, ALL),
    (httpx.ConnectTimeout("slow"), errors.NotSent, ALL),
    (CertificateError("invalid peer certificate"), errors.CertificateRejected, set()),
    (httpx.ReadError("reset"), errors.AnswerLost, READS),
    (httpx.WriteError("reset"), errors.AnswerLost, READS),
    (httpx.ReadTimeout("slow"), errors.AnswerLost, READS),
    (httpx.PoolTimeout("slow"), errors.AnswerLost, READS),
    (httpx.RemoteProtocolError("rubbish"), errors.AnswerLost, READS),
    (OversizedBody(100), errors.UnusableAnswer, set()),
    (errors.UnusableAnswer("garbled"), errors.UnusableAnswer, READS),
    (errors.PagingFault("again"), errors.PagingFault, set()),
]


@pytest.mark.parametrize("operation", sorted(ALL))
@pytest.mark.parametrize(("result", "error", "again"), TABLE)
def test_the_table_of_outcomes(result, error, again, operation):
    """Each outcome has its error; only what is safe is tried again, and not for ever."""
    decision = decide(result, operation)
    if operation in again:
        assert isinstance(decision, Retry)
        spent = Effort(attempts=40, sent=40, refused=20, refused_beside=5)
        decision = decide(result, operation, spent)
    assert isinstance(decision, GiveUp)
    assert type(decision.error) is error
    if isinstance(result, Answer):
        assert decision.error.status == result.status


@given(st.integers(100, 999), st.sampled_from(["delete", "cryptogram"]))
def test_no_status_but_429_repeats_a_delete_or_cryptogram(code, operation):
    """Of all statuses only 429 says that the request was not carried out."""
    assert isinstance(decide(status(code), operation), Retry) == (code == 429)


def test_a_429_costs_no_attempt_and_no_wait_of_its_own():
    """When to send again is the pacing's to say, however often one call was refused."""
    policy = RetryPolicy(attempts=1, refusals=3)
    for refused in (1, 2, 50):
        effort = Effort(refused, refused, refused, refused_beside=2)
        assert decide(status(429), "delete", effort, policy) == Retry(0.0)


@pytest.mark.parametrize("refused_seconds", [0.0, 20.0])  # the wait that the last 429 asks for
def test_a_call_refused_while_others_are_answered_is_given_up(refused_seconds):
    """After so many refusals it is about this call; the error says so."""
    effort = Effort(3, 3, 3, refused_beside=3, refused_seconds=refused_seconds)
    ended = decide(status(429), "delete", effort, RetryPolicy(refusals=3))
    assert isinstance(ended, GiveUp)
    assert isinstance(ended.error, errors.RateLimited)
    assert ended.error.others_answered
    assert "refused 3 times while others were answered" in str(ended.error)


@pytest.mark.parametrize("patience", [None, 60.0])
def test_refusals_without_end_count_against_the_patience(patience):
    """Once nobody is answered for longer than the deadline, or the patience given, it ends."""
    policy = RetryPolicy(deadline_seconds=300.0)
    least = 300.0 if patience is None else patience
    effort = Effort(9, 9, 9, refused_seconds=least, patience_seconds=patience)
    assert decide(status(429), effort=effort, policy=policy) == Retry(0.0)
    effort.refused_seconds += 1
    ended = decide(status(429), effort=effort, policy=policy)
    assert isinstance(ended, GiveUp)
    assert isinstance(ended.error, errors.RateLimited)
    assert not ended.error.others_answered
    assert "nothing was answered but 429" in str(ended.error)


@pytest.mark.parametrize("patience", [None, 900.0])
def test_a_wait_as_long_as_the_patience_is_waited_for(patience):
    """One that is longer ends the call at once, and the error says what was asked for."""
    longest = 300.0 if patience is None else patience
    effort = Effort(1, 1, 1, blocked_seconds=longest, patience_seconds=patience)
    effort.refused_seconds = 0.3
    assert decide(status(429), effort=effort) == Retry(0.0)
    effort.blocked_seconds += 60.0
    ended = decide(status(429), effort=effort)
    assert isinstance(ended, GiveUp)
    minutes = f"{effort.blocked_seconds / 60:.0f} minutes"
    assert f"the vault asks for a wait of {minutes}" in str(ended.error)
    assert "nothing was answered" not in str(ended.error)


def test_an_outage_that_says_how_long_is_waited_for():
    """503 with Retry-After waits at least that long, and not beyond the deadline."""
    told = status(503, **{"retry-after": "40"})
    assert decide(told) == Retry(40.0)
    assert isinstance(decide(status(503, **{"retry-after": "301"})), GiveUp)
    assert isinstance(decide(told, "delete"), GiveUp)
    assert decide(status(503, **{"retry-after": "-5"})).wait_seconds < 1.0


def test_attempts_do_not_count_refusals():
    """Five attempts are five besides the 429s."""
    policy = RetryPolicy(attempts=5)
    assert isinstance(decide(status(503), effort=Effort(9, 9, refused=5), policy=policy), Retry)
    assert isinstance(decide(status(503), effort=Effort(10, 10, refused=5), policy=policy), GiveUp)


def test_waits_double_up_to_the_longest_and_are_spread():
    """Waits grow from half the first to the longest; the jitter decides where in the upper half."""
    policy = RetryPolicy(
        attempts=999, first_wait_seconds=1, longest_wait_seconds=8, deadline_seconds=math.inf
    )

    def wait(tries, jitter):
        return decide(
            status(503), effort=Effort(tries, tries), policy=policy, jitter=jitter
        ).wait_seconds

    assert [wait(tries, 1.0) for tries in (1, 2, 3, 4, 5, 900)] == [1, 2, 4, 8, 8, 8]
    assert [wait(tries, 0.0) for tries in (1, 2, 3, 4, 5, 900)] == [0.5, 1, 2, 4, 4, 4]


def test_no_attempt_starts_after_the_deadline():
    """A wait that would end after the deadline is not begun."""
    policy = RetryPolicy(first_wait_seconds=10, deadline_seconds=100)
    assert decide(
        status(503), effort=Effort(1, 1, busy_seconds=90), policy=policy, jitter=1
    ) == Retry(10)
    ended = decide(status(503), effort=Effort(1, 1, busy_seconds=90.1), policy=policy, jitter=1)
    assert isinstance(ended, GiveUp)


def test_effort_counts_what_left():
    """Attempts without a connection are not requests."""
    effort = Effort()
    for result in (
        httpx.ConnectError("no"),
        CertificateError("no"),
        status(429),
        httpx.ReadError(""),
    ):
        effort.count(result, 1.5)
    assert effort == Effort(attempts=4, sent=2, refused=1, busy_seconds=6.0)
    assert str(effort) == "tried 4 times"
    assert str(Effort(attempts=1)) == "tried 1 time"


@pytest.mark.parametrize("result", [case[0] for case in TABLE])
def test_errors_say_how_many_requests_left(result):
    """`attempts` is the number of requests that may have reached the vault."""
    effort = Effort(attempts=40, sent=7, refused=20, refused_beside=5)
    assert decide(result, "list", effort).error.attempts == 7


def test_a_call_that_never_left_says_so():
    """Nothing was sent is said only when nothing was."""
    refused = httpx.ConnectError("connection refused")
    never = decide(refused, effort=Effort(attempts=5)).error
    assert "tried 5 times, nothing was sent" in str(never)
    assert never.attempts == 0
    assert "this time nothing was sent" in str(decide(refused, effort=Effort(5, sent=1)).error)


def test_a_lost_delete_says_what_to_do():
    """Who deletes has to fetch; who reads has only to run again."""
    lost = httpx.ReadError("reset")
    assert "Fetch the card" in str(decide(lost, "delete").error)
    ended = decide(lost, "list", Effort(9, 9)).error
    assert "Run again" in str(ended)


def test_the_vaults_own_words_are_kept():
    """Message and code of the error body are in the error."""
    body = {"message": "token vault is off", "code": "feature_off", "type": "x", "help": "y"}
    error = decide(status(403, body)).error
    assert error.code == "feature_off"
    assert "403 feature_off: token vault is off" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[1]",
        b"null",
        b'{"message": 3, "code": ["x"]}',
        b"\xff",
        b"[" * 9999,
        {"message": ""},
    ],
)
def test_an_error_body_of_any_shape_is_survived(body):
    """An error without words is still the right error."""
    error = decide(status(400, body)).error
    assert error.code is None
    assert str(error).startswith("the vault refused the request (400);")


def test_foreign_words_are_cut_and_cannot_steer_a_terminal():
    """No control characters, and no more than a line of them."""
    body = {"message": "a\x1b[31m\r\nb\u202e" + "x" * 10_000, "code": "c\n" * 500}
    error = decide(status(400, body)).error
    assert len(str(error)) < 500
    assert str(error).isprintable()
    assert error.code is not None
    assert error.code.isprintable()


@pytest.mark.parametrize("operation", sorted(ALL))
def test_words_of_others_show_no_id_and_no_credential(operation):
    """Ids and secrets that a server or transport quotes back are masked."""
    kept = Secret("sesame-open-9f3ac1")
    quoted = f"no cust_4711/inst_0815 with {kept.reveal()}"
    for result in (
        status(404, {"message": quoted}),
        httpx.ReadError(quoted),
        httpx.ConnectError(quoted),
    ):
        error = decide(result, operation, Effort(99, 99, 20)).error
        assert kept.reveal() not in str(error)
        assert "cust_4711" not in str(error)
        assert "inst_0815" not in str(error) or operation == "list"


def test_a_percent_encoded_id_is_masked_too():
    """A path that a server quotes back holds the id in its encoded form."""
    call = list_call("a+b@example.com")
    result = status(404, {"message": "no route /pg/customers/a%2Bb%40example.com/instruments"})
    error = after_trouble(result, call, Effort(1, 1), RetryPolicy(), 0.5).error
    assert "example" not in str(error)
