from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from rakuten_assets.errors import CatalogError
from rakuten_assets.imbalance.class_weights import balanced_class_weights


@given(st.lists(st.integers(1, 40), min_size=1, max_size=27))
@settings(deadline=None)  # scikit-learn is imported in the first example.
def test_weights_equal_scikit_learns_balanced(counts: list[int]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    weights = balanced_class_weights(labels, len(counts))
    theirs = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
    assert weights.dtype == np.float64
    np.testing.assert_array_equal(weights, theirs)
    assert (weights > 0).all()
    assert weights[labels].sum() == pytest.approx(len(labels))


def test_order_of_rows_does_not_matter() -> None:
    assert balanced_class_weights([1, 0, 1, 1], 2).tolist() == [2.0, 4 / 6]


def test_a_class_without_a_row_is_named() -> None:
    with pytest.raises(CatalogError, match="each of the 4 classes; without a row: 1, 3"):
        balanced_class_weights([0, 2, 2], 4)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_outside_the_classes_is_named(label: int) -> None:
    with pytest.raises(CatalogError, match=f"row 1: label {label} is outside 0 to 2"):
        balanced_class_weights([0, label, 1, 2], 3)


def test_no_classes_have_no_weights() -> None:
    with pytest.raises(CatalogError, match="none given"):
        balanced_class_weights([], 0)
