"""One campaign at a time for an account, wherever its store lies."""

import subprocess
import sys

import pytest

from tokenvault_data.cleanup.campaign.locking import (
    at_work_elsewhere,
    is_campaign_at_work,
    lock_path,
    only_campaign,
    only_in_folder,
)
from tokenvault_data.errors import Locked, UsageError

_HOLD = """
import sys, time
from pathlib import Path
from tokenvault_data.cleanup.campaign.locking import only_campaign
with only_campaign("production", "abc", Path(sys.argv[1]), plan_id="0123456789ab"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_another_process_is_refused_until_the_first_has_died(tmp_path):
    """The lock is the system's: it ends with its process, even one that was killed."""
    assert "(plan" not in str(at_work_elsewhere("production", "abc", tmp_path))
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(Locked, match=r"\(plan 0123456789ab\) is at work"),
            only_campaign("production", "abc", tmp_path),
        ):
            pass
        with only_campaign("production", "other", tmp_path):
            pass
        with only_campaign("sandbox", "abc", tmp_path):
            pass
        holder.kill()
        holder.wait()
    with only_campaign("production", "abc", tmp_path):
        pass


def test_it_lies_with_the_settings_and_not_with_the_store(tmp_path, monkeypatch):
    """A copy of a store meets the same lock."""
    monkeypatch.setenv("TOKENVAULT_CONFIG", str(tmp_path))
    assert lock_path("production", "abc").is_relative_to(tmp_path / "locks")
    assert "abc" not in lock_path("production", "abc").name


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    """Without a lock nothing begins."""
    (tmp_path / "locks").write_text("a file")
    with pytest.raises(UsageError, match="lock"), only_campaign("production", None, tmp_path):
        pass


def test_whether_somebody_is_at_work_can_be_asked(tmp_path):
    """It is so exactly while the lock is held, by this process or another; asking keeps nothing."""
    assert not is_campaign_at_work("production", "abc", tmp_path)
    assert not (tmp_path / "locks").exists()
    with only_campaign("production", "abc", tmp_path):
        assert is_campaign_at_work("production", "abc", tmp_path)
        assert not is_campaign_at_work("production", "other", tmp_path)
    assert not is_campaign_at_work("production", "abc", tmp_path)
    with only_campaign("production", "abc", tmp_path):
        pass


def test_a_campaigns_folder_is_locked_by_itself(tmp_path):
    """Two settings folders have two locks of the account, and one of the campaign."""
    folder = tmp_path / "campaign"
    folder.mkdir()
    with only_campaign("production", "abc", tmp_path / "one"), only_in_folder(folder):
        with (
            only_campaign("production", "abc", tmp_path / "two"),
            pytest.raises(Locked, match="another process is at work on this campaign"),
            only_in_folder(folder),
        ):
            pass
        with only_in_folder(tmp_path):
            pass
    with only_in_folder(folder):
        pass
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UsageError, match="cannot be locked"), only_in_folder(tmp_path / "file"):
        pass
