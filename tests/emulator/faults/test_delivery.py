"""Every kind of fault as a client meets it on the wire, and what it did to the vault."""

from __future__ import annotations

import http.client
import json
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest
from emulator_bench import HEADERS


def read_to_the_end(raw, received):
    while piece := raw.recv(65536):
        received.extend(piece)


def last(bench):
    return bench.emulator.wire_log.entries()[-1]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (403, "invalid_request_error"),
        (422, "idempotency_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "api_error"),
        (418, "invalid_request_error"),
    ],
)
def test_any_status_comes_with_its_error_body(faulty, status, kind):
    """A status fault answers as the documentation says, and adds Retry-After when asked to."""
    answer = faulty(f"{status}=30").list("cust_0000001")
    assert answer.status_code == status
    assert answer.json()["type"] == kind
    assert answer.headers["retry-after"] == "30"


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(faulty, status):
    """204 and 304 end after their head, and the connection goes on."""
    bench = faulty(str(status))
    assert bench.list("cust_0000001").content == b""
    bench.emulator.set_faults("")
    assert bench.list("cust_0000001").status_code == 200
    ports = [entry.client_port for entry in bench.emulator.wire_log.entries()]
    assert ports[0] == ports[1]


@pytest.mark.parametrize("fault", ["reset-before", "reset-inside", "down"])
def test_a_reset_is_a_real_one(faulty, fault):
    """The socket ends with RST: before the first byte, or after half of the body."""
    bench = faulty(fault)
    url = urlsplit(bench.emulator.base_url)
    with socket.create_connection((url.hostname, url.port), timeout=5) as raw:
        head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        path = f"/pg/customers/{bench.a_customer_with(2)}/instruments?instrument_type=card"
        raw.sendall(f"GET {path} HTTP/1.1\r\nhost: {url.netloc}\r\n{head}\r\n".encode())
        received = bytearray()
        with pytest.raises(ConnectionResetError):
            read_to_the_end(raw, received)
    head_part, _, body = received.partition(b"\r\n\r\n")
    if fault == "reset-inside":
        length = int(head_part.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert len(body) == length // 2
    else:
        assert not received
        assert last(bench).status is None
    assert last(bench).fault == fault


def test_an_outage_ends_connections_only_while_it_lasts(faulty):
    """`down` between two points in time; afterwards all is well."""
    bench = faulty("down#t0-1")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        bench.list("cust_0000001")
    time.sleep(1.05)
    assert bench.list("cust_0000001").status_code == 200


def test_a_truncated_body_is_shorter_than_announced(faulty):
    """The whole length is announced, half is sent, and the connection closes in good order."""
    bench = faulty("truncated")
    url = urlsplit(bench.emulator.base_url)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=5)
    path = f"{url.path}/customers/{bench.a_customer_with(2)}/instruments?instrument_type=card"
    connection.request("GET", path, headers=HEADERS)
    with pytest.raises(http.client.IncompleteRead) as caught:
        connection.getresponse().read()
    connection.close()
    assert caught.value.partial
    assert abs(len(caught.value.partial) - caught.value.expected) <= 1


def test_a_cut_body_has_the_right_length_and_no_end(faulty):
    """Half of the JSON, announced as such."""
    bench = faulty("cut")
    answer = bench.list(bench.a_customer_with(2))
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(answer.content)
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_garbage_is_a_200_with_html(faulty):
    """The page of a captive portal."""
    answer = faulty("garbage").list("cust_0000001")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert b"<html>" in answer.content


def test_an_empty_answer_is_a_200_with_nothing(faulty):
    """200, length 0."""
    answer = faulty("empty").list("cust_0000001")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("fault", ["huge=3", "huge-chunked=3"])
def test_a_huge_body_can_be_announced_or_not(faulty, fault):
    """Three megabytes of valid JSON, with and without a content length."""
    answer = faulty(fault).list("cust_0000001")
    assert len(answer.content) > 3_000_000
    assert ("content-length" in answer.headers) == (fault == "huge=3")
    assert isinstance(answer.json(), list)


def test_a_deep_body_is_nested_as_deep_as_asked(faulty):
    """Arrays in arrays, more than a recursive parser can take."""
    answer = faulty("deep=50000").list("cust_0000001")
    assert answer.content == b"[" * 50_000 + b"]" * 50_000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_to_another_origin(faulty, status):
    """To localhost, where the wire log would show a client that follows, or to a given URL."""
    bench = faulty(f"redirect-{status}")
    answer = bench.list("cust_0000001")
    assert answer.status_code == status
    port = urlsplit(bench.emulator.base_url).port
    path = "/pg/customers/cust_0000001/instruments?instrument_type=card"
    assert answer.headers["location"] == f"http://localhost:{port}{path}"
    bench = faulty(f"redirect-{status}=https%3A//elsewhere.example/")
    assert bench.list("cust_0000001").headers["location"] == "https://elsewhere.example/"


def test_a_followed_redirect_shows_in_the_wire_log(faulty):
    """The witness: a request that arrives under the other name."""
    bench = faulty("redirect-302#1")
    bench.client.get(
        "/customers/cust_0000001/instruments?instrument_type=card", follow_redirects=True
    )
    hosts = [entry.host.partition(":")[0] for entry in bench.emulator.wire_log.entries()]
    assert hosts == ["127.0.0.1", "localhost"]


def test_a_dripping_body_arrives_whole_but_late(faulty):
    """The body comes in pieces over the given time."""
    bench = faulty("drip=0.5")
    customer_id = bench.a_customer_with(2)
    began = time.monotonic()
    answer = bench.list(customer_id)
    assert time.monotonic() - began > 0.4
    assert answer.json() == bench.emulator.population.instruments(customer_id, "2025-01-01")


def test_a_hanging_request_is_never_answered(faulty):
    """Nothing comes, until the client gives up; the next connection is served."""
    bench = faulty("hang#1")
    with pytest.raises(httpx.ReadTimeout):
        bench.list("cust_0000001", timeout=0.2)
    assert bench.list("cust_0000001").status_code == 200


def test_a_wrong_id_names_another_instrument(faulty):
    """200 with the body of somebody else."""
    bench = faulty("wrong-id")
    customer_id, instrument_id = bench.a_card()
    body = bench.fetch(customer_id, instrument_id).json()
    assert body["instrument_id"] != instrument_id
    assert body["customer_id"] != customer_id
    assert all(row["customer_id"] != customer_id for row in bench.list(customer_id).json())
    assert bench.fetch("nobody", instrument_id).status_code == 404


@pytest.mark.parametrize("fault", ["503", "garbage", "redirect-307", "reset-before", "unapplied"])
def test_a_replaced_answer_means_that_nothing_was_done(run, fault):
    """A delete that met such a fault did not happen, whatever was answered."""
    with run(faults=f"{fault}@delete") as bench:
        customer_id, instrument_id = bench.a_card()
        try:
            bench.delete(customer_id, instrument_id)
        except httpx.TransportError:
            assert fault == "reset-before"
        assert bench.fetch(customer_id, instrument_id).status_code == 200
        (entry,) = bench.emulator.wire_log.entries("delete")
        assert (entry.applied, entry.fault) == ("", fault)


@pytest.mark.parametrize(
    "fault",
    [
        "applied-then-500", "applied-then-503", "applied-then-garbage", "applied-then-reset-before",
        "reset-inside", "truncated", "cut", "wrong-id",
    ],
)  # fmt: skip
def test_a_damaged_answer_means_that_it_was_done(run, fault):
    """A delete that met such a fault did happen, though the answer does not show it."""
    with run(faults=f"{fault}@delete") as bench:
        customer_id, instrument_id = bench.a_card()
        try:
            bench.delete(customer_id, instrument_id)
        except httpx.TransportError:
            assert fault in ("applied-then-reset-before", "reset-inside", "truncated")
        assert bench.fetch(customer_id, instrument_id).status_code == 404
        (entry,) = bench.emulator.wire_log.entries("delete")
        assert (entry.applied, entry.fault) == ("deleted", fault)


def test_a_late_delete_takes_effect_later(run):
    """200 at once, the instrument gone only after the delay."""
    with run(faults="late=1@delete") as bench:
        customer_id, instrument_id = bench.a_card()
        assert bench.delete(customer_id, instrument_id).status_code == 200
        assert bench.fetch(customer_id, instrument_id).status_code == 200
        assert bench.emulator.wire_log.entries("delete")[0].applied == "delete pending"
        time.sleep(1.05)
        assert bench.fetch(customer_id, instrument_id).status_code == 404


def test_a_lagging_list_still_shows_what_a_fetch_no_longer_finds(run):
    """The list is behind by the given time; fetches are not."""
    with run(faults="lagging-list=1") as bench:
        customer_id, instrument_id = bench.a_card()
        before = bench.list(customer_id).json()
        bench.delete(customer_id, instrument_id)
        assert bench.fetch(customer_id, instrument_id).status_code == 404
        assert bench.list(customer_id).json() == before
        time.sleep(1.05)
        assert len(bench.list(customer_id).json()) == len(before) - 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("negative", "-5"),
        ("huge", "99999999999999999999999"),
        ("malformed", "soon, perhaps"),
        ("nan", "NaN"),
        ("absent", None),
    ],
)
def test_limit_headers_can_hold_nonsense(faulty, value, expected):
    """All of them, on a storm of 429s as on anything else."""
    answer = faulty(f"429;limit-headers={value}").list("cust_0000001")
    assert answer.status_code == 429
    for name in ("limit", "remaining", "retry", "type", "reset"):
        assert answer.headers.get(f"x-ratelimit-{name}") == expected
    assert answer.headers.get("retry-after") == expected


def test_faults_set_while_running_count_from_one(faulty):
    """A new specification strikes the next requests, whatever came before."""
    bench = faulty("")
    for _ in range(3):
        assert bench.list("cust_0000001").status_code == 200
    bench.emulator.set_faults("503#1-2")
    statuses = [bench.list("cust_0000001").status_code for _ in range(3)]
    assert statuses == [503, 503, 200]


def test_a_bad_specification_leaves_the_faults_as_they_were(faulty):
    """ValueError, and nothing changes."""
    bench = faulty("503")
    with pytest.raises(ValueError, match="no kind"):
        bench.emulator.set_faults("no-such-fault")
    assert bench.list("cust_0000001").status_code == 503
