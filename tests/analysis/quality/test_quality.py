"""Verdicts on the data: every check finds what was put there, and its rows are listed."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from analysis_cases import NOW, card, publish, table_of
from expiry_cases import DAYS, VAULTS, cards_in, table_from
from hypothesis import given, settings

from tokenvault_data.analysis.quality.quality import quality, quality_rows
from tokenvault_data.analysis.quality.settings import QUALITY_SETTINGS, Threshold
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.flattening.canonical import INDIA
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.errors import UsageError

BANKS = load_bank_names()
COLUMNS = ["check", "verdict", "finding", "rows", "share", "threshold", "column"]


def checks(source, **options):
    table = quality(source, **{"as_of": NOW, "banks": BANKS} | options)
    assert list(table.columns) == COLUMNS
    rows = {row["check"]: row for row in table.arrow().to_pylist()}
    assert len(rows) == len(table)
    return rows


def ids_behind(source, check, **options):
    rows = quality_rows(source, check, **{"as_of": NOW, "banks": BANKS} | options)
    return rows["instrument_id"].to_list()


def test_a_good_snapshot_passes_what_can_be_told(tmp_path):
    """Of data without a fault every check passes, but for drift, which nothing is given for."""
    cards = [
        card(f"i{at}", expires="2028-12", par=f"V00{at}", instrument_uid=f"{at:064x}")
        for at in range(3)
    ]
    found = checks(publish(tmp_path, {"c0": cards, "d": []}))
    verdicts = {check: row["verdict"] for check, row in found.items()}
    unknown = {check for check, verdict in verdicts.items() if verdict == "unknown"}
    assert unknown == {check for check in verdicts if check.startswith("drift:")} | {
        "volume",
        "same_vault",
    }
    assert set(verdicts.values()) == {"pass", "unknown"}


def test_every_count_has_its_rows(tmp_path):
    """The number of rows a check claims is the number of rows that are listed for it."""
    vault = {
        "c": [card("a"), card("a", card_network="x"), card(None)],
        "d": [card("e", expiry_month="77", card_bank_name="HDFC Bank Limited", par=7)],
        "e": [],
    }
    older = publish(tmp_path, {"c": [card("a")]})
    snapshot = publish(tmp_path, vault, failed=["x"], not_attempted=["y"])
    late = NOW + timedelta(days=2)
    counted = checks(snapshot, against=older, as_of=late)
    for check, row in counted.items():
        if check not in {"volume", "same_vault"}:
            listed = quality_rows(snapshot, check, against=older, as_of=late, banks=BANKS)
            assert len(listed) == row["rows"], check
    assert {"coverage", "freshness", "anomalies", "anomaly:expiry_month:unreadable"} <= set(counted)
    assert counted["freshness"]["rows"] == 4


@pytest.mark.parametrize(
    ("fetched", "failed", "verdict"),
    [(20, 0, "pass"), (19, 1, "warn"), (18, 2, "fail"), (0, 3, "fail"), (0, 0, "unknown")],
)
def test_coverage(tmp_path, fetched, failed, verdict):
    """Below 100% of the customers it warns, below 95% it fails; of none nothing can be said."""
    vault = {f"c{at}": [card()] if at % 2 else [] for at in range(fetched)}
    snapshot = publish(tmp_path, vault, failed=[f"x{at}" for at in range(failed)])
    row = checks(snapshot)["coverage"]
    assert (row["verdict"], row["rows"]) == (verdict, failed)
    listed = quality_rows(snapshot, "coverage")
    assert listed["outcome"].to_list() == ["failed"] * failed


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (timedelta(0), "pass"),
        (timedelta(hours=24), "pass"),
        (timedelta(hours=24, seconds=1), "warn"),
        (timedelta(days=7), "warn"),
        (timedelta(days=7, seconds=1), "fail"),
        (timedelta(hours=-1), "pass"),
    ],
)
def test_freshness(age, verdict):
    """The oldest answer decides: above 24 hours it warns, above seven days it fails."""
    old = table_of({"c": [card()]})
    new = table_of(
        {"d": [card()]}, fetched_at_us=int((NOW + timedelta(days=30)).timestamp()) * 10**6
    )
    table = pa.concat_tables([old, new]).unify_dictionaries()
    assert checks(table, as_of=NOW + age)["freshness"]["verdict"] == verdict


def test_a_day_ends_at_midnight_in_india():
    """As of a day means its end in India, half past six in the evening UTC."""
    fetched = datetime(2020, 2, 29, 18, 29, 58, tzinfo=UTC)
    table = table_of({"c": [card()]}, fetched_at_us=int(fetched.timestamp()) * 10**6)
    assert checks(table, as_of=date(2020, 3, 1))["freshness"]["verdict"] == "warn"
    assert checks(table, as_of="2020-02-29")["freshness"]["rows"] == 0


def test_the_minute_is_told_only_where_it_was_given():
    """The same call a minute later says the same, so that two answers can be compared as bytes."""
    table = table_of({"c": [card()]})
    said = [quality(table, as_of=as_of).notes[0] for as_of in (NOW, "2020-02-29", None)]
    assert said[:2] == [
        f"Judged as of {NOW.astimezone(INDIA):%Y-%m-%d %H:%M} in India.",
        "Judged as of 2020-02-29 in India.",
    ]
    assert re.fullmatch(r"Judged as of \d{4}-\d\d-\d\d in India\.", said[2])


def test_missing_values_are_counted_column_by_column():
    """A column is missing where nothing could be read from it."""
    cards = [card("a"), card(None), card("b", card_network="abacus"), card("c", expiry_year=None)]
    table = table_of({"c": [*cards, card("d", card_bank_name=None, instrument_display="none")]})
    found = checks(table)
    counts = {
        check.removeprefix("missing:"): row["rows"]
        for check, row in found.items()
        if check.startswith("missing:")
    }
    assert counts == {
        "instrument_id": 1,
        "expires_on": 1,
        "card_network": 1,
        "card_bank": 1,
        "last_four": 1,
        "instrument_uid": 5,
        "par": 5,
        "created_at": 0,
    }
    assert found["missing:par"]["verdict"] == "warn"
    assert found["missing:instrument_id"]["share"] == pytest.approx(0.2)
    assert ids_behind(table, "missing:card_network") == ["b"]


def test_every_anomaly_has_a_check_of_its_own():
    """Each code that occurs is a row with its cards; where there are none, one check says so."""
    table = table_of({"c0": [card("a", card_network="x"), card("b", expires="2028-77"), card("c")]})
    texts = table.column("anomalies").drop_null().to_pylist()
    codes = {code for text in texts for code in text.split(";")}
    found = checks(table)
    listed = {check.removeprefix("anomaly:") for check in found if check.startswith("anomaly:")}
    assert listed == codes
    assert all(found[f"anomaly:{code}"]["rows"] == 1 for code in codes)
    assert found["anomalies"]["rows"] == 2
    assert ids_behind(table, "anomaly:card_network:unknown") == ["a"]
    good = checks(table_of({"c0": [card()]}))
    assert (good["anomalies"]["verdict"], good["anomalies"]["rows"]) == ("pass", 0)
    assert not any(check.startswith("anomaly:") for check in good)


def test_values_outside_the_vocabulary_are_named():
    """What was sent and has no meaning is counted and shown, clipped and quoted."""
    table = table_of(
        {"c": [card("a", card_network="abacus\n" + "x" * 99), card("b"), card("c", card_type=None)]}
    )
    row = checks(table)["vocabulary:card_network"]
    assert (row["rows"], row["verdict"]) == (1, "fail")
    assert "'abacus\\nx" in row["finding"]
    assert len(row["finding"]) < 200
    assert checks(table)["vocabulary:card_type"]["rows"] == 0
    position = table.schema.get_field_index("card_network")
    shouted = table.set_column(position, "card_network", pa.array(["VISA", "visa", None]))
    # Neither is canonical: capitals, and nothing where something was sent.
    assert ids_behind(shouted, "vocabulary:card_network") == ["a", "c"]


def test_dates_that_cannot_be():
    """Saved in the future, saved after expiry, and expiry beyond twenty years are found."""
    ahead = (NOW + timedelta(hours=1)).isoformat()
    cards = [
        card("future", created_at=ahead, expires="2030-01"),
        card("skewed", created_at=(NOW + timedelta(minutes=4)).isoformat(), expires="2030-01"),
        card("late", created_at="2026-01-01T00:00:00+05:30", expires="2025-12"),
        card("in_time", created_at="2025-12-31T23:59:59+05:30", expires="2025-12"),
        card("far", expires="2046-12"),
        card("not_so_far", expires="2046-10"),
        card("unknown", expiry_month=None, created_at=None),
    ]
    table = table_of({"c": cards})
    assert ids_behind(table, "saved_in_future") == ["future"]
    assert ids_behind(table, "saved_after_expiry") == ["late"]
    assert ids_behind(table, "expiry_implausible") == ["far"]
    found = checks(table)
    assert [found[c]["rows"] for c in ("saved_in_future", "expiry_implausible")] == [1, 1]


@settings(max_examples=15, deadline=None)
@given(VAULTS, DAYS)
def test_repeated_ids_and_lapsed_cards_agree_with_a_count_by_hand(vault, day):
    """Ids twice in one list, ACTIVE cards past their day, and missing values, card by card."""
    found = checks(table_from(vault), as_of=day)
    cards = cards_in(vault)
    keys = [(customer, row["instrument_id"]) for customer, _, row, _ in cards]
    wanted = {
        "repeated_id": sum(keys.count(key) > 1 for key in keys),
        "expired_but_active": sum(
            row["instrument_status"] == "ACTIVE" and last is not None and last < day
            for _, _, row, last in cards
        ),
        "missing:expires_on": sum(last is None for *_, last in cards),
        "missing:card_bank": sum(row["card_bank_name"] is None for _, _, row, _ in cards),
        "unique_key": 0,
    }
    assert {check: found[check]["rows"] for check in wanted} == wanted
    for check, rows in wanted.items():
        share = found[check]["share"]
        assert share == (pytest.approx(rows / len(cards)) if cards else None)
        assert (found[check]["verdict"] == "unknown") == (not cards)


def test_repeated_ids_are_repeated_within_one_customer_only():
    """One id in two customers' lists is no repetition; a missing id repeats nothing."""
    table = table_of({"c": [card("a"), card("a"), card(None), card(None)], "d": [card("a")]})
    rows = quality_rows(table, "repeated_id")
    assert list(zip(rows["customer_id"], rows["list_position"], strict=True)) == [
        ("c", 0),
        ("c", 1),
    ]


def test_rows_twice_in_one_place_fail():
    """The same table twice over has two rows for every place in a list."""
    table = table_of({"c": [card("a"), card("b")]})
    found = checks(pa.concat_tables([table, table]).unify_dictionaries())
    assert (found["unique_key"]["verdict"], found["unique_key"]["rows"]) == ("fail", 4)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("last_four", {"instrument_display": "XXXXXXXXXXXX9999"}),
        ("par", {"par": "V0010014622000000000000000002"}),
        ("card_network", {"card_network": "rupay"}),
    ],
)
def test_cards_of_one_uid_that_contradict_each_other(column, change):
    """Two values under one instrument_uid put all its cards at fault; a missing one does not."""
    same = {"instrument_uid": "f" * 64, "par": "V0010014622000000000000000001"}
    other = {"instrument_uid": "e" * 64, "par": "V0010014622000000000000000001"}
    unknown = {"instrument_uid": "f" * 64, "par": None, "card_network": None}
    lists = {
        "c": [card("a", **same), card("d", **other)],
        "d": [card("b", **{**same, **change})],
        "e": [card("x", **{**unknown, "instrument_display": None}), card("y", **change)],
    }
    table = table_of(lists)
    found = checks(table)
    at_fault = [row["rows"] for check, row in found.items() if check.startswith("contradiction:")]
    assert sorted(at_fault) == [0, 0, 3]
    assert sorted(ids_behind(table, f"contradiction:{column}")) == ["a", "b", "x"]


def test_rows_and_outcomes_that_differ_are_found(tmp_path):
    """A row more or less than the outcome of its customer says fails, and names the customer."""
    snapshot = publish(tmp_path, {"c": [card("a"), card("b")], "d": [card("e")], "e": []})
    assert checks(snapshot)["counts"]["verdict"] == "pass"
    assert len(quality_rows(snapshot, "counts")) == 0

    other = publish(tmp_path, {"c": [card("a")], "d": [card("e")], "e": [card("x")]})
    (outcomes,) = other.files("outcomes")
    outcomes.chmod(0o644)
    outcomes.write_bytes(snapshot.files("outcomes")[0].read_bytes())
    row = checks(other)["counts"]
    assert (row["verdict"], row["rows"]) == ("fail", 2)
    listed = quality_rows(other, "counts").arrow().to_pylist()
    assert listed == [
        {"customer_id": "c", "listed": 2, "cards": 1},
        {"customer_id": "e", "listed": 0, "cards": 1},
    ]


def test_a_table_cannot_tell_everything():
    """What a table has no columns for, or no outcomes, is unknown and never a pass."""
    table = pa.table({"customer_id": ["c"], "card_network": ["visa"]})
    found = checks(table)
    told = {check for check, row in found.items() if row["verdict"] != "unknown"}
    assert told == {"missing:card_network"}
    assert all(row["rows"] is None for check, row in found.items() if check not in told)
    with pytest.raises(UsageError, match="no outcomes"):
        quality_rows(table, "coverage")
    with pytest.raises(UsageError, match="no column par"):
        quality_rows(table, "missing:par")
    with pytest.raises(UsageError, match="customer_id"):
        quality(pa.table({"card_network": ["visa"]}))


def test_an_empty_vault_is_neither_good_nor_bad(tmp_path):
    """Without cards nothing about cards can be told, and nothing raises."""
    for source in (INSTRUMENTS.empty_table(), publish(tmp_path, {"c": []})):
        found = checks(source)
        about_cards = {c: row["verdict"] for c, row in found.items() if row["column"] is not None}
        assert set(about_cards.values()) == {"unknown"}
        assert len(quality_rows(source, "missing:par")) == 0


def test_a_card_of_nulls_is_missing_and_nothing_else():
    """A row of nulls is missing in every column, and no other check holds it against it."""
    nulls = [
        {"customer_id": "c", "list_position": 0, "fetched_at": NOW, "api_version": "2025-01-01"}
    ]
    found = checks(pa.Table.from_pylist(nulls, schema=INSTRUMENTS))
    at_fault = {check for check, row in found.items() if row["rows"]}
    assert at_fault == {check for check in found if check.startswith("missing:")}


def test_only_so_many_rows_are_listed():
    """A limit shortens the list, and the title and a note say how long it is."""
    table = table_of({"c": [card(f"i{at}") for at in range(5)]})
    listed = quality_rows(table, "missing:par", limit=2)
    assert len(listed) == 2
    assert listed.title == "5 rows behind missing:par"
    assert "first 2" in " ".join(listed.notes)
    assert len(quality_rows(table, "missing:par", limit=None)) == 5


@pytest.mark.parametrize(
    "check", ["", "nothing", "missing:pars", "volume", "same_vault", "drift:", "anomaly:"]
)
def test_checks_that_are_none_are_refused(check):
    """There are rows only for checks that have some; a typing error gets a hint."""
    with pytest.raises(UsageError, match="nothing was listed"):
        quality_rows(INSTRUMENTS.empty_table(), check)


def test_a_hostile_check_is_text():
    """Quotes in the code of an anomaly are looked for, not obeyed."""
    table = table_of({"c": [card()]})
    assert len(quality_rows(table, "anomaly:x') OR ('a'='a:b")) == 0


def test_thresholds_can_be_set():
    """Other settings judge the same figures otherwise."""
    table = table_of({"c": [card("a", expires="2020-01"), card("b")]})
    strict = replace(QUALITY_SETTINGS, expired_but_active=Threshold(0, 0.4, "strict"))
    assert checks(table)["expired_but_active"]["verdict"] == "warn"
    row = checks(table, settings=strict)["expired_but_active"]
    assert (row["verdict"], row["threshold"]) == ("fail", "warn above 0%, fail above 40%")
    assert all(threshold.reason for threshold in QUALITY_SETTINGS.missing.values())


def test_the_title_counts_the_verdicts():
    """The title says how many checks came out how, and names those that failed."""
    table = table_of({"c": [card(None)]})
    said = quality(table, as_of=NOW)
    counts = said["verdict"].value_counts()
    assert f"{counts['fail']} fail (" in said.title
    assert "missing:instrument_id" in said.title
    assert f"{counts['pass']} pass" in said.title


def test_no_customer_is_named(tmp_path):
    """Findings hold no id, and the screen masks those of the rows behind them."""
    snapshot = publish(tmp_path, {"customer-12345": [card("a"), card("a")]}, failed=["broken-678"])
    table = quality(snapshot, as_of=NOW)
    text = " ".join([table.title, *table.notes, *table["finding"]])
    assert "customer-12345" not in text
    assert "broken-678" not in text
    assert "customer-12345" not in repr(quality_rows(snapshot, "repeated_id"))
    assert "broken-678" not in repr(quality_rows(snapshot, "coverage"))
