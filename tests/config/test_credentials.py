"""Credentials say who calls, and carry nothing into a request that is not theirs."""

import dataclasses

import pytest

from tokenvault_data.config.credentials import (
    MerchantCredentials,
    PartnerCredentials,
    check_header_value,
    masked_account,
    merchant_digest,
)
from tokenvault_data.errors import ProfileError
from tokenvault_data.redaction import Secret


def test_a_merchant_is_named_by_two_headers():
    """A merchant sends client id and secret, and the signature only where there is one."""
    plain = MerchantCredentials(Secret("TEST1234abcd"), Secret("s3cret"))
    assert {name: value.reveal() for name, value in plain.headers().items()} == {
        "x-client-id": "TEST1234abcd",
        "x-client-secret": "s3cret",
    }
    signed = dataclasses.replace(plain, client_signature=Secret("c2ln"))
    assert signed.headers()["x-client-signature"].reveal() == "c2ln"


def test_a_partner_is_named_by_key_and_merchant():
    """A partner sends its key and the merchant it acts for, and no client headers."""
    partner = PartnerCredentials(Secret("partner-key"), Secret("merchant-1"))
    assert {name: value.reveal() for name, value in partner.headers().items()} == {
        "x-partner-apikey": "partner-key",
        "x-partner-merchantid": "merchant-1",
    }


def test_printing_credentials_shows_nothing_of_them():
    """Neither kind of credentials, nor their headers, print any value."""
    for credentials in (
        MerchantCredentials(Secret("TEST1234abcd"), Secret("s3cret"), Secret("c2ln")),
        PartnerCredentials(Secret("TEST1234abcd"), Secret("s3cret"), Secret("c2ln")),
    ):
        shown = f"{credentials!r} {credentials} {credentials.headers()}"
        assert not any(text in shown for text in ("TEST1234abcd", "s3cret", "c2ln"))


@pytest.mark.parametrize(
    "unsafe",
    ["", "abc\r\nx-evil: 1", "abc\n", " abc", "a b", "a\tb", "caf\u00e9", "a\x00", "x" * 2049],
)
def test_values_that_could_break_a_header_are_refused(unsafe):
    """White space, line breaks, odd characters and endless values never reach a request."""
    with pytest.raises(ProfileError, match="client secret") as caught:
        MerchantCredentials(Secret("id"), Secret(unsafe))
    assert "evil" not in str(caught.value)
    with pytest.raises(ProfileError):
        PartnerCredentials(Secret("key"), Secret("merchant"), Secret(unsafe))


def test_a_safe_value_passes_unchanged():
    """Every visible ASCII character may stand in a credential."""
    value = "".join(map(chr, range(33, 127)))
    assert check_header_value(value, called="The client secret") == value


def test_the_digest_names_the_account_without_showing_it():
    """The digest depends on the account alone, and the mask shows only its ends."""
    one = MerchantCredentials(Secret("TEST1234abcd"), Secret("s3cret"))
    rotated = MerchantCredentials(Secret("TEST1234abcd"), Secret("new-s3cret"))
    other = MerchantCredentials(Secret("TEST1234abce"), Secret("s3cret"))
    assert merchant_digest(one) == merchant_digest(rotated) != merchant_digest(other)
    assert len(merchant_digest(one)) == 12
    assert masked_account(one) == "TEST…abcd"
