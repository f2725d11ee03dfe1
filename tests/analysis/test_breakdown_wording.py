from __future__ import annotations

import pytest
from analysis_cases import card, table_of

from tokenvault_data.analysis.breakdown import breakdown


def _title(cards, by, **settings):
    return breakdown(table_of({"c0": cards}), by, as_of="2026-11-22", **settings).title


def test_leader():
    """The largest group that is known is named, with its share of all cards."""
    cards = [card("i0"), card("i1"), card("i2", card_network="amex")]
    assert _title(cards, "card_network") == "visa leads with 66.7% of 3 cards"
    assert _title(cards, ["card_network", "card_type"], top=1) == (
        "visa, debit leads with 66.7% of 3 cards"
    )


def test_leader_among_missing():
    """More missing than any value does not make missing the leader."""
    cards = [card("i0"), card("i1", card_network=None), card("i2", card_network=None)]
    assert _title(cards, "card_network") == "visa leads with 33.3% of 3 cards"
    assert _title(cards[1:], "card_network") == "card_network is missing for every one of 2 cards"
    assert _title(cards, "card_network", top=1) == "visa leads with 33.3% of 3 cards"


def test_equals():
    """Nobody leads alone who is as large as another."""
    cards = [card("i0"), card("i1", card_network="amex")]
    assert _title(cards, "card_network") == "amex and visa lead with 50% of 2 cards each"
    cards.append(card("i2", card_network="rupay"))
    assert _title(cards, "card_network") == "3 groups lead with 33.3% of 3 cards each"
    assert _title(cards, "card_network", top=1) == "3 groups lead with 33.3% of 3 cards each"


def test_time():
    """Months have most cards instead of leading; of buckets the expired share is what matters."""
    cards = [card("i0", expires="2026-10"), card("i1"), card("i2"), card("i3", expiry_year=None)]
    assert _title(cards, "expiry") == "expiry 2028-12 has the most cards, 50% of 4 cards"
    assert _title(cards, "expires_in") == "25% of 4 cards had expired before 22 November 2026"
    assert _title(cards[1:], "expires_in") == ("0% of 3 cards had expired before 22 November 2026")


def test_nothing():
    """No cards at all and no cards left are told apart."""
    assert _title([], "card_network") == "There are no cards"
    assert _title([card("i0")], "card_network", where="card_network=amex") == (
        "No card passes the filter"
    )


def test_hostile_name():
    """Whatever a bank is called, the title is one line of a length that can be read."""
    title = _title([card("i0", card_bank_name="a\x1b[31m\u202eb" + "x" * 300)], "card_bank")
    assert title.isprintable()
    assert len(title) < 100


@pytest.mark.parametrize(
    ("by", "condition", "expected"),
    [("expires_in", None, True), ("bank", "expires_in=later", True), ("bank", None, False)],
)
def test_day_is_named_where_it_matters(by, condition, expected):
    """The day stands in the notes if another day could give other figures."""
    table = table_of({"c0": [card("i0")]})
    notes = breakdown(table, by, where=condition, as_of="2026-11-22").notes
    assert any("22 November 2026" in note for note in notes) is expected


def test_notes_add_up():
    """The totals, the filter and the missing are in the notes; a note says why customers repeat."""
    table = table_of({"c0": [card("i0"), card("i1", card_bank_name=None)], "c1": [card("i2")]})
    assert breakdown(table, ["card_bank", "card_type"], where="card_type=debit").notes == (
        "3 cards of 2 customers in all.",
        "Only cards of which this holds: card type is debit.",
        "1 card has no card_bank.",
        "A customer counts in each row that holds a card of theirs.",
    )
    assert breakdown(table, "card_type").notes == ("3 cards of 2 customers in all.",)
