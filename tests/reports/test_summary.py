"""A snapshot on one page."""

import json
from collections import Counter
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten
from tokenvault_data.dataset.schema import OUTCOMES
from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter
from tokenvault_data.reports.summary import COLUMNS, expiry_of, summarise

AS_OF = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def card(month="11", year="2026", status="ACTIVE", bank="HDFC BANK", network="visa"):
    meta = {
        "card_network": network,
        "card_bank_name": bank,
        "card_type": "debit_card",
        "card_token_details": {"expiry_month": month, "expiry_year": year},
    }
    return {"instrument_id": "i", "instrument_status": status, "instrument_meta": meta}


def publish(store, *customers):
    """Publish a snapshot with these lists of cards, each customer a part of its own."""
    with SnapshotWriter(store, now=NOW) as writer:
        for position, cards in enumerate(customers):
            customer = f"cust_{position}"
            body = ReceivedBody(customer, json.dumps(cards).encode(), 0, "2025-01-01")
            outcome = {
                "customer_id": customer,
                "position": position,
                "outcome": "fetched" if cards else "empty",
                "instruments": len(cards),
                "requests": 1,
                "finished_at": NOW,
            }
            writer.add(flatten([body]).table, pa.Table.from_pylist([outcome], schema=OUTCOMES))
        facts = CollectionFacts(len(customers), "emulator", "2025-01-01", NOW, NOW)
        return writer.publish(facts)


def parts(expiry):
    return (
        expiry.expired,
        expiry.within_30,
        expiry.within_60,
        expiry.within_90,
        expiry.later,
        expiry.unknown,
    )


def test_values_are_counted_over_all_parts(tmp_path):
    """Values of several files, in dictionaries of their own, are counted together."""
    snapshot = publish(
        tmp_path,
        [card(bank="B"), card(bank="A")],
        [card(bank="A", network="abacus")],
        [],
        [card(bank="A"), card(bank=None)],
    )
    summary = summarise(snapshot, as_of=AS_OF)
    assert summary.cards == 5
    assert summary.counts["card_bank"] == [("A", 3), ("B", 1), (None, 1)]
    assert summary.counts["card_network"] == [("visa", 4), (None, 1)]
    assert summary.counts["bank"] == [("A", 3), ("B", 1), (None, 1)]
    assert set(summary.counts) == {*COLUMNS, "bank"}


def test_expiry_goes_by_the_last_day_of_the_month(tmp_path):
    """A card is valid through the last day of its month; of the expired, ACTIVE ones are named."""
    snapshot = publish(
        tmp_path,
        [card("10", "2026"), card("10", "2026", status="INACTIVE"), card("11", "2026")],
        [card("12", "2026"), card("01", "2027"), card("02", "2027"), card("13", "2027")],
    )
    expiry = summarise(snapshot, as_of=AS_OF).expiry
    assert parts(expiry) == (2, 1, 1, 1, 1, 1)
    assert expiry.expired_but_active == 1
    day_after = summarise(snapshot, as_of=date(2026, 12, 1)).expiry
    assert day_after.expired == 3


def test_a_snapshot_without_cards(tmp_path):
    """No cards are a summary of zeros, not an error."""
    summary = summarise(publish(tmp_path, [], []), as_of=AS_OF)
    assert summary.cards == 0
    assert parts(summary.expiry) == (0, 0, 0, 0, 0, 0)
    assert summary.counts == {column: [] for column in (*COLUMNS, "bank")}


@pytest.mark.parametrize(
    ("days", "part"),
    [(-1, 0), (0, 1), (30, 1), (31, 2), (60, 2), (61, 3), (90, 3), (91, 4), (9999, 4)],
)
def test_borders_of_expiry(days, part):
    """Day 30 still belongs to the first thirty days, 31 to the next, and so on."""
    expires = date.fromordinal(AS_OF.toordinal() + days)
    expected = [0] * 6
    expected[part] = 1
    assert parts(expiry_of({expires: 1}, {}, AS_OF)) == tuple(expected)


days = st.none() | st.dates(date(2000, 1, 1), date(2100, 1, 1))


@given(st.lists(days), st.dates(date(2010, 1, 1), date(2090, 1, 1)))
def test_the_parts_add_up(expiries, as_of):
    """Whatever the dates, every card is in exactly one part."""
    by_day = Counter(expiries)
    expiry = expiry_of(by_day, by_day, as_of)
    assert sum(parts(expiry)) == len(expiries)
    assert min(parts(expiry)) >= 0
    assert expiry.expired_but_active == expiry.expired
