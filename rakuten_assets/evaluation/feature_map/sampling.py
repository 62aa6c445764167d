"""Which rows a map shows: a sample that is the same in every run, stratified by class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rakuten_assets.evaluation.assignment import apportion, hashed
from rakuten_assets.evaluation.inputs import Ints, Mask
from rakuten_assets.evaluation.leakage import SEED


def sample_rows(ids: Ints, strata: Ints, valid: Mask, count: int, seed: int = SEED) -> Ints:
    """At most `count` valid rows; each stratum gets its share, and one row at least where there is room for all.

    Within a stratum rows are taken in the order of a hash of (seed, id): a row that is added or removed displaces one
    other, not the whole sample.

    Args:
        ids: int64 (n,): what a row is, such as its image's id.
        strata: int64 (n,), 0 to s-1: class of each row, and one more for rows without a class.
        valid: bool (n,): rows with features.

    Returns:
        int64 (at most count,), ascending.
    """
    rows = np.flatnonzero(valid)
    if len(rows) <= count:
        return rows
    _, of = np.unique(strata[rows], return_inverse=True)
    sizes = np.bincount(of)
    order = rows[np.lexsort((hashed(ids[rows], seed), of))]
    starts = np.cumsum(sizes) - sizes
    taken = [order[start : start + take] for start, take in zip(starts, _takes(sizes, count), strict=True)]
    return np.sort(np.concatenate(taken))


def _takes(sizes: Ints, count: int) -> npt.NDArray[np.int64]:
    """Rows of each stratum: in proportion, one at least."""
    if count < len(sizes):
        return apportion(sizes, count)
    takes = np.maximum(apportion(sizes, count), 1)
    while (over := int(takes.sum()) - count) > 0:  # What the smallest were given, the largest give back.
        largest = np.argsort(-takes, kind="stable")[:over]
        takes[largest[takes[largest] > 1]] -= 1
    return takes
