"""A partial snapshot is called so by every command that shows or writes figures of one."""

from datetime import UTC, datetime, timedelta

import pytest
from cli_bench import documented_fields, publish
from typer.main import get_command

from tokenvault_data.cli.main import app

BANKS = ("HDFC BANK", "ICICI BANK", "AXIS BANK", "HDFC Bank Ltd", "ICICI BANK", "AXIS BANK")

ARGUMENTS = {
    "show": [],
    "breakdown": ["--by", "bank", "--to", "groups.csv"],
    "expiring": ["--to", "cards.csv", "--outreach", "people.csv"],
    "changes": [],
    "identity": [],
    "quality": [],
    "export": ["--to", "cards.parquet"],
    "report": ["--to", "report.html"],
    "cleanup simulate": ["--expired"],
    "cleanup plan": ["--where", "card_bank=AXIS BANK", "--as-of", "2020-05-01", "--max-age", "8760",
                     "--max-vault-share", "1", "--max-bank-share", "1", "--allow-last-usable"],
}  # fmt: skip
"""Every command about a snapshot, and what it needs besides; a new one has to be added here."""


def commands_about_snapshots():
    """The names of all commands that are given snapshots to look into."""
    found = {}
    for name, command in get_command(app).commands.items():
        for inner, one in getattr(command, "commands", {"": command}).items():
            found[f"{name} {inner}".strip()] = {parameter.name for parameter in one.params}
    return {name for name, given in found.items() if given & {"snapshot", "old", "new"}}


@pytest.fixture
def ids(alone):
    """Ids of a complete snapshot, and of a later partial one: two of its eight customers failed."""
    folder = alone.folder / "vault-data"
    now = datetime.now(UTC)
    old = publish(folder, *BANKS, now=now - timedelta(days=30))
    return [one.id for one in (old, publish(folder, *BANKS, failed=2, now=now))]


def test_every_command_about_snapshots_is_tried():
    """The list above is all there are."""
    assert set(ARGUMENTS) == commands_about_snapshots()


@pytest.mark.parametrize("command", ARGUMENTS)
def test_a_command_says_that_a_snapshot_is_partial(alone, ids, command):
    """In text and in JSON, with how many customers are missing; of a complete one neither."""
    complete, partial = ids
    shown = [complete, partial] if command == "changes" else [partial]
    words = [*command.split(), *shown, *ARGUMENTS[command]]
    said = alone.run(*words)
    assert said.err == ""
    assert "partial" in said.out.casefold()
    assert "2 customers" in said.out or "2 of 8 customers" in said.out
    told = alone.run(*words, "--json").document
    [missing] = told["partial"]
    assert missing == {
        "snapshot": partial,
        "requested": 8,
        "not_fetched": 2,
        "failed": 2,
        "not_attempted": 0,
    }
    assert [list(told)] == documented_fields(f"tokenvault {command}")[-1:]
    if command not in {"changes", "report"}:  # a report takes long, and its page is tested
        words[len(command.split())] = complete
        assert alone.run(*words, "--json").document["partial"] == []
