"""Every panel that shows figures of a partial snapshot says so, with how many are missing."""

import pytest

import tokenvault_data as tv
from tokenvault_data import widgets
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings
from tokenvault_data.widgets.collect.text import outcome_blocks
from tokenvault_data.widgets.parts.text import as_html

PANELS = {
    "ChangesView": lambda panel, old, new: _waited(panel(old, new)).static_html(),
    "CleanupPanel": lambda panel, _, new: panel(new, tv.where(card_network=["visa"])).static_html(),
    "CollectPanel": lambda _panel, _, new: as_html(list(outcome_blocks(new.manifest))),
    "ExpiryRadar": lambda panel, _, new: _waited(panel(new)).static_html(),
    "Explorer": lambda panel, _, new: _waited(panel(new)).static_html(),
}
"""What each panel shows of a snapshot; a new panel has to be added here."""


def _waited(panel):
    assert panel.wait()
    return panel


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A complete snapshot and one of the same vault that some customers failed of."""
    store = tmp_path_factory.mktemp("partial")
    settings = EmulatorSettings(customers=60, rate_limit_per_minute=600_000)
    customers = [f"cust_{number:07d}" for number in range(60)]
    with Emulator(settings) as emulator:
        with tv.connect(emulator_profile(emulator.base_url)) as vault:
            whole = tv.collect(vault, customers, store=store, fresh=True, progress=False)
        emulator.set_faults("404:0.2@list")
        with tv.connect(emulator_profile(emulator.base_url)) as vault:
            part = tv.collect(vault, customers, store=store, fresh=True, progress=False)
    assert not part.complete
    return whole, part


def test_every_panel_is_tried():
    """The list above is all there are."""
    assert set(PANELS) == set(widgets.__all__)


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_says_that_a_snapshot_is_partial(pair, name):
    """With how many customers are missing; of two complete ones nothing is said."""
    whole, part = pair
    missing = part.manifest.outcomes["failed"]
    panel = getattr(widgets, name)
    assert f"{missing} of 60 customers were not fetched" in PANELS[name](panel, whole, part)
    assert "is partial" not in PANELS[name](panel, whole, whole)


def test_the_snapshot_beside_an_explorer_counts(pair):
    """A partial one that is compared with is warned of as well, and no longer once it is not."""
    whole, part = pair
    explorer = widgets.Explorer(whole)
    assert "is partial" not in explorer.static_html()
    explorer.compare_with(part)
    assert f"Snapshot {part.id} is partial" in explorer.static_html()
    explorer.compare_with(None)
    assert "is partial" not in explorer.static_html()
