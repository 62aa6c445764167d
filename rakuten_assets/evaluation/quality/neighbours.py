"""Near features: do neighbours share a label, and do different pictures have the same features?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rakuten_assets.evaluation.inputs import BLOCK_ROWS, Floats, Ints
from rakuten_assets.evaluation.leakage import SEED

NEIGHBOURS = 10
QUERIES = 5000
_PROJECTIONS = 12
_REFERENCES = 16 * BLOCK_ROWS
_MAX_CANDIDATES = 20_000_000


def neighbour_agreement(
    features: Floats,
    rows: Ints,
    labels: Ints,
    groups: npt.NDArray[np.generic],
    *,
    neighbours: int = NEIGHBOURS,
    queries: int = QUERIES,
    seed: int = SEED,
) -> float:
    """Mean share of a row's nearest rows (by cosine) that have its label; duplicates of the row do not count.

    Args:
        features: float32 (n, d).
        rows: int64 (m,): those to compare.
        labels, groups: of all rows (n,).
        neighbours: nearest rows looked at.
        queries: rows asked about, drawn by the seed; all where there are fewer.

    Returns:
        0 to 1; 0 where no row has a neighbour.
    """
    _, members = np.unique(groups, return_inverse=True)
    asked = np.sort(np.random.default_rng(seed).choice(rows, min(queries, len(rows)), replace=False))
    agreement = 0.0
    for start in range(0, len(asked), BLOCK_ROWS):
        some = asked[start : start + BLOCK_ROWS]
        query = _unit(features[some])
        best = np.full((len(some), neighbours), -np.inf, dtype=np.float32)
        of = np.full((len(some), neighbours), -1, dtype=np.int64)
        for begin in range(0, len(rows), _REFERENCES):
            others = rows[begin : begin + _REFERENCES]
            likeness = query @ _unit(features[others]).T
            likeness[members.reshape(-1)[some][:, None] == members.reshape(-1)[others]] = -np.inf
            both = np.concatenate([best, likeness], axis=1)
            named = np.concatenate([of, np.broadcast_to(labels[others], likeness.shape)], axis=1)
            nearest = np.argpartition(-both, neighbours - 1, axis=1)[:, :neighbours]
            best, of = np.take_along_axis(both, nearest, 1), np.take_along_axis(named, nearest, 1)
        there = np.isfinite(best)
        same = ((of == labels[some][:, None]) & there).sum(axis=1)
        agreement += float((same / np.maximum(there.sum(axis=1), 1)).sum())
    return agreement / max(len(asked), 1)


def near_identical_pairs(
    features: Floats,
    rows: Ints,
    groups: npt.NDArray[np.generic],
    *,
    tolerance: float = 1e-3,
    limit: int = 10_000,
    seed: int = SEED,
) -> Ints:
    """Pairs of rows of different groups whose features differ by less than `tolerance` of their median length.

    Two rows within that distance are within it along any direction. Candidates are neighbours along one random
    direction that are near along eleven others; their distance is then computed.

    Returns:
        int64 (at most limit, 2), the first row of a pair below the second, sorted.
    """
    if len(rows) < 2:
        return np.zeros((0, 2), dtype=np.int64)
    directions = np.linalg.qr(
        np.random.default_rng(seed).standard_normal((features.shape[1], min(_PROJECTIONS, features.shape[1])))
    )[0].astype(np.float32)
    shadows = np.empty((len(rows), directions.shape[1]), dtype=np.float32)
    lengths = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = features[rows[start : start + BLOCK_ROWS]]
        shadows[start : start + BLOCK_ROWS] = block @ directions
        lengths[start : start + BLOCK_ROWS] = np.linalg.norm(block, axis=1)
    near = tolerance * float(np.median(lengths))
    order = np.argsort(shadows[:, 0], kind="stable")
    sorted_shadows = shadows[order]
    pairs: list[Ints] = []
    found = looked_at = 0
    for step in range(1, len(rows)):
        first = np.flatnonzero(sorted_shadows[step:, 0] - sorted_shadows[:-step, 0] <= near)
        looked_at += len(first)
        if not len(first) or looked_at > _MAX_CANDIDATES or found >= limit:
            break
        first = first[(np.abs(sorted_shadows[first] - sorted_shadows[first + step]) <= near).all(axis=1)]
        one, other = rows[order[first]], rows[order[first + step]]
        apart = groups[one] != groups[other]
        one, other = one[apart], other[apart]
        close = np.zeros(len(one), dtype=bool)
        for start in range(0, len(one), BLOCK_ROWS):
            some = slice(start, start + BLOCK_ROWS)
            close[some] = np.linalg.norm(features[one[some]] - features[other[some]], axis=1) <= near
        pairs.append(np.sort(np.stack([one[close], other[close]], axis=1), axis=1))
        found += int(close.sum())
    together = np.concatenate(pairs) if pairs else np.zeros((0, 2), dtype=np.int64)
    return together[np.lexsort((together[:, 1], together[:, 0]))][:limit]


def _unit(features: Floats) -> Floats:
    unit: Floats = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    return unit
