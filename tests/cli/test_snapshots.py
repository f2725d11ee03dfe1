"""`snapshots`, `show` and `export` over stores made for them."""

import csv
from datetime import timedelta

import pexpect
import pytest
from cli_bench import COMMAND, NOW, documented_fields, publish

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "[bold]x[/]",
    "\x1b[31mred\x1b]0;title\x07",
    "two\nlines",
    "abc\u202edcba",
    "=cmd|' /C calc'!A0",
]


@pytest.fixture
def store(alone):
    """A complete snapshot, a later partial one, and one of the sandbox."""
    folder = alone.folder / "vault-data"
    publish(folder, "HDFC BANK", "HDFC BANK", "ICICI BANK")
    publish(folder, "HDFC BANK", failed=2, now=NOW + timedelta(days=1))
    publish(folder, "AXIS BANK", environment="sandbox", now=NOW - timedelta(days=1))
    return folder


def test_the_list_says_which_is_latest(alone, store):
    """All snapshots are listed newest first, and the one that `latest` opens is marked."""
    listed = alone.run("snapshots", "--json")
    assert listed.code == 0
    rows = listed.document["snapshots"]
    assert [(row["complete"], row["latest"]) for row in rows] == [
        (False, False),
        (True, True),
        (True, False),
    ]
    assert [list(row) for row in rows] == documented_fields("tokenvault snapshots") * 3
    shown = alone.run("show", "latest", "--json").document
    assert shown["snapshot"] == rows[1]["snapshot"]


def test_a_profile_narrows_to_its_environment(alone, store):
    """`--profile` restricts list and `latest` to an environment, without any credential."""
    (row,) = alone.run("snapshots", "--profile", "sandbox", "--json").document["snapshots"]
    assert (row["environment"], row["latest"]) == ("sandbox", True)
    shown = alone.run("show", "latest", "--profile", "sandbox", "--json").document
    assert shown["snapshot"] == row["snapshot"]
    refused = alone.run("show", row["snapshot"], "--profile", "emulator")
    assert (refused.code, refused.out) == (1, "")
    nothing = alone.run("snapshots", "--profile", "production")
    assert (nothing.code, nothing.out.splitlines()) == (
        0,
        ["No snapshots of environment production in vault-data; `tokenvault collect` makes one."],
    )


def test_a_saved_profile_names_its_environment(alone, store):
    """A profile of the file counts too, though its secret cannot be had."""
    config = alone.folder / "config"
    config.mkdir()
    file = config / "profiles.toml"
    file.write_text('[shop]\nenvironment = "sandbox"\nclient_id = "x"\nclient_secret = "keyring"\n')
    file.chmod(0o600)
    shown = alone.run("show", "latest", "--profile", "shop", "--json")
    assert shown.document["environment"] == "sandbox"


def test_damage_is_listed_and_refused(alone, store):
    """A damaged snapshot is named in the list with its damage, and opening it fails."""
    before = alone.run("snapshots", "--json").document["snapshots"]
    hurt = store / "snapshots" / before[0]["snapshot"]
    part = next((hurt / "instruments").iterdir())
    part.write_bytes(part.read_bytes()[:-9])
    listed = alone.run("snapshots")
    assert listed.code == 0
    assert f"{hurt.name}  -" in listed.out
    assert "damaged" in listed.out
    assert "is not of the size it was published with" in listed.out
    refused = alone.run("show", hurt.name)
    assert (refused.code, refused.out) == (1, "")
    assert hurt.name in refused.err


def test_a_summary_for_machines(alone, store):
    """`show --json` has the documented fields, and its groups add up to the cards."""
    shown = alone.run("show", "latest", "--json").document
    assert [list(shown)] == documented_fields("tokenvault show")
    assert shown["cards"] == 3
    for values in shown["counts"].values():
        assert sum(one["cards"] for one in values) == 3
    expiry = shown["expiry"]
    parts = ("expired", "within_30", "within_60", "within_90", "later", "unknown")
    assert sum(expiry[part] for part in parts) == 3
    assert expiry["expired_but_active"] == expiry["expired"] == 3


def test_a_summary_for_people(alone, store):
    """Findings come first in words, groups add up, a partial snapshot says what is missing."""
    partial = alone.run("snapshots", "--json").document["snapshots"][0]["snapshot"]
    shown = alone.run("show", partial)
    assert (shown.code, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert lines[1] == f"Snapshot {partial}, partial"
    assert "* 1 saved card of 3 customers." in lines
    assert any(line.startswith("* Partial: 2 customers (66.7%)") for line in lines)
    assert any(line.split() == ["vault_unavailable", "2", "66.7%"] for line in lines)
    assert any(line.split() == ["with", "saved", "cards", "1", "33.3%"] for line in lines)
    assert all(line == line.rstrip() for line in lines)
    assert lines[-1]


def test_foreign_text_cannot_steer_the_terminal(alone):
    """Markup is shown as text; escape sequences, line breaks and bidi controls as escapes."""
    publish(alone.folder / "vault-data", *HOSTILE)
    piped = alone.run("show", "latest")
    assert piped.code == 0
    banks = piped.out.split("Bank, as received")[1]
    for text in ("<img src=x onerror=alert(1)>", "[bold]x[/]", "\\x1b[31mred\\x1b]0;title\\x07"):
        assert text in banks
    assert "abc\\u202edcba" in banks
    assert "\x1b" not in piped.out
    assert "\u202e" not in piped.out
    assert len(banks.splitlines()) == 1 + len(HOSTILE)
    document = alone.run("show", "latest", "--json")
    assert document.out.isascii()
    counted = {one["value"] for one in document.document["counts"]["card_bank"]}
    assert "abc\u202edcba" in counted


def test_a_terminal_of_eighty_columns(alone):
    """On a terminal no line is wider than it is, and foreign escapes stay harmless there too."""
    long = "A BANK WITH A VERY LONG NAME " * 8
    publish(alone.folder / "vault-data", *HOSTILE, long, failed=1)
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "show", "latest"],
        cwd=str(alone.folder),
        env=alone.environ | {"TERM": "xterm-256color"},
        dimensions=(50, 80),
        encoding="utf-8",
        timeout=30,
    )
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert "\x1b[31mred" not in child.before
    assert "\x1b[1m" in child.before  # headings are bold
    plain = child.before.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    folder = str(alone.folder)
    lines = [line for line in plain.splitlines() if folder not in line]
    assert "A BANK WITH A VERY LONG NAME" in plain
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_export_reads_back(alone, store, suffix):
    """An export holds every card, says how many, and reads back with its columns."""
    from tokenvault_data import read_export

    name = f"cards.{suffix}"
    ended = alone.run(
        "export", "latest", "--to", name, "--columns", "customer_id, card_bank", "--json"
    )
    assert ended.code == 0
    assert [list(ended.document)] == documented_fields("tokenvault export")
    path = alone.folder / name
    assert (ended.document["rows"], ended.document["bytes"]) == (3, path.stat().st_size)
    frame = read_export(path)
    assert list(frame.columns) == ["customer_id", "card_bank"]
    assert frame["card_bank"].tolist() == ["HDFC BANK", "HDFC BANK", "ICICI BANK"]


def test_an_export_is_guarded(alone):
    """Text that a spreadsheet would run is not what the CSV file begins a cell with."""
    publish(alone.folder / "vault-data", *HOSTILE)
    ended = alone.run("export", "latest", "--to", "cards.csv", "--columns", "card_bank")
    assert ended.out.startswith("6 cards of ")
    with (alone.folder / "cards.csv").open(newline="", encoding="utf-8") as file:
        cells = [row[0] for row in csv.reader(file)]
    assert not [cell for cell in cells if cell.startswith("=")]


def test_a_terminal_without_unicode(alone):
    """Where the terminal's encoding lacks a character, an escape stands for it."""
    publish(alone.folder / "vault-data", "बैंक")
    shown = alone.run("show", "latest", environ={"PYTHONIOENCODING": "ascii"})
    assert shown.code == 0
    assert "\\u092c\\u0948" in shown.out


def test_a_policy_decides_what_leaves(alone):
    """A masked export names nobody, a minimal one has three columns, and JSON says which it was."""
    publish(alone.folder / "vault-data", "HDFC BANK")
    masked = alone.run("export", "latest", "--to", "m.csv", "--policy", "masked", "--json")
    assert masked.document["policy"] == "masked"
    text = (alone.folder / "m.csv").read_text(encoding="utf-8")
    assert "cust_0" not in text
    assert "cust#" in text
    alone.run("export", "latest", "--to", "few.csv", "--policy", "minimal")
    first = (alone.folder / "few.csv").read_text(encoding="utf-8").splitlines()[0]
    assert first == '"last_four","card_network","card_bank"'
    refused = alone.run(
        "export", "latest", "--to", "no.csv", "--policy", "minimal", "--columns", "customer_id"
    )
    assert refused.code == 2
    assert not (alone.folder / "no.csv").exists()
