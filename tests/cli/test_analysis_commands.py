"""The analyses from the command line, over stores made for them."""

import csv
import json
from datetime import timedelta

import pytest
from cli_bench import NOW, documented_fields, publish

BANKS = (
    "HDFC BANK",
    "HDFC Bank Limited",
    "ICICI BANK",
    "<img src=x onerror=alert(1)>",
    "\x1b[31mred",
)
OLD, NEW = "vault-data/snapshots", "latest"


@pytest.fixture
def store(alone):
    """Two snapshots a month apart: in the later one, two customers of five are not there."""
    folder = alone.folder / "vault-data"
    publish(folder, *BANKS, now=NOW - timedelta(days=30))
    publish(folder, *BANKS[:3], failed=1)
    return folder


@pytest.fixture
def snapshots(alone, store):
    """Ids of the newer and the older one."""
    return [row["snapshot"] for row in alone.run("snapshots", "--json").document["snapshots"]]


def commands(snapshots):
    """Every analysis as it is typed, with the place of its JSON in the page."""
    newer, older = snapshots
    return {
        "breakdown": ["breakdown", older, "--by", "bank,card_network"],
        "expiring": ["expiring", older, "--as-of", "2020-05-01"],
        "changes": ["changes", older, newer],
        "identity": ["identity", older],
        "quality": ["quality", newer, "--against", older],
    }


@pytest.mark.parametrize("name", ["breakdown", "expiring", "changes", "identity", "quality"])
def test_text_and_json_of_an_analysis(alone, snapshots, name):
    """Each prints a finding and figures, documented JSON, no id, and nothing a terminal obeys."""
    arguments = commands(snapshots)[name]
    shown = alone.run(*arguments)
    assert (shown.code, shown.err) == (0, "")
    assert len(shown.out.splitlines()) > 2
    assert "\x1b" not in shown.out
    told = alone.run(*arguments, "--json")
    assert [list(told.document)] == documented_fields(f"tokenvault {name}")[-1:]
    for text in (shown.out, told.out):
        assert "cust_" not in text
        assert "card_0" not in text


@pytest.mark.parametrize("name", ["breakdown", "expiring", "changes", "identity", "quality"])
def test_rows_go_to_a_file(alone, snapshots, name):
    """`--to` writes the rows whole, and the JSON says where and how many."""
    told = alone.run(*commands(snapshots)[name], "--to", "rows.csv", "--json")
    file = told.document["file"]
    with (alone.folder / "rows.csv").open(newline="", encoding="utf-8") as rows:
        assert len(list(csv.DictReader(rows))) == file["rows"]
    assert file["path"] == "rows.csv"


def test_a_breakdown_adds_up(alone, store):
    """Spellings of one bank are one line, the others are kept apart, and the lines add up."""
    older = alone.run("snapshots", "--json").document["snapshots"][1]["snapshot"]
    rows = alone.run("breakdown", older, "--by", "bank", "--json").document["rows"]
    assert {row["bank"]: row["cards"] for row in rows}["HDFC Bank"] == 2
    assert sum(row["cards"] for row in rows) == 5
    few = alone.run("breakdown", older, "--by", "bank", "--top", "1", "--json").document["rows"]
    assert [(row["bank"], row["cards"]) for row in few] == [("HDFC Bank", 2), ("(other)", 3)]
    chosen = alone.run("breakdown", older, "--where", "card_bank=ICICI BANK", "--json").document
    assert [row["cards"] for row in chosen["rows"]] == [1]


def test_a_customer_who_failed_is_not_gone(alone, snapshots):
    """A customer who failed, or was not asked for, has lost no card that is known of."""
    newer, older = snapshots
    told = alone.run("changes", older, newer, "--json").document
    counts = {row["what"]: row["cards"] for row in told["summary"]}
    assert counts["gone"] == 0
    assert counts["unknown_old"] == 2


def test_names_of_banks_can_be_given(alone, store):
    """A table of one's own renames spellings."""
    (alone.folder / "banks.csv").write_text(
        "spelling,bank,note\nICICI BANK,The Other Bank,\n", encoding="utf-8"
    )
    rows = alone.run("breakdown", "latest", "--by", "bank", "--banks", "banks.csv", "--json")
    assert "The Other Bank" in {row["bank"] for row in rows.document["rows"]}
    refused = alone.run("breakdown", "latest", "--by", "bank", "--banks", "missing.csv")
    assert refused.code == 2


def test_customers_to_write_to_are_in_a_file(alone, store):
    """`--outreach` writes customers whose every usable card expires in time, hashed if asked."""
    older = alone.run("snapshots", "--json").document["snapshots"][1]["snapshot"]
    told = alone.run(
        *("expiring", older, "--as-of", "2020-05-01", "--outreach", "who.csv"),
        *("--policy", "masked", "--json"),
    )
    assert told.document["customers_at_risk"] == told.document["outreach_file"]["rows"] == 5
    text = (alone.folder / "who.csv").read_text(encoding="utf-8")
    assert text.count("cust#") == 5
    assert "cust_" not in text


def test_rows_behind_a_check(alone, snapshots):
    """`--check` with `--to` writes the rows behind one check."""
    newer, _ = snapshots
    checks = alone.run("quality", newer, "--json").document["rows"]
    name = next(row["check"] for row in checks if row["verdict"] != "pass" and row["rows"])
    told = alone.run("quality", newer, "--check", name, "--to", "rows.parquet", "--json")
    assert told.document["file"]["rows"] >= 1
    refused = alone.run("quality", newer, "--check", "nonsense", "--to", "x.csv", "--json")
    assert refused.code == 2
    assert not (alone.folder / "x.csv").exists()


def test_a_report_is_one_file(alone, snapshots):
    """The report names no customer, asks for nothing from elsewhere, and says its size."""
    newer, older = snapshots
    told = alone.run("report", newer, "--against", older, "--to", "cards.html", "--json")
    assert [list(told.document)] == documented_fields("tokenvault report")
    html = (alone.folder / "cards.html").read_text(encoding="utf-8")
    assert told.document["bytes"] == len(html.encode()) < 2_000_000
    assert "cust_" not in html
    assert "<img" not in html
    assert "http://" not in html.replace("http://www.w3.org/", "")


def test_conditions_that_cannot_be_read_are_refused(alone, store):
    """A misspelt column or value ends in one sentence that names the right one."""
    for condition, said in (("card_netwrok=visa", "card_network"), ("card_network=VISA", "visa")):
        refused = alone.run("breakdown", "latest", "--where", condition, "--json")
        assert refused.code == 2
        assert said in json.dumps(refused.document["error"]["message"])
