"""Groups of connected nodes, against a search that walks from node to node."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.analysis.identity import connected_groups

NODES = st.integers(0, 30)


@given(st.lists(st.tuples(NODES, NODES), max_size=40))
def test_groups_are_those_a_walk_finds(edges):
    """A node's group is the lowest node that can be reached from it."""
    ends = np.array(edges, np.int64).reshape(-1, 2)
    groups = connected_groups(ends[:, 0], ends[:, 1], 31)
    for start in range(31):
        reached, waiting = {start}, [start]
        while waiting:
            node = waiting.pop()
            beside = {b for a, b in edges if a == node} | {a for a, b in edges if b == node}
            waiting += beside - reached
            reached |= beside
        assert groups[start] == min(reached)


def test_a_long_chain_is_one_group():
    """A chain of 100,000 nodes in any order takes no more than moments."""
    order = np.random.default_rng(7).permutation(100_000)
    assert not connected_groups(order[:-1], order[1:], 100_000).any()
