"""What an answer must hold to be taken."""

from __future__ import annotations

import codecs
import gzip
import json
import math

import pytest

from tokenvault_data.client.calls import (
    cryptogram_call,
    delete_call,
    fetch_call,
    read_cryptogram,
    read_instrument,
    read_json,
)
from tokenvault_data.client.transport import Answer
from tokenvault_data.errors import UnusableAnswer

FETCH = fetch_call("cust_1", "inst_1")


def answer(content, **headers):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer(200, headers, body)


def nested(levels):
    content = None
    for _ in range(levels):
        content = {"a": content}
    return content


@pytest.mark.parametrize("call", [FETCH, delete_call("cust_1", "inst_1")])
@pytest.mark.parametrize(
    "content",
    [
        {"instrument_id": "inst_1", "customer_id": "cust_1", "x": 1},
        [{"instrument_id": "inst_1"}],
        {"instrument_id": None},
        {},
    ],
)
def test_an_instrument_comes_bare_or_alone_in_an_array(call, content):
    """Both documented shapes are read; ids that are left out contradict nothing."""
    expected = content[0] if isinstance(content, list) else content
    assert read_instrument(call, answer(content)) == expected


@pytest.mark.parametrize("content", [[], [{}, {}], [[{}]], None, "text", 1, True])
def test_anything_else_is_no_instrument(content):
    """An answer without exactly one instrument is not taken."""
    with pytest.raises(UnusableAnswer, match="without an instrument") as raised:
        read_instrument(FETCH, answer(content))
    assert raised.value.status == 200


@pytest.mark.parametrize(
    "content",
    [{"instrument_id": "inst_2"}, {"instrument_id": 1}, {"customer_id": "cust_2"}],
)
def test_another_instrument_or_customer_is_not_taken(content):
    """An answer about somebody else is refused, and does not say about whom."""
    with pytest.raises(UnusableAnswer, match="another instrument") as raised:
        read_instrument(FETCH, answer(content))
    assert "_2" not in str(raised.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b"[1,]",
        b"[01]",
        b"\xff\xfe[\x00]\x00",
        b"[" * 100_000,
        b"[]\0",
        b"[] []",
    ],
)
def test_what_is_not_json_is_not_taken(body):
    """Cut, garbled or wrongly encoded: an error, never a crash, and none holds the body."""
    with pytest.raises(UnusableAnswer, match="instead of JSON") as raised:
        read_json(Answer(200, {}, body))
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_an_html_page_is_named_as_what_it_is():
    """A proxy's page is told from other rubbish, and none of it is quoted."""
    with pytest.raises(UnusableAnswer, match="an HTML page") as raised:
        read_json(Answer(200, {}, b"\n <html><body>Sign in to CorpNet</body></html>"))
    assert "CorpNet" not in str(raised.value)


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (codecs.BOM_UTF8 + b" [] ", []),
        (b'["\\ud83d", "caf\xe9", "\xed\xa0\xbd", "\\x", "a\0b"]',
         ["\ufffd", "caf\ufffd", "\ufffd" * 3, "\ufffd", "a\ufffdb"]),
        (b"[-Infinity, 1e999, 1" + b"0" * 30 + b"]", [-math.inf, math.inf, 1e30]),
        (b'[1, "\xff", 1.5, true, {"a": null}]', [1, "\ufffd", 1.5, True, {"a": None}]),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, nested(100)),
    ],
)  # fmt: skip
def test_what_is_damaged_in_a_value_costs_that_value(body, content):
    """A repeated key, a mark before the text, bad characters, numbers and depth: all is read."""
    assert read_json(Answer(200, {}, body)) == content


def test_nan_is_read_as_python_reads_it():
    """It is no JSON, and the default of Python's own writer."""
    (value,) = read_json(Answer(200, {}, b"[NaN]"))
    assert math.isnan(value)


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP, identity", "x-unknown"])
def test_a_compressed_answer_is_refused_by_name(coding):
    """Compressed bytes, whole or cut, are neither garbage to us nor a way to fill memory."""
    compressed = gzip.compress(b"[]")
    for body in (compressed, compressed[:-9]):
        with pytest.raises(UnusableAnswer, match="compressed"):
            read_json(Answer(200, {"content-encoding": coding}, body))
        with pytest.raises(UnusableAnswer, match="compressed"):
            read_json(Answer(200, {}, body))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-encoding": "identity"},
        {"content-encoding": ""},
        {"content-encoding": "gzip"},  # a proxy that unpacked the body and left the header
        {"content-encoding": "utf-8"},
        {"content-type": "text/html; charset=iso-8859-1"},
        {"content-type": "nonsense"},
    ],
)
def test_json_is_read_whatever_the_headers_say_of_it(headers):
    """What the body is decides, since gateways name types and encodings wrongly."""
    assert read_json(Answer(200, headers, b"[]")) == []


def test_payment_data_is_not_in_an_instrument_and_ids_are():
    """A card number is removed by what it is, and an id is left that looks like one."""
    number = "4111111111111111"
    received = {
        "instrument_id": "inst_1",
        "afa_reference": number,
        "pan": number,
        "a": [int(number)],
        "note": f"card {number}",
        number: 1,
        "instrument_meta": {"card_token_details": {"par": number}},
    }
    assert read_instrument(FETCH, answer(received)) == {
        "instrument_id": "inst_1",
        "afa_reference": number,
        "pan": "[removed]",
        "a": ["[removed]"],
        "note": "card [removed]",
        "[removed]": 1,
        "instrument_meta": {"card_token_details": {"par": number}},
    }


def test_a_cryptogram_is_read():
    """The fields arrive where only `reveal` shows them."""
    call = cryptogram_call("cust_1", "inst_1")
    received = {"instrument_id": "inst_1", "cryptogram": "AgAAAA==", "card_number": "4111"}
    assert read_cryptogram(call, answer(received)).reveal()["cryptogram"] == "AgAAAA=="


@pytest.mark.parametrize("content", [{}, {"cryptogram": None}, {"cryptogram": ""}])
def test_an_answer_without_a_cryptogram_is_none(content):
    """An object without the one field that matters is not given out."""
    with pytest.raises(UnusableAnswer, match="without a cryptogram"):
        read_cryptogram(cryptogram_call("cust_1", "inst_1"), answer(content))
