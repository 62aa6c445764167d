from __future__ import annotations

import numpy as np
import pytest
from torch.utils.data import WeightedRandomSampler

from rakuten_assets.errors import CatalogError
from rakuten_assets.imbalance.resampling import resample
from rakuten_assets.imbalance.sampling import sample_weights

LABELS = np.repeat([0, 1, 2], [40, 12, 6])
FEATURES = (np.random.default_rng(0).standard_normal((58, 4)) + 10 * LABELS[:, None]).astype(np.float32)


@pytest.mark.parametrize(("method", "rows"), [("oversampling", 40), ("undersampling", 6), ("smote", 40)])
def test_every_class_has_as_many_rows(method: str, rows: int) -> None:
    features, labels = resample(FEATURES, LABELS, method)
    assert np.bincount(labels).tolist() == [rows] * 3
    assert (features.dtype, labels.dtype) == (np.float32, np.int64)
    again, _ = resample(FEATURES, LABELS, method)
    np.testing.assert_array_equal(features, again)
    for label in range(3):  # New rows lie inside their class.
        own = FEATURES[label == LABELS]
        assert (features[labels == label] >= own.min(axis=0) - 1e-5).all()
        assert (features[labels == label] <= own.max(axis=0) + 1e-5).all()
    there = (features[:, None] == FEATURES[None]).all(axis=2).any(axis=1)
    assert there.all() == (method != "smote")


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_smote_takes_tiny_classes(rows: int) -> None:
    labels = np.repeat([0, 5], [20, rows])
    features, resampled = resample(FEATURES[: 20 + rows], labels, "smote")
    assert np.bincount(resampled)[[0, 5]].tolist() == [20, 20]
    assert np.isfinite(features).all()


def test_a_tiny_class_leaves_the_others_their_neighbours() -> None:
    pairs = np.repeat(np.arange(6) * 10.0, 2) + np.tile(
        [0, 0.1], 6
    )  # The nearest neighbour is a pair's other row.
    features = np.concatenate([np.linspace(100, 200, 60), pairs, [300.0]]).astype(np.float32)[:, None]
    more, labels = resample(features, np.repeat([0, 1, 2], [60, 12, 1]), "smote")
    made = more[labels == 1][:, 0]
    assert ((made % 10 > 0.2) & (made % 10 < 9.8)).any()
    assert np.bincount(labels).tolist() == [60] * 3


def test_one_class_stays_as_it_is() -> None:
    features, labels = resample(FEATURES[:9], np.zeros(9, np.int64), "oversampling")
    assert len(features) == len(labels) == 9


def test_the_sampler_draws_every_class_as_often() -> None:
    weights = sample_weights(LABELS)
    np.testing.assert_allclose(np.bincount(LABELS, weights), 1.0)
    drawn = LABELS[list(WeightedRandomSampler(weights.tolist(), 6000, replacement=True))]
    assert np.ptp(np.bincount(drawn)) < 400


def test_a_negative_label_is_refused() -> None:
    with pytest.raises(CatalogError, match="row 1: label -1 is outside 0 and more"):
        sample_weights([0, -1])
