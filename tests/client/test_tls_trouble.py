"""What is wrong with a certificate, as two TLS libraries say it and as we do."""

import re

import pytest

from tokenvault_data.client.tls_trouble import explained

OTHER_NAME = (
    'certificate not valid for name "a"; certificate is only valid for DnsName("b.expired.example")'
)
SAID = [
    ("invalid peer certificate: UnknownIssuer", "authority that this machine does not know"),
    ("certificate verify failed: unable to get local issuer certificate", "does not know"),
    ("certificate verify failed: self-signed certificate in certificate chain", "does not know"),
    ("certificate verify failed: self-signed certificate (_ssl.c:1006)", "self-signed"),
    ("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))", "of an authority"),
    (f"invalid peer certificate: {OTHER_NAME}", "for another host"),
    ("certificate verify failed: Hostname mismatch, certificate is not valid for 'a'", "another"),
    ("invalid peer certificate: certificate expired: verification time 5", "has expired"),
    ("certificate verify failed: certificate has expired", "has expired"),
    ("invalid peer certificate: certificate not valid yet: verification time 5", "not valid yet"),
    ("certificate verify failed: certificate is not yet valid", "not valid yet"),
    ("invalid peer certificate: Revoked", "revoked"),
    ("received corrupt message of type InvalidContentType", "does not speak TLS"),
    ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "does not speak TLS"),
    ("received fatal alert: ProtocolVersion", "share no version"),
    ("peer is incompatible: NoCipherSuitesInCommon", "share no version"),
    ("invalid peer certificate: BadEncoding", "does not pass"),
]


@pytest.mark.parametrize(("reason", "told"), SAID)
def test_each_trouble_is_said_in_true_words(reason, told):
    """What it is and what to do, without the library's own; the clock only where it may be it."""
    text = explained(reason)
    assert told in text
    assert re.search("Error|Issuer|DnsName|ssl|SSL", text) is None
    assert ("clock" in text) == ("expired" in told or "yet" in told)


def test_what_is_not_known_is_said_as_it_came():
    """A new word of a library is better than nothing."""
    assert explained("something new") == "something new"
