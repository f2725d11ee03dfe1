"""The wire under misbehaviour: what left, how often, and what the failure is called."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import anyio
import httpx
import pytest
import trustme
from raw_server import OK_HEAD, RawServer, answer, drip, hang_after, raw, reset_after
from tunnel_proxy import TunnelProxy

from tokenvault_data.client import engines
from tokenvault_data.client.engines import open_transport
from tokenvault_data.client.tls_trouble import explained
from tokenvault_data.client.transport import (
    Answer,
    CertificateError,
    OversizedBody,
    TransportSettings,
)
from tokenvault_data.config.network import Network
from tokenvault_data.errors import UsageError
from tokenvault_data.redaction import Secret

LIMIT = 100_000
WIRE = TransportSettings(body_bytes=LIMIT)
# For servers that fall silent; a loaded machine may miss these deadlines with any other.
QUICK = replace(WIRE, silence_seconds=0.5, total_seconds=1.0)
PROXY_VARIABLES = (
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
)


@pytest.fixture(params=["pyreqwest", "httpx"], autouse=True)
def engine(request, monkeypatch):
    """Either engine: pyreqwest as it is installed, and httpx's as where that is missing."""
    if request.param == "httpx":
        monkeypatch.setattr(engines, "why_not_pyreqwest", lambda: "No module named 'pyreqwest'")
    return request.param


def wire_of(settings=WIRE, network=None):
    return open_transport(settings, network or Network())


def exchange(server, method="GET", *, target="/pg/x", headers=None, network=None, **settings):
    """One exchange with a client of its own; the answer or the error."""

    async def scenario():
        wire = wire_of(replace(WIRE, **settings), network)
        try:
            return await wire.exchange(method, server.url + target, headers or {})
        except httpx.TransportError as error:
            return error
        finally:
            await wire.aclose()

    return asyncio.run(scenario())


def test_an_answer_arrives_whole():
    """Status, headers in lower case, and the body."""
    with RawServer(answer(b"[1, 2]", headers=("X-Some: Thing",))) as server:
        got = exchange(server)
    assert (got.status, got.headers["x-some"], got.body) == (200, "Thing", b"[1, 2]")


def test_a_chunked_answer_arrives_whole():
    """A body without an announced length is put together."""
    chunks = [
        OK_HEAD + b"transfer-encoding: chunked\r\n\r\n",
        b"3\r\n[1,\r\n",
        b"2\r\n2]\r\n",
        b"0\r\n\r\n",
    ]
    with RawServer(raw(*chunks, pause_seconds=0.02)) as server:
        assert exchange(server).body == b"[1,2]"


def test_repeated_headers_are_joined():
    """Of a repeated name no value is lost: the next page may be in any of several Link headers."""
    links = ("Link: <a>; rel=prev", 'link: <b>; rel="next"')
    with RawServer(answer(headers=links)) as server:
        assert exchange(server).headers["link"] == '<a>; rel=prev, <b>; rel="next"'


def test_headers_outside_ascii_cost_nothing_but_themselves():
    """A header that cannot be shown does not cost the answer."""
    with RawServer(answer(b"[7]", headers=("x-city: M\xfcnchen", "x-other: 1"))) as server:
        got = exchange(server)
    assert (got.body, got.headers["x-other"]) == (b"[7]", "1")
    assert "x-city" not in got.headers


def test_headers_arrive_as_given_and_secrets_revealed():
    """Secrets are revealed on the wire, and only there."""
    headers = {"x-api-version": "2023-08-01", "x-client-secret": Secret("sesame-9f3ac1")}
    with RawServer() as server:
        exchange(server, headers=headers)
    assert server.seen[0].headers["x-api-version"] == "2023-08-01"
    assert server.seen[0].headers["x-client-secret"] == "sesame-9f3ac1"


def test_the_path_reaches_the_server_as_it_was_encoded():
    """Nothing between us and the wire decodes or normalises a percent-encoded id."""
    target = "/pg/customers/a%2Bb%40x%2E%3B%2F/instruments/%7E'i?instrument_type=card&cursor=%2F%20"
    with RawServer() as server:
        exchange(server, target=target)
    assert server.seen[0].target == target


LEAK = b'{"cryptogram":"AJkBBkhgAAAA"}'
BROKEN = [
    ("reset before the answer", reset_after(), httpx.ReadError),
    ("closed before the answer", raw(), httpx.ReadError),
    ("reset inside the head", reset_after(b"HTTP/1.1 200 O"), httpx.ReadError),
    ("closed inside the head", raw(b"HTTP/1.1 200 O"), httpx.TransportError),
    (
        "reset inside the body",
        reset_after(OK_HEAD + b"content-length: 9\r\n\r\n[1"),
        httpx.ReadError,
    ),
    ("half an answer", raw(OK_HEAD + b"content-length: 9\r\n\r\n[1"), httpx.RemoteProtocolError),
    (
        "closed inside a chunk",
        raw(OK_HEAD + b"transfer-encoding: chunked\r\n\r\n9\r\n[1"),
        httpx.RemoteProtocolError,
    ),
    (
        "bad chunk",
        raw(OK_HEAD + b"transfer-encoding: chunked\r\n\r\nZZ\r\n[1"),
        httpx.RemoteProtocolError,
    ),
    (
        "not HTTP",
        raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
        (httpx.RemoteProtocolError, httpx.ReadError),  # or half a head, as one may see it
    ),
    ("binary rubbish", raw(bytes(range(256))), httpx.RemoteProtocolError),
    (
        "two lengths",
        raw(OK_HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n[]"),
        httpx.RemoteProtocolError,
    ),
    (
        "endless head",
        drip(b"HTTP/1.1 200 OK\r\n", b"x: " + b"a" * 9000 + b"\r\n", 0),
        httpx.RemoteProtocolError,
    ),
    ("hang before the answer", hang_after(), httpx.ReadTimeout),
    ("hang inside the head", hang_after(b"HTTP/1.1 200 OK\r\n"), httpx.ReadTimeout),
    (
        "hang inside the body",
        hang_after(OK_HEAD + b"content-length: 9\r\n\r\n[1"),
        httpx.ReadTimeout,
    ),
    ("dripping head", drip(b"HTTP/1.1 200 OK\r\nx: ", b"a", 0.1), httpx.ReadTimeout),
    ("dripping body", drip(OK_HEAD + b"content-length: 99\r\n\r\n", b" ", 0.1), httpx.ReadTimeout),
    (
        "huge, announced",
        drip(OK_HEAD + b"content-length: 99999999999\r\n\r\n", b" " * 9999, 0),
        OversizedBody,
    ),
    ("huge, not announced", drip(OK_HEAD + b"\r\n", b" " * 9999, 0), OversizedBody),
]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("reused", [False, True], ids=["new", "reused"])
@pytest.mark.parametrize(
    ("behaviour", "expected"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
def test_a_broken_exchange_leaves_exactly_once(behaviour, expected, reused, method, engine):
    """Whatever breaks, on a new or a reused connection: one request, and never "not sent"."""

    async def scenario():
        wire = wire_of(QUICK if expected is httpx.ReadTimeout else WIRE)
        try:
            if reused:
                await wire.exchange("GET", f"{server.url}/warm", {})
            with pytest.raises(expected) as raised:
                await wire.exchange(method, f"{server.url}/pg/cust_1", {})
            assert not isinstance(raised.value, httpx.ConnectError | httpx.ConnectTimeout)
            assert "cust_1" not in str(raised.value)
            assert str(server.port) not in str(raised.value)
        finally:
            await wire.aclose()

    behaviours = [answer(), behaviour] if reused else [behaviour]
    with RawServer(*behaviours, answer()) as server:
        asyncio.run(scenario())
        time.sleep(0.05)
        assert [seen.target for seen in server.seen].count("/pg/cust_1") == 1
        if reused:
            is_same = server.seen[0].connection == server.seen[1].connection
            assert is_same == (engine == "pyreqwest")  # httpx's takes a new one for each request


LEAKS = [
    ("chunk size", OK_HEAD + b"transfer-encoding: chunked\r\n\r\n" + LEAK + b"\r\n"),
    ("chunk footer", OK_HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n[]" + LEAK + b"\r\n"),
    ("status line", LEAK + b"\r\n\r\n"),
    ("header", b"HTTP/1.1 200 OK\r\n" + LEAK + b"\r\n\r\n"),
]


@pytest.mark.parametrize("sent", [case[1] for case in LEAKS], ids=[case[0] for case in LEAKS])
def test_what_could_not_be_parsed_is_not_quoted(sent):
    """An answer without its frame may hold a cryptogram: the error says only that it is no HTTP."""
    with RawServer(raw(sent)) as server:
        error = exchange(server)
    assert type(error) in {httpx.RemoteProtocolError, httpx.ReadError}
    assert "AJkBBkhg" not in "".join(traceback.format_exception(error))


def test_deletes_on_connections_that_close_under_them_leave_at_most_once():
    """The race with a server that closes idle connections never sends a DELETE twice."""
    rounds = 300

    async def scenario():
        wire = wire_of(WIRE)
        lost = 0
        try:
            for number in range(rounds):
                try:
                    await wire.exchange("DELETE", f"{server.url}/{number}", {})
                except httpx.ConnectError:
                    raise AssertionError("the server was there all the time") from None
                except httpx.TransportError:
                    lost += 1
                await asyncio.sleep(0.0003 * (number % 7))
        finally:
            await wire.aclose()
        return lost

    with RawServer(answer(keep=False)) as server:
        lost = asyncio.run(scenario())
        time.sleep(0.05)
    targets = [seen.target for seen in server.seen]
    assert len(targets) == len(set(targets)), "one left twice"
    assert rounds - lost <= len(targets) <= rounds


def test_a_refused_connection_and_an_unknown_host_are_not_sent():
    """Without a connection the error is the one that promises that nothing was sent."""

    class Nowhere:
        url = "http://127.0.0.1:1"

    class Unknown:
        url = "http://host.invalid"

    assert type(exchange(Nowhere)) is httpx.ConnectError
    assert type(exchange(Unknown)) is httpx.ConnectError


def test_a_handshake_that_hangs_is_not_sent():
    """The connect timeout covers TLS, before which nothing can leave."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        class Hanging:
            url = f"https://127.0.0.1:{listener.getsockname()[1]}"

        began = time.monotonic()
        assert type(exchange(Hanging, connect_seconds=0.3)) is httpx.ConnectTimeout
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_redirects_are_never_followed(status, method):
    """The other host sees neither a request nor a connection."""
    with (
        RawServer() as other,
        RawServer(answer(b"", status, (f"location: {other.url}/pg/x",))) as server,
    ):
        got = exchange(server, method, headers={"x-client-secret": Secret("sesame-9f3ac1")})
        time.sleep(0.05)
        assert got.status == status
        assert (len(server.seen), other.connections) == (1, 0)


def test_a_slow_drip_ends_at_the_deadline():
    """A body that never stops trickling is cut by the total deadline, not by silence."""
    trickle = drip(OK_HEAD + b"content-length: 999\r\n\r\n", b" ", 0.05)
    with RawServer(trickle) as server:
        began = time.monotonic()
        error = exchange(server, silence_seconds=0.4, total_seconds=0.8)
        assert 0.7 < time.monotonic() - began < 5
    assert isinstance(error, httpx.ReadTimeout)


@pytest.mark.parametrize(
    "sent", [b"", OK_HEAD + b"content-length: 9\r\n\r\n["], ids=["head", "body"]
)
def test_silence_ends_long_before_the_deadline(sent):
    """A server that falls silent is given up after the time for that, before or in the body."""
    with RawServer(hang_after(*([sent] if sent else []))) as server:
        began = time.monotonic()
        error = exchange(server, silence_seconds=0.2, total_seconds=20)
        assert time.monotonic() - began < 5
    assert isinstance(error, httpx.ReadTimeout)


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
def test_the_size_limit_is_exact(size):
    """A body of the limit is read; one byte more is not."""
    with RawServer(answer(b" " * size)) as server:
        got = exchange(server)
    assert isinstance(got, Answer) == (size == LIMIT)
    assert isinstance(got, OversizedBody) == (size > LIMIT)


@pytest.mark.parametrize("status", [400, 429, 502])
def test_a_huge_error_page_does_not_hide_its_status(status):
    """Where the status says it all, a body too long is left unread."""
    with RawServer(answer(b"x" * (LIMIT * 3), status)) as server:
        got = exchange(server)
    assert (got.status, got.body) == (status, b"")


def test_compressed_bodies_are_not_unpacked():
    """A small answer stays small, whatever it says it is."""
    bomb = gzip.compress(b"0" * 50_000_000)
    with RawServer(answer(bomb, headers=("content-encoding: gzip",))) as server:
        assert exchange(server).body == bomb


@pytest.mark.parametrize("status", [204, 418, 599, 999])
def test_unusual_statuses_are_answers(status):
    """The wire judges no status."""
    with RawServer(raw(b"HTTP/1.1 %d Hm\r\ncontent-length: 0\r\n\r\n" % status)) as server:
        assert exchange(server).status == status


def test_a_switch_of_protocols_that_was_not_asked_for_is_no_answer_to_rely_on(engine):
    """One engine shows the 101, the other calls it a breach; neither makes it something else."""
    with RawServer(raw(b"HTTP/1.1 101 Hm\r\ncontent-length: 0\r\n\r\n")) as server:
        got = exchange(server)
    if engine == "httpx":
        assert type(got) is httpx.RemoteProtocolError
    else:
        assert got.status == 101


def test_interim_answers_are_skipped():
    """A 103 before the answer is not the answer."""
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=next\r\n\r\n"
    with RawServer(raw(early, OK_HEAD + b"content-length: 3\r\n\r\n[1]")) as server:
        got = exchange(server)
    assert (got.status, got.body) == (200, b"[1]")
    assert "link" not in got.headers


def test_no_two_answers_are_mixed_up():
    """What a server sends beyond an answer is not taken for the next one."""
    twice = OK_HEAD + b"content-length: 3\r\n\r\n[1]" + OK_HEAD + b"content-length: 3\r\n\r\n[9]"

    async def scenario():
        wire = wire_of(WIRE)
        try:
            first = await wire.exchange("GET", f"{server.url}/1", {})
            await asyncio.sleep(0.05)
            second = await wire.exchange("GET", f"{server.url}/2", {})
            return first.body, second.body
        finally:
            await wire.aclose()

    with RawServer(lambda wire: wire.send(twice) or True, answer(b"[2]")) as server:
        assert asyncio.run(scenario()) == (b"[1]", b"[2]")


@pytest.mark.parametrize("name", PROXY_VARIABLES)
def test_proxies_of_the_environment_are_not_followed(name, monkeypatch):
    """Credentials do not go to whatever a variable names."""
    for other in (*PROXY_VARIABLES, "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(other, raising=False)
    with RawServer() as server, RawServer(answer(b"[5]")) as proxy:
        monkeypatch.setenv(name, proxy.url)
        assert exchange(server).body == b"[]"
        assert (len(server.seen), proxy.connections) == (1, 0)


def test_a_proxy_that_was_named_is_never_asked_for_plain_http():
    """Such an address is on this machine, where a company's proxy does not find it."""
    with RawServer() as server, RawServer(answer(b"[5]")) as proxy:
        assert exchange(server, network=Network(Secret(proxy.url))).body == b"[]"
        assert (len(server.seen), proxy.connections) == (1, 0)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def tls_server(authority, name="127.0.0.1"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return RawServer(tls=context)


def test_a_certificate_nobody_vouches_for_is_refused(authority):
    """A self-made authority is not believed, and nothing is sent."""
    with tls_server(authority) as server:
        error = exchange(server, "DELETE")
    assert type(error) is CertificateError
    assert (server.connections, server.received_bytes) == (1, 0)


def test_ca_file_makes_a_certificate_believed(authority, ca_file):
    """With the authority's certificate the same server is believed."""
    with tls_server(authority) as server:
        assert exchange(server, network=Network(ca_file=ca_file)).body == b"[]"


class SpoiltTls:
    """A TLS server that answers with `head`, and then with bytes that are no TLS."""

    def __init__(self, authority, head):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked = []
        self._thread = threading.Thread(target=self._serve, args=(context, head))

    def _serve(self, context, head):
        connection, _ = self._listener.accept()
        with context.wrap_socket(connection, server_side=True) as secure:
            self.asked.append(secure.recv(9999).split()[0])
            if head:
                secure.sendall(head)
            with socket.socket(fileno=secure.detach()) as plain, suppress(OSError):
                plain.sendall(b"these are no records of TLS " * 9)
                plain.recv(9999)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join()
        self._listener.close()


HALF = OK_HEAD + b"content-length: 9\r\n\r\n[1"


@pytest.mark.parametrize("head", [b"", HALF], ids=["head", "body"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_tls_connection_that_breaks_after_the_request_may_have_carried_it(
    head, method, authority, ca_file
):
    """Bytes that are no TLS instead of the answer: an error of httpx's, never "not sent"."""
    with SpoiltTls(authority, head) as server:
        error = exchange(server, method, network=Network(ca_file=ca_file))
    assert type(error) in {httpx.ReadError, httpx.RemoteProtocolError}
    assert server.asked == [method.encode()]


def test_ca_file_does_not_turn_checking_off(authority, ca_file):
    """A certificate for another name, or of another authority, is refused with a ca_file, too."""
    with tls_server(authority, "other.example") as server:
        assert type(exchange(server, network=Network(ca_file=ca_file))) is CertificateError
    with tls_server(trustme.CA()) as stranger:
        assert type(exchange(stranger, network=Network(ca_file=ca_file))) is CertificateError
    assert server.received_bytes == stranger.received_bytes == 0


def test_a_failed_connection_is_explained_alike_by_both_engines(authority, ca_file):
    """Refused, wrong name, expired, unknown authority: the advice is the same, word for word."""

    class Nowhere:
        url = "http://127.0.0.1:1"

    assert str(exchange(Nowhere)) == "Connection refused (os error 111)"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    past = [datetime(2019, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)]
    expired = authority.issue_cert("127.0.0.1", not_before=past[0], not_after=past[1])
    expired.configure_cert(context)
    network = Network(ca_file=ca_file)
    with (
        tls_server(authority, "other.example") as other,
        RawServer(tls=context) as old,
        tls_server(trustme.CA()) as stranger,
    ):
        assert explained(str(exchange(other, network=network))).startswith(
            "its certificate is for another host."
        )
        assert explained(str(exchange(old, network=network))).startswith(
            "its certificate has expired."
        )
        assert explained(str(exchange(stranger, network=network))).startswith(
            "its certificate comes from an authority that this machine does not know."
        )


def test_a_proxy_that_does_not_connect_is_explained_alike_by_both_engines():
    """It refuses, breaks off or is not there: a connection that never stood, in the same words."""

    class Vault:
        url = "https://vault.example"

    with RawServer(answer(b"", 403)) as proxy:
        refused = exchange(Vault, "DELETE", network=Network(Secret(proxy.url)))
    with RawServer(raw()) as proxy:
        broken = exchange(Vault, "DELETE", network=Network(Secret(proxy.url)))
    gone = exchange(Vault, "DELETE", network=Network(Secret("http://127.0.0.1:1")))
    assert [type(error) for error in (refused, broken, gone)] == [httpx.ConnectError] * 3
    assert str(refused).startswith("the proxy refuses to connect to this address")
    assert str(broken) == "the proxy broke the connection off"
    assert str(gone) == "Connection refused (os error 111)"
    assert gone.__notes__[0] == "Requests go through the proxy http://127.0.0.1:1."


def test_variables_do_not_turn_checking_off(authority, monkeypatch):
    """None of the variables that other tools obey weakens TLS."""
    for name in ("PYTHONHTTPSVERIFY", "CURL_INSECURE", "NODE_TLS_REJECT_UNAUTHORIZED"):
        monkeypatch.setenv(name, "0")
    with tls_server(authority) as server:
        assert type(exchange(server)) is CertificateError


def test_a_server_that_speaks_no_tls_is_refused():
    """Plain HTTP where TLS was asked for is no connection, and is not tried again for ever."""

    def serve_plain():
        connection, _ = listener.accept()
        with connection:
            received.append(connection.recv(9999))
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_plain)
        thread.start()

        class Plain:
            url = f"https://127.0.0.1:{listener.getsockname()[1]}"

        error = exchange(Plain, headers={"x-client-secret": Secret("sesame-9f3ac1")})
        thread.join()
    assert type(error) is CertificateError
    assert b"sesame" not in received[0]


def test_a_named_proxy_is_tunnelled_through(authority, ca_file):
    """TLS stays between the two ends, and the proxy gets the user and password it asks for."""
    with tls_server(authority) as server, TunnelProxy("ann:se@same") as proxy:
        url = f"http://ann:se%40same@127.0.0.1:{proxy.port}"
        network = Network(Secret(url), ca_file)
        assert exchange(server, network=network).body == b"[]"
        assert proxy.asked_for == [f"127.0.0.1:{server.port}"]
        refused = exchange(
            server, network=Network(Secret(f"http://127.0.0.1:{proxy.port}"), ca_file)
        )
        assert type(refused) is httpx.ConnectError
        assert "asks for a user and password" in str(refused)
        assert refused.__notes__ == [
            f"Requests go through the proxy http://127.0.0.1:{proxy.port}."
        ]


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"not a certificate",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ],
)
def test_a_ca_file_that_is_none_is_refused_at_once(content, tmp_path):
    """A missing, empty, foreign or damaged file is an error before there is a client."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"ca\.pem cannot be used"):
        wire_of(network=Network(ca_file=path))


def test_closing_ends_what_is_in_flight():
    """A request that hangs when the transport is closed ends at once, as one that may have left."""

    async def scenario():
        wire = wire_of()
        hanging = asyncio.ensure_future(wire.exchange("GET", server.url, {}))
        await server.first_request()
        await wire.aclose()
        with pytest.raises(httpx.ReadError):
            await asyncio.wait_for(hanging, 2)
        with pytest.raises(httpx.ConnectError, match="closed"):
            await wire.exchange("GET", server.url, {})
        await wire.aclose()

    with RawServer(hang_after()) as server:
        asyncio.run(scenario())
        assert len(server.seen) == 1


@pytest.mark.parametrize("ask", ["task", "scope"])
def test_no_cancellation_is_lost(ask):
    """A call that is cancelled in the moment of its answer is cancelled, in asyncio and anyio."""

    async def call(wire, scope, ends):
        with scope:
            ends.append(await wire.exchange("GET", server.url, {}))
        ends.append("left the scope")

    async def scenario():
        wire, met = wire_of(), 0
        for number in range(300):
            ends, scope = [], anyio.CancelScope()
            task = asyncio.ensure_future(call(wire, scope, ends))
            await asyncio.sleep(0)
            time.sleep(0.002 * (number % 3))  # noqa: ASYNC251  the answer comes before the loop knows
            if not task.done():
                met += 1
                task.cancel() if ask == "task" else scope.cancel()
                await asyncio.gather(task, return_exceptions=True)
                assert ends == ([] if ask == "task" else ["left the scope"])
                assert task.cancelled() == (ask == "task")
        await wire.exchange("GET", server.url, {})
        await wire.aclose()
        return met

    with RawServer() as server:
        assert asyncio.run(scenario()) > 20


def test_nothing_leaves_once_the_transport_is_closed(engine, authority, ca_file):
    """A request whose connection is still being set up ends; over httpx it is never sent.

    pyreqwest sends it all the same, so there it must not be called unsent.
    """

    async def scenario():
        wire = wire_of(network=Network(ca_file=ca_file))
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/x"
        pending = asyncio.ensure_future(wire.exchange("DELETE", url, {}))
        await asyncio.to_thread(accepted.wait)
        await wire.aclose()
        go_on.set()
        with pytest.raises(httpx.TransportError) as raised:
            await asyncio.wait_for(pending, 20)
        assert isinstance(raised.value, httpx.ConnectError) == (engine == "httpx")

    def serve():
        connection, _ = listener.accept()
        accepted.set()
        go_on.wait()
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            received.append(secure.recv(9999))

    received, accepted, go_on = [], threading.Event(), threading.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        asyncio.run(scenario())
        thread.join()
    if engine == "httpx":
        assert b"".join(received) == b""
