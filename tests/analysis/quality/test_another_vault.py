"""Lists of two different vaults are noticed, and ordinary months are not taken for such."""

import copy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest
from analysis_cases import card, publish

from tokenvault_data.analysis.cards.source import open_source
from tokenvault_data.analysis.changes.compare import compare
from tokenvault_data.analysis.quality.another_vault import Overlap, vault_check
from tokenvault_data.analysis.quality.quality import quality
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.manifest import read_manifest
from tokenvault_data.emulator.population.population import Population
from tokenvault_data.emulator.settings import EmulatorSettings

BORN = date(2026, 11, 1)
BANKS = load_bank_names()
QUESTION = "Another account, or another emulated vault? "
OLD, NEW = datetime(2026, 11, 1, 9, tzinfo=UTC), datetime(2026, 12, 1, 9, tzinfo=UTC)


@cache
def vault(customers=120, **settings):
    population = Population(EmulatorSettings(customers=customers, **{"as_of": BORN} | settings))
    return {
        customer: population.instruments(customer, "2025-01-01")
        for customer in population.customer_ids()
    }


def mapped(cards_of, change):
    """Change a copy of every card."""
    made = copy.deepcopy(cards_of)
    for cards in made.values():
        for place, one in enumerate(cards):
            change(one, place)
    return made


def checked(old, new):
    """What the check of quality says of two lists."""
    return vault_check(open_source(new), [open_source(old)], day=NEW.date(), banks=BANKS)


def asked(old, new):
    """What changes and the check of quality ask of two lists; both have to agree."""
    comparison = compare(old, new, banks=BANKS)
    finding = checked(old, new)
    assert finding.check == "same_vault"
    if comparison.another_vault is None:
        assert finding.verdict == "pass"
        assert "Another account" not in comparison.summary.title
        return None
    assert finding.verdict in {"warn", "fail"}
    for titled in (comparison.summary, comparison.events, comparison.by("bank")):
        assert titled.title.startswith(QUESTION)
    return comparison.another_vault


@pytest.fixture
def pair(tmp_path):
    return lambda old, new: (publish(tmp_path, old, now=OLD), publish(tmp_path, new, now=NEW))


@pytest.mark.parametrize("other", [{"seed": 8}, {"aged_months": 1}], ids=["another", "the same"])
def test_quality_asks_first_of_all(pair, other):
    """The check is the first row of the table, and its question stands in the title too."""
    old, new = pair(vault(), vault(**other))
    table = quality(new, against=old, as_of=NEW, banks=BANKS)
    first, finding = table.iloc[0], checked(old, new)
    said = (finding.check, finding.verdict, finding.finding)
    assert (first["check"], first["verdict"], first["finding"]) == said
    assert table.title.startswith(QUESTION) == (other == {"seed": 8})
    assert ("Another account" in table.title) == (other == {"seed": 8})


@pytest.mark.parametrize("months", [0, 1, 12, 36])
def test_months_of_one_vault_raise_no_question(pair, months):
    """However much a vault ages."""
    assert asked(*pair(vault(), vault(aged_months=months))) is None


@pytest.mark.parametrize(
    "other",
    [{"seed": 8}, {"as_of": date(2026, 12, 1)}, {"as_of": date(2026, 11, 2)}],
    ids=["another seed", "born a month later", "born a day later"],
)
def test_another_emulated_vault_is_noticed(pair, other):
    """By its cards alone, where no manifest says which vault answered."""
    assert "emulated vault?" in asked(*pair(vault(), vault(**other)))


def test_a_month_of_mass_changes_is_no_other_vault(tmp_path):
    """New ids for the same cards, a renamed bank of most cards, and a status for all, are none."""

    def renumber(one, _):
        one["instrument_id"] = f"re-{one['instrument_id']}"

    def rename(one, _):
        if one["instrument_meta"]["card_bank_name"].startswith(("HDFC", "ICICI", "SBI", "STATE")):
            one["instrument_meta"]["card_bank_name"] = "Quite Another Bank"

    def block(one, _):
        one["instrument_status"] = "INACTIVE"

    before = mapped(vault(), lambda one, _: one.update(instrument_uid=one["instrument_id"] * 2))
    old = publish(tmp_path, before, now=OLD)
    for change in (renumber, rename, block):
        assert asked(old, publish(tmp_path, mapped(before, change), now=NEW)) is None


def test_new_accounts_for_all_cards_are_asked_about(pair):
    """A re-tokenisation that gives every card another par cannot be told, so it is a question."""

    def retokenise(one, place):
        token = one["instrument_meta"]["card_token_details"] or {}
        par = f"{one['instrument_id']}-{place}"
        one["instrument_meta"]["card_token_details"] = token | {"par": par}

    before = mapped(vault(), retokenise)
    after = mapped(before, lambda one, place: retokenise(one, place + 9))
    question = asked(*pair(before, after))
    assert "differ in their details" in question
    assert "re-tokenisation" in question


def test_lists_of_nothing_and_of_little_raise_no_question(pair):
    """Of fewer than ten cards nothing is concluded."""
    few = {"c": [card(f"a{n}", created_at="2024-01-01T00:00:00Z") for n in range(9)]}
    assert asked(*pair(few, mapped(few, lambda one, _: one.update(created_at=None)))) is None
    other = mapped(few, lambda one, _: one.update(created_at="2023-01-01T00:00:00Z"))
    assert asked(*pair(few, other)) is None
    assert asked(*pair({"c": []}, {"c": []})) is None


def manifested(snapshot, **facts):
    """The same snapshot with other words in its manifest, as if it had been published so."""
    snapshot._manifest = replace(snapshot.manifest, **facts)
    return snapshot


def test_what_both_manifests_say_decides(pair):
    """Two names of emulated vaults, or one; the cards are asked where one of them is not known."""
    old, other = pair(vault(), vault(seed=8))
    assert asked(manifested(old, vault="a"), manifested(other, vault="a")) is None
    assert asked(old, manifested(other, vault=None)) is not None
    _, same = pair({}, vault())
    assert "hold different cards" in asked(old, manifested(same, vault="b"))
    assert asked(old, manifested(same, vault=None)) is None
    real = {"environment": "production", "vault": None}
    old, other = manifested(old, **real), manifested(other, **real)
    assert asked(old, other) is None, "both are of one account by its digest"
    assert asked(old, manifested(other, merchant=None)) is not None


def test_tables_are_asked_about(pair):
    """A table says nothing of its vault, so its cards do."""
    old, new = pair(vault(), vault(as_of=date(2026, 12, 1)))
    assert asked(old.to_arrow(), new.to_arrow()) is not None
    assert asked(old.to_arrow(), old.to_arrow()) is None
    bare = new.to_arrow().select(["customer_id"])
    assert quality(bare, against=old)["verdict"].iloc[0] == "unknown"
    assert quality(new)["verdict"].iloc[0] == "unknown"


def test_the_thresholds():
    """Half of the lasting details, nine tenths of any, nine tenths on both sides."""
    base = Overlap(old=100, new=100, both=100, changed=89, lasting=49, came=0, went=0)
    assert base.doubt() is None
    assert "for life" in replace(base, lasting=50).doubt()
    assert "details" in replace(base, changed=90).doubt()
    ids = Overlap(old=100, new=100, both=0, changed=0, lasting=0, came=90, went=89)
    assert ids.doubt() is None
    assert "gone" in replace(ids, went=90).doubt()
    assert replace(ids, went=90, came=89).doubt() is None


def test_a_manifest_that_does_not_name_its_vault_is_read(pair):
    """Manifests from before it was recorded say nothing of it, and are whole all the same."""
    import hashlib
    import json

    snapshot, _ = pair({"c": [card()]}, {"c": []})
    content = json.loads(manifested(snapshot, vault="a").manifest.to_json())
    assert read_manifest(json.dumps(content).encode(), snapshot.id).vault == "a"
    del content["vault"], content["digest"]
    said = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    content["digest"] = hashlib.sha256(said.encode()).hexdigest()
    assert read_manifest(json.dumps(content).encode(), snapshot.id).vault is None


def test_populations_of_one_birth_have_one_name():
    """Age and size do not change it, seed and day of birth do."""
    names = [
        Population(EmulatorSettings(customers=size, as_of=born, seed=seed, aged_months=aged)).name
        for size, born, seed, aged in (
            (5, BORN, 7, 0), (9, BORN, 7, 3), (5, BORN + timedelta(days=1), 7, 0), (5, BORN, 8, 0)
        )
    ]  # fmt: skip
    assert names[0] == names[1]
    assert len(set(names)) == 3
