from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.heads.logistic import fit_logistic
from rakuten_assets.evaluation.quality.document import quality_document
from rakuten_assets.evaluation.quality.drift import area_under_curve, drift_told
from rakuten_assets.evaluation.quality.neighbours import near_identical_pairs, neighbour_agreement
from rakuten_assets.evaluation.quality.report import feature_quality
from rakuten_assets.evaluation.quality.statistics import feature_statistics, principal_scores
from rakuten_assets.evaluation.verdicts import alike

ROWS = np.arange(600)


def catalog(
    rows: int = 600, shift: float = 0.0, seed: int = 0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, rows)
    centres = np.random.default_rng(1).normal(0, 1.5, (3, 10))
    features = centres[labels] + random.normal(0, 1, (rows, 10)) + 5
    features[:, 3], features[:, 7] = 0.0, 2.5
    features[:, 0] += shift
    return features.astype(np.float32), labels


def test_statistics_are_numpys() -> None:
    features, _ = catalog()
    found = feature_statistics(features, ROWS)
    assert (found.rows, found.dimensions) == (600, 10)
    assert found.mean == pytest.approx(features.mean(), rel=1e-5)
    assert found.std == pytest.approx(features.std(), rel=1e-5)
    assert (found.minimum, found.maximum) == (features.min(), features.max())
    assert (found.dead.tolist(), found.constant.tolist()) == ([3], [7])
    values = np.linalg.svd(features - features.mean(axis=0), compute_uv=False) ** 2
    np.testing.assert_allclose(found.spectrum, values / values.sum(), atol=1e-6)
    assert found.effective_rank <= 8
    scores = principal_scores(features, ROWS, found, 2)
    np.testing.assert_allclose(scores.var(axis=0) / features.var(axis=0).sum(), found.spectrum[:2], rtol=1e-4)


def test_the_effective_rank_counts_equal_directions() -> None:
    features = np.zeros((400, 8), np.float32)
    features[:, :4] = np.repeat(np.eye(4), 100, axis=0) * 3
    assert feature_statistics(features, np.arange(400)).effective_rank == pytest.approx(3.0, rel=1e-3)


def test_neighbours_agree_as_scikit_learns_do() -> None:
    features, labels = catalog()
    ours = neighbour_agreement(features, ROWS, labels, ROWS, neighbours=5)
    nearest = NearestNeighbors(n_neighbors=6, metric="cosine").fit(features).kneighbors(features)[1][:, 1:]
    assert ours == pytest.approx((labels[nearest] == labels[:, None]).mean(), abs=1e-6)


def test_a_duplicate_is_no_neighbour() -> None:
    random = np.random.default_rng(0)
    features = np.repeat(random.standard_normal((200, 8)).astype(np.float32), 2, axis=0)
    labels, pairs = np.repeat(random.integers(0, 2, 200), 2), np.arange(400) // 2
    rows = np.arange(400)
    assert neighbour_agreement(features, rows, labels, rows, neighbours=1) == 1.0
    assert neighbour_agreement(features, rows, labels, pairs, neighbours=1) < 0.7


def test_near_identical_features_of_different_pictures_are_found() -> None:
    features, _ = catalog()
    features[410] = features[17] * (1 + 1e-5)
    features[500] = features[30]
    groups = ROWS.copy()
    groups[500] = 30  # Known duplicates are no news.
    found = near_identical_pairs(features, ROWS, groups)
    assert found.tolist() == [[17, 410]]
    distances = np.linalg.norm(features[:, None] - features[None], axis=2)
    near = np.argwhere(np.triu(distances < 0.1 * np.median(np.linalg.norm(features, axis=1)), 1))
    wide = near_identical_pairs(features, ROWS, ROWS, tolerance=0.1)
    np.testing.assert_array_equal(wide, near)


@pytest.mark.parametrize(("shift", "verdict"), [(0.0, "none"), (3.0, "large")])
def test_drift_is_judged_by_its_size(shift: float, verdict: str) -> None:
    features, labels = catalog(2400)
    test, _ = catalog(1200, shift, seed=2)
    found = feature_quality(features, labels, test_features=test, head=fit_logistic(features, labels)).drift
    assert found is not None and found.verdict == verdict
    assert len(found.columns) == len(found.distances) == len(found.p_values) == 13
    assert abs(found.auc - 0.5) < 0.05 if verdict == "none" else found.auc > 0.9
    if shift:
        assert test[found.telling_test, 0].mean() > test[:, 0].mean() + 1
        assert features[found.telling_train, 0].mean() < features[:, 0].mean() - 1


def test_twins_across_the_splits_do_not_hide_a_difference_or_make_one() -> None:
    features, labels = catalog(300)
    found = feature_quality(
        features, labels, np.arange(300), test_features=features, test_groups=np.arange(300)
    ).drift
    assert found is not None and found.verdict == "none"
    assert found.auc == pytest.approx(0.5, abs=0.02)


def test_the_whole_report_leaves_invalid_rows_out() -> None:
    features, labels = catalog()
    valid = ROWS % 5 != 0
    spoilt = features.copy()
    spoilt[~valid] = np.nan
    found = feature_quality(spoilt, labels, valid=valid)
    assert found.train.rows == 480 and found.test is None and found.drift is None
    assert found.agreement > 0.6 > 0.4 > found.chance_agreement > 0.3
    plain = feature_quality(features[valid], labels[valid])
    assert plain.train.mean == pytest.approx(found.train.mean)
    with pytest.raises(CatalogError, match="no valid row"):
        feature_quality(features, labels, valid=np.zeros(600, bool))


def test_the_check_names_the_distance_that_decided() -> None:
    """A column that is as wide as train's in the middle and far from it on both sides: no line tells the two apart."""
    features, labels = catalog(2400)
    test, _ = catalog(1200, seed=2)
    test[:, 0] = test[:, 0].mean() + 3 * (test[:, 0] - test[:, 0].mean())
    found = feature_quality(features, labels, test_features=test)
    assert found.drift is not None and found.drift.verdict == "large" and found.drift.auc < 0.55
    verdict = alike(found)
    assert not verdict.passed
    at = int(found.drift.distances.argmax())
    assert verdict.summary.startswith(
        f"difference: large, because the Kolmogorov-Smirnov distance of principal {found.drift.columns[at]} is "
        f"{found.drift.distances[at]:.3f} (large from 0.15); a linear classifier tells test from train with an AUC of"
    )


@pytest.mark.parametrize(
    ("verdict", "auc", "column", "told"),
    [
        ("large", 0.9, (0.2, 0.01), "large, because a linear classifier tells test from train with an AUC of 0.900 "
         "(chance: 0.5, large from 0.70) and the Kolmogorov-Smirnov distance of principal component 1 is 0.200"),
        ("small", 0.6, (0.9, 0.5), "small, because a linear classifier tells test from train with an AUC of 0.600 "
         "(chance: 0.5, small from 0.55); no column has a significant Kolmogorov-Smirnov distance"),
        ("none", 0.51, (0.01, 0.01), "none: a linear classifier tells test from train with an AUC of 0.510 (chance: "
         "0.5, small from 0.55), and the Kolmogorov-Smirnov distance of principal component 1 is 0.010 (small from"),
    ],
)  # fmt: skip
def test_a_verdict_on_drift_says_what_decided_it(
    verdict: Any, auc: float, column: tuple[float, float], told: str
) -> None:
    assert drift_told(verdict, auc, {"component 1": column}).startswith(told)


@pytest.mark.parametrize(("usable", "groups"), [(0, 40), (1, 40), (40, 1)])
def test_too_few_test_pictures_are_told_and_stop_nothing(usable: int, groups: int) -> None:
    features, labels = catalog()
    found = feature_quality(
        features,
        labels,
        test_features=features[:40],
        test_groups=np.arange(40) % groups + 1000,
        test_valid=np.arange(40) < usable,
    )
    assert found.drift is None
    assert (found.test is None) == (usable == 0)
    verdict = alike(found)
    assert not verdict.passed and not verdict.stops
    assert f"test {usable}" in verdict.summary
    json.dumps(quality_document(found), allow_nan=False)


def test_the_area_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    scores, truth = random.integers(0, 20, 300).astype(float), random.random(300) < 0.4
    assert area_under_curve(scores, truth) == pytest.approx(roc_auc_score(truth, scores))
    assert area_under_curve(scores, np.ones(300)) == 0.5
