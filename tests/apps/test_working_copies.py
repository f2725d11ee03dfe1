"""Copies of the notebooks: brought up to date, never over what somebody has changed."""

import json
from pathlib import Path

import pytest

import tokenvault_data
from tokenvault_data.apps import working_copies as module
from tokenvault_data.apps.working_copies import RECORD, shipped_notebooks, working_copies
from tokenvault_data.errors import UsageError

ROOT = Path(tokenvault_data.__file__).resolve().parents[1]


@pytest.fixture
def release(tmp_path, monkeypatch):
    """A function that ships notebooks with these contents, as an installation has them."""
    package = tmp_path / "site-packages" / "tokenvault_data"
    (package / "notebooks").mkdir(parents=True)
    monkeypatch.setattr(module, "_PACKAGE", package)

    def ship(**contents):
        for name, content in contents.items():
            (package / "notebooks" / f"{name}.ipynb").write_text(content)

    return ship


def contents(folder):
    return {path.stem: path.read_text() for path in folder.glob("*.ipynb")}


def test_a_clone_ships_its_own_notebooks():
    """In a clone they are those of the repository."""
    assert shipped_notebooks() == tuple(sorted((ROOT / "notebooks").glob("*.ipynb")))


def test_all_are_copied(release, tmp_path):
    """The folder is made, and has a copy of each."""
    release(a="1", b="2")
    copies = working_copies(tmp_path / "new" / "work")
    assert copies.names == ("a.ipynb", "b.ipynb")
    assert copies.kept == ()
    assert contents(copies.folder) == {"a": "1", "b": "2"}


def test_a_new_release_replaces_untouched_copies_only(release, tmp_path):
    """What somebody has changed stays and is named, for as long as a newer one is there."""
    release(a="1", b="2")
    working_copies(tmp_path / "work")
    (tmp_path / "work" / "b.ipynb").write_text("mine")
    assert working_copies(tmp_path / "work").kept == ()
    release(a="1.1", b="2.1", c="3")
    for _ in range(2):
        copies = working_copies(tmp_path / "work")
        assert copies.kept == ("b.ipynb",)
        assert contents(copies.folder) == {"a": "1.1", "b": "mine", "c": "3"}
    (tmp_path / "work" / "b.ipynb").unlink()
    assert working_copies(tmp_path / "work").kept == ()
    assert contents(tmp_path / "work")["b"] == "2.1"


@pytest.mark.parametrize("record", [None, "", "[]", '{"a.ipynb": 5}', '{"a.ipynb": "0"}'])
def test_without_a_record_nothing_is_overwritten(release, tmp_path, record):
    """Where the record is lost or damaged, a copy that differs counts as changed."""
    release(a="1")
    working_copies(tmp_path / "work")
    release(a="1.1")
    if record is None:
        (tmp_path / "work" / RECORD).unlink()
    else:
        (tmp_path / "work" / RECORD).write_text(record)
    assert working_copies(tmp_path / "work").kept == ("a.ipynb",)
    assert contents(tmp_path / "work") == {"a": "1"}


def test_other_files_are_left_alone(release, tmp_path):
    """Nothing else in the folder is touched or removed."""
    release(a="1")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "own.ipynb").write_text("own")
    working_copies(tmp_path / "work")
    assert contents(tmp_path / "work") == {"a": "1", "own": "own"}
    assert json.loads((tmp_path / "work" / RECORD).read_text()).keys() == {"a.ipynb"}


@pytest.mark.parametrize("name", ["02_b.ipynb", "02_b", "02"])
def test_a_copy_goes_by_name_or_number(release, tmp_path, name):
    """With or without its ending, or by the number in front."""
    release(**{"01_a": "1", "02_b": "2"})
    copies = working_copies(tmp_path / "work")
    assert copies.find(name) == tmp_path / "work" / "02_b.ipynb"
    assert copies.find("b") is None


def test_an_installation_without_notebooks(tmp_path, monkeypatch):
    """Where none came along, it says how to mend that."""
    monkeypatch.setattr(module, "_PACKAGE", tmp_path / "site-packages" / "tokenvault_data")
    with pytest.raises(UsageError, match="force-reinstall"):
        working_copies(tmp_path / "work")
    assert not (tmp_path / "work").exists()
