"""Credentials go to two known hosts, or stay on this machine."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.config.credentials import check_base_url, environment_of
from tokenvault_data.errors import ProfileError


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("https://sandbox.cashfree.com/pg", "sandbox"),
        ("https://api.cashfree.com/pg", "production"),
        ("http://127.0.0.1:8787/pg", "emulator"),
        ("http://127.1.2.3", "emulator"),
        ("https://localhost:8443/a/b", "emulator"),
        ("http://[::1]:1/pg", "emulator"),
        ("http://localhost:65535", "emulator"),
    ],
)
def test_allowed_addresses_pass(url, environment):
    """The two hosts and every loopback address pass, and a slash at the end does not matter."""
    assert check_base_url(url) == url
    assert check_base_url(url + "/") == url
    assert environment_of(url) == environment


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://api.cashfree.com",
        "https://api.cashfree.com/pg/orders",
        "https://api.cashfree.com/pg//",
        "https://api.cashfree.com:443/pg",
        "http://api.cashfree.com/pg",
        "http://sandbox.cashfree.com/pg",
        "https://api.cashfree.com./pg",
        "https://API.cashfree.com/pg",
        "https://api.cashfree.com.evil.example/pg",
        "https://evil.example/https://api.cashfree.com/pg",
        "https://api.cashfree.com@evil.example/pg",
        "https://user:pw@api.cashfree.com/pg",
        "https://api.cashfree.com/pg?x=1",
        "https://api.cashfree.com/pg#x",
        "https://api.cashfree.com/pg\n",
        " https://api.cashfree.com/pg",
        "https://api.cashfree.com/pg\t",
        "https://\u0430pi.cashfree.com/pg",  # a Cyrillic a
        "https://api.c\u00e0shfree.com/pg",
        "https://xn--pi-7kc.cashfree.com/pg",
        "https://api\u3002cashfree.com/pg",
        "https://api.cashfree.com\\@evil.example/pg",
        "ftp://127.0.0.1/pg",
        "file:///etc/passwd",
        "127.0.0.1:8787",
        "http://127.0.0.1@evil.example/",
        "http://evil.example#@127.0.0.1/",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://localhost./",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.01/",
        "http://127.0.0.256/",
        "http://127.256.0.1/",
        "http://127.0.08.1/",
        "http://127.0.0.1./",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://0.0.0.0:8787/",
        "http://10.0.0.1/",
        "http://192.168.0.1/",
        "http://169.254.169.254/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:/",
        "http://127.0.0.1:\u0661/",
        "http://127.0.0.1/a/../b",
        "http://127.0.0.1/..",
        "http://127.0.0.1/%2e%2e/b",
        "http://127.0.0.1/pg?x=1",
        "http://127.0.0.1/pg#x",
    ],
)
def test_every_other_address_is_refused(url):
    """Look-alikes, odd spellings, user names, queries and other hosts are refused, with the fix."""
    with pytest.raises(ProfileError, match=r"sandbox\.cashfree\.com"):
        check_base_url(url)


def test_a_password_in_an_address_is_not_repeated():
    """An address with a user name may hold a password, so the message leaves it out."""
    with pytest.raises(ProfileError) as caught:
        check_base_url("https://me:hunter2@api.cashfree.com/pg")
    assert "hunter2" not in str(caught.value)


@settings(deadline=None)
@given(st.text(alphabet="htps:/@.127061cashfreeocl[]?#%\\ \n", max_size=40))
def test_what_passes_leads_to_an_allowed_host(url):
    """Whatever is put together from the pieces of an address, only allowed hosts come through."""
    from urllib.parse import urlsplit

    try:
        checked = check_base_url(url)
    except ProfileError:
        return
    host = urlsplit(checked).hostname
    assert host in {"sandbox.cashfree.com", "api.cashfree.com", "localhost", "::1"} or (
        host.startswith("127.")
    )
