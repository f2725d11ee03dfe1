"""Ids are cleaned, or refused with the reason, before a request can exist."""

import math
import subprocess
import sys
from decimal import Decimal
from urllib.parse import unquote

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.errors import IdentifierError, UsageError
from tokenvault_data.identifiers import (
    Refusal,
    RefusedId,
    clean_customer_id,
    clean_instrument_id,
    judge_id,
    quote_id,
)


class LabelledText(str):
    __slots__ = ()

    def __str__(self):
        return "something else"


@pytest.mark.parametrize(
    "good",
    [
        "cust_0000001",
        "00123",
        "a",
        "jane.doe+cards@example.com",
        "54de41ad34ee-36a0-409e-aec9-bdc9d232add0",
        "12.5",
        "1e05",
        "v2.0",
        "7e10",
        "...",
        "nancy",
        "Noneisan",
        "urn:shop:7",
        "x" * 255,
    ],
)
def test_real_ids_pass_unchanged(good):
    """Ids of every form that vaults hold pass, and nothing about them is changed."""
    assert clean_customer_id(good) == good
    assert clean_instrument_id(good) == good


@pytest.mark.parametrize(
    "padded", [" cust_1", "cust_1\r\n", "\tcust_1\u00a0", "\u3000cust_1\u2003"]
)
def test_surrounding_white_space_is_trimmed(padded):
    """White space around an id, of any kind, is the list's and not the id's."""
    assert clean_customer_id(padded) == "cust_1"


def test_a_str_subclass_becomes_plain_text():
    """What a subclass says in str() does not matter; its characters do."""
    cleaned = clean_customer_id(LabelledText("cust_1"))
    assert cleaned == "cust_1"
    assert type(cleaned) is str


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("", Refusal.BLANK),
        (" \t\n", Refusal.BLANK),
        (None, Refusal.MISSING),
        (math.nan, Refusal.MISSING),
        (7, Refusal.NOT_TEXT),
        (7.0, Refusal.NOT_TEXT),
        (math.inf, Refusal.NOT_TEXT),
        (True, Refusal.NOT_TEXT),
        (Decimal(5), Refusal.NOT_TEXT),
        (b"cust_1", Refusal.NOT_TEXT),
        (["cust_1"], Refusal.NOT_TEXT),
        ("123.0", Refusal.DAMAGED_NUMBER),
        ("-123.00", Refusal.DAMAGED_NUMBER),
        ("1e+05", Refusal.DAMAGED_NUMBER),
        ("1.23457E+11", Refusal.DAMAGED_NUMBER),
        ("1.23457E11", Refusal.DAMAGED_NUMBER),
        ("nan", Refusal.PLACEHOLDER),
        ("NaN", Refusal.PLACEHOLDER),
        ("None", Refusal.PLACEHOLDER),
        ("<NA>", Refusal.PLACEHOLDER),
        ("NaT", Refusal.PLACEHOLDER),
        ("-inf", Refusal.PLACEHOLDER),
        ("NULL", Refusal.PLACEHOLDER),
        ("True", Refusal.PLACEHOLDER),
        (".", Refusal.DOT_SEGMENT),
        (" .. ", Refusal.DOT_SEGMENT),
        ("a/b", Refusal.PATH_SIGN),
        ("../../orders", Refusal.PATH_SIGN),
        ("a\\b", Refusal.PATH_SIGN),
        ("a?b", Refusal.PATH_SIGN),
        ("a#b", Refusal.PATH_SIGN),
        ("a%2Fb", Refusal.PATH_SIGN),
        ("%2e%2e", Refusal.PATH_SIGN),
        ('"cust_1"', Refusal.LIST_SIGN),
        ("cust_1,Jane", Refusal.LIST_SIGN),
        ("cust_1;Jane", Refusal.LIST_SIGN),
        ("a\x00b", Refusal.CONTROL),
        ("cust_1\x1f", Refusal.CONTROL),
        ("cust_1\x85", Refusal.CONTROL),
        ("a\x7fb", Refusal.CONTROL),
        ("a b", Refusal.WHITE_SPACE),
        ("a\r\nb", Refusal.WHITE_SPACE),
        ("a\u00a0b", Refusal.WHITE_SPACE),
        ("a\ud800b", Refusal.NOT_UNICODE),
        ("\ufeffcust_1", Refusal.INVISIBLE),
        ("a\u200bb", Refusal.INVISIBLE),
        ("a\u202eb", Refusal.INVISIBLE),
        ("a\u2066b", Refusal.INVISIBLE),
        ("a\u00adb", Refusal.INVISIBLE),
        ("a\u3164b", Refusal.INVISIBLE),
        ("a\ufe0fb", Refusal.INVISIBLE),
        ("a\U000e0041b", Refusal.INVISIBLE),
        ("\u0430lice", Refusal.NOT_ASCII),  # a Cyrillic a
        ("caf\u00e9", Refusal.NOT_ASCII),
        ("cafe\u0301", Refusal.NOT_ASCII),
        ("\uff0e\uff0e", Refusal.NOT_ASCII),  # full-width dots
        ("x" * 256, Refusal.TOO_LONG),
        ("x" * 300, Refusal.TOO_LONG),
        ("\u00e9" * 128, Refusal.TOO_LONG),
    ],
)
def test_bad_ids_are_refused_with_their_reason(bad, reason):
    """Each kind of bad id is refused as its own kind, in one sentence."""
    judged = judge_id(bad)
    assert isinstance(judged, RefusedId)
    assert judged.reason is reason
    with pytest.raises(IdentifierError) as caught:
        clean_customer_id(bad)
    message = str(caught.value)
    assert "customer id" in message
    assert message.endswith(".")
    assert message.isprintable()
    assert isinstance(caught.value, UsageError)
    with pytest.raises(IdentifierError, match="instrument id"):
        clean_instrument_id(bad)


def test_pandas_missing_values_and_numbers_are_refused_with_the_fix():
    """What pandas makes of an id column read without dtype=str is refused, and the fix is named."""
    assert judge_id(pd.NA).reason is Refusal.MISSING
    assert judge_id(pd.NaT).reason is Refusal.MISSING
    for number in (pd.Series([123.0])[0], pd.Series([123])[0], 123):
        with pytest.raises(IdentifierError, match="dtype=str"):
            clean_customer_id(number)


def test_messages_do_not_repeat_the_id():
    """The sentence names the sign and its place, so that no customer's id ends in a log."""
    with pytest.raises(IdentifierError) as caught:
        clean_customer_id("jane.doe@example.com/cards")
    assert "jane" not in str(caught.value)
    assert "'/' at position 21" in str(caught.value)


@settings(deadline=None)
@given(st.text(max_size=300))
def test_whatever_passes_is_one_safe_path_segment(text):
    """Any text is refused, or becomes one segment that decodes to exactly the trimmed text."""
    judged = judge_id(text)
    if isinstance(judged, RefusedId):
        assert judged.explanation
        return
    segment = quote_id(judged)
    assert judged in text
    assert segment.isascii()
    assert not set(segment) & set("/\\?# ")
    assert segment not in {"", ".", ".."}
    assert unquote(segment) == judged
    assert judge_id(judged) == judged


@settings(deadline=None)
@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_quoting_leaves_only_unreserved_characters(text):
    """Whatever is quoted, only unreserved characters and percent escapes remain."""
    if text in {".", ".."}:
        return
    segment = quote_id(text)
    rest = segment.replace("%", "")
    assert all(sign.isalnum() or sign in "-._~" for sign in rest)
    assert unquote(segment) == text


@pytest.mark.parametrize("unsafe", ["", ".", "..", "\ud800"])
def test_quoting_refuses_what_no_encoding_makes_safe(unsafe):
    """Dot segments survive percent-encoding, so quoting refuses them by itself as well."""
    with pytest.raises(IdentifierError):
        quote_id(unsafe)


def test_the_module_is_cheap_to_import():
    """Checking an id needs neither pandas nor any other third-party package."""
    code = (
        "import sys, tokenvault_data.identifiers;"
        "print([m for m in ('numpy', 'pandas', 'pyarrow', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
