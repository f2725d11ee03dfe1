"""SQL over a snapshot: the snapshot's own files, and nothing else of the machine."""

import pytest
from dataset_cases import publish

from tokenvault_data.errors import UsageError


def test_a_query_answers_over_both_tables(tmp_path):
    """Instruments and outcomes can be joined, with parameters, and give a table of results."""
    snapshot = publish(tmp_path, "fetched", "empty", "failed")
    rows = snapshot.sql(
        "SELECT outcome, count(instrument_id) AS cards FROM outcomes LEFT JOIN instruments"
        " USING (customer_id) WHERE outcome <> ? GROUP BY 1 ORDER BY 1",
        ["failed"],
    )
    assert rows.to_dict("records") == [
        {"outcome": "empty", "cards": 0},
        {"outcome": "fetched", "cards": 2},
    ]
    assert "customer_id" not in rows.columns


def test_a_snapshot_without_cards_answers_as_well(tmp_path):
    """No card is an empty table with all its columns, not an error."""
    snapshot = publish(tmp_path, "empty")
    assert len(snapshot.sql("SELECT card_network, expires_on FROM instruments")) == 0


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1; SELECT 2",
        "COPY (SELECT 1) TO '{folder}/written.csv'",
        "CREATE TABLE mine AS SELECT 1",
        "ATTACH '{folder}/other.db'",
        "SET memory_limit = '1GB'",
        "INSTALL httpfs",
        "SELECT * FROM read_csv('{folder}/secret.csv')",
        "SELECT * FROM '{folder}/secret.csv'",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM secret_variable",
        "SELECT nothing FROM instruments",
        "SELEKT",
        "",
    ],
)
def test_only_one_select_over_the_snapshot_is_answered(tmp_path, query):
    """Other statements, other files and variables of the program are refused in one sentence."""
    secret_variable = [1]  # a variable that DuckDB would find if it was let
    (tmp_path / "secret.csv").write_text("a\n1\n")
    snapshot = publish(tmp_path, "fetched")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError) as refused:
        snapshot.sql(query.format(folder=tmp_path))
    assert "\n" not in str(refused.value)
    assert sorted(tmp_path.rglob("*")) == before
    assert secret_variable


@pytest.mark.parametrize("kind", ["INTEGER", "DATE", "DOUBLE", "UUID", "BOOLEAN", "STRUCT(a INT)"])
def test_an_error_about_values_quotes_none(tmp_path, kind):
    """The value that does not fit may be an id."""
    snapshot = publish(tmp_path, "fetched")
    (one,) = snapshot.outcomes().to_table()["customer_id"].to_pylist()
    with pytest.raises(UsageError) as refused:
        snapshot.sql(f"SELECT customer_id::{kind} FROM outcomes")
    assert one not in str(refused.value)


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    """A query leaves no temporary file where it was run."""
    monkeypatch.chdir(tmp_path)
    snapshot = publish(tmp_path / "store", "fetched")
    snapshot.sql("SELECT count(*) FROM instruments")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_the_digest_is_that_of_the_content(tmp_path):
    """Two snapshots never share a digest; one has always the same."""
    first, second = publish(tmp_path / "a", "fetched"), publish(tmp_path / "b", "fetched")
    assert first.digest == first.digest != second.digest
    assert len(first.digest) == 64
