"""Who is near whom: the probabilities that t-SNE keeps, of each row's nearest rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rakuten_assets.evaluation.inputs import Doubles, Floats

PERPLEXITY = 30.0
_NEIGHBOURS_A_PERPLEXITY = 3
_BLOCK_ROWS = 256
_BISECTIONS = 60


@dataclass(frozen=True)
class Affinities:
    """A sparse symmetric matrix of joint probabilities, by rows.

    Attributes:
        starts: int64 (n + 1,): where each row's entries begin.
        columns: int32 (e,).
        values: float32 (e,), their sum is 1.
        perplexity: the effective number of neighbours that each row was given.
    """

    starts: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    perplexity: float


def joint_affinities(points: Floats, perplexity: float = PERPLEXITY) -> Affinities:
    """Affinities of the rows of `points`, float32 (n, d), n at least 2, over their 3 x perplexity nearest rows.

    Fewer rows than that get a lower perplexity: a third of the other rows.
    """
    rows = len(points)
    effective = min(perplexity, max((rows - 1) / _NEIGHBOURS_A_PERPLEXITY, 1.0))
    count = min(rows - 1, int(np.ceil(_NEIGHBOURS_A_PERPLEXITY * effective)))
    near, squares = nearest_rows(points, count)
    of = _conditional(squares, effective)
    return _symmetric(near, of, effective)


def nearest_rows(points: Floats, count: int) -> tuple[npt.NDArray[np.int64], Doubles]:
    """The `count` nearest other rows of each row, and the squares of their distances: int64 and float64 (n, count).

    Of rows at one distance the first are nearer, so that the result does not depend on how they are looked for.
    """
    rows = len(points)
    values = points.astype(np.float64)
    lengths = np.square(values).sum(axis=1)
    near, squares = np.empty((rows, count), np.int64), np.empty((rows, count), np.float64)
    for start in range(0, rows, _BLOCK_ROWS):
        some = slice(start, min(start + _BLOCK_ROWS, rows))
        distances = lengths[some, None] + lengths - 2 * (values[some] @ values.T)
        distances[np.arange(some.stop - start), np.arange(start, some.stop)] = np.inf
        chosen = np.sort(np.argpartition(distances, count - 1, axis=1)[:, :count], axis=1)
        order = np.argsort(np.take_along_axis(distances, chosen, 1), axis=1, kind="stable")
        near[some] = np.take_along_axis(chosen, order, 1)
        squares[some] = np.maximum(np.take_along_axis(distances, near[some], 1), 0.0)
    return near, squares


def _conditional(squares: Doubles, perplexity: float) -> Doubles:
    """Probabilities (n, k) of each row's neighbours under a normal distribution whose width gives the perplexity."""
    relative = squares - squares.min(axis=1, keepdims=True)
    # In units of each row's own mean distance the right precision lies within a few powers of ten of 1.
    scale = relative.mean(axis=1, keepdims=True)
    relative = relative / np.where(scale > 0, scale, 1.0)
    low, high = np.full(len(squares), -30.0), np.full(len(squares), 30.0)  # powers of e
    wanted = np.log(perplexity)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        weights = np.exp(-relative * np.exp(middle)[:, None])
        total = weights.sum(axis=1)
        entropy = np.log(total) + np.exp(middle) * (weights * relative).sum(axis=1) / total
        too_wide = entropy > wanted
        low, high = np.where(too_wide, middle, low), np.where(too_wide, high, middle)
    found: Doubles = weights / total[:, None]
    return found


def _symmetric(near: npt.NDArray[np.int64], of: Doubles, perplexity: float) -> Affinities:
    """(p(j|i) + p(i|j)) / 2n, of pairs where either is near the other."""
    from scipy.sparse import csr_array

    rows, count = near.shape
    starts = np.arange(rows + 1) * count
    one_way = csr_array((of.reshape(-1), near.reshape(-1), starts), shape=(rows, rows))
    both = (one_way + one_way.T).tocsr()
    both.sort_indices()
    values = both.data / both.data.sum()
    return Affinities(
        both.indptr.astype(np.int64), both.indices.astype(np.int32), values.astype(np.float32), perplexity
    )
