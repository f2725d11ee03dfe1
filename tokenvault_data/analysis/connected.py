"""Connected groups of a graph, by pointer jumping over arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def connected_groups(
    one: NDArray[np.int64], other: NDArray[np.int64], nodes: int
) -> NDArray[np.int64]:
    """Say of every node which group it belongs to.

    Parameters
    ----------
    one, other : array of int64
        The two ends of every edge, nodes counted from 0.
    nodes : int
        How many nodes there are.

    Returns
    -------
    array of int64
        By node, the lowest node of its group.

    Examples
    --------
    >>> connected_groups(np.array([0, 3]), np.array([2, 4]), 5).tolist()
    [0, 1, 0, 3, 3]
    """
    group: NDArray[np.int64] = np.arange(nodes, dtype=np.int64)
    while True:
        ends: tuple[NDArray[Any], NDArray[Any]] = (group[one], group[other])
        if np.array_equal(*ends):
            return group
        lowest = np.minimum(*ends)
        for end in ends:
            np.minimum.at(group, end, lowest)
        while not np.array_equal(jumped := group[group], group):
            group = jumped
