"""t-SNE (van der Maaten and Hinton, 2008) of up to some ten thousand rows, exact and the same to the bit.

The features' leading principal components give the affinities and the start; gradient descent with momentum and gains
does the rest, as in scikit-learn, whose defaults for learning rate, momentum and exaggeration are taken. Scikit-learn
approximates the repulsive forces by a tree, and its sums depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.feature_map.affinities import (
    PERPLEXITY,
    Affinities,
    joint_affinities,
    nearest_rows,
)
from rakuten_assets.evaluation.inputs import Doubles, Floats, Ints
from rakuten_assets.evaluation.leakage import SEED
from rakuten_assets.evaluation.quality.statistics import feature_statistics, principal_scores

COMPONENTS = 50
_EXAGGERATION, _EXAGGERATED_STEPS, _STEPS = 12.0, 250, 750
_EARLY_MOMENTUM, _MOMENTUM = 0.5, 0.8
_LEAST_RATE, _LEAST_GAIN = 50.0, 0.01
_START_SPREAD, _START_NOISE = 1e-4, 1e-6
_BLOCK_ROWS = 128
_NEIGHBOURS_COMPARED = 10
_STEPS_BETWEEN_LINES = 50


@dataclass(frozen=True)
class Embedding:
    """Rows in two dimensions.

    Attributes:
        coordinates: float32 (n, 2), centred.
        components: principal components that it was made from.
        variance: share of the features' variance along them.
        perplexity: effective number of neighbours.
        steps: of gradient descent.
        neighbours_kept: mean share of a row's ten nearest rows in the features that are among its ten nearest on the
            map, 0 to 1.
    """

    coordinates: Floats
    components: int
    variance: float
    perplexity: float
    steps: int
    neighbours_kept: float


def embed(
    features: Floats,
    rows: Ints,
    *,
    perplexity: float = PERPLEXITY,
    steps: int = _STEPS,
    seed: int = SEED,
    workers: int = 1,
    log: Callable[[str], None] | None = None,
) -> Embedding:
    """Place rows such that those with near features are near.

    Args:
        features: float32 (n, d).
        rows: int64 (m,): those to place.
        workers: threads; their number changes no bit of the result.
        log: told of progress in lines.

    Raises:
        CatalogError: without a row.
    """
    from threadpoolctl import threadpool_limits

    if not len(rows):
        raise CatalogError(
            "no row has features, so there is nothing to map; look at why every row is quarantined"
        )
    chosen = np.ascontiguousarray(features[rows])
    everything = np.arange(len(rows))
    count = min(COMPONENTS, chosen.shape[1])
    with threadpool_limits(1, "blas"):  # The last bits of a product follow the number of its threads.
        statistics = feature_statistics(chosen, everything)
        points = principal_scores(chosen, everything, statistics, count)
    variance = float(statistics.spectrum[:count].sum())
    start = _start(points, seed)
    if len(rows) < 3:
        return Embedding(start.astype(np.float32), count, variance, 1.0, 0, 1.0)
    with threadpool_limits(1, "blas"):
        affinities = joint_affinities(points, perplexity)
    placed = descend(start, affinities, steps=steps, workers=workers, log=log)
    kept = _neighbours_kept(points, placed)
    return Embedding(placed, count, variance, affinities.perplexity, steps, kept)


def descend(
    start: Doubles,
    affinities: Affinities,
    *,
    steps: int = _STEPS,
    workers: int = 1,
    log: Callable[[str], None] | None = None,
) -> Floats:
    """Gradient descent on the divergence between the affinities and those of the map.

    Args:
        start: float64 (n, 2).

    Returns:
        float32 (n, 2), centred.
    """
    # It compiles on import.
    from rakuten_assets.evaluation.feature_map import kernels

    rows = len(start)
    place = np.ascontiguousarray(start.T, dtype=np.float32)
    push, pull, weight = np.empty_like(place), np.empty_like(place), np.empty(rows)
    change, gains = np.zeros_like(place), np.ones_like(place)
    rate = np.float32(max(rows / _EXAGGERATION / 4, _LEAST_RATE))
    near = (affinities.starts, affinities.columns, affinities.values)

    def forces(first: int) -> None:
        last = min(first + _BLOCK_ROWS, rows)
        kernels.repulsion(place[0], place[1], first, last, push[0], push[1], weight)
        kernels.attraction(place[0], place[1], *near, first, last, pull[0], pull[1])

    blocks = range(0, rows, _BLOCK_ROWS)
    with ThreadPoolExecutor(max(1, min(workers, len(blocks)))) as threads:
        for step in range(steps):
            early = step < _EXAGGERATED_STEPS
            for _ in threads.map(forces, blocks):
                pass
            exaggeration = np.float32(_EXAGGERATION if early else 1.0)
            gradient = np.float32(4.0) * (exaggeration * pull - push / np.float32(weight.sum()))
            same_way = change * gradient < 0
            gains = np.maximum(
                np.where(same_way, gains + np.float32(0.2), gains * np.float32(0.8)), _LEAST_GAIN
            )
            gains = gains.astype(np.float32)
            momentum = np.float32(_EARLY_MOMENTUM if early else _MOMENTUM)
            change = momentum * change - rate * gains * gradient
            place += change
            if log and (step + 1) % _STEPS_BETWEEN_LINES == 0:
                log(f"feature map: step {step + 1} of {steps}")
    return np.ascontiguousarray((place - place.mean(axis=1, keepdims=True)).T)


def _start(points: Floats, seed: int) -> Doubles:
    """The two leading components, small, and a little noise that parts rows with the same features."""
    plane = np.zeros((len(points), 2))
    leading = points[:, :2].astype(np.float64)
    spread = leading[:, 0].std() if leading.size else 0.0
    if spread > 0:
        plane[:, : leading.shape[1]] = leading / spread * _START_SPREAD
    noise: Doubles = np.random.default_rng(seed).normal(scale=_START_NOISE, size=plane.shape)
    return plane + noise


def _neighbours_kept(points: Floats, placed: Floats) -> float:
    count = min(_NEIGHBOURS_COMPARED, len(points) - 1)
    near, _ = nearest_rows(points, count)
    on_map, _ = nearest_rows(placed, count)
    kept = (near[:, :, None] == on_map[:, None, :]).any(axis=2)
    return float(kept.mean())
