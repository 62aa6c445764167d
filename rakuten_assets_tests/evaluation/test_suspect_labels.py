from __future__ import annotations

import numpy as np
import pytest

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.suspect_labels import COLUMNS, conflicting_rows, suspect_labels


def test_swapped_labels_are_found_and_little_else() -> None:
    random = np.random.default_rng(0)
    true = random.integers(0, 5, 600)
    logits = random.normal(0, 1, (600, 5)) + 6 * np.eye(5)[true]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = true.copy()
    swapped = random.choice(600, 30, replace=False)
    labels[swapped] = (labels[swapped] + 1) % 5
    found = suspect_labels(probabilities, labels)
    assert tuple(found.columns) == COLUMNS
    first = found["row"].to_numpy()[:20]
    assert np.isin(first, swapped).mean() > 0.9
    assert np.isin(swapped, found["row"]).mean() > 0.8
    right = np.isin(found["row"], swapped)
    assert (found["suggested"].to_numpy() == true[found["row"]])[right].mean() > 0.9
    assert len(found) < 60


def test_known_conflicts_come_first_and_suggest_a_label_of_their_group() -> None:
    probabilities = np.array(
        [
            [0.9, 0.05, 0.05],
            [0.1, 0.2, 0.7],
            [0.15, 0.2, 0.65],
            [0.05, 0.9, 0.05],
            [0.02, 0.95, 0.03],
            [0.0, 0.0, 1.0],
        ]
    )
    labels = np.array([0, 0, 1, 1, 0, 2])
    found = suspect_labels(probabilities, labels, groups=[0, 1, 1, 3, 4, 5])
    assert found["row"].tolist()[:2] == [2, 1] or found["row"].tolist()[:2] == [1, 2]
    assert found["known_conflict"].tolist()[:2] == [True, True]
    assert set(found["suggested"][:2]) == {1}
    assert 4 in found["row"].tolist()[2:]


def test_invalid_rows_are_not_judged_by_their_picture() -> None:
    probabilities = np.tile([0.1, 0.9], (4, 1))
    labels = np.array([0, 1, 1, 1])
    assert suspect_labels(probabilities, labels)["row"].tolist() == [0]
    assert suspect_labels(probabilities, labels, valid=[False, True, True, True]).empty
    twins = suspect_labels(probabilities, labels, groups=[7, 7, 8, 9], valid=[False] * 4)
    assert twins["row"].tolist() == [0, 1]


def test_conflicts_are_rows_of_a_group_with_several_labels() -> None:
    assert conflicting_rows([0, 1, 2, 2, 3], ["a", "a", "b", "b", "c"]).tolist() == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_a_label_outside_is_refused() -> None:
    with pytest.raises(CatalogError, match="row 1: label 2 is outside 0 to 1"):
        suspect_labels(np.full((2, 2), 0.5), [0, 2])
