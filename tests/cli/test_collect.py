"""`tokenvault collect` against an emulator."""

import json
import signal
import time
from collections import Counter

import pexpect
import pytest
from cli_bench import COMMAND, documented_fields

from tokenvault_data import open_snapshot


def ids(count, start=0):
    return [f"cust_{number:07d}" for number in range(start, start + count)]


def listed(emulator):
    """How often each customer was asked for, as the emulator saw it."""
    return Counter(entry.customer_id for entry in emulator.wire_log.entries("list"))


def test_a_complete_collection(shell, emulator):
    """Code 0, a summary on stdout, nothing on stderr when piped, each customer asked for once."""
    shell.write_list("ids.txt", ids(60))
    ended = shell.run("collect", "ids.txt")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("60 customers from 60 lines of ids.txt.\n\nSnapshot ")
    snapshot = open_snapshot(shell.folder / "vault-data")
    assert (snapshot.manifest.requested, snapshot.complete) == (60, True)
    assert listed(emulator) == Counter(ids(60))


@pytest.mark.parametrize("form", ["csv", "parquet", "stdin"])
def test_forms_of_a_list(shell, emulator, form):
    """A column of a CSV or Parquet file, and standard input, are lists like any other."""
    import pandas as pd

    frame = pd.DataFrame({"mail": ["a@b"] * 5, "who": ids(5)})
    arguments, stdin = [f"list.{form}", "--column", "who"], ""
    if form == "csv":
        frame.to_csv(shell.folder / "list.csv", index=False)
    elif form == "parquet":
        frame.to_parquet(shell.folder / "list.parquet")
    else:
        arguments, stdin = ["-"], "\n".join(ids(5))
    ended = shell.run("collect", *arguments, "--json", stdin=stdin)
    assert ended.code == 0
    shown, also = documented_fields("tokenvault show")[0], documented_fields("tokenvault collect")
    assert list(ended.document) == shown + also[0]
    assert ended.document["outcomes"]["fetched"] + ended.document["outcomes"]["empty"] == 5
    assert ended.document["list"]["customers"] == 5
    assert listed(emulator) == Counter(ids(5))


def test_bad_ids_are_reported_and_never_requested(shell, emulator):
    """Blanks, duplicates, slashes, `..`, unicode, long ids, floats: counted, and no request."""
    bad = ["", "  ", "a/b", "..", "कमल", "x" * 300, "123.0", "1.2E+11", "a\x1b[31mb", ids(1)[0]]
    shell.write_list("ids.txt", ids(3) + bad)
    ended = shell.run("collect", "ids.txt", "--json")
    assert ended.code == 0
    read = ended.document["list"]
    assert read["rows_read"] == 13
    assert read["customers"] == 3
    assert sum(dropped["count"] for dropped in read["dropped"]) == 10
    assert listed(emulator) == Counter(ids(3))


@pytest.mark.parametrize("stdin", ["", "..\n/\n", "customer_id\n1.5E+10\n"])
def test_a_list_of_bad_ids_only(shell, emulator, stdin):
    """Where nothing can be requested the command is wrong usage, and nothing was sent."""
    ended = shell.run("collect", "-", "--json", stdin=stdin)
    assert ended.code == 2
    assert ended.document["error"]["kind"] == "CustomerListError"
    assert "standard input" in ended.document["error"]["message"]
    assert not emulator.wire_log.entries()


def test_in_part_and_then_whole(shell, emulator):
    """Failed customers give code 3, their causes, and the command that tries them alone."""
    emulator.set_faults("422#customer=cust_0000004;422#customer=cust_0000010")
    shell.write_list("ids.txt", ids(40))
    ended = shell.run("collect", "ids.txt")
    assert (ended.code, ended.err) == (3, "")
    assert any(line.split() == ["request_rejected", "2", "5.0%"] for line in ended.out.splitlines())
    named = [line for line in ended.out.splitlines() if line.startswith("  ! ")]
    assert [line.split(":")[0] for line in named] == [
        "  ! line 5 of ids.txt (cu…04)", "  ! line 11 of ids.txt (cu…10)"
    ]  # fmt: skip
    assert "cust_0000004" not in ended.out
    command = next(line.split() for line in ended.out.splitlines() if "--resume" in line)
    partial = shell.run("show", "latest", "--json").document
    assert partial["failures"] == {"request_rejected": 2}
    assert command[:4] == ["tokenvault", "collect", "--resume", partial["run_to_retry"]]

    emulator.set_faults("")
    emulator.wire_log.clear()
    again = shell.run(*command[1:], "--json")
    assert again.code == 0
    assert again.document["complete"]
    assert again.document["run_to_retry"] is None
    assert again.document["list"] is None
    assert listed(emulator) == Counter(["cust_0000004", "cust_0000010"])
    assert shell.run("show", partial["snapshot"], "--json").document["run_to_retry"] is None


def test_locked_interrupted_and_gone_on_with(shell, emulator):
    """75 beside a running collection, 130 on Ctrl-C, and the same command then finishes the job."""
    shell.write_list("ids.txt", ids(300))
    command = ("collect", "ids.txt")
    first = shell.start(*command, "--rate", "1200")
    deadline = time.monotonic() + 20
    while len(emulator.wire_log) < 10 and time.monotonic() < deadline:
        time.sleep(0.02)

    beside = shell.run(*command, "--json")
    assert beside.code == 75
    assert beside.document["error"]["kind"] == "Locked"

    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=20)
    assert first.returncode == 130
    assert said.startswith("error: interrupted; ")
    assert "--resume" in said
    assert "Traceback" not in said
    assert len(emulator.wire_log) < 300

    last = shell.run(*command, "--json")
    assert last.code == 0
    assert sum(last.document["outcomes"].values()) == last.document["requested"] == 300
    assert listed(emulator) == Counter(ids(300))


def test_terminated_is_interrupted(shell, emulator):
    """SIGTERM, which a system sends at its shutdown, ends a collection as Ctrl-C does."""
    shell.write_list("ids.txt", ids(300))
    running = shell.start("collect", "ids.txt", "--rate", "1200", "--json")
    deadline = time.monotonic() + 20
    while len(emulator.wire_log) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    running.terminate()
    out, _ = running.communicate(timeout=20)
    assert running.returncode == 130
    assert '"CollectionInterrupted"' in out


def test_progress_shows_on_a_terminal(shell, emulator):
    """On a terminal progress is drawn, and Ctrl-C there ends with 130 and how to go on."""
    shell.write_list("ids.txt", ids(300))
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "collect", "ids.txt", "--rate", "1200"],
        cwd=str(shell.folder),
        env=shell.environ | {"TERM": "xterm-256color"},
        dimensions=(24, 80),
        encoding="utf-8",
        timeout=30,
    )
    child.expect(r"\d+/300")
    child.expect(r"\d+ cards")
    child.sendintr()
    child.expect("interrupted; ")
    child.expect("--resume")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130


def test_no_vault_there(alone):
    """Where nothing listens the command fails, and says how to start an emulator."""
    alone.write_list("ids.txt", ids(3))
    ended = alone.run("collect", "ids.txt")
    assert ended.code == 1
    assert "tokenvault emulator" in ended.err
    assert "Traceback" not in ended.err


def test_credentials_refused(shell, emulator):
    """Refused credentials end the collection with code 1, and nothing is published."""
    emulator.set_credentials("known", "other")
    try:
        shell.write_list("ids.txt", ids(30))
        ended = shell.run("collect", "ids.txt", "--json")
    finally:
        emulator.set_credentials(None, None)
    assert ended.code == 1
    assert ended.document["error"]["kind"] == "AccessDenied"
    assert not list((shell.folder / "vault-data").glob("snapshots/*/manifest.json"))


def test_a_list_with_many_unknown_ids_is_not_complete_without_a_word(shell):
    """A third of unknown ids shows in the summary, the manifest and quality."""
    good = [f"cust_{number:07d}" for number in range(120)]
    assert shell.run("collect", shell.write_list("good.txt", good), "--rate", 60000).code == 0
    wrong = [f"user_{number:07d}" for number in range(60)]
    ended = shell.run("collect", shell.write_list("bad.txt", good + wrong), "--json")
    (notice,) = ended.document["notices"]
    assert "customers" in notice
    assert "in earlier snapshots" in notice
    manifest = shell.folder / ended.document["path"] / "manifest.json"
    assert json.loads(manifest.read_text())["notices"] == [notice]
    checks = shell.run("quality", "latest", "--json").document["rows"]
    assert [one["finding"] for one in checks if one["check"] == "customer_list"] == [notice]
    assert "in earlier snapshots" in " ".join(shell.run("show", "latest").out.split())


def test_odd_ids_that_are_nobody_are_said(shell):
    """An id unlike the others that has no card is in both summaries."""
    good = [f"cust_{number:07d}" for number in range(30)]
    ended = shell.run("collect", shell.write_list("ids.txt", [*good, "desconocido"]), "--json")
    assert ended.document["list"]["unlike_the_others"] == {"count": 1, "first_rows": [31]}
    assert "1 id that looks unlike the others" in ended.document["notices"][0]
    assert "desconocido" not in ended.out


def test_many_rows_of_another_width_are_said(shell):
    """Beside "complete", and by quality, as long as the snapshot is there."""
    rows = [f"cust_{number:07d},x" for number in range(10)]
    listed = shell.write_list("ids.csv", ["customer_id,name", *rows, *["Doe, J,cust_0000011"] * 10])
    ended = shell.run("collect", listed, "--json")
    assert ended.code == 0
    assert "10 of 20 rows of the list (50%)" in ended.document["notices"][0]
    checks = shell.run("quality", "latest", "--json").document["rows"]
    (found,) = [one for one in checks if one["check"] == "customer_list"]
    assert found["verdict"] == "warn"
    assert "10 of 20 rows of the list" in found["finding"]
