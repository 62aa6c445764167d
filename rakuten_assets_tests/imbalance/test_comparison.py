from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.bootstrap import METRICS
from rakuten_assets.evaluation.heads.logistic import fit_logistic
from rakuten_assets.evaluation.splits import grouped_split
from rakuten_assets.imbalance.comparison import comparison_table, imbalance_comparison, strategies

GROUPS = np.arange(300) // 2


def catalog() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels = np.repeat(random.choice(3, 150, p=[0.75, 0.15, 0.1]), 2)
    centres = np.array([[0, 0, 0, 0], [1.3, 1, 0, 0], [0, 0, 1.2, -1]])
    return (centres[labels] + random.normal(0, 1, (300, 4))).astype(np.float32), labels


@pytest.mark.parametrize("name", strategies())
def test_no_strategy_ever_sees_a_validation_row(name: str) -> None:
    """Its head is the same to the bit whatever the validation rows hold: no scaler, sampler or SMOTE read them."""
    features, labels = catalog()
    validation = grouped_split(labels, GROUPS)
    logits = []
    for value in (0.0, 1e6):
        spoilt = features.copy()
        spoilt[validation] = value

        def kept(*arguments: Any) -> Any:
            head = strategies()[name](*arguments)
            logits.append(head.logits(features))
            return head

        imbalance_comparison(spoilt, labels, GROUPS, validation=validation, chosen={name: kept}, resamples=1)
    np.testing.assert_array_equal(*logits)


def test_every_strategy_is_scored_on_the_same_untouched_rows() -> None:
    features, labels = catalog()
    outcomes = imbalance_comparison(features, labels, GROUPS, resamples=50)
    assert [one.name for one in outcomes] == list(strategies())
    for one in outcomes:
        assert set(one.scores) == set(one.differences) == set(one.real) == set(METRICS)
        assert one.scores["macro_f1"].value > 0.3 and one.seconds > 0
    by_name = {one.name: one for one in outcomes}
    assert not any(by_name["none"].real.values())
    assert all(value.value == value.low == 0 for value in by_name["none"].differences.values())
    for name in ("class weights", "weighted sampler", "random oversampling", "SMOTE"):
        assert by_name[name].scores["rare_recall"].value >= by_name["none"].scores["rare_recall"].value
    assert [row["strategy"] for row in comparison_table(outcomes)] == list(strategies())


def test_a_real_difference_is_told_from_noise() -> None:
    features, labels = catalog()

    def good(rows: Any, of: Any, groups: Any, num_classes: int, seed: int) -> Any:
        return fit_logistic(rows, of, groups, penalties=(0.1,))

    def same(rows: Any, of: Any, groups: Any, num_classes: int, seed: int) -> Any:
        return fit_logistic(rows, of, groups, penalties=(0.101,))

    def bad(rows: Any, of: Any, groups: Any, num_classes: int, seed: int) -> Any:
        return fit_logistic(rows, (of + 1) % 3, groups, penalties=(0.1,))

    chosen = {"good": good, "same": same, "bad": bad}
    _, like, unlike = imbalance_comparison(features, labels, GROUPS, chosen=chosen, resamples=300)
    assert unlike.real["accuracy"] and not like.real["accuracy"]
    assert unlike.differences["accuracy"].high < 0
    assert comparison_table([unlike])[0]["accuracy"].endswith(" *")


def test_a_group_on_both_sides_is_refused() -> None:
    features, labels = catalog()
    with pytest.raises(CatalogError, match="group 0 is on both sides"):
        imbalance_comparison(features, labels, GROUPS, validation=np.arange(300) % 2 == 0)


def test_invalid_rows_take_no_part() -> None:
    features, labels = catalog()
    valid = np.arange(300) % 10 != 3
    features[~valid] = np.nan
    seen = []

    def fit(rows: Any, of: Any, groups: Any, num_classes: int, seed: int) -> Any:
        seen.append(len(rows))
        return fit_logistic(rows, of, groups, penalties=(0.1,))

    imbalance_comparison(features, labels, GROUPS, valid, chosen={"one": fit}, resamples=5)
    assert 200 < seen[0] < 240
