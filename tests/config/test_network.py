"""The proxy and the authorities on the way to a vault: who says them, and what is shown of them."""

from pathlib import Path

import pytest

from tokenvault_data.config.network import Network, connection_notes, network_of
from tokenvault_data.errors import ProfileError
from tokenvault_data.redaction import Secret

PROXY = "http://ann:se%40same@proxy.example:3128"


def test_variables_come_before_the_profile():
    """The nearer one holds, and `none` switches a proxy of the profile off."""
    table = {"proxy": PROXY, "ca_file": "/etc/company.pem"}
    assert network_of(table, {}).proxy_place == "http://proxy.example:3128"
    environ = {"TOKENVAULT_PROXY": "http://[::1]:8080/", "TOKENVAULT_CA_FILE": "~/own.pem"}
    nearer = network_of(table, environ)
    assert nearer.proxy_place == "http://[::1]:8080"
    assert nearer.ca_file == Path("~/own.pem").expanduser()
    assert network_of(table, {"TOKENVAULT_PROXY": "None"}).proxy is None
    assert network_of(table, {"TOKENVAULT_PROXY": ""}).proxy_place == "http://proxy.example:3128"
    assert network_of({}, {"HTTPS_PROXY": PROXY}) == Network()


@pytest.mark.parametrize(
    "address",
    [
        *("proxy.example:3128", "http://proxy.example", "socks5://h:1", "ftp://h:1", "http://:1"),
        *("http://a b:1", "http://h:1/path", "", "http://u:p/w@h:1"),
        *("https://h:1", "http://h:99999", "http://h:0", "http://[1:::2]:8080"),
    ],
)
def test_what_is_no_proxy_is_refused_and_not_shown(address):
    """One sentence that says the form and repeats nothing, for it may hold a password."""
    with pytest.raises(ProfileError, match="http://host:port") as caught:
        Network(Secret(address))
    assert not address or address not in str(caught.value)


def test_nothing_of_a_network_shows_the_password():
    """Neither its repr, nor the place of the proxy, nor the notes."""
    network = Network(Secret(PROXY))
    for text in (repr(network), network.proxy_place, *connection_notes(network, {})):
        assert "same" not in text
        assert "ann" not in text


def test_variables_of_other_tools_are_named_where_they_are_not_followed():
    """Each with the option and the variable to use in its place; silence where ours are set."""
    environ = {"https_proxy": PROXY, "REQUESTS_CA_BUNDLE": "/etc/company.pem"}
    first, second = connection_notes(Network(), environ)
    assert first.startswith("https_proxy is set but not used")
    assert "--proxy" in first
    assert "TOKENVAULT_PROXY" in first
    assert second.startswith("REQUESTS_CA_BUNDLE is set but not used")
    assert "TOKENVAULT_CA_FILE" in second
    ours = Network(Secret(PROXY), Path("/etc/company.pem"))
    assert connection_notes(ours, environ) == (
        "Requests go through the proxy http://proxy.example:3128.",
    )
    assert connection_notes(Network(), {"HTTP_PROXY": PROXY, "HTTPS_PROXY": ""}) == ()


def test_a_proxy_is_given_as_text():
    """Anything else is one sentence."""
    with pytest.raises(ProfileError, match="as text"):
        Network().replace(proxy=Path("http://h:1"))
