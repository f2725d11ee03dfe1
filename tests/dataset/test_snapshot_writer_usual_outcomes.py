"""A share of customers without cards that is far from usual is said, and chance is not."""

import re

import pytest

from tokenvault_data.dataset.snapshot_writer import unusual_share


class Earlier:
    def __init__(self, fetched, empty, notices=()):
        self.outcomes = {"fetched": fetched, "empty": empty}
        self.notices = notices


@pytest.mark.parametrize(
    ("fetched", "empty", "earlier", "said"),
    [
        (180, 40, [(980, 20)], r"40 of 220 customers \(18%\) have no cards, and 2% had none"),
        (200, 100, [(980, 20)], "and 2% had none"),
        (15, 25, [], "check that the list names customers"),
        (215, 5, [(980, 20)], None),
        (19, 3, [(98, 2)], None),  # chance may do that
        (3, 7, [(980, 20)], None),  # so few say nothing
        (150, 50, [], None),
        (500, 500, [(490, 510)], None),
        (850, 150, [(21, 0)], None),
    ],
)
def test_a_share_far_from_usual_is_said(fetched, empty, earlier, said):
    """Against earlier snapshots, or where there are none, only if it is most of them."""
    found = unusual_share({"fetched": fetched, "empty": empty}, [Earlier(*one) for one in earlier])
    if said is None:
        assert found is None
    else:
        assert re.search(said, found)


def test_a_polluted_snapshot_is_no_measure():
    """What was odd once does not make it usual."""
    outcomes = {"fetched": 180, "empty": 40}
    known = [Earlier(980, 20), Earlier(100, 900, ("odd",))]
    assert unusual_share(outcomes, known) is not None
