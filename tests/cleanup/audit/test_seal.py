"""The seal: of a campaign that is over no byte can be changed without being found."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest
from cleanup_journals import (
    campaign_folder,
    findings,
    found,
    small,
    unsealed,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenvault_data.cleanup.audit.audit import audit_cleanup
from tokenvault_data.cleanup.audit.seal import _line, seal_journal
from tokenvault_data.errors import UsageError

FILES = ("plan.json", "journal.sqlite", "seal.json", "approval")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A campaign that is over and in which every final occurs; not to be changed."""
    return campaign_folder(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / whole.name)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_flipped_bit_is_found_and_its_file_named(whole, tmp_path_factory, data):
    """Of plan, journal, approval and seal there is no byte that can be changed unnoticed."""
    folder = shutil.copytree(whole, tmp_path_factory.mktemp("flip") / whole.name)
    start = data.draw(st.sampled_from(FILES))
    (path,) = folder.glob(f"{start}*")
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    assert any(finding.startswith(path.name) for finding in findings(folder))
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("field", "value"), [("pages", 5), ("pages", [5]), ("journal_bytes", "x"), ("audit_rows", None)]
)
def test_a_seal_of_another_form_is_damaged(copy, field, value):
    """However well its digest fits: no key is needed for that."""
    seal = json.loads((copy / "seal.json").read_bytes()) | {field: value}
    del seal["digest"]
    (copy / "seal.json").write_bytes(_line(seal))
    (copy / "journal.sqlite").write_bytes(b"another")
    assert "seal.json: it is not as it was written" in findings(copy)


def test_a_change_in_a_page_that_nothing_reads_is_placed(whole, copy):
    """A byte between the cells of a table is found, with its place in the file and its table."""
    path = copy / "journal.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        ((page,),) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name='items'"
        ).fetchall()
    content = bytearray(path.read_bytes())
    at = (page - 1) * 4096 + 1000  # between the pointers at its start and the rows at its end
    assert content[at] == 0
    content[at] = 1
    path.write_bytes(content)
    place = f"bytes {(page - 1) * 4096:,} to {page * 4096 - 1:,} (page {page}, table items)"
    assert findings(copy) == (f"journal.sqlite: {place} were changed after the campaign was over",)


@pytest.mark.parametrize("left", [0, 1, 100, 4096, 10_000])
def test_a_cut_journal_is_found(copy, left):
    """However little is left of it, that is a finding and no traceback."""
    path = copy / "journal.sqlite"
    path.write_bytes(path.read_bytes()[:left])
    assert found(copy, "journal.sqlite")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("journal.sqlite", ("journal.sqlite", "missing")),
        ("seal.json", ("seal.json", "missing")),
        ("approval", ("journal.sqlite", "approval", "no file")),
    ],
)
def test_a_removed_file_is_found(copy, name, words):
    """Plan, journal, approvals and seal belong together."""
    (path,) = copy.glob(f"{name}*")
    path.unlink()
    assert found(copy, *words)


def test_a_removed_plan_is_no_campaign(copy):
    """Without a plan there is nothing to audit, which is said so."""
    (copy / "plan.json").unlink()
    with pytest.raises(UsageError, match="no plan"):
        audit_cleanup(copy)


def test_a_seal_is_for_campaigns_that_are_over(tmp_path, whole):
    """An open campaign is not sealed, and a seal is never made anew."""
    with pytest.raises(UsageError, match="not over"):
        seal_journal(unsealed(tmp_path, small()))
    before = (whole / "seal.json").read_bytes()
    assert seal_journal(whole).read_bytes() == before
