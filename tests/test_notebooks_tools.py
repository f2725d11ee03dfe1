"""Two tools that other people run notebooks with; what they save gives nobody away."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tokenvault_data import list_snapshots, open_snapshot

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
IDS = ("customer_id", "instrument_id", "instrument_uid", "par")


def environment(folder):
    """Variables under which neither a vault nor a Jupyter of the user's is found."""
    ours = ("CASHFREE_", "TOKENVAULT_", "JUPYTER", "IPYTHON", "PYTEST_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    kept = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    environ |= {f"JUPYTER_{name}": str(folder / name.lower()) for name in kept}
    return environ | {
        "TOKENVAULT_CONFIG": str(folder / "config"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": str(ROOT),
    }


def run(folder, *command):
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


def assert_nobody_given_away(saved, store):
    """Nothing in a file, outputs and widget state alike, is an id of the store's snapshots."""
    text = saved.read_text(encoding="utf-8")
    assert not re.search(r"cust_\d{7}", text)
    listed = list_snapshots(store)
    assert listed
    for one in listed:
        ids = open_snapshot(one.path).to_arrow(IDS)
        known = {value for name in IDS for value in ids[name].to_pylist() if value}
        assert len(known) > 100
        assert not {value for value in known if value in text}


@pytest.mark.notebook
@pytest.mark.timeout(300)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_papermill_with_parameters(notebook, tmp_path):
    """Papermill sets the store, runs all cells, and saves nobody's id, in whatever form."""
    run(
        tmp_path,
        *("papermill", notebook, "done.ipynb", "--no-progress-bar"),
        *("-p", "store", "elsewhere", "--cwd", tmp_path),
    )
    done = json.loads((tmp_path / "done.ipynb").read_text(encoding="utf-8"))
    (injected,) = (
        cell for cell in done["cells"] if "injected-parameters" in cell["metadata"].get("tags", ())
    )
    assert 'store = "elsewhere"' in "".join(injected["source"])
    assert all(cell.get("execution_count", 1) for cell in done["cells"])
    assert_nobody_given_away(tmp_path / "done.ipynb", tmp_path / "elsewhere")


@pytest.mark.notebook
@pytest.mark.timeout(300)
def test_nbmake(tmp_path):
    """Nbmake takes a notebook for a test, and it passes."""
    shutil.copy(NOTEBOOKS[0], tmp_path)
    run(tmp_path, "pytest", "--nbmake", "-q", "-p", "no:cacheprovider", NOTEBOOKS[0].name)
    assert list_snapshots(tmp_path / "vault-data")
