"""Statistics of a feature matrix: value range, dead and constant dimensions, spectrum, effective rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.heads.multinomial import one_core_eigenvectors
from rakuten_assets.evaluation.inputs import BLOCK_ROWS, Doubles, Floats, Ints

MOST_IDLE = 0.1
"""Share of dimensions that may be dead or constant."""


@dataclass(frozen=True)
class FeatureStatistics:
    """What the valid rows of a feature matrix hold.

    Attributes:
        rows, dimensions: how many.
        mean, std, minimum, maximum: over all values.
        dead: dimensions that are 0 in every row.
        constant: dimensions with one other value in every row.
        spectrum: float64 (d,): share of the variance along each principal component, largest first.
        effective_rank: exp of the spectrum's entropy (Roy and Vetterli, 2007): 1 to d.
        components: float64 (d, d): the principal components, a column each.
        centre: float64 (d,): mean of each dimension.
    """

    rows: int
    dimensions: int
    mean: float
    std: float
    minimum: float
    maximum: float
    dead: Ints
    constant: Ints
    spectrum: Doubles
    effective_rank: float
    components: Doubles
    centre: Doubles


def feature_statistics(features: Floats, rows: Ints) -> FeatureStatistics:
    """Statistics of `rows` of features float32 (n, d), read in blocks.

    Raises:
        CatalogError: without a row.
    """
    import torch

    if not len(rows):
        raise CatalogError("features of no valid row have no statistics; look at why every row is invalid")
    dimensions = features.shape[1]
    total = np.zeros(dimensions)
    low, high = np.full(dimensions, np.inf), np.full(dimensions, -np.inf)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = features[rows[start : start + BLOCK_ROWS]]
        total += block.sum(axis=0, dtype=np.float64)
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
    centre = total / len(rows)
    covariance = np.zeros((dimensions, dimensions))
    for start in range(0, len(rows), BLOCK_ROWS):
        block = features[rows[start : start + BLOCK_ROWS]] - centre.astype(np.float32)
        covariance += block.T @ block
    covariance /= len(rows)
    values, vectors = one_core_eigenvectors(torch, covariance)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    spectrum = values / values.sum() if values.sum() else np.zeros_like(values)
    positive = spectrum[spectrum > 0]
    same = low == high
    mean = float(centre.mean())
    return FeatureStatistics(
        rows=len(rows),
        dimensions=dimensions,
        mean=mean,
        std=float(np.sqrt((np.diag(covariance) + np.square(centre - mean)).mean())),
        minimum=float(low.min()),
        maximum=float(high.max()),
        dead=np.flatnonzero(same & (low == 0)),
        constant=np.flatnonzero(same & (low != 0)),
        spectrum=spectrum,
        effective_rank=float(np.exp(-(positive * np.log(positive)).sum())) if len(positive) else 0.0,
        components=np.ascontiguousarray(vectors),
        centre=centre,
    )


def principal_scores(features: Floats, rows: Ints, statistics: FeatureStatistics, count: int) -> Floats:
    """Coordinates of `rows` along the leading `count` components, float32 (len(rows), count)."""
    leading = statistics.components[:, :count].astype(np.float32)
    centre = statistics.centre.astype(np.float32)
    found = np.empty((len(rows), leading.shape[1]), dtype=np.float32)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        found[block] = (features[rows[block]] - centre) @ leading
    return found
