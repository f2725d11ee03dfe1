"""Which cards a rule selects, which are left out and why; against rules of thumb and an oracle."""

from collections import Counter, defaultdict
from datetime import date

import pytest
from cleanup_vaults import DAY, FETCHED, publish_vault, raw_card, table_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.filters.filters import where
from tokenvault_data.cleanup.selection import exclusions, rules
from tokenvault_data.cleanup.selection.cards import ControlCard
from tokenvault_data.cleanup.selection.drift import usable
from tokenvault_data.cleanup.selection.rules import Rule
from tokenvault_data.cleanup.selection.selection import select_cards
from tokenvault_data.dataset.bank_names import load_bank_names

EXPIRED = rules.expired(DAY)


def select(store, vault, rule=EXPIRED, **given):
    return select_cards(publish_vault(store, vault), rule, **{"as_of": DAY} | given)


def chosen(selection):
    cards = selection.cards
    return list(
        zip(*(cards.column(n).to_pylist() for n in ("customer_id", "instrument_id")), strict=True)
    )


def keepers(selection):
    cards = selection.cards.to_pylist()
    return {row["instrument_id"]: row["keeper"] for row in cards}


def test_cards_a_rule_is_true_of(tmp_path):
    """Expired cards of customers who keep another, in order of customer and card, with figures."""
    selection = select(
        tmp_path,
        {
            "c2": [raw_card("i3", "2025-01", bank="hdfc bank ltd"), raw_card("i2")],
            "c1": [raw_card("i9", "2026-10"), raw_card("i1", "2024-01"), raw_card("i5", None)],
            "c3": [raw_card("i7", "2026-11")],
        },
    )
    assert chosen(selection) == [("c1", "i1"), ("c1", "i9"), ("c2", "i3")]
    first = selection.cards.to_pylist()[0]
    assert (first["expires_on"], first["fetched_at"]) == (date(2024, 1, 31), FETCHED)
    assert (first["bank"], first["card_type"], first["keeper"]) == ("HDFC Bank", "debit", None)
    assert selection.left_out == {}
    assert (selection.vault.cards, selection.vault.customers) == (6, 3)
    assert selection.vault.banks == {"HDFC Bank": 6}
    planned = selection.planned
    assert (planned.cards, planned.most_of_one_customer) == (3, 2)
    assert (planned.banks, planned.left_without_usable) == ({"HDFC Bank": 3}, 0)
    months = ["2024-01", "2025-01", "2026-10", "2026-11", "2028-12", None]
    assert selection.before["expiry"] == dict.fromkeys(months, 1)
    assert selection.oldest_fetched_at == selection.newest_fetched_at == FETCHED


def test_what_cannot_be_asked_for_is_left_out(tmp_path):
    """Rows without an id, with an id that is no path, or of another customer, are counted."""
    old = {"expires": "2025-01"}
    selection = select(
        tmp_path,
        {
            "c1": [raw_card(None, **old), raw_card(None, **old), raw_card("fine", **old)],
            "c2": [raw_card("a/b", **old), raw_card(" blank ", **old), raw_card("1e+05", **old)],
            "c3": [raw_card("i3", customer_id="c4", **old), raw_card("", **old)],
            "c/5": [raw_card("i5", **old)],
            "c6": [raw_card(None, "2029-01"), raw_card("../x", "2029-01")],
        },
    )
    assert chosen(selection) == [("c1", "fine")]
    assert selection.left_out == {
        exclusions.NO_ID: 3,
        exclusions.BAD_ID: 4,
        exclusions.FOREIGN: 1,
    }


def test_repeated_rows_that_agree_are_one_card(tmp_path):
    """The same id twice in a list is one card: planned once, and no duplicate of itself."""
    twice = [raw_card("i1", "2025-01", par="P"), raw_card("i1", "2025-01", par="P")]
    vault = {"c1": [*twice, raw_card("i2")]}
    selection = select(tmp_path, vault)
    assert chosen(selection) == [("c1", "i1")]
    assert (selection.vault.cards, selection.before["card_network"]) == (2, {"visa": 2})
    assert chosen(select(tmp_path, vault, rules.duplicates())) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "INACTIVE"},
        {"expires": "2025-02"},
        {"expires": "2029-02"},
        {"uid": "u"},
        {"uid": None},
        {"par": "Q"},
        {"display": "XXXX1111"},
        {"network": "rupay"},
    ],
)
def test_repeated_rows_that_contradict_each_other_are_left_out(tmp_path, changes):
    """Where two rows of one card differ in what matters, nobody knows which one is true."""
    given = {"expires": "2025-01", "uid": "v", "par": "P"}
    vault = {"c1": [raw_card("i1", **given), raw_card("i1", **given | changes), raw_card("i2")]}
    selection = select(tmp_path, vault, EXPIRED & rules.networks("visa"))
    assert chosen(selection) == []
    assert selection.left_out == {exclusions.CONTESTED: 1}


def test_a_customer_keeps_the_last_usable_card(tmp_path):
    """Of cards that can all be paid with the one that lasts longest stays, and is counted."""
    vault = {
        "c1": [raw_card("a", "2027-01"), raw_card("b", "2028-01"), raw_card("c", "2025-01")],
        "c2": [raw_card("d", "2027-01"), raw_card("e", "2027-01", network="rupay")],
        "c3": [raw_card("f", "2025-01")],
    }
    visa = rules.networks("visa")
    selection = select(tmp_path, vault, visa)
    assert chosen(selection) == [("c1", "a"), ("c1", "c"), ("c2", "d"), ("c3", "f")]
    assert selection.left_out == {exclusions.SPARED: 1}
    assert selection.planned.left_without_usable == 0
    unspared = select(tmp_path, vault, visa, keep_last_usable=False)
    assert ("c1", "b") in chosen(unspared)
    assert unspared.left_out == {}
    assert unspared.planned.left_without_usable == 1


@pytest.mark.parametrize(
    ("status", "expires", "spared"),
    [
        ("ACTIVE", None, ["a"]),
        ("ACTIVE", "2026-11", ["a"]),
        ("ACTIVE", "2026-10", []),
        ("INACTIVE", "2029-01", []),
        (None, None, ["a"]),
    ],
)
def test_a_card_that_may_be_usable_is_spared_too(tmp_path, status, expires, spared):
    """The last card that may be usable stays as well; one that certainly is not may go."""
    vault = {"c1": [raw_card("a", expires, status=status), raw_card("b", "2025-01")]}
    selection = select(tmp_path, vault, rules.networks("visa"))
    assert [card for _, card in chosen(selection)] == sorted({"a", "b"} - set(spared))


def test_a_card_that_may_be_usable_does_not_stand_in_for_a_usable_one(tmp_path):
    """The usable card stays also where another one remains whose expiry is not known."""
    vault = {"c1": [raw_card("sure", "2029-01"), raw_card("open", None, network="rupay")]}
    assert chosen(select(tmp_path, vault, rules.networks("visa"))) == []
    assert chosen(select(tmp_path, vault, rules.networks("rupay"))) == [("c1", "open")]


@pytest.mark.parametrize(
    "other",
    [
        [raw_card(None, "2029-01")],
        [raw_card("a/b", "2029-01")],
        [raw_card("x", "2029-01", customer_id="c9")],
        [raw_card("x", "2029-01"), raw_card("x", "2025-01")],
    ],
)
def test_what_nobody_is_sure_of_is_no_card_to_pay_with(tmp_path, other):
    """A card without a usable id, or listed with contradictions, does not free another to go."""
    vault = {"c1": [raw_card("a", "2027-01", network="rupay"), *other]}
    selection = select(tmp_path, vault, rules.networks("rupay"))
    assert chosen(selection) == []
    assert selection.left_out == {exclusions.SPARED: 1}


def test_of_duplicates_the_usable_one_that_lasts_longest_is_kept(tmp_path):
    """Usable comes before newer, later expiry before later saving; each names what is kept."""
    selection = select(
        tmp_path,
        {
            "c1": [
                raw_card("a", "2030-01", par="P", status="INACTIVE"),
                raw_card("b", "2027-01", par="P"),
                raw_card("c", "2028-01", par="P"),
            ],
            "c2": [
                raw_card("d", "2028-01", uid="U", created_at="2024-01-01T00:00:00Z"),
                raw_card("e", "2028-01", uid="U", created_at="2024-01-02T00:00:00Z"),
            ],
            "c3": [raw_card("f", "2025-02", par="Q"), raw_card("g", "2025-01", par="Q")],
            "c4": [raw_card("h", par="P", uid="U"), raw_card("i"), raw_card("j")],
        },
        rules.duplicates(),
    )
    assert keepers(selection) == {"a": "c", "b": "c", "d": "e", "g": "f"}
    assert selection.left_out == {}


def test_cards_of_two_customers_are_no_duplicates(tmp_path):
    """The same card saved by two customers is both of theirs."""
    vault = {"c1": [raw_card("a", par="P", uid="U")], "c2": [raw_card("b", par="P", uid="U")]}
    assert chosen(select(tmp_path, vault, rules.duplicates())) == []
    further = vault | {"c3": [raw_card("c", "2030-01"), raw_card("d", par="P", uid="U")]}
    assert chosen(select(tmp_path, further, rules.duplicates())) == []


def test_a_duplicate_rests_on_a_card_that_is_itself_kept(tmp_path):
    """What is linked to the kept card only through one that goes is left out, and counted."""
    vault = {
        "c1": [
            raw_card("best", "2029-01", par="P"),
            raw_card("link", "2028-01", par="P", uid="U"),
            raw_card("far", "2027-01", uid="U"),
        ]
    }
    selection = select(tmp_path, vault, rules.duplicates())
    assert keepers(selection) == {"link": "best"}
    assert selection.left_out == {exclusions.NO_KEEPER: 1}


def test_nothing_rests_on_a_card_that_cannot_be_asked_for(tmp_path):
    """A card whose id is no id cannot be fetched again, so nothing is deleted in its favour."""
    vault = {"c1": [raw_card("a/b", "2029-01", par="P"), raw_card("c", "2028-01", par="P")]}
    selection = select(tmp_path, vault, rules.duplicates())
    assert chosen(selection) == []
    assert selection.left_out == {exclusions.BAD_ID: 1}
    alone = {"c1": [raw_card("a/b", par="R"), raw_card("c", par="P"), raw_card("d", par="P")]}
    assert select(tmp_path, alone, rules.duplicates()).left_out == {}


def test_duplicates_are_narrowed_by_a_condition(tmp_path):
    """The condition is on the card that goes; the one that is kept may be anything."""
    vault = {
        "c1": [
            raw_card("new", "2029-01", par="P", network="visa"),
            raw_card("old", "2027-01", par="P", network="rupay"),
            raw_card("older", "2026-12", par="P", network="amex"),
        ]
    }
    selection = select(tmp_path, vault, rules.duplicates() & rules.networks("rupay", "visa"))
    assert keepers(selection) == {"old": "new"}


def test_a_list_selects_what_it_names(tmp_path):
    """Listed cards that are in the snapshot, and of these only where the condition is true."""
    vault = {"c1": [raw_card("a", "2025-01"), raw_card("b")], "c2": [raw_card("c", "2025-01")]}
    pairs = [("c1", "a"), ("c1", "b"), ("c1", "c"), ("c9", "a")]
    selection = select(tmp_path, vault, rules.listed(pairs))
    assert chosen(selection) == [("c1", "a")]
    assert selection.left_out == {exclusions.NOT_FOUND: 2, exclusions.SPARED: 1}
    narrowed = select(tmp_path, vault, rules.listed(pairs) & EXPIRED)
    assert chosen(narrowed) == [("c1", "a")]
    assert narrowed.left_out == {exclusions.NOT_FOUND: 2}


def test_control_cards_are_usable_and_of_others(tmp_path):
    """Controls are usable cards of customers who lose nothing, one each, of all banks."""
    vault = {
        "c1": [raw_card("a", "2025-01"), raw_card("b")],
        "c2": [raw_card("c"), raw_card("d")],
        "c3": [raw_card("e", bank="AXIS BANK")],
        "c4": [raw_card("f", status="INACTIVE", network="rupay")],
        "c5": [raw_card("g", None, network="rupay")],
        "c6": [raw_card("h", "2026-10", network="rupay")],
        "c7": [raw_card("i"), raw_card("i", "2028-11")],
        "c8": [raw_card("j", customer_id="c9")],
        "c/9": [raw_card("k")],
    }
    selection = select(tmp_path, vault, EXPIRED & rules.networks("visa"))
    assert set(selection.controls) == {ControlCard("c2", "c"), ControlCard("c3", "e")}


def test_there_are_at_most_twenty_controls(tmp_path):
    """Twenty are enough, however many customers there are."""
    vault = {f"c{at}": [raw_card(f"i{at}", bank=f"Bank {at % 3}")] for at in range(60)}
    vault["gone"] = [raw_card("old", "2025-01")]
    controls = select(tmp_path, vault).controls
    assert len(controls) == len({one.customer_id for one in controls}) == 20
    banks = Counter(int(one.customer_id[1:]) % 3 for one in controls)
    assert min(banks.values()) >= 6


def test_banks_are_named_by_the_table_given(tmp_path):
    """A rule on banks, and the figures, follow the names that the caller gives."""
    import pyarrow as pa

    own = load_bank_names(pa.table({"spelling": ["HDFC BANK"], "bank": ["Mine"]}))
    vault = {"c1": [raw_card("a", "2025-01")], "c2": [raw_card("b", bank="AXIS BANK")]}
    selection = select(tmp_path, vault, rules.banks("Mine", known_as=own), banks=own)
    assert chosen(selection) == [("c1", "a")]
    assert selection.planned.banks == {"Mine": 1}
    assert select(tmp_path, vault, rules.banks("Mine", known_as=own)).cards.num_rows == 0


def test_a_customer_who_was_not_fetched_is_not_there(tmp_path):
    """A partial snapshot is planned from what it has."""
    snapshot = publish_vault(tmp_path, {"c1": [raw_card("a", "2025-01")]}, failed=["c2"])
    assert chosen(select_cards(snapshot, EXPIRED, as_of=DAY)) == [("c1", "a")]


def test_an_empty_vault_selects_nothing(tmp_path):
    """Without cards there is nothing to select, and no age."""
    selection = select(tmp_path, {"c1": []})
    assert (selection.planned.cards, selection.vault.cards) == (0, 0)
    assert (selection.oldest_fetched_at, selection.controls) == (None, ())


def oracle(listing, condition, kind):
    """Decide in plain Python, from the rows of the table, what goes, is spared and contested."""
    cards, contested = {}, set()
    for row in listing:
        key = (row["customer_id"], row["instrument_id"])
        if key in cards and any(
            cards[key][name] != row[name]
            for name in ("instrument_uid", "par", "instrument_status", "expires_on", "last_four")
        ):
            contested.add(key)
        cards.setdefault(key, row)

    def level(row):
        return {True: 2, None: 1, False: 0}[
            usable(row["instrument_status"], row["expires_on"], DAY)
        ]

    def worth(key):
        row = cards[key]
        return (level(row), row["expires_on"] or date.min, key[1])

    sure = [key for key in cards if key not in contested]
    of = defaultdict(list)
    for key in sure:
        of[key[0]].append(key)

    def linked(one, other):
        return any(
            cards[one][name] is not None and cards[one][name] == cards[other][name]
            for name in ("par", "instrument_uid")
        )

    def better(key):
        return [o for o in of[key[0]] if worth(o) > worth(key) and linked(key, o)]

    going = {key for key in sure if condition.holds_for(cards[key])}
    if kind == "duplicates":
        going = {key for key in going if any(not better(other) for other in better(key))}
    rows = defaultdict(list)
    for row in listing:
        rows[row["customer_id"], row["instrument_id"]].append(level(row))
    levels = {key: min(found) for key, found in rows.items()}
    spared = set()
    for customer, theirs in of.items():
        leaving = [key for key in theirs if key in going]
        staying = [levels[key] for key in levels if key[0] == customer and key not in going]
        if leaving and max(staying, default=0) < max(levels[key] for key in leaving):
            spared.add(max(leaving, key=worth))
    return going - spared, spared, contested


CARDS = st.builds(
    lambda at, expires, status, par, uid, network: raw_card(
        f"i{at}", expires, status=status, par=par, uid=uid, network=network
    ),
    st.integers(0, 4),
    st.sampled_from(["2025-01", "2026-10", "2026-11", "2028-01", None]),
    st.sampled_from(["ACTIVE", "ACTIVE", "INACTIVE", None]),
    st.sampled_from(["P", "Q", None]),
    st.sampled_from(["U", "V", None]),
    st.sampled_from(["visa", "visa", "rupay"]),
)
VAULTS = st.dictionaries(
    st.sampled_from([f"c{at}" for at in range(9)]), st.lists(CARDS, max_size=5), min_size=1
)
CONDITIONS = st.sampled_from(
    [
        EXPIRED.condition,
        where(),
        where(instrument_status="ACTIVE"),
        ~where(par="P"),
        where(par=["P", None]) | rules.inactive().condition,
    ]
)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(VAULTS, CONDITIONS, st.sampled_from(["condition", "duplicates"]))
def test_selections_agree_with_the_oracle(tmp_path_factory, vault, condition, kind):
    """On random vaults the same cards go, the same are spared, and nobody is worse off."""
    snapshot = publish_vault(tmp_path_factory.mktemp("store"), vault)
    selection = select_cards(snapshot, Rule(condition, kind), as_of=DAY)
    listing = table_of(vault).to_pylist()
    going, spared, contested = oracle(listing, condition, kind)
    assert set(chosen(selection)) == going
    assert selection.left_out.get(exclusions.SPARED, 0) == len(spared)
    assert selection.left_out.get(exclusions.CONTESTED, 0) <= len(contested)
    assert selection.planned.left_without_usable == 0
    keys = {(row["customer_id"], row["instrument_id"]) for row in listing}
    assert selection.vault.cards == len(keys)
    for counts in selection.before.values():
        assert sum(counts.values()) == selection.vault.cards
    losing = {customer for customer, _ in going}
    assert not losing & {one.customer_id for one in selection.controls}
