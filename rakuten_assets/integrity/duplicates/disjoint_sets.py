"""Disjoint sets of positions, joined pair by pair (union-find on arrays)."""

from __future__ import annotations

import numpy as np

from rakuten_assets.integrity.duplicates.near_duplicates import Positions


class DisjointSets:
    """Sets of 0..n-1, at first each number alone. Which sets there are depends on the pairs, not on their order."""

    def __init__(self, count: int) -> None:
        self._parent = np.arange(count)

    def roots(self, members: Positions) -> Positions:
        """The number that stands for each member's set: the same for two members of one set."""
        roots = self._parent[members]
        while True:
            above = self._parent[roots]
            if np.array_equal(above, roots):
                self._parent[members] = roots
                return roots
            roots = above

    def join(self, left: Positions, right: Positions) -> None:
        """Make one set of the two sets of each pair."""
        while True:
            one, other = self.roots(left), self.roots(right)
            apart = one != other
            if not apart.any():
                return
            left, right, one, other = left[apart], right[apart], one[apart], other[apart]
            # A root points to a smaller root only, so no circle arises; of several it takes the least, and the
            # next round joins what that left apart.
            np.minimum.at(self._parent, np.maximum(one, other), np.minimum(one, other))
