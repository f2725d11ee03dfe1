"""Whom this machine believes when they approve."""

import json
import os
import shutil

import pytest
from cleanup_journals import make_plan

from tokenvault_data.cleanup.approval import approvers
from tokenvault_data.cleanup.approval.approvers import (
    Trust,
    load_approvers,
    load_trust,
    phrase_for,
    read_public_file,
    trust_approver,
)
from tokenvault_data.cleanup.approval.keys import encoded, fingerprint_of, keygen
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
    with pytest.raises(UsageError, match="not a public key"):
        read_public_file(files.public)


@pytest.mark.parametrize("content", [b"", b"[]", b"5", b"{", b"\xff", b"[" * 5000, b"{}"])
def test_what_is_no_public_file_is_refused(tmp_path, content):
    """Any other file is an error that names it."""
    path = tmp_path / "x.pub"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.pub"):
        read_public_file(path)
    with pytest.raises(UsageError, match="not a public key"):
        read_public_file(tmp_path / "none.pub")


def test_a_look_alike_of_a_trusted_name_is_not_trusted(tmp_path):
    """Nor is a second key under the same file name; who is trusted stays as it was."""
    for at, name in enumerate(("bala", "bala")):
        files = keygen(name, directory=tmp_path / str(at))
        shutil.copy(files.public, tmp_path / f"{at}.pub")
    assert trust_approver(tmp_path / "0.pub", tmp_path).name == "bala"
    with pytest.raises(UsageError, match="another key of that name"):
        trust_approver(tmp_path / "1.pub", tmp_path)
    odd = keygen("BaIa", directory=tmp_path / "odd")
    with pytest.raises(UsageError, match="looks like bala"):
        trust_approver(odd.public, tmp_path)
    assert list(load_approvers(tmp_path).values()) == ["bala"]


# The system folder


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A system folder with a key of Bala in it, as if root had made it and all above it."""
    made = tmp_path / "etc" / "approvers"
    made.mkdir(parents=True, mode=0o755)
    shutil.copy(keygen("bala", directory=tmp_path / "other").public, made)
    modes = {}
    monkeypatch.setattr(approvers, "_owner_and_mode", lambda path: modes.get(path.name, (0, 0o755)))
    return made, modes


@pytest.fixture
def asha(tmp_path, folder):
    """Asha's key, trusted by this user alone."""
    files = keygen("asha", directory=tmp_path)
    shutil.copy(files.public, folder)
    return files


@pytest.mark.skipif(os.name != "posix", reason="elsewhere there is no system folder")
def test_where_the_system_folder_exists_only_it_counts(tmp_path, system, asha, monkeypatch):
    """What the user trusts is not read then, whatever a variable says."""
    trust = load_trust(tmp_path, system=tmp_path / "none")
    assert trust == Trust({asha.fingerprint: "asha"}, "self")
    trust = load_trust(tmp_path, system=system[0])
    assert (list(trust.approvers.values()), trust.source) == (["bala"], "system")
    monkeypatch.setenv("TOKENVAULT_CONFIG", str(tmp_path))
    assert list(load_trust(system=system[0]).approvers.values()) == ["bala"]
    next(iter(system[0].glob("*.pub"))).unlink()
    assert load_trust(tmp_path, system=system[0]) == Trust({}, "system")


@pytest.mark.skipif(os.name != "posix", reason="elsewhere there is no system folder")
@pytest.mark.parametrize("name", ["approvers", "etc", "bala.pub"])
@pytest.mark.parametrize(
    ("of", "words"),
    [((1000, 0o755), "belong to root"), ((0, 0o775), "by others"), ((0, 0o757), "by others")],
)
def test_a_system_folder_that_others_can_change_is_refused(tmp_path, system, name, of, words):
    """Folder, each folder above it and each key: root's, and nobody else may write there."""
    system[1][name] = of
    with pytest.raises(UsageError, match=words):
        load_trust(tmp_path, system=system[0])


@pytest.mark.skipif(os.name != "posix", reason="elsewhere there is no system folder")
def test_no_path_below_a_folder_of_everybody_is_the_systems(tmp_path, folder):
    """With the real owners and modes, a folder below the temporary one is refused."""
    everybody = tmp_path / "everybody"
    everybody.mkdir()
    everybody.chmod(0o777)
    (everybody / "approvers").mkdir()
    with pytest.raises(UsageError, match="root"):
        load_trust(tmp_path, system=everybody / "approvers")


@pytest.mark.skipif(os.name != "posix", reason="elsewhere there is no system folder")
@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_what_is_at_the_system_path_and_is_no_folder_is_refused(tmp_path, system, asha, kind):
    """Something of the wrong kind there does not make trust self-managed."""
    place = tmp_path / "etc" / "odd"
    place.write_text("x") if kind == "file" else place.symlink_to("nowhere")
    with pytest.raises(UsageError, match="no key was trusted"):
        load_trust(tmp_path, system=place)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere there is no system folder")
def test_a_user_cannot_trust_beside_the_administrator(tmp_path, system):
    """With a system folder nobody else adds approvers."""
    files = keygen("carl", directory=tmp_path)
    with pytest.raises(UsageError, match="administrator"):
        trust_approver(files.public, tmp_path, system=system[0])
    assert not (tmp_path / "approvers").exists()
    assert trust_approver(files.public, tmp_path, system=tmp_path / "none").name == "carl"


def test_self_managed_trust_in_production_is_typed():
    """Only there, and only without a system folder, is the phrase a longer one."""
    production, sandbox = make_plan(1), make_plan(1, environment="sandbox")
    own, system = Trust({}, "self"), Trust({}, "system")
    assert phrase_for(production, own) == f"{production.phrase} self-administered"
    assert phrase_for(production, system) == production.phrase
    assert phrase_for(sandbox, own) == sandbox.phrase
