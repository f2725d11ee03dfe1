"""The long form of the state machine that `test_engine` runs for a few seconds."""

import pytest
from hypothesis import settings
from test_engine import Campaigns


class ManyCampaigns(Campaigns):
    """The same rules, five thousand times."""


ManyCampaigns.TestCase.settings = settings(Campaigns.TestCase.settings, max_examples=5000)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
class TestFiveThousandCampaigns(ManyCampaigns.TestCase):
    """Any mix of faults, deaths, drift, other hands and pauses, five thousand times."""
