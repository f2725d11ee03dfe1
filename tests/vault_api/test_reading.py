"""What an answer must hold to be taken."""

from __future__ import annotations

import codecs
import gzip
import json

import pytest

from tokenvault_data.errors import UnusableAnswer
from tokenvault_data.vault_api.operations import cryptogram_call, delete_call, fetch_call
from tokenvault_data.vault_api.reading import (
    decode,
    json_bytes,
    read_cryptogram,
    read_instrument,
)
from tokenvault_data.vault_api.transport import Answer

FETCH = fetch_call("cust_1", "inst_1")


def answer(content, **headers):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer(200, headers, body)


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
        b"NaN",
        b'{"a": Infinity}',
        b"\xff\xfe[\x00]\x00",
        b'"\xff"',
        b"[" * 100_000,
        b"[" * 2000 + b"]" * 2000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"[] []",
    ],
)
def test_what_is_not_json_is_not_taken(body):
    """Cut, garbled, nested beyond reason or wrongly encoded: an error, never a crash."""
    with pytest.raises(UnusableAnswer, match="instead of JSON") as raised:
        decode(body)
    assert raised.value.__cause__ is None


def test_an_html_page_is_named_as_what_it_is():
    """A proxy's page is told from other rubbish, and none of it is quoted."""
    with pytest.raises(UnusableAnswer, match="an HTML page") as raised:
        decode(b"\n <html><body>Sign in to CorpNet</body></html>")
    assert "CorpNet" not in str(raised.value)


def test_of_a_repeated_key_the_last_value_counts():
    """Repeated keys are read as most readers do, and as one value only."""
    assert decode(b'{"a": 1, "a": 2}') == {"a": 2}


def test_a_byte_order_mark_is_taken_off():
    """RFC 8259 lets a reader ignore it; what is kept of the body does not have it either."""
    assert json_bytes(answer(codecs.BOM_UTF8 + b"[]")) == b"[]"


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP, identity", "x-unknown"])
def test_a_compressed_answer_is_refused_by_name(coding):
    """Compressed bytes are neither garbage to us nor a way to fill memory."""
    compressed = Answer(200, {"content-encoding": coding}, gzip.compress(b"[]"))
    with pytest.raises(UnusableAnswer, match="compressed"):
        json_bytes(compressed)


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_an_answer_that_says_it_is_plain_is_read(coding):
    """Saying that nothing was done to the body is no fault."""
    assert json_bytes(Answer(200, {"content-encoding": coding}, b"[]")) == b"[]"


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
