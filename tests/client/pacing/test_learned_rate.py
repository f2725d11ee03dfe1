"""What is kept of a search for a limit, between one session and the next."""

import json
import math
from datetime import UTC, datetime, timedelta

import pytest

from tokenvault_data.client.pacing.blind_search import Learned
from tokenvault_data.client.pacing.learned_rate import LearnedRate, read_learned, write_learned


def test_what_was_learned_of_the_rate_is_kept_for_a_day(tmp_path):
    """A later session starts from it; what is old, or nonsense, is as if there were none."""
    assert read_learned(tmp_path) is None
    for learned in (Learned(45.0, None), Learned(200.0, 400.0)):
        write_learned(tmp_path, learned)
        assert read_learned(tmp_path)[:2] == learned[:2]
    path = tmp_path / "rate.json"
    written = path.read_text()
    day = datetime.now(UTC) - timedelta(hours=25)
    told = json.loads(written) | {"learned_at": day.isoformat()}
    for content in (json.dumps(told), "{}", "[]", written.replace("200.0", "-1"), "\x00"):
        path.write_text(content)
        assert read_learned(tmp_path) is None


NOW = datetime.now(UTC).isoformat()


@pytest.mark.parametrize(
    "content",
    [
        {"learned_at": NOW[:19]},  # without a zone
        {"learned_at": 5},
        {"learned_at": "9999-12-31T23:59:59+00:00"},
        {"rate_per_minute": 10**400},
        {"rate_per_minute": 1e9},
        {"rate_per_minute": 0.001},
        {"rate_per_minute": math.nan},
        {"rate_per_minute": [3]},
        {"limit_per_minute": 0.0},
        {"limit_per_minute": 1e9},
        {"limit_per_minute": math.nan},
        {"limit_age_seconds": -90_000.0},
        {"limit_age_seconds": math.inf},
        {"limit_age_seconds": None},
        "[" * 100_000,
        '{"a":' * 700,
        "null",
        '"x"',
        " " * 9_000_000,
    ],
)
def test_a_damaged_note_of_the_rate_is_as_if_there_were_none(tmp_path, content):
    """No value in it raises an error, runs away or stands still."""
    if isinstance(content, dict):
        sound = {"rate_per_minute": 60.0, "limit_per_minute": 120.0, "learned_at": NOW}
        content = json.dumps(sound | content)
    (tmp_path / "rate.json").write_text(content)
    assert read_learned(tmp_path) is None


def test_a_limit_grows_older_between_sessions(tmp_path):
    """Found twenty hours before the note of two hours ago, it is twenty-two hours old."""
    noted = {
        "rate_per_minute": 60.0,
        "limit_per_minute": 120.0,
        "limit_age_seconds": 72_000.0,
        "learned_at": (datetime.now(UTC) - timedelta(hours=2)).isoformat(),
    }
    (tmp_path / "rate.json").write_text(json.dumps(noted))
    assert read_learned(tmp_path).limit_age_seconds == pytest.approx(79_200.0, abs=60.0)
    del noted["limit_age_seconds"]  # as older versions wrote it
    (tmp_path / "rate.json").write_text(json.dumps(noted))
    assert read_learned(tmp_path).limit_age_seconds == pytest.approx(7_200.0, abs=60.0)


class Client:
    """What a note needs of one."""

    learned = None

    def adopt(self, learned):
        self.learned = learned


def test_a_session_goes_on_from_the_note_and_leaves_its_own(tmp_path):
    """A client without a note, or whose vault tells its limit, changes nothing."""
    client = Client()
    LearnedRate(tmp_path, client).keep()
    assert client.learned is None
    assert not (tmp_path / "rate.json").exists()
    write_learned(tmp_path, Learned(45.0, None))
    rate = LearnedRate(tmp_path, client)
    assert client.learned == Learned(45.0, None)
    client.learned = Learned(90.0, None)
    rate.keep_if_old()
    assert read_learned(tmp_path) == Learned(45.0, None)  # no ten seconds have passed
    rate.keep()
    assert read_learned(tmp_path) == Learned(90.0, None)
