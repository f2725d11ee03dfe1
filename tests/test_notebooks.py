"""The notebooks run from top to bottom on the emulator, give nobody away, and delete nothing."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tokenvault_data import list_snapshots, open_snapshot, read_export
from tokenvault_data.cleanup.plan.plan_file import read_plan

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
EXPORTS = {
    "01_collect": ("cards.parquet",),
    "02_breakdowns": ("cards.parquet", "breakdown.csv", "cards.html"),
    "03_expiry": ("outreach.csv",),
    "04_changes_and_identity": ("changes.parquet", "identity.csv"),
    "05_cleanup": ("cleanup.html", "cleanup.csv"),
}
IDS = ("customer_id", "instrument_id", "instrument_uid", "par")
PHRASE = re.compile(r"delete \d+ emulator [0-9a-f]{6}")

# What a person does in a notebook: run all, then run a few cells again, one of them filled in.
RUN = """
import json, re, sys
import nbformat
from nbclient import NotebookClient

path, folder, typed = sys.argv[1:]
notebook = nbformat.read(path, as_version=4)
for cell in notebook.cells:  # nobody waits here for what comes back within a minute
    cell.source = cell.source.replace("settle_seconds = 60.0", "settle_seconds = 0.5")
cells = list(enumerate(notebook.cells))
confirm = next((at for at, cell in cells if "confirm" in cell.metadata.get("tags", ())), None)
client = NotebookClient(notebook, timeout=90, resources={"metadata": {"path": folder}})
report = {}
with client.setup_kernel():
    for at, cell in cells:
        client.execute_cell(cell, at)
    phrases = {"": [], "another phrase": ["delete 123 emulator 0a1b2c"]}
    if typed == "phrase shown":
        shown = json.dumps(notebook.cells[confirm].outputs)
        phrases[typed] = 2 * [re.search(r">(delete [0-9]+ [a-z]+ [0-9a-f]+)<", shown)[1]]
    for phrase in phrases[typed]:
        press = f"panel.phrase.value = {phrase!r}\\npanel.run.click()\\npanel.join()"
        notebook.cells.append(nbformat.v4.new_code_cell(press))
        client.execute_cell(notebook.cells[-1], len(notebook.cells) - 1)
        notebook.cells.pop()
        for at, cell in cells[confirm:]:
            client.execute_cell(cell, at)
        report.setdefault("steps", []).append([cell.get("outputs") for _, cell in cells[confirm:]])
    if confirm is not None:
        witness = nbformat.v4.new_code_cell(
            "import json\\n"
            "entries = emulator.wire_log.entries()\\n"
            "seen = [[e.method, e.customer_id, e.instrument_id, e.applied] for e in entries]\\n"
            "with open('wire.json', 'w') as file:\\n"
            "    json.dump(seen, file)\\n"
        )
        notebook.cells.append(witness)
        client.execute_cell(witness, len(notebook.cells) - 1)
        notebook.cells.pop()
client.set_widgets_metadata()  # what pages are made of, as a notebook keeps it that is saved so
nbformat.write(notebook, folder + "/executed.ipynb")
with open(folder + "/run.json", "w") as file:
    json.dump(report, file)
"""


def cells_of(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def code_of(path):
    return [cell for cell in cells_of(path) if cell["cell_type"] == "code"]


def run(name, folder, typed=""):
    """Run a notebook in a folder; return its outputs as text, and what was typed led to."""
    notebook = next(path for path in NOTEBOOKS if path.stem == name)
    command = [sys.executable, "-c", RUN, str(notebook), str(folder), typed]
    environ = {
        variable: value
        for variable, value in os.environ.items()
        if not variable.startswith(("CASHFREE_", "TOKENVAULT_"))
    }
    environ["TOKENVAULT_CONFIG"] = str(folder / "config")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr[-2000:]
    outputs = [cell["outputs"] for cell in code_of(folder / "executed.ipynb")]
    return json.dumps(outputs), json.loads((folder / "run.json").read_text())


def snapshots_in(folder):
    return [
        open_snapshot(listed.path)
        for store in ("vault-data", "emulated-data", "emulated-months", "cleanup-data")
        for listed in list_snapshots(folder / store)
    ]


def assert_nobody_given_away(outputs, folder):
    """No customer id, and none of the ids of the snapshots' cards, stands in the outputs."""
    assert not re.search(r"cust_\d{7}", outputs)
    assert snapshots_in(folder)
    for snapshot in snapshots_in(folder):
        ids = snapshot.to_arrow(IDS)
        known = {value for name in IDS for value in ids[name].to_pylist() if value}
        assert len(known) > 1000
        assert not {value for value in known if value in outputs}


def read_back(path):
    if path.suffix != ".html":
        assert len(read_export(path)) > 0
        return
    tags = []
    page = HTMLParser()
    page.handle_starttag = lambda tag, _: tags.append(tag)
    page.feed(path.read_text(encoding="utf-8"))
    assert {"html", "h1", "table"} <= set(tags)


def wire_of(folder):
    """Return what the emulator saw: method, customer, card, and what it changed."""
    return json.loads((folder / "wire.json").read_text())


def plan_in(folder):
    (path,) = (folder / "cleanup-data" / "campaigns").glob("*/plan.json")
    return read_plan(path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_without_outputs(path):
    """What is committed holds no output, no count of executions and no state of widgets."""
    assert all(cell["outputs"] == [] for cell in code_of(path))
    assert all(cell["execution_count"] is None for cell in code_of(path))
    assert "widgets" not in json.loads(path.read_text(encoding="utf-8"))["metadata"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_are_plain_values_and_no_secret(path):
    """One cell that papermill finds sets a profile by name, and plain values, none a secret."""
    (cell,) = (c for c in code_of(path) if "parameters" in c["metadata"].get("tags", ()))
    statements = ast.parse("".join(cell["source"])).body
    values = {one.targets[0].id: ast.literal_eval(one.value) for one in statements}
    assert values["profile"] == "emulator"
    assert "confirm" not in values
    for name, value in values.items():
        assert not re.search("secret|password|passphrase|token|key|client_id|credential", name)
        assert value is None or isinstance(value, int | float) or len(value) < 20


def test_every_notebook_is_run_by_a_test():
    """A new notebook cannot be added without saying what it leaves behind."""
    assert [path.stem for path in NOTEBOOKS] == list(EXPORTS)


def run_and_look(name, folder):
    """Run a notebook without edits or credentials, and look at what it shows and leaves behind."""
    outputs, report = run(name, folder)
    assert report == {}
    assert_nobody_given_away(outputs, folder)
    for export in EXPORTS[name]:
        read_back(folder / export)
    return outputs


@pytest.mark.notebook
@pytest.mark.parametrize("name", ["01_collect", "02_breakdowns"])
def test_notebooks_run_and_export(name, tmp_path):
    """Run as they are, they leave their files behind and show nobody's id."""
    run_and_look(name, tmp_path)


@pytest.mark.notebook
def test_03_expiry_and_04_changes_run_and_share_a_store(tmp_path):
    """They do the same; the second takes the snapshots that the first has collected."""
    outputs = run_and_look("03_expiry", tmp_path)
    assert "80% interval" in outputs
    assert "were right within" in outputs
    before = [listed.id for listed in list_snapshots(tmp_path / "emulated-months")]
    outputs = run_and_look("04_changes_and_identity", tmp_path)
    assert [listed.id for listed in list_snapshots(tmp_path / "emulated-months")] == before
    assert len(before) == 7
    assert all(name in outputs for name in before[:2])
    # What the page of a panel is made of is in the file as well.
    assert_nobody_given_away((tmp_path / "executed.ipynb").read_text("utf-8"), tmp_path)


@pytest.mark.notebook
def test_05_cleanup_deletes_nothing_when_all_cells_are_run(tmp_path):
    """Without the phrase nothing is deleted: the emulator saw no DELETE, and the cells say so."""
    outputs = run_and_look("05_cleanup", tmp_path)
    methods = {method for method, *_ in wire_of(tmp_path)}
    assert methods == {"GET"}
    assert "Nothing was confirmed, so nothing was sent and no card was deleted." in outputs
    assert "The plan was not applied; there is nothing to prove yet" in outputs
    ends = read_export(tmp_path / "cleanup.csv")["final"]
    assert len(ends) == len(plan_in(tmp_path).cards)
    assert ends.isna().all()
    # What the page of the panel is made of is in the file as well.
    assert_nobody_given_away((tmp_path / "executed.ipynb").read_text("utf-8"), tmp_path)


@pytest.mark.notebook
def test_05_cleanup_refuses_the_phrase_of_another_plan(tmp_path):
    """Pressed with a phrase that is not this plan's: refused, and the emulator saw no DELETE."""
    _, report = run("05_cleanup", tmp_path, "another phrase")
    assert "What is typed is not the phrase of this plan." in (
        (tmp_path / "executed.ipynb").read_text("utf-8")
    )
    assert "Nothing was confirmed" in json.dumps(report["steps"])
    assert {method for method, *_ in wire_of(tmp_path)} == {"GET"}


@pytest.mark.notebook
def test_05_cleanup_makes_a_new_phrase_with_every_run(tmp_path):
    """No phrase is kept from one run of all cells to the next, and none is filled in."""
    first, _ = run("05_cleanup", tmp_path)
    second, _ = run("05_cleanup", tmp_path)
    assert not set(PHRASE.findall(first)) & set(PHRASE.findall(second))
    code = "\n".join("".join(cell["source"]) for cell in code_of(NOTEBOOKS[-1]))
    assert ".phrase" not in code
    assert ".run." not in code
    assert "apply_cleanup" not in code


@pytest.mark.notebook
def test_05_cleanup_deletes_what_was_planned_once_the_phrase_is_typed(tmp_path):
    """Typed: the canary goes; typed again: the rest, nothing else, and the audit is clean."""
    outputs, report = run("05_cleanup", tmp_path, "phrase shown")
    plan = plan_in(tmp_path)
    canary, rest = (json.dumps(step) for step in report["steps"])
    assert PHRASE.search(canary)
    assert f"held: {len(plan.canary)} of {len(plan.cards)} cards are done" in canary
    assert "This was the canary." in canary
    assert f"{len(plan.cards)} proven gone, 0 ended otherwise" in rest
    assert f"{len(plan.cards)} of {len(plan.cards)} seen gone" in rest
    proven = f"{len(plan.cards)} planned = {len(plan.cards)} deleted."
    assert f"Everything holds, and the ledger vouches for it: {proven}" in rest
    assert "The campaign is over and the connection is closed." in rest
    deleted = [(who, card) for _, who, card, applied in wire_of(tmp_path) if applied == "deleted"]
    assert sorted(deleted) == sorted((card.customer_id, card.instrument_id) for card in plan.cards)
    assert sum(method == "DELETE" for method, *_ in wire_of(tmp_path)) == len(plan.cards)
    assert set(read_export(tmp_path / "cleanup.csv")["final"]) == {"deleted"}
    assert_nobody_given_away(outputs + canary + rest, tmp_path)
