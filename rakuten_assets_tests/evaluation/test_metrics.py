from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation import metrics as ours

_PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@given(_PAIRS)
@settings(deadline=None)
def test_scores_equal_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(pairs).T
    found = ours.scores(labels, predicted, 5)
    assert found.accuracy == pytest.approx(theirs.accuracy_score(labels, predicted))
    for name, average in (("weighted_f1", "weighted"), ("macro_f1", "macro")):
        expected = theirs.f1_score(labels, predicted, average=average, zero_division=0)
        assert getattr(found, name) == pytest.approx(expected)
    np.testing.assert_array_equal(
        ours.confusion_matrix(labels, predicted, 5),
        theirs.confusion_matrix(labels, predicted, labels=range(5)),
    )
    table = ours.class_table(labels, predicted, 5)
    expected = theirs.precision_recall_fscore_support(labels, predicted, labels=range(5), zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "rows"), expected, strict=True):
        np.testing.assert_allclose(table[name], values)


def test_reliability_counts_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.5, 0.5]])
    found = ours.reliability(probabilities, [0, 1, 1, 0], bins=10)
    assert found.count.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 2, 0]
    assert found.accuracy[8] == 0.5 and found.confidence[8] == pytest.approx(0.9)
    assert found.error == pytest.approx((2 * 0.4 + 0.4 + 0.5) / 4)


def test_the_most_confident_mistakes_come_first() -> None:
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.7, 0.3]])
    assert ours.most_confident_mistakes(probabilities, [1, 1, 1, 0], 5).tolist() == [2, 0]
    assert ours.most_confident_mistakes(probabilities, [1, 1, 1, 0], 1).tolist() == [2]


def test_the_majority_is_that_of_the_training_rows() -> None:
    found = ours.majority_baseline([0, 1, 1], [0, 0, 0, 1], 2)
    assert found.accuracy == 0.25
    assert found.weighted_f1 == pytest.approx(0.4 * 0.25)


def test_labels_outside_are_refused() -> None:
    with pytest.raises(CatalogError, match="between 0 and 1; there are 0 to 2"):
        ours.confusion_matrix([0, 2], [0, 1], 2)
    with pytest.raises(CatalogError, match=r"shape \(2,\), predictions \(3,\)"):
        ours.scores([0, 1], [0, 1, 1], 2)
