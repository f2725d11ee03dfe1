"""The long form of the state machine that `test_engine` runs for a few seconds."""

import pytest
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test
from test_engine import Campaigns

PARTS = 4
"""So that several processes share the work."""


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_five_thousand_campaigns(chaos_seed, record_property, part):
    """Any mix of faults, deaths, drift, other hands and pauses, five thousand times."""
    examples = 0

    class ManyCampaigns(Campaigns):
        def teardown(self):
            nonlocal examples
            super().teardown()
            examples += 1

    long = settings(Campaigns.TestCase.settings, max_examples=5000 // PARTS, print_blob=True)
    try:
        run_state_machine_as_test(seed(f"{chaos_seed}/{part}")(ManyCampaigns), settings=long)
    except BaseException:
        record_property("chaos", {"runs": examples, "violations": 1})
        raise
    record_property("chaos", {"runs": examples, "violations": 0})
