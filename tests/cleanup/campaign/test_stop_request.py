"""Asking another process to pause or to abort."""

import pytest

from tokenvault_data.cleanup.campaign.stop_request import (
    CONTROL_NAME,
    clear_stop_request,
    read_stop_request,
    request_stop,
)
from tokenvault_data.errors import UsageError


def test_a_word_is_there_until_it_is_taken_away(tmp_path):
    """The last word counts; taking away what is not there is no error."""
    assert read_stop_request(tmp_path) is None
    request_stop(tmp_path, "pause")
    request_stop(tmp_path, "abort")
    assert read_stop_request(tmp_path) == "abort"
    clear_stop_request(tmp_path)
    clear_stop_request(tmp_path)
    assert read_stop_request(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"delete everything", b"\xff\xfe"])
def test_any_other_word_is_none(tmp_path, content):
    """Nothing but the two words moves a campaign."""
    (tmp_path / CONTROL_NAME).write_bytes(content)
    assert read_stop_request(tmp_path) is None


def test_where_no_word_can_be_left_that_is_told(tmp_path):
    """A folder that is a file takes none."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="asked to pause"):
        request_stop(tmp_path / "file", "pause")
