"""New values and changed volumes against older data."""

from dataclasses import replace
from datetime import timedelta

import pytest
from analysis_cases import NOW, card, publish, table_of

from tokenvault_data.analysis.cards.card_view import card_view
from tokenvault_data.analysis.cards.source import open_source
from tokenvault_data.analysis.quality.drift import drift_checks, open_older
from tokenvault_data.analysis.quality.quality import quality, quality_rows
from tokenvault_data.analysis.quality.settings import QUALITY_SETTINGS
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.snapshots import Snapshot
from tokenvault_data.errors import UsageError

BANKS = load_bank_names()


def checks(source, **options):
    found = quality(source, as_of=NOW, banks=BANKS, **options).arrow().to_pylist()
    return {row["check"]: row for row in found}


def drift(source, against):
    """What the checks for drift alone find, of those of `quality`."""
    opened = open_source(source)
    older = open_older(against, opened)
    with card_view(opened, as_of=NOW.date(), banks=BANKS) as connection:
        found = drift_checks(
            connection, opened, older, QUALITY_SETTINGS, day=NOW.date(), banks=BANKS
        )
    return {one.check: one for one in found}


OLD = {"c": [card("a"), card("b", card_network="rupay")], "d": []}


def test_a_value_never_seen_before_is_named(tmp_path):
    """A network that no older snapshot has warns with its cards; one that any has does not."""
    first, second = publish(tmp_path, OLD), publish(tmp_path, {"c": [card(card_network="amex")]})
    new = {"c": [card("a", card_network="amex"), card("b", card_network="diners"), card("d")]}
    snapshot = publish(tmp_path, new)
    row = checks(snapshot, against=[first, second])["drift:card_network"]
    assert (row["verdict"], row["rows"], row["share"]) == ("warn", 1, pytest.approx(1 / 3))
    assert "'diners' 1 card" in row["finding"]
    listed = quality_rows(snapshot, "drift:card_network", against=[first, second])
    assert listed["instrument_id"].to_list() == ["b"]
    assert drift(snapshot, first)["drift:card_network"].rows == 2


def test_missing_values_do_not_drift(tmp_path):
    """A value that is missing is no new value; missing values are counted elsewhere."""
    older, snapshot = publish(tmp_path, OLD), publish(tmp_path, {"c": [card(card_network=None)]})
    assert drift(snapshot, older)["drift:card_network"].verdict == "pass"


def test_a_new_spelling_is_no_new_bank(tmp_path):
    """Banks are compared by their canonical names."""
    older = publish(tmp_path, {"c": [card(card_bank_name="HDFC BANK")]})
    spelled = publish(tmp_path, {"c": [card(card_bank_name="HDFC Bank Limited")]})
    other = publish(tmp_path, {"c": [card(card_bank_name="AXIS BANK")]})
    assert drift(spelled, older)["drift:bank"].verdict == "pass"
    assert drift(other, older)["drift:bank"].verdict == "warn"
    assert len(quality_rows(other, "drift:bank", against=older)) == 1


def test_a_new_api_version_shows(tmp_path):
    """The version asked for is compared like what was answered."""
    older, snapshot = publish(tmp_path, OLD), publish(tmp_path, OLD, version="2026-01-01")
    found = checks(snapshot, against=older)
    drifted = {
        check for check, row in found.items() if row["verdict"] == "warn" and "drift" in check
    }
    assert drifted == {"drift:api_version"}


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    """Twenty cards of the two customers fetched."""
    vault = {"c": [card(f"i{at}") for at in range(20)], "d": []}
    return publish(tmp_path_factory.mktemp("store"), vault, failed=["x"])


@pytest.mark.parametrize(
    ("cards", "verdict"),
    [(20, "pass"), (22, "pass"), (23, "warn"), (30, "warn"), (31, "fail"), (9, "fail")],
)
def test_cards_per_customer(tmp_path, older, cards, verdict):
    """More or fewer cards per customer than before: above 10% it warns, above 50% it fails."""
    snapshot = publish(tmp_path, {"c": [card(f"i{at}") for at in range(cards)], "d": []})
    assert drift(snapshot, older)["volume"].verdict == verdict


def test_the_newest_of_several_is_what_volume_is_compared_with(tmp_path):
    """In whatever order older snapshots are given, the latest made counts."""
    long_ago = publish(tmp_path, {"c": [card("a")]}, now=NOW - timedelta(days=60))
    lately = publish(tmp_path, {"c": [card("a"), card("b")]}, now=NOW - timedelta(days=30))
    snapshot = publish(tmp_path, {"c": [card("a"), card("b")]})
    for against in ([long_ago, lately], [lately, long_ago]):
        volume = drift(snapshot, against)["volume"]
        assert volume.verdict == "pass"
        assert lately.id in volume.finding


def test_without_older_data_drift_is_unknown():
    """Nothing to compare with is said, and is no pass."""
    table = table_of(OLD)
    found = checks(table)
    assert {row["verdict"] for c, row in found.items() if c.startswith(("drift", "volume"))} == {
        "unknown"
    }
    with pytest.raises(UsageError, match="older"):
        quality_rows(table, "drift:bank")


def test_tables_can_be_compared_and_not_mixed(tmp_path):
    """Tables compare with tables; a table and a snapshot count customers differently."""
    table, snapshot = table_of(OLD), publish(tmp_path, OLD)
    assert drift(table, table)["volume"].verdict == "pass"
    mixed = drift(snapshot, table)
    assert mixed["volume"].verdict == "unknown"
    assert mixed["drift:bank"].verdict == "pass"
    lacking = table.drop_columns(["card_country"])
    assert drift(table, lacking)["drift:card_country"].verdict == "unknown"
    assert drift(table, table.slice(0, 0))["volume"].verdict == "unknown"


def test_another_environment_is_refused(tmp_path):
    """Snapshots of two environments have nothing to say of each other."""
    snapshot = publish(tmp_path, OLD)
    elsewhere = Snapshot(snapshot.path, replace(snapshot.manifest, environment="production"))
    with pytest.raises(UsageError, match="another environment"):
        quality(snapshot, against=elsewhere)
