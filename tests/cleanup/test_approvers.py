"""Whom this machine believes when they approve."""

import json
import os
import shutil

import pytest

from tokenvault_data.cleanup.approvers import load_approvers, read_public_file
from tokenvault_data.cleanup.keys import encoded, fingerprint_of, keygen
from tokenvault_data.errors import UsageError


@pytest.fixture
def folder(tmp_path):
    """A configuration with an empty folder of approvers."""
    made = tmp_path / "approvers"
    made.mkdir(mode=0o755)
    return made


def test_approvers_are_those_whose_files_are_there(tmp_path, folder):
    """Names by fingerprint, of every public file in the folder and of nobody else."""
    assert load_approvers(tmp_path) == {}
    asha, bala = (keygen(name, directory=tmp_path) for name in ("asha", "bala"))
    assert load_approvers(tmp_path) == {}
    shutil.copy(asha.public, folder)
    shutil.copy(bala.public, folder / "renamed.pub")
    (folder / "notes.txt").write_text("not a key")
    assert load_approvers(tmp_path) == {asha.fingerprint: "asha", bala.fingerprint: "bala"}


def test_without_a_folder_nobody_is_believed(tmp_path):
    """No folder is the same as an empty one."""
    assert load_approvers(tmp_path / "none") == {}


def test_a_colleague_may_have_two_keys(tmp_path, folder):
    """An old and a new key of one person stand side by side."""
    old = keygen("bala", directory=tmp_path / "old")
    new = keygen("bala", directory=tmp_path / "new")
    shutil.copy(old.public, folder / "old.pub")
    shutil.copy(new.public, folder / "new.pub")
    assert load_approvers(tmp_path) == {old.fingerprint: "bala", new.fingerprint: "bala"}


def test_one_key_has_one_name(tmp_path, folder):
    """A key under two names would let one person be two."""
    files = keygen("bala", directory=tmp_path)
    shutil.copy(files.public, folder)
    content = json.loads(files.public.read_text()) | {"name": "asha"}
    (folder / "asha.pub").write_text(json.dumps(content))
    with pytest.raises(UsageError, match="another name"):
        load_approvers(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no mode bits")
@pytest.mark.parametrize("open_to_others", ["folder", "file"])
def test_what_others_can_change_is_not_believed(tmp_path, folder, open_to_others):
    """Whoever can write there could make anybody an approver."""
    files = keygen("bala", directory=tmp_path)
    shutil.copy(files.public, folder)
    (folder if open_to_others == "folder" else folder / "bala.pub").chmod(0o777)
    with pytest.raises(UsageError, match="chmod go-w"):
        load_approvers(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "0" * 64},
        {"key": encoded(b"x" * 32)},
        {"key": encoded(b"x" * 31), "fingerprint": fingerprint_of(b"x" * 31)},
        {"key": "!!"},
        {"key": None},
        {"name": "../x"},
        {"name": " bala"},
        {"name": None},
        {"format": "other"},
        {"more": 1},
    ],
)
def test_a_file_that_was_changed_is_refused(tmp_path, change):
    """A public file is what keygen wrote, or nothing."""
    files = keygen("bala", directory=tmp_path)
    assert read_public_file(files.public) == ("bala", files.fingerprint)
    content = json.loads(files.public.read_text())
    files.public.write_text(json.dumps(content | change))
    with pytest.raises(UsageError, match="no public key"):
        read_public_file(files.public)


@pytest.mark.parametrize("content", [b"", b"[]", b"5", b"{", b"\xff", b"[" * 5000, b"{}"])
def test_what_is_no_public_file_is_refused(tmp_path, content):
    """Any other file is an error that names it."""
    path = tmp_path / "x.pub"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.pub"):
        read_public_file(path)
    with pytest.raises(UsageError, match="no public key"):
        read_public_file(tmp_path / "none.pub")
