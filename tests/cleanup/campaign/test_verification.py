"""Looking again at what a campaign calls gone, against an emulator over real HTTP."""

import json
import random

import pytest
from campaign_bench import AS_OF, bench
from cleanup_journals import make_plan

import tokenvault_data as tv
from tokenvault_data.cleanup.audit.audit import audit_cleanup
from tokenvault_data.cleanup.audit.seal import seal_journal
from tokenvault_data.cleanup.campaign.verification import verify_cleanup
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings
from tokenvault_data.errors import RefusedByGuardRail, UsageError


@pytest.fixture(scope="module")
def over(tmp_path_factory):
    """A campaign that is over, and its emulator; tests only look at it."""
    with bench(tmp_path_factory.mktemp("over"), customers=20) as made:
        made.apply()
        made.apply()
        seal_journal(folder_of(made))
        yield made


def folder_of(made):
    return made.store / "campaigns" / made.plan.id


def connected(emulator):
    return tv.connect(emulator_profile(emulator.base_url), share=1.0)


def look(made, **more):
    with made.connect() as vault:
        return verify_cleanup(
            vault, made.plan, folder_of(made), config_dir=made.store / "config", **more
        )


def test_all_that_is_gone_is_seen_gone(over):
    """Each card once and controls around them; nothing but fetches; the journal as it was."""
    journal = folder_of(over) / "journal.sqlite"
    before, cards = journal.read_bytes(), len(over.plan.cards)
    over.emulator.wire_log.clear()
    result = look(over)
    assert (result.ok, result.looked_at, result.gone) == (True, cards, cards)
    assert {entry.operation for entry in over.emulator.wire_log.entries()} == {"fetch"}
    asked = [(e.customer_id, e.instrument_id) for e in over.emulator.wire_log.entries()]
    assert sorted(ids for ids in asked if ids in over.planned()) == sorted(over.planned())
    assert asked[0] not in over.planned()
    assert asked[-1] not in over.planned()
    assert journal.read_bytes() == before
    assert audit_cleanup(folder_of(over), config_dir=over.store / "config").complete


def test_what_was_found_is_kept_in_a_file(over):
    """A file of its own says the same, with numbers and no id."""
    result = look(over, sample=3, draws=random.Random(1))
    text = (folder_of(over) / result.file).read_text()
    kept = json.loads(text)
    assert (kept["looked_at"], kept["gone"], kept["plan"]) == (3, 3, over.plan.digest)
    assert not any(card.customer_id in text for card in over.plan.cards)
    assert result.verdict.startswith("Looked again at 3 of ")


def test_a_card_that_is_still_there_is_named(tmp_path):
    """Of cards that came back, or never went, it gives the numbers."""
    with bench(tmp_path, customers=20) as made:
        made.apply()
        made.apply()
        settings = EmulatorSettings(customers=20, as_of=AS_OF)
        with Emulator(settings) as fresh, connected(fresh) as vault:
            for card in made.plan.cards[1:]:
                vault.delete_instrument(card.customer_id, card.instrument_id)
            result = verify_cleanup(
                vault, made.plan, folder_of(made), config_dir=made.store / "config"
            )
    assert (result.ok, result.still_there) == (False, (0,))
    assert "1 still there" in result.verdict


def test_a_403_of_one_customer_spoils_no_other_answer(over):
    """Its card is unclear; all others are proven gone."""
    customer = over.plan.cards[0].customer_id
    theirs = sum(card.customer_id == customer for card in over.plan.cards)
    over.emulator.set_faults(f"403@fetch#customer={customer}")
    try:
        result = look(over)
    finally:
        over.emulator.set_faults("")
    assert (len(result.unclear), result.stopped) == (theirs, None)
    assert result.gone == len(over.plan.cards) - theirs


def test_without_a_control_card_nothing_is_proven(over):
    """An account that knows none of the cards shows all of them gone, and is not believed."""
    with Emulator(EmulatorSettings(customers=1, seed=9)) as other, connected(other) as vault:
        result = verify_cleanup(vault, over.plan, folder_of(over), config_dir=over.store / "config")
    assert (result.ok, result.gone) == (False, 0)
    assert len(result.unclear) == len(over.plan.cards)
    assert "account looks wrong" in result.verdict


@pytest.mark.parametrize("sample", [0, -1, True])
def test_a_sample_is_of_one_card_or_more(over, sample):
    """Looking at nothing proves nothing."""
    with pytest.raises(UsageError, match="1 card or more"):
        look(over, sample=sample)


@pytest.mark.parametrize("environment", ["production", "emulator"])
def test_another_account_is_refused(over, environment):
    """A plan for another environment, or for another merchant, gets no request."""
    over.emulator.wire_log.clear()
    with over.connect() as vault, pytest.raises(RefusedByGuardRail, match="another account"):
        verify_cleanup(vault, make_plan(environment=environment), folder_of(over))
    assert not over.emulator.wire_log.entries()


def test_files_that_do_not_hold_together_are_not_looked_at(tmp_path):
    """What the journal says is the question, so it has to be one that can be believed."""
    with bench(tmp_path, customers=20) as made:
        made.apply()
        folder = folder_of(made)
        path = folder / "journal.sqlite"
        path.write_bytes(path.read_bytes()[:-4096])
        with pytest.raises(UsageError, match="run the audit"):
            look(made)
