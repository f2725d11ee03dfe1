"""What must not be seen is not shown."""

import copy
import json
import os
import pickle
import pprint
import re
import shutil
import subprocess
import sys
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data import redaction
from tokenvault_data.errors import UsageError
from tokenvault_data.redaction import (
    Secret,
    customer_hash,
    customer_hash_key_status,
    keyed_hash,
    mask_credential,
    mask_id,
    scrub,
)

HIDDEN = 'cfsk_"ma"_test/+0123456789'


@pytest.fixture
def config(tmp_path, monkeypatch):
    """An own configuration directory, and no key remembered from before or after."""
    monkeypatch.setenv("TOKENVAULT_CONFIG", str(tmp_path / "config"))
    redaction._kept_key.cache_clear()
    yield tmp_path / "config"
    redaction._kept_key.cache_clear()


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        "{}".format,
        "{0!r:>40} {0!s}".format,
        lambda secret: f"{secret:>30}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031  the logging module's way
        pprint.pformat,
        lambda secret: repr({"headers": [secret]}),
        lambda secret: json.dumps({"secret": secret}, default=str),
        lambda secret: repr([getattr(secret, name) for name in dir(secret) if name != "reveal"]),
    ],
)
def test_a_secret_shows_nothing(show):
    """However Python prints a secret, alone or inside something, the text is not there."""
    shown = show(Secret(HIDDEN))
    assert HIDDEN not in shown
    assert "cfsk" not in shown
    assert "Secret" in shown


def test_a_secret_gives_its_text_when_asked():
    """Only reveal() returns the text."""
    assert Secret(HIDDEN).reveal() == HIDDEN


def test_a_secret_is_not_pickled_nor_written_as_json():
    """Pickling and JSON are refused, with errors that do not hold the text either."""
    secret = Secret(HIDDEN)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not pickled") as caught:
            pickle.dumps({"key": secret}, protocol)
        assert HIDDEN not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(TypeError, match="not pickled"):
        secret.__getstate__()
    with pytest.raises(TypeError) as caught:
        json.dumps(secret)
    assert HIDDEN not in str(caught.value)


def test_copies_of_a_secret_are_the_secret():
    """Copying makes no second holder of the text."""
    secret = Secret(HIDDEN)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_secrets_compare_by_text():
    """Equal texts are equal secrets, and a secret never equals its plain text."""
    assert Secret("abcd") == Secret("abcd")
    assert hash(Secret("abcd")) == hash(Secret("abcd"))
    assert Secret("abcd") != Secret("abce")
    assert Secret("abcd") != "abcd"
    assert Secret("\udcff") == Secret("\udcff")
    assert not Secret("")


@settings(deadline=None)
@given(st.text(min_size=4))
def test_scrubbing_takes_living_secrets_out(hidden):
    """A living secret of any text is gone from what is scrubbed, in every usual spelling."""
    secret = Secret(hidden)
    for spelling in (hidden, json.dumps(hidden)[1:-1], repr(hidden)[1:-1]):
        scrubbed = scrub(f"<{spelling}>")
        assert "Secret(****)" in scrubbed
        assert spelling not in scrubbed or spelling in "<Secret(****)>"
    assert secret


def test_scrubbing_knows_the_url_spelling():
    """A secret that was percent-encoded into an address is found as well."""
    secret = Secret("a/b+c d")
    assert scrub("https://x/?key=a%2Fb%2Bc%20d") == "https://x/?key=Secret(****)"
    assert secret


def test_secrets_that_are_gone_are_forgotten():
    """The net below logs does not keep secrets alive."""
    secret = Secret("short-lived-secret")
    assert scrub("short-lived-secret") == "Secret(****)"
    del secret
    assert scrub("short-lived-secret") == "short-lived-secret"


def test_a_customer_has_one_hash_per_installation(config):
    """The hash is short, hides the id, and is the same in another process of the same user."""
    here = customer_hash("cust_0000001")
    assert re.fullmatch(r"cust#[0-9a-f]{12}", here)
    assert here != customer_hash("cust_0000002")
    code = "from tokenvault_data.redaction import *; print(customer_hash('cust_0000001'))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here
    kept, where = customer_hash_key_status()
    assert kept
    assert str(config) in where


def test_another_installation_hashes_differently(config, tmp_path, monkeypatch):
    """Without the key of the installation, hashes cannot be compared."""
    here = customer_hash("cust_0000001")
    monkeypatch.setenv("TOKENVAULT_CONFIG", str(tmp_path / "elsewhere"))
    redaction._kept_key.cache_clear()
    assert customer_hash("cust_0000001") != here


@pytest.mark.skipif(os.name != "posix", reason="rights of files are a POSIX matter")
def test_the_hash_key_is_private(config):
    """The key file can be read by its owner only, and so can its directory."""
    customer_hash("cust_1")
    key = config / "customer-hash.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert config.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in config.iterdir()] == ["customer-hash.key"]


@pytest.mark.skipif(os.name != "posix", reason="rights of files are a POSIX matter")
def test_a_key_that_others_can_read_is_not_used(config):
    """An exposed key gives way to one for this process, and the status says what to do."""
    before = customer_hash("cust_1")
    (config / "customer-hash.key").chmod(0o644)
    redaction._kept_key.cache_clear()
    assert customer_hash("cust_1") != before
    kept, why = customer_hash_key_status()
    assert not kept
    assert "chmod 600" in why


def test_hashing_works_where_nothing_can_be_written(config):
    """Without a place for the key, hashes still hide ids, for this process only."""
    config.write_text("a file where the directory should be")
    first = customer_hash("cust_1")
    assert first == customer_hash("cust_1")
    assert not customer_hash_key_status()[0]


@pytest.mark.parametrize("trouble", ["a file", "exposed", "damaged"])
def test_what_is_exported_is_masked_with_a_kept_key_or_not_at_all(config, trouble):
    """A hash that another export could not repeat is refused, until the key can be kept."""
    if trouble == "a file":
        config.write_text("a file where the directory should be")
    else:
        config.mkdir()
        key = config / "customer-hash.key"
        key.write_bytes(b"k" * (32 if trouble == "exposed" else 5))
        key.chmod(0o644 if trouble == "exposed" else 0o600)
    with pytest.raises(UsageError, match=r"No masked id was made.*TOKENVAULT_CONFIG"):
        keyed_hash("cust_1", "cust")
    if config.is_dir():
        shutil.rmtree(config)
    else:
        config.unlink()
    assert keyed_hash("cust_1", "cust") == keyed_hash("cust_1", "cust")


def test_a_damaged_key_is_not_used(config):
    """A cut-off key file is named, and not used as a weaker key."""
    config.mkdir()
    key = config / "customer-hash.key"
    key.write_bytes(b"short")
    key.chmod(0o600)
    assert customer_hash("cust_1").startswith("cust#")
    assert "damaged" in customer_hash_key_status()[1]
    assert key.read_bytes() == b"short"


@pytest.mark.parametrize(
    ("text", "masked"),
    [("cust_0000001", "cu…01"), ("12345678", "12…78"), ("abcde", "a…e"), ("abcd", "…"), ("", "…")],
)
def test_masked_ids_show_little(text, masked):
    """A mask shows at most half of a long id and nothing of a very short one."""
    assert mask_id(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [("TEST1234abcd", "TEST…abcd"), ("shortid", "s…d"), ("abc", "…")],
)
def test_masked_credentials_show_little(text, masked):
    """A masked credential tells accounts apart and cannot be used."""
    assert mask_credential(text) == masked
