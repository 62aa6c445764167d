"""t-SNE: what is near stays near, the gradient is the gradient, and the bits are the same."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.feature_map import kernels
from rakuten_assets.evaluation.feature_map.affinities import joint_affinities, nearest_rows
from rakuten_assets.evaluation.feature_map.embedding import embed
from rakuten_assets_tests.evaluation.feature_map.catalogues import catalogue


def dense(affinities: object, rows: int) -> np.ndarray:
    from scipy.sparse import csr_array

    parts = (affinities.values, affinities.columns, affinities.starts)  # type: ignore[attr-defined]
    return csr_array(parts, shape=(rows, rows)).toarray().astype(np.float64)


def test_clouds_stay_apart_and_neighbours_stay_near() -> None:
    mapped = catalogue(400)
    labels = mapped.train.labels
    assert labels is not None
    found = embed(mapped.train.features, np.flatnonzero(mapped.train.rows["valid"]), steps=400)
    of = labels[mapped.train.rows["valid"]]
    near, _ = nearest_rows(found.coordinates, 5)
    assert (of[near] == of[:, None]).mean() > 0.99
    assert found.neighbours_kept > 0.4
    assert found.coordinates.mean(axis=0) == pytest.approx(0, abs=1e-3)
    assert 0.9 < found.variance <= 1 + 1e-9


def test_the_bits_depend_on_the_seed_and_not_on_threads() -> None:
    features = catalogue(300).train.features
    rows = np.arange(len(features))
    one = embed(features, rows, steps=120, workers=1).coordinates
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"):
            assert embed(features, rows, steps=120, workers=3).coordinates.tobytes() == one.tobytes()
    assert embed(features, rows, steps=120, seed=1).coordinates.tobytes() != one.tobytes()


def test_forces_are_the_gradient_of_the_divergence() -> None:
    draw = np.random.default_rng(3)
    rows = 40
    affinities = joint_affinities(draw.normal(size=(rows, 6)).astype(np.float32), 8)
    p, place = dense(affinities, rows), draw.normal(size=(rows, 2))

    def divergence(where: np.ndarray) -> float:
        q = 1 / (1 + np.square(where[:, None] - where).sum(axis=2))
        np.fill_diagonal(q, 0)
        q /= q.sum()
        there = p > 0
        return float((p[there] * np.log(p[there] / q[there])).sum())

    x, y = np.ascontiguousarray(place.T, dtype=np.float32)
    push, pull, weight = np.empty((2, rows), np.float32), np.empty((2, rows), np.float32), np.empty(rows)
    kernels.repulsion(x, y, 0, rows, push[0], push[1], weight)
    kernels.attraction(
        x, y, affinities.starts, affinities.columns, affinities.values, 0, rows, pull[0], pull[1]
    )
    gradient = 4 * (pull - push / weight.sum())
    for row in range(0, rows, 7):
        for axis in (0, 1):
            step = np.zeros_like(place)
            step[row, axis] = 1e-5
            measured = (divergence(place + step) - divergence(place - step)) / 2e-5
            assert gradient[axis, row] == pytest.approx(measured, abs=2e-6)


def test_affinities_are_those_of_scikit_learn() -> None:
    from sklearn.manifold._t_sne import _joint_probabilities_nn
    from sklearn.neighbors import NearestNeighbors

    points = np.random.default_rng(0).normal(size=(200, 10)).astype(np.float32)
    graph = NearestNeighbors(n_neighbors=60).fit(points).kneighbors_graph(mode="distance")
    graph.data **= 2
    expected = _joint_probabilities_nn(graph, 20, 0).toarray()
    np.testing.assert_allclose(dense(joint_affinities(points, 20), 200), expected, atol=2e-7)


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_few_rows_have_places_too(rows: int) -> None:
    features = np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float32)
    found = embed(features, np.arange(rows), steps=60)
    assert found.coordinates.shape == (rows, 2)
    assert np.isfinite(found.coordinates).all()


def test_rows_with_the_same_features_are_no_trouble() -> None:
    features = np.ones((60, 4), np.float32)
    assert np.isfinite(embed(features, np.arange(60), steps=300).coordinates).all()


def test_no_row_is_said() -> None:
    with pytest.raises(CatalogError, match="no row has features"):
        embed(np.zeros((4, 4), np.float32), np.array([], dtype=np.int64))
