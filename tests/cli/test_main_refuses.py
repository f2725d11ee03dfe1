"""Commands that cannot be carried out as given."""

import socket

import pytest
import typer
from cli_bench import publish

from tokenvault_data.cli.main import app


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["collect"], 2, "no customers were given"),
        (["collect", "missing.csv"], 2, "missing.csv"),
        (["collect", "ids.txt", "--share", "nan"], 2, "share"),
        (["collect", "ids.txt", "--rate", "0"], 2, "rate"),
        (["collect", "ids.txt", "--concurrency", "0"], 2, "concurrency"),
        (["collect", "ids.txt", "--concurrency", "many"], 2, "--concurrency"),
        (["collect", "ids.txt", "--patience", "-1"], 2, "patience"),
        (["collect", "ids.txt", "--profile", "nobody"], 2, "nobody"),
        (["collect", "ids.txt", "--resume", "nothing"], 2, "nothing"),
        (["collect", "ids.txt", "more.txt"], 2, "more.txt"),
        (["show"], 2, "SNAPSHOT"),
        (["show", "latest"], 1, "no snapshot"),
        (["show", "latest", "--store", "ids.txt"], 2, "ids.txt"),
        (["show", "latest", "--profile", "nobody"], 2, "nobody"),
        (["snapshots", "--profile", "../x"], 2, "../x"),
        (["export", "latest"], 2, "--to"),
        (["export", "latest", "--to", "x.csv"], 1, "no snapshot"),
        (["emulator", "--faults", "503:2"], 2, "probability"),
        (["emulator", "--faults", "nonsense"], 2, "nonsense"),
        (["emulator", "--port", "65536"], 2, "--port"),
        (["emulator", "--latency", "nan"], 2, "--latency"),
        (["emulator", "--customers", "-1"], 2, "customers"),
        (["emulator", "--page-size", "0"], 2, "page_size"),
        (["emulator", "--window", "broken"], 2, "--window"),
        (["emulator", "--profile", "production"], 2, "production"),
        (["emulator", "--port", "0", "--record", "no/such/folder.jsonl"], 1, "folder.jsonl"),
        (["demo", "--profile", "sandbox"], 2, "sandbox"),
        (["breakdown", "latest"], 1, "no snapshot"),
        (["breakdown"], 2, "SNAPSHOT"),
        (["changes", "latest"], 2, "NEW"),
        (["quality", "latest", "--check", "coverage"], 2, "--to"),
        (["identity", "latest", "--threshold", "1"], 2, "--threshold"),
        (["report", "latest"], 2, "--to"),
        (["report", "latest", "--to", "r.html", "--smallest-cell", "0"], 2, "--smallest-cell"),
        (["export", "latest", "--to", "x.csv", "--policy", "mask"], 2, "--policy"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_one_sentence_and_a_code(alone, arguments, code, said):
    """What cannot be done ends in one JSON document, one sentence and the contracted exit code."""
    alone.write_list("ids.txt", ["cust_0000001"])
    ended = alone.run(*arguments, "--json")
    error = ended.document["error"]
    assert (ended.code, error["exit_code"]) == (code, code)
    assert said in error["message"]
    first, *rest = ended.err.splitlines()
    assert first == f"error: {error['message']}"
    assert rest == error["notes"]
    assert "Traceback" not in ended.err


def test_without_json_stdout_stays_empty(alone):
    """An error of plain use goes to stderr alone, with a hint of where help is."""
    ended = alone.run("show")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[1:] == ["`tokenvault show --help` shows how it is used"]


def test_a_port_in_use(alone):
    """An emulator whose port is taken says so, says what to do, and fails."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = alone.run("emulator", "--port", port)
    assert (ended.code, ended.out) == (1, "")
    assert f"port {port}" in ended.err
    assert "--port" in ended.err


def test_a_mistake_of_ours_shows_no_data(alone):
    """An unexpected error ends in one sentence and places in the code, without its own text."""
    broken = alone.folder / "broken"
    broken.mkdir()
    # A file in the way of a module is what an installation gone wrong looks like.
    (broken / "sitecustomize.py").write_text(
        "import tokenvault_data.dataset.snapshots as s\n"
        "def fail(*_, **__): raise KeyError('cust_4711')\n"
        "s.list_snapshots = fail\n"
    )
    path = f"{broken}:{alone.environ['PYTHONPATH']}"
    ended = alone.run("snapshots", "--json", environ={"PYTHONPATH": path})
    assert ended.code == 1
    assert ended.document["error"]["kind"] == "KeyError"
    assert "cli/snapshots.py" in ended.err
    assert "cust_4711" not in ended.out + ended.err


def _commands(group, *names):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, *names, name)
        else:
            yield (*names, name), command


PLAIN = {"FILE": "some.html", "NAME": "ann"}
ADDRESS = "s3://bucket/u:sesame@x"
PLACES = {"OLDER", "FILE", "DIR", "CUSTOMERS", "SNAPSHOT", "OLD", "NEW", "PLAN", "NOTEBOOK"}


def _with_addresses(command):
    """The arguments of a command, once for each that may be a path, which is an address there."""
    required = [one for one in command.params if one.required]
    for parameter in command.params:
        if parameter.metavar not in PLACES:
            continue
        words = []
        for one in [*required, parameter] if parameter not in required else required:
            value = ADDRESS if one is parameter else PLAIN.get(one.metavar, "latest")
            words += [value] if one.param_type_name == "argument" else [one.opts[0], value]
        yield words


@pytest.mark.parametrize(
    ("names", "command"),
    [
        pytest.param(*one, id=" ".join(one[0]))
        for one in _commands(typer.main.get_command(app))
        if any(_with_addresses(one[1]))
    ],
)
def test_no_command_takes_an_address_for_a_path(alone, names, command):
    """One sentence that shows nothing of the address, exit code 2, and no folder named `s3:`."""
    publish(alone.folder / "vault-data", "HDFC Bank")
    before = sorted(alone.folder.rglob("*"))
    for words in _with_addresses(command):
        ended = alone.run(*names, *words)
        assert ended.code == 2, ended.err
        assert "Addresses (s3:" in ended.err, ended.err
        assert "sesame" not in ended.out + ended.err
        assert sorted(alone.folder.rglob("*")) == before
