"""Months that pass: what becomes of the cards, and that it is always the same."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from datetime import UTC, date, datetime

from emulator_bench import AS_OF
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.emulator.population.ageing import months_after
from tokenvault_data.emulator.population.population import Population
from tokenvault_data.emulator.settings import EmulatorSettings

KINDS = {"added", "deleted", "renewed", "replaced", "status_changed"}


def population_of(months, customers=3000, seed=7, as_of=AS_OF):
    return Population(
        EmulatorSettings(customers=customers, seed=seed, as_of=as_of, aged_months=months)
    )


def all_cards(population):
    return [population.saved_cards(index) for index in range(population.size)]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 40), st.integers(1, 20))
def test_history_only_grows(seed, months, more):
    """The first months of a longer history are the shorter one, and lead to where it stands."""
    short, long = population_of(months, 40, seed), population_of(months + more, 40, seed)
    for index in range(short.size):
        events = long.events(index)
        assert short.events(index) == tuple(e for e in events if e.month <= months)
        alive = Counter(card.instrument_id for card in short.saved_cards(index))
        for event in events[len(short.events(index)) :]:
            if event.kind != "added":
                assert alive[event.instrument_id]
            if event.kind in {"deleted", "replaced"}:
                del alive[event.instrument_id]
            if event.kind in {"added", "replaced"}:
                alive[event.new_instrument_id or event.instrument_id] += 1
        assert alive == Counter(card.instrument_id for card in long.saved_cards(index))


def test_an_aged_customer_follows_from_seed_day_and_number_alone():
    """In whatever order and size of population, a customer ages alike; other seeds otherwise."""
    small, large, other = (
        population_of(9, 50),
        population_of(9, 10**9),
        population_of(9, 50, seed=8),
    )
    backwards = [large.saved_cards(index) for index in reversed(range(50))][::-1]
    assert all_cards(small) == backwards
    assert [small.events(index) for index in range(50)] == [large.events(i) for i in range(50)]
    assert all_cards(small) != all_cards(other)


def test_without_months_nothing_happens():
    """Not aged, a vault has its birthday today and an empty ledger."""
    population = population_of(0, 200)
    assert population.today == AS_OF
    assert list(population.all_events()) == list(population.net_events()) == []


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.integers(0, 600))
def test_a_month_later_is_the_same_day_or_the_last_one(day, months):
    """Today is so many months on; a day that month does not have becomes its last."""
    later = months_after(day, months)
    assert later.year * 12 + later.month == day.year * 12 + day.month + months
    assert later.day == day.day or (
        later.day < day.day and months_after(later.replace(day=1), 1).toordinal() - 1
        == later.toordinal()
    )  # fmt: skip


def test_the_vaults_today_is_the_day_of_birth_moved_on():
    """From the end of January one month leads to the end of February, two to that of March."""
    assert population_of(1, 1, as_of=date(2027, 1, 31)).today == date(2027, 2, 28)
    assert population_of(2, 1, as_of=date(2027, 1, 31)).today == date(2027, 3, 31)


def test_a_month_shows_dozens_of_each_kind():
    """Three thousand customers see 25 to 75 events of each kind in any month, and most see none."""
    for seed in (7, 8, 9):
        counts = Counter(
            (event.month, event.kind) for event in population_of(3, seed=seed).all_events()
        )
        assert set(counts) == {(month, kind) for month in (1, 2, 3) for kind in KINDS}
        assert all(25 <= number <= 75 for number in counts.values()), counts


def test_a_vault_stays_itself_over_the_years():
    """After ten years there are still about as many cards, most of them ACTIVE and unexpired."""
    born, old = population_of(0, 800), population_of(120, 800)
    before = [card for rows in all_cards(born) for card in rows]
    after = [card for rows in all_cards(old) for card in rows]
    assert 0.8 < len(after) / len(before) < 1.25
    month = old.today.year * 12 + old.today.month
    usable = [
        card for card in after
        if card.status == "ACTIVE" and card.expiry_year * 12 + card.expiry_month >= month
    ]  # fmt: skip
    assert 0.4 < len(usable) / len(after) < 0.8


def test_cards_about_to_expire_are_renewed():
    """Two in five with at most a month left are renewed in a month; most renewals are of those."""
    born, aged = population_of(0, 6000), population_of(1, 6000)
    renewals = {
        event.instrument_id: event for event in aged.all_events() if event.kind == "renewed"
    }
    month = aged.today.year * 12 + aged.today.month
    at_risk = [
        card.instrument_id
        for rows in all_cards(born) for card in rows
        if card.status == "ACTIVE" and not card.flaw
        and 0 <= card.expiry_year * 12 + card.expiry_month - month <= 1
    ]  # fmt: skip
    in_time = renewals.keys() & set(at_risk)
    assert 0.3 < len(in_time) / len(at_risk) < 0.5
    assert len(in_time) > 0.8 * len(renewals)


def test_expiry_never_moves_backwards():
    """A renewal adds three to five years, and no replacement expires before what it replaces."""
    kinds = Counter()
    for event in population_of(24).all_events():
        if event.old_expiry is None:
            continue
        moved = (event.new_expiry[0] - event.old_expiry[0]) * 12
        moved += event.new_expiry[1] - event.old_expiry[1]
        assert 36 <= moved <= 60 if event.kind == "renewed" else moved >= 0
        kinds[event.kind] += 1
    assert kinds["renewed"] > 500
    assert kinds["replaced"] > 500


def test_both_kinds_of_replacement_are_seen():
    """A re-issued card keeps its account alone, one tokenised anew keeps card and expiry too."""
    before = {card.instrument_id: card for rows in all_cards(population_of(0)) for card in rows}
    aged = population_of(1)
    after = {card.instrument_id: card for rows in all_cards(aged) for card in rows}
    reissued = Counter()
    for event in aged.all_events():
        if event.kind == "replaced":
            old, new = before[event.instrument_id], after[event.new_instrument_id]
            assert old.par == new.par
            is_reissued = old.instrument_uid != new.instrument_uid
            assert is_reissued or event.old_expiry == event.new_expiry
            assert is_reissued or old.last_four == new.last_four
            reissued[is_reissued] += 1
    assert min(reissued[True], reissued[False]) > 10


def test_a_card_of_a_shared_account_is_never_reissued():
    """Of two cards on one account none gets a successor that both could be the parent of."""
    born, aged = population_of(0, 1500), population_of(30, 1500)
    seen = 0
    for index, rows in enumerate(all_cards(born)):
        accounts = Counter({card.instrument_id: card.par for card in rows}.values())
        uids = {card.instrument_uid for card in rows}
        for card in aged.saved_cards(index):
            if accounts[card.par] > 1:
                seen += 1
                assert card.instrument_uid in uids
    assert seen > 50


def test_rows_with_a_flaw_or_a_repeated_id_never_change():
    """What was not sent cannot be seen to change: such rows are kept as they were or deleted."""
    born, aged = population_of(0, 1500), population_of(30, 1500)
    fates = Counter()
    for index, rows in enumerate(all_cards(born)):
        ids = Counter(card.instrument_id for card in rows)
        later = aged.saved_cards(index)
        for card in rows:
            if card.flaw is None and ids[card.instrument_id] == 1:
                continue
            alike = [other for other in later if other.instrument_id == card.instrument_id]
            events = [e for e in aged.events(index) if e.instrument_id == card.instrument_id]
            if alike:
                assert events == []
                assert Counter(alike) == Counter(
                    c for c in rows if c.instrument_id == card.instrument_id
                )
            else:
                assert [event.kind for event in events] == ["deleted"]
            fates[ids[card.instrument_id], bool(alike)] += 1
    assert set(fates) == {(1, True), (1, False), (2, True), (2, False)}


def test_ids_are_never_used_again():
    """Every id that ever was belongs to one card, over all customers and months."""
    born, aged = population_of(0, 1000), population_of(24, 1000)
    ids = Counter({card.instrument_id for rows in all_cards(born) for card in rows})
    for event in aged.all_events():
        if event.kind in {"added", "replaced"}:
            ids[event.new_instrument_id or event.instrument_id] += 1
    assert max(ids.values()) == 1
    assert {card.instrument_id for rows in all_cards(aged) for card in rows} <= set(ids)


def test_new_ids_were_created_in_their_month_and_stand_at_the_end():
    """What an event brought was created between that month's days; the order of the rest stays."""
    born, aged = population_of(0, 2000), population_of(18, 2000)
    brought = 0
    for index, rows in enumerate(all_cards(born)):
        months = {
            event.new_instrument_id or event.instrument_id: event.month
            for event in aged.events(index) if event.kind in {"added", "replaced"}
        }  # fmt: skip
        listed = dict.fromkeys(card.instrument_id for card in aged.saved_cards(index))
        order = dict.fromkeys([*(card.instrument_id for card in rows), *months])
        assert list(listed) == [one for one in order if one in listed]
        for card in aged.saved_cards(index):
            if card.instrument_id in months:
                month = months[card.instrument_id]
                created = datetime.fromtimestamp(card.created_at_seconds, UTC).date()
                assert months_after(AS_OF, month - 1) <= created < months_after(AS_OF, month)
                brought += 1
    assert brought > 500


def test_customers_without_a_card_get_their_first():
    """Some who had none have one later, on an account that nobody else has."""
    born, aged = population_of(0), population_of(12)
    accounts = {card.par for rows in all_cards(born) for card in rows}
    firsts = [
        aged.saved_cards(index)[0]
        for index, rows in enumerate(all_cards(born)) if not rows and aged.saved_cards(index)
    ]  # fmt: skip
    assert len(firsts) > 50
    assert not accounts & {card.par for card in firsts}


def test_an_aged_million_costs_no_memory():
    """Ageing is computed for whoever is asked about, and not kept."""
    tracemalloc.start()
    population = population_of(12, 10**6)
    for index in range(0, population.size, 2500):
        population.list_body(index, "2026-01-01")
    events = population.all_events()
    for _ in range(500):
        next(events)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 8_000_000
