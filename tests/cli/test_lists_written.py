"""Every file of customers that a command writes means the same customers to every command."""

import csv
import json
from contextlib import suppress
from datetime import timedelta

import pyarrow as pa
import pytest
from cli_bench import NOW, Shell

from tokenvault_data import open_snapshot, quality
from tokenvault_data.analysis.quality.quality import quality_rows
from tokenvault_data.cleanup.report.report import COMPLETION
from tokenvault_data.cleanup.selection.holds import read_hold
from tokenvault_data.cleanup.selection.rules import listed
from tokenvault_data.collection.our_files import OUR_COLUMNS, OUR_RESULTS
from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten
from tokenvault_data.dataset.schema import OUTCOMES
from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter
from tokenvault_data.errors import UsageError

pytestmark = pytest.mark.timeout(600)  # two dozen commands before the first test

IDS = (
    *("+919876500000", "@user0", "-7", "=1+1", "'+91", "'alice", "o'neil", "''x'", "'q'"),
    *("unknown", "0", "-", "<null>", "(x)", "Total", "customer_id", "alice", "cust_0000001"),
)
WRITING = {
    "expiring --to": ("expiring", "latest", "--within", "5000d", "--as-of", "2019-01-01", "--to"),
    "expiring --outreach": (
        *("expiring", "latest", "--within", "5000d", "--as-of", "2019-01-01", "--outreach"),
    ),
    "changes --to": ("changes", "OLD", "latest", "--to"),
    "identity --members": ("identity", "latest", "--members"),
    "export --to": ("export", "latest", "--to"),
    "export --columns": ("export", "latest", "--columns", "customer_id", "--to"),
    "export of pairs": ("export", "latest", "--columns", "customer_id,instrument_id", "--to"),
    "quality --to": ("quality", "latest", "--check", "expired_but_active", "--to"),
}

COUNTING = {
    "breakdown --to": ("breakdown", "latest", "--by", "bank", "--to"),
    "breakdown by two": ("breakdown", "latest", "--by", "card_network,expires_in", "--to"),
    "quality of all": ("quality", "latest", "--to"),
    "identity --to": ("identity", "latest", "--to"),
}


def _card(place, status):
    return {
        "instrument_id": f"{IDS[place]}",  # an id of a card may look like that as well
        "instrument_uid": "one-card-of-all",
        "instrument_status": status,
        "instrument_type": "card",
        "created_at": "2018-11-01T04:55:07.000+00:00",
        "instrument_meta": {
            "card_network": "visa",
            "card_token_details": {"expiry_month": "05", "expiry_year": "2020"},
        },
    }


def _publish(store, status, now):
    bodies = [
        ReceivedBody(one, json.dumps([_card(place, status)]).encode(), 0, "2025-01-01")
        for place, one in enumerate(IDS)
    ]
    outcomes = [
        {
            "customer_id": one,
            "position": place,
            "outcome": "fetched",
            "instruments": 1,
            "requests": 1,
            "finished_at": now,
        }
        for place, one in enumerate(IDS)
    ]
    with SnapshotWriter(store, now=now) as writer:
        writer.add(flatten(bodies).table, pa.Table.from_pylist(outcomes, schema=OUTCOMES))
        facts = CollectionFacts(len(IDS), "emulator", "2025-01-01", now, now, "abcdef012345")
        return writer.publish(facts)


@pytest.fixture(scope="module")
def written(tmp_path_factory, running_emulator):
    """A folder in which every command has written its file, as CSV and as Parquet."""
    shell = Shell(tmp_path_factory.mktemp("written"), running_emulator.base_url)
    store = shell.folder / "vault-data"
    old = _publish(store, "INACTIVE", NOW - timedelta(days=30))
    _publish(store, "ACTIVE", NOW)
    for number, arguments in enumerate((WRITING | COUNTING).values()):
        for suffix in ("csv", "parquet"):
            given = [old.id if one == "OLD" else one for one in arguments]
            ended = shell.run(*given, f"{number}.{suffix}")
            assert ended.code == 0, ended.err
    return shell


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("name", WRITING)
def test_a_list_that_a_command_wrote_is_read_as_the_same_customers(written, name, suffix):
    """By collect, by the hold lists, and, where it has cards, by the rule of a cleanup."""
    path = written.folder / f"{list(WRITING).index(name)}.{suffix}"
    ended = written.run("collect", path, "--fresh", "--store", "again", "--rate", 60000, "--json")
    assert ended.code == 0, ended.err
    asked = open_snapshot(written.folder / "again", ended.document["snapshot"]).outcomes()
    assert set(asked.to_table().column("customer_id").to_pylist()) == set(IDS)
    hold = read_hold(path)
    assert set(IDS) <= set(hold.customers) | {customer for customer, _ in hold.cards}
    if "instrument_id" in path.read_bytes()[:300].decode("latin-1") and suffix == "csv":
        assert set(listed(path).pairs) == {(one, one) for one in IDS}
        ended = written.run("cleanup", "simulate", "latest", "--from", path, "--json")
        assert ended.document["cards"] == len(IDS)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("name", COUNTING)
def test_a_table_that_counts_customers_is_no_list_of_them(written, name, suffix):
    """Nothing is requested of it, and the error says what it is."""
    path = written.folder / f"{list(WRITING | COUNTING).index(name)}.{suffix}"
    ended = written.run("collect", path, "--fresh", "--store", "none", "--json")
    assert ended.code == 2
    assert "results without customer ids" in ended.document["error"]["message"]
    assert not (written.folder / "none").exists()


def test_every_column_that_we_write_is_known_as_ours(written):
    """A column that no list of ours has makes our own file a stranger's."""
    for number, name in enumerate(WRITING | COUNTING):
        with (written.folder / f"{number}.csv").open(newline="") as file:
            heading = set(next(csv.reader(file)))
        assert heading <= (OUR_RESULTS if name in COUNTING else OUR_COLUMNS), name
    snapshot = open_snapshot(written.folder / "vault-data", "latest")
    checks = quality(snapshot)
    assert set(checks.columns) <= OUR_RESULTS
    tables = 0
    for check in checks["check"]:
        with suppress(UsageError):  # a check of the whole
            assert set(quality_rows(snapshot, check).columns) <= OUR_COLUMNS, check
            tables += 1
    assert tables > 5
    assert set(COMPLETION.names) <= OUR_COLUMNS
