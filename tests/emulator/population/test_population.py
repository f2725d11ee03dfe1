"""The made-up population: deterministic, lazy, and as uneven as a real vault."""

from __future__ import annotations

import tracemalloc
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from itertools import islice, pairwise
from uuid import UUID

import pytest

from tokenvault_data.emulator.dialects import API_VERSIONS
from tokenvault_data.emulator.population.population import Population, customer_id_of
from tokenvault_data.emulator.settings import EmulatorSettings

AS_OF = date(2026, 11, 22)


def population_of(customers=6000, seed=7):
    return Population(EmulatorSettings(customers=customers, seed=seed, as_of=AS_OF))


@pytest.fixture(scope="module")
def cards():
    """All cards of 6,000 customers."""
    population = population_of()
    return [population.saved_cards(index) for index in range(population.size)]


def test_a_customer_follows_from_seed_and_number_alone():
    """A customer has the same cards in a population of any size; another seed gives others."""
    small, large, other = population_of(100), population_of(10**9), population_of(100, seed=8)
    ids = list(small.customer_ids())
    assert [small.instruments(i, "2023-08-01") for i in ids] == [
        large.instruments(i, "2023-08-01") for i in reversed(ids)
    ][::-1]
    assert [small.instruments(i, "2023-08-01") for i in ids] != [
        other.instruments(i, "2023-08-01") for i in ids
    ]


def test_a_million_customers_cost_no_memory():
    """A huge population is made at once; asking for thousands of customers keeps next to none."""
    tracemalloc.start()
    population = population_of(10**6)
    for index in range(0, population.size, 500):
        population.instruments(customer_id_of(index), "2023-08-01")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 8_000_000


def test_ids_are_numbered_with_seven_digits_and_longer_when_needed():
    """Ids start at cust_0000000 and every one of them leads back to its number."""
    population = population_of(10**8)
    assert list(islice(population.customer_ids(), 2)) == ["cust_0000000", "cust_0000001"]
    assert population.index_of("cust_0000001") == 1
    assert population.index_of("cust_12345678") == 12_345_678


@pytest.mark.parametrize(
    "customer_id",
    [
        "cust_0000100", "cust_100", "cust_00000001", "cust_", "cust_-000001", "cust_000000\u0661",
        "CUST_0000001", "someone@example.com", "", "cust_" + "9" * 400,
    ],
)  # fmt: skip
def test_a_customer_never_seen_has_no_cards(customer_id):
    """An id out of range or of another form is an unknown customer, and not an error."""
    assert population_of(100).instruments(customer_id, "2025-01-01") == []


def test_an_unknown_version_is_refused():
    """The truth cannot be asked for in a version that does not exist."""
    with pytest.raises(ValueError, match="known: 2022-09-01"):
        population_of(1).instruments("cust_0000000", "2021-05-21")


def test_most_customers_have_a_card_or_two_many_have_none_and_few_have_many(cards):
    """The number of cards is skewed with a tail up to eight."""
    counts = Counter(len(rows) for rows in cards)
    total = len(cards)
    assert 0.18 < counts[0] / total < 0.26
    assert 0.5 < (counts[1] + counts[2]) / total < 0.7
    assert 0 < counts[8] / total < 0.02
    assert max(counts) <= 9


def test_networks_banks_types_and_countries_are_skewed(cards):
    """All networks and kinds occur; large Indian banks hold most cards, in several spellings."""
    flat = [card for rows in cards for card in rows]
    networks = Counter(card.network for card in flat)
    assert set(networks) == {"visa", "mastercard", "rupay", "amex", "diners"}
    assert networks["visa"] > networks["rupay"] > networks["amex"]
    assert set(Counter(card.card_type for card in flat)) == {"debit", "credit", "prepaid"}
    assert {card.card_sub_type for card in flat} == {"R", "P", "C"}
    countries = Counter(card.country for card in flat)
    assert 0.97 > countries["IN"] / len(flat) - 0.02 > 0.9
    hdfc = {card.bank_name for card in flat if card.bank_name.upper().startswith("HDFC")}
    assert len(hdfc) >= 3
    assert all(card.network == "amex" for card in flat if "AMERICAN" in card.bank_name.upper())


def test_expired_tokens_are_still_listed_active(cards):
    """Expiry is spread from years ago to five years ahead, and most expired tokens are ACTIVE."""
    flat = [card for rows in cards for card in rows]
    this_month = AS_OF.year * 12 + AS_OF.month
    offsets = [card.expiry_year * 12 + card.expiry_month - this_month for card in flat]
    assert min(offsets) < -24
    assert 54 < max(offsets) <= 60
    expired = [card for card, offset in zip(flat, offsets, strict=True) if offset < 0]
    assert 0.1 < len(expired) / len(flat) < 0.35
    assert sum(card.status == "ACTIVE" for card in expired) / len(expired) > 0.85
    statuses = Counter(card.status for card in flat)
    assert set(statuses) == {"ACTIVE", "INACTIVE", "EXPIRED"}
    assert 0.03 < statuses["INACTIVE"] / len(flat) < 0.1


def test_a_card_was_saved_in_the_life_of_its_token_and_never_in_the_future(cards):
    """Creation lies before today and before the expiry month, at most five years before it."""
    now = datetime(AS_OF.year, AS_OF.month, AS_OF.day, tzinfo=UTC).timestamp()
    for card in (card for rows in cards for card in rows):
        assert card.created_at_seconds < now
        created = datetime.fromtimestamp(card.created_at_seconds, UTC)
        months = (card.expiry_year - created.year) * 12 + card.expiry_month - created.month
        assert 0 <= months <= 61


def test_two_customers_can_hold_the_same_card(cards):
    """Some uids occur under two customers, with the same digits, expiry and account reference."""
    by_uid = defaultdict(list)
    for card in (card for rows in cards for card in rows):
        by_uid[card.instrument_uid].append(card)
    shared = [group for group in by_uid.values() if len({card.customer_id for card in group}) > 1]
    assert len(shared) > 20
    for group in shared:
        facts = {(c.last_four, c.par, c.expiry_year, c.expiry_month, c.network) for c in group}
        assert len(facts) == 1
        assert len({card.instrument_id for card in group}) == len(group)


def test_a_reissued_card_keeps_its_account_reference(cards):
    """Some customers hold two cards of one account: same par, other uid, later expiry."""
    reissued = 0
    for rows in cards:
        for earlier, later in pairwise(rows):
            if earlier.par == later.par and earlier.instrument_uid != later.instrument_uid:
                reissued += 1
                assert (later.expiry_year, later.expiry_month) > (
                    earlier.expiry_year,
                    earlier.expiry_month,
                )
    assert reissued > 50


def test_an_instrument_id_can_occur_twice_in_one_list(cards):
    """A few lists hold one id twice: as the same row, or in rows that contradict each other."""
    twice = [rows for rows in cards if len({card.instrument_id for card in rows}) < len(rows)]
    assert 5 < len(twice) < 60
    alike = {rows[-1] == rows[0] for rows in twice}
    assert alike == {True, False}
    everywhere = Counter(card.instrument_id for rows in cards for card in rows)
    assert max(everywhere.values()) == 2


def test_instrument_ids_are_mostly_uuids(cards):
    """Most ids parse as version 4; a small share has the odd grouping the documentation shows."""
    odd = 0
    flat = [card for rows in cards for card in rows]
    for card in flat:
        groups = [len(part) for part in card.instrument_id.split("-")]
        if groups == [8, 4, 4, 4, 12]:
            assert UUID(card.instrument_id).version == 4
        else:
            odd += 1
            assert groups == [12, 4, 4, 4, 12]
    assert 0.005 < odd / len(flat) < 0.05


@pytest.mark.parametrize("version", API_VERSIONS)
def test_a_small_share_of_rows_is_incomplete(version):
    """Null metas, null token details and missing fields occur in every version, ids never lack."""
    population = population_of(3000)
    rows = [
        row for customer_id in population.customer_ids()
        for row in population.instruments(customer_id, version)
    ]  # fmt: skip
    assert all({"customer_id", "instrument_id", "instrument_status"} <= set(row) for row in rows)
    null_meta = sum("instrument_meta" in row and row["instrument_meta"] is None for row in rows)
    metas = [row["instrument_meta"] for row in rows if row["instrument_meta"]]
    null_details = sum(
        "card_token_details" in meta and meta["card_token_details"] is None for meta in metas
    )
    missing = sum("created_at" not in row or "instrument_uid" not in row for row in rows)
    assert 5 < null_meta < 0.02 * len(rows)
    assert 10 < null_details < 0.03 * len(rows)
    assert 0 < missing < 0.02 * len(rows)
