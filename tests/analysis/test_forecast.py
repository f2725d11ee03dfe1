"""Lapses to come: counted with one snapshot, learnt with several, and tested on the past."""

from dataclasses import replace

import pandas as pd
import pytest
from analysis_cases import card, publish
from lapse_cases import AgeingVault, moment, text

from tokenvault_data.analysis.forecast import backtest, forecast
from tokenvault_data.dataset.snapshots import Snapshot
from tokenvault_data.errors import UsageError

COLUMNS = ["month", "scheduled", "expected", "low", "high", "basis"]


def leaving_late(lead):
    """Two in five cards leave their schedule in each of the last two months, few before."""
    return 0.4 if lead < 2 else 0.02


@pytest.fixture(scope="module")
def aged(tmp_path_factory):
    """Eight monthly snapshots of a vault with known rates."""
    vault = AgeingVault(3, 30, 22, leaving_late, added=8)
    return vault.history(tmp_path_factory.mktemp("store"), 8)


@pytest.fixture(scope="module")
def tested(aged):
    """The backtest of them all; read only."""
    return backtest(aged)


def test_one_snapshot_only_counts_what_is_scheduled(tmp_path):
    """ACTIVE cards are counted in their month, the first included, without any interval."""
    cards = [
        *(card(f"a{n}", expires="2026-11") for n in range(3)),
        card("b", expires="2027-10"),
        card("late", expires="2027-11"),
        card("past", expires="2026-10"),
        card("off", expires="2026-11", instrument_status="INACTIVE"),
        card("unknown", expiry_month=None),
    ]
    table = forecast(publish(tmp_path, {"c": cards}, failed=["x"]), as_of="2026-11-30")
    assert list(table.columns) == COLUMNS
    assert table["month"].to_list()[::11] == ["2026-11", "2027-10"]
    assert table["scheduled"].to_list() == [3, *[0] * 10, 1]
    assert table["expected"].to_list() == table["scheduled"].to_list()
    assert table["low"].isna().all()
    assert table["high"].isna().all()
    assert set(table["basis"]) == {"scheduled expiries only"}
    assert "only counts scheduled expiries" in " ".join(table.notes)
    assert "1 of 2 customers were not fetched" in " ".join(table.notes)
    assert table.title.startswith("4 cards scheduled")


def test_a_history_of_known_rates_is_learnt(aged):
    """The expectation is near the schedule times the survival that the vault really has."""
    table = forecast(aged, months=6, as_of=f"{text(7)}-20")
    assert set(table["basis"]) == {"history"}
    assert "8 snapshots" in " ".join(table.notes)
    for lead, row in enumerate(table.arrow().to_pylist()):
        survival = 0.6 ** min(lead + 1, 2) * 0.98 ** max(lead - 1, 0)
        assert row["expected"] == pytest.approx(row["scheduled"] * survival, rel=0.35, abs=2)
        assert row["low"] <= row["expected"] <= row["high"]
        assert row["high"] < row["scheduled"] or lead == 0


def test_the_same_history_gives_the_same_forecast(aged):
    """Neither chance nor the order of the snapshots changes a figure."""
    as_of = f"{text(7)}-20"
    pd.testing.assert_frame_equal(forecast(aged, as_of=as_of), forecast(aged[::-1], as_of=as_of))


def test_a_wider_interval_is_wider(aged):
    """The interval grows with the share of cases it shall hold."""
    as_of = f"{text(7)}-20"
    narrow, wide = (forecast(aged, as_of=as_of, interval=share) for share in (0.5, 0.95))
    assert (narrow["expected"] == wide["expected"]).all()
    assert (wide["low"] <= narrow["low"]).all()
    assert (wide["high"] > narrow["high"]).all()


def test_a_later_day_moves_the_months_and_not_the_knowledge(aged):
    """As of a later day the forecast begins later, from the same newest snapshot."""
    now = forecast(aged, months=6, as_of=f"{text(7)}-20").set_index("month")
    later = forecast(aged, months=4, as_of=f"{text(9)}-01").set_index("month")
    assert list(later.index) == [text(month) for month in range(9, 13)]
    assert later.loc[text(9), "scheduled"] == now.loc[text(9), "scheduled"]
    assert later.loc[text(9), "expected"] == pytest.approx(now.loc[text(9), "expected"], rel=0.02)


def test_without_any_card_there_is_nothing_to_learn(tmp_path):
    """An empty vault, however long observed, has no lapses and no interval."""
    empty = [publish(tmp_path, {"c": []}, now=moment(month)) for month in range(3)]
    table = forecast(empty, as_of=f"{text(2)}-20")
    assert table["expected"].to_list() == [0] * 12
    assert table["high"].isna().all()
    assert "no card was ever scheduled" in " ".join(table.notes)
    assert len(backtest(empty)) == 0


def test_a_failed_customer_is_not_a_lapse_that_did_not_happen(tmp_path):
    """Cards of a customer who could not be fetched teach nothing about survival."""
    whole = {f"c{n}": [card(f"i{n}-{m}", expires=text(m)) for m in range(12)] for n in range(40)}
    half = {name: cards for name, cards in whole.items() if int(name[1:]) % 2}
    gone = sorted(set(whole) - set(half))
    first = publish(tmp_path, whole, now=moment(0))
    second = publish(tmp_path, half, failed=gone, now=moment(1))
    table = forecast([first, second], months=6, as_of=f"{text(1)}-20")
    assert table["scheduled"].to_list() == [20] * 6
    assert (table["expected"] > 19.5).all()
    assert "20 of 40 customers were not fetched" in " ".join(table.notes)


def test_the_backtest_compares_with_what_came(aged):
    """Each row's schedule and outcome are those counted in the snapshots themselves."""
    table = backtest(aged, months=5)
    assert list(table.columns) == [
        *("cut", "month", "lead_months", "scheduled", "predicted", "low", "high", "actual"),
        "inside",
    ]
    counts = []
    for snapshot in aged:
        expiries = snapshot.to_arrow(["expires_on"]).column("expires_on").to_pylist()
        counts.append(pd.Series([f"{day:%Y-%m}" for day in expiries]).value_counts())
    days = {f"{moment(place):%Y-%m}": place for place in range(8)}
    wanted = {(cut, cut + lead) for cut in range(1, 7) for lead in range(5) if cut + lead < 7}
    found = set()
    for row in table.arrow().to_pylist():
        cut, month = days[f"{row['cut']:%Y-%m}"], days[row["month"]]
        found.add((cut, month))
        assert row["lead_months"] == month - cut
        assert row["scheduled"] == counts[cut][row["month"]]
        assert row["actual"] == counts[month + 1][row["month"]]
        assert row["inside"] == (row["low"] <= row["actual"] <= row["high"])
    assert found == wanted
    assert len(table) == len(wanted)


def test_the_backtest_knows_nothing_of_the_future(aged, tested):
    """The first cut predicts the same whether or not later snapshots exist yet."""
    short, long = backtest(aged[:3]), tested
    first = long[(long["cut"] == short["cut"][0]) & (long["month"].isin(short["month"]))]
    assert len(short) == 1
    # The draws of an interval depend on what is drawn before them, the mean does not.
    assert short["predicted"].to_list() == first["predicted"].to_list()


def test_the_backtest_shows_what_learning_is_worth(tested):
    """With rates that are steady the intervals hold and the error is far below bare counting."""
    table = tested
    assert table["inside"].mean() >= 0.6
    learnt = (table["predicted"] - table["actual"]).abs().mean()
    naive = (table["scheduled"] - table["actual"]).abs().mean()
    assert learnt < naive / 2
    assert f"{learnt:,.1f} cards a month" in " ".join(table.notes)
    assert f"{naive:,.1f}" in " ".join(table.notes)


def test_looks_that_are_far_apart_still_teach(tmp_path):
    """Snapshots every three months give nearly the survival that monthly ones do."""
    vault = AgeingVault(5, 40, 24, lambda lead: 0.1)
    quarterly = vault.history(tmp_path, 4, every=3)
    table = forecast(quarterly, months=3, as_of=f"{text(9)}-20")
    for lead, row in enumerate(table.arrow().to_pylist()):
        assert row["expected"] == pytest.approx(row["scheduled"] * 0.9 ** (lead + 1), rel=0.15)
    assert len(backtest(quarterly)) > 0


def test_two_snapshots_give_a_forecast_and_no_backtest(aged):
    """A forecast needs one step, a test of it a further snapshot to compare with."""
    assert set(forecast(aged[:2], as_of=f"{text(1)}-20")["basis"]) == {"history"}
    nothing = backtest(aged[:2])
    assert len(nothing) == 0
    assert "three months" in nothing.title


def test_snapshots_of_one_month_are_one_look(tmp_path):
    """A second collection in the same month is no history."""
    twice = [publish(tmp_path, {"c": [card()]}, now=moment(0, day)) for day in (1, 28)]
    table = forecast(twice, as_of=f"{text(0)}-28")
    assert set(table["basis"]) == {"scheduled expiries only"}
    assert "1 snapshot passed over" in " ".join(table.notes)


def test_what_cannot_be_forecast_is_refused(tmp_path, aged):
    """Months, intervals, days and snapshots that make no sense are a UsageError."""
    as_of = f"{text(7)}-20"
    for months in (0, 61, True, 1.5):
        with pytest.raises(UsageError, match="number of months"):
            forecast(aged, months=months, as_of=as_of)
    for interval in (0, 1, 80):
        with pytest.raises(UsageError, match="share of cases"):
            backtest(aged, interval=interval)
    with pytest.raises(UsageError, match="newest snapshot"):
        forecast(aged, as_of=f"{text(6)}-20")
    elsewhere = Snapshot(aged[0].path, replace(aged[0].manifest, environment="production"))
    with pytest.raises(UsageError, match="environments"):
        forecast([*aged, elsewhere], as_of=as_of)
    with pytest.raises(UsageError, match="one snapshot or several"):
        forecast([])
