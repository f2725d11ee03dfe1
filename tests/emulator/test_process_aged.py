"""An aged vault as its callers meet it: over HTTP, as a process, as a command."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from emulator_bench import AS_OF
from typer.exceptions import TyperException

from tokenvault_data.cli.failures import failure_of
from tokenvault_data.cli.main import app
from tokenvault_data.emulator.population.population import Population
from tokenvault_data.emulator.process import emulator_process
from tokenvault_data.emulator.settings import EmulatorSettings
from tokenvault_data.errors import UsageError

COMMAND = (sys.executable, "-c", "from tokenvault_data.cli.main import run; run()")


@pytest.fixture(scope="module")
def old_vault(run):
    with run(aged_months=6, customers=400) as bench:
        yield bench


def test_an_aged_vault_answers_over_http(old_vault):
    """A list is the aged one; new ids can be fetched, used and deleted, old ones are unknown."""
    population = old_vault.emulator.population
    replaced = next(
        event for event in population.net_events()
        if event.kind == "replaced" and event.new_status == "ACTIVE"
    )  # fmt: skip
    customer_id, new_id = replaced.customer_id, replaced.new_instrument_id
    listed = old_vault.list(customer_id).json()
    assert listed == population.instruments(customer_id, "2025-01-01")
    (row,) = [one for one in listed if one["instrument_id"] == new_id]
    assert old_vault.fetch(customer_id, new_id).json() == row
    assert old_vault.fetch(customer_id, replaced.instrument_id).status_code == 404
    assert old_vault.delete(customer_id, replaced.instrument_id).status_code == 404
    secret = old_vault.cryptogram(customer_id, new_id).json()
    assert (int(secret["card_expiry_yy"]), int(secret["card_expiry_mm"])) == replaced.new_expiry
    assert old_vault.delete(customer_id, new_id).status_code == 200
    remaining = [one["instrument_id"] for one in old_vault.list(customer_id).json()]
    assert remaining == [one["instrument_id"] for one in listed if one != row]
    assert replaced in set(population.net_events())


def test_a_process_ages_and_writes_its_ledger(tmp_path):
    """The emulator as a process takes the age, and its ledger stands once it answers."""
    path = tmp_path / "ledger.jsonl"
    asked = EmulatorSettings(customers=300, as_of=AS_OF, aged_months=3, ledger=path)
    with emulator_process(asked):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    events = list(Population(asked).net_events())
    assert [(one["customer_id"], one["instrument_id"], one["kind"]) for one in lines] == [
        (event.customer_id, event.instrument_id, event.kind) for event in events
    ]
    assert lines


def test_the_command_ages_and_writes_its_ledger(tmp_path):
    """`tokenvault emulator --as-of --aged --ledger` holds the vault that these three make."""
    path = tmp_path / "ledger.jsonl"
    options = ("--port", "0", "--customers", "300", "--as-of", "2026-11-22", "--aged", "3")
    with subprocess.Popen(
        [*COMMAND, "emulator", *options, "--ledger", path], stdout=subprocess.PIPE, text=True
    ) as child:
        said = [child.stdout.readline(), child.stdout.readline()]
        child.terminate()
        child.communicate(timeout=20)
    assert said[1] == "Its cards are 3 months older than with --as-of 2026-11-22 alone\n"
    same = EmulatorSettings(customers=300, as_of=AS_OF, aged_months=3)
    told_ids = [json.loads(line)["instrument_id"] for line in path.read_text().splitlines()]
    assert told_ids == [event.instrument_id for event in Population(same).net_events()]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--ledger", "ledger.jsonl"), "--aged"),
        (("--aged", "-1"), "--aged"),
        (("--aged", "601"), "aged_months"),
        (("--as-of", "yesterday"), "--as-of"),
        (("--as-of", "1999-12-31"), "as_of"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(tmp_path, monkeypatch, arguments, named):
    """A ledger without months, and ages out of reach, are wrong usage; nothing is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises((UsageError, TyperException)) as refused:
        app(["emulator", "--port", "0", *arguments], standalone_mode=False)
    failure = failure_of(refused.value)
    assert failure.exit_code == 2
    assert named in failure.message
    assert list(tmp_path.iterdir()) == []
