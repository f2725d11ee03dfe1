"""What the four operations are made of."""

from __future__ import annotations

import pytest

from tokenvault_data.client.calls import (
    cryptogram_call,
    delete_call,
    fetch_call,
    list_call,
)
from tokenvault_data.errors import IdentifierError

BAD_IDS = [
    "",
    " ",
    ".",
    "..",
    "a/b",
    "a\\b",
    "a?b",
    "a#b",
    "%2e%2e",
    "a\nb",
    "a\x00b",
    "é",
    "x" * 300,
]
BAD_IDS += ["123.0", "nan", None, 7, float("nan"), b"bytes"]


def test_targets_and_methods_are_the_documented_ones():
    """Each operation has the method, path and query of the reference."""
    calls = [
        list_call("c1"),
        fetch_call("c1", "i1"),
        delete_call("c1", "i1"),
        cryptogram_call("c1", "i1"),
    ]
    assert [(call.operation, call.method, call.target) for call in calls] == [
        ("list", "GET", "/customers/c1/instruments?instrument_type=card"),
        ("fetch", "GET", "/customers/c1/instruments/i1"),
        ("delete", "DELETE", "/customers/c1/instruments/i1"),
        ("cryptogram", "GET", "/customers/c1/instruments/i1/cryptogram"),
    ]


def test_ids_are_trimmed_and_encoded_whole():
    """Nothing of an id can be taken for a part of the URL."""
    call = fetch_call(" a+b@example.com ", "x=1&y:2'(3)*~")
    assert call.customer_id == "a+b@example.com"
    assert call.target == ("/customers/a%2Bb%40example.com/instruments/x%3D1%26y%3A2%27%283%29%2A~")


@pytest.mark.parametrize("bad", BAD_IDS)
@pytest.mark.parametrize("make", [fetch_call, delete_call, cryptogram_call])
def test_a_bad_id_in_either_place_makes_no_call(make, bad):
    """A call with a bad customer or instrument id cannot exist."""
    with pytest.raises(IdentifierError):
        make(bad, "i1")
    with pytest.raises(IdentifierError):
        make("c1", bad)


@pytest.mark.parametrize("bad", BAD_IDS)
def test_a_bad_customer_id_makes_no_list(bad):
    """A list of a bad customer id cannot exist."""
    with pytest.raises(IdentifierError):
        list_call(bad)
