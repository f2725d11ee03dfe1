"""A store answers alike wherever it is kept: the names of the folders above it are never data."""

import json
import re
import shutil
import sys

import pyarrow.parquet as pq
import pytest
from cli_bench import ROOT, Shell

sys.path.insert(0, str(ROOT / "docs"))
from generate import commands  # the list that the pages are written from

# Forty commands, each within the time that `Shell` allows; together they may take longer than one
# test does, on a machine that has other work.
pytestmark = pytest.mark.timeout(900)

COLUMN_FOLDERS = (
    *("card_network=rupay", "expires_on=2020-01-01", "instrument_status=INACTIVE", "env=prod"),
    *("customer_id=nobody", "outcome=failed", "bank=SBI", "card_type=credit", "last_four=0000"),
    *("list_position=0", "anomalies=x", "country="),
)
ODD_FOLDERS = (
    *("st*", "[a]", "?", "{a,b}", "it's", 'a "b"', "50%20#1", "-x", "~", "s3:", "new\nline"),
    *("Zürich", "\udce9\udcff", "a\\b", "**", "%s", "x.parquet", ".hidden"),
)

CAPS = ("--max-cards", "500", "--max-vault-share", "1", "--max-bank-share", "1")
CALLS = {
    "snapshots": (),
    "show": ("latest",),
    "breakdown": ("latest", "--by", "card_network,bank,instrument_status,expiry"),
    "expiring": ("latest", "--within", "400d", "--to", "x.csv", "--outreach", "o.parquet"),
    "changes": ("OLD", "latest", "--to", "x.parquet"),
    "identity": ("latest", "--to", "x.csv", "--members", "m.csv"),
    "quality": ("latest", "--against", "OLD", "--as-of", "2026-11-22"),
    "export": ("latest", "--to", "x.csv"),
    "report": ("latest", "--to", "x.html", "--against", "OLD"),
    "cleanup simulate": ("latest", "--expired", *CAPS),
    "cleanup plan": ("latest", "--expired", "--planner", "ravi", *CAPS),
    "cleanup show": ("PLAN",),
    "cleanup status": ("PLAN",),
    "cleanup audit": ("PLAN",),
    "cleanup pause": ("PLAN",),
    "cleanup hold": ("hold.csv",),
    "cleanup abort": ("PLAN",),
    "cleanup report": ("PLAN", "--to", "x.csv"),
    "collect": ("ids.txt", "--fresh"),
}
"""What is called, in this order, and with what."""

NO_ROWS = {
    **dict.fromkeys(("demo", "emulator", "lab", "app", "doctor"), "answers from no store"),
    **dict.fromkeys(("cleanup keygen", "cleanup trust"), "reads keys alone"),
    **dict.fromkeys(
        ("cleanup approve", "cleanup revoke", "cleanup countersign", "cleanup apply"),
        "acts on a plan that `cleanup show` has read by the same door",
    ),
    **dict.fromkeys(
        ("cleanup recover", "cleanup verify"), "asks the vault about a plan read by that door"
    ),
}
"""Commands whose answers are not compared, and why."""


def test_every_command_that_takes_a_store_is_looked_at():
    """A new command is put among those compared, or beside the reason why it is not."""
    stores = {name for name, one in commands().items() if "--store" in _options(one)}
    assert stores == set(CALLS) | set(NO_ROWS)
    assert not set(CALLS) & set(NO_ROWS)


def _options(command):
    return [option for parameter in command.params for option in parameter.opts]


@pytest.fixture(scope="module")
def plain(tmp_path_factory, running_emulator):
    """A store with two snapshots, in a folder of a harmless name."""
    folder = tmp_path_factory.mktemp("plain")
    shell = Shell(folder, running_emulator.base_url)
    shell.write_list("ids.txt", [f"cust_{number:07d}" for number in range(150)])
    for count in (100, 150):
        ids = [f"cust_{number:07d}" for number in range(count)]
        assert shell.run("collect", shell.write_list("some.txt", ids), "--rate", 60000).code == 0
    return folder


def _answers(folder, running_emulator, tmp_path):
    """Call every command on the store of a folder, and give what each said."""
    shell = Shell(tmp_path, running_emulator.base_url)
    shell.write_list("ids.txt", [f"cust_{number:07d}" for number in range(60)])
    (tmp_path / "hold.csv").write_text("customer_id\ncust_0000001\n")
    store = folder / "vault-data"
    old, _ = sorted(path.name for path in (store / "snapshots").iterdir())
    said, plan = {}, ""
    for name, arguments in CALLS.items():
        given = [{"OLD": old, "PLAN": plan}.get(one, one) for one in arguments]
        ended = shell.run(*name.split(), *given, "--store", store, "--json")
        if name == "cleanup plan":
            plan = ended.document["plan"]
        said[name] = [ended.code, _without_place(ended, store, plan)]
        for path in sorted(tmp_path.glob("*.*")):
            if path.name not in ("ids.txt", "hold.csv", "x.html") and path.is_file():
                said[name].append((path.name, _content(path, plan)))
                path.unlink()
    return said


def _content(path, plan):
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    return _without_moments(path.read_text("utf-8"), plan)


def _without_place(ended, store, plan):
    """What a command said, without where the store is and when that was."""
    said = ended.out.replace(json.dumps(str(store))[1:-1], "STORE")
    return _without_moments(said, plan)


def _without_moments(said, plan):
    for form, word in (
        (r"\d{4}-\d\d-\d\d[T ]\d\d:[\d:.]+(\+00:00|Z)?", "MOMENT"),
        (r"\d{8}T\d{6}Z-[0-9a-f]{6}", "SNAPSHOT"),
        (r"#[0-9a-f]{16}\b", "#MASKED"),  # by a key of each process
        (rf"{plan[:6] or 'PLAN'}[0-9a-f]*", "PLAN"),
    ):
        said = re.sub(form, word, said)
    return said


@pytest.fixture(scope="module")
def usual(plain, running_emulator, tmp_path_factory):
    """What the commands say of the store where nothing is special about its place."""
    folder = tmp_path_factory.mktemp("usual")
    shutil.copytree(plain / "vault-data", folder / "vault-data")
    return _answers(folder, running_emulator, tmp_path_factory.mktemp("at-work"))


def test_the_folders_above_a_store_change_no_answer(plain, usual, running_emulator, tmp_path):
    """Below `column=value`, glob signs, quotes and bytes that are no text: the same answers."""
    folder = tmp_path.joinpath(*ODD_FOLDERS, *COLUMN_FOLDERS)
    shutil.copytree(plain / "vault-data", folder / "vault-data")
    for name in ("stx", "a", "b"):  # what a name that is taken for a pattern would find as well
        beside = tmp_path.joinpath(name, *ODD_FOLDERS[1:], *COLUMN_FOLDERS)
        shutil.copytree(plain / "vault-data", beside / "vault-data")
    (tmp_path / "work").mkdir()
    said = _answers(folder, running_emulator, tmp_path / "work")
    assert {name for name in CALLS if said[name] != usual[name]} == set()
    failed = {name for name in CALLS if said[name][0] != 0}
    assert failed == {"cleanup abort", "cleanup audit"}  # nothing was applied or proven
