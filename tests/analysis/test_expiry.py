"""Which cards expire when, against counts made card by card in Python."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest
from analysis_cases import card, publish, table_of
from expiry_cases import DAYS, VAULTS, cards_in, table_from
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.expiry import expired_but_active, expiring, expiry_outlook
from tokenvault_data.analysis.filters.filters import where
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.errors import UsageError

COLUMNS = [
    *("customer_id", "instrument_id", "card_network", "card_bank", "bank", "card_type"),
    *("last_four", "instrument_status", "expires_on"),
]
EMPTY = INSTRUMENTS.empty_table()
BANKS = load_bank_names()


def listed(table, column):
    return sorted(
        (row["customer_id"], row["instrument_id"], row["expires_on"], row[column])
        for row in table.arrow().to_pylist()
    )


@settings(max_examples=15, deadline=None)
@given(VAULTS, DAYS, st.integers(0, 500))
def test_expiring_lists_every_card_of_the_horizon(vault, day, within):
    """Cards whose last day lies from the day through the horizon are listed, and no others."""
    table = expiring(table_from(vault), within, as_of=day, banks=BANKS)
    wanted = [
        (customer, row["instrument_id"], last, (last - day).days)
        for customer, _, row, last in cards_in(vault)
        if last is not None and 0 <= (last - day).days <= within
    ]
    assert listed(table, "days_left") == sorted(wanted)
    assert list(table.columns) == [*COLUMNS, "days_left"]
    assert table["expires_on"].is_monotonic_increasing
    unknown = sum(last is None for *_, last in cards_in(vault))
    assert f"and {unknown:,} of unknown expiry" in " ".join(table.notes)


@settings(max_examples=15, deadline=None)
@given(VAULTS, DAYS)
def test_expired_but_active_lists_what_looks_usable_and_is_not(vault, day):
    """ACTIVE cards whose last day is before the day are listed; unknown expiry is never expired."""
    table = expired_but_active(table_from(vault), as_of=day, banks=BANKS)
    wanted = [
        (customer, row["instrument_id"], last, (day - last).days)
        for customer, _, row, last in cards_in(vault)
        if row["instrument_status"] == "ACTIVE" and last is not None and last < day
    ]
    assert listed(table, "days_expired") == sorted(wanted)


HORIZONS = st.lists(st.integers(1, 400), min_size=1, max_size=5, unique=True).map(
    lambda ends: tuple(sorted(ends))
)


@settings(max_examples=15, deadline=None)
@given(VAULTS, DAYS, st.one_of(st.just((30, 60, 90)), HORIZONS))
def test_the_outlook_adds_up_and_every_bucket_is_right(vault, day, horizons):
    """Each card falls into the bucket that its days left say, and the buckets add up to all."""
    table = expiry_outlook(table_from(vault), as_of=day, horizons=horizons)
    cards = cards_in(vault)
    firsts = [0, *(end + 1 for end in horizons[:-1])]

    def place_of(last):
        if last is None:
            return len(horizons) + 2
        left = (last - day).days
        spans = [first <= left <= end for first, end in zip(firsts, horizons, strict=True)]
        return 0 if left < 0 else spans.index(True) + 1 if True in spans else len(horizons) + 1

    rows = table.arrow().to_pylist()
    assert len(rows) == len(horizons) + 3
    for place, row in enumerate(rows):
        inside = [one for one in cards if place_of(one[3]) == place]
        assert row["cards"] == len(inside)
        assert row["active_cards"] == sum(c[2]["instrument_status"] == "ACTIVE" for c in inside)
        assert row["customers"] == len({customer for customer, *_ in inside})
        assert row["share"] == (len(inside) / len(cards) if cards else None)
        for _, _, _, last in inside:
            assert row["first_day"] is None or last >= row["first_day"]
            assert row["last_day"] is None or last <= row["last_day"]
    assert table["cards"].sum() == len(cards)


@settings(max_examples=15, deadline=None)
@given(VAULTS, DAYS, st.integers(1, 30))
def test_the_outlook_by_months_is_that_of_the_calendar(vault, day, months):
    """Each card is in the bucket of its month, none lies between them, and they are all cards."""
    table = expiry_outlook(table_from(vault), as_of=day, months=months)
    known = pd.Series([last for *_, last in cards_in(vault) if last is not None], dtype="object")
    ahead = known.map(lambda last: (pd.Period(last, "M") - pd.Period(day, "M")).n)
    expired = known.map(lambda last: last < day)
    counts = dict(zip(table["bucket"], table["cards"], strict=True))
    names = ["this month", "next month", *(f"in {n} months" for n in range(2, months))][:months]
    assert list(counts) == ["expired", *names, "later", "unknown"]
    assert counts["expired"] == expired.sum()
    for number, name in enumerate(names):
        assert counts[name] == (ahead == number).sum()
    assert counts["later"] == (ahead >= months).sum()
    assert sum(counts.values()) == len(cards_in(vault))
    spans = table.iloc[1 : months + 1]
    assert spans["first_day"].iloc[0] == pd.Timestamp(day)
    for before, after in zip(spans["last_day"][:-1], spans["first_day"][1:], strict=True):
        assert (after - before, after.day) == (timedelta(days=1), 1)


def test_on_the_first_of_a_month_a_bucket_of_days_is_empty_and_no_month_is():
    """Of cards that expire in each of four months, 31 to 60 days hold none on 1 December."""
    cards = [card(month, expires=month) for month in ("2026-12", "2027-01", "2027-02", "2027-03")]
    table = table_of({"c": cards})
    by_days = expiry_outlook(table, as_of="2026-12-01")["cards"].to_list()
    by_months = expiry_outlook(table, as_of="2026-12-01", months=4)["cards"].to_list()
    assert by_days == [0, 1, 0, 2, 1, 0]
    assert by_months == [0, 1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("months", [0, -1, 1.5, "3", True, 1201])
def test_months_that_are_no_number_are_refused(months):
    """Buckets of months need a whole number from 1 on."""
    with pytest.raises(UsageError, match="not a number of months"):
        expiry_outlook(EMPTY, months=months)


@pytest.mark.parametrize(
    ("expires", "last"),
    [
        ("2026-11", "2026-11-30"),
        ("2028-02", "2028-02-29"),
        ("2027-02", "2027-02-28"),
        ("26-12", "2026-12-31"),
    ],
)
def test_a_card_is_valid_through_its_last_day(expires, last):
    """On the last day of its month a card is still valid, and expired the day after."""
    table = table_of({"c": [card(expires=expires)]})
    after = date.fromisoformat(last) + timedelta(days=1)
    assert expiring(table, 0, as_of=last)["days_left"].to_list() == [0]
    assert len(expired_but_active(table, as_of=last)) == 0
    assert len(expiring(table, 0, as_of=after)) == 0
    assert expired_but_active(table, as_of=after)["days_expired"].to_list() == [1]


def test_midnight_is_that_of_india():
    """At half past six in the evening UTC on the last day the card has expired in India."""
    table = table_of({"c": [card(expires="2028-02")]})
    before = datetime(2028, 2, 29, 18, 29, 59, tzinfo=UTC)
    midnight = datetime(2028, 2, 29, 18, 30, tzinfo=UTC)
    assert len(expired_but_active(table, as_of=before)) == 0
    assert len(expired_but_active(table, as_of=midnight)) == 1


def test_months_reach_through_the_same_day():
    """Three months from the last of November reach through the last of February."""
    table = table_of({"c": [card("a", expires="2027-02"), card("b", expires="2027-03")]})
    assert expiring(table, "3M", as_of="2026-11-30")["instrument_id"].to_list() == ["a"]


def test_unknown_expiry_is_apart():
    """A card without an expiry is in no list, counts as unknown, and is said to be left out."""
    cards = [card("a", expiry_month=None, expiry_year=None), card("b", expiry_month="13")]
    table = table_of({"c": cards})
    assert len(expiring(table, "1200M", as_of="2020-01-01")) == 0
    assert len(expired_but_active(table, as_of="9999-12-31")) == 0
    outlook = expiry_outlook(table, as_of="2026-11-22").set_index("bucket")
    assert outlook.loc["unknown", "cards"] == 2
    assert outlook["cards"].sum() == 2
    assert "2 of unknown expiry" in " ".join(expiring(table, as_of="2026-11-22").notes)
    assert "2 are of unknown expiry" in " ".join(expired_but_active(table).notes)


def test_a_card_of_nulls_is_counted():
    """A row with nothing but its customer is a card of unknown expiry."""
    nulls = pa.Table.from_pylist(
        [
            {
                "customer_id": "c",
                "list_position": 0,
                "fetched_at": datetime(2026, 11, 22, tzinfo=UTC),
                "api_version": "2025-01-01",
            }
        ],
        schema=INSTRUMENTS,
    )
    assert expiry_outlook(nulls, as_of="2026-11-22")["cards"].to_list() == [0, 0, 0, 0, 0, 1]
    assert len(expiring(nulls, as_of="2026-11-22")) == 0


def test_an_empty_vault_has_an_answer(tmp_path):
    """Without cards every list is empty and every share missing, from a table and a snapshot."""
    for source in (EMPTY, publish(tmp_path, {"c": []})):
        assert expiring(source, as_of="2026-11-22").title.startswith("0 cards expire")
        assert list(expiring(source).columns) == [*COLUMNS, "days_left"]
        assert len(expired_but_active(source)) == 0
        outlook = expiry_outlook(source, as_of="2026-11-22")
        assert outlook["cards"].to_list() == [0] * 6
        assert outlook["share"].isna().all()


def test_a_snapshot_a_table_and_a_frame_agree(tmp_path):
    """Whatever form the rows come in, the answer is the same; a stream is read once."""
    vault = {"c": [card("a", expires="2026-12"), card("b", expires="2024-01")], "d": [card("x")]}
    snapshot = publish(tmp_path, vault, failed=["e"], not_attempted=["f"])
    table = snapshot.to_arrow()
    wanted = expiring(snapshot, as_of="2026-11-22")
    assert len(wanted) == 1
    for source in (table, snapshot.to_pandas(), table.to_reader()):
        pd.testing.assert_frame_equal(wanted, expiring(source, as_of="2026-11-22"))
    assert "2 of 4 customers were not fetched" in " ".join(wanted.notes)
    assert "customers of" not in " ".join(expiring(table, as_of="2026-11-22").notes)


def test_banks_have_their_canonical_name_beside_the_received_one():
    """The bank is as the names of banks say, missing where it was not sent."""
    names = load_bank_names()
    spellings = ["HDFC Bank Limited", "AXIS BANK", None]
    cards = [card(f"i{at}", card_bank_name=name) for at, name in enumerate(spellings)]
    table = expiring(table_of({"c": cards}), "120M", as_of="2026-11-22")
    assert table.arrow().column("bank").to_pylist() == [names.canonical(name) for name in spellings]
    assert table.arrow().column("card_bank").to_pylist() == spellings


@pytest.mark.parametrize(
    "condition",
    [
        where(card_network=["visa"]),
        {"column": "card_network", "in": ["visa"]},
        "card_network=visa",
        ["card_network=visa", "expiry=2026-12"],
    ],
)
def test_a_filter_may_be_given_in_every_form(condition):
    """A filter is a condition, its dictionary form or what is typed, and a note repeats it."""
    cards = [
        card("v", expires="2026-12"),
        card("r", expires="2026-12", card_network="rupay"),
        card("n", expires="2026-12", card_network=None),
    ]
    table = expiring(table_of({"c": cards}), as_of="2026-11-22", where=condition)
    assert table["instrument_id"].to_list() == ["v"]
    assert any("visa" in note for note in table.notes)


def test_derived_columns_can_be_filtered_by():
    """Bank, month and bucket of expiry are columns of the filter too."""
    cards = [card("a", expires="2026-12"), card("b", expires="2027-01")]
    table = table_of({"c": cards})
    for condition in (
        where(expiry="2026-12"),
        where(expires_in="31-60 days"),
        where(expiry="2026-12", bank=load_bank_names().canonical("HDFC BANK")),
    ):
        found = expiring(table, as_of="2026-11-22", where=condition)
        assert found["instrument_id"].to_list() == ["a"]


@pytest.mark.parametrize(
    "horizons", [(), (0,), (30, 30), (60, 30), (30.5,), (-1,), (True,), ("a",)]
)
def test_horizons_that_are_none_are_refused(horizons):
    """Buckets need increasing numbers of days."""
    with pytest.raises(UsageError, match="nothing was counted"):
        expiry_outlook(EMPTY, horizons=horizons)


def test_what_cannot_be_read_is_refused():
    """A day, horizon, source or filter that is none is a UsageError."""
    with pytest.raises(UsageError, match="not a day"):
        expiring(EMPTY, as_of="2026-02-30")
    with pytest.raises(UsageError, match="no time to look ahead"):
        expiring(EMPTY, "soon")
    with pytest.raises(UsageError, match="cannot be analysed"):
        expiring([1, 2])
    with pytest.raises(UsageError, match="expires_on"):
        expiry_outlook(pa.table({"customer_id": ["c"], "instrument_status": ["ACTIVE"]}))
    with pytest.raises(UsageError):
        expiring(EMPTY, where={"column": "nothing", "in": []})


def test_the_calendar_has_an_end():
    """The first and the last day there is are days like others."""
    table = table_of({"c": [card(expires="2028-02")]})
    assert expiry_outlook(table, as_of="9999-12-31")["cards"].to_list() == [1, 0, 0, 0, 0, 0]
    assert expiry_outlook(table, as_of="0001-01-01")["cards"].to_list() == [0, 0, 0, 0, 1, 0]


def test_the_order_is_the_same_every_time():
    """Cards that expire on one day are ordered by customer and id, however they were listed."""
    vault = {f"c{at}": [card(f"i{at}-{n}", expires="2026-12") for n in range(3)] for at in range(9)}
    backward = {name: cards[::-1] for name, cards in reversed(vault.items())}
    pd.testing.assert_frame_equal(
        expiring(table_of(vault), as_of="2026-11-22"),
        expiring(table_of(backward), as_of="2026-11-22"),
    )


def test_the_screen_masks_and_the_data_do_not():
    """A shown list masks customers and ids; the data hold them."""
    table = expiring(table_of({"customer-12345": [card("instrument-98765", expires="2026-12")]}),
                     as_of="2026-11-22")  # fmt: skip
    assert "customer-12345" not in repr(table)
    assert table["customer_id"].to_list() == ["customer-12345"]
