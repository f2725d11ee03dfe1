"""Small files that only their owner may read."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tokenvault_data.private_files import (
    MAX_PRIVATE_FILE_BYTES,
    NotPrivateError,
    config_directory,
    read_private_file,
    write_private_file,
)

posix_only = pytest.mark.skipif(os.name != "posix", reason="rights of files are a POSIX matter")
root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away"
)


def test_what_was_written_is_read(tmp_path):
    """A private file comes back whole, and nothing else is left in its new directory."""
    path = tmp_path / "a" / "b" / "file"
    write_private_file(path, b"content", replace=False)
    assert read_private_file(path) == b"content"
    assert list(path.parent.iterdir()) == [path]


@posix_only
def test_a_private_file_is_private_from_its_first_byte(tmp_path):
    """Whatever the umask, owner rights are all there is."""
    before = os.umask(0)
    try:
        write_private_file(tmp_path / "file", b"content", replace=False)
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o7777 == 0o600


def test_an_existing_file_gives_way_only_when_asked(tmp_path):
    """Without replace the old content stays, with it the new content is there whole."""
    path = tmp_path / "file"
    write_private_file(path, b"old", replace=False)
    with pytest.raises(FileExistsError):
        write_private_file(path, b"new", replace=False)
    assert read_private_file(path) == b"old"
    write_private_file(path, b"new", replace=True)
    assert read_private_file(path) == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_one_of_many_writers_wins(tmp_path):
    """When many write at once, exactly one succeeds and its content is what stays."""
    path = tmp_path / "file"

    def write(number):
        try:
            write_private_file(path, str(number).encode() * 1000, replace=False)
        except FileExistsError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        won = [number for number in pool.map(write, range(8)) if number is not None]
    assert len(won) == 1
    assert read_private_file(path) == str(won[0]).encode() * 1000


@posix_only
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o601, 0o777])
def test_a_file_that_others_can_use_is_refused(tmp_path, mode):
    """Any right of group or others is too much, and the message gives the command."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    path.chmod(mode)
    with pytest.raises(NotPrivateError, match="chmod 600"):
        read_private_file(path)


@posix_only
@root_only
def test_files_and_links_of_other_users_are_refused(tmp_path):
    """Neither a file of another user nor a link that another user made is followed."""
    mine, theirs, link = (tmp_path / name for name in ("mine", "theirs", "link"))
    for path in (mine, theirs):
        path.write_bytes(b"content")
        path.chmod(0o600)
    os.chown(theirs, 12345, 12345)
    link.symlink_to(mine)
    assert read_private_file(link) == b"content"
    os.chown(link, 12345, 12345, follow_symlinks=False)
    for path in (theirs, link):
        with pytest.raises(NotPrivateError, match="another user"):
            read_private_file(path)


@posix_only
def test_what_is_no_small_regular_file_is_refused(tmp_path):
    """A pipe is refused without waiting for a writer, and an endless file is not read whole."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(NotPrivateError, match="regular"):
        read_private_file(tmp_path / "pipe")
    big = tmp_path / "big"
    big.write_bytes(b"x" * (MAX_PRIVATE_FILE_BYTES + 1))
    big.chmod(0o600)
    with pytest.raises(NotPrivateError, match="larger"):
        read_private_file(big)


def test_the_directory_can_be_named():
    """TOKENVAULT_CONFIG wins over the platform's directory."""
    assert config_directory({"TOKENVAULT_CONFIG": "/x/y"}) == Path("/x/y")
    assert config_directory({}).name == "tokenvault-data"
