"""Keys of those who approve: made once, kept private, and read by their owner alone."""

import json
import os
import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey

from tokenvault_data.cleanup.approval.keys import (
    decoded,
    encoded,
    fingerprint_of,
    keygen,
    load_signing_key,
    signature_holds,
)
from tokenvault_data.errors import UsageError


def test_a_key_pair(tmp_path):
    """The private file is its owner's alone, the public one a line of name, key and fingerprint."""
    files = keygen(" Bala  Rao ", directory=tmp_path)
    assert (files.name, files.private.name) == ("Bala Rao", "Bala Rao.key")
    assert files.private.parent == files.public.parent == tmp_path / "keys"
    if os.name == "posix":
        assert stat.S_IMODE(files.private.stat().st_mode) == 0o600
    public = files.public.read_text()
    assert public.count("\n") == 1
    content = json.loads(public)
    assert content["name"] == "Bala Rao"
    assert content["fingerprint"] == files.fingerprint
    assert fingerprint_of(decoded(content["key"])) == files.fingerprint
    key = load_signing_key("Bala Rao", directory=tmp_path)
    assert (key.name, key.fingerprint) == ("Bala Rao", files.fingerprint)
    signature = key.private.sign(b"message")
    assert signature_holds(key.public_bytes, signature, b"message")
    assert not signature_holds(key.public_bytes, signature, b"massage")
    assert not signature_holds(b"\0" * 31, signature, b"message")


def test_no_two_keys_are_alike(tmp_path):
    """Each key is drawn anew."""
    one = keygen("one", directory=tmp_path)
    assert one.fingerprint != keygen("two", directory=tmp_path).fingerprint


def test_a_key_is_never_written_over(tmp_path):
    """A second key of the same name is refused, and the first goes on to work."""
    first = keygen("bala", directory=tmp_path)
    with pytest.raises(UsageError, match="already"):
        keygen("bala", directory=tmp_path)
    assert load_signing_key("bala", directory=tmp_path).fingerprint == first.fingerprint
    assert first.fingerprint in first.public.read_text()


def test_a_passphrase_is_asked_for(tmp_path):
    """An encrypted key opens with its passphrase and with no other."""
    files = keygen("bala", passphrase=b"correct horse", directory=tmp_path)
    key = load_signing_key("bala", passphrase=b"correct horse", directory=tmp_path)
    assert key.fingerprint == files.fingerprint
    with pytest.raises(UsageError, match="needs its passphrase"):
        load_signing_key("bala", directory=tmp_path)
    with pytest.raises(UsageError, match="not opened"):
        load_signing_key("bala", passphrase=b"wrong", directory=tmp_path)
    with pytest.raises(UsageError, match="empty"):
        keygen("other", passphrase=b"", directory=tmp_path)
    assert b"ENCRYPTED" in files.private.read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no mode bits")
def test_a_key_that_others_can_read_is_refused(tmp_path):
    """A key that was open to others may have signed for somebody else."""
    files = keygen("bala", directory=tmp_path)
    files.private.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        load_signing_key("bala", directory=tmp_path)


def test_what_is_no_key_is_refused(tmp_path):
    """A missing or damaged key, and one of another kind, are said."""
    with pytest.raises(UsageError, match="no key"):
        load_signing_key("nobody", directory=tmp_path)
    files = keygen("bala", directory=tmp_path)
    files.private.write_bytes(files.private.read_bytes()[:60])
    with pytest.raises(UsageError, match="damaged"):
        load_signing_key("bala", directory=tmp_path)
    other = Ed448PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    files.private.write_bytes(other)
    with pytest.raises(UsageError, match="another kind"):
        load_signing_key("bala", directory=tmp_path)


@pytest.mark.parametrize(
    "name", ["", " ", "..", "../x", "a/b", "a\\b", ".hidden", "a\nb\0", "x" * 65, "a:b", None]
)
def test_a_name_cannot_lead_elsewhere(tmp_path, name):
    """A name becomes the name of a file, and nothing but that."""
    with pytest.raises(UsageError, match="name"):
        keygen(name, directory=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_key_shows_nothing_of_itself(tmp_path):
    """The display of a key in use names its owner only."""
    keygen("bala", directory=tmp_path)
    key = load_signing_key("bala", directory=tmp_path)
    assert repr(key) == "SigningKey(name='bala')"


def test_a_folder_that_cannot_be_is_said(tmp_path):
    """A file in the place of the folder is an error, not a traceback."""
    (tmp_path / "keys").write_text("x")
    with pytest.raises(UsageError, match="cannot be written"):
        keygen("bala", directory=tmp_path)


@pytest.mark.parametrize("text", ["YQ", "YR==", "YQ==\n", "ä", "!!!!"])
def test_base64_has_one_spelling(text):
    """Text that gives the same bytes by another spelling is not taken."""
    assert decoded(encoded(b"a")) == b"a"
    with pytest.raises(ValueError, match=r".+"):
        decoded(text)
