from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.bootstrap import (
    METRICS,
    difference_p_value,
    group_bootstrap,
    holm,
    interval,
)
from rakuten_assets.evaluation.metrics import reliability, scores


def predictions(
    hits: float, rows: int = 400, seed: int = 0
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    labels = np.random.default_rng(9).integers(0, 4, rows)
    said = np.where(random.random(rows) < hits, labels, (labels + 1) % 4)
    return np.eye(4)[said] * 0.6 + 0.1, labels


def test_the_first_draw_is_the_score_on_all_rows() -> None:
    probabilities, labels = predictions(0.7)
    draws = group_bootstrap(probabilities, labels, rare=[1], resamples=20)
    plain = scores(labels, probabilities.argmax(axis=1), 4)
    assert set(draws) == set(METRICS)
    assert draws["accuracy"][0] == pytest.approx(plain.accuracy)
    assert draws["weighted_f1"][0] == pytest.approx(plain.weighted_f1)
    assert draws["macro_f1"][0] == pytest.approx(plain.macro_f1)
    assert draws["calibration_error"][0] == pytest.approx(reliability(probabilities, labels).error)
    rare = labels == 1
    assert draws["rare_recall"][0] == pytest.approx((probabilities.argmax(axis=1) == labels)[rare].mean())


def test_the_interval_of_an_accuracy_is_the_binomial_one() -> None:
    probabilities, labels = predictions(0.7)
    found = interval(group_bootstrap(probabilities, labels, resamples=600)["accuracy"])
    width = 2 * 1.96 * np.sqrt(found.value * (1 - found.value) / 400)
    assert found.high - found.low == pytest.approx(width, rel=0.15)
    assert found.low < found.value < found.high


def test_twins_widen_the_interval() -> None:
    probabilities, labels = predictions(0.7, rows=100)
    four_times = np.repeat(np.arange(100), 4)
    alone = interval(group_bootstrap(probabilities[four_times], labels[four_times])["accuracy"])
    grouped = interval(group_bootstrap(probabilities[four_times], labels[four_times], four_times)["accuracy"])
    assert grouped.high - grouped.low == pytest.approx(2 * (alone.high - alone.low), rel=0.2)


def test_a_difference_is_real_where_the_draws_agree() -> None:
    better, labels = predictions(0.85, seed=1)
    worse, _ = predictions(0.6, seed=2)
    first, second = (group_bootstrap(one, labels, resamples=200)["accuracy"] for one in (better, worse))
    assert difference_p_value(first, second) == pytest.approx(2 / 201)
    assert difference_p_value(first, first) == 1.0


def test_holm_adjusts_by_rank() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]


def test_nothing_to_score_is_said() -> None:
    with pytest.raises(CatalogError, match="no row to score"):
        group_bootstrap(np.zeros((0, 3)), [])
