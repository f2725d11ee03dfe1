"""`tokenvault doctor`."""

from cli_bench import documented_fields

CHECKS = [
    *("python", "versions", "engine", "masked ids", "disk", "profile", "network"),
    *("host", "access", "clock", "rate limit"),
]


def states(document):
    return {finding["check"]: finding["state"] for finding in document["findings"]}


def test_all_is_well(shell, emulator):
    """Every part is looked at, with one request, and credentials are masked."""
    secrets = {
        "CASHFREE_ENVIRONMENT": "emulator",
        "CASHFREE_CLIENT_ID": "client-id-of-mine",
        "CASHFREE_CLIENT_SECRET": "secret-of-mine",
    }
    ended = shell.run("doctor", "--json", environ=secrets)
    assert ended.code == 0
    document = ended.document
    assert list(document) == documented_fields("tokenvault doctor")[0]
    assert document["ready"]
    assert list(states(document)) == CHECKS
    assert set(states(document).values()) == {"ok"}
    assert len(emulator.wire_log) == 1
    for hidden in ("client-id-of-mine", "secret-of-mine"):
        assert hidden not in ended.out + ended.err


def test_nobody_there(alone):
    """A vault that does not answer is a problem: code 1, and how to start an emulator."""
    ended = alone.run("doctor")
    assert (ended.code, ended.err) == (1, "")
    lines = ended.out.splitlines()
    assert lines[-1] == "Not ready to collect: 1 problem."
    (problem,) = (line for line in lines if line.startswith("PROBLEM"))
    assert "host" in problem
    assert "tokenvault emulator" in problem


def test_refused_credentials(shell, emulator):
    """Credentials that the vault refuses are a problem of access, not of the host."""
    emulator.set_credentials("known", "other")
    try:
        ended = shell.run("doctor", "--json")
    finally:
        emulator.set_credentials(None, None)
    assert ended.code == 1
    found = states(ended.document)
    assert (found["host"], found["access"]) == ("ok", "problem")


def test_an_unknown_profile_and_a_bad_store(alone):
    """Several problems are all reported in one go."""
    (alone.folder / "file").write_text("")
    ended = alone.run("doctor", "--json", "--profile", "nobody", "--store", "file/vault")
    assert ended.code == 1
    found = states(ended.document)
    assert found["profile"] == "problem"
    assert found["disk"] == "problem"


def test_no_place_for_the_key_of_masked_ids(shell):
    """What makes exports refuse to mask is said before anybody exports."""
    (shell.folder / "config").write_text("a file where the folder should be")
    ended = shell.run("doctor")
    assert ended.code == 0
    (line,) = (line for line in ended.out.splitlines() if "masked ids" in line)
    assert line.startswith("WARNING")
    assert "TOKENVAULT_CONFIG" in line
