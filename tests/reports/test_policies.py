"""What leaves under which policy."""

import re

import pandas as pd
import pyarrow as pa
import pytest

from tokenvault_data.dataset.masked_ids import is_identifying
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.errors import UsageError
from tokenvault_data.reports.export import export, read_export

IDENTIFYING = [name for name in INSTRUMENTS.names if is_identifying(name)]


@pytest.fixture(autouse=True)
def own_key(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENVAULT_CONFIG", str(tmp_path / "config"))


def cards():
    """Two cards of one customer and one of another; some ids missing."""
    rows = [
        {
            "customer_id": customer,
            "list_position": 0,
            "instrument_id": f"instrument-{place}",
            "instrument_uid": None if place == 1 else "uid-shared",
            "par": "par-shared",
            "afa_reference": "740324562",
            "customer_id_received": "somebody",
            "last_four": "4375",
            "card_network": "visa",
            "card_bank": "HDFC BANK",
            "fetched_at": pd.Timestamp("2026-11-22", tz="UTC"),
            "api_version": "2025-01-01",
            "extra": '{"email": "who@example.com"}',
        }
        for place, customer in enumerate(["customer-a", "customer-a", "customer-b"])
    ]
    return pa.Table.from_pylist(rows, schema=INSTRUMENTS)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_masked_holds_no_id_and_can_still_be_joined(tmp_path, suffix):
    """Ids are keyed hashes: equal ones equal, missing ones missing; free-form JSON stays behind."""
    path = export(cards(), tmp_path / f"cards{suffix}", policy="masked")
    content = path.read_bytes()
    for text in (
        b"customer-a",
        b"instrument-",
        b"uid-",
        b"par-",
        b"740324562",
        b"somebody",
        b"who",
    ):
        assert text not in content
    back = read_export(path)
    assert "extra" not in back
    assert back["customer_id"].nunique() == 2
    assert back["customer_id"][0] == back["customer_id"][1] != back["customer_id"][2]
    assert back["instrument_uid"].isna().tolist() == [False, True, False]
    assert all(re.fullmatch(r"cust#[0-9a-f]{16}", one) for one in back["customer_id"])
    assert back["card_bank"].tolist() == ["HDFC BANK"] * 3


def test_every_identifying_column_is_masked(tmp_path):
    """No column that holds ids is forgotten, whichever the schema has."""
    back = read_export(export(cards(), tmp_path / "cards.parquet", policy="masked"))
    plain = cards().to_pandas()
    for name in set(IDENTIFYING) - {"extra"}:
        assert set(back[name].dropna()).isdisjoint(set(plain[name].dropna())), name


def test_one_key_one_hash(tmp_path):
    """Two exports of one installation can be joined; with another key they cannot."""
    first = read_export(export(cards(), tmp_path / "1.parquet", policy="masked"))
    second = read_export(export(cards(), tmp_path / "2.parquet", policy="masked"))
    assert first["customer_id"].tolist() == second["customer_id"].tolist()
    assert first["customer_id"][0].split("#")[1] != first["instrument_id"][0].split("#")[1]


def test_minimal_is_last_four_network_and_bank(tmp_path):
    """The minimal policy lets out nothing else, and nothing else can be asked for."""
    back = read_export(export(cards(), tmp_path / "cards.csv", policy="minimal"))
    assert list(back.columns) == ["last_four", "card_network", "card_bank"]
    assert back["last_four"].tolist() == ["4375"] * 3
    with pytest.raises(UsageError, match="does not let out customer_id"):
        export(cards(), tmp_path / "no.csv", columns=["customer_id"], policy="minimal")
    with pytest.raises(UsageError, match="does not let out extra"):
        export(cards(), tmp_path / "no.csv", columns=["extra"], policy="masked")
    with pytest.raises(UsageError, match="leaves no column"):
        export(cards().select(["expires_on"]), tmp_path / "no.csv", policy="minimal")
    assert not (tmp_path / "no.csv").exists()


def test_full_is_everything(tmp_path):
    """Without a policy the export is the table."""
    back = read_export(export(cards(), tmp_path / "cards.parquet"))
    assert list(back.columns) == INSTRUMENTS.names
    assert back["customer_id"].tolist() == ["customer-a", "customer-a", "customer-b"]


def test_an_unknown_policy_is_refused(tmp_path):
    """A misspelt policy writes nothing."""
    with pytest.raises(UsageError, match="full, masked, minimal"):
        export(cards(), tmp_path / "no.csv", policy="mask")
