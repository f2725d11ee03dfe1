"""What other programs leave in a folder is never taken for something of ours."""

import re

import pytest

from tokenvault_data.folders import entries, is_clutter, named

CLUTTER = (
    *(".DS_Store", "._part-00000.parquet", ".nfs000000001", ".fuse_hidden0001", ".~lock.x.csv#"),
    *(".ipynb_checkpoints", ".stversions", "Thumbs.db", "THUMBS.DB", "desktop.ini", "~$list.csv"),
    *("Icon\r", "__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "x.csv~", "~WRL0001.tmp"),
)


@pytest.mark.parametrize("name", CLUTTER)
def test_names_of_other_programs_are_clutter(tmp_path, name):
    """Hidden names, owner files, backups and the names of systems are not listed, in any case."""
    assert is_clutter(name)
    (tmp_path / name).touch()
    (tmp_path / "disputes.csv").touch()
    assert entries(tmp_path) == [tmp_path / "disputes.csv"]
    assert named(tmp_path, re.compile(".*", re.DOTALL)) == [tmp_path / "disputes.csv"]


def test_no_folder_holds_nothing(tmp_path):
    """A folder that is not there, or is a file, has no entries."""
    (tmp_path / "file").touch()
    assert entries(tmp_path / "none") == entries(tmp_path / "file") == []
