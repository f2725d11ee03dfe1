"""Profiles come from a file, variables or a prompt, and contradictions are errors."""

import copy
import os
import pickle
import sys
import tomllib

import pexpect
import pytest

from tokenvault_data.config.credentials import MerchantCredentials, PartnerCredentials
from tokenvault_data.config.loading import (
    DEFAULT_API_VERSION,
    DOCUMENTED_API_VERSIONS,
    Profile,
    check_api_version,
    emulator_profile,
    list_profiles,
    load_profile,
    save_profile,
)
from tokenvault_data.errors import ProfileError
from tokenvault_data.redaction import Secret

SANDBOX = "https://sandbox.cashfree.com/pg"
PRODUCTION = "https://api.cashfree.com/pg"
ACCOUNT = 'client_id = "a"\nclient_secret = "b"'
EMULATOR = "http://127.0.0.1:8787/pg"
LIVE = {
    "CASHFREE_ENVIRONMENT": "production",
    "CASHFREE_CLIENT_ID": "1234abcd5678",
    "CASHFREE_CLIENT_SECRET": "live-s3cret",
}


@pytest.fixture
def load(tmp_path, monkeypatch):
    """load_profile with nothing but what the test gives it, and no terminal."""
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: PTH123, SIM115  closed with the test

    def load(name=None, environ=None, **kwargs):
        return load_profile(name, environ=environ or {}, config_dir=tmp_path, **kwargs)

    yield load
    sys.stdin.close()


@pytest.fixture
def write(tmp_path):
    """Writes a private profile file."""

    def write(text, mode=0o600):
        path = tmp_path / "profiles.toml"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def merchant(profile):
    return (
        profile.credentials.client_id.reveal(),
        profile.credentials.client_secret.reveal(),
    )


def test_with_nothing_said_it_is_the_emulator(load):
    """Without name, file and variables, the profile is the emulator with made-up credentials."""
    profile = load()
    assert (profile.name, profile.environment) == ("emulator", "emulator")
    assert profile.base_url == EMULATOR
    assert profile.api_version == DEFAULT_API_VERSION
    assert all(merchant(profile))
    assert load("emulator") == profile == emulator_profile()


def test_another_port_of_the_emulator_is_a_variable(load):
    """TOKENVAULT_BASE_URL leads to an emulator elsewhere on this machine."""
    profile = load(environ={"TOKENVAULT_BASE_URL": "http://localhost:9/pg/"})
    assert profile.base_url == "http://localhost:9/pg"
    assert profile.environment == "emulator"
    assert load("emulator", {"TOKENVAULT_BASE_URL": "http://localhost:9/pg"}) == profile


def test_the_emulator_gets_credentials_that_are_meant_for_it(load):
    """Variables that speak of the emulator may hold the credentials it demands."""
    environ = {
        "TOKENVAULT_BASE_URL": "http://localhost:9",
        "CASHFREE_CLIENT_ID": "demanded",
        "CASHFREE_CLIENT_SECRET": "demanded-too",
    }
    assert merchant(load(environ=environ)) == ("demanded", "demanded-too")
    assert merchant(load("emulator", environ)) == ("demanded", "demanded-too")


def test_the_emulator_never_gets_live_credentials(load):
    """Asked for by name in a shell set up for production, the emulator gets made-up ones."""
    assert load("emulator", LIVE) == emulator_profile()
    undirected = {name: value for name, value in LIVE.items() if name != "CASHFREE_ENVIRONMENT"}
    assert load("emulator", undirected) == emulator_profile()


@pytest.mark.parametrize(
    ("environment", "base_url"), [("sandbox", SANDBOX), ("production", PRODUCTION)]
)
def test_variables_make_a_profile(load, environment, base_url):
    """Environment and credentials from variables lead to the host of that environment."""
    environ = LIVE | {"CASHFREE_ENVIRONMENT": environment.upper()}
    profile = load(environ=environ | {"CASHFREE_API_VERSION": "2025-01-01"})
    assert (profile.environment, profile.base_url) == (environment, base_url)
    assert profile.api_version == "2025-01-01"
    assert merchant(profile) == ("1234abcd5678", "live-s3cret")
    assert load(environment, environ).base_url == base_url
    assert load(environment, {**environ, "TOKENVAULT_BASE_URL": base_url}).base_url == base_url


def test_aliases_are_accepted(load):
    """The older names of the two variables work, also beside the same value under the new name."""
    environ = {
        "CASHFREE_ENVIRONMENT": "sandbox",
        "CASHFREE_APP_ID": "id-of-app",
        "CASHFREE_SECRET_KEY": "s3cret",
        "CASHFREE_CLIENT_ID": "id-of-app",
        "CASHFREE_CLIENT_SECRET": "",
    }
    assert merchant(load(environ=environ)) == ("id-of-app", "s3cret")


def test_partners_and_signatures_come_from_variables(load):
    """A partner's key and merchant, and a client signature, are taken as well."""
    profile = load(
        "sandbox",
        {
            "CASHFREE_PARTNER_API_KEY": "partner-key",
            "CASHFREE_PARTNER_MERCHANT_ID": "merchant-1",
            "CASHFREE_CLIENT_SIGNATURE": "c2ln",
        },
    )
    assert profile.credentials == PartnerCredentials(
        Secret("partner-key"), Secret("merchant-1"), Secret("c2ln")
    )


@pytest.mark.parametrize(
    ("name", "environ", "message"),
    [
        (None, {"CASHFREE_CLIENT_ID": "a", "CASHFREE_CLIENT_SECRET": "b"}, "CASHFREE_ENVIRONMENT"),
        (None, LIVE | {"CASHFREE_APP_ID": "other"}, "CASHFREE_APP_ID mean the same"),
        (None, LIVE | {"CASHFREE_SECRET_KEY": "other"}, "CASHFREE_SECRET_KEY mean the same"),
        (None, LIVE | {"TOKENVAULT_BASE_URL": EMULATOR}, "unset one"),
        (None, LIVE | {"TOKENVAULT_BASE_URL": SANDBOX}, "unset one"),
        ("production", {"TOKENVAULT_BASE_URL": EMULATOR}, "speak of emulator"),
        ("sandbox", {"TOKENVAULT_BASE_URL": EMULATOR}, "speak of emulator"),
        ("sandbox", LIVE, "speak of production"),
        ("emulator", {"TOKENVAULT_BASE_URL": PRODUCTION}, "speak of production"),
        (None, LIVE | {"TOKENVAULT_BASE_URL": "https://evil.example/pg"}, "evil.example"),
        (None, {"TOKENVAULT_BASE_URL": "http://192.168.0.1/"}, "192.168.0.1"),
        (None, LIVE | {"CASHFREE_ENVIRONMENT": "live"}, "emulator, sandbox, production"),
        (None, LIVE | {"CASHFREE_API_VERSION": "v3"}, "YYYY-MM-DD"),
        (None, LIVE | {"CASHFREE_PARTNER_API_KEY": "k"}, "partner's"),
        (None, LIVE | {"CASHFREE_CLIENT_SECRET": "abc\r\nx-evil: 1"}, "line break"),
        ("sandbox", {}, "CASHFREE_CLIENT_ID"),
        ("sandbox", {"CASHFREE_CLIENT_ID": "a"}, "CASHFREE_CLIENT_SECRET"),
        ("sandbox", {"CASHFREE_PARTNER_API_KEY": "a"}, "CASHFREE_PARTNER_MERCHANT_ID"),
        ("unheard-of", {}, "no profile 'unheard-of'"),
        ("../evil", {}, "name"),
        ("", {}, "name"),
    ],
)
def test_contradictions_and_gaps_are_errors(load, name, environ, message):
    """What cannot be true at once, or is missing, is one sentence with the fix and no secret."""
    with pytest.raises(ProfileError, match=message) as caught:
        load(name, environ)
    text = str(caught.value)
    assert text.endswith(".")
    assert "s3cret" not in text
    assert "x-evil" not in text


def test_missing_credentials_are_asked_for(load):
    """A prompt is asked for exactly what the variables do not hold."""
    asked = []

    def prompt(question):
        asked.append(question)
        return " typed-secret "

    profile = load("sandbox", {"CASHFREE_CLIENT_ID": "known"}, prompt=prompt)
    assert merchant(profile) == ("known", "typed-secret")
    assert asked == ["Client secret for sandbox: "]
    for answer in ("", EOFError()):
        with pytest.raises(ProfileError, match="No client id"):
            load("sandbox", prompt=_answering(answer))


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_on_a_terminal_the_question_is_asked_without_echo(tmp_path):
    """On a terminal missing credentials are asked for, and what is typed does not show."""
    code = (
        "from tokenvault_data.config.loading import load_profile;"
        "profile = load_profile('sandbox', environ={'CASHFREE_CLIENT_ID': 'known'});"
        "print('length', len(profile.credentials.client_secret.reveal()))"
    )
    child = pexpect.spawn(
        sys.executable,
        ["-c", code],
        timeout=30,
        encoding="utf-8",
        env={**os.environ, "TOKENVAULT_CONFIG": str(tmp_path)},
    )
    child.expect_exact("Client secret for sandbox: ")
    child.waitnoecho()
    child.sendline("typed-s3cret")
    child.expect_exact("length 12")
    assert "typed" not in child.before
    child.close()


def _answering(answer):
    def prompt(_question):
        if isinstance(answer, Exception):
            raise answer
        return answer

    return prompt


def test_a_named_profile_comes_from_the_file(load, write):
    """A table of the file is used whole; variables for another environment do not matter."""
    write("""
        # kept by hand
        [shop]
        environment = "sandbox"
        client_id = "TESTshop"
        client_secret = "from-file"
        client_signature = "c2ln"
        api_version = "2022-09-01"

        [agency]
        environment = "production"
        partner_api_key = "partner-key"
        partner_merchant_id = "merchant-1"

        [elsewhere]
        environment = "emulator"
        base_url = "http://127.0.0.1:9/pg"
    """)
    shop = load("shop", LIVE)
    assert shop == Profile(
        "shop",
        "sandbox",
        SANDBOX,
        MerchantCredentials(Secret("TESTshop"), Secret("from-file"), Secret("c2ln")),
        "2022-09-01",
    )
    agency = load("agency")
    assert agency.base_url == PRODUCTION
    assert agency.credentials == PartnerCredentials(Secret("partner-key"), Secret("merchant-1"))
    elsewhere = load("elsewhere")
    assert elsewhere.base_url == "http://127.0.0.1:9/pg"
    assert elsewhere.credentials == emulator_profile().credentials


def test_a_table_without_credentials_takes_those_of_its_environment(load, write):
    """Variables complete a table of the same environment, and never one of another."""
    write('[shop]\nenvironment = "production"\n')
    assert merchant(load("shop", LIVE)) == ("1234abcd5678", "live-s3cret")
    with pytest.raises(ProfileError, match="speak of sandbox"):
        load("shop", LIVE | {"CASHFREE_ENVIRONMENT": "sandbox"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[shop]\nenvironment = "live"', "environment"),
        ('[shop]\nclient_id = "a"\nclient_secret = "b"', "environment"),
        ('[shop]\nenvironment = "sandbox"\nclient_id = "a"', "needs client_id and client_secret"),
        ('[shop]\nenvironment = "sandbox"\nclient_signature = "a"', "no credentials"),
        (
            '[shop]\nenvironment = "sandbox"\nclient_secret = "b"\npartner_api_key = "c"',
            "needs client_id and client_secret",
        ),
        (
            f'[shop]\nenvironment = "production"\nbase_url = "{SANDBOX}"\n{ACCOUNT}',
            "sandbox",
        ),
        (
            f'[shop]\nenvironment = "sandbox"\nbase_url = "https://evil.example/pg"\n{ACCOUNT}',
            "evil.example",
        ),
        ('[shop]\nenvironment = "sandbox"\nsecret_key = "x"', "secret_key"),
        ('[shop]\nenvironment = "sandbox"\napi_version = 2023-08-01', "api_version"),
        ('[shop]\nenvironment = "s3cret', "TOML"),
        ('environment = "sandbox"', "table"),
        ('["my shop"]\nenvironment = "sandbox"', "top-level entry"),
    ],
)
def test_a_wrong_file_is_an_error(load, write, text, message):
    """A file that cannot be understood is named, with the place and without its values."""
    write(text)
    with pytest.raises(ProfileError, match=message) as caught:
        load("shop")
    assert "s3cret" not in str(caught.value)


def test_a_name_of_an_environment_stands_for_it(load, write):
    """A table called sandbox cannot lead to production."""
    write('[sandbox]\nenvironment = "production"\nclient_id = "a"\nclient_secret = "b"\n')
    with pytest.raises(ProfileError, match="rename"):
        load("sandbox")


def test_a_file_profile_does_not_follow_a_base_url_elsewhere(load, write):
    """TOKENVAULT_BASE_URL cannot lead a production profile's credentials to another place."""
    write(
        '[shop]\nenvironment = "production"\nclient_id = "a"\nclient_secret = "b"\n'
        '[local]\nenvironment = "emulator"\n[fixed]\nenvironment = "emulator"\n'
        f'base_url = "{EMULATOR}"\n'
    )
    elsewhere = {"TOKENVAULT_BASE_URL": "http://127.0.0.1:9"}
    with pytest.raises(ProfileError, match="speak of emulator"):
        load("shop", elsewhere)
    assert load("local", elsewhere).base_url == "http://127.0.0.1:9"
    with pytest.raises(ProfileError, match="different addresses"):
        load("fixed", elsewhere)


@pytest.mark.skipif(os.name != "posix", reason="rights of files are a POSIX matter")
def test_a_file_that_others_can_read_is_refused(load, write):
    """Credentials that others can read are not used, and the message gives the command."""
    write('[shop]\nenvironment = "sandbox"\nclient_id = "a"\nclient_secret = "b"\n', mode=0o644)
    with pytest.raises(ProfileError, match="chmod 600"):
        load("shop")


def test_no_way_of_printing_a_profile_shows_a_secret(load):
    """Neither repr, str, format nor a failed pickle of a profile holds a credential."""
    profile = load(environ=LIVE)
    shown = f"{profile!r} {profile} {copy.deepcopy(profile)}"
    with pytest.raises(TypeError, match="not pickled") as caught:
        pickle.dumps(profile)
    shown += str(caught.value)
    assert "s3cret" not in shown
    assert "1234abcd5678" not in shown
    assert "production" in shown
    assert profile.masked_account == "1234…5678"
    assert profile.merchant_digest == load(environ=LIVE).merchant_digest
    assert profile.merchant_digest not in {load().merchant_digest, "1234abcd5678"}


@pytest.mark.parametrize("version", [*DOCUMENTED_API_VERSIONS, "2031-12-31"])
def test_dates_are_api_versions(version):
    """Documented versions and dates to come are sent as they are."""
    assert check_api_version(version) == version


@pytest.mark.parametrize(
    "version", ["", "2023-8-1", "2023-02-30", "20230801", "2023-08-01\n", "2023-W31-2", "latest"]
)
def test_other_api_versions_are_refused(version):
    """What is no calendar date in the documented form is refused."""
    with pytest.raises(ProfileError, match="YYYY-MM-DD"):
        check_api_version(version)


def test_a_saved_profile_loads_equal(load, tmp_path):
    """Saving and loading gives the same profile, of either kind of credentials."""
    shop = Profile(
        "shop",
        "production",
        PRODUCTION,
        MerchantCredentials(Secret('q"uo\\te'), Secret("'''#s3cret"), Secret("c2ln==")),
        "2026-01-01",
    )
    agency = Profile(
        "agency", "sandbox", SANDBOX, PartnerCredentials(Secret("key"), Secret("merchant"))
    )
    local = emulator_profile("http://localhost:9/pg")
    for profile in (shop, agency, local):
        path = save_profile(profile, config_dir=tmp_path)
        assert load(profile.name) == profile
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    assert list_profiles(environ={}, config_dir=tmp_path) == {
        "shop": "production",
        "agency": "sandbox",
        "emulator": "emulator",
    }


def test_saving_replaces_only_when_asked_and_keeps_the_rest(load, tmp_path, write):
    """An existing profile stays unless asked; comments and other profiles stay in any case."""
    before = (
        '# by hand\n[other]\nenvironment = "sandbox"  # keep\n\n'
        '[ "shop" ] # old\nenvironment = "sandbox"\n\n[last]\nenvironment = "production"'
    )
    path = write(before)
    shop = Profile(
        "shop", "production", PRODUCTION, MerchantCredentials(Secret("id"), Secret("s3cret"))
    )
    with pytest.raises(ProfileError, match="already holds"):
        save_profile(shop, config_dir=tmp_path)
    assert path.read_text() == before
    save_profile(shop, config_dir=tmp_path, replace=True)
    after = path.read_text()
    assert "# by hand" in after
    assert "# keep" in after
    assert list(tomllib.loads(after)) == ["other", "last", "shop"]
    assert load("shop") == shop


def test_a_file_that_cannot_be_edited_safely_is_left_alone(tmp_path, write):
    """Where TOML is written in a way that line-wise editing would break, nothing is changed."""
    before = 'shop.environment = "sandbox"\n'
    path = write(before)
    profile = Profile(
        "shop", "sandbox", SANDBOX, MerchantCredentials(Secret("id"), Secret("s3cret"))
    )
    with pytest.raises(ProfileError, match="Nothing was changed"):
        save_profile(profile, config_dir=tmp_path, replace=True)
    assert path.read_text() == before


class MemoryKeyring:
    """A keyring backend that lives as long as a test."""

    def __init__(self):
        self.kept = {}

    def install(self, keyring, monkeypatch):
        kept = self.kept

        class Backend(keyring.backend.KeyringBackend):
            priority = 1

            def get_password(self, service, username):
                return kept.get((service, username))

            def set_password(self, service, username, password):
                kept[service, username] = password

            def delete_password(self, service, username):
                del kept[service, username]

        before = keyring.get_keyring()
        keyring.set_keyring(Backend())
        return lambda: keyring.set_keyring(before)


@pytest.fixture
def kept(monkeypatch):
    """What an installed keyring holds."""
    keyring = pytest.importorskip("keyring")
    memory = MemoryKeyring()
    undo = memory.install(keyring, monkeypatch)
    yield memory.kept
    undo()


def test_secrets_can_be_left_to_the_keyring(load, tmp_path, kept):
    """With the keyring, the file holds no secret and the profile loads equal."""
    shop = Profile(
        "shop", "sandbox", SANDBOX, MerchantCredentials(Secret("TESTid"), Secret("s3cret"))
    )
    path = save_profile(shop, config_dir=tmp_path, keyring=True)
    assert "s3cret" not in path.read_text()
    assert kept == {("tokenvault-data", "shop:client_secret"): "s3cret"}
    assert load("shop") == shop


def test_a_secret_missing_in_the_keyring_is_an_error_with_the_command(load, kept, write):
    """When the keyring does not have it, the message says how to put it there."""
    assert not kept
    write('[shop]\nenvironment = "sandbox"\nclient_id = "a"\nclient_secret = "keyring"\n')
    with pytest.raises(ProfileError, match="keyring set tokenvault-data shop:client_secret"):
        load("shop")


def test_without_the_keyring_package_the_message_says_what_to_install(load, monkeypatch, write):
    """The keyring is optional; a profile that needs it names the extra to install."""
    write('[shop]\nenvironment = "sandbox"\nclient_id = "a"\nclient_secret = "keyring"\n')
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ProfileError, match=r"tokenvault-data\[keyring\]"):
        load("shop")
